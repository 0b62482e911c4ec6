import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { openEngine } from '../../src/store/engine.ts';
import { configOf } from '../store/open.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { canariesOf, leaked } from './canaries.ts';
import { replayInto, useFolder } from './replays.ts';
import { start } from './started.ts';
import type { Started } from './started.ts';

const LEARN = resolve('demo/learn.pcap.gz');
const SCAN = resolve('demo/attack-1.pcap.gz');
/** Frames in the recorded scan, as its truth file says. */
const SCAN_FRAMES = 16_444;

const folder = useFolder();
let made = 0;
function workingFolder(): string {
  const path = folder(`work-${made++}`);
  mkdirSync(path);
  return path;
}

async function ask<T>(url: string, path: string): Promise<T> {
  const answer = await fetch(new URL(path, url));
  expect(answer.status, path).toBe(200);
  return (await answer.json()) as T;
}

interface Status {
  readonly state: string;
  readonly frames: number;
  readonly sources: readonly string[];
}

const statusOf = (started: Started): Promise<Status> => started.url.then((url) => ask<Status>(url, '/api/v1/status'));

/** Every row of every table below a working folder, as text; nobody may have the store open. */
async function dump(cwd: string): Promise<Map<string, string>> {
  const engine = await openEngine(configOf({ path: join(cwd, 'data', 'store') }));
  const tables = new Map<string, string>();
  try {
    const query = async (sql: string): Promise<string> => {
      const result = await engine.client.query({ query: sql, format: 'JSONEachRow' });
      return result.text();
    };
    const names = await query(
      `SELECT name FROM system.tables WHERE database = 'wardwatch' AND engine NOT LIKE '%View'`,
    );
    for (const line of names.trim().split('\n')) {
      const { name } = JSON.parse(line) as { name: string };
      tables.set(
        name,
        await query(`SELECT * FROM wardwatch.${name} FINAL`).catch(() => query(`SELECT * FROM wardwatch.${name}`)),
      );
    }
  } finally {
    await engine.close();
  }
  return tables;
}

const rowsIn = (text: string | undefined): Record<string, unknown>[] =>
  (text ?? '')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((name) => statSync(name).isFile());
}

