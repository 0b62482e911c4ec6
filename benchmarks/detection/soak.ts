/**
 * Soak of detection on a simulated site: learns a day, watches days that hold legitimate changes only and counts
 * what was raised for nothing; then days with attacks: which were found, and how soon.
 *
 *   node benchmarks/detection/soak.ts [--seeds 1,2,3] [--devices 200] [--learn 24] [--watch 72] [--thin 30]
 *                                     [--part benign|attacks] [--keep DIR] [--write]
 *
 * With --keep the outcome of every benign run is kept in DIR, and the table is made of all that lie there: runs of
 * other hours, seeds and sizes of site add up, and what has run already is not run again.
 *
 * Rates below a minute are thinned (--thin), so a run takes minutes; real traffic is denser. Nothing may be tuned on
 * the outcome: the simulator is a check, not a teacher. With --write the tables go into benchmarks/detection/SOAK.md.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildHotPath } from '../../src/app/build.ts';
import { isAlert } from '../../src/alerts/correlator.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import { ATTACK_GROUPS, createSimulation } from '../../src/simulate/index.ts';
import type { SimulationOptions, Truth, TruthEvent } from '../../src/simulate/index.ts';

const LOW = 2;
const MEDIUM = 3;
/** An alert belongs to an event when their times overlap within these margins, seconds. */
const BEFORE_S = 10;
const AFTER_S = 600;
/** A Monday. */
const START_S = Date.UTC(2026, 2, 2) / 1000;
const DAY_S = 86_400;

interface Outcome {
  readonly seed: number;
  readonly truth: Truth;
  /** Of the time that was watched. */
  readonly alerts: AlertRow[];
  readonly deviceDays: number;
  readonly seconds: number;
}

async function run(options: SimulationOptions): Promise<Outcome> {
  const started = performance.now();
  const simulation = createSimulation(options);
  const rows = new Map<string, AlertRow>();
  const { hotPath } = await buildHotPath({
    config: loadConfig({ env: {} }).config,
    seed: options.seed,
    stage: 'all',
    productVersion: '0',
    output: { alert: (row) => rows.set(row.uid, row) },
    onDetectorFailure: (id, reason) => console.error(`the detector ${id} failed: ${reason}`),
  });
  const learnedUs = (options.startS + options.quietHours * 3600) * 1e6;
  for await (const batch of simulation.batches()) {
    hotPath.process(batch);
    if (!hotPath.learningClosed && hotPath.nowUs >= learnedUs) hotPath.closeLearning();
  }
  hotPath.finish();
  const truth = simulation.truth();
  const endS = options.startS + options.hours * 3600;
  let deviceDays = 0;
  for (const device of truth.devices)
    deviceDays += (endS - Math.max(device.present_from ?? 0, learnedUs / 1e6)) / DAY_S;
  const seconds = (performance.now() - started) / 1000;
  return {
    seed: options.seed,
    truth,
    alerts: [...rows.values()].filter((r) => r.time * 1000 >= learnedUs),
    deviceDays,
    seconds,
  };
}

/** A benign run as it is kept: what was raised, each with what happened there. */
interface BenignRun {
  readonly commit: string;
  readonly seed: number;
  readonly devices: number;
  readonly watch: number;
  readonly deviceDays: number;
  readonly frames: number;
  readonly seconds: number;
  readonly raised: readonly (Pick<AlertRow, 'detector' | 'severity_id' | 'device_type' | 'message' | 'time'> & {
    readonly change: string;
    readonly alert: boolean;
  })[];
}

async function benignRun(options: SimulationOptions, commit: string): Promise<BenignRun> {
  const result = await run(options);
  return {
    commit,
    seed: options.seed,
    devices: options.devices,
    watch: options.hours - options.quietHours,
    deviceDays: result.deviceDays,
    frames: result.truth.frames,
    seconds: result.seconds,
    raised: result.alerts.map((row) => ({
      detector: row.detector,
      severity_id: row.severity_id,
      device_type: row.device_type,
      message: row.message,
      time: row.time,
      change: changeOf(row, result.truth),
      alert: isAlert(row),
    })),
  };
}

/** Upper end of the one-sided 95 % interval for the mean of a Poisson variable that was `n` once. */
function upper95(n: number): number {
  let low = n;
  let high = n + 10 + 5 * Math.sqrt(n + 1);
  for (let i = 0; i < 60; i++) {
    const mean = (low + high) / 2;
    let term = Math.exp(-mean);
    let sum = term;
    for (let k = 1; k <= n; k++) sum += term *= mean / k;
    if (sum > 0.05) low = mean;
    else high = mean;
  }
  return high;
}

