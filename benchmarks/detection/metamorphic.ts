/**
 * Metamorphic check of detection: captures with ground truth under changes that must not matter. Prints, for
 * each change, which attacks were missed and which alerts of medium severity or above were false.
 *
 *   node benchmarks/detection/metamorphic.ts [--captures DIR] [--only NAME] [--change NAME] [--cold]
 *
 * --cold learns nothing first: what rules and declared knowledge find alone.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildHotPath } from '../../src/app/build.ts';
import type { HotPath } from '../../src/app/hot-path.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import { createFileSource } from '../../src/sources/index.ts';
import { lossy, readdressed, shifted, stretched, unchanged, untagged } from './transforms.ts';
import type { Transform } from './transforms.ts';

interface Party {
  readonly mac?: string;
  readonly ip?: string;
}
interface TruthEvent {
  readonly label: string;
  readonly kind: string;
  readonly start: number;
  readonly end: number;
  readonly attacker: Party | null;
  readonly victims: readonly Party[];
}

const MEDIUM = 3;
const CHANGES: readonly Transform[] = [
  unchanged,
  readdressed([10, 20], [172, 17]),
  shifted(-200_000_003),
  stretched(2),
  stretched(0.5),
  untagged(),
  lossy(2),
];

async function replay(hotPath: HotPath, file: string, change: Transform): Promise<void> {
  for await (const batch of createFileSource(file).batches()) hotPath.process(change.apply(batch));
}

async function alertsOf(learn: string | undefined, files: readonly string[], change: Transform): Promise<AlertRow[]> {
  const rows = new Map<string, AlertRow>();
  let watching = learn === undefined;
  const { hotPath } = await buildHotPath({
    config: loadConfig({ env: {} }).config,
    seed: 1,
    stage: 'all',
    productVersion: '0',
    output: { alert: (row) => watching && rows.set(row.uid, row) },
    onDetectorFailure: (id, reason) => console.error(`the detector ${id} failed: ${reason}`),
  });
  if (learn !== undefined) {
    await replay(hotPath, learn, change);
    hotPath.unobserved(hotPath.nowUs, hotPath.nowUs);
    hotPath.closeLearning();
    watching = true;
  }
  for (const file of files) {
    await replay(hotPath, file, change);
    // Nothing was watched until the next one.
    if (files.length > 1) hotPath.unobserved(hotPath.nowUs, hotPath.nowUs);
  }
  hotPath.finish();
  return [...rows.values()].filter((r) => r.severity_id >= MEDIUM);
}

function belongs(alert: AlertRow, event: TruthEvent, change: Transform): boolean {
  if (alert.start_time / 1000 > change.time(event.end) + 60 || alert.end_time / 1000 < change.time(event.start) - 10)
    return false;
  const text = alert.ocsf;
  return [...(event.attacker === null ? [] : [event.attacker]), ...event.victims].some(
    (p) =>
      (p.mac !== undefined && text.includes(`"${change.mac(p.mac)}"`)) ||
      (p.ip !== undefined && text.includes(`"${change.ip(p.ip)}"`)),
  );
}

const { values: args } = parseArgs({
  options: {
    captures: { type: 'string' },
    only: { type: 'string' },
    change: { type: 'string' },
    cold: { type: 'boolean', default: false },
  },
});
const folder = args.captures ?? fileURLToPath(new URL('../../../shared/captures/clinical', import.meta.url));
const learn = readdirSync(folder).find((f) => f.includes('benign-learn') && f.endsWith('.pcap.gz'));
if (learn === undefined) throw new Error(`no capture to learn from in ${folder}`);
const truths = readdirSync(folder).filter((f) => f.endsWith('.truth.json') && !f.includes('benign-learn'));

for (const change of CHANGES) {
  if (args.change !== undefined && !change.name.includes(args.change)) continue;
  let attacks = 0;
  const missed: string[] = [];
  const wrong: string[] = [];
  const late: number[] = [];
  for (const file of truths.sort()) {
    const name = file.replace('.truth.json', '');
    if (args.only !== undefined && !name.includes(args.only)) continue;
    const truth = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { events: TruthEvent[] };
    const events = truth.events.filter((e) => e.label === 'attack');
    const alerts = await alertsOf(
      args.cold ? undefined : join(folder, learn),
      [join(folder, `${name}.pcap.gz`)],
      change,
    );
    attacks += events.length;
    for (const event of events) {
      const mine = alerts.filter((a) => belongs(a, event, change));
      if (mine.length === 0) missed.push(event.kind);
      else late.push(Math.min(...mine.map((a) => a.time / 1000)) - change.time(event.start));
    }
    for (const alert of alerts)
      if (!events.some((e) => belongs(alert, e, change))) wrong.push(`${name}: ${alert.detector}: ${alert.message}`);
  }
  late.sort((a, b) => a - b);
  console.log(
    `${change.name}: ${attacks - missed.length} of ${attacks} attacks, median ${late[late.length >> 1]?.toFixed(1) ?? '-'} s` +
      `${missed.length > 0 ? `, missed ${missed.join(', ')}` : ''}; ${wrong.length} false alerts`,
  );
  for (const line of wrong) console.log(`  - ${line}`);
}

/** All captures as one site's, one after the other: what one did must not hide or raise what belongs to the next. */
if (args.change === undefined || 'joined'.includes(args.change)) {
  const all = truths
    .map((file) => ({
      path: join(folder, file.replace('.truth.json', '.pcap.gz')),
      truth: JSON.parse(readFileSync(join(folder, file), 'utf8')) as { start: number; events: TruthEvent[] },
    }))
    .filter(({ path }) => args.only === undefined || path.includes(args.only))
    .sort((a, b) => a.truth.start - b.truth.start);
  const alerts = await alertsOf(
    args.cold ? undefined : join(folder, learn),
    all.map((one) => one.path),
    unchanged,
  );
  const events = all.flatMap((one) => one.truth.events).filter((e) => e.label === 'attack');
  const missed = events.filter((e) => !alerts.some((a) => belongs(a, e, unchanged)));
  const wrong = alerts.filter((a) => !events.some((e) => belongs(a, e, unchanged)));
  console.log(
    `joined to one site: ${events.length - missed.length} of ${events.length} attacks` +
      `${missed.length > 0 ? `, missed ${missed.map((e) => e.kind).join(', ')}` : ''}; ${wrong.length} false alerts`,
  );
  for (const alert of wrong) console.log(`  - ${alert.detector}: ${alert.message}`);
}
