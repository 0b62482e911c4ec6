import { Type } from 'typebox';
import type { Static } from 'typebox';
import { allowPart, endpointParts, tlsParts } from '../config.ts';

/** Configuration of an endpoint that takes syslog. */
export const syslogConfigSchema = Type.Object(
  {
    kind: Type.Literal('syslog'),
    ...endpointParts,
    host: Type.String({ pattern: '^[^\\s/@]{1,253}$', description: 'Name or address of the receiver.' }),
    port: Type.Integer({
      default: 6514,
      minimum: 1,
      maximum: 65535,
      description: 'Port; 6514 is usual for TLS, 514 else.',
    }),
    transport: Type.Union([Type.Literal('tls'), Type.Literal('tcp'), Type.Literal('udp')], {
      default: 'tls',
      description: 'TLS (RFC 5425), TCP with octet counting (RFC 6587), or UDP (RFC 5426), which can lose alerts.',
    }),
    format: Type.Union([Type.Literal('cef'), Type.Literal('leef')], {
      default: 'cef',
      description: 'Form of the alert in the message.',
    }),
    facility: Type.Integer({ default: 16, minimum: 0, maximum: 23, description: 'Facility; 16 is local0.' }),
    sender: Type.Optional(
      Type.String({
        pattern: '^[!-~]{1,255}$',
        description: 'HOSTNAME in the messages, in place of that of the machine.',
      }),
    ),
    max_message_bytes: Type.Integer({
      default: 8192,
      minimum: 480,
      maximum: 65_000,
      description: 'Longest message; a longer one is cut at its end.',
    }),
    batch: Type.Integer({ default: 100, minimum: 1, maximum: 1000, description: 'Most alerts written at once.' }),
    confirm_ms: Type.Integer({
      default: 200,
      minimum: 0,
      maximum: 10_000,
      description:
        'Syslog has no acknowledgement: a message counts as delivered when its connection is still open this long ' +
        'after it was written.',
    }),
    timeout_s: Type.Number({ default: 15, minimum: 1, maximum: 120, description: 'Longest time of one attempt.' }),
    tls: Type.Optional(Type.Object(tlsParts, { additionalProperties: false, description: 'TLS to the receiver' })),
    ...allowPart,
  },
  { additionalProperties: false, description: 'Syslog' },
);
export type SyslogConfig = Static<typeof syslogConfigSchema>;
