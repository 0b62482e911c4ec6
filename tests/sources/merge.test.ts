import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameBatch, type FrameBatch, type FrameSource } from '../../src/kernel/frames.ts';
import { mergeSources } from '../../src/sources/index.ts';
import { type Frame, framesOf } from './by-hand.ts';

interface Recording {
  name: string;
  times: number[];
  batchFrames?: number;
  peek?: boolean;
}

interface TestSource extends FrameSource {
  opened: number;
  closed: number;
}

/** A source over given times; the data of each frame is its number in the source, reused between batches. */
function source({ name, times, batchFrames = 3, peek = false }: Recording): TestSource {
  let framesRead = 0;
  const made: TestSource = {
    name,
    opened: 0,
    closed: 0,
    async *batches() {
      made.opened++;
      const batch = createFrameBatch(batchFrames, new Uint8Array(batchFrames * 4));
      batch.origin = name;
      try {
        for (let at = 0; at < times.length; at += batchFrames) {
          batch.count = Math.min(batchFrames, times.length - at);
          batch.firstFrame = at;
          for (let i = 0; i < batch.count; i++) {
            batch.offset[i] = i * 4;
            batch.capLen[i] = 4;
            batch.wireLen[i] = 4;
            batch.linkType[i] = name.charCodeAt(0);
            batch.tsUs[i] = times[at + i]!;
            batch.view.setUint32(i * 4, at + i);
          }
          framesRead += batch.count;
          yield await Promise.resolve(batch);
        }
      } finally {
        made.closed++;
      }
    },
    report: () => ({
      framesRead,
      bytesRead: 10,
      bytesTotal: 10,
      truncated: name === 'b',
      framesLostAtCapture: 2,
      notes: [`note of ${name}`],
    }),
  };
  return peek ? Object.assign(made, { firstTimestampUs: () => Promise.resolve(times[0]) }) : made;
}

interface Seen {
  origin: string;
  firstFrame: number;
  frames: Frame[];
  gap: { fromUs: number; toUs: number } | undefined;
  batch: FrameBatch;
}

async function merged(sources: readonly FrameSource[]): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { batch, gapBefore } of mergeSources(sources).items()) {
    seen.push({ origin: batch.origin, firstFrame: batch.firstFrame, frames: framesOf(batch), gap: gapBefore, batch });
  }
  return seen;
}

const label = (found: Frame): string => `${String.fromCharCode(found.linkType)}${found.data.readUInt32BE(0)}`;

describe('recordings that do not overlap', () => {
  it('come in the order of time, untouched, opened one after the other, with the gaps between them', async () => {
    const late = source({ name: 'late', times: [100, 110, 120, 130], peek: true });
    const early = source({ name: 'early', times: [1, 2, 3, 4, 5], peek: true });
    const middle = source({ name: 'middle', times: [5, 7], peek: true });
    const openedWhen: number[][] = [];
    const origins: string[] = [];
    const gaps: unknown[] = [];
    for await (const { batch, gapBefore } of mergeSources([late, early, middle]).items()) {
      openedWhen.push([late.opened, early.opened, middle.opened]);
      origins.push(`${batch.origin} ${batch.firstFrame}`);
      gaps.push(gapBefore);
    }
    expect(origins).toEqual(['early 0', 'early 3', 'middle 0', 'late 0', 'late 3']);
    expect(gaps).toEqual([undefined, undefined, undefined, { fromUs: 7, toUs: 100 }, undefined]);
    expect(openedWhen[0]).toEqual([0, 1, 0]);
    expect(openedWhen[2]).toEqual([0, 1, 1]);
    expect([late.closed, early.closed, middle.closed]).toEqual([1, 1, 1]);
  });

  it('have no gap where another recording covers the time', async () => {
    const seen = await merged([
      source({ name: 'a', times: [0, 10] }),
      source({ name: 'b', times: [20, 30] }),
      source({ name: 'c', times: [5, 25] }),
      source({ name: 'd', times: [40, 50] }),
    ]);
    expect(seen.flatMap((item) => (item.gap === undefined ? [] : [item.gap]))).toEqual([{ fromUs: 30, toUs: 40 }]);
    expect(seen.flatMap((item) => item.frames.map(label)).join(' ')).toBe('a0 c0 a1 b0 c1 b1 d0 d1');
    expect(seen.at(-1)?.gap).toBeDefined();
  });
});

