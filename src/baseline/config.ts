import { Type } from 'typebox';
import type { Static } from 'typebox';

/** When learning ends and how much is kept of it. */
export const baselineConfig = Type.Object(
  {
    min_learn_s: Type.Integer({
      default: 86_400,
      minimum: 60,
      description: 'A device learns at least this long (seconds of observed traffic).',
    }),
    max_learn_s: Type.Integer({ default: 1_209_600, minimum: 60, description: 'A device learns at most this long.' }),
    stable_new_rate: Type.Number({
      default: 0.01,
      minimum: 0,
      maximum: 1,
      description:
        'Learning ends when the Good-Turing estimate that the next peer or service is new has fallen below this.',
    }),
    max_set_size: Type.Integer({
      default: 1024,
      minimum: 16,
      description: 'Most members kept in one set of a device (peers, services, names, commands).',
    }),
  },
  { default: {}, additionalProperties: false },
);
export type BaselineConfig = Static<typeof baselineConfig>;
