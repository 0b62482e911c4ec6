/** What `run -i` keeps over a restart: a real child process stands in for the capture tool. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runPipeline } from '../../src/app/pipeline.ts';
import type { PipelineProgress } from '../../src/app/pipeline.ts';
import { loadConfig } from '../../src/config/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';

const SLOW = 180_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-live-state-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function framesIn(pcap: Buffer): number {
  let count = 0;
  for (let at = 24; at < pcap.length; count++) at += 16 + pcap.readUInt32LE(at + 8);
  return count;
}

/** Watches an interface on which a capture goes by, until its last frame was seen; then stops as SIGTERM does. */
async function watch(capture: string, fresh = false): Promise<{ last: PipelineProgress; told: string[] }> {
  const pcap = gunzipSync(readFileSync(resolve(capture)));
  const frames = framesIn(pcap);
  writeFileSync(join(folder, 'frames.pcap'), pcap);
  const tool = join(folder, 'tcpdump');
  // It is asked for its counts by SIGUSR1 now and then.
  writeFileSync(tool, `#!/bin/sh\ntrap '' USR1\ncat ${join(folder, 'frames.pcap')}\nexec sleep 600\n`);
  chmodSync(tool, 0o755);
  const { config } = loadConfig({
    env: {
      WARDWATCH_STATE__DIR: join(folder, 'state'),
      WARDWATCH_SOURCES__LIVE__INTERFACE: 'eth9',
      WARDWATCH_SOURCES__LIVE__TOOL_PATH: tool,
    },
  });
  const stop = new AbortController();
  const told: string[] = [];
  let last: PipelineProgress | undefined;
  await runPipeline(
    {
      config,
      productVersion: '0',
      learn: [],
      files: [],
      interface: 'eth9',
      kafka: false,
      toTheEnd: false,
      speed: undefined,
      seed: 1,
      fresh,
      tokenKey: new Uint8Array(16),
    },
    {
      rows: () => Promise.resolve(),
      progress: (progress) => {
        last = progress;
        if (progress.counters.framesRead >= frames) stop.abort();
      },
      warning: (message) => told.push(message),
      reporter: silentReporter,
    },
    stop.signal,
  );
  expect(last?.counters.framesRead).toBe(frames);
  return { last: last!, told };
}

it(
  'what was learned of an interface is there after a restart, and its frames are not counted again',
  async () => {
    const first = await watch('demo/learn.pcap.gz');
    expect(first.told.join()).not.toMatch(/restored/);
    const second = await watch('demo/attack-1.pcap.gz');
    expect(second.told.join()).toMatch(/restored [1-9]\d* devices, learned since/);
    expect(second.last.counters.devices).toBeGreaterThanOrEqual(first.last.counters.devices);
    expect(second.last.counters.streams.heldBytes).toBeGreaterThanOrEqual(0);
    // Only `--fresh` forgets, and what it learns is what is kept from then on.
    const forgot = await watch('demo/attack-1.pcap.gz', true);
    expect(forgot.told.join()).not.toMatch(/restored/);
    expect((await watch('demo/attack-1.pcap.gz')).told.join()).toMatch(
      new RegExp(`restored ${forgot.last.counters.devices} devices`),
    );
  },
  SLOW,
);
