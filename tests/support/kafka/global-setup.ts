import { createServer } from 'node:net';
import { startBroker } from './broker.ts';

/** Port of the process that keeps the run's broker, set while a run with this set-up lasts. */
export const KEEPER = 'WARDWATCH_TEST_BROKER_KEEPER';

/**
 * For `globalSetup` of the vitest configuration. Keeps one broker for all test files of a run: it is started
 * when the first file asks, so a run without Kafka tests pays nothing. Returns what ends it.
 */
export default async function keepBroker(): Promise<() => Promise<void>> {
  let broker: ReturnType<typeof startBroker> | undefined;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    broker ??= startBroker();
    broker.then(
      (started) => socket.end(JSON.stringify({ brokers: started.brokers })),
      (error: unknown) => socket.end(JSON.stringify({ error: String(error) })),
    );
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  process.env[KEEPER] = String(address.port);
  return async () => {
    Reflect.deleteProperty(process.env, KEEPER);
    await new Promise((resolve) => server.close(resolve));
    const started = await broker?.catch(() => undefined);
    await started?.stop();
  };
}
