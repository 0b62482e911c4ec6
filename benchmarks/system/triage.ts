/** How fast the queue is with a million alerts in the desk: `node benchmarks/system/triage.ts [alerts]`. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/desk/database.ts';
import type { TriageFilter, TriageSort } from '../../src/desk/triage-rows.ts';
import { Triage } from '../../src/desk/triage.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';

const total = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'wardwatch-triage-bench-'));
const path = join(folder, 'desk.sqlite');
const db = openDatabase(path);
db.exec('PRAGMA synchronous = OFF');
const triage = new Triage(db);
const types = ['infusion-pump', 'patient-monitor', 'pacs', 'workstation'];
const START = 1_795_183_200_000;

function row(n: number): AlertRow {
  const device = `${200 + (n % 8)}/00:09:fb:00:${(n % 97).toString(16).padStart(2, '0')}:${(n % 251).toString(16).padStart(2, '0')}`;
  const detector = `detector-${n % 24}`;
  const title = `What ${detector} reports`;
  const message = `Device ${n % 5000} did something for the ${n}th time towards 10.20.${n % 250}.${n % 199}`;
  return {
    uid: `bench${n}`,
    version: 1,
    time: START + n * 250_000,
    start_time: START + n * 250_000,
    end_time: START + n * 250_000,
    severity_id: ((n % 5) + 1) as AlertRow['severity_id'],
    detector,
    detectors: [detector],
    title,
    message,
    device,
    device_mac: device.slice(4),
    device_ip: `10.20.${n % 250}.${n % 241}`,
    device_name: `dev-${n % 5000}`,
    device_type: types[n % 4]!,
    vlan: String(200 + (n % 8)),
    parties: [],
    attacks: [],
    confidence_score: 80,
    risk_score: 50,
    findings: 1,
    ocsf: '{}',
  };
}

const began = performance.now();
for (let n = 0; n < total; n += 1000)
  triage.accept(Array.from({ length: Math.min(1000, total - n) }, (_, i) => row(n + i)));
const seconds = (performance.now() - began) / 1000;
process.stdout.write(
  `${total} alerts in ${seconds.toFixed(0)} s (${Math.round(total / seconds)}/s), ${Math.round(statSync(path).size / 1e6)} MB\n`,
);
for (let n = 0; n < 2000; n++)
  triage.edit(
    `bench${n * 7}`,
    triage.item(`bench${n * 7}`)!.revision,
    { assignee: 'anna', add_tags: ['ward 3'] },
    'anna',
  );

const asked: [string, TriageFilter, TriageSort][] = [
  ['open, worst first', {}, 'severity'],
  ['open, newest first', {}, 'time'],
  ['in progress', { state: 'in_progress' }, 'severity'],
  ['critical', { severity: 5 }, 'severity'],
  ['resolved', { state: 'resolved' }, 'time'],
  ['assignee', { assignee: 'anna' }, 'severity'],
  ['tag', { tag: 'ward 3' }, 'severity'],
  ['detector', { contributed: 'detector-3' }, 'severity'],
  ['device', { involved: row(5).device }, 'severity'],
  ['class and VLAN', { device_type: 'pacs', vlan: '202' }, 'severity'],
  ['rare word', { text: '777777th' }, 'severity'],
  ['usual words', { text: 'device something' }, 'severity'],
  ['word and detector', { text: 'dev-42', contributed: 'detector-3' }, 'time'],
];
for (const [name, filter, sort] of asked) {
  const times = Array.from({ length: 9 }, () => {
    const start = performance.now();
    triage.page(filter, sort, 50);
    return performance.now() - start;
  }).sort((a, b) => a - b);
  process.stdout.write(`${name.padEnd(22)} median ${times[4]!.toFixed(1)} ms, worst ${times[8]!.toFixed(1)} ms\n`);
}
db.close();
rmSync(folder, { recursive: true });