describe('recordings that overlap', () => {
  it('are mixed, the one listed first going first at the same time', async () => {
    const seen = await merged([
      source({ name: 'a', times: [1, 3, 3, 5] }),
      source({ name: 'b', times: [1, 3, 4, 6, 7, 8, 9, 10] }),
    ]);
    expect(seen.flatMap((item) => item.frames.map(label)).join(' ')).toBe('a0 b0 a1 a2 b1 b2 a3 b3 b4 b5 b6 b7');
    expect(seen[0]).toMatchObject({ origin: 'a + b', firstFrame: 0 });
    expect(seen.at(-1)).toMatchObject({ origin: 'b', firstFrame: 6 });
    expect(seen.every((item) => item.gap === undefined)).toBe(true);
  });

  it('keep the order of a recording whose clock goes back', async () => {
    const seen = await merged([source({ name: 'a', times: [10, 50, 20, 60] }), source({ name: 'b', times: [15, 55] })]);
    expect(seen.flatMap((item) => item.frames.map(label)).join(' ')).toBe('a0 b0 a1 a2 b1 a3');
  });

  it('equal a stable sort by the largest time so far, whatever the batches', async () => {
    const times = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 25 });
    const recording = fc.record({ times, batchFrames: fc.integer({ min: 1, max: 7 }), peek: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(recording, { minLength: 1, maxLength: 5 }), async (recordings) => {
        const named = recordings.map((given, i) => ({ ...given, name: String.fromCharCode(97 + i) }));
        const sources = named.map(source);
        const seen = await merged(sources);
        const expected = named
          .flatMap(({ name, times: given }) => {
            let key = -1;
            return given.map((us, i) => ({ key: (key = Math.max(key, us)), label: `${name}${i}` }));
          })
          .sort((one, other) => one.key - other.key);
        expect(seen.flatMap((item) => item.frames.map(label))).toEqual(expected.map((item) => item.label));

        // A gap is a time after the end of all recordings that have begun and before the next one.
        const spans = named
          .filter((given) => given.times.length > 0)
          .map((given) => ({ from: given.times[0]!, to: Math.max(...given.times) }))
          .sort((one, other) => one.from - other.from);
        const gaps: { fromUs: number; toUs: number }[] = [];
        let end = Infinity;
        for (const span of spans) {
          if (span.from > end) gaps.push({ fromUs: end, toUs: span.from });
          end = end === Infinity ? span.to : Math.max(end, span.to);
        }
        expect(seen.flatMap((item) => (item.gap === undefined ? [] : [item.gap]))).toEqual(gaps);
        for (const item of seen) if (item.gap !== undefined) expect(item.frames[0]?.tsUs).toBe(item.gap.toUs);
        expect(sources.every((one) => one.opened === one.closed)).toBe(true);
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});

describe('a merge', () => {
  it('closes every recording when the reader leaves', async () => {
    const sources = [source({ name: 'a', times: [1, 4, 5, 9] }), source({ name: 'b', times: [2, 3, 5, 7] })];
    for await (const { batch } of mergeSources(sources).items()) {
      expect(batch.count).toBeGreaterThan(0);
      break;
    }
    expect(sources.map((one) => [one.opened, one.closed])).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });

  it('closes what was open when a recording cannot be read', async () => {
    const good = source({ name: 'a', times: [1, 2] });
    const bad: FrameSource = {
      name: 'bad',

      async *batches() {
        throw new Error('cannot be read');
      },
      report: () => good.report(),
    };
    await expect(merged([good, bad])).rejects.toThrow('cannot be read');
    expect(good.closed).toBe(1);
  });

  it('adds up the reports', async () => {
    const sources = mergeSources([source({ name: 'a', times: [1, 2] }), source({ name: 'b', times: [3] })]);
    for await (const { batch } of sources.items()) expect(batch.count).toBeGreaterThan(0);
    expect(sources.report()).toEqual({
      framesRead: 3,
      bytesRead: 20,
      bytesTotal: 20,
      truncated: true,
      framesLostAtCapture: 4,
      notes: ['a: note of a', 'b: note of b'],
    });
  });
});
