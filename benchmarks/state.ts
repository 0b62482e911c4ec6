/**
 * State of a simulated site: how large it is, how long the hot path stands still for a snapshot, how long another
 * process needs to take it over. Times of the clock and of the processor, which differ on a busy machine.
 *
 *   node --expose-gc benchmarks/state.ts [--devices 10000] [--hours 0.5] [--thin 20] [--rounds 5]
 *
 * What was measured last stands in benchmarks/STATE.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildHotPath } from '../src/app/build.ts';
import type { HotPath } from '../src/app/hot-path.ts';
import { STATE_CLASSES } from '../src/app/hot-path-state.ts';
import { loadConfig } from '../src/config/index.ts';
import { silentReporter } from '../src/kernel/component.ts';
import { createSimulation } from '../src/simulate/index.ts';
import { StateReader, StateWriter } from '../src/state/codec.ts';
import { createFolderStore } from '../src/state/folder.ts';
import { createStateKeeper } from '../src/state/keeper.ts';

const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '10000' },
    hours: { type: 'string', default: '0.5' },
    thin: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '5' },
  },
});
const DEVICES = Number(values.devices);
const ROUNDS = Number(values.rounds);
const { config } = loadConfig({ env: {} });
const nothing = (): void => {};

async function open(): Promise<HotPath> {
  const { hotPath } = await buildHotPath({
    config,
    seed: 1,
    stage: 'all',
    productVersion: '0',
    output: { alert: nothing, device: nothing, flow: nothing, observation: nothing, score: nothing, window: nothing },
    onDetectorFailure: (id, reason) => {
      throw new Error(`${id}: ${reason}`);
    },
  });
  return hotPath;
}

/** Milliseconds of the clock and of the processor, all threads. */
async function timed<T>(act: () => T | Promise<T>): Promise<{ result: T; ms: number; cpuMs: number }> {
  globalThis.gc?.();
  const cpu = process.cpuUsage();
  const began = performance.now();
  const result = await act();
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  return { result, ms, cpuMs: (user + system) / 1000 };
}

const folder = mkdtempSync(join(tmpdir(), 'wardwatch-state-'));
try {
  const path = await open();
  let frames = 0;
  const site = createSimulation({
    devices: DEVICES,
    hours: Number(values.hours),
    seed: 4,
    startS: 1_780_000_000,
    thin: Number(values.thin),
    quietHours: 0,
    attacks: [],
    changes: false,
  });
  for await (const batch of site.batches()) {
    path.process(batch);
    frames += batch.count;
  }
  const { devices, openFlows } = path.counters();
  console.log(`${devices} devices, ${openFlows} open conversations, after ${frames} frames`);

  const keeper = createStateKeeper(createFolderStore(folder), { keys: new Map(), reporter: silentReporter });
  const rows = new Map<string, { ms: number; cpuMs: number }[]>();
  const note = (name: string, { ms, cpuMs }: { ms: number; cpuMs: number }): void => {
    const all = rows.get(name) ?? [];
    all.push({ ms, cpuMs });
    rows.set(name, all);
  };
  let bytes = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const lease = await keeper.take('site');
    const snapshot = await timed(() => {
      const writer = new StateWriter(STATE_CLASSES);
      path.save(writer, 300e6);
      return writer.finish();
    });
    note('snapshot: the hot path stands still', snapshot);
    bytes = snapshot.result.reduce((sum, block) => sum + block.length, 0);
    const point = { offset: BigInt(round), rewindOffset: BigInt(round), eventUs: path.nowUs, marks: [], devices };
    note('store: compress and write to the folder', await timed(() => lease.save(snapshot.result, point)));
    const read = await timed(() => keeper.take('site'));
    note('restore: read, check, unpack', read);
    const fresh = await open();
    const restored = await timed(() => fresh.restore(new StateReader(read.result.found!.blocks, STATE_CLASSES)));
    note('restore: into a hot path', restored);
    note('restore, both', { ms: read.ms + restored.ms, cpuMs: read.cpuMs + restored.cpuMs });
    if (fresh.counters().devices !== devices) throw new Error('devices are missing after the restore');
  }
  const store = createFolderStore(folder);
  const names = (await store.list('site')).filter((name) => name.endsWith('.chunk')).sort();
  const newest = names.at(-1)!.replace(/-\d+\.chunk$/, '');
  let packed = 0;
  for (const name of names) if (name.startsWith(newest)) packed += (await store.read('site', name))!.length;
  console.log(
    `${bytes} bytes of state, ${packed} stored; a device: ${Math.round(bytes / devices)}, ${Math.round(packed / devices)} stored`,
  );
  console.log('step, clock ms (least, median), processor ms (least, median)');
  for (const [name, all] of rows) {
    const of = (kind: 'ms' | 'cpuMs'): string => {
      const sorted = all.map((row) => row[kind]).sort((a, b) => a - b);
      return `${Math.round(sorted[0]!)}, ${Math.round(sorted[sorted.length >> 1]!)}`;
    };
    console.log(`${name}, ${of('ms')}, ${of('cpuMs')}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
