import { Type } from 'typebox';
import type { Static } from 'typebox';

/** Configuration of the desk: what people and other systems are owed, in one file. */
export const deskConfigSchema = Type.Object(
  {
    path: Type.String({
      default: './data/desk.sqlite',
      minLength: 1,
      description:
        'Database file of what people do and what waits for delivery: users, triage, audit, outbox. Give it a disk ' +
        'that survives a restart, and back it up.',
    }),
  },
  { additionalProperties: false, default: {}, description: 'The desk: users, triage, audit, outbox' },
);

/** Configuration of the outbox: what waits for delivery, and how it is tried. */
export const outboxConfigSchema = Type.Object(
  {
    max_queued: Type.Integer({
      default: 200_000,
      minimum: 1000,
      description:
        'Most deliveries that wait in the outbox. Beyond it only the number of an alert is kept; its newest version ' +
        'is taken from the store when there is room again.',
    }),
    max_deferred: Type.Integer({
      default: 1_000_000,
      minimum: 1000,
      description: 'Most alerts of which only the number is kept. Further ones are not delivered, and counted.',
    }),
    max_dead_letters: Type.Integer({
      default: 100_000,
      minimum: 100,
      description: 'Most dead letters that are kept; the oldest go first, and are counted.',
    }),
    log_rows: Type.Integer({
      default: 100_000,
      minimum: 1000,
      description: 'Most attempts that the delivery log remembers.',
    }),
    give_up_days: Type.Number({
      default: 14,
      minimum: 0.01,
      maximum: 365,
      description: 'A delivery older than this becomes a dead letter, even while its endpoint is down.',
    }),
    retry_s: Type.Array(Type.Number({ minimum: 1, maximum: 604_800 }), {
      default: [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400],
      minItems: 1,
      maxItems: 64,
      description:
        'Seconds between attempts, each varied by a fifth up or down. After the last a delivery is a dead letter, ' +
        'unless it is the endpoint that is down.',
    }),
    drain_s: Type.Number({
      default: 5,
      minimum: 0,
      maximum: 300,
      description: 'How long a stop waits for what can be delivered right now. The rest waits for the next start.',
    }),
  },
  { additionalProperties: false, default: {}, description: 'Outbox' },
);
export type OutboxConfig = Static<typeof outboxConfigSchema>;