function names(alert: AlertRow, event: TruthEvent): boolean {
  const parties = [...(event.attacker === null ? [] : [event.attacker]), ...event.victims];
  return parties.some((p) => alert.ocsf.includes(`"${p.mac}"`) || alert.ocsf.includes(`"${p.ip}"`));
}

function overlaps(alert: AlertRow, event: TruthEvent): boolean {
  return alert.start_time / 1000 <= event.end + AFTER_S && alert.end_time / 1000 >= event.start - BEFORE_S;
}

/** The legitimate change that an alert speaks of, if any; what stays changes the site for good. */
function changeOf(alert: AlertRow, truth: Truth): string {
  const persists = (e: TruthEvent): boolean =>
    e.details['persists'] !== undefined && alert.start_time / 1000 >= e.start - BEFORE_S;
  const event = truth.events.find(
    (e) => e.label === 'benign' && (overlaps(alert, e) || persists(e)) && names(alert, e),
  );
  return event?.kind ?? 'everyday traffic';
}

/** Sentence without what differs from device to device. */
function shapeOf(text: string): string {
  return text
    .replace(/\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b/g, '<mac>')
    .replace(/\b\d{1,3}(\.\d{1,3}){3}\b/g, '<ip>')
    .replace(/\b[\w-]+(\.[\w-]+)*\.example\b/g, '<name>')
    .replace(/\b[a-zA-Z0-9]+-\d+-\d+\b/g, '<device>')
    .replace(/\d[\d.,]*/g, 'N');
}

const { values: args } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1,2,3' },
    devices: { type: 'string', default: '200' },
    learn: { type: 'string', default: '24' },
    watch: { type: 'string', default: '72' },
    thin: { type: 'string', default: '30' },
    part: { type: 'string' },
    keep: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const seeds = args.seeds.split(',').map(Number);
const learn = Number(args.learn);
const watch = Number(args.watch);
const common = { devices: Number(args.devices), startS: START_S, quietHours: learn, thin: Number(args.thin) };
const out: string[] = [];
const say = (line = ''): void => {
  out.push(line);
  console.log(line);
};

say('# Soak on a simulated site');
say();
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
say(`Commit ${commit}, Node ${process.version}, seeds ${args.seeds}: \`node benchmarks/detection/soak.ts\`.`);
say();
say(
  `A site learns ${learn} h of event time, then learning is closed. Traffic is thinner than life: ` +
    `periods below a minute are ${args.thin} times longer. Nothing was tuned on this.`,
);

if (args.part !== 'attacks') {
  const runs: BenignRun[] = [];
  if (args.keep !== undefined) mkdirSync(args.keep, { recursive: true });
  for (const seed of seeds) {
    const name = `benign-${args.devices}x${learn}+${watch}-thin${args.thin}-${seed}.json`;
    if (args.keep !== undefined && readdirSync(args.keep).includes(name)) continue;
    const result = await benignRun({ ...common, hours: learn + watch, seed, attacks: [], changes: true }, commit);
    if (args.keep === undefined) runs.push(result);
    else writeFileSync(join(args.keep, name), JSON.stringify(result));
    console.error(
      `seed ${seed}: ${result.raised.filter((r) => r.alert).length} alerts, ${result.deviceDays.toFixed(0)} device-days, ${result.frames} frames, ${result.seconds.toFixed(0)} s`,
    );
  }
  if (args.keep !== undefined)
    for (const file of readdirSync(args.keep).sort())
      if (file.startsWith('benign-')) runs.push(JSON.parse(readFileSync(join(args.keep, file), 'utf8')) as BenignRun);
  const deviceDays = runs.reduce((sum, r) => sum + r.deviceDays, 0);
  const frames = runs.reduce((sum, r) => sum + r.frames, 0);
  const raised = runs.flatMap((r) => r.raised.map((row) => ({ ...row, seed: r.seed })));
  const alerts = raised.filter((row) => row.alert);
  const notices = raised.filter((row) => !row.alert);
  say();
  say('## Benign: legitimate changes only');
  say();
  say(
    `${deviceDays.toFixed(0)} device-days watched (devices present x days), ${frames} frames with those of learning.`,
  );
  say();
  say('| site | hours watched | seeds | device-days | alerts | commit |');
  say('| --- | --- | --- | --- | --- | --- |');
  const kinds = Map.groupBy(runs, (r) => `${r.devices} devices | ${r.watch}`);
  for (const [kind, of] of kinds) {
    const n = of.reduce((sum, r) => sum + r.raised.filter((row) => row.alert).length, 0);
    const days = of.reduce((sum, r) => sum + r.deviceDays, 0).toFixed(0);
    const commits = [...new Set(of.map((r) => r.commit))].join(', ');
    say(`| ${kind} | ${of.map((r) => r.seed).join(', ')} | ${days} | ${n} | ${commits} |`);
  }
  say();
  say('| what | rows | per device-day | upper 95 % bound | goal |');
  say('| --- | --- | --- | --- | --- |');
  for (const [label, n, goal] of [
    ['alerts (medium and above)', alerts.length, '0.005'],
    ['notices: low', notices.filter((a) => a.severity_id === LOW).length, ''],
    ['notices: informational', notices.filter((a) => a.severity_id < LOW).length, ''],
  ] as const)
    say(`| ${label} | ${n} | ${(n / deviceDays).toFixed(4)} | ${(upper95(n) / deviceDays).toFixed(4)} | ${goal} |`);
  const groups = new Map<string, { n: number; example: (typeof raised)[number]; cells: string[] }>();
  for (const row of [...alerts, ...notices]) {
    const cells = [row.detector, String(row.severity_id), row.change, row.device_type];
    const key = [...cells, shapeOf(row.message)].join('|');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { n: 1, example: row, cells });
    else group.n++;
  }
  say();
  say(
    'What was raised, worst first, notices included (one row a device and day, shown by its leading sentence); sentences ' +
      'that differ only in addresses and numbers are counted together.',
  );
  say();
  say('| rows | severity | detector | what the traffic was | device | an example |');
  say('| --- | --- | --- | --- | --- | --- |');
  const sorted = [...groups.values()].sort(
    (a, b) => b.example.severity_id - a.example.severity_id || b.n - a.n || (a.cells.join() < b.cells.join() ? -1 : 1),
  );
  for (const { n, example, cells } of sorted) {
    const when = new Date(example.time).toISOString().slice(0, 19);
    const text = example.message.replaceAll('|', '\\|');
    say(`| ${n} | ${cells[1]} | ${cells[0]} | ${cells[2]} | ${cells[3]} | ${text} (seed ${example.seed}, ${when}) |`);
  }
}

