import { FEATURE_COUNT } from '../features/catalogue.ts';

/**
 * A device's own learned windows on one time scale: a sample of all of them, each as likely to be in it as any other
 * (Vitter's algorithm R, with a generator of its own, so the same windows give the same sample), the largest value of
 * each feature, and the order statistics that detectors ask for. Kept as 32-bit floats of log1p, which is also the scale
 * of the robust z.
 */
const STATS = 4;
const LOW_QUANTILE = 0.005;
const HIGH_QUANTILE = 0.995;
/** Least spread on the log1p scale: below it, differences are a packet or two. */
const SPREAD_FLOOR = 0.15;
/** Fewer windows say nothing about the usual range. */
export const MIN_WINDOWS = 8;

/** After learning a usual window replaces one of the sample once in so many: the sample spans about a day, or three. */
const ADAPT_ONE_IN = 64;
/** An odd one much more rarely: what goes on for days becomes usual, an attack of hours does not. */
const ADAPT_ODD_ONE_IN = 4096;

export interface Standing {
  /** Windows in the sample. */
  n: number;
  median: number;
  low: number;
  high: number;
  /** The largest that was learned. */
  most: number;
  z: number;
}

export class WindowBaseline {
  readonly capacity: number;
  /** Windows held. */
  n = 0;
  /** Windows learned in all. */
  seen = 0;
  /** Nothing is taken in any more. */
  frozen = false;
  readonly rows: Float32Array;
  readonly #most = new Float32Array(FEATURE_COUNT);
  #random = 0x9e3779b9;
  #stats: Float32Array | undefined;
  /** Order statistics of an earlier version that stand in for those of the sample. */
  #pinned: Float32Array | undefined;
  #staleAdds = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.rows = new Float32Array(capacity * FEATURE_COUNT);
  }

  /** Learns a window: `values[at …]`, one per feature of the catalogue. */
  learn(values: Float64Array, at: number): void {
    if (this.frozen) return;
    this.seen++;
    if (this.n < this.capacity) this.#put(this.n++, values, at);
    else {
      const place = this.#next() % this.seen;
      if (place < this.capacity) this.#put(place, values, at);
    }
    this.#mostOf(values, at);
  }

  /** After learning: takes a window now and then, an odd one much more rarely. */
  adapt(values: Float64Array, at: number, isOdd: boolean): void {
    if (this.frozen || this.n === 0) return;
    const draw = this.#next();
    if (draw % (isOdd ? ADAPT_ODD_ONE_IN : ADAPT_ONE_IN) !== 0) return;
    if (this.n < this.capacity) this.#put(this.n++, values, at);
    else this.#put((draw >>> 12) % this.capacity, values, at);
    this.#mostOf(values, at);
  }

  /** Order statistics as they are now, to keep as a version. */
  ranges(): Float32Array {
    return Float32Array.from(this.#statistics());
  }

  /** Goes by these order statistics from now on; by those of the sample again where there are none. */
  pin(ranges: Float32Array | undefined): void {
    this.#pinned = ranges;
  }

  save(): unknown {
    return {
      n: this.n,
      seen: this.seen,
      frozen: this.frozen,
      rows: this.rows.subarray(0, this.n * FEATURE_COUNT),
      most: this.#most,
      random: this.#random,
      stats: this.#stats,
      pinned: this.#pinned,
      staleAdds: this.#staleAdds,
    };
  }

  /** Into an empty one of the same capacity. */
  restore(saved: unknown): void {
    const s = saved as {
      n: number;
      seen: number;
      frozen: boolean;
      rows: Float32Array;
      most: Float32Array;
      random: number;
      stats: Float32Array | undefined;
      pinned: Float32Array | undefined;
      staleAdds: number;
    };
    this.n = s.n;
    this.seen = s.seen;
    this.frozen = s.frozen;
    this.rows.set(s.rows);
    this.#most.set(s.most);
    this.#random = s.random;
    this.#stats = s.stats;
    this.#pinned = s.pinned;
    this.#staleAdds = s.staleAdds;
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
      most: Math.expm1(this.#most[feature]!),
      z: (Math.log1p(Math.max(0, value)) - median) / spread,
    };
  }

  #put(place: number, values: Float64Array, at: number): void {
    const o = place * FEATURE_COUNT;
    for (let f = 0; f < FEATURE_COUNT; f++) this.rows[o + f] = Math.log1p(Math.max(0, values[at + f]!));
    // The order statistics of many windows hardly move by one more.
    if (++this.#staleAdds > this.n >> 3) this.#stats = undefined;
  }

  #mostOf(values: Float64Array, at: number): void {
    const most = this.#most;
    for (let f = 0; f < FEATURE_COUNT; f++) {
      const value = Math.log1p(Math.max(0, values[at + f]!));
      if (value > most[f]!) most[f] = value;
    }
  }

  /** Marsaglia's xorshift32. */
  #next(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x | 0;
    return x >>> 0;
  }

  #statistics(): Float32Array {
    if (this.#pinned !== undefined) return this.#pinned;
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
