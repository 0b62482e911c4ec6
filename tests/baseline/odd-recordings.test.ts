import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isAlert } from '../../src/alerts/correlator.ts';
import { buildHotPath } from '../../src/app/build.ts';
import { sliceBatch } from '../../src/app/frames.ts';
import type { HotPath } from '../../src/app/hot-path.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import { createFileSource } from '../../src/sources/index.ts';

const USUAL = fileURLToPath(new URL('../../demo/learn.pcap.gz', import.meta.url));

/** Alerts on the usual day of the demo's ward, played as `play` says after it was learned. */
async function alertsAfterLearning(play: (hotPath: HotPath) => Promise<void>): Promise<string[]> {
  const rows = new Map<string, AlertRow>();
  const { hotPath } = await buildHotPath({
    config: loadConfig({ env: {} }).config,
    seed: 1,
    stage: 'all',
    productVersion: '0',
    output: { alert: (row) => rows.set(row.uid, row) },
  });
  for await (const batch of createFileSource(USUAL).batches()) hotPath.process(batch);
  hotPath.unobserved(hotPath.nowUs, hotPath.nowUs);
  hotPath.closeLearning();
  await play(hotPath);
  hotPath.finish();
  return [...rows.values()].filter(isAlert).map((row) => `${row.detector}: ${row.message}`);
}

/** Plays the usual day again, `shiftUs` later than it was, each frame so many times, from a share of it on. */
async function again(hotPath: HotPath, shiftUs: (share: number) => number, times = 1, from = 0): Promise<void> {
  let total = 0;
  for await (const batch of createFileSource(USUAL).batches()) total += batch.count;
  let seen = 0;
  for await (const batch of createFileSource(USUAL).batches())
    for (let i = 0; i < batch.count; i++, seen++) {
      if (seen < from * total) continue;
      batch.tsUs[i]! += shiftUs(seen / total);
      for (let n = 0; n < times; n++) hotPath.process(sliceBatch(batch, i, i + 1));
    }
}

const DAY_US = 86_400e6;

describe('what a recording may be like', () => {
  it('raises nothing by a clock that jumps ahead in the middle', async () => {
    expect(await alertsAfterLearning((h) => again(h, (share) => (share < 0.5 ? DAY_US : 2 * DAY_US)))).toEqual([]);
  });

  it('raises nothing by a clock that is set back in the middle', async () => {
    expect(await alertsAfterLearning((h) => again(h, (share) => (share < 0.5 ? 2 * DAY_US : DAY_US)))).toEqual([]);
  });

  it('raises nothing by frames that come twice', async () => {
    expect(await alertsAfterLearning((h) => again(h, () => DAY_US, 2))).toEqual([]);
  });

  it('raises nothing by beginning in the middle of the day', async () => {
    expect(await alertsAfterLearning((h) => again(h, () => DAY_US, 1, 0.4))).toEqual([]);
  });
});
