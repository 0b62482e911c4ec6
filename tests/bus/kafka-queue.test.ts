import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FrameBus, FramePublisher } from '../../src/bus/bus.ts';
import { createKafkaBus, ensureTopic, type KafkaBusConfig, kafkaBusConfigSchema } from '../../src/bus/kafka/index.ts';
import { type Reporter, silentReporter } from '../../src/kernel/component.ts';
import { brokerObstacle, startBroker, type TestBroker } from '../support/kafka/broker.ts';
import { batchOf, frame, type Frame, framesOf } from './frames.ts';

const isOurs = brokerObstacle() === undefined && !process.env['KAFKA_BROKERS'];

// Without a broker of our own the tests of kafka.test.ts say so, and fail where they must.
describe.skipIf(!isOurs)('a sensor at an interface whose broker goes away', () => {
  let broker: TestBroker;
  let config: KafkaBusConfig;
  const buses: FrameBus[] = [];
  beforeEach(async () => {
    broker = await startBroker();
    const id = randomUUID();
    const dir = mkdtempSync(join(tmpdir(), 'wardwatch-queue-'));
    config = {
      ...Value.Create(kafkaBusConfigSchema),
      brokers: [broker.brokers],
      topic: `frames-${id}`,
      group_id: id,
      partitions: 1,
      queue: { dir, max_bytes: 64 * 1024 * 1024, fsync: 'file' },
    };
    await ensureTopic(
      config,
      { partitions: 1, retentionMs: 3_600_000, replicationFactor: 1 },
      { reporter: silentReporter },
    );
  }, 180_000);
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.stop()));
    await broker.stop();
  });

  interface Sensor {
    readonly bus: FrameBus;
    readonly publisher: FramePublisher;
    readonly seen: Record<string, number>;
    /** Resolves when so many frames are with the broker. */
    published(n: number): Promise<void>;
  }
  async function sensor(changes: Partial<KafkaBusConfig> = {}): Promise<Sensor> {
    const seen: Record<string, number> = {};
    let wake = (): void => {};
    const reporter: Reporter = {
      ...silentReporter,
      count: (name, n = 1) => {
        seen[name] = (seen[name] ?? 0) + n;
        wake();
      },
      dropped: (what, n, reason) => void (seen[`${what}: ${reason}`] = (seen[`${what}: ${reason}`] ?? 0) + n),
    };
    const bus = createKafkaBus({ ...config, ...changes }, { reporter });
    buses.push(bus);
    const publisher = bus.publisher({ live: true });
    await publisher.start();
    const published = async (n: number): Promise<void> => {
      while ((seen['bus_published_frames'] ?? 0) < n) await new Promise<void>((resolve) => (wake = resolve));
    };
    return { bus, publisher, seen, published };
  }
  /** Everything on the topic up to this number of frames, with what the bus says is missing. */
  async function read(count: number, changes: Partial<KafkaBusConfig> = {}) {
    const bus = createKafkaBus({ ...config, ...changes, group_id: randomUUID() }, { reporter: silentReporter });
    buses.push(bus);
    const frames: Frame[] = [];
    const lost = { records: 0, frames: 0 };
    for await (const delivery of bus.subscribe()) {
      frames.push(...framesOf(delivery.batch));
      lost.records += delivery.lost?.records ?? 0;
      lost.frames += delivery.lost?.frames ?? 0;
      if (frames.length >= count) break;
    }
    return { frames, lost };
  }
  const made = (count: number, size: number): Frame[] => Array.from({ length: count }, (_, n) => frame(n, size));

  test('frames wait on disk and arrive once, in order, when it is back; the source never waits', async () => {
    const { publisher, published, seen } = await sensor({ max_unacknowledged_bytes: 1_048_576 });
    const sent = made(400, 40_000);
    for (const one of sent.slice(0, 50)) await publisher.publish(batchOf([one]));
    await published(50);
    await broker.kill9();
    // 14 MB: many times what may wait in memory.
    for (const one of sent.slice(50)) await publisher.publish(batchOf([one]));
    expect(seen['queue_written_frames']).toBeGreaterThan(300);
    await broker.restart();
    await published(400);
    expect(readdirSync(config.queue!.dir).filter((name) => name.endsWith('.frames'))).toEqual([]);
    const { frames, lost } = await read(400);
    expect(frames).toEqual(sent);
    expect(lost).toEqual({ records: 0, frames: 0 });
  }, 180_000);

  test('a sensor that stops while the broker is away leaves them to the next one, which may start before the broker', async () => {
    const key = join(mkdtempSync(join(tmpdir(), 'wardwatch-key-')), 'keys');
    writeFileSync(key, `k1:${Buffer.alloc(32, 7).toString('base64')}\n`);
    const changes = { encryption: { key_file: key, refuse_plain: true } };
    const sent = made(60, 20_000);
    const first = await sensor(changes);
    for (const one of sent.slice(0, 10)) await first.publisher.publish(batchOf([one]));
    await first.published(10);
    await broker.kill9();
    for (const one of sent.slice(10, 40)) await first.publisher.publish(batchOf([one]));
    await first.publisher.end();
    await first.bus.stop();
    expect(first.seen['frames: not acknowledged']).toBeUndefined();
    for (const name of readdirSync(config.queue!.dir).filter((file) => file.endsWith('.frames')))
      expect(readFileSync(join(config.queue!.dir, name)).includes(Buffer.from(sent[20]!.bytes.subarray(0, 32)))).toBe(
        false,
      );
    const second = await sensor(changes);
    for (const one of sent.slice(40)) await second.publisher.publish(batchOf([one]));
    await broker.restart();
    await second.published(50);
    expect((await read(60, changes)).frames).toEqual(sent);
  }, 180_000);

  test('what a full queue has dropped is counted, and the detectors are told how much is missing', async () => {
    const { publisher, published, seen } = await sensor({
      max_unacknowledged_bytes: 1_048_576,
      queue: { ...config.queue!, max_bytes: 4 * 1024 * 1024 },
    });
    const sent = made(400, 40_000);
    for (const one of sent.slice(0, 10)) await publisher.publish(batchOf([one]));
    await published(10);
    await broker.kill9();
    for (const one of sent.slice(10)) await publisher.publish(batchOf([one]));
    await publisher.end();
    await broker.restart();
    const dropped = seen['frames: queue on disk full']!;
    expect(dropped).toBeGreaterThan(200);
    await published(400 - dropped);
    const { frames, lost } = await read(400 - dropped);
    expect(frames.length).toBe(400 - dropped);
    expect(frames.at(-1)).toEqual(sent.at(-1));
    expect(lost.frames).toBe(dropped);
    expect(lost.records).toBeGreaterThan(0);
  }, 180_000);
});
