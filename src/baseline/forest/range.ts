/**
 * The range term: how far a row lies outside what training has shown, which the trees cannot see (below the lowest and
 * above the highest split of a feature all values look alike).
 */

/** Share of the training values on each side that the trained range leaves out. */
export const RANGE_TAIL = 0.001;

/**
 * Least width of a trained range on the log scale. A feature that hardly moved while training would otherwise turn
 * its smallest change into thousands of widths; 0.1 is a change of about a tenth.
 */
export const MIN_RANGE_WIDTH = 0.1;

/** `sign(x) * ln(1 + |x|)`: the log scale of counts and sizes, continued to negative values. */
export function signedLog(x: number): number {
  return x < 0 ? -Math.log1p(-x) : Math.log1p(x);
}

/**
 * Quantile `p` (0 to 1) of the first `count` values of `sorted` (ascending, `count` at least 1), interpolated between
 * the two nearest order statistics (Hyndman and Fan's type 7).
 */
export function quantileOfSorted(sorted: Float64Array, count: number, p: number): number {
  const position = (count - 1) * p;
  const below = Math.floor(position);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, count - 1)]!;
  return low + (high - low) * (position - below);
}
