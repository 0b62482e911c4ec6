/**
 * Damaged frames through the hot path, many and for long.
 *
 *   node benchmarks/decode/fuzz.ts [--frames 50000000] [--seed 1] [--stage app|all] [--write]
 *
 * Every capture at ../shared/captures is damaged again and again, seeded (tests/support/damage.ts), and goes through
 * one hot path after the other. Looked for: an exception, a detector that failed, reading outside a frame (one in
 * eight rounds goes through two hot paths whose frames are followed by different bytes: their rows must be the same),
 * time per frame that grows with what is in it, memory that grows with the number of rounds. Exit code 1 where one
 * of the first three was found. --write puts the result into benchmarks/decode/FUZZ.md.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildHotPath } from '../../src/app/build.ts';
import type { HotPath } from '../../src/app/hot-path.ts';
import { loadConfig } from '../../src/config/index.ts';
import { dissectors } from '../../src/decode/app/registry.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { loadKnowledge } from '../../src/identity/load.ts';
import { copyBatch } from '../../src/kernel/frames.ts';
import type { FrameBatch } from '../../src/kernel/frames.ts';
import { createFileSource } from '../../src/sources/index.ts';
import { damaged } from '../../tests/support/damage.ts';

const { values: options } = parseArgs({
  options: {
    frames: { type: 'string', default: '50000000' },
    seed: { type: 'string', default: '1' },
    stage: { type: 'string', default: 'app' },
    write: { type: 'boolean', default: false },
  },
});
const CAPTURES = fileURLToPath(new URL('../../../shared/captures', import.meta.url));
const PAGE = fileURLToPath(new URL('FUZZ.md', import.meta.url));
const wanted = Number(options.frames);
const stage = options.stage === 'all' ? 'all' : 'app';
/** Larger captures would crowd out the many small ones that hold the protocols. */
const LARGEST_BYTES = 4_000_000;
/** Rounds through one hot path before it ends and a new one begins. */
const ROUNDS = 4;

if (!existsSync(CAPTURES)) {
  console.error('The captures are missing: put them at ../shared/captures beside the repository.');
  process.exit(1);
}
const batches: FrameBatch[] = [];
for (const file of readdirSync(CAPTURES, { recursive: true, encoding: 'utf8' }).sort()) {
  const path = join(CAPTURES, file);
  if (!/\.(pcap|pcapng|cap|trace)(\.gz|\.zst)?$/i.test(file) || statSync(path).size > LARGEST_BYTES) continue;
  for await (const batch of createFileSource(path).batches()) batches.push(copyBatch(batch));
}

const { config } = loadConfig({
  env: { WARDWATCH_HOTPATH__TRACK__MAX_FLOWS: '65536', WARDWATCH_HOTPATH__IDENTITY__MAX_DEVICES: '8192' },
});
const knowledge = loadKnowledge(loadClasses());
const failures = new Map<string, number>();
const events = new Set<string>();

interface Watched {
  readonly hotPath: HotPath;
  digest(): string;
}

async function open(digests: boolean): Promise<Watched> {
  const hash = createHash('sha256');
  const add = (row: unknown): void => void hash.update(JSON.stringify(row));
  const { hotPath } = await buildHotPath({
    config,
    seed: 1,
    stage,
    knowledge,
    productVersion: '',
    output: digests ? { flow: add, observation: add, alert: add } : {},
    onDetectorFailure: (id, reason) => failures.set(`${id}: ${reason}`, (failures.get(`${id}: ${reason}`) ?? 0) + 1),
  });
  return { hotPath, digest: () => hash.digest('hex') };
}

let frames = 0;
let round = 0;
let outside = 0;
let worstUs = 0;
let worst = '';
const rss: number[] = [];
const started = process.cpuUsage();
let thrown: string | undefined;
while (frames < wanted && thrown === undefined) {
  // One hot path with each poison; the second only in some rounds, it costs as much as the first.
  const twice = round % (ROUNDS * 8) === 0;
  const one = await open(twice);
  const other = twice ? await open(true) : undefined;
  try {
    for (let r = 0; r < ROUNDS && frames < wanted; r++, round++)
      for (let b = 0; b < batches.length; b++) {
        const seed = Number(options.seed) * 1_000_003 + round * 7919 + b;
        const batch = damaged(batches[b]!, seed, 0x00);
        const before = process.cpuUsage();
        one.hotPath.process(batch);
        const { user, system } = process.cpuUsage(before);
        const us = (user + system) / Math.max(64, batch.count);
        if (us > worstUs) [worstUs, worst] = [us, batches[b]!.origin];
        frames += batch.count;
        other?.hotPath.process(damaged(batches[b]!, seed, 0xff));
      }
    one.hotPath.finish();
    other?.hotPath.finish();
  } catch (error) {
    thrown = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  for (const event of Object.keys(one.hotPath.counters().appEvents)) events.add(event);
  if (other !== undefined && one.digest() !== other.digest()) outside++;
  rss.push(process.memoryUsage.rss() / 1_048_576);
  if (rss.length % 8 === 1)
    process.stderr.write(`${(frames / 1e6).toFixed(1)} M of ${wanted / 1e6} M frames, ${rss.at(-1)!.toFixed(0)} MiB\n`);
}
const used = process.cpuUsage(started);
const cpuSeconds = (used.user + used.system) / 1e6;
const declared = [...new Set(dissectors.flatMap((d) => [...d.events]))].sort();
const missing = declared.filter((event) => !events.has(event));
const third = Math.max(1, Math.floor(rss.length / 3));
const mean = (of: readonly number[]): number => of.reduce((sum, x) => sum + x, 0) / of.length;
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();

const page = `# Damaged frames

Written by \`node benchmarks/decode/fuzz.ts --frames ${wanted} --seed ${options.seed} --stage ${stage} --write\` at
commit ${commit}.

| what | result |
| --- | --- |
| damaged frames through the hot path (stage ${stage}) | ${frames.toLocaleString('en')} of ${batches.length} batches, seed ${options.seed} |
| exceptions | ${thrown === undefined ? 'none' : '1'} |
| detectors that failed | ${failures.size === 0 ? 'none' : failures.size} |
| rounds in which bytes outside a frame changed a row | ${outside} |
| CPU time | ${cpuSeconds.toFixed(0)} s, damaging included |
| longest CPU time of a batch (of at least 64 frames), per frame, with whatever the collector did | ${worstUs.toFixed(0)} µs (${basename(worst)}) |
| resident memory, first and last third of the run | ${mean(rss.slice(0, third)).toFixed(0)} and ${mean(rss.slice(-third)).toFixed(0)} MiB |
| decode events reached | ${declared.length - missing.length} of ${declared.length} declared |

${missing.length === 0 ? '' : `Not reached: ${missing.map((event) => `\`${event}\``).join(', ')}.\n`}`;
process.stdout.write(page);
for (const [what, n] of failures) console.log(`${n} times ${what}`);
if (thrown !== undefined) console.log(thrown);
if (options.write) writeFileSync(PAGE, page);
if (thrown !== undefined || failures.size > 0 || outside > 0) process.exitCode = 1;
