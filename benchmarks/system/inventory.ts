/**
 * The inventory at the size of a large hospital: questions over devices and their channels in the embedded engine,
 * and an export of all of them.
 *
 *   node benchmarks/system/inventory.ts [devices] [channels]
 *
 * Prints a table in Markdown; what was measured last stands in benchmarks/INVENTORY.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import type { DeviceRow } from '../../src/kernel/rows.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { createStore } from '../../src/store/index.ts';
import type { DeviceFilter, Store } from '../../src/store/index.ts';
import { storeConfigSchema } from '../../src/store/config.ts';
import { openEngine } from '../../src/store/engine.ts';
import { migrate } from '../../src/store/migrate.ts';

const DEVICES = Number(process.argv[2] ?? 100_000);
const CHANNELS = Number(process.argv[3] ?? 10_000_000);
const ROUNDS = 25;
const NOW = Date.UTC(2026, 10, 21, 12);
const TYPES = [
  'infusion-pump',
  'patient-monitor',
  'ct',
  'mr',
  'pacs',
  'ventilator',
  'workstation',
  'printer',
  'unknown',
];
const VENDORS = ['B. Braun', 'Philips', 'GE HealthCare', 'Siemens Healthineers', 'Baxter', 'HP', 'Dell', ''];
const SERVICES = ['hl7', 'dicom', 'ssl', 'dns', 'http', 'intellivue', 'smb', 'ntp', ''];

let state = 42;
const random = (n: number): number => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state % n;
};
const vlanOf = (i: number): string => String(100 + (i % 40));
const macOf = (i: number): string =>
  `00:1a:${[24, 16, 8, 0].map((shift) => ((i >>> shift) & 255).toString(16).padStart(2, '0')).join(':')}`;
const keyOf = (i: number): string => `${vlanOf(i)}/${macOf(i)}`;

function device(i: number, version: number): DeviceRow {
  const type = TYPES[i % TYPES.length]!;
  const ip = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
  const field = (value: string) => ({
    value,
    confidence: 0.8,
    runner_up: { value: 'workstation', confidence: 0.1 },
    evidence: Array.from({ length: 3 }, (_, n) => ({ source: `dhcp.hostname${n}`, value, weight: 0.5, time: NOW })),
  });
  return {
    device: keyOf(i),
    version,
    mac: macOf(i),
    vlan: vlanOf(i),
    ip,
    ips: [ip],
    hostname: `${type}-${i}`,
    type,
    vendor_name: VENDORS[random(VENDORS.length)]!,
    model: `M${random(200)}`,
    is_gateway: i % 1000 === 0,
    phase: i % 10 === 0 ? 'learning' : 'watching',
    os: i % 3 === 0 ? 'Windows' : 'Linux',
    os_version: i % 3 === 0 ? '10 or later' : '',
    firmware: `v${random(20)}`,
    serial: `SN${i}`,
    ae_titles: i % 9 === 2 ? [`CT${i}`] : [],
    confidence: (i % 10) / 10,
    risk_score: random(100),
    risk_level: random(5),
    risk: [{ of: 'severity', part: 'harm', points: 75, because: 'a fault of this class may lead to serious harm' }],
    first_seen: NOW - random(30 * 86_400_000),
    last_seen: NOW - random(86_400_000),
    packets: random(1e6),
    bytes: random(1e9),
    fields: { type: field(type), vendor_name: field('x'), hostname: field(`${type}-${i}`) },
    ocsf: JSON.stringify({
      class_uid: 5001,
      device: { uid: keyOf(i), type },
      unmapped: { fields: { type: field(type) } },
    }),
  };
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1);
const percentile = (sorted: number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
const megabytes = (): number => Math.round(process.memoryUsage().rss / 1e6);

async function fill(store: Store): Promise<void> {
  const start = performance.now();
  // Twice: the second time every row has a newer version, as it is in life.
  for (const version of [1, 2])
    for (let i = 0; i < DEVICES; i += 10_000)
      await store.write({
        devices: Array.from({ length: Math.min(10_000, DEVICES - i) }, (_, n) => device(i + n, version)),
      });
  process.stdout.write(`filled in ${seconds(performance.now() - start)} s, resident ${megabytes()} MB\n\n`);
}

/** Channels are made by the engine itself: ten million rows as JSON would take the time of the measurement. */
async function fillChannels(): Promise<void> {
  const start = performance.now();
  const engine = await openEngine(config);
  try {
    await migrate(engine, config);
    const each = Math.max(1, Math.round(CHANNELS / DEVICES));
    const pick = (list: readonly string[], by: string): string =>
      `[${list.map((text) => `'${text}'`).join(', ')}][1 + ${by} % ${list.length}]`;
    const mac = (n: string): string =>
      `concat('00:1a:', arrayStringConcat(arrayMap(b -> lower(leftPad(hex(toUInt8(bitAnd(bitShiftRight(${n}, b), 255))), 2, '0')), [24, 16, 8, 0]), ':'))`;
    const key = (n: string): string => `concat(toString(100 + ${n} % 40), '/', ${mac(n)})`;
    await engine.client.command({
      query: `INSERT INTO ${config.database}.channels (device, peer, peer_kind, peer_name, type, peer_type, direction,
          proto, port, service, encrypted, phi, is_clinical, commands, learned, first_seen, last_seen, flows, bytes_out,
          bytes_in, version)
        SELECT ${key('d')}, ${key('p')}, 'device', '', ${pick(TYPES, 'd')}, ${pick(TYPES, 'p')},
          if(n % 2 = 0, 'out', 'in'), 'tcp', 1000 + n, ${pick(SERVICES, 'cityHash64(number)')} AS s,
          multiIf(s = 'ssl', 'yes', s = '', 'unknown', 'no'), if(s IN ('hl7', 'dicom', 'intellivue'), 'yes', 'no') AS h,
          h = 'yes', [], n % 50 != 0, ${NOW} - cityHash64(number, 1) % 2592000000 AS f, f + 1000, 10, 1000, 2000, 1
        FROM (SELECT number, intDiv(number, ${each}) AS d, number % ${each} AS n, cityHash64(number, 2) % ${DEVICES} AS p
          FROM numbers(${DEVICES * each}))`,
    });
    process.stdout.write(`${DEVICES * each} channels made in ${seconds(performance.now() - start)} s\n`);
  } finally {
    await engine.close();
  }
}

