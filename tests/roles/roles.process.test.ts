import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PipelineStatus } from '../../src/api/index.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import { brokerObstacle, startBroker } from '../support/kafka/broker.ts';
import { describeWithBroker } from '../support/kafka/shared.ts';
import { startClickHouse } from '../support/clickhouse/start.ts';
import { killAll, metric, reaches, start } from './roles.ts';
import type { Role } from './roles.ts';

const LEARN = resolve('demo/learn.pcap.gz');
const ATTACK = resolve('demo/attack-1.pcap.gz');
/** Frames of a classic pcap: what a plain walk over its records finds. */
const attack = gunzipSync(readFileSync(ATTACK));
const frames = framesIn(attack);

function framesIn(pcap: Buffer): number {
  let count = 0;
  for (let at = 24; at < pcap.length; count++) at += 16 + pcap.readUInt32LE(at + 8);
  return count;
}

/** Where the record lies in which the given share of the capture ends. */
function cutAt(pcap: Buffer, share: number): number {
  let at = 24;
  while (at < pcap.length * share) at += 16 + pcap.readUInt32LE(at + 8);
  return at;
}

/** Whether an event stream comes to say so. */
async function heard(events: Response, what: RegExp): Promise<boolean> {
  let text = '';
  for await (const chunk of events.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (what.test(text)) return true;
  }
  return false;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-roles-'));
});
afterAll(() => {
  killAll();
  rmSync(folder, { recursive: true, force: true });
});

/** One deployment: a topic, a group and a folder of its own. */
class Site {
  readonly topic = `frames-${randomUUID()}`;
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly kafka: kafkajs.Kafka;

  constructor(brokers: string, env: Record<string, string> = {}) {
    this.cwd = mkdtempSync(join(folder, 'site-'));
    this.env = {
      WARDWATCH_BUS__KAFKA__BROKERS: brokers,
      WARDWATCH_BUS__KAFKA__TOPIC: this.topic,
      WARDWATCH_BUS__KAFKA__GROUP_ID: this.topic,
      WARDWATCH_BUS__KAFKA__PARTITIONS: '2',
      WARDWATCH_BUS__KAFKA__SESSION_TIMEOUT_MS: '6000',
      WARDWATCH_API__PORT: '0',
      WARDWATCH_ACCESS__SIGN_IN: 'off',
      ...env,
    };
    this.kafka = new kafkajs.Kafka({ brokers: [brokers], logLevel: kafkajs.logLevel.NOTHING });
  }

  start(...args: string[]): Role {
    return start(args, this.env, this.cwd);
  }

  /** Runs a command to its end; what it said. */
  async run(...args: string[]): Promise<string> {
    const role = this.start(...args);
    role.child.stdin.end();
    const code = await role.ended;
    expect(code, role.output()).toBe(0);
    return role.output();
  }

  async admin<T>(use: (admin: kafkajs.Admin) => Promise<T>): Promise<T> {
    const admin = this.kafka.admin();
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }

  /** Alerts as `wardwatch server` shows them: severity by id. */
  async alertsServed(): Promise<Map<string, number>> {
    const server = this.start('server');
    const [, url] = await server.says(/Console: (\S+)/);
    const found = new Map<string, number>();
    for (let cursor = ''; ;) {
      const answer = await fetch(`${url!}api/v1/alerts?limit=200${cursor}`);
      const page = (await answer.json()) as { rows: AlertRow[]; next: string | null };
      for (const row of page.rows) found.set(row.uid, row.severity_id);
      if (page.next === null) break;
      cursor = `&cursor=${encodeURIComponent(page.next)}`;
    }
    const status = (await (await fetch(`${url!}api/v1/status`)).json()) as PipelineStatus;
    // What only a detector knows is not made up.
    expect(status).toMatchObject({ frames: 0, detectors: [], capture_loss: null });
    expect(status.state).toMatch(/^(learning|watching)$/);
    expect(status.devices).toBeGreaterThan(0);
    server.child.kill('SIGTERM');
    expect(await server.ended, server.output()).toBe(0);
    return found;
  }
}

