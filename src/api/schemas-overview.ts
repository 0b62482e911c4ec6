import { Type } from 'typebox';
import type { Static } from 'typebox';

const count = (description: string) => Type.Integer({ minimum: 0, description });
const bySeverity = Type.Record(Type.String(), Type.Integer({ minimum: 0 }));

export const overviewNowQuerySchema = Type.Object(
  {
    hours: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 8784, default: 24, description: 'How far back the alerts are counted.' }),
    ),
  },
  { additionalProperties: false },
);

/** Body of `GET /api/v1/overview/now`. Times are event time in epoch milliseconds. */
export const overviewNowSchema = Type.Object(
  {
    now: Type.Integer({ description: 'Event time that all of this was counted at.' }),
    waiting: Type.Object(
      {
        count: count('Open alerts of medium severity and above that nobody has taken.'),
        oldest: Type.Union([Type.Integer(), Type.Null()], { description: 'Time of the oldest of them.' }),
        by_severity: bySeverity,
      },
      { description: 'What needs a person now.' },
    ),
    blind_spots: count('Open alerts of the detector `blind-spot`: what Wardwatch cannot see.'),
    devices: Type.Object({
      total: count('Devices of the inventory.'),
      new_from: Type.Integer({ description: 'Devices count as new from here on: a day ago.' }),
      new: count('Devices first seen since then.'),
      unknown: count('Devices of which nothing has told what they are.'),
      learning: count('Devices whose baseline is still being learned.'),
      by_class: Type.Array(
        Type.Object({
          type: Type.String(),
          total: count('Devices of the class.'),
          medium: count('Of medium risk and above.'),
          high: count('Of high risk and above.'),
        }),
        { description: 'Those of most devices at risk first.' },
      ),
    }),
    timeline: Type.Object(
      {
        from: Type.Integer(),
        step_ms: Type.Integer(),
        rows: Type.Array(Type.Object({ start: Type.Integer(), by_severity: bySeverity }), {
          description: 'Spans without an alert are left out.',
        }),
      },
      { description: 'Alerts over time, resolved and muted ones too.' },
    ),
    delivery: Type.Union(
      [
        Type.Null(),
        Type.Object({
          queued: count('Deliveries that wait for their turn or for a retry.'),
          dead: count('Deliveries that were given up.'),
          deferred: count('Alerts that found the queue full and are queued later.'),
          endpoints: Type.Array(
            Type.Object({
              name: Type.String(),
              kind: Type.String(),
              state: Type.Union([Type.Literal('working'), Type.Literal('away'), Type.Literal('disabled')]),
              detail: Type.String({ description: 'What went wrong last; empty where nothing does.' }),
            }),
          ),
        }),
      ],
      { description: 'null where nothing is delivered anywhere.' },
    ),
  },
  { title: 'OverviewNow' },
);
export type OverviewNow = Static<typeof overviewNowSchema>;
