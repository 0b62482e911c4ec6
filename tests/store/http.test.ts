import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentReporter } from '../../src/kernel/component.ts';
import { createStore, migrateStore } from '../../src/store/index.ts';
import { makeCertificate } from '../support/clickhouse/certificate.ts';
import { createGate } from '../support/clickhouse/gate.ts';
import type { Gate } from '../support/clickhouse/gate.ts';
import { startClickHouse, startFront } from '../support/clickhouse/start.ts';
import type { TestServer } from '../support/clickhouse/start.ts';
import { storeContract } from './contract.ts';
import { configOf, serverPlace } from './open.ts';
import type { Place } from './open.ts';
import { alertRow } from './rows.ts';

let server: TestServer;
const folder = mkdtempSync(join(tmpdir(), 'wardwatch-http-'));
beforeAll(async () => {
  server = await startClickHouse();
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

storeContract('over HTTP', async () => serverPlace(server));

describe('a server', () => {
  it('refuses a wrong password, and the error says what to check', async () => {
    const passwordFile = join(folder, 'wrong');
    writeFileSync(passwordFile, 'wrong\n');
    const place = serverPlace(server, { password_file: passwordFile });
    await expect(place.open()).rejects.toMatchObject({
      code: 'WW_STORE',
      remedy: expect.stringContaining('password') as string,
    });
    await place.clear();
  });

  it('may be spoken to with gzip in both directions', async () => {
    const place = serverPlace(server, { compress: true });
    const store = await place.open();
    const rows = Array.from({ length: 500 }, (_, i) => alertRow(`z${i}`, { message: 'the same again '.repeat(50) }));
    await store.write({ alerts: rows });
    expect((await store.alerts({}, 1000)).rows).toHaveLength(500);
    expect(await store.alert('z7')).toStrictEqual(rows[7]);
    await place.clear();
  });

  it('takes its password from a file', async () => {
    const passwordFile = join(folder, 'right');
    writeFileSync(passwordFile, `${server.password}\n`);
    const place = serverPlace(server, { password_file: passwordFile, password_env: 'WARDWATCH_NOT_SET' });
    await (await place.open()).ping();
    await place.clear();
  });

  it('says which secret cannot be read', async () => {
    const missing = configOf({ mode: 'server', server: { password_file: join(folder, 'nowhere') } });
    await expect(migrateStore(missing)).rejects.toMatchObject({ code: 'WW_CONFIG' });
    const unset = configOf({ mode: 'server', server: { password_env: 'WARDWATCH_NOT_SET' } });
    await expect(migrateStore(unset)).rejects.toMatchObject({ code: 'WW_CONFIG' });
    const noCa = configOf({ mode: 'server', server: { ca_file: join(folder, 'nowhere') } });
    await expect(migrateStore(noCa)).rejects.toMatchObject({ code: 'WW_CONFIG' });
  });

  it('is not there: start fails and says so', async () => {
    const gate = await createGate({ host: '127.0.0.1', port: 1 });
    await gate.shut();
    const config = configOf({ mode: 'server', server: { url: `http://127.0.0.1:${gate.port}` } });
    const store = createStore(config, { reporter: silentReporter });
    await expect(store.start()).rejects.toMatchObject({
      code: 'WW_STORE',
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
    await store.stop();
  });
});

describe('a server that goes away', () => {
  let gate: Gate;
  let place: Place;
  beforeAll(async () => {
    const { hostname, port, protocol } = new URL(server.url);
    gate = await createGate({ host: hostname, port: Number(port) || 8123 });
    place = serverPlace(server, { url: `${protocol}//127.0.0.1:${gate.port}` });
  });
  afterAll(async () => {
    await place.clear();
    await gate.shut();
  });

  it('gets every row when it is back, once each', async () => {
    const counted: Record<string, number> = {};
    const retried = Promise.withResolvers<undefined>();
    const reporter = {
      ...silentReporter,
      count(name: string, n = 1) {
        counted[name] = (counted[name] ?? 0) + n;
        if (counted['store_retries'] === 3) retried.resolve(undefined);
      },
    };
    const store = await place.open({ write: { retry_first_ms: 1, retry_max_ms: 20 } }, reporter);
    await store.write({ alerts: [alertRow('before')] });
    await gate.shut();
    const away = Array.from({ length: 20 }, (_, i) => store.write({ alerts: [alertRow(`away-${i}`)] }));
    await retried.promise;
    await expect(store.alerts({}, 1)).rejects.toMatchObject({ code: 'WW_STORE' });
    await expect(store.ping()).rejects.toMatchObject({ code: 'WW_STORE' });
    await gate.open();
    await Promise.all(away);
    expect((await store.alerts({}, 1)).total).toBe(21);
    expect(counted['store_rows_refused']).toBeUndefined();
    expect(counted['store_rows_written']).toBe(21);
  });

  it('for longer than the limit: the writer gets the error, and may write the same rows later', async () => {
    const store = await place.open({ write: { retry_first_ms: 1, retry_max_ms: 2, give_up_seconds: 0.05 } });
    const rows = { alerts: [alertRow('late-1'), alertRow('late-2')] };
    await gate.shut();
    await expect(store.write(rows)).rejects.toMatchObject({ code: 'WW_STORE' });
    await gate.open();
    await store.write(rows);
    expect((await store.alert('late-2'))?.uid).toBe('late-2');
  });

  it('and stays away while we stop: stop ends, and the writer knows', async () => {
    const store = await place.open({ write: { retry_first_ms: 60_000, retry_max_ms: 60_000 } });
    await gate.shut();
    const lost = store.write({ alerts: [alertRow('lost')] });
    const failed = expect(lost).rejects.toMatchObject({ code: 'WW_STORE' });
    await store.stop();
    await failed;
    await gate.open();
  });
});

describe('TLS', () => {
  let front: TestServer;
  let certFile: string;
  beforeAll(async () => {
    const certificate = makeCertificate(folder);
    certFile = certificate.certFile;
    front = await startFront({ tls: { key: certificate.key, cert: certificate.cert } });
  });
  afterAll(() => front.stop());

  it('talks to a server whose CA it was given', async () => {
    const config = serverPlace(front, { ca_file: certFile }).config;
    const store = createStore(config, { reporter: silentReporter });
    await store.start();
    await store.write({ alerts: [alertRow('secret')] });
    expect((await store.alerts({}, 1)).total).toBe(1);
    await store.stop();
  });

  it('does not talk to one whose certificate nobody vouches for', async () => {
    await expect(migrateStore(serverPlace(front).config)).rejects.toMatchObject({
      code: 'WW_STORE',
      message: expect.stringContaining('SELF_SIGNED') as string,
    });
  });
});