describeWithBroker('the roles over Kafka', (brokers) => {
  /** What replay finds in the same capture after the same learning. */
  const expected = new Map<string, number>();
  beforeAll(async () => {
    const site = new Site(brokers());
    await site.run('replay', '--learn', LEARN, ATTACK, '--out', 'out', '--quiet');
    // A store keeps notices beside the alerts.
    for (const name of ['alerts', 'notices'])
      for (const line of readFileSync(join(site.cwd, `out/${name}.ndjson`), 'utf8')
        .split('\n')
        .slice(0, -1)) {
        const found = JSON.parse(line) as { severity_id: number; finding_info: { uid: string } };
        expected.set(found.finding_info.uid, found.severity_id);
      }
    expect(expected.size).toBeGreaterThan(0);
  }, 300_000);

  test('a capture that a sensor sends makes the alerts of replay in `run --kafka`', { timeout: 300_000 }, async () => {
    const site = new Site(brokers());
    await site.run('topics', 'create');
    expect(await site.run('sensor', ATTACK)).toContain(`${frames} frames read, ${frames} sent, 0 lost at the capture`);
    const said = await site.run('run', '--kafka', '--exit', '--learn', LEARN);
    expect(said).toContain('The input has ended');
    expect(await site.alertsServed()).toEqual(expected);
  });

  test(
    'the same by `detector` over a ClickHouse server, also where it is all done twice',
    { timeout: 300_000 },
    async () => {
      const clickhouse = await startClickHouse();
      try {
        const site = new Site(brokers(), {
          WARDWATCH_STORE__MODE: 'server',
          WARDWATCH_STORE__SERVER__URL: clickhouse.url,
          WARDWATCH_STORE__SERVER__USERNAME: clickhouse.username,
          WARDWATCH_STORE__SERVER__PASSWORD_ENV: 'ROLES_PASSWORD',
          ROLES_PASSWORD: clickhouse.password,
        });
        await site.run('topics', 'create');
        await site.run('sensor', '--partition', '1', ATTACK);
        const server = site.start('server');
        const [, url] = await server.says(/Console: (\S+)/);
        const events = await fetch(`${url!}api/v1/events`);
        expect(await site.run('detector', '--exit', '--learn', LEARN)).toContain('all is stored');
        expect(await heard(events, /^event: alert$/m)).toBe(true);
        server.child.kill('SIGTERM');
        expect(await server.ended, server.output()).toBe(0);
        expect(await site.alertsServed()).toEqual(expected);
        // As after a crash before the commit: everything comes again.
        site.env['WARDWATCH_BUS__KAFKA__GROUP_ID'] = `${site.topic}-again`;
        await site.run('detector', '--exit', '--learn', LEARN);
        expect(await site.alertsServed()).toEqual(expected);
      } finally {
        await clickhouse.stop();
      }
    },
  );

  test('a record that cannot be read goes to the dead letters, and the others arrive', async () => {
    const site = new Site(brokers());
    await site.run('topics', 'create');
    const producer = site.kafka.producer();
    await producer.connect();
    const messages = [{ value: 'no capture at all', partition: 0 }];
    await producer.send({ topic: site.topic, messages });
    await site.run('sensor', ATTACK);
    await producer.send({ topic: site.topic, messages });
    await producer.disconnect();
    const said = await site.run('detector', '--exit');
    expect(said).toContain(`${frames} frames watched`);
    expect(said).toMatch(/record 0 of partition 0 cannot be read \(not a capture\)/);
    const dead = await site.admin((admin) => admin.fetchTopicOffsets(`${site.topic}.dead-letter`));
    expect(dead.map(({ high }) => high)).toEqual(['2']);
    const committed = await site.admin((admin) => admin.fetchOffsets({ groupId: site.topic, topics: [site.topic] }));
    const ends = await site.admin((admin) => admin.fetchTopicOffsets(site.topic));
    const end = ends.find(({ partition }) => partition === 0)?.high;
    expect(committed[0]?.partitions.find(({ partition }) => partition === 0)?.offset).toBe(end);
  });

  test('SIGTERM of a detector stores and commits what it has seen; the next goes on behind it', async () => {
    const site = new Site(brokers());
    await site.run('topics', 'create');
    await site.run('sensor', ATTACK);
    const detector = site.start('detector', '--metrics', '127.0.0.1:0');
    const [, base] = await detector.says(/Metrics: (\S+)\/metrics/);
    await reaches(base!, 'frames_read_total', frames);
    expect((await fetch(`${base!}/readyz`)).status).toBe(200);
    expect((await fetch(`${base!}/healthz`)).status).toBe(200);
    expect((await fetch(`${base!}/else`)).status).toBe(404);
    expect(await metric(base!, 'bus_delivered_frames_total')).toBe(frames);
    detector.child.kill('SIGTERM');
    expect(await detector.ended, detector.output()).toBe(0);
    expect(detector.output()).toContain(`${frames} frames watched`);
    expect(await site.run('detector', '--exit')).toContain('0 frames watched');
    await site.run('sensor', ATTACK);
    expect(await site.run('detector', '--exit')).toContain(`${frames} frames watched`);
  });

  test('SIGTERM of a sensor sends what it has taken', async () => {
    const site = new Site(brokers());
    await site.run('topics', 'create');
    const sensor = site.start('sensor', '-', '--metrics', '127.0.0.1:0');
    const [, base] = await sensor.says(/Metrics: (\S+)\/metrics/);
    const part = attack.subarray(0, cutAt(attack, 0.5));
    sensor.child.stdin.write(part);
    await reaches(base!, 'frames_captured_total', framesIn(part));
    sensor.child.kill('SIGTERM');
    expect(await sensor.ended, sensor.output()).toBe(0);
    expect(sensor.output()).toContain(`${framesIn(part)} frames read, ${framesIn(part)} sent`);
    expect(await site.run('detector', '--exit')).toContain(`${framesIn(part)} frames watched`);
  });

  test('a detector that joins takes over partitions, and no frame is missed', { timeout: 300_000 }, async () => {
    const site = new Site(brokers());
    await site.run('topics', 'create');
    const roles = [0, 1].map((n) => {
      const path = join(site.cwd, `store-${n}`, 'store');
      mkdirSync(join(site.cwd, `store-${n}`));
      return start(['detector', '--metrics', '127.0.0.1:0'], { ...site.env, WARDWATCH_STORE__PATH: path }, site.cwd);
    });
    const bases = await Promise.all(roles.map(async (role) => (await role.says(/Metrics: (\S+)\/metrics/))[1]!));
    await Promise.all(roles.map((role) => role.says(/"partitions":"[01]"/)));
    await site.run('sensor', '--partition', '0', ATTACK);
    await site.run('sensor', '--partition', '1', ATTACK);
    await Promise.all(bases.map((base) => reaches(base, 'frames_read_total', frames)));
    for (const role of roles) {
      role.child.kill('SIGTERM');
      expect(await role.ended, role.output()).toBe(0);
    }
  });

  test('topics create explains every setting and leaves a topic that is there as it is', async () => {
    const site = new Site(brokers());
    const planned = await site.run('topics', 'create', '--dry-run', '--retention-hours', '6');
    expect(planned).toMatch(/retention\.ms=21600000 +\S.*patient data/);
    expect(await site.admin((admin) => admin.listTopics())).not.toContain(site.topic);
    expect(await site.run('topics', 'create')).toContain(`${site.topic} was made with 2 partitions`);
    const again = await site.run('topics', 'create', '--retention-hours', '6', '--partitions', '4');
    expect(again).toContain('was there with 2 partitions and stays as it is');
    expect(again).toContain('retention.ms is 86400000, not 21600000');
    expect(again).toContain('kafka-topics.sh --alter');
    expect(await site.run('topics', 'create')).not.toContain('differs');
  });

  test('what cannot work is said at once', async () => {
    const away = new Site('127.0.0.1:1');
    const missing = new Site(brokers());
    for (const [site, args, code, message] of [
      [away, ['sensor', ATTACK], 69, /cannot be reached.*WW_BROKER\)\n {2}-> /s],
      [away, ['detector', '--exit'], 69, /cannot be reached.*WW_BROKER\)\n {2}-> /s],
      [missing, ['sensor', ATTACK], 69, /topic .* is missing.*wardwatch topics create/s],
      [missing, ['sensor', '--partition', '2', ATTACK], 2, /--partition 2 is not there.*WW_USAGE/s],
      [missing, ['sensor', '-i', 'eth9', ATTACK], 2, /cannot be sent by one sensor/],
      [missing, ['run', '--kafka', ATTACK], 2, /cannot be watched by one process/],
      [missing, ['sensor'], 2, /there is nothing to send/],
      [missing, ['detector', '--metrics', 'eth0:port'], 2, /HOST:PORT.*WW_USAGE/s],
    ] as const) {
      const role = site.start(...args);
      role.child.stdin.end();
      expect(await role.ended, args.join(' ')).toBe(code);
      expect(role.output()).toMatch(message);
    }
  });
});

