import { Type } from 'typebox';
import type { Static } from 'typebox';

export const alertsConfig = Type.Object(
  {
    episode_s: Type.Integer({
      default: 300,
      minimum: 10,
      maximum: 86_400,
      description:
        'Findings on a device belong to one alert while less than this many seconds of event time lie between them.',
    }),
    max_open: Type.Integer({
      default: 10_000,
      minimum: 100,
      description:
        'Alerts that can still grow. When more are open, the one quiet for longest is ended (it stays stored).',
    }),
  },
  { default: {}, additionalProperties: false },
);
export type AlertsConfig = Static<typeof alertsConfig>;
