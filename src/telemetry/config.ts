import { Type } from 'typebox';
import type { Static } from 'typebox';

/** What Wardwatch says about itself. */
export const telemetryConfigSchema = Type.Object(
  {
    log_level: Type.Enum(['debug', 'info', 'warn', 'error'], {
      default: 'info',
      description: 'Least important level that is written.',
    }),
    log_format: Type.Enum(['auto', 'pretty', 'json'], {
      default: 'auto',
      description: '`auto` writes lines for people on a terminal and JSON elsewhere.',
    }),
    log_burst: Type.Integer({
      default: 5,
      minimum: 1,
      maximum: 10_000,
      description:
        'How often the same warning or error may be written within `log_interval_seconds`; the rest is counted.',
    }),
    log_interval_seconds: Type.Number({
      default: 60,
      minimum: 1,
      maximum: 86_400,
      description: 'Length of that interval in seconds.',
    }),
  },
  { additionalProperties: false, description: 'Logs' },
);

export type TelemetryConfig = Static<typeof telemetryConfigSchema>;
