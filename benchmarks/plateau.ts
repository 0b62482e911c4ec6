/**
 * Does memory stand still? One hour of event time of everything at hand, compressed into minutes.
 *
 *   node --expose-gc benchmarks/plateau.ts [--minutes 60] [--stage all] [--write]
 *
 * The frames of every capture at ../shared/captures are laid into one minute, in order of their time within it, and
 * that minute is played again and again, each time 60 seconds later: the same devices, ever new connections from the
 * view of tables that forget. After each minute the heap is measured behind a full collection, beside the tables.
 * Exit code 1 where the heap of the last quarter is more than a tenth above that of the second, or a table passed its
 * cap. --write puts the result into benchmarks/PLATEAU.md.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildHotPath } from '../src/app/build.ts';
import { loadConfig } from '../src/config/index.ts';
import { copyBatch, createFrameBatch } from '../src/kernel/frames.ts';
import type { FrameBatch } from '../src/kernel/frames.ts';
import { createFileSource } from '../src/sources/index.ts';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    stage: { type: 'string', default: 'all' },
    write: { type: 'boolean', default: false },
  },
});
const CAPTURES = fileURLToPath(new URL('../../shared/captures', import.meta.url));
const PAGE = fileURLToPath(new URL('PLATEAU.md', import.meta.url));
const MINUTE_US = 60e6;
/** 1 January 2026, so that no capture's own year matters. */
const START_US = 1_767_225_600e6;
const LARGEST_BYTES = 4_000_000;
const BATCH = 4096;

const collect = globalThis.gc;
if (collect === undefined || !existsSync(CAPTURES)) {
  console.error('run it with node --expose-gc, and with the captures at ../shared/captures beside the repository');
  process.exit(1);
}

interface Where {
  readonly batch: FrameBatch;
  readonly i: number;
  readonly atUs: number;
}
const frames: Where[] = [];
for (const file of readdirSync(CAPTURES, { recursive: true, encoding: 'utf8' }).sort()) {
  const path = join(CAPTURES, file);
  if (!/\.(pcap|pcapng|cap|trace)(\.gz|\.zst)?$/i.test(file) || statSync(path).size > LARGEST_BYTES) continue;
  let first = -1;
  for await (const read of createFileSource(path).batches()) {
    const batch = copyBatch(read);
    if (first < 0 && batch.count > 0) first = batch.tsUs[0]!;
    for (let i = 0; i < batch.count; i++) {
      const since = Math.max(0, batch.tsUs[i]! - first);
      frames.push({ batch, i, atUs: since % MINUTE_US });
    }
  }
}
frames.sort((a, b) => a.atUs - b.atUs);
const minute: FrameBatch[] = [];
for (let at = 0; at < frames.length; at += BATCH) {
  const part = frames.slice(at, at + BATCH);
  const size = part.reduce((sum, { batch, i }) => sum + batch.capLen[i]!, 0);
  const out = createFrameBatch(part.length, new Uint8Array(size));
  let offset = 0;
  part.forEach(({ batch, i, atUs }, k) => {
    const from = batch.offset[i]!;
    out.bytes.set(batch.bytes.subarray(from, from + batch.capLen[i]!), offset);
    out.offset[k] = offset;
    out.capLen[k] = batch.capLen[i]!;
    out.wireLen[k] = batch.wireLen[i]!;
    out.linkType[k] = batch.linkType[i]!;
    out.tsUs[k] = START_US + atUs;
    offset += batch.capLen[i]!;
  });
  out.count = part.length;
  minute.push(out);
}
const perMinute = frames.length;
frames.length = 0;

const { config } = loadConfig({ env: {} });
const { hotPath } = await buildHotPath({
  config,
  seed: 1,
  stage: options.stage === 'app' ? 'app' : 'all',
  productVersion: '',
  output: {},
});
const minutes = Number(options.minutes);
const samples: { heapMib: number; rssMib: number; flows: number; devices: number }[] = [];
const before = process.cpuUsage();
for (let m = 0; m < minutes; m++) {
  for (const batch of minute) {
    hotPath.process(batch);
    for (let i = 0; i < batch.count; i++) batch.tsUs[i] = batch.tsUs[i]! + MINUTE_US;
  }
  if (m === Math.floor(minutes / 4)) hotPath.closeLearning();
  collect();
  const { heapUsed, external, rss } = process.memoryUsage();
  const { openFlows, devices } = hotPath.counters();
  samples.push({ heapMib: (heapUsed + external) / 1_048_576, rssMib: rss / 1_048_576, flows: openFlows, devices });
  if (m % 10 === 9)
    process.stderr.write(`minute ${m + 1}: ${samples.at(-1)!.heapMib.toFixed(0)} MiB, ${openFlows} open flows\n`);
}
const used = process.cpuUsage(before);
const mean = (from: number, to: number): number => {
  const part = samples.slice(from, to);
  return part.reduce((sum, s) => sum + s.heapMib, 0) / part.length;
};
const quarter = Math.max(1, Math.floor(minutes / 4));
const second = mean(quarter, quarter * 2);
const last = mean(minutes - quarter, minutes);
const flowsCap = config.hotPath.track.max_flows;
const devicesCap = config.hotPath.identity.max_devices;
const bounded = samples.every((s) => s.flows <= flowsCap && s.devices <= devicesCap);
const flat = last <= second * 1.1;
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const rows = samples
  .map((s, m) => ({ ...s, m: m + 1 }))
  .filter(({ m }) => m === 1 || m % Math.max(1, Math.floor(minutes / 12)) === 0)
  .map((s) => `| ${s.m} | ${s.heapMib.toFixed(0)} | ${s.rssMib.toFixed(0)} | ${s.flows} | ${s.devices} |`);

const page = `# Memory over an hour

Written by \`node --expose-gc benchmarks/plateau.ts --minutes ${minutes} --stage ${options.stage} --write\` at commit ${commit}:
${perMinute.toLocaleString('en')} frames of all captures laid into one minute and played ${minutes} times, ${(perMinute * minutes).toLocaleString('en')} frames in
${((used.user + used.system) / 1e6).toFixed(0)} CPU seconds. Heap and array buffers are measured behind a full collection.

| minute of event time | heap and buffers, MiB | resident, MiB | open flows | devices |
| ---: | ---: | ---: | ---: | ---: |
${rows.join('\n')}

Mean of the second quarter ${second.toFixed(0)} MiB, of the last ${last.toFixed(0)} MiB: ${flat ? 'it stands still' : 'IT GROWS'}.
Caps: ${flowsCap.toLocaleString('en')} flows, ${devicesCap.toLocaleString('en')} devices; ${bounded ? 'kept' : 'NOT KEPT'}.
`;
process.stdout.write(page);
if (options.write) writeFileSync(PAGE, page);
if (!flat || !bounded) process.exitCode = 1;