const isOurs = brokerObstacle() === undefined && !process.env['KAFKA_BROKERS'];

// Without a broker of our own the tests above say so, and fail where they must.
describe.skipIf(!isOurs)('the roles over a broker that dies', () => {
  test('a sensor waits while it is away and loses nothing of a capture; a detector goes on after it', async () => {
    const broker = await startBroker();
    try {
      const site = new Site(broker.brokers);
      await site.run('topics', 'create');
      const detector = site.start('detector', '--metrics', '127.0.0.1:0');
      const sensor = site.start('sensor', '-', '--metrics', '127.0.0.1:0');
      const [, base] = await sensor.says(/Metrics: (\S+)\/metrics/);
      const cut = cutAt(attack, 0.3);
      const before = framesIn(attack.subarray(0, cut));
      sensor.child.stdin.write(attack.subarray(0, cut));
      await reaches(base!, 'bus_published_frames_total', before);
      const [, watching] = await detector.says(/Metrics: (\S+)\/metrics/);
      await reaches(watching!, 'frames_read_total', before);
      await broker.kill9();
      sensor.child.stdin.end(attack.subarray(cut));
      await reaches(base!, 'frames_captured_total', frames);
      await broker.restart();
      expect(await sensor.ended, sensor.output()).toBe(0);
      expect(sensor.output()).toContain(`${frames} frames read, ${frames} sent, 0 lost at the capture`);
      await reaches(watching!, 'frames_read_total', frames);
      detector.child.kill('SIGTERM');
      expect(await detector.ended, detector.output()).toBe(0);
      expect(detector.output()).toContain(`${frames} frames watched`);
    } finally {
      await broker.stop();
    }
  }, 180_000);
});
