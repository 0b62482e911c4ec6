/**
 * The tail of a distribution beyond a threshold, as a generalised Pareto distribution: what the probability of a value
 * is that is larger than any seen.
 */
export interface ParetoTail {
  /** Values above it belong to the tail. */
  threshold: number;
  /** Share of all values that lie above the threshold. */
  exceedance: number;
  /** xi: above 0 heavy, 0 exponential, below 0 with an end at `threshold - scale / shape`. */
  shape: number;
  /** sigma, above 0. */
  scale: number;
}

/** Fewer values in the tail than this say nothing about its shape. */
export const MIN_TAIL_VALUES = 10;

/**
 * Fits the tail above the quantile `1 - tailShare` of `count` ascending finite values by probability-weighted moments
 * (Hosking and Wallis, "Parameter and quantile estimation for the generalized Pareto distribution", Technometrics 1987).
 * Undefined where fewer than 10 values lie in the tail or all of them are equal.
 *
 * The shape is kept within -0.5 and 0.9: beyond 0.9 the moments hardly exist, and a tail that ends shortly after the
 * largest value seen would call everything beyond it impossible.
 */
export function fitParetoTail(sorted: Float64Array, count: number, tailShare: number): ParetoTail | undefined {
  const wanted = Math.floor(count * tailShare);
  if (!(wanted >= MIN_TAIL_VALUES) || wanted >= count || count > sorted.length) return undefined;
  const threshold = sorted[count - wanted - 1]!;
  // Ties with the threshold do not exceed it.
  let first = count - wanted;
  while (first < count && sorted[first]! <= threshold) first++;
  const n = count - first;
  if (n < MIN_TAIL_VALUES) return undefined;

  // a0 = E[X], a1 = E[X (1 - F(X))], the latter with the unbiased weights (n - j) / (n - 1) of the j-th smallest.
  let a0 = 0;
  let a1 = 0;
  for (let j = 1; j <= n; j++) {
    const excess = sorted[first + j - 1]! - threshold;
    a0 += excess / n;
    a1 += (excess * (n - j)) / (n - 1) / n;
  }
  const spread = a0 - 2 * a1;
  if (!(spread > 1e-12 * a0)) return undefined;
  const shape = Math.min(0.9, Math.max(-0.5, 2 - a0 / spread));
  // With the shape kept within bounds the scale is the one that keeps the mean excess, scale / (1 - shape) = a0.
  return { threshold, exceedance: n / count, shape, scale: a0 * (1 - shape) };
}

/**
 * Probability of a value at least as large as `value`, for values above the threshold; NaN below it, where the values
 * seen answer better. 0 beyond the end of a tail that has one.
 */
export function tailProbability(tail: ParetoTail, value: number): number {
  const excess = value - tail.threshold;
  if (!(excess >= 0)) return NaN;
  if (excess === Infinity) return 0;
  const { shape, scale, exceedance } = tail;
  if (Math.abs(shape) < 1e-9) return exceedance * Math.exp(-excess / scale);
  const base = 1 + (shape * excess) / scale;
  return base <= 0 ? 0 : exceedance * Math.exp(-Math.log(base) / shape);
}
