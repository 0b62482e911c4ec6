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
    notice_s: Type.Integer({
      default: 86_400,
      minimum: 60,
      maximum: 604_800,
      description:
        'What is worth knowing but needs nobody (severity informational and low) is gathered into one notice a device ' +
        'for so many seconds of event time.',
    }),
    false_alarm_budget: Type.String({
      default: '1/day',
      pattern: '^\\d+(\\.\\d+)?/(hour|day|week)$',
      description:
        'False alarms that the site is ready to handle, such as 1/day, 2/week or 0/day: for alerts that stand on ' +
        'chance alone (odd windows). What breaks a rule or a learned binding is not budgeted.',
    }),
    max_open: Type.Integer({
      default: 10_000,
      minimum: 100,
      description:
        'Alerts, and as many notices, that can still grow. When more are open, the one quiet for longest is ended (it ' +
        'stays stored).',
    }),
    evidence: Type.Object(
      {
        frames: Type.Integer({
          default: 65_536,
          minimum: 0,
          maximum: 4_194_304,
          description:
            'Newest frames whose headers are remembered, at 160 bytes each, so that an alert can show the packets ' +
            'around it; 0 keeps none.',
        }),
        frames_per_alert: Type.Integer({
          default: 500,
          minimum: 2,
          maximum: 10_000,
          description: 'Most of one alert.',
        }),
        payload: Type.Boolean({
          default: false,
          description:
            'Keep payload too, up to 128 bytes a frame. It may hold data of patients: evidence then has to be ' +
            'protected like a record.',
        }),
      },
      { default: {}, additionalProperties: false, description: 'Frames kept with alerts' },
    ),
  },
  { default: {}, additionalProperties: false },
);
export type AlertsConfig = Static<typeof alertsConfig>;
