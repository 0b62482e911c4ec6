/** What people decide reaches hot paths in other processes through the store, and a replay does the same. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildHotPath } from '../../src/app/build.ts';
import { DecisionDesk, DecisionWatch, Obedience } from '../../src/app/decisions.ts';
import type { Decision } from '../../src/alerts/decisions.ts';
import { isMuted } from '../../src/alerts/ocsf.ts';
import { readDecisions } from '../../src/alerts/decisions.ts';
import type { HotPath } from '../../src/app/hot-path.ts';
import { loadConfig } from '../../src/config/index.ts';
import { evidenceOfAll, storeEvidence } from '../../src/app/evidence.ts';
import { openDatabase } from '../../src/desk/database.ts';
import { EvidenceShelf } from '../../src/desk/evidence.ts';
import { Triage } from '../../src/desk/triage.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import { createFileSource } from '../../src/sources/index.ts';
import type { StateKeys } from '../../src/state/seal.ts';
import type { Store } from '../../src/store/index.ts';
import { startClickHouse } from '../support/clickhouse/start.ts';
import type { TestServer } from '../support/clickhouse/start.ts';
import { serverPlace } from '../store/open.ts';
import type { Place } from '../store/open.ts';

const demo = (name: string): string => fileURLToPath(new URL(`../../demo/${name}.pcap.gz`, import.meta.url));
const HOUR_US = 3600e6;
const PARTITION = 3;

let server: TestServer;
let place: Place;
let store: Store;
let folder: string;
beforeAll(async () => {
  server = await startClickHouse();
  place = serverPlace(server);
  store = await place.open();
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-decisions-'));
});
afterAll(async () => {
  await place.clear();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function play(hotPath: HotPath, name: string, shiftUs = 0): Promise<void> {
  for await (const batch of createFileSource(demo(name)).batches()) {
    for (let i = 0; i < batch.count; i++) batch.tsUs[i]! += shiftUs;
    hotPath.process(batch);
  }
}

async function open(
  rows: Map<string, AlertRow>,
  decisions: readonly Decision[] = [],
): Promise<{ hotPath: HotPath; clear(): void }> {
  const { hotPath } = await buildHotPath({
    config: loadConfig({ env: {} }).config,
    seed: 1,
    stage: 'all',
    productVersion: '0',
    decisions,
    output: { alert: (row) => rows.set(row.uid, row) },
  });
  await play(hotPath, 'learn');
  hotPath.unobserved(hotPath.nowUs, hotPath.nowUs);
  hotPath.closeLearning();
  return { hotPath, clear: () => rows.clear() };
}

it('a mute made while running hides the next finding, its undo shows it again, a replay does the same', async () => {
  const db = openDatabase(join(folder, 'desk.sqlite'));
  const { rules } = new Triage(db);
  const desk = new DecisionDesk(store, rules);
  const watch = new DecisionWatch(store, silentReporter);
  const rows = new Map<string, AlertRow>();
  const { hotPath, clear } = await open(rows);
  const obedience = new Obedience(await watch.read());
  const hear = async (by = obedience): Promise<void> => {
    await desk.exchange();
    by.take(await watch.read());
    await watch.log(by.obey(hotPath, PARTITION));
    await desk.exchange();
  };
  const shown = (): AlertRow[] => [...rows.values()].filter((row) => row.severity_id >= 3 && !isMuted(row));
  const all: (readonly [string, AlertRow])[] = [];
  const end = (hours: number): void => {
    hotPath.unobserved(hotPath.nowUs, hotPath.nowUs);
    all.push(...[...rows].filter(([, row]) => row.severity_id >= 1).map((entry) => entry));
    expect(hours).toBeGreaterThanOrEqual(0);
  };

  clear();
  await play(hotPath, 'attack-2');
  end(0);
  const [first] = shown();
  expect(first).toBeDefined();
  const decided = hotPath.nowUs;
  const rule = await rules.create(
    { act: 'mute', scope: { device: first!.device }, reason: 'known', resolution: 'benign', until: 0 },
    'anna',
  );
  await hear();
  expect(rules.rule(rule.id)!.effective_us).toBe(decided);

  clear();
  await play(hotPath, 'attack-2', HOUR_US);
  end(1);
  expect(shown().filter((row) => row.device === first!.device)).toEqual([]);
  expect([...rows.values()].some(isMuted)).toBe(true);
  await hear();
  expect(rules.rule(rule.id)!.matches).toBeGreaterThan(0);

  await rules.undo(rule.id, 'anna');
  await hear();
  clear();
  await play(hotPath, 'attack-2', 2 * HOUR_US);
  end(2);
  expect(shown().some((row) => row.device === first!.device)).toBe(true);

  // What a person downloads is the whole story.
  const file = JSON.stringify({ decisions: rules.logged() });
  expect(rules.logged()).toMatchObject([{ id: `r${rule.id}`, from_us: decided }]);
  const again = new Map<string, AlertRow>();
  const replay = await open(again, readDecisions(file));
  replay.clear();
  for (const hour of [0, 1, 2]) {
    await play(replay.hotPath, 'attack-2', hour * HOUR_US);
    replay.hotPath.unobserved(replay.hotPath.nowUs, replay.hotPath.nowUs);
  }
  const plain = (alerts: Iterable<readonly [string, AlertRow]>) => new Map(alerts);
  expect(plain(again)).toEqual(plain(all));
  db.close();
});

it('whoever takes a partition up again obeys from the logged time, and reads all that holds', async () => {
  const db = openDatabase(join(folder, 'other.sqlite'));
  let now = Date.now();
  const { rules } = new Triage(db, { now: () => now });
  const desk = new DecisionDesk(store, rules);
  const scope = { device: '0/02:00:00:00:00:01' };
  const wanted = { act: 'mute', scope, reason: 'known', resolution: 'benign', until: 0 } as const;
  const one = await rules.create(wanted, 'anna');
  now += 1;
  const two = await rules.create({ ...wanted, act: 'learn' }, 'anna');
  await desk.exchange();
  const watch = new DecisionWatch(store, silentReporter);
  const known = await watch.read();
  expect(known.decisions.map(({ id, act }) => [id, act]).sort()).toEqual([
    [`r${one.id}`, 'mute'],
    [`r${two.id}`, 'learn'],
  ]);
  // The first test's rule of the same name was another one: what was logged of it does not count.
  expect(known.obeyed).toEqual([]);
  await watch.log([{ id: `r${one.id}`, partition: 0, from_us: 5_000_000, until_us: 0, hits: 4 }]);

  const later = new DecisionWatch(store, silentReporter);
  const again = new Obedience(await later.read());
  const { hotPath } = await buildHotPath({
    config: loadConfig({ env: {} }).config,
    seed: 1,
    stage: 'all',
    productVersion: '0',
    output: {},
  });
  for await (const batch of createFileSource(demo('attack-2')).batches()) {
    hotPath.process(batch);
    break;
  }
  const rows = again.obey(hotPath, 0);
  // Logged before: not anew. The other one: from now on.
  expect(rows).toEqual([{ id: `r${two.id}`, partition: 0, from_us: hotPath.nowUs, until_us: 0, hits: 0 }]);
  db.close();
});

it('frames around an alert come back from the store, and only for who has the key', async () => {
  const keys: StateKeys = new Map([['k1', new Uint8Array(32).fill(7)]]);
  const db = openDatabase(join(folder, 'third.sqlite'));
  const shelf = new EvidenceShelf(db);
  const pcapng = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
  await storeEvidence(store, [{ uid: 'a1', frames: 40, pcapng }], keys);
  const told: string[] = [];
  const reporter = { ...silentReporter, log: (_level: unknown, message: string) => void told.push(message) };
  const from = (by: StateKeys) => evidenceOfAll(shelf, store, by, reporter);
  expect(await from(keys).evidenceOf('a1')).toMatchObject({ source: 'stored', frames: 40 });
  expect(Buffer.from((await from(keys).evidenceOf('a1'))!.pcapng)).toEqual(Buffer.from(pcapng));
  expect(await from(keys).evidenceOf('a2')).toBeUndefined();
  expect(told).toEqual([]);
  expect(await from(new Map()).evidenceOf('a1')).toBeUndefined();
  // In the place of another alert's it is refused.
  await store.putEvidence([{ uid: 'a2', ...(await store.evidenceOf('a1'))! }]);
  expect(await from(keys).evidenceOf('a2')).toBeUndefined();
  expect(told).toEqual(['stored frames cannot be opened', 'stored frames cannot be opened']);
  db.close();
});
