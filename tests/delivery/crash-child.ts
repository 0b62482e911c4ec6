/**
 * A process that stores alerts and delivers them, and ends itself with SIGKILL where it is told to. Arguments: the
 * folder, the port of the receiver, the number of its first alert, how many, and where to end.
 */
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { openDatabase } from '../../src/desk/database.ts';
import { createDelivery } from '../../src/desk/index.ts';
import { outboxConfigSchema } from '../../src/desk/config.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { createWebhookSink } from '../../src/sinks/webhook/index.ts';
import { webhookConfigSchema } from '../../src/sinks/webhook/config.ts';
import { createStore, storeConfigSchema } from '../../src/store/index.ts';
import { alertRow } from './rows.ts';

const [folder = '', port = '', from = '0', count = '0', killAt = ''] = process.argv.slice(2);
const dieAt = (step: string): void => {
  if (step === killAt) process.kill(process.pid, 'SIGKILL');
};
const say = (message: object): Promise<void> => new Promise((resolve) => process.send?.(message, () => resolve()));

const store = createStore(
  Value.Parse(
    storeConfigSchema,
    Value.Default(storeConfigSchema, { path: join(folder, 'store'), write: { flush_ms: 0 } }),
  ),
  { reporter: silentReporter },
);
const endpoint = Value.Parse(
  webhookConfigSchema,
  Value.Default(webhookConfigSchema, {
    kind: 'webhook',
    name: 'siem',
    url: `http://127.0.0.1:${port}/`,
    insecure_http: true,
    secret_env: ['SIEM_SECRET'],
  }),
);
const delivery = createDelivery(Value.Parse(outboxConfigSchema, Value.Default(outboxConfigSchema, { drain_s: 60 })), {
  desk: openDatabase(join(folder, 'desk.sqlite')),
  endpoints: [
    {
      name: 'siem',
      filter: {},
      sink: createWebhookSink(endpoint, { allowed: ['127.0.0.0/8'], productVersion: '0.1.0' }),
    },
  ],
  store,
  reporter: silentReporter,
});

await store.start();
await delivery.start();
dieAt('started');
const first = Number(from);
const rows = Array.from({ length: Number(count) }, (_, i) => alertRow({ uid: `n${first + i}` }));
await delivery.accept(rows, async () => {
  dieAt('before the store');
  await store.write({ alerts: rows });
  await say({ stored: rows.map(({ uid }) => uid) });
  dieAt('after the store');
});
dieAt('after the outbox');
await delivery.stop();
const { rows: stored } = await store.alerts({}, 10_000);
await say({ all: stored.map(({ uid }) => uid) });
await store.stop();
process.disconnect();
