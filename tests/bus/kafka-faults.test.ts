import { randomUUID } from 'node:crypto';
import { Value } from 'typebox/value';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FrameBus } from '../../src/bus/bus.ts';
import { createKafkaBus, ensureTopic, type KafkaBusConfig, kafkaBusConfigSchema } from '../../src/bus/kafka/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { brokerObstacle, startBroker, type TestBroker } from '../support/kafka/broker.ts';
import { batchOf, frame, type Frame, framesOf } from './frames.ts';

const isOurs = brokerObstacle() === undefined && !process.env['KAFKA_BROKERS'];

// Without a broker of our own the tests of kafka.test.ts say so, and fail where they must.
describe.skipIf(!isOurs)('kafka bus over a broker that dies', () => {
  let broker: TestBroker;
  let bus: FrameBus | undefined;
  beforeEach(async () => {
    broker = await startBroker();
  }, 180_000);
  afterEach(async () => {
    await bus?.stop();
    await broker.stop();
  });

  async function open(changes: Partial<KafkaBusConfig> = {}, reporter = silentReporter): Promise<FrameBus> {
    const id = randomUUID();
    const defaults = Value.Create(kafkaBusConfigSchema);
    const brokers = [broker.brokers];
    const config = { ...defaults, brokers, topic: `frames-${id}`, group_id: id, partitions: 1, ...changes };
    await ensureTopic(config, { partitions: 1, retentionMs: 3_600_000, replicationFactor: 1 }, { reporter });
    bus = createKafkaBus(config, { reporter });
    return bus;
  }

  test('what is published while it is down arrives once and in order after it is back', async () => {
    const bus = await open();
    const sent = Array.from({ length: 600 }, (_, n) => frame(n, 40_000));
    const publisher = bus.publisher();
    await publisher.start();
    let published = 0;
    let down: Promise<void> | undefined;
    let up: Promise<void> | undefined;
    for (let n = 0; n < sent.length; n += 5) {
      await publisher.publish(batchOf(sent.slice(n, n + 5)));
      published += 5;
      if (published === 100) down = broker.kill9();
      if (published === 300) up = down?.then(() => broker.restart());
    }
    await up;
    const until = await publisher.end();
    const seen: Frame[] = [];
    for await (const { batch } of bus.subscribe({ until })) seen.push(...framesOf(batch));
    expect(seen.length).toBe(sent.length);
    expect(seen).toEqual(sent);
  });

  test('reading goes on after it is back, from what was committed', async () => {
    // A member that vanished holds its partitions until its session ends.
    const bus = await open({ max_prefetched_bytes: 1_048_576, session_timeout_ms: 6000 });
    const sent = Array.from({ length: 300 }, (_, n) => frame(n, 40_000));
    const publisher = bus.publisher();
    await publisher.start();
    for (let n = 0; n < sent.length; n += 5) await publisher.publish(batchOf(sent.slice(n, n + 5)));
    const until = await publisher.end();
    const subscription = bus.subscribe({ until });
    /** By offset: a record may come twice, but never with other frames. */
    const seen = new Map<bigint, Frame[]>();
    let last = -1n;
    for await (const delivery of subscription) {
      expect(delivery.offset).toBeLessThanOrEqual(last + 1n);
      last = delivery.offset;
      seen.set(delivery.offset, framesOf(delivery.batch));
      if (delivery.offset === 10n) await subscription.commit(delivery);
      if (seen.size === 15) {
        await broker.kill9();
        await broker.restart();
      }
    }
    expect([...seen.entries()].sort(([a], [b]) => Number(a - b)).flatMap(([, frames]) => frames)).toEqual(sent);
  });

  test('a broker that stays away: the publisher waits with its memory bounded, then gives up and counts', async () => {
    const lost: [string, number, string][] = [];
    const reporter = { ...silentReporter, dropped: (...what: [string, number, string]) => void lost.push(what) };
    const bus = await open({ delivery_timeout_ms: 1000, max_unacknowledged_bytes: 1_048_576 }, reporter);
    const publisher = bus.publisher();
    await publisher.start();
    await broker.kill9();
    let taken = 0;
    const publishing = (async () => {
      for (let n = 0; n < 100; n++) {
        await publisher.publish(batchOf([frame(n, 200_000)]));
        taken++;
      }
    })();
    await expect(publishing).rejects.toMatchObject({ code: 'WW_BROKER' });
    expect(taken).toBe(5);
    await expect(publisher.publish(batchOf([frame(1, 60)]))).rejects.toMatchObject({ code: 'WW_BROKER' });
    await expect(publisher.end()).rejects.toMatchObject({ code: 'WW_BROKER' });
    await publisher.stop();
    expect(lost).toEqual([['frames', 6, 'not acknowledged']]);
  });
});
