/**
 * How well devices are identified, against what others say they are: the emulated clinical network (truth files)
 * and real devices of captures/devices. Prints the figures and writes them to benchmarks/detection/IDENTITY.md.
 *
 * usage: node benchmarks/detection/identity.ts
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { devicesOfCapture } from '../../src/app/devices-of-capture.ts';
import { runReplay } from '../../src/app/replay.ts';
import { createMemoryBus } from '../../src/bus/memory/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { createOuiTable } from '../../src/identity/oui.ts';
import { featuresOf } from '../../src/identity/types/features.ts';
import { loadVendors } from '../../src/identity/profiles.ts';
import { createVendors } from '../../src/identity/vendors.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import type { DecidedField } from '../../src/kernel/rows.ts';
import { requireCaptures } from '../../tests/support/captures.ts';

interface Truth {
  readonly name: string;
  readonly mac: string;
  readonly vendor: string;
  /** Classes that are right. */
  readonly types: readonly string[];
  readonly model: string;
}

interface Decided {
  readonly truth: Truth;
  readonly fields: Readonly<Record<string, DecidedField>>;
  readonly showsClass: boolean;
}

/**
 * What every device does, whatever it is: it gets an address by the DHCP client of its system, a time and names of
 * hosts, and speaks encrypted to somebody. From that and the maker of an interface nobody can tell a camera from a
 * plug; whoever said or did anything else has shown evidence of its class, whether our rules know it or not.
 */
const PLUMBING =
  /^(dhcp\.(options|parameters|vendor_class=udhcp)|dns\.query=[^=]*(ntp\.org|time\.nist\.gov|google\.com)$|tls\.ja4|traffic\.port=(icmp\/|udp\/(53|67|69|123|547)|tcp\/(80|443))|(uses|serves) (dhcp|dns|ntp|tls|tftp|http)$)/;

/** Classes of ours for the categories of captures/devices/identities.csv. */
const CATEGORIES: Readonly<Record<string, readonly string[]>> = {
  camera: ['ip-camera'],
  'body scale': ['wearable'],
  'blood pressure monitor': ['wearable'],
};
/** The same for captures/devices/smart-home, which names products only: vendor and class. */
const SMART_HOME: Readonly<Record<string, readonly [vendor: string, ...types: string[]]>> = {
  'Amazon Plug': ['Amazon', 'smart-home'],
  'HBN Plug': ['HBN', 'smart-home'],
  'Ring Doorbell': ['Ring', 'ip-camera', 'smart-home'],
  'Blink Mini Camera': ['Amazon', 'ip-camera'],
  'Nest Camera': ['Google', 'ip-camera'],
  'Lumiman Bulb': ['Lumiman', 'smart-home'],
  'Kasa Bulb': ['TP-Link', 'smart-home'],
  'Lifx bulb': ['LIFX', 'smart-home'],
  'Ultraloq Smart Lock': ['Ultraloq', 'smart-home', 'access-control'],
  'Sensi Thermostat': ['Emerson', 'smart-home'],
  'Nest Smoke & CO Detector': ['Google', 'smart-home'],
  'Rachio Sprinkler Controller': ['Rachio', 'smart-home'],
  'Roomba Robot': ['iRobot', 'smart-home'],
  'Pixel 6 Phone': ['Google', 'mobile-phone'],
};

const captures = requireCaptures();
const oui = createOuiTable();
const vendors = createVendors(loadVendors());
const { config } = loadConfig({ file: undefined });

async function identify(file: string, truths: readonly Truth[]): Promise<Decided[]> {
  const out = mkdtempSync(join(tmpdir(), 'wardwatch-identity-'));
  const bus = createMemoryBus({ ...config.bus.memory, partitions: 1 }, { reporter: silentReporter });
  try {
    await runReplay({
      learn: [],
      files: [file],
      out,
      config,
      seed: 1,
      productVersion: 'benchmark',
      bus,
      batchFrames: 4096,
    });
    const byMac = new Map<string, Readonly<Record<string, DecidedField>>>();
    for (const line of readFileSync(join(out, 'devices.ndjson'), 'utf8').split('\n')) {
      if (line === '') continue;
      const row = JSON.parse(line) as {
        device: { mac?: string };
        unmapped: { fields: Record<string, DecidedField> };
      };
      if (row.device.mac !== undefined) byMac.set(row.device.mac, row.unmapped.fields);
    }
    const shows = new Map(
      (await devicesOfCapture(file, config)).map((device) => [
        device.mac,
        featuresOf(device).some((feature) => !PLUMBING.test(feature)),
      ]),
    );
    return truths.flatMap((truth) => {
      const fields = byMac.get(truth.mac);
      return fields === undefined ? [] : [{ truth, fields, showsClass: shows.get(truth.mac) ?? false }];
    });
  } finally {
    await bus.stop();
    rmSync(out, { recursive: true });
  }
}

