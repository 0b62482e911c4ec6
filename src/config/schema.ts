import { Type } from 'typebox';
import type { Static } from 'typebox';
import { accessConfigSchema } from '../access/config.ts';
import { alertsConfig } from '../alerts/config.ts';
import { apiConfigSchema } from '../api/config.ts';
import { baselineConfig } from '../baseline/config.ts';
import { kafkaBusConfigSchema } from '../bus/kafka/config.ts';
import { memoryBusConfigSchema } from '../bus/memory/config.ts';
import { deskConfigSchema, outboxConfigSchema } from '../desk/config.ts';
import { detectConfig } from '../detect/config.ts';
import { identityConfig } from '../identity/config.ts';
import { kafkaSinkConfigSchema } from '../sinks/kafka/config.ts';
import { smtpConfigSchema } from '../sinks/smtp/config.ts';
import { syslogConfigSchema } from '../sinks/syslog/config.ts';
import { webhookConfigSchema } from '../sinks/webhook/config.ts';
import { liveConfigSchema } from '../sources/live/config.ts';
import { stateConfigSchema } from '../state/config.ts';
import { storeConfigSchema } from '../store/config.ts';
import { telemetryConfigSchema } from '../telemetry/config.ts';
import { trackConfig } from '../track/config.ts';

const section = { additionalProperties: false, default: {} };

/** The whole configuration: the schemas of the components, put together and next to nothing added. */
export const configSchema = Type.Object(
  {
    sources: Type.Object(
      { live: Type.Optional(liveConfigSchema) },
      { ...section, description: 'Where frames come from; capture files are named on the command line' },
    ),
    bus: Type.Object(
      {
        kind: Type.Union([Type.Literal('memory'), Type.Literal('kafka')], {
          default: 'memory',
          description: '`memory` carries frames inside one process, `kafka` between processes and machines.',
        }),
        memory: memoryBusConfigSchema,
        kafka: kafkaBusConfigSchema,
      },
      { ...section, description: 'What carries frames from the sources to the hot path' },
    ),
    hotPath: Type.Object(
      {
        track: trackConfig,
        identity: identityConfig,
        baseline: baselineConfig,
        alerts: alertsConfig,
      },
      { ...section, description: 'From packets to findings' },
    ),
    detection: detectConfig,
    store: storeConfigSchema,
    state: stateConfigSchema,
    desk: deskConfigSchema,
    delivery: Type.Object(
      {
        endpoints: Type.Array(
          Type.Union([webhookConfigSchema, syslogConfigSchema, kafkaSinkConfigSchema, smtpConfigSchema]),
          {
            default: [],
            maxItems: 64,
            description: 'Where alerts go. See docs/reference/delivery.md for the settings of each kind.',
          },
        ),
        allow: Type.Array(Type.String({ pattern: '^[0-9a-fA-F:.]+(/[0-9]{1,3})?$' }), {
          default: [],
          maxItems: 256,
          description:
            'Address ranges to which endpoints may lead, such as 10.20.0.0/16. Without it only the public Internet; ' +
            'loopback, link-local and metadata addresses only by a range of their own.',
        }),
        outbox: outboxConfigSchema,
      },
      { ...section, description: 'Alerts to other systems' },
    ),
    api: apiConfigSchema,
    access: accessConfigSchema,
    telemetry: telemetryConfigSchema,
  },
  { additionalProperties: false },
);

export type Config = Static<typeof configSchema>;
