import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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

  describe('OAUTHBEARER', () => {
    /** A token without a signature (RFC 7515 appendix A.5), which the login module of the test broker takes. */
    function token(seconds: number): string {
      const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      const now = Math.floor(Date.now() / 1000);
      return `${part({ alg: 'none' })}.${part({ sub: 'ward', iat: now, exp: now + seconds })}.`;
    }
    function withTokens(oauth: NonNullable<NonNullable<KafkaBusConfig['sasl']>['oauth']>): KafkaBusConfig {
      return { ...config, topic: `oauth-${randomUUID()}`, sasl: { mechanism: 'oauthbearer', oauth } };
    }
    async function goesThrough(own: KafkaBusConfig): Promise<void> {
      await ensureTopic(own, { partitions: 1, retentionMs: 3_600_000, replicationFactor: 1 }, deps);
      const bus = createKafkaBus(own, deps);
      const sent = new Map([[0, [frame(1, 60)]]]);
      expect(await collect(bus.subscribe({ until: publishAll(bus, sent) }))).toEqual(sent);
      await bus.stop();
    }
    const folder = (): string => dirname(broker.secured!.ca);

    test('a token from a file', async () => {
      await writeFile(join(folder(), 'token'), `${token(300)}\n`);
      await goesThrough(withTokens({ token_file: join(folder(), 'token') }));
    });

    test('a token from a command', async () => {
      const script = `process.stdout.write(${JSON.stringify(token(300))})`;
      await goesThrough(withTokens({ token_command: [process.execPath, '-e', script] }));
    });

    test('a token for client credentials is asked for once while it holds', async () => {
      const asked: string[] = [];
      const server = createServer((request, response) => {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk.toString()));
        request.on('end', () => {
          asked.push(`${request.method} ${request.headers.authorization} ${body}`);
          response.end(JSON.stringify({ access_token: token(300), expires_in: 300, token_type: 'Bearer' }));
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      process.env['OAUTH_SECRET'] = 'se:cret';
      try {
        await goesThrough(
          withTokens({
            token_url: `http://127.0.0.1:${port}/token`,
            client_id: 'ward',
            client_secret_env: 'OAUTH_SECRET',
            scope: 'kafka',
          }),
        );
      } finally {
        delete process.env['OAUTH_SECRET'];
        server.close();
      }
      const basic = Buffer.from('ward:se%3Acret').toString('base64');
      expect(new Set(asked)).toEqual(new Set([`POST Basic ${basic} grant_type=client_credentials&scope=kafka`]));
      // One for the client that makes the topic, one for each side of the bus: many connections, three clients.
      expect(asked.length).toBe(3);
    });

    test('what gives no token, or one that has ended, is told', async () => {
      const start = (oauth: Parameters<typeof withTokens>[0]): Promise<unknown> =>
        createKafkaBus(withTokens(oauth), deps)
          .publisher()
          .start()
          .catch((error: unknown) => error);
      expect(await start({})).toMatchObject({ code: 'WW_CONFIG', message: expect.stringContaining('exactly one') });
      expect(await start({ token_file: '/nowhere/token' })).toMatchObject({
        code: 'WW_CONFIG',
        message: expect.stringContaining('sasl.oauth.token_file'),
      });
      expect(await start({ token_command: ['/nowhere/program'] })).toMatchObject({
        code: 'WW_BROKER',
        message: expect.stringContaining('ENOENT'),
      });
      await writeFile(join(folder(), 'ended'), token(-60));
      expect(await start({ token_file: join(folder(), 'ended') })).toMatchObject({
        code: 'WW_BROKER',
        message: expect.stringContaining('has ended'),
      });
    });
  });
});
