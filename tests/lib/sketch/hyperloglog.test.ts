import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../src/lib/prng.ts';
import { createDistinctCounters } from '../../../src/lib/sketch/hyperloglog.ts';

describe('distinct counters', () => {
  it.each([4, 6, 8, 10, 12])('estimate within three standard errors at precision %i', (precision) => {
    const counters = createDistinctCounters(1, precision);
    const prng = createPrng(precision);
    const error = 1.04 / Math.sqrt(1 << precision);
    let added = 0;
    for (const target of [10, 100, 1000, 10_000, 100_000]) {
      for (; added < target; added++) counters.add(0, prng.uint32());
      expect(Math.abs(counters.estimate(0) / target - 1)).toBeLessThan(3 * error);
    }
  });

  it('are nearly exact for few values', () => {
    const counters = createDistinctCounters(1, 8);
    const prng = createPrng(2);
    for (let n = 1; n <= 9; n++) {
      counters.add(0, prng.uint32());
      expect(Math.abs(counters.estimate(0) - n)).toBeLessThanOrEqual(1);
    }
  });

  it('count a value once, tell whether anything changed and keep the slots apart', () => {
    const counters = createDistinctCounters(3, 6);
    expect(counters.add(1, 0xdeadbeef)).toBe(true);
    const once = counters.estimate(1);
    expect(counters.add(1, 0xdeadbeef)).toBe(false);
    expect(counters.estimate(1)).toBe(once);
    expect(counters.estimate(0)).toBe(0);
    expect(counters.estimate(2)).toBe(0);
    counters.reset(1);
    expect(counters.estimate(1)).toBe(0);
  });

  it('take the largest and the smallest hash, signed or not', () => {
    const counters = createDistinctCounters(2, 4);
    for (const hash of [0, 0xffffffff, -1, 0x80000000, 1]) counters.add(1, hash);
    expect(counters.estimate(1)).toBeGreaterThan(0);
    expect(counters.estimate(0)).toBe(0);
    // No hash has a rank above that of a rest of zeros.
    expect(Math.max(...counters.registers)).toBe(32 - 4 + 1);
  });

  it('stay finite with all registers full', () => {
    const counters = createDistinctCounters(1, 4);
    counters.registers.fill(29);
    expect(counters.estimate(0)).toBeGreaterThan(1e8);
    expect(counters.estimate(0)).toBeLessThan(Infinity);
  });

  it('merge to what one counter would have seen', () => {
    const parts = createDistinctCounters(2, 8);
    const whole = createDistinctCounters(1, 8);
    const prng = createPrng(4);
    for (let i = 0; i < 2000; i++) {
      const hash = prng.uint32();
      parts.add(i % 2, hash);
      whole.add(0, hash);
    }
    parts.merge(0, parts, 1);
    expect(parts.estimate(0)).toBe(whole.estimate(0));
    expect(() => parts.merge(0, createDistinctCounters(1, 4), 0)).toThrow(RangeError);
  });

  it('refuse what makes no counters', () => {
    expect(() => createDistinctCounters(0, 6)).toThrow(RangeError);
    expect(() => createDistinctCounters(1, 3)).toThrow(RangeError);
    expect(() => createDistinctCounters(1, 13)).toThrow(RangeError);
  });
});
