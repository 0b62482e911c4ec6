import { Type } from 'typebox';
import type { Static } from 'typebox';

/** When learning ends and how much is kept of it. */
export const baselineConfig = Type.Object(
  {
    minLearnS: Type.Integer({ default: 86_400, minimum: 60, description: 'A device learns at least this long (seconds of observed traffic).' }),
    maxLearnS: Type.Integer({ default: 1_209_600, minimum: 60, description: 'A device learns at most this long.' }),
    stableNewRate: Type.Number({ default: 0.01, minimum: 0, maximum: 1, description: 'Learning ends when the Good-Turing estimate that the next peer or service is new has fallen below this.' }),
    maxSetSize: Type.Integer({ default: 1024, minimum: 16, description: 'Most members kept in one set of a device (peers, services, names, commands).' }),
  },
  { default: {}, additionalProperties: false },
);
export type BaselineConfig = Static<typeof baselineConfig>;

export const defaultBaselineConfig: BaselineConfig = {
  minLearnS: 86_400,
  maxLearnS: 1_209_600,
  stableNewRate: 0.01,
  maxSetSize: 1024,
};
