import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startReceiver } from '../sinks/receiver.ts';

const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const CHILD = new URL('crash-child.ts', import.meta.url).pathname;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-crash-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('delivers exactly what was stored, whatever step a process is killed at', { timeout: 300_000 }, async () => {
  const receiver = await startReceiver();
  const PER_RUN = 20;
  let next = 0;
  const stored = new Set<string>();
  let all: string[] = [];
  let child: ChildProcess;

  const run = async (killAt: string, count = PER_RUN): Promise<void> => {
    const args = [folder, String(receiver.port), String(next), String(count), killAt];
    next += count;
    child = fork(CHILD, args, { env: { ...process.env, SIEM_SECRET: SECRET }, execArgv: [] });
    child.on('message', (message: { stored?: string[]; all?: string[] }) => {
      for (const uid of message.stored ?? []) stored.add(uid);
      if (message.all !== undefined) all = message.all;
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    if (killAt === '') expect(code).toBe(0);
    else expect(signal).toBe('SIGKILL');
  };

  await run('started');
  await run('before the store');
  const neverStored = [PER_RUN, 2 * PER_RUN];
  await run('after the store');
  await run('after the outbox');

  // From outside: with a request in the air, and with an answer that its sender may not have written down.
  for (const after of [1, 7]) {
    let requests = 0;
    receiver.answer = (response) => {
      if (++requests === after) child.kill('SIGKILL');
      else if (requests < after) response.writeHead(204).end();
    };
    await run('request');
  }
  let answers = 0;
  receiver.answer = (response) => {
    response.writeHead(204).end(() => {
      if (++answers === 5) child.kill('SIGKILL');
    });
  };
  await run('answer');

  receiver.answer = (response) => response.writeHead(204).end();
  await run('', 0);

  const bodies = new Map<string, Set<string>>();
  for (const { headers, body } of receiver.got) {
    new Webhook(SECRET).verify(body, headers as Record<string, string>);
    const id = String(headers['webhook-id']);
    bodies.set(id, (bodies.get(id) ?? new Set()).add(body));
  }
  expect([...bodies.keys()].sort()).toEqual(all.map((uid) => `alert_${uid}_1`).sort());
  for (const uid of stored) expect(all).toContain(uid);
  // Killed before the store had them: nobody may hear of them.
  for (let n = neverStored[0]!; n < neverStored[1]!; n++) expect(all).not.toContain(`n${n}`);
  // What came twice came with the same id and the same bytes.
  for (const seen of bodies.values()) expect(seen.size).toBe(1);
  expect(all.length).toBeGreaterThanOrEqual(2 * PER_RUN);
});
