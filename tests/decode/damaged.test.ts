import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildHotPath } from '../../src/app/build.ts';
import { loadConfig } from '../../src/config/index.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { loadKnowledge } from '../../src/identity/load.ts';
import { copyBatch } from '../../src/kernel/frames.ts';
import type { FrameBatch } from '../../src/kernel/frames.ts';
import { createFileSource } from '../../src/sources/index.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { damaged } from '../support/damage.ts';

/** A slice of `node benchmarks/decode/fuzz.ts`: that one takes fifty million frames. */
describeWithCaptures('damaged frames of every protocol', (captures) => {
  it('throw nothing, and nothing outside a frame changes what is said of it', { timeout: 300_000 }, async () => {
    const batches: FrameBatch[] = [];
    for (const folder of ['protocols', 'malformed', 'attacks'])
      for (const file of readdirSync(join(captures, folder), { recursive: true, encoding: 'utf8' }).sort()) {
        const path = join(captures, folder, file);
        if (!/\.(pcap|pcapng|cap)(\.gz)?$/.test(file) || statSync(path).size > 40_000) continue;
        for await (const batch of createFileSource(path).batches()) batches.push(copyBatch(batch));
      }
    expect(batches.length).toBeGreaterThan(700);
    const { config } = loadConfig({
      env: { WARDWATCH_HOTPATH__TRACK__MAX_FLOWS: '16384', WARDWATCH_HOTPATH__IDENTITY__MAX_DEVICES: '4096' },
    });
    const knowledge = loadKnowledge(loadClasses());
    const failures: string[] = [];
    const sides = [];
    for (const poison of [0x00, 0xff]) {
      const rows: string[] = [];
      const keep = (row: unknown): void => void rows.push(JSON.stringify(row));
      const { hotPath } = await buildHotPath({
        config,
        seed: 1,
        stage: 'all',
        knowledge,
        productVersion: '',
        output: { alert: keep, flow: keep, observation: keep, device: keep },
        onDetectorFailure: (id, reason) => failures.push(`${id}: ${reason}`),
      });
      batches.forEach((batch, b) => hotPath.process(damaged(batch, b, poison)));
      hotPath.finish();
      sides.push({ rows, counters: hotPath.counters() });
    }
    const [zeros, ones] = sides;
    expect(failures).toEqual([]);
    expect(zeros!.rows.length).toBeGreaterThan(5_000);
    expect(ones!.rows).toEqual(zeros!.rows);
    expect(ones!.counters).toEqual(zeros!.counters);
    expect(Object.keys(zeros!.counters.appEvents).length).toBeGreaterThan(40);
  });
});
