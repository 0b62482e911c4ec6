import { describe, expect, it } from 'vitest';
import { FalseAlarmBudget } from '../../src/alerts/budget.ts';
import { createPrng } from '../../src/lib/prng.ts';

const START_US = 1_772_409_600e6;
const HOUR_US = 3600e6;

/** Benign windows of a site: `windows` an hour for `hours`, p-values uniform. */
function alarms(budget: FalseAlarmBudget, windows: number, hours: number, seed: number): number {
  const prng = createPrng(seed);
  let n = 0;
  for (let i = 0; i < windows * hours; i++) {
    const nowUs = START_US + (i / windows) * HOUR_US;
    budget.tested(nowUs);
    const pValue = prng.double();
    if (pValue < 0.01 && budget.allows({ pValue, calibrated: true }, nowUs)) n++;
  }
  return n;
}

describe('the false-alarm budget', () => {
  it('is kept on benign windows whose p-values are right', () => {
    // 60 days of 2,000 windows an hour: one a day, within what chance allows (Poisson, mean 60 at most).
    const n = alarms(new FalseAlarmBudget('1/day'), 2000, 24 * 60, 5);
    expect(n).toBeGreaterThan(20);
    expect(n).toBeLessThanOrEqual(61);
  });

  it('is kept where calibration is wrong: ten times as many odd windows as there should be', () => {
    const budget = new FalseAlarmBudget('1/day');
    const prng = createPrng(9);
    let n = 0;
    for (let i = 0; i < 24 * 30 * 500; i++) {
      const nowUs = START_US + (i / 500) * HOUR_US;
      budget.tested(nowUs);
      if (budget.allows({ pValue: prng.double() / 10, calibrated: true }, nowUs)) n++;
    }
    expect(n).toBeLessThanOrEqual(31);
    expect(budget.heldBack.spent).toBeGreaterThan(0);
  });

  it('lets nothing through that is not calibrated, and nothing at all at 0/day', () => {
    const budget = new FalseAlarmBudget('1/day');
    budget.tested(START_US);
    expect(budget.allows({ pValue: 1e-12, calibrated: false }, START_US)).toBe(false);
    expect(budget.allows({ pValue: 1e-12, calibrated: true }, START_US)).toBe(true);
    const none = new FalseAlarmBudget('0/day');
    none.tested(START_US);
    expect(none.allows({ pValue: 0, calibrated: true }, START_US)).toBe(false);
  });

  it('asks for more the more windows are tested', () => {
    const few = new FalseAlarmBudget('1/day');
    const many = new FalseAlarmBudget('1/day');
    for (let i = 0; i < 10; i++) few.tested(START_US + i);
    for (let i = 0; i < 10_000; i++) many.tested(START_US + i);
    expect(many.limit()).toBeLessThan(few.limit());
    expect(many.limit()).toBeCloseTo(1 / 24 / 10_000, 8);
  });
});
