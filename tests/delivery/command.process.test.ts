import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startReceiver } from '../sinks/receiver.ts';

const BIN = new URL('../../bin/wardwatch.js', import.meta.url).pathname;
const DEMO = (name: string): string => new URL(`../../demo/${name}.pcap.gz`, import.meta.url).pathname;
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-delivery-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function wardwatch(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, SIEM_SECRET: SECRET };
    const child = spawn(process.execPath, [BIN, '--config', join(folder, 'wardwatch.yaml'), ...args], {
      cwd: folder,
      env,
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('close', (code) => resolve({ code: code ?? -1, out, err }));
  });
}

function configure(port: number): void {
  writeFileSync(
    join(folder, 'wardwatch.yaml'),
    [
      'api: { port: 0 }',
      `store: { path: ${join(folder, 'store')} }`,
      `desk: { path: ${join(folder, 'desk.sqlite')} }`,
      'delivery:',
      '  allow: [127.0.0.0/8]',
      '  outbox: { drain_s: 30 }',
      '  endpoints:',
      '    - kind: webhook',
      '      name: siem',
      `      url: http://127.0.0.1:${port}/`,
      '      insecure_http: true',
      '      secret_env: [SIEM_SECRET]',
      '      filter: { severity_at_least: 3 }',
    ].join('\n'),
  );
}

describe('wardwatch delivery', () => {
  it('brings what a run has found to the receiver, shows it and sends it again', async () => {
    const receiver = await startReceiver();
    configure(receiver.port);
    expect((await wardwatch('delivery', 'list')).err).toContain('there is no desk');

    const test = await wardwatch('delivery', 'test', 'siem');
    expect(test).toMatchObject({ code: 0, out: 'siem: delivered (HTTP 204)\n', err: '' });
    expect(JSON.parse(receiver.got[0]!.body)).toMatchObject({ type: 'alert.test' });
    expect((await wardwatch('delivery', 'test', 'none')).code).toBe(2);

    const run = (): Promise<{ code: number; out: string; err: string }> =>
      wardwatch('run', '--quiet', '--exit', '--learn', DEMO('learn'), DEMO('attack-1'));
    const first = await run();
    expect(first.err).not.toContain('Warning');
    expect(first.code).toBe(0);
    const ids = receiver.got.slice(1).map(({ headers, body }) => {
      expect(new Webhook(SECRET).verify(body, headers as Record<string, string>)).toMatchObject({
        data: { class_uid: 2004 },
      });
      return String(headers['webhook-id']);
    });
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);

    const log = await wardwatch('delivery', 'log', '--json');
    expect(log.out.trim().split('\n')).toHaveLength(ids.length);
    expect((await wardwatch('delivery', 'list', '--json')).out).toBe(
      '{"endpoint":"siem","kind":"webhook","queued":0,"dead_letters":0,"waiting_since":"","off":""}\n',
    );
    expect((await wardwatch('delivery', 'dead-letters')).out).toBe('none\n');

    // The same captures again: the same alerts, which the receiver has. Only what is asked for is sent again.
    const asked = await wardwatch('delivery', 'replay', '--from', '1990-01-01', '--to', '2100-01-01');
    expect(asked.out).toContain('the next start');
    expect((await run()).code).toBe(0);
    const again = receiver.got.slice(1 + ids.length).map(({ headers }) => String(headers['webhook-id']));
    expect(again.length).toBeGreaterThan(0);
    for (const id of again) expect(ids).toContain(id);
  });

  it('says what is wrong with a receiver', async () => {
    const receiver = await startReceiver();
    configure(receiver.port);
    receiver.answer = (response) => response.writeHead(503).end();
    expect(await wardwatch('delivery', 'test', 'siem')).toMatchObject({
      code: 69,
      err: 'wardwatch: siem did not take the test message: HTTP 503\n',
    });
  });
});
