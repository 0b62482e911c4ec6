/**
 * Cumulative sums of many series side by side, for small shifts that last (Page, "Continuous inspection schemes",
 * Biometrika 1954). Nothing is allocated after creation.
 */
export interface CusumCharts {
  readonly slots: number;
  /**
   * Takes the next value as `z`, standardised by its usual mean and deviation. Returns 1 where the upward sum passes the
   * limit, -1 for the downward one (the larger of the two where both do), else 0. A NaN changes nothing; values beyond
   * `clip` count as `clip`, so that a single one cannot do it alone.
   */
  push(slot: number, z: number): -1 | 0 | 1;
  /** Upward and downward sum, in standard deviations, 0 or more. */
  up(slot: number): number;
  down(slot: number): number;
  /** Values since the sum in that direction was last 0: how long the shift has lasted. */
  runLength(slot: number, direction: -1 | 1): number;
  reset(slot: number): void;
}

export interface CusumOptions {
  /** k: half the shift to be found, in standard deviations; 0.5 by default. */
  slack?: number;
  /** h: in standard deviations; 5 by default, with k = 0.5 one false alarm in 465 normal values, 10 for 1 sd of shift. */
  limit?: number;
  /** Largest |z| that counts; 4 by default. */
  clip?: number;
}

/** `slots` two-sided charts; RangeError where an argument is out of bounds. A chart goes on until it is reset. */
export function createCusumCharts(slots: number, options: CusumOptions = {}): CusumCharts {
  const { slack = 0.5, limit = 5, clip = 4 } = options;
  if (!Number.isInteger(slots) || slots < 1) throw new RangeError('slots must be a positive integer');
  if (!(slack >= 0 && limit > 0 && clip > slack)) throw new RangeError('slack, limit and clip do not make a chart');
  const ups = new Float64Array(slots);
  const downs = new Float64Array(slots);
  const upRuns = new Uint32Array(slots);
  const downRuns = new Uint32Array(slots);
  // Far beyond any limit of use; keeps a shift that is never dealt with from growing without end.
  const ceiling = 1000 * limit;

  return {
    slots,

    push(slot, z) {
      if (z !== z) return 0;
      const value = z > clip ? clip : z < -clip ? -clip : z;
      const up = Math.min(ceiling, Math.max(0, ups[slot]! + value - slack));
      const down = Math.min(ceiling, Math.max(0, downs[slot]! - value - slack));
      ups[slot] = up;
      downs[slot] = down;
      upRuns[slot] = up > 0 ? upRuns[slot]! + 1 : 0;
      downRuns[slot] = down > 0 ? downRuns[slot]! + 1 : 0;
      if (up <= limit && down <= limit) return 0;
      return up >= down ? 1 : -1;
    },

    up: (slot) => ups[slot]!,
    down: (slot) => downs[slot]!,
    runLength: (slot, direction) => (direction > 0 ? upRuns[slot]! : downRuns[slot]!),

    reset(slot) {
      ups[slot] = 0;
      downs[slot] = 0;
      upRuns[slot] = 0;
      downRuns[slot] = 0;
    },
  };
}
