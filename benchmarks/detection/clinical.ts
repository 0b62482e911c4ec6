/**
 * Scorecard of detection on the captures with ground truth: learns the benign day anew for every capture,
 * replays the capture and compares the alerts of medium severity and above with what really happened.
 *
 *   node benchmarks/detection/clinical.ts [--captures DIR] [--only NAME] [--ablation] [--write]
 *
 * With --ablation each attack is played again without the detector that led its alert.
 *
 * With --write the table goes into benchmarks/detection/RESULTS.md.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadConfig } from '../../src/config/index.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import { buildHotPath } from '../../src/app/build.ts';
import type { HotPath } from '../../src/app/hot-path.ts';
import { createFileSource } from '../../src/sources/index.ts';

const MEDIUM = 3;
/** An alert belongs to an event when their times overlap within these margins, seconds. */
const BEFORE_S = 10;
const AFTER_S = 60;

interface Party {
  readonly mac?: string;
  readonly ip?: string;
}
interface TruthEvent {
  readonly id: string;
  readonly label: string;
  readonly kind: string;
  readonly start: number;
  readonly end: number;
  readonly attacker: Party | null;
  readonly victims: readonly Party[];
}
interface Truth {
  readonly kind: string;
  readonly events: readonly TruthEvent[];
  readonly start: number;
  readonly end: number;
  readonly devices: readonly object[];
}
interface Alert {
  readonly time: number;
  readonly start_time: number;
  readonly end_time: number;
  readonly severity_id: number;
  readonly message?: string;
  readonly device: Party;
  readonly finding_info: { readonly title: string; readonly analytic: { readonly uid: string } };
  readonly evidences?: readonly { readonly src_endpoint?: Party; readonly dst_endpoint?: Party }[];
}

/** Of the benign capture: length of the window in seconds, p-value. */
const pValues: [number, number][] = [];

interface Line {
  readonly capture: string;
  readonly event: string;
  readonly detected: boolean;
  readonly seconds: number | undefined;
  readonly detectors: readonly string[];
  readonly alerts: number;
}

async function replay(hotPath: HotPath, file: string): Promise<void> {
  for await (const batch of createFileSource(file).batches()) hotPath.process(batch);
}

/** Alerts on `file` after learning `learn`; what was said while learning is not asked here. */
async function alertsOf(learn: string, file: string, without: readonly string[] = []): Promise<Alert[]> {
  const rows = new Map<string, AlertRow>();
  let learned = false;
  const { config } = loadConfig({ env: {} });
  const { hotPath } = await buildHotPath({
    config: { ...config, detection: { ...config.detection, disabled: [...without] } },
    seed: 1,
    stage: 'all',
    productVersion: '0',
    output: {
      alert: (row) => {
        if (learned) rows.set(row.uid, row);
      },
      score: (row) => {
        if (learned && file.includes('benign')) pValues.push([row.window_s, row.p_value]);
      },
    },
    onDetectorFailure: (id, reason) => console.error(`the detector ${id} failed: ${reason}`),
  });
  await replay(hotPath, learn);
  hotPath.unobserved(hotPath.nowUs, hotPath.nowUs);
  hotPath.closeLearning();
  learned = true;
  await replay(hotPath, file);
  hotPath.finish();
  return [...rows.values()].map((row) => JSON.parse(row.ocsf) as Alert).sort((a, b) => a.time - b.time);
}

function same(a: Party | undefined, b: Party): boolean {
  if (a === undefined) return false;
  return (a.mac !== undefined && a.mac === b.mac) || (a.ip !== undefined && a.ip === b.ip);
}

function belongs(alert: Alert, event: TruthEvent): boolean {
  if (alert.start_time / 1000 > event.end + AFTER_S || alert.end_time / 1000 < event.start - BEFORE_S) return false;
  const parties = [alert.device, ...(alert.evidences ?? []).flatMap((e) => [e.src_endpoint, e.dst_endpoint])];
  const sought = [...(event.attacker === null ? [] : [event.attacker]), ...event.victims];
  return parties.some((p) => sought.some((s) => same(p, s)));
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  return n === 0 ? Number.NaN : (sorted[(n - 1) >> 1]! + sorted[n >> 1]!) / 2;
}

