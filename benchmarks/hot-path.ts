/**
 * Packets a CPU second of the hot path, stage by stage, as a ratio to the reference loop run in the same round.
 *
 *   node benchmarks/hot-path.ts FILE [--rounds N] [--stages flows,app] [--check | --store]
 *
 * `--check` fails where a stage takes clearly more CPU time, as a multiple of the reference loop's, than
 * benchmarks/ratios.json says for a capture of this name; `--store` writes what was measured there (in a commit of
 * its own, which says why).
 *
 * Captures: any classic pcap; the published figures are of the mixed, small and bulk captures described in
 * benchmarks/RESULTS.md. One core: pin it (`taskset -c 1`) where the machine has others at work.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    stages: { type: 'string', default: 'read,decode,flows,app,all' },
    times: { type: 'string', default: '4' },
    check: { type: 'boolean', default: false },
    store: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const file = positionals[0];
if (file === undefined) throw new Error('name a capture file');
const STAGES = values.stages.split(',');
/** Ratios of a busy machine differ by a quarter from round to round: the best of the rounds is compared, with this much room. */
const ROOM = 1.3;
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

interface Figure {
  cpu_seconds: number;
  packets_per_cpu_second: number;
  rss_mib?: number;
}

function run(args: string[]): Figure {
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Figure;
}

const figures = new Map<string, Figure[]>();
for (let round = 0; round < Number(values.rounds); round++) {
  const note = (name: string, figure: Figure): void => {
    figures.set(name, [...(figures.get(name) ?? []), figure]);
  };
  note('reference', run([here('reference-loop.ts'), file]));
  for (const stage of STAGES)
    note(stage, run([here('../bin/wardwatch.js'), 'bench', '--json', '--times', values.times, '--stage', stage, file]));
}

const middle = (numbers: number[]): number => numbers.sort((a, b) => a - b)[numbers.length >> 1]!;
const reference = figures.get('reference')!;
process.stdout.write(`${basename(file)}, ${values.rounds} rounds, Node ${process.versions.node}\n\n`);
process.stdout.write(
  '| stage | packets a CPU second | best | CPU time, reference = 1 | memory, MiB |\n| --- | ---: | ---: | ---: | ---: |\n',
);
for (const [name, list] of figures) {
  const rates = list.map((f) => f.packets_per_cpu_second);
  const ratios = list.map((f, i) => f.cpu_seconds / reference[i]!.cpu_seconds);
  const memory = Math.max(...list.map((f) => f.rss_mib ?? 0));
  process.stdout.write(
    `| ${name} | ${middle([...rates]).toLocaleString('en-US')} | ${Math.max(...rates).toLocaleString('en-US')} | ` +
      `${middle(ratios).toFixed(2)} | ${memory === 0 ? '' : memory} |\n`,
  );
}

const stored = JSON.parse(readFileSync(here('ratios.json'), 'utf8')) as Record<string, Record<string, number>>;
const name = basename(file);
const best = (list: Figure[]): number => Math.min(...list.map((f) => f.cpu_seconds));
const ratios = Object.fromEntries(
  STAGES.map((stage) => [stage, Math.round((best(figures.get(stage)!) / best(reference)) * 100) / 100]),
);
if (values.store) {
  stored[name] = { ...stored[name], ...ratios };
  writeFileSync(here('ratios.json'), `${JSON.stringify(stored, null, 2)}\n`);
}
if (values.check) {
  for (const [stage, ratio] of Object.entries(ratios)) {
    const before = stored[name]?.[stage];
    const isSlower = before !== undefined && ratio > before * ROOM;
    process.stdout.write(
      `${stage}: ${ratio} of the reference, stored ${before ?? 'nothing'}${isSlower ? ': SLOWER' : ''}\n`,
    );
    if (isSlower) process.exitCode = 1;
  }
}
