import { fitParetoTail, tailProbability } from '../lib/stats/gpd.ts';
import type { ParetoTail } from '../lib/stats/gpd.ts';

/** Share of the calibration scores that the tail is fitted to, and how many it needs: fewer make a wild shape. */
const TAIL_SHARE = 0.05;
const MIN_EXCEEDANCES = 30;

/** How likely a score at least as odd is where nothing is wrong. */
export interface Chance {
  readonly pValue: number;
  /** False where the score is beyond all of calibration and no tail could be fitted: `pValue` is only a bound then. */
  readonly calibrated: boolean;
}

/**
 * Turns scores into probabilities by scores of windows in which nothing was wrong.
 *
 * Conformal (Vovk, Gammerman, Shafer 2005): (1 + number of calibration scores at least as large) / (n + 1), which is
 * valid for every n if the new score is exchangeable with those of calibration, and never below 1 / (n + 1). Beyond
 * the largest score the tail is extrapolated by a generalised Pareto distribution where enough scores make one.
 */
export class Calibration {
  /** Ascending. */
  readonly scores: Float64Array;
  readonly #tail: ParetoTail | undefined;

  /** @param scores in any order; sorted in place and kept */
  constructor(scores: Float64Array) {
    this.scores = scores.sort();
    const n = scores.length;
    this.#tail = n * TAIL_SHARE < MIN_EXCEEDANCES ? undefined : fitParetoTail(scores, n, TAIL_SHARE);
  }

  get n(): number {
    return this.scores.length;
  }

  /** Number of calibration scores at least as large. */
  rank(score: number): number {
    let low = 0;
    let high = this.scores.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.scores[middle]! < score) low = middle + 1;
      else high = middle;
    }
    return this.scores.length - low;
  }

  /** Conformal p-value. */
  pValue(score: number): number {
    return (this.rank(score) + 1) / (this.n + 1);
  }

  /** The same, extrapolated where the score is beyond all that calibration has seen. */
  chance(score: number): Chance {
    const conformal = this.pValue(score);
    if (this.rank(score) > 0) return { pValue: conformal, calibrated: true };
    if (this.#tail === undefined) return { pValue: conformal, calibrated: false };
    const beyond = tailProbability(this.#tail, score);
    return { pValue: Math.min(conformal, Number.isNaN(beyond) ? 1 : beyond), calibrated: true };
  }
}
