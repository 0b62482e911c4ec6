import { describe, expect, it } from 'vitest';
import { createPrng } from '../../../src/lib/prng.ts';
import { createCusumCharts } from '../../../src/lib/stats/cusum.ts';

/** Mean number of normal values around `mean` until the alarm. */
function runLengthTo(mean: number, runs: number): number {
  const prng = createPrng(6);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - prng.double())) * Math.cos(2 * Math.PI * prng.double());
  const charts = createCusumCharts(1, { clip: 100 });
  let values = 0;
  for (let run = 0; run < runs; run++) {
    charts.reset(0);
    do values++;
    while (charts.push(0, mean + normal()) === 0);
  }
  return values / runs;
}

describe('cusum', () => {
  it('has the run lengths of the literature (k 0.5, h 5: 465 in control, 10.4 and 4.01 for shifts of 1 and 2)', () => {
    // Montgomery, Introduction to Statistical Quality Control, table of two-sided average run lengths.
    expect(runLengthTo(0, 2000) / 465).toBeCloseTo(1, 0.5);
    expect(runLengthTo(1, 2000) / 10.4).toBeCloseTo(1, 1);
    expect(runLengthTo(-2, 2000) / 4.01).toBeCloseTo(1, 1);
  });

  it('tells the direction and how long it has lasted', () => {
    const charts = createCusumCharts(2);
    for (let i = 0; i < 5; i++) expect(charts.push(1, -1.5)).toBe(0);
    expect(charts.push(1, -1.5)).toBe(-1);
    expect(charts.runLength(1, -1)).toBe(6);
    expect(charts.runLength(1, 1)).toBe(0);
    expect(charts.down(1)).toBe(6);
    expect(charts.up(1)).toBe(0);
    expect(charts.up(0)).toBe(0);
    for (let i = 0; i < 20; i++) charts.push(1, 2);
    expect(charts.push(1, 2)).toBe(1);
    expect(charts.down(1)).toBe(0);
    charts.reset(1);
    expect(charts.push(1, 0)).toBe(0);
  });

  it('is not set off by one value, however large, nor by none', () => {
    const charts = createCusumCharts(1);
    expect(charts.push(0, Infinity)).toBe(0);
    expect(charts.up(0)).toBe(3.5);
    expect(charts.push(0, NaN)).toBe(0);
    expect(charts.up(0)).toBe(3.5);
    expect(charts.push(0, -Infinity)).toBe(0);
    expect(charts.up(0)).toBe(0);
  });

  it('does not grow without end', () => {
    const charts = createCusumCharts(1, { limit: 1 });
    for (let i = 0; i < 10_000; i++) charts.push(0, 3);
    expect(charts.up(0)).toBe(1000);
  });

  it('refuses what makes no chart', () => {
    expect(() => createCusumCharts(0)).toThrow(RangeError);
    expect(() => createCusumCharts(1, { slack: -1 })).toThrow(RangeError);
    expect(() => createCusumCharts(1, { clip: 0.5 })).toThrow(RangeError);
    expect(() => createCusumCharts(1, { limit: NaN })).toThrow(RangeError);
  });
});
