import { createPrng } from '../../lib/prng.ts';
import type { Prng } from '../../lib/prng.ts';
import { createForest, depthLimitOf, FOREST_LIMITS } from './forest.ts';
import type { Forest } from './forest.ts';
import { growTree } from './grow.ts';
import type { NodeList } from './grow.ts';
import { quantileOfSorted, RANGE_TAIL } from './range.ts';

/** Fewer rows than this say too little about what is usual. */
export const MIN_TRAINING_ROWS = 64;

/** Larger magnitudes are brought down to this while training, so that the difference of two values stays finite. */
const MAX_MAGNITUDE = 1e300;

export interface TrainOptions {
  /** Number of trees, 1 to 1000; 100 by default. */
  trees?: number;
  /** Rows each tree is grown on, drawn without replacement, 64 to 4096; 256 by default, at most the rows there are. */
  sampleSize?: number;
  /** Same matrix, options and seed: the same forest, to the byte, on every machine. */
  seed: number;
  /** One name a column; `f0`, `f1`, … by default. */
  featureNames?: readonly string[];
}

export type TrainRefusal = 'too-few-rows' | 'bad-request';

export type TrainOutcome = { ok: true; forest: Forest } | { ok: false; reason: TrainRefusal; detail: string };

/**
 * Trains a forest on the first `rows` rows of a row-major matrix, which is not changed and of which no row is kept.
 * NaN and infinities count as missing and take the median of their column.
 *
 * Runs to the end without yielding (some 40 ms for 5,000 rows of 50 columns, 0.3 s for 30,000 of 100, most of it the
 * quantiles):
 * docs/decisions/0009 says why the hot path does so.
 */
export function trainForest(matrix: Float64Array, rows: number, columns: number, options: TrainOptions): TrainOutcome {
  const { trees = 100, sampleSize = 256, seed } = options;
  if (!within(columns, 1, FOREST_LIMITS.columns)) return refuse('bad-request', 'number of columns out of bounds');
  const featureNames = options.featureNames ?? Array.from({ length: columns }, (_, j) => `f${j}`);
  if (!within(trees, 1, FOREST_LIMITS.trees)) return refuse('bad-request', 'number of trees out of bounds');
  if (!within(sampleSize, MIN_TRAINING_ROWS, FOREST_LIMITS.sampleSize)) {
    return refuse('bad-request', 'sample size out of bounds');
  }
  if (!within(seed, 0, 0xffffffff)) return refuse('bad-request', 'the seed is not an unsigned 32-bit integer');
  if (featureNames.length !== columns) return refuse('bad-request', 'not one name a column');
  if (!within(rows, 0, 0x7fffffff) || rows * columns > matrix.length) {
    return refuse('bad-request', 'the matrix is smaller than it should be');
  }
  if (rows < MIN_TRAINING_ROWS) {
    return refuse('too-few-rows', `${rows} rows are too few to train on, it takes ${MIN_TRAINING_ROWS}`);
  }

  const { median, low, high } = columnStatistics(matrix, rows, columns);
  const psi = Math.min(sampleSize, rows);
  const depthLimit = depthLimitOf(psi);
  const prng = createPrng(seed);
  const drawn = new Int32Array(psi);
  const roots = new Int32Array(trees);
  const nodes: NodeList = { feature: [], value: [], child: [] };
  withSeededRandom(prng, () => {
    for (let t = 0; t < trees; t++) {
      prng.sample(rows, drawn);
      const sample = Array.from(drawn, (row) => cleanRow(matrix, row * columns, median));
      roots[t] = growTree(sample, columns, depthLimit, nodes);
    }
  });

  return {
    ok: true,
    forest: createForest({
      columns,
      sampleSize: psi,
      trainedRows: rows,
      seed,
      featureNames: [...featureNames],
      roots,
      feature: Int16Array.from(nodes.feature),
      value: Float64Array.from(nodes.value),
      child: Int32Array.from(nodes.child),
      median,
      low,
      high,
    }),
  };
}

/** The package draws from `Math.random`; nothing else runs on this thread before it is given back. */
function withSeededRandom(prng: Prng, run: () => void): void {
  /* eslint-disable no-restricted-properties, @typescript-eslint/unbound-method -- replaced and given back, not drawn from */
  const original = Math.random;
  Math.random = prng.double;
  try {
    run();
  } finally {
    Math.random = original;
  }
  /* eslint-enable no-restricted-properties, @typescript-eslint/unbound-method */
}

function cleanRow(matrix: Float64Array, offset: number, median: Float64Array): number[] {
  const row: number[] = [];
  for (let j = 0; j < median.length; j++) {
    const value = matrix[offset + j]!;
    row.push(Number.isFinite(value) ? bounded(value) : median[j]!);
  }
  return row;
}

function bounded(value: number): number {
  return Math.min(MAX_MAGNITUDE, Math.max(-MAX_MAGNITUDE, value));
}

function columnStatistics(
  matrix: Float64Array,
  rows: number,
  columns: number,
): { median: Float64Array; low: Float64Array; high: Float64Array } {
  const median = new Float64Array(columns);
  const low = new Float64Array(columns);
  const high = new Float64Array(columns);
  const column = new Float64Array(rows);
  for (let j = 0; j < columns; j++) {
    let count = 0;
    for (let r = 0; r < rows; r++) {
      const value = matrix[r * columns + j]!;
      if (Number.isFinite(value)) column[count++] = bounded(value);
    }
    // A column without a single value stays constant at 0.
    if (count === 0) continue;
    const sorted = column.subarray(0, count).sort();
    median[j] = quantileOfSorted(sorted, count, 0.5);
    low[j] = quantileOfSorted(sorted, count, RANGE_TAIL);
    high[j] = quantileOfSorted(sorted, count, 1 - RANGE_TAIL);
  }
  return { median, low, high };
}

function within(value: number, from: number, to: number): boolean {
  return Number.isInteger(value) && value >= from && value <= to;
}

function refuse(reason: TrainRefusal, detail: string): TrainOutcome {
  return { ok: false, reason, detail };
}
