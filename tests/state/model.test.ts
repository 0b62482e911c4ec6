import { expect, it } from 'vitest';
import { runModel } from './model.ts';

/** The daily loop takes a slice; WARDWATCH_MODEL_SCHEDULES=10000 is the whole of it. */
const SCHEDULES = Number(process.env['WARDWATCH_MODEL_SCHEDULES'] ?? 60);
const FIRST = Number(process.env['WARDWATCH_MODEL_SEED'] ?? 1);

it(
  'no schedule of crashes, rebalances, duplicates, late leavers and damaged state loses or doubles an alert',
  async () => {
    const met = { crash: 0, revoke: 0, duplicate: 0, zombie: 0, damage: 0, restores: 0 };
    for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
      const { wrong, faults, restores } = await runModel(seed);
      expect(wrong, `schedule ${seed}`).toEqual([]);
      for (const name of ['crash', 'revoke', 'duplicate', 'zombie', 'damage'] as const) met[name] += faults[name];
      met.restores += restores;
    }
    // The schedules did what they are for.
    for (const n of Object.values(met)) expect(n).toBeGreaterThan(0);
  },
  SCHEDULES * 2000,
);
