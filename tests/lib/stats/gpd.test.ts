import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../src/lib/prng.ts';
import { fitParetoTail, tailProbability } from '../../../src/lib/stats/gpd.ts';

/** `n` ascending values above 0 of a generalised Pareto distribution, at evenly spaced probabilities. */
function paretoQuantiles(n: number, shape: number, scale: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => {
    const survival = 1 - (i + 0.5) / n;
    return shape === 0 ? -scale * Math.log(survival) : (scale * (survival ** -shape - 1)) / shape;
  });
}

describe('Pareto tail', () => {
  it.each([
    [-0.3, 2],
    [0, 1],
    [0.2, 5],
    [0.4, 0.1],
  ])('of shape %f and scale %f is found again', (shape, scale) => {
    const values = paretoQuantiles(20_000, shape, scale);
    const tail = fitParetoTail(values, values.length, 0.5)!;
    expect(tail.shape).toBeCloseTo(shape, 1);
    expect(tail.exceedance).toBeCloseTo(0.5, 3);
    // Beyond a threshold u the tail is of the same shape and of scale sigma + xi u.
    expect(tail.scale / (scale + shape * tail.threshold)).toBeCloseTo(1, 1);
    for (const probability of [0.1, 0.01, 0.001]) {
      const value = shape === 0 ? -scale * Math.log(probability) : (scale * (probability ** -shape - 1)) / shape;
      expect(tailProbability(tail, value) / probability).toBeCloseTo(1, 0);
    }
  });

  it('extrapolates beyond the values seen', () => {
    const prng = createPrng(3);
    const values = Float64Array.from({ length: 2000 }, () => -Math.log(1 - prng.double())).sort();
    const tail = fitParetoTail(values, values.length, 0.1)!;
    // e^-10: one value in 22,026, none of which is to be expected among 2,000.
    const p = tailProbability(tail, 10);
    expect(p).toBeGreaterThan(Math.exp(-10) / 10);
    expect(p).toBeLessThan(Math.exp(-10) * 10);
  });

  it('is not fitted to too little', () => {
    const values = paretoQuantiles(1000, 0, 1);
    expect(fitParetoTail(values, 1000, 0.009)).toBeUndefined();
    expect(fitParetoTail(values, 1000, 1)).toBeUndefined();
    expect(fitParetoTail(values, 1000, NaN)).toBeUndefined();
    expect(fitParetoTail(values, 1001, 0.1)).toBeUndefined();
    expect(fitParetoTail(new Float64Array(1000), 1000, 0.5)).toBeUndefined();
    expect(
      fitParetoTail(
        Float64Array.from({ length: 100 }, (_, i) => (i < 50 ? 0 : 1)),
        100,
        0.6,
      ),
    ).toBeUndefined();
  });

  it('gives probabilities that never rise with the value', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 40, maxLength: 200 }),
        fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 2, maxLength: 10 }),
        (values, probes) => {
          const sorted = Float64Array.from(values).sort();
          const tail = fitParetoTail(sorted, sorted.length, 0.4);
          if (tail === undefined) return;
          expect(tail.scale).toBeGreaterThan(0);
          let previous = tail.exceedance;
          for (const probe of probes.sort((a, b) => a - b)) {
            const p = tailProbability(tail, tail.threshold + probe);
            expect(p).toBeLessThanOrEqual(previous * (1 + 1e-12));
            expect(p).toBeGreaterThanOrEqual(0);
            previous = p;
          }
        },
      ),
      { seed: 2, numRuns: 300 },
    );
  });

  it('says nothing below its threshold, and 0 beyond its end', () => {
    const tail = { threshold: 10, exceedance: 0.1, shape: -0.5, scale: 2 };
    expect(tailProbability(tail, 9)).toBeNaN();
    expect(tailProbability(tail, NaN)).toBeNaN();
    expect(tailProbability(tail, 10)).toBe(0.1);
    expect(tailProbability(tail, 13.9)).toBeGreaterThan(0);
    expect(tailProbability(tail, 14)).toBe(0);
    expect(tailProbability({ ...tail, shape: 0 }, 14)).toBeCloseTo(0.1 * Math.exp(-2), 12);
    expect(tailProbability({ ...tail, shape: 0.5 }, 14)).toBeCloseTo(0.1 / 4, 12);
    expect(tailProbability({ ...tail, shape: 0.5 }, Infinity)).toBe(0);
  });
});
