import { randomUUID } from 'node:crypto';
import kafkajs, { type IHeaders, type Message, type Producer } from 'kafkajs';
import { Value } from 'typebox/value';
import { afterEach, describe, expect, test } from 'vitest';
import type { BusPositions, FrameBus, PoisonRecord, SubscribeOptions } from '../../src/bus/bus.ts';
import { createKafkaBus, ensureTopic, type KafkaBusConfig, kafkaBusConfigSchema } from '../../src/bus/kafka/index.ts';
import { type Reporter, silentReporter } from '../../src/kernel/component.ts';
import { decodeCapture } from '../../src/sources/pcap/decode.ts';
import { encodePcapng } from '../../src/sources/pcap/writer.ts';
import { describeWithBroker } from '../support/kafka/shared.ts';
import { busContract, publishAll } from './contract.ts';
import { batchOf, collect, frame, type Frame, framesOf } from './frames.ts';

function configOf(brokers: string, changes: Partial<KafkaBusConfig> = {}): KafkaBusConfig {
  const id = randomUUID();
  const defaults = Value.Create(kafkaBusConfigSchema);
  return { ...defaults, brokers: brokers.split(','), topic: `frames-${id}`, group_id: id, partitions: 3, ...changes };
}

const deps = { reporter: silentReporter };
const topicSettings = { partitions: 3, retentionMs: 3_600_000, replicationFactor: 1 };

/** A classic pcap file (little-endian, microseconds) with these frames, written by hand. */
function classicPcap(frames: readonly Frame[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  const records = frames.map(({ bytes, wireLen, tsUs }) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Math.floor(tsUs / 1e6), 0);
    record.writeUInt32LE(tsUs % 1e6, 4);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(wireLen, 12);
    return Buffer.concat([record, bytes]);
  });
  return Buffer.concat([header, ...records]);
}

function pcapng(frames: readonly Frame[]): Buffer {
  return Buffer.from(encodePcapng(batchOf(frames)));
}

/** Counts what a bus reports as dropped or counted. */
function counting(): { reporter: Reporter; seen: Record<string, number> } {
  const seen: Record<string, number> = {};
  const add = (name: string, n: number): void => void (seen[name] = (seen[name] ?? 0) + n);
  return {
    seen,
    reporter: {
      ...silentReporter,
      count: (name, n = 1) => add(name, n),
      dropped: (what, n, reason) => add(`${what}: ${reason}`, n),
    },
  };
}

describe('kafka bus without a broker', () => {
  // Port 1 (tcpmux) of the loopback: nothing listens there.
  const nowhere = configOf('127.0.0.1:1');

  test('a publisher says in one line which broker is away and what to check', async () => {
    const bus = createKafkaBus(nowhere, deps);
    const error: unknown = await bus
      .publisher()
      .start()
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'WW_BROKER',
      message: 'Kafka at 127.0.0.1:1 cannot be reached (ECONNREFUSED) while looking for the topic.',
      remedy: expect.stringContaining('kafka.brokers'),
    });
    await bus.stop();
  });

  test('so does a subscription, and a topic that is to be made', async () => {
    const bus = createKafkaBus(nowhere, deps);
    await expect(collect(bus.subscribe())).rejects.toMatchObject({ code: 'WW_BROKER' });
    await expect(ensureTopic(nowhere, topicSettings, deps)).rejects.toMatchObject({ code: 'WW_BROKER' });
    await bus.stop();
  });

  test.each([
    ['ssl.ca', { ssl: { ca: '/nowhere/ca.pem', reject_unauthorized: true } }],
    [
      'sasl.password_file',
      { sasl: { mechanism: 'plain', username: 'u', password_file: '/nowhere/password' } as const },
    ],
    ['password', { sasl: { mechanism: 'plain', username: 'u', password_env: 'NO_SUCH_VARIABLE' } as const }],
  ])('a setting that leads nowhere is named: %s', async (what, changes) => {
    const publisher = createKafkaBus(configOf('127.0.0.1:1', changes), deps).publisher();
    await expect(publisher.start()).rejects.toMatchObject({
      code: 'WW_CONFIG',
      message: expect.stringContaining(what),
    });
  });
});

