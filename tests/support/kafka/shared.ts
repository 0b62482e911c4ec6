import { connect } from 'node:net';
import { afterAll, beforeAll, describe } from 'vitest';
import { brokerObstacle, startBroker } from './broker.ts';
import { KEEPER } from './global-setup.ts';

function askKeeper(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', reject);
    socket.on('end', () => {
      const answer = JSON.parse(text) as { brokers?: string; error?: string };
      if (answer.brokers === undefined) reject(new Error(answer.error ?? 'no broker'));
      else resolve(answer.brokers);
    });
  });
}

/**
 * A group of tests that need a broker: `fn` gets a function that gives its address once tests run. The
 * run's shared broker is used where global-setup.ts is configured, else one is started for this group.
 * Without Java or Maven the group is skipped with a notice, and fails where `CI` is set.
 */
export function describeWithBroker(name: string, fn: (brokers: () => string) => void): void {
  const obstacle = brokerObstacle();
  if (obstacle !== undefined) {
    if (process.env['CI']) throw new Error(`tests of ${name} cannot run: ${obstacle}`);
    console.warn(`SKIPPED, tests of ${name}: ${obstacle}`);
    describe.skip(name, () => fn(() => ''));
    return;
  }
  describe(name, () => {
    let brokers = '';
    let stop: (() => Promise<void>) | undefined;
    beforeAll(async () => {
      const keeper = process.env[KEEPER];
      if (keeper !== undefined) {
        brokers = await askKeeper(Number(keeper));
        return;
      }
      const own = await startBroker();
      brokers = own.brokers;
      stop = () => own.stop();
    }, 180_000);
    afterAll(async () => {
      await stop?.();
    }, 30_000);
    fn(() => brokers);
  });
}
