import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { trainForest } from '../../../src/baseline/forest/index.ts';
import type { Forest, TrainOptions } from '../../../src/baseline/forest/index.ts';
import { createPrng } from '../../../src/lib/prng.ts';

function noise(rows: number, columns: number, seed = 1): Float64Array {
  const prng = createPrng(seed);
  return Float64Array.from({ length: rows * columns }, () => prng.double() + prng.double() + prng.double());
}

function train(matrix: Float64Array, rows: number, columns: number, options: Partial<TrainOptions> = {}): Forest {
  const outcome = trainForest(matrix, rows, columns, { seed: 1, ...options });
  if (!outcome.ok) throw new Error(outcome.detail);
  return outcome.forest;
}

/** Numbers as they come, the worst ones often. */
const anyNumber = fc.oneof(
  fc.double(),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(NaN, Infinity, -Infinity, Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE, 0, -0),
);

describe('trainForest', () => {
  it('refuses fewer than 64 rows', () => {
    expect(trainForest(noise(63, 3), 63, 3, { seed: 1 })).toMatchObject({ ok: false, reason: 'too-few-rows' });
    expect(trainForest(noise(64, 3), 64, 3, { seed: 1 })).toMatchObject({ ok: true });
    expect(trainForest(new Float64Array(0), 0, 3, { seed: 1 })).toMatchObject({ ok: false, reason: 'too-few-rows' });
  });

  it.each<[string, number, number, TrainOptions]>([
    ['more rows than there are', 101, 3, { seed: 1 }],
    ['no columns', 100, 0, { seed: 1 }],
    ['columns without end', 100, 1e12, { seed: 1 }],
    ['half a column', 100, 1.5, { seed: 1 }],
    ['no trees', 100, 3, { seed: 1, trees: 0 }],
    ['too many trees', 100, 3, { seed: 1, trees: 1e9 }],
    ['a tiny sample', 100, 3, { seed: 1, sampleSize: 1 }],
    ['a seed that is no integer', 100, 3, { seed: 0.5 }],
    ['too few names', 100, 3, { seed: 1, featureNames: ['a'] }],
  ])('refuses a request with %s', (_, rows, columns, options) => {
    expect(trainForest(noise(100, 3), rows, columns, options)).toMatchObject({ ok: false, reason: 'bad-request' });
  });

  it('gives Math.random back and leaves the matrix alone', () => {
    const random = Math.random;
    const matrix = noise(100, 3);
    const before = matrix.slice();
    train(matrix, 100, 3);
    expect(Math.random).toBe(random);
    expect(matrix).toEqual(before);
  });

  it('grows trees of the right height that hold their sample, and keeps no row', () => {
    const rows = 300;
    const matrix = noise(rows, 4);
    const { data } = train(matrix, rows, 4, { trees: 20 });
    expect(data.sampleSize).toBe(256);
    // No split falls on a value of the training data, and no leaf holds one.
    const seen = new Set(matrix);
    expect([...data.value].filter((value, i) => data.feature[i]! >= 0 && seen.has(value))).toEqual([]);
    expect(data.feature.length).toBeLessThanOrEqual(20 * (2 * 256 - 1));
    // createForest has checked heights and counts; a full binary tree has one leaf more than inner nodes.
    const leaves = data.feature.filter((column) => column < 0).length;
    expect(2 * leaves - 20).toBe(data.feature.length);
  });

  it('spends no level on a column in which the rows do not differ', () => {
    const rows = 256;
    const useful = noise(rows, 1);
    const matrix = new Float64Array(rows * 60);
    for (let i = 0; i < rows; i++) matrix[i * 60 + 7] = useful[i]!;
    const { data } = train(matrix, rows, 60, { trees: 10 });
    expect(new Set(data.feature)).toEqual(new Set([-1, 7]));
    const alone = train(useful, rows, 1, { trees: 10 });
    expect(data.feature.length).toBe(alone.data.feature.length);
  });

  it('splits sparse rows until they are alone or the tree is full', () => {
    // No two rows are alike, but few columns differ among few rows: most draws of the package are in vain.
    const rows = 256;
    const columns = 40;
    const prng = createPrng(5);
    const matrix = new Float64Array(rows * columns);
    for (let i = 0; i < rows; i++) matrix[i * columns + (i % columns)] = 1 + prng.double();
    const { data } = train(matrix, rows, columns, { trees: 10 });
    const depth = new Uint8Array(data.feature.length);
    data.feature.forEach((column, i) => {
      if (column >= 0) {
        depth.fill(depth[i]! + 1, data.child[i], data.child[i]! + 2);
      } else if (depth[i]! < 8) {
        expect(data.value[i]).toBe(1);
      }
    });
    expect(Math.max(...depth)).toBe(8);
  });

  it('is the same forest for the same seed and another for another', () => {
    const matrix = noise(500, 6);
    expect(train(matrix, 500, 6, { seed: 7 }).data).toEqual(train(matrix, 500, 6, { seed: 7 }).data);
    expect(train(matrix, 500, 6, { seed: 8 }).data.value).not.toEqual(train(matrix, 500, 6, { seed: 7 }).data.value);
  });
});