async function measure(name: string, ask: (round: number) => Promise<unknown>): Promise<void> {
  await ask(0);
  const times: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const start = performance.now();
    await ask(round);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  process.stdout.write(
    `| ${name} | ${percentile(times, 0.5).toFixed(0)} | ${percentile(times, 0.95).toFixed(0)} | ${times.at(-1)!.toFixed(0)} |\n`,
  );
}

const folder = mkdtempSync(join(process.env['BENCH_DIR'] ?? tmpdir(), 'wardwatch-inventory-'));
const config = Value.Parse(
  storeConfigSchema,
  Value.Default(storeConfigSchema, { path: folder, write: { flush_ms: 20 } }),
);
await fillChannels();
const store = createStore(config, { reporter: silentReporter });
await store.start();
try {
  await fill(store);
  process.stdout.write('| question | p50 ms | p95 ms | worst ms |\n| --- | --- | --- | --- |\n');
  const list = (filter: DeviceFilter) => store.devices({ ...filter, summary: true }, 50);
  await measure('list, last seen first', () => list({}));
  await measure('list, risk first', () => list({ sort: 'risk' }));
  await measure('list, unknown first', () => list({ sort: 'unknown' }));
  await measure('filter: type and VLAN', (i) => list({ fields: { type: [TYPES[i % 8]!], vlan: [vlanOf(i)] } }));
  await measure('filter: network', (i) => list({ ip: `10.0.${i}.0/24` }));
  await measure('text: part of a name', (i) => list({ text: `pump-${i}9` }));
  await measure('text: two words', (i) => list({ text: `philips m${i}` }));
  await measure('facets of five fields', () => store.facets({}, ['type', 'vendor_name', 'vlan', 'os', 'phase'], 20));
  await measure('facets within a text', (i) => store.facets({ text: `m${i}` }, ['type', 'vendor_name'], 20));
  await measure('one device', (i) => store.device(keyOf(i * 997)));
  await measure('channels of a device', (i) => store.channelsOf([keyOf(i * 997)], 500));
  await measure('changes of the last hour', () => store.changes(NOW - 3_600_000, NOW, 100));
  await measure('clinical data flows', () => store.dataFlows({ clinical: true, limit: 200 }));

  const before = megabytes();
  let most = before;
  let rows = 0;
  const start = performance.now();
  let cursor: string | undefined;
  do {
    const page = await store.devices({ sort: 'first_seen', summary: true }, 500, cursor);
    rows += page.rows.length;
    cursor = page.next;
    most = Math.max(most, megabytes());
  } while (cursor !== undefined);
  process.stdout.write(
    `\nexport: ${rows} devices in ${seconds(performance.now() - start)} s, resident ${before} MB before, ${most} MB at most\n`,
  );
} finally {
  await store.stop();
  rmSync(folder, { recursive: true, force: true });
}
