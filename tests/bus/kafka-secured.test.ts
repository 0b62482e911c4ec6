import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKafkaBus, ensureTopic, type KafkaBusConfig, kafkaBusConfigSchema } from '../../src/bus/kafka/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { brokerObstacle, startBroker, type TestBroker } from '../support/kafka/broker.ts';
import { publishAll } from './contract.ts';
import { collect, frame } from './frames.ts';

const isOurs = brokerObstacle() === undefined && !process.env['KAFKA_BROKERS'];
const deps = { reporter: silentReporter };

// Without a broker of our own the tests of kafka.test.ts say so, and fail where they must.
describe.skipIf(!isOurs)('kafka bus over TLS with a password', () => {
  let broker: TestBroker;
  let config: KafkaBusConfig;
  beforeAll(async () => {
    broker = await startBroker({ secured: true });
    const { brokers, ca, username, password } = broker.secured!;
    const password_file = join(dirname(ca), 'password');
    await writeFile(password_file, `${password}\n`);
    const id = randomUUID();
    config = {
      ...Value.Create(kafkaBusConfigSchema),
      brokers: [brokers],
      topic: `frames-${id}`,
      group_id: id,
      partitions: 1,
      ssl: { ca, reject_unauthorized: true },
      sasl: { mechanism: 'scram-sha-512', username, password_file },
    };
  }, 180_000);
  afterAll(() => broker.stop(), 30_000);

  test('frames go through', async () => {
    await ensureTopic(config, { partitions: 1, retentionMs: 3_600_000, replicationFactor: 1 }, deps);
    const bus = createKafkaBus(config, deps);
    const sent = new Map([[0, [frame(1, 60), frame(2, 1500)]]]);
    expect(await collect(bus.subscribe({ until: publishAll(bus, sent) }))).toEqual(sent);
    await bus.stop();
  });

  test('a wrong password, an unknown certificate and plain TCP are told apart', async () => {
    const start = (changes: Partial<KafkaBusConfig>): Promise<unknown> =>
      createKafkaBus({ ...config, ...changes }, deps)
        .publisher()
        .start()
        .then(
          () => 'started',
          (error: unknown) => error,
        );
    process.env['WRONG_PASSWORD'] = 'wrong';
    const { username } = broker.secured!;
    expect(
      await start({ sasl: { mechanism: 'scram-sha-512', username, password_env: 'WRONG_PASSWORD' } }),
    ).toMatchObject({
      code: 'WW_BROKER',
      message: expect.stringContaining('refused the sign-in'),
    });
    expect(await start({ ssl: { reject_unauthorized: true } })).toMatchObject({
      code: 'WW_BROKER',
      message: expect.stringContaining('certificate'),
      remedy: expect.stringContaining('kafka.ssl.ca'),
    });
    const { ssl: _ssl, sasl: _sasl, ...plain } = config;
    const error = await createKafkaBus(plain, deps)
      .publisher()
      .start()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'WW_BROKER' });
  });
});