/** Letters and digits alone: `CARESCAPE B650`, `carescape-b650`. */
const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '');

type Verdict = 'right' | 'wrong' | 'none';

function judge(kind: 'type' | 'vendor_name' | 'model', { truth, fields }: Decided): Verdict {
  const value = fields[kind]?.value;
  if (value === undefined) return 'none';
  if (kind === 'type') return truth.types.includes(value) ? 'right' : 'wrong';
  if (kind === 'vendor_name') return vendors.canonical(value).name === truth.vendor ? 'right' : 'wrong';
  const [ours, theirs] = [plain(value), plain(truth.model)];
  // A model family counts where it is part of the model's name: `IntelliVue` of `IntelliVue MX750`.
  return theirs.includes(ours) || ours.includes(theirs) ? 'right' : 'wrong';
}

/** The maker can be told from the wire: its own registered address, or a word of the device itself. */
function showsMaker({ truth, fields }: Decided): boolean {
  const first = Number.parseInt(truth.mac.slice(0, 2), 16);
  const registered = oui.vendor(Number.parseInt(truth.mac.slice(0, 8).replaceAll(':', ''), 16));
  const random = (first & 2) !== 0;
  if (!random && registered !== '' && vendors.canonical(registered).kind !== 'component') return true;
  return (fields['vendor_name']?.evidence ?? []).some((e) => e.source !== 'oui' && e.weight >= 0.6);
}

const percent = (n: number, of: number): string => (of === 0 ? '-' : `${((100 * n) / of).toFixed(1)} %`);
const lines: string[] = [];

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  lines.push(`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`);
  for (const row of rows) lines.push(`| ${row.join(' | ')} |`);
  lines.push('');
}

function report(title: string, all: readonly Decided[]): void {
  lines.push(`## ${title}`, '');
  const rows = (['type', 'vendor_name', 'model'] as const).map((kind) => {
    const judged = kind === 'model' ? all.filter((d) => d.truth.model !== '') : all;
    const verdicts = judged.map((d) => judge(kind, d));
    const right = verdicts.filter((v) => v === 'right').length;
    const wrong = verdicts.filter((v) => v === 'wrong').length;
    const sure = judged.filter((d, i) => verdicts[i] === 'wrong' && (d.fields[kind]?.confidence ?? 0) >= 0.8).length;
    return [
      kind,
      judged.length,
      percent(right + wrong, judged.length),
      percent(right, judged.length),
      percent(right, right + wrong),
      percent(sure, judged.length),
    ];
  });
  const shown = all.filter(showsMaker);
  const rightOfShown = shown.filter((d) => judge('vendor_name', d) === 'right').length;
  rows.push([
    'vendor_name, where the wire shows the maker',
    shown.length,
    '',
    percent(rightOfShown, shown.length),
    '',
    '',
  ]);
  const telling = all.filter((d) => d.showsClass);
  const rightOfTelling = telling.filter((d) => judge('type', d) === 'right').length;
  const sureOfTelling = telling.filter(
    (d) => judge('type', d) === 'wrong' && d.fields['type']!.confidence >= 0.8,
  ).length;
  rows.push([
    'type, where the device does more than everybody does',
    telling.length,
    '',
    percent(rightOfTelling, telling.length),
    '',
    percent(sureOfTelling, telling.length),
  ]);
  table(['field', 'devices x captures', 'decided', 'right of all', 'right of decided', 'wrong at 0.8 and more'], rows);

  lines.push('Confidence beside what came true:', '');
  const bins = [0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.001];
  table(
    ['confidence', 'class: n', 'mean', 'right', 'vendor: n', 'mean', 'right'],
    bins.slice(0, -1).map((low, i) => {
      const high = bins[i + 1]!;
      const cells: (string | number)[] = [`${low} to ${Math.min(high, 1)}`];
      for (const kind of ['type', 'vendor_name'] as const) {
        const inside = all.filter((d) => {
          const c = d.fields[kind]?.confidence;
          return c !== undefined && c >= low && c < high;
        });
        const mean = inside.reduce((sum, d) => sum + d.fields[kind]!.confidence, 0) / inside.length;
        cells.push(
          inside.length,
          inside.length === 0 ? '-' : mean.toFixed(2),
          percent(inside.filter((d) => judge(kind, d) === 'right').length, inside.length),
        );
      }
      return cells;
    }),
  );

  const wrong = new Map<string, number>();
  for (const d of all)
    for (const kind of ['type', 'vendor_name'] as const)
      if (judge(kind, d) !== 'right') {
        const value = d.fields[kind];
        const truth = kind === 'type' ? d.truth.types.join(' or ') : d.truth.vendor;
        const text = `${d.truth.name}: ${truth}, decided ${value === undefined ? 'nothing' : `${value.value} (${value.confidence.toFixed(1)})`}`;
        wrong.set(text, (wrong.get(text) ?? 0) + 1);
      }
  if (wrong.size > 0) {
    lines.push('Not right:', '');
    for (const [text, n] of [...wrong].sort(([a], [b]) => (a < b ? -1 : 1)))
      lines.push(`- ${text}${n > 1 ? `, ${n} times` : ''}`);
    lines.push('');
  }
}

