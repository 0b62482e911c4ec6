import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRecentValues } from '../../../src/lib/sketch/quantiles.ts';

/** The definitions, written down plainly. */
function quantileOf(values: number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * p;
  const low = sorted[Math.floor(position)]!;
  const high = sorted[Math.ceil(position)]!;
  const part = position - Math.floor(position);
  return low === high ? low : low * (1 - part) + high * part;
}

function madOf(values: number[]): number {
  const centre = quantileOf(values, 0.5);
  const distances = values.map((value) => Math.abs(value - centre)).sort((a, b) => a - b);
  const middle = distances.length >>> 1;
  return distances.length % 2 === 1 ? distances[middle]! : (distances[middle - 1]! + distances[middle]!) / 2;
}

describe('recent values', () => {
  it('have the quantiles, median and MAD of the last values', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.oneof(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.integer({ min: -2, max: 2 })), {
          minLength: 1,
          maxLength: 40,
        }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (capacity, values, p) => {
          const recent = createRecentValues(3, capacity);
          const kept: number[] = [];
          for (const value of values) {
            expect(recent.push(1, value)).toBe(true);
            kept.push(value);
            if (kept.length > capacity) kept.shift();
            expect(recent.size(1)).toBe(kept.length);
            expect(recent.quantile(1, p)).toBeCloseTo(quantileOf(kept, p), 12);
            expect(recent.median(1)).toBeCloseTo(quantileOf(kept, 0.5), 12);
            expect(recent.mad(1)).toBeCloseTo(madOf(kept), 8);
          }
          expect(recent.size(0)).toBe(0);
          expect(recent.size(2)).toBe(0);
        },
      ),
      { seed: 8, numRuns: 300 },
    );
  });

  it('are NaN while there are none, and again after a reset', () => {
    const recent = createRecentValues(2, 4);
    expect(recent.median(0)).toBeNaN();
    expect(recent.mad(0)).toBeNaN();
    recent.push(0, 5);
    recent.push(1, 7);
    recent.reset(0);
    expect(recent.quantile(0, 0.9)).toBeNaN();
    expect(recent.median(1)).toBe(7);
  });

  it('do not take what is no number', () => {
    const recent = createRecentValues(1, 4);
    for (const value of [NaN, Infinity, -Infinity]) expect(recent.push(0, value)).toBe(false);
    expect(recent.size(0)).toBe(0);
  });

  it('do not overflow', () => {
    const recent = createRecentValues(1, 2);
    recent.push(0, -Number.MAX_VALUE);
    recent.push(0, Number.MAX_VALUE);
    expect(recent.median(0)).toBe(0);
  });

  it('refuse what makes no series', () => {
    expect(() => createRecentValues(0, 4)).toThrow(RangeError);
    expect(() => createRecentValues(1, 0)).toThrow(RangeError);
  });
});
