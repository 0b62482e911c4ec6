/**
 * How soon an alert is at its receiver: `node benchmarks/system/delivery.ts [seconds] [alerts a second]`. Alerts go
 * through the store (embedded ClickHouse, on disk), the outbox (SQLite, synchronous) and a signed webhook to a server on
 * the loopback. Two times are taken, both to when the request has come in whole: from when the alert is handed over
 * (with the time in which rows wait for others and the engine writes), and from when the store has acknowledged it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Value } from 'typebox/value';
import { outboxConfigSchema } from '../../src/desk/config.ts';
import { openDatabase } from '../../src/desk/database.ts';
import { createDelivery } from '../../src/desk/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { webhookConfigSchema } from '../../src/sinks/webhook/config.ts';
import { createWebhookSink } from '../../src/sinks/webhook/index.ts';
import { createStore, storeConfigSchema } from '../../src/store/index.ts';
import { alertRow } from '../../tests/delivery/rows.ts';

const seconds = Number(process.argv[2] ?? 20);
const rate = Number(process.argv[3] ?? 100);
const folder = mkdtempSync(join(tmpdir(), 'wardwatch-delivery-bench-'));
process.env['BENCH_SECRET'] = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;

const handed = new Map<string, number>();
const stored = new Map<string, number>();
const waits: number[] = [];
const ownWaits: number[] = [];
const receiver = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    const id = String(request.headers['webhook-id']);
    const at = handed.get(id);
    if (at !== undefined) {
      waits.push(performance.now() - at);
      ownWaits.push(performance.now() - stored.get(id)!);
    }
    handed.delete(id);
    response.writeHead(204).end();
  });
});
await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
const { port } = receiver.address() as AddressInfo;

const store = createStore(
  Value.Parse(storeConfigSchema, Value.Default(storeConfigSchema, { path: join(folder, 'store') })),
  { reporter: silentReporter },
);
await store.start();
const desk = openDatabase(join(folder, 'desk.sqlite'));
const config = Value.Parse(
  webhookConfigSchema,
  Value.Default(webhookConfigSchema, {
    kind: 'webhook',
    name: 'siem',
    url: `http://127.0.0.1:${port}/`,
    insecure_http: true,
    secret_env: ['BENCH_SECRET'],
  }),
);
const delivery = createDelivery(Value.Parse(outboxConfigSchema, Value.Default(outboxConfigSchema, {})), {
  desk,
  endpoints: [
    {
      name: 'siem',
      filter: {},
      sink: createWebhookSink(config, { allowed: ['127.0.0.0/8'], productVersion: '0.1.0' }),
    },
  ],
  store,
  reporter: silentReporter,
});
await delivery.start();

const total = seconds * rate;
const start = performance.now();
const written: Promise<void>[] = [];
for (let n = 0; n < total; n++) {
  const due = start + (n * 1000) / rate;
  if (due > performance.now()) await sleep(due - performance.now());
  const row = alertRow({ uid: `bench${n}`, time: Date.now() });
  handed.set(`alert_bench${n}_1`, performance.now());
  written.push(
    delivery.accept([row], async () => {
      await store.write({ alerts: [row] });
      stored.set(`alert_bench${n}_1`, performance.now());
    }),
  );
}
await Promise.all(written);
while (handed.size > 0) await sleep(20);
const took = (performance.now() - start) / 1000;

function told(times: number[]): string {
  times.sort((a, b) => a - b);
  const at = (share: number): string => times[Math.min(times.length - 1, Math.floor(times.length * share))]!.toFixed(0);
  return `median ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`;
}
process.stdout.write(
  `${total} alerts in ${took.toFixed(1)} s, ${rate}/s asked for; ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}\n` +
    `  from the alert:  ${told(waits)}\n  from the store:  ${told(ownWaits)}\n`,
);
await delivery.stop();
await store.stop();
desk.close();
receiver.close();
rmSync(folder, { recursive: true, force: true });