if (args.part !== 'benign') {
  const found = new Map<
    string,
    { runs: number; hits: number; seconds: number[]; alerts: number[]; detectors: Set<string> }
  >();
  let besides = 0;
  for (const seed of seeds) {
    const result = await run({
      ...common,
      hours: learn + 24,
      seed: seed + 1000,
      attacks: ATTACK_GROUPS,
      changes: false,
    });
    const attacks = result.truth.events.filter((e) => e.label === 'attack');
    const serious = result.alerts.filter((a) => a.severity_id >= MEDIUM);
    for (const event of attacks) {
      let entry = found.get(event.kind);
      if (entry === undefined)
        found.set(event.kind, (entry = { runs: 0, hits: 0, seconds: [], alerts: [], detectors: new Set() }));
      entry.runs++;
      const mine = serious.filter(
        (a) => overlaps(a, event) && a.time / 1000 >= event.start - BEFORE_S && names(a, event),
      );
      entry.alerts.push(mine.length);
      if (mine.length === 0) continue;
      entry.hits++;
      entry.seconds.push(Math.min(...mine.map((a) => a.time / 1000)) - event.start);
      for (const a of mine) entry.detectors.add(a.detector);
    }
    besides += serious.filter((a) => !attacks.some((e) => overlaps(a, e) && names(a, e))).length;
    console.error(
      `seed ${seed + 1000}: ${serious.length} alerts, ${result.truth.frames} frames, ${result.seconds.toFixed(0)} s`,
    );
  }
  say();
  say('## Attacks');
  say();
  say(
    'Each kind once in 24 h after learning, other seeds than above, no changes. Found: an alert of medium severity or above ' +
      `that names a party, from ${BEFORE_S} s before to ${AFTER_S} s after the attack. An alert of something else about a busy ` +
      'attacker may count too, so read the detectors.',
  );
  say();
  say('| attack | found | seconds to detect (median) | alerts (median) | detectors |');
  say('| --- | --- | --- | --- | --- |');
  let hits = 0;
  let runs = 0;
  for (const [kind, e] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hits += e.hits;
    runs += e.runs;
    const seconds = e.seconds.length === 0 ? '-' : median(e.seconds).toFixed(1);
    say(
      `| ${kind} | ${e.hits} of ${e.runs} | ${seconds} | ${median(e.alerts)} | ${[...e.detectors].sort().join(', ')} |`,
    );
  }
  say();
  say(`${hits} of ${runs} found; ${besides} alerts of medium severity or above belong to no attack.`);
}
if (args.write) writeFileSync(new URL('SOAK.md', import.meta.url), `${out.join('\n')}\n`);

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  return (sorted[(n - 1) >> 1]! + sorted[n >> 1]!) / 2;
}