async function clinical(): Promise<Decided[]> {
  const dir = join(captures, 'clinical');
  const all: Decided[] = [];
  for (const name of readdirSync(dir)
    .filter((f) => f.endsWith('.truth.json'))
    .sort()) {
    const truth = JSON.parse(readFileSync(join(dir, name), 'utf8')) as {
      capture: string;
      devices: { id: string; mac: string; type: string; vendor: string; model: string }[];
    };
    const devices = truth.devices.map((d) => ({
      name: d.id,
      mac: d.mac,
      vendor: vendors.canonical(d.vendor).name,
      types: [d.type],
      model: d.model,
    }));
    all.push(...(await identify(join(dir, truth.capture), devices)));
  }
  return all;
}

async function sentinel(): Promise<Decided[]> {
  const dir = join(captures, 'devices');
  const [, ...rows] = readFileSync(join(dir, 'identities.csv'), 'utf8').trim().split('\n');
  const all: Decided[] = [];
  for (const row of rows) {
    const [set = '', folder = '', vendor = '', category = '', mac = ''] = row.split(',');
    if (mac === '') continue;
    const truth: Truth = {
      name: folder,
      mac,
      vendor: vendors.canonical(vendor).name,
      types: CATEGORIES[category] ?? ['smart-home'],
      model: '',
    };
    for (const file of readdirSync(join(dir, set, folder))
      .filter((f) => f.endsWith('.pcap'))
      .sort())
      all.push(...(await identify(join(dir, set, folder, file), [truth])));
  }
  return all;
}

async function smartHome(): Promise<Decided[]> {
  const dir = join(captures, 'devices', 'smart-home');
  const [, ...rows] = readFileSync(join(dir, 'Device_MAC_Name_Mapping.csv'), 'utf8').trim().split('\n');
  const truths = rows.flatMap((row): Truth[] => {
    const [mac = '', name = ''] = row.trim().split(',');
    const known = SMART_HOME[name];
    if (known === undefined) return [];
    const [vendor, ...types] = known;
    return [{ name, mac, vendor, types, model: '' }];
  });
  const all: Decided[] = [];
  for (const file of readdirSync(dir)
    .filter((f) => f.endsWith('.pcapng.gz'))
    .sort())
    all.push(...(await identify(join(dir, file), truths)));
  return all;
}

const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
lines.push(
  '<!-- Written by benchmarks/detection/identity.ts. -->',
  '',
  '# Identity of devices',
  '',
  `Commit ${commit}. One row for each device in each capture, decided from that capture alone. Rules for the`,
  'emulated network were written with it at hand; the real consumer devices are the fairer test, of a field that',
  'Wardwatch is not made for. Devices without a MAC address (captures taken on a phone) are left out.',
  '',
);
report('Emulated clinical network (captures/clinical)', await clinical());
report('IoT Sentinel and the Withings monitor (captures/devices)', await sentinel());
report('Smart home (captures/devices/smart-home)', await smartHome());
const text = `${lines.join('\n').trimEnd()}\n`;
writeFileSync(new URL('IDENTITY.md', import.meta.url), text);
console.log(text);
