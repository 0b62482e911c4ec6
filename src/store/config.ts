import { Type } from 'typebox';
import type { Static } from 'typebox';

const days = (value: number, what: string) =>
  Type.Integer({
    default: value,
    minimum: 0,
    maximum: 36_500,
    description: `Days that ${what} are kept, counted from the day they were stored; 0 keeps them for ever.`,
  });

/** Configuration of the store: where bulk data lives, how long, and how it is written. */
export const storeConfigSchema = Type.Object(
  {
    mode: Type.Union([Type.Literal('embedded'), Type.Literal('server')], {
      default: 'embedded',
      description: '`embedded` runs ClickHouse inside this process, `server` uses one that runs elsewhere.',
    }),
    path: Type.String({
      default: './data/store',
      minLength: 1,
      description: 'Data folder of the embedded engine. It belongs to one process at a time.',
    }),
    database: Type.String({
      default: 'wardwatch',
      pattern: '^[A-Za-z_][A-Za-z0-9_]{0,62}$',
      description: 'Database that holds the tables; it is created where it is missing.',
    }),
    server: Type.Object(
      {
        url: Type.String({
          default: 'http://localhost:8123',
          pattern: '^https?://',
          description: 'HTTP interface of the ClickHouse server, `https://` for TLS.',
        }),
        username: Type.String({ default: 'default', minLength: 1, description: 'User of the ClickHouse server.' }),
        password_file: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'File whose content is the password; a line break at its end is left out.',
          }),
        ),
        password_env: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'Environment variable that holds the password, if there is no file.',
          }),
        ),
        ca_file: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'Certificates (PEM) that the server is checked against, for a CA of your own.',
          }),
        ),
        compress: Type.Boolean({
          default: false,
          description: 'Compress requests and answers with gzip: for a slow network.',
        }),
        request_timeout_seconds: Type.Number({
          default: 30,
          exclusiveMinimum: 0,
          maximum: 3600,
          description: 'A request without an answer after this time has failed.',
        }),
      },
      { default: {}, additionalProperties: false, description: 'The server, where `mode` is `server`.' },
    ),
    analysts: Type.Object(
      {
        username: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'User of the server for the questions of analysts, who can only read. Embedded there is none.',
          }),
        ),
        password_file: Type.Optional(Type.String({ minLength: 1, description: 'File whose content is its password.' })),
        password_env: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'Environment variable that holds its password, if there is no file.',
          }),
        ),
        max_rows: Type.Integer({
          default: 10_000,
          minimum: 1,
          maximum: 100_000,
          description: 'Most rows of an answer.',
        }),
        max_seconds: Type.Integer({
          default: 10,
          minimum: 1,
          maximum: 300,
          description: 'Longest time a statement runs.',
        }),
        max_memory_bytes: Type.Integer({
          default: 1_073_741_824,
          minimum: 67_108_864,
          description: 'Most memory that a statement takes.',
        }),
      },
      {
        default: {},
        additionalProperties: false,
        description: 'SQL of analysts. On a server the limits are those of its user.',
      },
    ),
    retention_days: Type.Object(
      {
        alerts: days(400, 'alerts'),
        devices: days(0, 'devices not seen again'),
        flows: days(30, 'flows'),
        observations: days(30, 'observations'),
        scores: days(30, 'scores'),
        windows: days(30, 'feature windows'),
      },
      { default: {}, additionalProperties: false, description: 'How long each kind of data is kept.' },
    ),
    write: Type.Object(
      {
        batch_rows: Type.Integer({
          default: 10_000,
          minimum: 1,
          maximum: 1_000_000,
          description: 'Most rows of one insert.',
        }),
        batch_bytes: Type.Integer({
          default: 8_388_608,
          minimum: 1024,
          maximum: 268_435_456,
          description: 'An insert is sent when this many bytes have gathered.',
        }),
        flush_ms: Type.Integer({
          default: 250,
          minimum: 0,
          maximum: 60_000,
          description: 'Rows wait at most this long for others before they are sent.',
        }),
        buffer_bytes: Type.Integer({
          default: 67_108_864,
          minimum: 1024,
          description: 'Most bytes per table that wait for the engine; above it writers wait.',
        }),
        retry_first_ms: Type.Integer({
          default: 200,
          minimum: 1,
          description: 'Pause before the first try again; it doubles.',
        }),
        retry_max_ms: Type.Integer({ default: 10_000, minimum: 1, description: 'Longest pause between tries.' }),
        give_up_seconds: Type.Number({
          default: 300,
          minimum: 0,
          description: 'After this time without success the writer gets the error; nothing is dropped before.',
        }),
      },
      { default: {}, additionalProperties: false, description: 'Batches, back-pressure and tries again.' },
    ),
  },
  { additionalProperties: false, description: 'ClickHouse: alerts, devices, flows, observations, scores, windows' },
);

export type StoreConfig = Static<typeof storeConfigSchema>;