const { values: args } = parseArgs({
  options: {
    ablation: { type: 'boolean', default: false },
    captures: { type: 'string' },
    only: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const folder = args.captures ?? fileURLToPath(new URL('../../../shared/captures/clinical', import.meta.url));
const learn = readdirSync(folder).find((f) => f.includes('benign-learn') && f.endsWith('.pcap.gz'));
if (learn === undefined) throw new Error(`no capture to learn from in ${folder}`);
const truths = readdirSync(folder).filter((f) => f.endsWith('.truth.json') && !f.includes('benign-learn'));

const lines: Line[] = [];
/** What finds an attack when the detector that led its first alert is off. */
const left: { event: string; off: string; by: string; seconds: string }[] = [];
let deviceHours = 0;
let benignDeviceHours = 0;
const falseAlerts: { capture: string; text: string }[] = [];
let frames = 0;
for (const file of truths.sort()) {
  const name = file.replace('.truth.json', '');
  if (args.only !== undefined && !name.includes(args.only)) continue;
  const truth = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Truth;
  const alerts = (await alertsOf(join(folder, learn), join(folder, `${name}.pcap.gz`))).filter(
    (a) => a.severity_id >= MEDIUM,
  );
  frames++;
  const hours = (truth.devices.length * (truth.end - truth.start)) / 3600;
  deviceHours += hours;
  if (truth.kind.startsWith('benign')) benignDeviceHours += hours;
  const attacks = truth.events.filter((e) => e.label === 'attack');
  for (const event of attacks) {
    const mine = alerts.filter((a) => belongs(a, event));
    const first = Math.min(...mine.map((a) => a.time / 1000));
    lines.push({
      capture: name,
      event: event.kind,
      detected: mine.length > 0,
      seconds: mine.length > 0 ? first - event.start : undefined,
      detectors: [...new Set(mine.map((a) => a.finding_info.analytic.uid))],
      alerts: mine.length,
    });
  }
  const leading = lines.at(-1)?.detectors[0];
  if (args.ablation && attacks.length > 0 && leading !== undefined) {
    const others = (await alertsOf(join(folder, learn), join(folder, `${name}.pcap.gz`), [leading])).filter((a) =>
      attacks.some((e) => belongs(a, e)),
    );
    const serious = others.filter((a) => a.severity_id >= MEDIUM);
    left.push({
      event: attacks[0]!.kind,
      off: leading,
      by:
        serious.length > 0
          ? [...new Set(serious.map((a) => a.finding_info.analytic.uid))].join(', ')
          : others.length > 0
            ? `notices only: ${[...new Set(others.map((a) => a.finding_info.analytic.uid))].join(', ')}`
            : '**nothing**',
      seconds: serious.length > 0 ? (serious[0]!.time / 1000 - attacks[0]!.start).toFixed(1) : '',
    });
  }
  for (const alert of alerts)
    if (!attacks.some((e) => belongs(alert, e)))
      falseAlerts.push({
        capture: name,
        text: `${alert.finding_info.analytic.uid}: ${alert.message ?? alert.finding_info.title}`,
      });
}
if (frames === 0) throw new Error('no capture fits');

const times = lines.flatMap((l) => (l.seconds === undefined ? [] : [l.seconds]));
const found = lines.filter((l) => l.detected).length;
const table = [
  '| attack | detected | seconds to detect | alerts | by |',
  '| --- | --- | ---: | ---: | --- |',
  ...lines.map(
    (l) =>
      `| ${l.event} | ${l.detected ? 'yes' : '**no**'} | ${l.seconds?.toFixed(1) ?? ''} | ${l.alerts} | ${l.detectors.join(', ')} |`,
  ),
].join('\n');
const totals = [
  `Attacks detected: ${found} of ${lines.length}. Median time to detect: ${median(times).toFixed(1)} s.`,
  `Alerts per detected attack: ${(lines.reduce((n, l) => n + l.alerts, 0) / Math.max(1, found)).toFixed(1)}.`,
  `False alerts of medium severity or above: ${falseAlerts.length}${falseAlerts.length === 0 ? '.' : ':'}`,
  `Watched: ${deviceHours.toFixed(0)} device-hours, ${benignDeviceHours.toFixed(0)} of them in the benign capture: ${(falseAlerts.length / Math.max(1, deviceHours)).toFixed(4)} false alerts a device-hour.`,
  ...falseAlerts.map((f) => `- ${f.capture}: ${f.text}`),
].join('\n');
const ablation =
  left.length === 0
    ? ''
    : [
        '## With the leading detector off',
        '',
        '| attack | off | what still tells, medium and above | seconds |',
        '| --- | --- | --- | ---: |',
        ...left.map((l) => `| ${l.event} | ${l.off} | ${l.by} | ${l.seconds} |`),
      ].join('\n');
const calibration =
  pValues.length === 0
    ? ''
    : [
        '## Are the p-values kept?',
        '',
        'Windows of the benign test capture, changes included, by the calibrated p-value that was given to them: the share at or',
        'below each level should be the level. Detectors that stand on chance alone pass the budget of the site besides.',
        '',
        '| window | windows | p at most 0.1 | 0.01 | 0.001 |',
        '| --- | ---: | ---: | ---: | ---: |',
        ...[10, 60].map((w) => {
          const p = pValues.filter(([seconds]) => seconds === w).map(([, value]) => value);
          const share = (level: number): string => (p.filter((v) => v <= level).length / p.length).toFixed(4);
          return `| ${w} s | ${p.length} | ${share(0.1)} | ${share(0.01)} | ${share(0.001)} |`;
        }),
      ].join('\n');
const page = [table, totals, ablation, calibration].filter((part) => part !== '').join('\n\n');
console.log(page);

if (args.write) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const frozen = execFileSync(
    'git',
    ['log', '-1', '--format=%h', '--', 'detectors', 'src/baseline', 'src/features', 'src/detect', 'src/alerts'],
    { encoding: 'utf8' },
  ).trim();
  writeFileSync(
    new URL('RESULTS.md', import.meta.url),
    `# Detection on captures with ground truth

Made by \`npm run scorecard -- --write\` at commit ${commit}, over ${frames} captures of \`${basename(folder)}\`: learned on the
benign day, then each capture in turn. Only alerts of medium severity and above count. An alert belongs to an attack when it
names the attacker or a victim (hardware or IP address) and overlaps it in time (${BEFORE_S} s before to ${AFTER_S} s after).
The time to detect runs from the beginning of the attack to the moment at which the alert had its final severity. Any
other such alert, and every one in the benign capture with its legitimate changes, is a false alert. These captures were
at hand while the detectors were written: take the table as a regression check, not as a measure on unseen networks.

Node ${process.version}; detectors, baselines and their parameters are as of commit ${frozen}. Other pages: [KITSUNE.md](KITSUNE.md),
[WUSTL.md](WUSTL.md), [SOAK.md](SOAK.md), [IDENTITY.md](IDENTITY.md), [TYPES.md](TYPES.md).

${page}
`,
  );
}
