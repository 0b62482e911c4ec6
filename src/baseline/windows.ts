import { FEATURE_COUNT } from '../features/catalogue.ts';

/**
 * A device's own learned windows on one time scale: the last `capacity` of them, and the order statistics
 * that detectors ask for. Kept as 32-bit floats of log1p, which is also the scale of the robust z.
 */
const STATS = 4;
const LOW_QUANTILE = 0.005;
const HIGH_QUANTILE = 0.995;
/** Least spread on the log1p scale: below it, differences are a packet or two. */
const SPREAD_FLOOR = 0.15;
/** Fewer windows say nothing about the usual range. */
export const MIN_WINDOWS = 8;

export interface Standing {
  n: number;
  median: number;
  low: number;
  high: number;
  z: number;
}

export class WindowBaseline {
  readonly capacity: number;
  /** Windows held. */
  n = 0;
  readonly rows: Float32Array;
  #next = 0;
  #stats: Float32Array | undefined;
  #staleAdds = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.rows = new Float32Array(capacity * FEATURE_COUNT);
  }

  /** Takes a window: `values[at …]`, one per feature of the catalogue. */
  add(values: Float64Array, at: number): void {
    const o = this.#next * FEATURE_COUNT;
    for (let f = 0; f < FEATURE_COUNT; f++) this.rows[o + f] = Math.log1p(Math.max(0, values[at + f]!));
    this.#next = (this.#next + 1) % this.capacity;
    if (this.n < this.capacity) this.n++;
    // The order statistics of many windows hardly move by one more.
    if (++this.#staleAdds > this.n >> 3) this.#stats = undefined;
  }

  save(): unknown {
    return {
      n: this.n,
      next: this.#next,
      rows: this.rows.subarray(0, this.n * FEATURE_COUNT),
      stats: this.#stats,
      staleAdds: this.#staleAdds,
    };
  }

  /** Into an empty one of the same capacity. */
  restore(saved: unknown): void {
    const { n, next, rows, stats, staleAdds } = saved as {
      n: number;
      next: number;
      rows: Float32Array;
      stats: Float32Array | undefined;
      staleAdds: number;
    };
    this.n = n;
    this.#next = next;
    this.rows.set(rows);
    this.#stats = stats;
    this.#staleAdds = staleAdds;
  }

  standing(feature: number, value: number): Standing | undefined {
    if (this.n < MIN_WINDOWS) return undefined;
    const stats = this.#statistics();
    const o = feature * STATS;
    const median = stats[o]!;
    const spread = stats[o + 1]!;
    return {
      n: this.n,
      median: Math.expm1(median),
      low: Math.expm1(stats[o + 2]!),
      high: Math.expm1(stats[o + 3]!),
      z: (Math.log1p(Math.max(0, value)) - median) / spread,
    };
  }

  /** Distance of a log1p value beyond the learned range, in widths of the range; 0 inside. */
  excess(feature: number, logValue: number): number {
    if (this.n < MIN_WINDOWS) return 0;
    const stats = this.#statistics();
    const low = stats[feature * STATS + 2]!;
    const high = stats[feature * STATS + 3]!;
    const width = Math.max(high - low, SPREAD_FLOOR * 2);
    if (logValue > high) return (logValue - high) / width;
    if (logValue < low) return (low - logValue) / width;
    return 0;
  }

  #statistics(): Float32Array {
    if (this.#stats !== undefined) return this.#stats;
    const stats = new Float32Array(FEATURE_COUNT * STATS);
    const sorted = new Float32Array(this.n);
    for (let f = 0; f < FEATURE_COUNT; f++) {
      for (let i = 0; i < this.n; i++) sorted[i] = this.rows[i * FEATURE_COUNT + f]!;
      sorted.sort();
      const median = quantile(sorted, 0.5);
      stats[f * STATS] = median;
      stats[f * STATS + 2] = quantile(sorted, LOW_QUANTILE);
      stats[f * STATS + 3] = quantile(sorted, HIGH_QUANTILE);
      for (let i = 0; i < this.n; i++) sorted[i] = Math.abs(this.rows[i * FEATURE_COUNT + f]! - median);
      sorted.sort();
      stats[f * STATS + 1] = Math.max(1.4826 * quantile(sorted, 0.5), SPREAD_FLOOR);
    }
    this.#stats = stats;
    this.#staleAdds = 0;
    return stats;
  }
}

/** Linear interpolation between order statistics (Hyndman and Fan, type 7). */
function quantile(sorted: Float32Array, q: number): number {
  const h = (sorted.length - 1) * q;
  const i = Math.floor(h);
  const a = sorted[i]!;
  const b = sorted[Math.min(i + 1, sorted.length - 1)]!;
  return a + (b - a) * (h - i);
}