describeWithBroker('kafka bus', (brokers) => {
  const buses: FrameBus[] = [];
  const producers: Producer[] = [];
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.stop()));
    await Promise.all(producers.splice(0).map((producer) => producer.disconnect()));
  });

  async function withTopic(changes?: Partial<KafkaBusConfig>): Promise<KafkaBusConfig> {
    const config = configOf(brokers(), changes);
    await ensureTopic(config, topicSettings, deps);
    return config;
  }
  function busOf(config: KafkaBusConfig, reporter = silentReporter): FrameBus {
    const bus = createKafkaBus(config, { reporter });
    buses.push(bus);
    return bus;
  }
  function client(): kafkajs.Kafka {
    return new kafkajs.Kafka({ brokers: brokers().split(','), logLevel: kafkajs.logLevel.NOTHING });
  }
  /** Writes values as a foreign producer does; the position after them on partition 0. */
  async function produce(topic: string, messages: Message[]): Promise<BusPositions> {
    const producer = client().producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    producers.push(producer);
    await producer.connect();
    const [answer] = await producer.send({
      topic,
      messages: messages.map((message) => ({ partition: 0, ...message })),
    });
    return new Map([[0, BigInt(answer!.baseOffset!) + BigInt(messages.length)]]);
  }
  /** Reads raw records of partition 0, as any other consumer would. */
  async function consume(topic: string, count: number): Promise<{ value: Buffer; headers: IHeaders | undefined }[]> {
    const consumer = client().consumer({ groupId: randomUUID(), maxWaitTimeInMs: 100 });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    const records: { value: Buffer; headers: IHeaders | undefined }[] = [];
    await new Promise<void>((resolve, reject) => {
      consumer
        .run({
          eachMessage: async ({ message: { value, headers } }) => {
            records.push({ value: value ?? Buffer.alloc(0), headers });
            if (records.length === count) resolve();
          },
        })
        .catch(reject);
    });
    await consumer.disconnect();
    return records;
  }
  /** Reads with a new bus, as after a restart; commits each delivery where told so. */
  async function readOn(config: KafkaBusConfig, options: SubscribeOptions, commits = true): Promise<Frame[]> {
    const bus = busOf(config);
    const subscription = bus.subscribe(options);
    const frames = await collect(subscription, (delivery) => (commits ? subscription.commit(delivery) : undefined));
    await bus.stop();
    return frames.get(0) ?? [];
  }

  test('kafkajs sets no timer into the past: Node would warn of it', async () => {
    const warnings: string[] = [];
    const listen = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', listen);
    await publishAll(busOf(await withTopic()), new Map([[0, [frame(1, 60)]]]));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  describe('contract', () => busContract(async () => createKafkaBus(await withTopic(), deps)));

  const some = Array.from({ length: 12 }, (_, n) => frame(n, 60 + n));

  test('after a restart reading goes on behind what was committed, and no further', async () => {
    const config = await withTopic();
    const until = await produce(
      config.topic,
      some.map((one) => ({ value: pcapng([one]) })),
    );
    const bus = busOf(config);
    const subscription = bus.subscribe();
    let taken = 0;
    for await (const delivery of subscription) {
      taken++;
      if (taken === 5) await subscription.commit(delivery);
      if (taken === 8) break;
    }
    await bus.stop();
    expect(await readOn(config, { until }, false)).toEqual(some.slice(5));
    expect(await readOn(config, { until })).toEqual(some.slice(5));
    expect(await readOn(config, { until })).toEqual([]);
  });

  test('what lies behind the end positions is left for the next reader', async () => {
    const config = await withTopic();
    const until = await produce(
      config.topic,
      some.map((one) => ({ value: pcapng([one]) })),
    );
    expect(await readOn(config, { until: new Map([[0, 4n]]) })).toEqual(some.slice(0, 4));
    expect(await readOn(config, { until })).toEqual(some.slice(4));
  });

  test('reading can begin at the end', async () => {
    const config = await withTopic();
    await publishAll(busOf(config), new Map([[0, some]]));
    const subscription = busOf(config).subscribe({ from: 'end', until: await produce(config.topic, [{ value: '' }]) });
    expect(await collect(subscription)).toEqual(new Map());
  });

  test('positions kept by the caller replace the committed ones', async () => {
    const config = await withTopic();
    const until = await produce(
      config.topic,
      some.map((one) => ({ value: pcapng([one]) })),
    );
    expect(await readOn(config, { until })).toEqual(some);
    expect(await readOn(config, { until: new Map([[0, 7n]]), onAssign: () => new Map([[0, 3n]]) })).toEqual([]);
    const again = busOf(config).subscribe({ onAssign: () => Promise.resolve(new Map([[0, 3n]])) });
    const seen: Frame[] = [];
    for await (const { batch } of again) {
      seen.push(...framesOf(batch));
      if (seen.length === 9) break;
    }
    expect(seen).toEqual(some.slice(3));
  });

  test('records that are no capture are put aside with the reason, once, and the partition goes on', async () => {
    const config = await withTopic();
    const until = await produce(config.topic, [
      { value: pcapng([some[0]!]) },
      { value: 'not a capture' },
      { value: '' },
      { value: null },
      { value: pcapng([some[1]!]).subarray(0, 80) },
      { value: pcapng([some[2]!]) },
      { value: Buffer.alloc(300, 0xff) },
    ]);
    const told: PoisonRecord[] = [];
    const { reporter, seen } = counting();
    const bus = busOf(config, reporter);
    const subscription = bus.subscribe({ until, onPoison: (record) => told.push(record) });
    const frames = await collect(subscription, (delivery) => subscription.commit(delivery));
    expect(frames.get(0)).toEqual([some[0], some[2]]);
    expect(told).toEqual([
      { partition: 0, offset: 1n, reason: 'not a capture' },
      { partition: 0, offset: 2n, reason: 'not a capture' },
      { partition: 0, offset: 3n, reason: 'not a capture' },
      { partition: 0, offset: 4n, reason: 'damaged capture' },
      { partition: 0, offset: 6n, reason: 'not a capture' },
    ]);
    expect(seen['bus_poison_records']).toBe(5);
    await bus.stop();

    const aside = await consume(`${config.topic}.dead-letter`, 5);
    expect(aside[0]!.value.toString()).toBe('not a capture');
    const headers = Object.entries(aside[0]!.headers!).map(([name, value]) => [name, String(value)]);
    expect(Object.fromEntries(headers)).toEqual({
      reason: 'not a capture',
      topic: config.topic,
      partition: '0',
      offset: '1',
    });
    expect(await readOn(config, { until, onPoison: (record) => told.push(record) })).toEqual([]);
    expect(told.length).toBe(5);
  });

  test('values of other producers: classic pcap, one frame a record, several sections, a section without frames', async () => {
    const config = await withTopic();
    const until = await produce(config.topic, [
      { value: classicPcap(some.slice(0, 3)) },
      ...some.slice(3, 6).map((one) => ({ value: pcapng([one]) })),
      { value: pcapng([]) },
      {
        value: Buffer.concat([pcapng(some.slice(6, 8)), pcapng(some.slice(8))]),
        key: 'any',
        headers: { any: 'thing' },
      },
    ]);
    expect(await readOn(config, { until })).toEqual(some);
  });

  test('what is damaged behind its first frames gives those', async () => {
    const config = await withTopic();
    const value = Buffer.concat([pcapng(some.slice(0, 2)), Buffer.from('rubbish, and more of it')]);
    const until = await produce(config.topic, [{ value }, { value: pcapng([some[2]!]) }]);
    expect(await readOn(config, { until })).toEqual(some.slice(0, 3));
  });

  test('all values after each other are a capture', async () => {
    const config = await withTopic({ max_record_bytes: 4096 });
    const frames = Array.from({ length: 200 }, (_, n) => frame(n, 200, n % 7 === 0 ? 101 : 1));
    const positions = await publishAll(busOf(config), new Map([[0, frames]]), 30);
    const records = await consume(config.topic, Number(positions.get(0)));
    expect(Math.max(...records.map(({ value }) => value.length))).toBeLessThanOrEqual(4096);
    const whole = decodeCapture(Buffer.concat(records.map(({ value }) => value)), 'the topic');
    expect(whole.report.truncated).toBe(false);
    expect(framesOf(whole.batch)).toEqual(frames);
  });

  test('small batches share a record', async () => {
    const config = await withTopic();
    const positions = await publishAll(busOf(config), new Map([[0, some]]), 1);
    expect(positions).toEqual(new Map([[0, 1n]]));
  });

  test('a lone frame is sent after the linger time, without waiting for more', async () => {
    const config = await withTopic({ linger_ms: 1 });
    const bus = busOf(config);
    const publisher = bus.publisher();
    await publisher.start();
    await publisher.publish(batchOf([some[0]!]));
    for await (const { batch } of bus.subscribe()) {
      expect(framesOf(batch)).toEqual([some[0]]);
      break;
    }
  });

  test.each(['none', 'gzip', 'zstd'] as const)('compression: %s', async (compression) => {
    const config = await withTopic({ compression });
    const sent = new Map([[0, some]]);
    expect(await collect(busOf(config).subscribe({ until: publishAll(busOf(config), sent) }))).toEqual(sent);
  });

  test('a frame that fits into no record is dropped and counted', async () => {
    const config = await withTopic({ max_record_bytes: 4096 });
    const { reporter, seen } = counting();
    const sent = new Map([[0, [frame(1, 60), frame(2, 5000), frame(3, 60)]]]);
    const frames = await collect(busOf(config).subscribe({ until: publishAll(busOf(config, reporter), sent) }));
    expect(frames.get(0)).toEqual([frame(1, 60), frame(3, 60)]);
    expect(seen['frames: larger than a record']).toBe(1);
  });

  test('more frames than a batch of a source holds come in one delivery', async () => {
    const config = await withTopic();
    const sent = Array.from({ length: 10_000 }, (_, n) => frame(n, 0));
    const until = await produce(config.topic, [{ value: classicPcap(sent) }]);
    expect(await readOn(config, { until })).toEqual(sent);
  });

  test('a slow reader holds the fetching back instead of losing its place in the group', async () => {
    const config = await withTopic({ max_prefetched_bytes: 1_048_576 });
    const sent = Array.from({ length: 400 }, (_, n) => frame(n, 60_000));
    const until = await publishAll(busOf(config), new Map([[0, sent]]), 4);
    const bus = busOf(config);
    let assignments = 0;
    const subscription = bus.subscribe({
      until,
      onAssign: () => {
        assignments++;
        return undefined;
      },
    });
    const seen = await collect(subscription, (delivery) => subscription.commit(delivery));
    expect(seen.get(0)).toEqual(sent);
    expect(assignments).toBe(1);
  });

  test('two members share the partitions; a delivery of before cannot be committed after, and comes again', async () => {
    const config = await withTopic();
    const sent = new Map([0, 1, 2].map((p) => [p, Array.from({ length: 20 }, (_, n) => frame(p * 100 + n, 70_000))]));
    await publishAll(busOf(config), sent, 1);
    const { reporter, seen } = counting();
    const first = busOf(config, reporter).subscribe();
    const reader = first[Symbol.asyncIterator]();
    const old = (await reader.next()).value!;
    const oldFrames = framesOf(old.batch);

    const assigned: (readonly number[])[] = [];
    const second = busOf(config).subscribe({
      onAssign: (partitions) => {
        assigned.push(partitions);
        return undefined;
      },
    });
    const frames = new Map<number, Frame[]>();
    const total = (): number => [...frames.values()].reduce((sum, list) => sum + list.length, 0);
    async function read(subscription: typeof first): Promise<void> {
      for await (const { partition, batch } of subscription) {
        frames.set(partition, [...(frames.get(partition) ?? []), ...framesOf(batch)]);
        if (total() === 60) await Promise.all([first.stop(), second.stop()]);
      }
    }
    // The second one's first delivery shows that the group was shared out anew.
    const others = second[Symbol.asyncIterator]();
    const theirs = (await others.next()).value!;
    expect(assigned[0]!.length).toBeGreaterThan(0);
    expect(assigned[0]!.length).toBeLessThan(3);
    frames.set(theirs.partition, framesOf(theirs.batch));
    await first.commit(old);
    expect(seen['bus_stale_commits']).toBe(1);
    await Promise.all([read(first), read(second)]);
    expect(frames).toEqual(sent);
    expect(oldFrames.length).toBeGreaterThan(0);
  });

  test('a topic that is missing, or has too few partitions, is said at once', async () => {
    const missing = createKafkaBus(configOf(brokers()), deps);
    await expect(missing.publisher().start()).rejects.toMatchObject({
      code: 'WW_BROKER',
      remedy: 'Create it with `wardwatch topics create`.',
    });
    await expect(collect(missing.subscribe())).rejects.toMatchObject({ code: 'WW_BROKER' });
    await missing.stop();
    const config = await withTopic();
    const publisher = busOf({ ...config, partitions: 4 }).publisher();
    await expect(publisher.start()).rejects.toMatchObject({ code: 'WW_CONFIG' });
  });

  test('making a topic that is there changes nothing', async () => {
    const config = await withTopic();
    const again = await ensureTopic(config, { ...topicSettings, partitions: 9 }, deps);
    expect(again).toEqual({ created: false, partitions: 3 });
  });
});