describe('scores', () => {
  it('lie in (0, 1) for whatever is trained on and scored', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }).chain((columns) =>
          fc.record({
            columns: fc.constant(columns),
            training: fc.array(anyNumber, { minLength: 64 * columns, maxLength: 80 * columns }),
            scored: fc.array(anyNumber, { minLength: columns, maxLength: 12 * columns }),
          }),
        ),
        ({ columns, training, scored }) => {
          const forest = train(Float64Array.from(training), Math.floor(training.length / columns), columns, {
            trees: 5,
          });
          const rows = Math.floor(scored.length / columns);
          const matrix = Float64Array.from(scored);
          const batch = new Float64Array(rows);
          forest.scoreBatch(matrix, rows, batch);
          for (let i = 0; i < rows; i++) {
            const score = forest.score(matrix, i * columns);
            expect(score).toBeGreaterThan(0);
            expect(score).toBeLessThan(1);
            expect(batch[i]).toBe(score);
          }
        },
      ),
      { seed: 11, numRuns: 150 },
    );
  });

  it('do not depend on the other rows of the batch nor on their order', () => {
    const columns = 7;
    const forest = train(noise(1000, columns), 1000, columns, { trees: 30 });
    const matrix = noise(301, columns, 2);
    const forward = new Float64Array(301);
    forest.scoreBatch(matrix, 301, forward);
    const reversed = new Float64Array(matrix.length);
    for (let i = 0; i < 301; i++) reversed.set(matrix.subarray(i * columns, (i + 1) * columns), (300 - i) * columns);
    const backward = new Float64Array(301);
    forest.scoreBatch(reversed, 301, backward);
    expect(backward.reverse()).toEqual(forward);
    for (let i = 0; i < 301; i++) expect(forest.score(matrix, i * columns)).toBe(forward[i]);
  });

  it('are the same for a number of trees that is no multiple of four', () => {
    const forest = train(noise(200, 3), 200, 3, { trees: 7 });
    const matrix = noise(9, 3, 4);
    const batch = new Float64Array(9);
    forest.scoreBatch(matrix, 9, batch);
    for (let i = 0; i < 9; i++) expect(forest.score(matrix, i * 3)).toBe(batch[i]);
  });

  it('take a missing value for the median and an infinity for the largest number', () => {
    const forest = train(noise(400, 3), 400, 3);
    const { median } = forest.data;
    expect(forest.score(Float64Array.of(1, NaN, 2))).toBe(forest.score(Float64Array.of(1, median[1]!, 2)));
    const far = Float64Array.of(1, Number.MAX_VALUE, 2);
    expect(forest.score(Float64Array.of(1, Infinity, 2))).toBe(forest.score(far));
    expect(forest.score(far)).toBeGreaterThan(0.99);
    expect(forest.score(Float64Array.of(1, -Infinity, 2))).toBeGreaterThan(0.99);
  });

  it('stay 0.5 within constant training data and rise outside', () => {
    const forest = train(new Float64Array(200).fill(3), 100, 2);
    expect(forest.isolation(Float64Array.of(3, 3))).toBeCloseTo(0.5, 12);
    expect(forest.score(Float64Array.of(3, 3))).toBeCloseTo(0.5, 12);
    expect(forest.score(Float64Array.of(3, 4))).toBeGreaterThan(0.7);
    expect(forest.score(Float64Array.of(3, 400))).toBeGreaterThan(forest.score(Float64Array.of(3, 4)));
  });

  it('are higher for what is far off than for duplicates of what is usual', () => {
    const matrix = noise(300, 2);
    for (let i = 0; i < 150; i++) matrix.set([1.5, 1.5], i * 2);
    const forest = train(matrix, 300, 2);
    expect(forest.isolation(Float64Array.of(1.5, 1.5))).toBeLessThan(0.5);
    expect(forest.isolation(Float64Array.of(0.05, 2.95))).toBeGreaterThan(0.6);
  });

  it('see beyond the trained range, where the trees are blind', () => {
    const forest = train(noise(1000, 4), 1000, 4);
    const near = Float64Array.of(3, 1.5, 1.5, 1.5);
    const far = Float64Array.of(3000, 1.5, 1.5, 1.5);
    expect(forest.isolation(far)).toBe(forest.isolation(near));
    expect(forest.score(far)).toBeGreaterThan(forest.score(near));
    expect(forest.rangeExcess(Float64Array.of(1.5, 1.5, 1.5, 1.5))).toBe(0);
    expect(forest.score(Float64Array.of(1.5, 1.5, 1.5, 1.5))).toBe(
      forest.isolation(Float64Array.of(1.5, 1.5, 1.5, 1.5)),
    );
  });

  it('measure the distance outside a range in its widths on the log scale', () => {
    // Log range of the training data: 0 to ln 11.
    const matrix = Float64Array.from({ length: 1001 }, (_, i) => i / 100);
    const forest = train(matrix, 1001, 1);
    const { low, high } = forest.data;
    expect(low[0]).toBeCloseTo(0.01, 12);
    expect(high[0]).toBeCloseTo(9.99, 12);
    const width = Math.log1p(high[0]!) - Math.log1p(low[0]!);
    expect(forest.rangeExcess(Float64Array.of(100))).toBeCloseTo((Math.log1p(100) - Math.log1p(high[0]!)) / width, 12);
    expect(forest.rangeExcess(Float64Array.of(-100))).toBeCloseTo((Math.log1p(100) + Math.log1p(low[0]!)) / width, 12);
  });

  it('refuse a row that does not fit', () => {
    const forest = train(noise(100, 3), 100, 3);
    expect(() => forest.score(new Float64Array(2))).toThrow(RangeError);
    expect(() => forest.score(new Float64Array(6), 4)).toThrow(RangeError);
    expect(() => forest.score(new Float64Array(6), -1)).toThrow(RangeError);
    expect(() => forest.scoreBatch(new Float64Array(6), 3, new Float64Array(3))).toThrow(RangeError);
    expect(() => forest.scoreBatch(new Float64Array(6), 2, new Float64Array(1))).toThrow(RangeError);
  });
});

