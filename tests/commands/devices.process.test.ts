import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accessConfigSchema } from '../../src/access/config.ts';
import type { AccessConfig } from '../../src/access/config.ts';
import { Access } from '../../src/access/index.ts';
import { apiConfigSchema, createApiServer } from '../../src/api/index.ts';
import type { ApiServer, PipelineStatus } from '../../src/api/index.ts';
import { openDatabase } from '../../src/desk/database.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import type { DeviceRow } from '../../src/kernel/rows.ts';
import { embeddedPlace } from '../store/open.ts';
import type { Place } from '../store/open.ts';
import { deviceRow } from '../store/rows.ts';
import { run } from './run-command.ts';

const status: PipelineStatus = {
  state: 'watching',
  sources: [],
  frames: 0,
  frames_per_second: 0,
  event_time: null,
  lag_ms: null,
  devices: 0,
  learning: 1,
  capture_loss: null,
  dropped: {},
  detectors: [],
};

const PUMPS = 640;
let place: Place;
let folder: string;
let desk: DatabaseSync;
let server: ApiServer;

beforeAll(async () => {
  place = await embeddedPlace();
  const store = await place.open();
  const devices: DeviceRow[] = Array.from({ length: PUMPS }, (_, i) =>
    deviceRow(`20/00:11:22:33:${String(i >> 8).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`),
  );
  devices.push(
    deviceRow('30/02:00:00:00:00:01', {
      type: 'patient_monitor',
      hostname: 'monitor\u001b[31m\nfake',
      ip: '',
      last_seen: 0,
    }),
  );
  await store.write({ devices });
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-devices-'));
  desk = openDatabase(join(folder, 'desk.sqlite'));
  const access = new Access(Value.Default(accessConfigSchema, { sign_in: 'off' }) as AccessConfig, { desk });
  server = createApiServer(
    Value.Parse(apiConfigSchema, { ...(Value.Default(apiConfigSchema, {}) as object), port: 0 }),
    {
      store,
      access,
      reporter: silentReporter,
      version: '0.0.0',
      consoleDir: '/nonexistent',
      status: () => status,
      subscribe: () => () => {},
      metrics: async () => '',
      ready: async () => ({ ok: true, checks: [] }),
    },
  );
  await server.start();
});

afterAll(async () => {
  await server.stop();
  desk.close();
  rmSync(folder, { recursive: true });
  await place.clear();
});

it('lists them all, over the pages of the API', async () => {
  const { code, stdout } = await run(['devices', '--url', server.url(), '--json']);
  expect(code).toBe(0);
  const keys = stdout
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as DeviceRow).device);
  expect(new Set(keys).size).toBe(PUMPS + 1);
});

it('shows a table that device-supplied names cannot break', async () => {
  const { stdout } = await run(['devices', '--url', server.url(), '--type', 'patient_monitor']);
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toMatch(/^DEVICE +IP +NAME +TYPE +VENDOR +MODEL +PHASE +LAST SEEN \(UTC\)$/);
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/^30\/02:00:00:00:00:01 +- +monitor \[31m fake +patient_monitor /);
});

it('keeps to its limit and says what is missing', async () => {
  const { stdout, stderr } = await run(['devices', '--url', server.url(), '--limit', '3']);
  expect(stdout.trimEnd().split('\n')).toHaveLength(4);
  expect(stderr).toBe(`3 of ${PUMPS + 1} devices; see --limit\n`);
});
