import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { outboxConfigSchema } from '../../src/desk/config.ts';
import { openDatabase } from '../../src/desk/database.ts';
import { createDelivery } from '../../src/desk/index.ts';
import type { DeliveryDesk } from '../../src/desk/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { webhookConfigSchema } from '../../src/sinks/webhook/config.ts';
import { createWebhookSink } from '../../src/sinks/webhook/index.ts';
import { MemoryStore } from '../desk/bench.ts';
import { startReceiver } from '../sinks/receiver.ts';
import { alertRow } from './rows.ts';

const QUEUED = 100_000;

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-load-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('drains 100,000 deliveries without growing', { timeout: 600_000 }, async () => {
  vi.stubEnv('SIEM_SECRET', `whsec_${Buffer.alloc(32, 5).toString('base64')}`);
  const receiver = await startReceiver();
  let arrived = 0;
  let full = (): void => {};
  const growth: number[] = [];
  receiver.answer = (response, { body }) => {
    arrived += (JSON.parse(body) as { data: unknown[] }).data.length;
    receiver.got.length = 0;
    response.writeHead(204).end();
    if (arrived >= growth.length * 20_000) growth.push(process.memoryUsage().heapUsed + process.memoryUsage().external);
    if (arrived >= QUEUED) full();
  };
  const open = (isOn: boolean): DeliveryDesk =>
    createDelivery(Value.Parse(outboxConfigSchema, Value.Default(outboxConfigSchema, { drain_s: 0 })), {
      desk: openDatabase(join(folder, 'desk.sqlite')),
      endpoints: [
        {
          name: 'siem',
          filter: {},
          sink: createWebhookSink(
            Value.Parse(
              webhookConfigSchema,
              Value.Default(webhookConfigSchema, {
                kind: 'webhook',
                name: 'siem',
                url: `http://127.0.0.1:${isOn ? receiver.port : 9}/`,
                insecure_http: true,
                secret_env: ['SIEM_SECRET'],
                format: 'wardwatch',
                batch: 50,
              }),
            ),
            { allowed: ['127.0.0.0/8'], productVersion: '0.1.0' },
          ),
        },
      ],
      store: new MemoryStore(),
      reporter: silentReporter,
    });

  const down = open(false);
  await down.start();
  for (let i = 0; i < QUEUED; i += 1000) {
    const rows = Array.from({ length: 1000 }, (_, k) => alertRow({ uid: `q${i + k}` }));
    await down.accept(rows, () => new Promise((resolve) => setImmediate(resolve)));
  }
  expect(down.status().counts.queued).toBe(QUEUED);
  await down.stop();

  const drained = new Promise<void>((resolve) => (full = resolve));
  const began = performance.now();
  const up = open(true);
  await up.start();
  await drained;
  const seconds = (performance.now() - began) / 1000;
  await up.stop();
  console.log(
    `${QUEUED} deliveries in ${seconds.toFixed(1)} s; heap in MB: ${growth.map((bytes) => (bytes / 1e6).toFixed(0)).join(' ')}`,
  );
  expect(arrived).toBeGreaterThanOrEqual(QUEUED);
  expect(growth.at(-1)! - growth[0]!).toBeLessThan(64e6);
});
