import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { Calibration } from '../../src/baseline/calibration.ts';
import { createPrng } from '../../src/lib/prng.ts';

/** Standard exponential values: a tail whose probabilities are known. */
function exponential(n: number, seed: number): Float64Array {
  const prng = createPrng(seed);
  return Float64Array.from({ length: n }, () => -Math.log(1 - prng.double()));
}

describe('calibration', () => {
  it('gives p-values that are uniform on exchangeable scores, or above', () => {
    const shares = new Map([0.01, 0.05, 0.2, 0.5, 0.9].map((level) => [level, 0]));
    const runs = 200;
    const tested = 50;
    for (let run = 0; run < runs; run++) {
      const scores = exponential(400 + tested, run + 1);
      const calibration = new Calibration(scores.slice(0, 400));
      for (const score of scores.subarray(400))
        for (const [level, n] of shares) if (calibration.pValue(score) <= level) shares.set(level, n + 1);
    }
    for (const [level, n] of shares) {
      const sd = Math.sqrt((level * (1 - level)) / (runs * tested));
      // Scores of one run share their calibration, so they spread more than independent ones.
      expect(Math.abs(n / (runs * tested) - level)).toBeLessThan(6 * sd + 1 / 401);
    }
  });

  it('is at least 1 / (n + 1), falls as the score grows, and counts ties as at least as odd', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1, maxLength: 60 }),
        fc.double({ noNaN: true }),
        fc.double({ noNaN: true }),
        (values, a, b) => {
          const calibration = new Calibration(Float64Array.from(values));
          const [low, high] = a <= b ? [a, b] : [b, a];
          expect(calibration.pValue(high)).toBeLessThanOrEqual(calibration.pValue(low));
          expect(calibration.pValue(high)).toBeGreaterThanOrEqual(1 / (values.length + 1));
          expect(calibration.rank(values[0]!)).toBeGreaterThanOrEqual(1);
          expect(calibration.chance(high).pValue).toBeLessThanOrEqual(1);
        },
      ),
      { seed: 7 },
    );
  });

  it('extrapolates the tail where enough scores make one', () => {
    const calibration = new Calibration(exponential(4000, 3));
    const beyond = Math.max(...calibration.scores) + 3;
    const { pValue, calibrated } = calibration.chance(beyond);
    expect(calibrated).toBe(true);
    expect(pValue).toBeLessThan(1 / 4001);
    // The truth is exp(-x); a fitted tail is right within a factor of ten there.
    expect(Math.abs(Math.log10(pValue) - Math.log10(Math.exp(-beyond)))).toBeLessThan(1);
  });

  it('says so where there are too few', () => {
    const calibration = new Calibration(exponential(100, 3));
    expect(calibration.chance(1e9)).toEqual({ pValue: 1 / 101, calibrated: false });
    expect(calibration.chance(0).calibrated).toBe(true);
  });
});
