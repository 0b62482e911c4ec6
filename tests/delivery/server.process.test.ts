import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { silentReporter } from '../../src/kernel/component.ts';
import { createStore, storeConfigSchema } from '../../src/store/index.ts';
import type { Store } from '../../src/store/index.ts';
import { killAll, start } from '../roles/roles.ts';
import type { Role } from '../roles/roles.ts';
import { startReceiver } from '../sinks/receiver.ts';
import type { Receiver } from '../sinks/receiver.ts';
import { startClickHouse } from '../support/clickhouse/start.ts';
import type { TestServer } from '../support/clickhouse/start.ts';
import { alertRow } from './rows.ts';

const SECRET = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;

let folder = '';
let clickhouse: TestServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-server-'));
  clickhouse = await startClickHouse();
});
afterAll(async () => {
  killAll();
  await clickhouse.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A store as each detector opens it for itself. */
async function openStore(): Promise<Store> {
  vi.stubEnv('SPLIT_PASSWORD', clickhouse.password);
  const config = Value.Default(storeConfigSchema, {
    mode: 'server',
    server: { url: clickhouse.url, username: clickhouse.username, password_env: 'SPLIT_PASSWORD' },
    write: { flush_ms: 0 },
  });
  const store = createStore(Value.Parse(storeConfigSchema, config), { reporter: silentReporter });
  await store.start();
  return store;
}

/** Resolves when all of these have come. */
async function has(receiver: Receiver, ids: readonly string[]): Promise<void> {
  const idsGot = (): Set<string> => new Set(receiver.got.map(({ headers }) => String(headers['webhook-id'])));
  while (!ids.every((id) => idsGot().has(id))) await new Promise((settle) => setTimeout(settle, 50));
}

it('`server` delivers what detectors store, once each in effect, also when it is killed', async () => {
  const receiver = await startReceiver();
  writeFileSync(
    join(folder, 'wardwatch.yaml'),
    [
      'delivery:',
      '  allow: [127.0.0.0/8]',
      '  endpoints:',
      '    - { kind: webhook, name: siem, format: wardwatch, insecure_http: true, secret_env: [SIEM_SECRET],',
      `        url: "http://127.0.0.1:${receiver.port}/" }`,
    ].join('\n'),
  );
  const env = {
    WARDWATCH_STORE__MODE: 'server',
    WARDWATCH_STORE__SERVER__URL: clickhouse.url,
    WARDWATCH_STORE__SERVER__USERNAME: clickhouse.username,
    WARDWATCH_STORE__SERVER__PASSWORD_ENV: 'SPLIT_PASSWORD',
    SPLIT_PASSWORD: clickhouse.password,
    SIEM_SECRET: SECRET,
    WARDWATCH_API__PORT: '0',
    WARDWATCH_ACCESS__SIGN_IN: 'off',
  };
  const startServer = async (): Promise<Role> => {
    const role = start(['--config', 'wardwatch.yaml', 'server'], env, folder);
    await role.says(/Console: (\S+)/);
    return role;
  };
  const detectors = [await openStore(), await openStore()];
  const expected: string[] = [];
  let n = 0;
  /** Both write at the same time, and both say all of it twice, as after a rebalance. */
  const write = async (count: number): Promise<void> => {
    const rows = Array.from({ length: count }, () => alertRow({ uid: `s${n++}`, time: 1_700_000_000_000 - n }));
    expected.push(...rows.map(({ uid }) => `alert_${uid}_1`));
    const half = rows.length / 2;
    await Promise.all(detectors.map((store, i) => store.write({ alerts: rows.slice(i * half, (i + 1) * half) })));
    await Promise.all(detectors.map((store, i) => store.write({ alerts: rows.slice((1 - i) * half, (2 - i) * half) })));
  };

  await detectors[0]!.write({ alerts: [alertRow({ uid: 'history' })] });
  let server = await startServer();
  await write(20);
  await has(receiver, expected);

  // Killed with requests in the air and alerts of which it does not know yet.
  receiver.answer = () => {};
  const before = receiver.got.length;
  await write(20);
  while (receiver.got.length === before) await new Promise((settle) => setTimeout(settle, 20));
  server.child.kill('SIGKILL');
  await server.ended;
  await write(20);
  receiver.answer = (response) => response.writeHead(204).end();
  server = await startServer();
  await write(20);
  await has(receiver, expected);
  server.child.kill('SIGTERM');
  expect(await server.ended, server.output()).toBe(0);
  for (const store of detectors) await store.stop();

  const bodies = new Map<string, Set<string>>();
  for (const { headers, body } of receiver.got) {
    const id = String(headers['webhook-id']);
    bodies.set(id, (bodies.get(id) ?? new Set()).add(body));
  }
  // What was stored before it was set up is history, and what came twice came as the same.
  expect([...bodies.keys()].sort()).toEqual([...expected].sort());
  for (const seen of bodies.values()) expect(seen.size).toBe(1);
}, 300_000);
