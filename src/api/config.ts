import { Type } from 'typebox';
import type { Static } from 'typebox';

/** Configuration of the HTTP face: API, live events and console. */
export const apiConfigSchema = Type.Object(
  {
    host: Type.String({
      default: '127.0.0.1',
      minLength: 1,
      description:
        'Address to listen on. On another than loopback set api.tls, or let a reverse proxy with TLS stand in front.',
    }),
    port: Type.Integer({ default: 8642, minimum: 0, maximum: 65535, description: 'TCP port; 0 takes any free one.' }),
    tls: Type.Optional(
      Type.Object(
        {
          cert_file: Type.String({ minLength: 1, description: 'Certificate with its chain, PEM.' }),
          key_file: Type.String({ minLength: 1, description: 'Its private key, PEM.' }),
          min_version: Type.Union([Type.Literal('TLSv1.2'), Type.Literal('TLSv1.3')], {
            default: 'TLSv1.2',
            description: 'Oldest version of TLS that is spoken.',
          }),
        },
        {
          additionalProperties: false,
          description: 'TLS of API and console. Files that change are taken over within a minute, without a restart.',
        },
      ),
    ),
    trusted_proxies: Type.Array(Type.String({ pattern: '^[0-9a-fA-F:.]+(/[0-9]{1,3})?$' }), {
      default: [],
      maxItems: 64,
      description:
        'Addresses of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. Without it all who come ' +
        'through one share its address, its limits and its waits after wrong sign-ins.',
    }),
    allowed_hosts: Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
      default: [],
      maxItems: 64,
      description:
        'Host names (without port) under which browsers may reach Wardwatch. `localhost` and plain IP addresses are ' +
        'always allowed; any other name is refused, so that a web page cannot reach it by DNS rebinding.',
    }),
    time_zone: Type.String({
      default: 'UTC',
      maxLength: 64,
      description:
        'IANA name of the time zone of the site, e.g. `Europe/Vienna`: times in the console are shown in it.',
    }),
    requests_per_minute: Type.Integer({
      default: 1200,
      minimum: 10,
      description: 'Most requests of one client address in a minute; more are answered 429.',
    }),
    max_event_clients: Type.Integer({
      default: 64,
      minimum: 1,
      maximum: 10_000,
      description: 'Most open event streams; more are answered 503.',
    }),
    event_history: Type.Integer({
      default: 1000,
      minimum: 0,
      maximum: 100_000,
      description: 'How many events are kept in memory for clients that come back with `Last-Event-ID`.',
    }),
    event_buffer_bytes: Type.Integer({
      default: 524_288,
      minimum: 1024,
      description:
        'A client with more than this many unsent bytes is too slow and is dropped; it comes back by itself.',
    }),
    heartbeat_seconds: Type.Number({
      default: 15,
      minimum: 1,
      maximum: 120,
      description: 'How often a comment is sent on an idle event stream, so that proxies keep it open.',
    }),
    export_rows: Type.Integer({
      default: 100_000,
      minimum: 1,
      description: 'Most rows of one export; what is cut off is said in the response header.',
    }),
  },
  { additionalProperties: false, description: 'HTTP API and console' },
);

export type ApiConfig = Static<typeof apiConfigSchema>;
