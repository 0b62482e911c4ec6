import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const jarsScript = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'scripts', 'kafka-jars.mjs');

/** A Kafka broker for tests. The fault methods reject where the broker is not ours (`KAFKA_BROKERS`). */
export interface TestBroker {
  /** `host:port`, several separated by commas. */
  readonly brokers: string;
  /** Ends the broker in order and removes its data. */
  stop(): Promise<void>;
  /** The process dies at once, as in a power cut; the data stays. */
  kill9(): Promise<void>;
  /** Starts again on the same data and the same port, after `kill9` or while running (then in order). */
  restart(): Promise<void>;
  /** What the broker wrote, its last 64 KiB. */
  log(): string;
  /** The same broker over TLS with SCRAM-SHA-512 and OAUTHBEARER (tokens without a signature), where `startBroker` was asked for it. */
  readonly secured?: {
    readonly brokers: string;
    readonly ca: string;
    readonly username: string;
    readonly password: string;
  };
}

/** Why no broker can be started here, or undefined. */
export function brokerObstacle(): string | undefined {
  if (process.env['KAFKA_BROKERS']) return undefined;
  for (const tool of ['java', 'mvn']) {
    if (spawnSync(tool, ['-version'], { stdio: 'ignore' }).error !== undefined) {
      return `${tool} was not found; install a JRE 17 and Maven, or set KAFKA_BROKERS to a running broker`;
    }
  }
  return undefined;
}

/** Ports that were free a moment ago. */
async function freePorts(): Promise<[number, number, number]> {
  const servers = [createServer(), createServer(), createServer()] as const;
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    ports.push(address.port);
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve));
  return [ports[0]!, ports[1]!, ports[2]!];
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Of the key store and of the user of the secured listener. */
const PASSWORD = 'test-password';
const USERNAME = 'ward';

const javaOptions = ['-Xms128m', '-Xmx512m', '-XX:+UseSerialGC', '-Xshare:auto', '-Djava.awt.headless=true'];

/**
 * Starts a single-node Kafka 4 (KRaft) on free loopback ports with its data in a temporary folder. With
 * `KAFKA_BROKERS` set nothing is started and that broker is used. Fails where Java or Maven is missing.
 */
export async function startBroker(options: { secured?: boolean } = {}): Promise<TestBroker> {
  const external = process.env['KAFKA_BROKERS'];
  if (external) {
    const refuse = () => Promise.reject(new Error('the broker of KAFKA_BROKERS is not ours to kill'));
    return { brokers: external, stop: () => Promise.resolve(), kill9: refuse, restart: refuse, log: () => '' };
  }
  const jars = (await run(process.execPath, [jarsScript])).stdout.trim();
  const java = ['-cp', join(jars, '*'), ...javaOptions];
  const folder = await mkdtemp(join(tmpdir(), 'wardwatch-kafka-'));
  const [port, controllerPort, securedPort] = await freePorts();
  const properties = join(folder, 'server.properties');
  const keys = join(folder, 'keys.p12');
  const ca = join(folder, 'ca.pem');
  const listeners = [`PLAINTEXT://127.0.0.1:${port}`];
  if (options.secured === true) listeners.push(`SECURED://127.0.0.1:${securedPort}`);
  await writeFile(
    properties,
    [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@127.0.0.1:${controllerPort}`,
      'controller.listener.names=CONTROLLER',
      `listeners=${listeners.join(',')},CONTROLLER://127.0.0.1:${controllerPort}`,
      `advertised.listeners=${listeners.join(',')}`,
      'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL',
      ...(options.secured === true
        ? [
            `ssl.keystore.location=${keys}`,
            'ssl.keystore.type=PKCS12',
            `ssl.keystore.password=${PASSWORD}`,
            'sasl.enabled.mechanisms=SCRAM-SHA-512,OAUTHBEARER',
            // Takes any token without a signature (RFC 7515 appendix A.5): for tests, and said to be so by Kafka.
            'listener.name.secured.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
            'listener.name.secured.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;',
          ]
        : []),
      `log.dirs=${join(folder, 'data')}`,
      'auto.create.topics.enable=false',
      'offsets.topic.num.partitions=1',
      'offsets.topic.replication.factor=1',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'share.coordinator.state.topic.replication.factor=1',
      'share.coordinator.state.topic.min.isr=1',
      // A lone consumer need not wait for others to join.
      'group.initial.rebalance.delay.ms=0',
      // After kill -9 the same broker is let in again when its old session ends: soon.
      'broker.session.timeout.ms=4000',
      'broker.heartbeat.interval.ms=500',
      'num.network.threads=2',
      'num.io.threads=2',
      '',
    ].join('\n'),
  );

  let log = '';
  let child: ChildProcess | undefined;
  let exited: Promise<void> = Promise.resolve();

  // A broker must not outlive a test process that ends without calling stop.
  const killOnExit = () => child?.kill('SIGKILL');
  process.once('exit', killOnExit);

  async function launch(): Promise<void> {
    const started = spawn('java', [...java, 'kafka.Kafka', properties], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    const collect = (chunk: Buffer) => {
      log = (log + chunk.toString('latin1')).slice(-65_536);
    };
    started.stdout.on('data', collect);
    started.stderr.on('data', collect);
    exited = new Promise((resolve) => started.once('close', () => resolve()));
    const giveUpAt = Date.now() + 60_000;
    while (!(await canConnect(port))) {
      if (started.exitCode !== null || started.signalCode !== null)
        throw new Error(`the broker ended while starting: ${log.slice(-2000)}`);
      if (Date.now() > giveUpAt) throw new Error(`the broker did not open its port: ${log.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    child?.kill(signal);
    await exited;
    child = undefined;
  }

  async function stop(): Promise<void> {
    process.off('exit', killOnExit);
    // Nothing of the data is wanted any more, so there is nothing to flush.
    await end('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  }

  try {
    const clusterId = Buffer.from(randomUUID().replaceAll('-', ''), 'hex').toString('base64url');
    // In one word: an id may begin with a hyphen.
    const format = [...java, 'kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`, '-c', properties];
    if (options.secured === true) {
      format.push('--add-scram', `SCRAM-SHA-512=[name=${USERNAME},password=${PASSWORD}]`);
      const store = ['-keystore', keys, '-storepass', PASSWORD, '-alias', 'broker'];
      const name = ['-dname', 'CN=127.0.0.1', '-ext', 'san=ip:127.0.0.1', '-validity', '2'];
      await run('keytool', ['-genkeypair', '-keyalg', 'EC', '-storetype', 'PKCS12', ...store, ...name]);
      await run('keytool', ['-exportcert', '-rfc', '-file', ca, ...store]);
    }
    await run('java', format);
    await launch();
  } catch (error) {
    await stop();
    throw error;
  }

  return {
    brokers: `127.0.0.1:${port}`,
    stop,
    kill9: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      await launch();
    },
    log: () => log,
    ...(options.secured === true
      ? { secured: { brokers: `127.0.0.1:${securedPort}`, ca, username: USERNAME, password: PASSWORD } }
      : {}),
  };
}
