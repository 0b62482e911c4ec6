import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createForest, loadForest, saveForest, trainForest } from '../../../src/baseline/forest/index.ts';
import type { Forest } from '../../../src/baseline/forest/index.ts';
import { WardwatchError } from '../../../src/kernel/errors.ts';
import { createPrng } from '../../../src/lib/prng.ts';

const COLUMNS = 4;

function makeForest(seed = 1): Forest {
  const prng = createPrng(9);
  const matrix = Float64Array.from({ length: 200 * COLUMNS }, () => prng.double() * 10);
  const outcome = trainForest(matrix, 200, COLUMNS, {
    seed,
    trees: 6,
    sampleSize: 64,
    featureNames: ['bytes', 'packets', 'peers', 'größe'],
  });
  if (!outcome.ok) throw new Error(outcome.detail);
  return outcome.forest;
}

/** Loads, or gives the refusal; anything but a typed refusal fails the test. */
function attempt(bytes: Uint8Array): Forest | string {
  try {
    return loadForest(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(WardwatchError);
    expect((error as WardwatchError).code).toBe('WW_MODEL');
    return (error as WardwatchError).message;
  }
}

function withRightHash(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  out.set(
    createHash('sha256')
      .update(out.subarray(0, out.length - 32))
      .digest(),
    out.length - 32,
  );
  return out;
}

describe('stored forest', () => {
  const forest = makeForest();
  const bytes = saveForest(forest);

  it('comes back as it was', () => {
    const loaded = loadForest(bytes);
    expect(loaded.data).toEqual(forest.data);
    const row = Float64Array.of(1, 200, 3, NaN);
    expect(loaded.score(row)).toBe(forest.score(row));
    expect(loaded.explain(row)).toEqual(forest.explain(row));
    expect(saveForest(loaded)).toEqual(bytes);
  });

  it('can lie anywhere in a larger buffer', () => {
    const larger = new Uint8Array(bytes.length + 13);
    larger.set(bytes, 5);
    expect(saveForest(loadForest(larger.subarray(5, 5 + bytes.length)))).toEqual(bytes);
  });

  it('has the same bytes for the same input and seed, on every machine', () => {
    expect(saveForest(makeForest())).toEqual(bytes);
    expect(saveForest(makeForest(2))).not.toEqual(bytes);
    // Computed once and kept: a change means that models trained by other versions or machines differ.
    expect(createHash('sha256').update(bytes).digest('hex')).toMatchInlineSnapshot(
      `"d5fd92e65ae4f8e5f61f3149f53483800629f4efbbfe5b8ced51067d556ea30e"`,
    );
  });

  it('is refused when cut short or lengthened', () => {
    for (let length = 0; length < bytes.length; length += 7) {
      expect(attempt(bytes.subarray(0, length))).toBeTypeOf('string');
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    expect(attempt(longer)).toBeTypeOf('string');
  });

  it('is refused with any bit flipped', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = bytes.slice();
        damaged[at] = damaged[at]! ^ flip;
        expect(attempt(damaged)).toBeTypeOf('string');
      }),
      { seed: 3, numRuns: 1000 },
    );
  });

  it('says which version it is of', () => {
    const other = bytes.slice();
    other[4] = 2;
    expect(attempt(withRightHash(other))).toContain('version 2');
  });

  it('is safe to score with or refused when its hash is right and its content is not', () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 33), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const crafted = bytes.slice();
          for (const [at, value] of changes) crafted[at] = value;
          const result = attempt(withRightHash(crafted));
          if (typeof result === 'string') return;
          accepted++;
          if (result.columns !== COLUMNS) return;
          const score = result.score(Float64Array.of(1, 2, 3, 4));
          expect(score).toBeGreaterThan(0);
          expect(score).toBeLessThan(1);
        },
      ),
      { seed: 4, numRuns: 3000 },
    );
    // Changed thresholds and quantiles make another forest, not a broken one.
    expect(accepted).toBeGreaterThan(0);
  });

  it('is refused as random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (random) => {
        expect(attempt(random)).toBeTypeOf('string');
        const started = bytes.slice(0, 32 + random.length);
        started.set(random, 32);
        expect(attempt(started)).toBeTypeOf('string');
      }),
      { seed: 6, numRuns: 500 },
    );
  });
});

describe('createForest', () => {
  const { data } = makeForest();

  it.each<[string, Partial<typeof data>]>([
    ['no trees', { roots: new Int32Array(0) }],
    ['overlapping trees', { roots: Int32Array.of(0, 0) }],
    ['a tree behind the end', { roots: Int32Array.of(0, 1e9) }],
    ['names that do not fit', { featureNames: ['a'] }],
    ['a range upside down', { low: Float64Array.of(0, 0, 0, 1), high: Float64Array.of(1, 1, 1, 0) }],
    ['a median that is no number', { median: Float64Array.of(0, 0, 0, NaN) }],
    ['a child before its node', { child: data.child.map((child, i) => (i === 0 ? 0 : child)) }],
    ['two parents of one node', { child: data.child.map((child, i) => (i === data.child[0] ? data.child[0] : child)) }],
    ['a split of no column', { feature: data.feature.map((column) => (column === 2 ? 4 : column)) }],
    ['another kind of leaf', { feature: data.feature.map((column) => (column === -1 ? -2 : column)) }],
    ['a sample of another size', { sampleSize: 63 }],
    ['a split that is not finite', { value: data.value.map((value, i) => (i === 0 ? Infinity : value)) }],
    ['a leaf of half a row', { value: data.value.map((value, i) => (data.feature[i]! < 0 ? value / 2 : value)) }],
  ])('refuses %s', (_, change) => {
    expect(() => createForest({ ...data, ...change })).toThrow(WardwatchError);
  });
});