describe('wardwatch run', () => {
  it('stores what a replay of the same captures writes', async () => {
    const cwd = workingFolder();
    const ended = await start(['run', '--learn', LEARN, SCAN, '--exit'], { cwd }).ended;
    expect(ended).toMatchObject({ code: 0, signal: null });
    const replayed = await replayInto(folder('replayed'), { learn: [LEARN], files: [SCAN] });
    const stored = await dump(cwd);
    // The store keeps both, told apart by their severity.
    const written = [await replayed.text('alerts.ndjson'), await replayed.text('notices.ndjson')];
    const alerts = written.flatMap(rowsIn).map((a) => (a['finding_info'] as { uid: string }).uid);
    expect(alerts.length).toBeGreaterThan(0);
    expect(new Set(rowsIn(stored.get('alerts')).map((row) => row['uid']))).toEqual(new Set(alerts));
    const devices = rowsIn(await replayed.text('devices.ndjson')).map((d) => (d['device'] as { uid: string }).uid);
    expect(new Set(rowsIn(stored.get('devices')).map((row) => row['device']))).toEqual(new Set(devices));
    const flows = new Set(rowsIn(stored.get('flows')).map((row) => row['uid']));
    const missing = rowsIn(await replayed.text('flows.ndjson')).filter((flow) => !flows.has(flow['uid']));
    expect(missing).toEqual([]);
  });

  it('serves while it watches, and keeps serving after the end', async () => {
    const cwd = workingFolder();
    const started = start(['run', '--learn', LEARN, SCAN], { cwd });
    const url = await started.url;
    await started.says('The input has ended');
    const status = await ask<Status>(url, '/api/v1/status');
    expect(status).toMatchObject({ state: 'finished', sources: ['attack-1.pcap.gz'] });
    expect(status.frames).toBeGreaterThan(SCAN_FRAMES);
    const metrics = await (await fetch(new URL('/metrics', url))).text();
    expect(metrics).toMatch(`wardwatch_frames_read_total ${status.frames}\n`);
    expect(metrics).toMatch(`wardwatch_frames_decoded_total ${status.frames}\n`);
    expect((await fetch(new URL('/readyz', url))).status).toBe(200);
    expect(await started.stop()).toMatchObject({ code: 0, signal: null });
  });

  it('is not disturbed by what stands on standard input where nobody asked for it', async () => {
    const started = start(['run', SCAN, '--exit'], { cwd: workingFolder() });
    started.stdin.end('not for us\n');
    expect(await started.ended).toMatchObject({ code: 0, stderr: expect.not.stringContaining('WW_') });
  });

  it('refuses a data folder that another one has open', async () => {
    const cwd = workingFolder();
    const first = start(['run', SCAN], { cwd });
    await first.url;
    const second = await start(['run', SCAN, '--exit'], { cwd }).ended;
    expect(second.code).toBe(69);
    expect(second.stderr).toMatch(/\(WW_STORE\)\n {2}-> \S/);
    expect((await first.stop()).code).toBe(0);
  });

  describe('from standard input', () => {
    let plain: Buffer;
    beforeAll(() => {
      plain = gunzipSync(readFileSync(SCAN));
    });

    it('reads to its end', async () => {
      const started = start(['run', '-', '--exit'], { cwd: workingFolder() });
      started.stdin.end(plain);
      const ended = await started.ended;
      expect(ended.code).toBe(0);
      expect(ended.stdout).toMatch(`The input has ended: ${SCAN_FRAMES} frames`);
    });

    it('drains and ends on SIGTERM while the writer keeps the pipe open', async () => {
      const cwd = workingFolder();
      const started = start(['run', '-'], { cwd });
      started.stdin.write(plain.subarray(0, 1_000_000));
      await expect.poll(async () => (await statusOf(started)).frames, { timeout: 60_000 }).toBeGreaterThan(1000);
      const ended = await started.stop();
      expect(ended).toMatchObject({ code: 0, signal: null });
      const stored = await dump(cwd);
      expect(rowsIn(stored.get('flows')).length).toBeGreaterThan(10);
      expect(rowsIn(stored.get('devices')).length).toBeGreaterThan(10);
    });

    it('says in one line when that is no capture', async () => {
      const started = start(['run', '-', '--exit', '--quiet'], { cwd: workingFolder() });
      started.stdin.end('this is not a capture\n'.repeat(10));
      const ended = await started.ended;
      expect(ended.code).toBe(65);
      expect(ended.stderr).toMatch(/standard input is not a capture.*\(WW_INPUT_NOT_A_CAPTURE\)\n {2}-> \S/);
    });
  });

  const capturing = spawnSync('tcpdump', ['-i', 'lo', '-c', '0', '-w', '/dev/null'], { timeout: 10_000 });
  const obstacle = capturing.error !== undefined || /permission/i.test(String(capturing.stderr));
  if (obstacle) console.warn('SKIPPED: watching an interface needs tcpdump and the right to capture');

  it.skipIf(obstacle)('watches an interface by the real tcpdump, and drains on SIGTERM', async () => {
    const cwd = workingFolder();
    const started = start(['run', '-i', 'lo'], { cwd });
    // Asking for the status is traffic on this very interface.
    await expect.poll(async () => (await statusOf(started)).frames, { timeout: 60_000 }).toBeGreaterThan(20);
    expect((await statusOf(started)).sources).toEqual(['lo']);
    expect(await started.stop()).toMatchObject({ code: 0, signal: null });
    expect(rowsIn((await dump(cwd)).get('flows')).length).toBeGreaterThan(0);
  });

  const unshared = ['unshare', '-rm', 'sh', '-c'];
  const canMount = spawnSync(unshared[0]!, [...unshared.slice(1), 'mount -t tmpfs none /mnt']).status === 0;
  if (!canMount) console.warn('SKIPPED: a full disk needs the right to mount one (unshare -rm)');

  it.skipIf(!canMount)('says that the disk is full, and ends', async () => {
    const cwd = workingFolder();
    mkdirSync(join(cwd, 'data'));
    const mounting = `mount -t tmpfs -o size=2m none data && exec "$@"`;
    const ended = await start(['run', '--learn', LEARN, SCAN, '--exit'], {
      cwd,
      through: [...unshared, mounting, 'sh'],
      // Without it the store waits for minutes that somebody makes room.
      env: { WARDWATCH_STORE__WRITE__GIVE_UP_SECONDS: '1' },
    }).ended;
    expect(ended.stderr).toMatch(/\(WW_DISK_FULL\)\n {2}-> \S/);
    expect(ended.code).toBe(73);
  });
});

describeWithCaptures('patients', (captures) => {
  it('are found in no log line and nowhere below the data folder', { timeout: 300_000 }, async () => {
    const clinical = join(captures, 'clinical');
    const canaries = canariesOf(clinical);
    const cwd = workingFolder();
    const inputs = ['A-benign-learn', 'C-hl7_replay', 'B-benign-test'].map((name) => join(clinical, `${name}.pcap.gz`));
    // The captures do hold them, so not finding them means something.
    expect(leaked(gunzipSync(readFileSync(inputs[1]!)), canaries).length).toBeGreaterThan(5);
    const ended = await start(['run', '--learn', inputs[0]!, inputs[1]!, inputs[2]!, '--exit', '--debug'], {
      cwd,
      env: { WARDWATCH_TELEMETRY__LOG_LEVEL: 'debug' },
    }).ended;
    expect(ended.code).toBe(0);
    expect(leaked(Buffer.from(ended.stdout + ended.stderr), canaries)).toEqual([]);
    const files = filesBelow(join(cwd, 'data'));
    expect(files.length).toBeGreaterThan(10);
    for (const file of files) expect(leaked(readFileSync(file), canaries), file).toEqual([]);
    // What is stored is compressed: look at the rows as well.
    const tables = await dump(cwd);
    expect(rowsIn(tables.get('alerts')).length).toBeGreaterThan(0);
    for (const [table, text] of tables) expect(leaked(Buffer.from(text), canaries), table).toEqual([]);
  });
});