describe('explain', () => {
  const columns = 6;
  const forest = train(noise(1000, columns), 1000, columns, { featureNames: ['a', 'b', 'c', 'd', 'e', 'f'] });

  it('names the feature that is off, with what was expected', () => {
    const row = new Float64Array(columns).fill(1.5);
    row[3] = 40;
    const { features } = forest.explain(row, 0, 2);
    expect(features).toHaveLength(2);
    const [first] = features;
    expect(first).toMatchObject({ feature: 3, name: 'd', value: 40 });
    expect(first!.rangeExcess).toBeGreaterThan(1);
    expect(first!.median).toBeCloseTo(1.5, 1);
    expect(first!.high).toBeLessThan(3);
    expect(first!.contribution).toBeGreaterThan(3 * features[1]!.contribution);
  });

  it('names the feature by its splits too, within the range', () => {
    const row = new Float64Array(columns).fill(1.5);
    row[2] = forest.data.high[2]!;
    const { features, rangeExcess } = forest.explain(row);
    expect(rangeExcess).toBe(0);
    expect(features[0]!.name).toBe('c');
    expect(features[0]!.isolation).toBeGreaterThan(0);
  });

  it('divides the whole score among the features', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 6, maxLength: 6 }), (values) => {
        const row = Float64Array.from(values);
        const { score, isolation, rangeExcess, typical, features } = forest.explain(row, 0, columns);
        const sum = features.reduce((total, { contribution }) => total + contribution, 0);
        const odds = score / (1 - score) - typical / (1 - typical);
        expect(Math.abs(sum - odds)).toBeLessThan(1e-9 * (1 + Math.abs(odds)));
        expect(score).toBe(forest.score(row));
        expect(isolation).toBe(forest.isolation(row));
        expect(rangeExcess).toBe(forest.rangeExcess(row));
      }),
      { seed: 5, numRuns: 200 },
    );
  });
});
