import { Type } from 'typebox';
import type { Static } from 'typebox';
import { diskQueueConfigSchema } from '../queue/config.ts';

/** Names of sensors: they stand in comments, logs and labels. */
const SENSOR_NAME = '^[A-Za-z0-9._-]{1,64}$';

const path = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));

/** How to reach a cluster and to sign in there: the same for whatever talks to Kafka. */
export const kafkaConnectionParts = {
  brokers: Type.Array(Type.String({ pattern: '^[^\\s:/]+:[0-9]{1,5}$|^\\[[0-9a-fA-F:]+\\]:[0-9]{1,5}$' }), {
    default: ['127.0.0.1:9092'],
    minItems: 1,
    maxItems: 64,
    description: 'Brokers to ask first, each `host:port`; the others are learned from them.',
  }),
  client_id: Type.String({
    default: 'wardwatch',
    minLength: 1,
    description: 'Name shown in the logs of the broker.',
  }),
  ssl: Type.Optional(
    Type.Object(
      {
        ca: path('File with the certificates (PEM) that sign the certificate of the broker.'),
        cert: path('File with the certificate (PEM) to show to the broker.'),
        key: path('File with the private key (PEM) of that certificate.'),
        reject_unauthorized: Type.Boolean({
          default: true,
          description: 'Refuse a broker whose certificate cannot be verified. Turn off only to try something out.',
        }),
      },
      { additionalProperties: false, description: 'TLS to the brokers; leave out for plain TCP.' },
    ),
  ),
  sasl: Type.Optional(
    Type.Object(
      {
        mechanism: Type.Union(
          [
            Type.Literal('plain'),
            Type.Literal('scram-sha-256'),
            Type.Literal('scram-sha-512'),
            Type.Literal('oauthbearer'),
          ],
          {
            default: 'scram-sha-512',
            description: 'Way of signing in. `plain` and `oauthbearer` only over TLS. `oauthbearer` needs `oauth`.',
          },
        ),
        username: path('User name at the broker; not for `oauthbearer`.'),
        password_file: path('File that holds the password and nothing else.'),
        password_env: path('Name of the environment variable that holds the password.'),
        oauth: Type.Optional(
          Type.Object(
            {
              token_file: path('File that holds a token; it is read again whenever one is needed.'),
              token_command: Type.Optional(
                Type.Array(Type.String({ minLength: 1 }), {
                  minItems: 1,
                  maxItems: 64,
                  description: 'Program and its arguments that write a token to standard output; no shell is used.',
                }),
              ),
              token_url: Type.Optional(
                Type.String({
                  pattern: '^https://|^http://(127\\.0\\.0\\.1|localhost|\\[::1\\])[:/]',
                  description: 'Where a token is given for client credentials (RFC 6749 section 4.4).',
                }),
              ),
              client_id: path('Client at `token_url`.'),
              client_secret_file: path('File that holds the secret of the client and nothing else.'),
              client_secret_env: path('Name of the environment variable that holds the secret of the client.'),
              scope: path('Scope to ask for at `token_url`.'),
            },
            { additionalProperties: false, description: 'Where a token comes from: one of file, command and URL.' },
          ),
        ),
      },
      { additionalProperties: false, description: 'Signing in at the brokers.' },
    ),
  ),
};

/** Configuration of the bus over Apache Kafka. */
export const kafkaBusConfigSchema = Type.Object(
  {
    ...kafkaConnectionParts,
    topic: Type.String({
      default: 'wardwatch.frames',
      pattern: '^[a-zA-Z0-9._-]{1,230}$',
      description: 'Topic of the frames. Records that cannot be read go to the topic of this name with `.dead-letter`.',
    }),
    group_id: Type.String({
      default: 'wardwatch',
      minLength: 1,
      description: 'Consumer group; detectors of the same group share the partitions among them.',
    }),
    partitions: Type.Integer({
      default: 8,
      minimum: 1,
      maximum: 1024,
      description: 'Partitions that are written to; the topic must have at least as many.',
    }),
    max_record_bytes: Type.Integer({
      default: 262_144,
      minimum: 4096,
      maximum: 900_000,
      description: 'Greatest record. A frame that does not fit is dropped and counted.',
    }),
    linger_ms: Type.Integer({
      default: 50,
      minimum: 0,
      maximum: 10_000,
      description: 'Longest time that frames wait for a record to fill.',
    }),
    compression: Type.Union([Type.Literal('none'), Type.Literal('gzip'), Type.Literal('zstd')], {
      default: 'zstd',
      description:
        'Compression of what is written. All three are read, whatever is set here. Encrypted records are compressed ' +
        'by zstd before they are encrypted, whatever is set here.',
    }),
    shard_by: Type.Union([Type.Literal('whole'), Type.Literal('segment'), Type.Literal('endpoint')], {
      default: 'whole',
      description:
        'What a sensor keeps together on a partition: `whole`, everything (the partition of --partition); `segment`, ' +
        'a VLAN; `endpoint`, a device, with detectors then that cannot compare devices with each other. See ' +
        'docs/decisions/0010-sharding.md.',
    }),
    tap: Type.Union([Type.Literal('access'), Type.Literal('routed')], {
      default: 'access',
      description:
        'For `shard_by: endpoint`: at an `access` tap a device is a MAC in a VLAN, at a `routed` one an IP in a VLAN.',
    }),
    sensor_id: Type.Optional(
      Type.String({
        pattern: SENSOR_NAME,
        description: 'Name under which this sensor numbers its records; default: the name of the host.',
      }),
    ),
    queue: Type.Optional(diskQueueConfigSchema),
    encryption: Type.Optional(
      Type.Object(
        {
          key_file: path(
            'File of keys, a line each: a name, a colon and 32 bytes in base64. The first one writes (AES-256-GCM), ' +
              'all read. The environment variable WARDWATCH_FRAMES_KEYS may hold the same text instead.',
          ),
          refuse_plain: Type.Boolean({
            default: false,
            description: 'Records that are not encrypted go to the dead letters, once every sensor has a key.',
          }),
        },
        { additionalProperties: false, description: 'Encryption of each record, beside TLS to the brokers.' },
      ),
    ),
    max_unacknowledged_bytes: Type.Integer({
      default: 16_777_216,
      minimum: 1_048_576,
      description: 'Most bytes that wait for the acknowledgement of the broker; a source that is faster waits.',
    }),
    max_prefetched_bytes: Type.Integer({
      default: 16_777_216,
      minimum: 1_048_576,
      description: 'Bytes of records read ahead of the hot path; one answer of the broker (8 MiB) may come on top.',
    }),
    delivery_timeout_ms: Type.Integer({
      default: 120_000,
      minimum: 1000,
      description: 'How long a record is offered to brokers that do not take it, before the publisher gives up.',
    }),
    session_timeout_ms: Type.Integer({
      default: 30_000,
      minimum: 6000,
      description: 'A detector that is silent for this long loses its partitions to the others of its group.',
    }),
  },
  { additionalProperties: false, description: 'Bus over Apache Kafka' },
);
export type KafkaBusConfig = Static<typeof kafkaBusConfigSchema>;

/** The part of a configuration that {@link kafkaConnectionParts} describes. */
export type KafkaConnectionConfig = Pick<KafkaBusConfig, keyof typeof kafkaConnectionParts>;
