/** The forest against values that others computed: scikit-learn's scores and AUCs, and the package's own trees. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { IsolationForest } from 'ml-isolation-forest';
import { describe, expect, it } from 'vitest';
import { createForest, loadForest, saveForest, trainForest } from '../../../src/baseline/forest/index.ts';
import type { Forest } from '../../../src/baseline/forest/index.ts';
import { createPrng } from '../../../src/lib/prng.ts';
import { describeWithCaptures } from '../../support/captures.ts';
import { areaUnderRoc, readOutlierSets, readSklearnFigures } from './adbench.ts';

const SEEDS = [1, 2, 3, 4, 5];

interface Fixture {
  psi: number;
  trees: { feature: number[]; threshold: number[]; left: number[]; right: number[]; samples: number[] }[];
  input: number[][];
  expected: number[];
}

/** The next larger double: scikit-learn goes left for `x <= t`, we for `x < t`. */
function nextUp(value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + (value >= 0 ? 1n : -1n));
  return view.getFloat64(0);
}

function forestOfFixture(fixture: Fixture): Forest {
  const columns = fixture.input[0]!.length;
  const roots: number[] = [];
  const feature: number[] = [];
  const value: number[] = [];
  const child: number[] = [];
  const add = (): number => {
    child.push(0);
    value.push(0);
    return feature.push(-1) - 1;
  };
  for (const tree of fixture.trees) {
    const root = add();
    roots.push(root);
    const pending = [{ node: 0, slot: root }];
    for (let top = pending.pop(); top !== undefined; top = pending.pop()) {
      const { node, slot } = top;
      if (tree.left[node]! < 0) {
        value[slot] = tree.samples[node]!;
        continue;
      }
      const left = add();
      add();
      feature[slot] = tree.feature[node]!;
      value[slot] = nextUp(tree.threshold[node]!);
      child[slot] = left;
      pending.push({ node: tree.left[node]!, slot: left }, { node: tree.right[node]!, slot: left + 1 });
    }
  }
  return createForest({
    columns,
    sampleSize: fixture.psi,
    trainedRows: fixture.psi,
    seed: 0,
    featureNames: Array.from({ length: columns }, (_, j) => `f${j}`),
    roots: Int32Array.from(roots),
    feature: Int16Array.from(feature),
    value: Float64Array.from(value),
    child: Int32Array.from(child),
    median: new Float64Array(columns),
    low: new Float64Array(columns).fill(-1e300),
    high: new Float64Array(columns).fill(1e300),
  });
}

describeWithCaptures('forest against scikit-learn', (captures) => {
  it('scores the trees of scikit-learn as scikit-learn does, to 1e-12', () => {
    const path = join(captures, 'science', 'fixtures', 'sklearn-iforest-annthyroid.json.gz');
    const fixture = JSON.parse(gunzipSync(readFileSync(path)).toString('utf8')) as Fixture;
    const forest = forestOfFixture(fixture);
    const rows = Float64Array.from(fixture.input.flat());
    const batch = new Float64Array(fixture.input.length);
    forest.scoreBatch(rows, fixture.input.length, batch);
    fixture.expected.forEach((expected, i) => {
      expect(Math.abs(forest.score(rows, i * forest.columns) - expected)).toBeLessThan(1e-12);
      expect(Math.abs(batch[i]! - expected)).toBeLessThan(1e-12);
    });
    expect(saveForest(loadForest(saveForest(forest)))).toEqual(saveForest(forest));
  });

  it('finds the anomalies of the ADBench sets as well as scikit-learn', { timeout: 120_000 }, () => {
    const figures = readSklearnFigures();
    let ours = 0;
    let theirs = 0;
    const sets = readOutlierSets(captures);
    expect(sets.map((set) => set.name)).toEqual(Object.keys(figures.sets));
    for (const set of sets) {
      const scores = new Float64Array(set.rows);
      let mean = 0;
      for (const seed of SEEDS) {
        const outcome = trainForest(set.matrix, set.rows, set.columns, { seed });
        if (!outcome.ok) throw new Error(outcome.detail);
        for (let i = 0; i < set.rows; i++) scores[i] = outcome.forest.isolation(set.matrix, i * set.columns);
        mean += areaUnderRoc(scores, set.label) / SEEDS.length;
      }
      const peer = figures.sets[set.name]!;
      expect.soft(mean, set.name).toBeGreaterThanOrEqual(peer.mean - 2 * peer.sd);
      ours += mean;
      theirs += peer.mean;
    }
    expect(ours).toBeGreaterThanOrEqual(theirs);
  });
});

describe('forest against the package it is grown with', () => {
  it('ranks rows as the package does when that is given 256 rows', () => {
    const prng = createPrng(3);
    const rows = 256;
    const columns = 5;
    const matrix = Float64Array.from({ length: rows * columns }, () => prng.double() + prng.double() + prng.double());
    const table = Array.from({ length: rows }, (_, i) => [...matrix.subarray(i * columns, (i + 1) * columns)]);
    // The package has no seed; with this many trees its chance hardly shows.
    const peer = new IsolationForest({ nEstimators: 400 });
    peer.train(table);
    const expected = peer.predict(table);
    const outcome = trainForest(matrix, rows, columns, { seed: 1, trees: 400 });
    if (!outcome.ok) throw new Error(outcome.detail);
    const scores = table.map((_, i) => outcome.forest.isolation(matrix, i * columns));
    expect(correlation(scores, expected)).toBeGreaterThan(0.95);
  });
});

function correlation(a: number[], b: number[]): number {
  const meanA = a.reduce((sum, x) => sum + x, 0) / a.length;
  const meanB = b.reduce((sum, x) => sum + x, 0) / b.length;
  let ab = 0;
  let aa = 0;
  let bb = 0;
  a.forEach((x, i) => {
    const da = x - meanA;
    const db = b[i]! - meanB;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  });
  return ab / Math.sqrt(aa * bb);
}
