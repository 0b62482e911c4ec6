import { Type } from 'typebox';
import type { Static } from 'typebox';

/** What outlives a restart, and where it lies. */
export const stateConfigSchema = Type.Object(
  {
    enabled: Type.Boolean({
      default: true,
      description: 'Keep what was learned, open flows and open alerts over a restart.',
    }),
    store: Type.Optional(
      Type.Union([Type.Literal('folder'), Type.Literal('clickhouse')], {
        description:
          'Where state of partitions lies: `clickhouse` in the store, where all detectors reach it, `folder` in ' +
          '`state.dir`. Default: `clickhouse` where the store is a server (`store.mode`). State of an interface ' +
          'always lies in the folder.',
      }),
    ),
    dir: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'Folder of the state; default: `state` beside the data. Detectors that share partitions and keep their ' +
          'state in a folder need one that all of them can reach.',
      }),
    ),
    every_s: Type.Integer({
      default: 30,
      minimum: 1,
      maximum: 3600,
      description: 'State is stored so often (seconds of the clock), and at shutdown.',
    }),
    rewind_s: Type.Integer({
      default: 300,
      minimum: 1,
      maximum: 3600,
      description:
        'Conversations that began so long ago at most (seconds of event time) and stand inside of a message are ' +
        'read once more after a restart; payload is never stored.',
    }),
    key_file: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'File of keys, a line each: a name, a colon and 32 bytes in base64. The first one encrypts (AES-256-GCM), ' +
          'all decrypt. The environment variable WARDWATCH_STATE_KEYS may hold the same text instead.',
      }),
    ),
  },
  { default: {}, additionalProperties: false },
);
export type StateConfig = Static<typeof stateConfigSchema>;
