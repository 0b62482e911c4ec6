import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { accessConfigSchema } from '../../src/access/config.ts';
import type { AccessConfig } from '../../src/access/config.ts';
import { Access } from '../../src/access/index.ts';
import { apiConfigSchema } from '../../src/api/config.ts';
import type { ApiConfig } from '../../src/api/config.ts';
import type { ApiDeps, LiveEvent, PipelineStatus } from '../../src/api/contract.ts';
import { createTriageDesk } from '../../src/app/triage.ts';
import { Assets } from '../../src/desk/assets.ts';
import { openDatabase } from '../../src/desk/database.ts';
import { Merges } from '../../src/desk/inventory.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import type { RowBatch } from '../../src/kernel/rows.ts';
import { createStore, storeConfigSchema } from '../../src/store/index.ts';
import type { Store, StoreConfig } from '../../src/store/index.ts';
import { clinicalRows, DEVICES, NOW } from './rows.ts';

export const WATCHING: PipelineStatus = {
  state: 'watching',
  sources: ['icu-span.pcapng'],
  frames: 1_284_330,
  frames_per_second: 1412.4,
  event_time: NOW,
  lag_ms: null,
  devices: DEVICES.length,
  learning: 1,
  capture_loss: 0,
  dropped: { late: 12 },
  detectors: [
    { id: 'beaconing', title: 'Regular calls to rare peers', status: 'on' },
    { id: 'brute-force', status: 'on' },
    { id: 'silence', status: 'off', reason: 'the mirror shows one direction only' },
  ],
};

/** A real store in a folder of its own, and everything else that the API needs, as the test sets it. */
export interface Site {
  store: Store;
  deps: ApiDeps;
  config(changes?: Partial<ApiConfig>): ApiConfig;
  setStatus(status: PipelineStatus): void;
  emit(event: LiveEvent): void;
  listeners(): number;
  counted: { name: string; n: number }[];
  close(): Promise<void>;
}

export async function openSite(
  rows: RowBatch = clinicalRows(),
  consoleDir = join(tmpdir(), 'no-console'),
): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'wardwatch-api-'));
  const storeConfig: StoreConfig = Value.Default(storeConfigSchema, { path: join(folder, 'store') }) as StoreConfig;
  const store = createStore(storeConfig, { reporter: silentReporter });
  await store.start();
  await store.write(rows);
  const desk = openDatabase(join(folder, 'desk.sqlite'));
  const access = new Access(Value.Default(accessConfigSchema, { sign_in: 'off' }) as AccessConfig, { desk });
  const listeners = new Set<(event: LiveEvent) => void>();
  const triageDesk = createTriageDesk({
    desk,
    store,
    reporter: silentReporter,
    publish: (event) => listeners.forEach((listener) => listener(event)),
    retentionDays: 0,
  });
  triageDesk.accept(rows.alerts ?? []);
  const counted: Site['counted'] = [];
  let status = WATCHING;
  const deps: ApiDeps = {
    store,
    access,
    assets: new Assets(desk),
    merges: new Merges(desk),
    triage: triageDesk.triage,
    evidence: triageDesk.evidence,
    reporter: {
      ...silentReporter,
      dropped: (what, n, reason) => counted.push({ name: `${what} ${reason}`, n }),
      count: (name, n = 1) => counted.push({ name, n }),
    },
    version: '0.0.0-test',
    consoleDir,
    status: () => status,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    metrics: async () => '# TYPE wardwatch_frames_total counter\nwardwatch_frames_total 3\n',
    async ready() {
      await store.ping();
      return { ok: status.state !== 'failed', checks: [{ name: 'pipeline', ok: status.state !== 'failed' }] };
    },
  };
  return {
    store,
    deps,
    counted,
    config: (changes = {}) => Value.Default(apiConfigSchema, { port: 0, ...changes }) as ApiConfig,
    setStatus: (next) => {
      status = next;
    },
    emit: (event) => {
      for (const listener of listeners) listener(event);
    },
    listeners: () => listeners.size,
    async close() {
      triageDesk.stop();
      await store.stop();
      desk.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
