import { Type } from 'typebox';
import type { Static } from 'typebox';
import { apiConfigSchema } from '../api/config.ts';
import { storeConfigSchema } from '../store/config.ts';
import { telemetryConfigSchema } from '../telemetry/config.ts';
import { trackConfig } from '../track/config.ts';

const section = { additionalProperties: false, default: {} };

/** The whole configuration: the schemas of the components, put together and nothing added. */
export const configSchema = Type.Object(
  {
    hotPath: Type.Object({ track: trackConfig }, { ...section, description: 'Limits and time-outs per shard' }),
    store: storeConfigSchema,
    api: apiConfigSchema,
    telemetry: telemetryConfigSchema,
  },
  { additionalProperties: false },
);

export type Config = Static<typeof configSchema>;
