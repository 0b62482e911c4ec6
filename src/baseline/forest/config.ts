import { Type } from 'typebox';
import type { Static } from 'typebox';

/** Configuration of the isolation forests and of the thread that trains them. */
export const forestConfigSchema = Type.Object(
  {
    trees: Type.Integer({ default: 100, minimum: 1, maximum: 1000, description: 'Trees of a forest.' }),
    sample_size: Type.Integer({
      default: 256,
      minimum: 64,
      maximum: 4096,
      description: 'Rows that each tree is grown on. More rows hide small groups of anomalies, so more is not better.',
    }),
    max_waiting: Type.Integer({
      default: 64,
      minimum: 1,
      maximum: 10_000,
      description: 'Trainings that may wait for the training thread; one more is refused and counted.',
    }),
  },
  { additionalProperties: false, default: {} },
);

export type ForestConfig = Static<typeof forestConfigSchema>;
