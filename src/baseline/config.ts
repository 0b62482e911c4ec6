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
    min_windows: Type.Integer({
      default: 30,
      minimum: 1,
      maximum: 10_000,
      description: 'Minutes in which a device must have been active before learning ends by evidence.',
    }),
    retrain_s: Type.Integer({
      default: 86_400,
      minimum: 600,
      description:
        'The models of all classes are trained anew so often (event time), one model a second; a version of the ' +
        'baselines is kept each time.',
    }),
    retrain_at_least_s: Type.Integer({
      default: 3600,
      minimum: 60,
      description: 'Devices that finish learning are taken into the models after so many seconds at the latest.',
    }),
    max_versions: Type.Integer({
      default: 6,
      minimum: 2,
      maximum: 100,
      description: 'Versions of a baseline kept for each device, to compare and to go back to; some 700 bytes each.',
    }),
    acts_file: Type.String({
      default: '',
      description:
        'File in which `wardwatch baseline freeze|unfreeze|revert` writes what was done; read at start. Empty: none.',
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
