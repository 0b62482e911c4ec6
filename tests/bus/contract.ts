import { afterEach, expect, test } from 'vitest';
import type { BusPositions, FrameBus } from '../../src/bus/bus.ts';
import { batchOf, collect, frame, type Frame, framesOf } from './frames.ts';

/** Puts frames on the bus, `perBatch` in a batch that is used again, and ends the publisher. */
export async function publishAll(
  bus: FrameBus,
  frames: ReadonlyMap<number, readonly Frame[]>,
  perBatch = 100,
): Promise<BusPositions> {
  const publisher = bus.publisher();
  await publisher.start();
  for (const [partition, list] of frames) {
    for (let from = 0; from < list.length; from += perBatch) {
      const batch = batchOf(list.slice(from, from + perBatch), from);
      await publisher.publish(batch, partition);
      // The batch is ours again: whoever still reads it must fail the test.
      batch.bytes.fill(0);
      batch.tsUs.fill(0);
      batch.count = 0;
    }
  }
  const positions = await publisher.end();
  await publisher.stop();
  return positions;
}

function range(count: number, length: (n: number) => number, linkType?: (n: number) => number): Frame[] {
  return Array.from({ length: count }, (_, n) => frame(n, length(n), linkType?.(n)));
}

/**
 * What every bus keeps, said once.
 * @param open gives a bus with 3 partitions that holds nothing
 */
export function busContract(open: () => Promise<FrameBus>): void {
  let bus: FrameBus | undefined;
  async function opened(): Promise<FrameBus> {
    bus = await open();
    return bus;
  }
  afterEach(async () => {
    await bus?.stop();
    bus = undefined;
  });

  test('every frame comes once and in order within its partition, with all that belongs to it', async () => {
    const bus = await opened();
    const sent = new Map([
      [
        0,
        range(
          1000,
          (n) => n % 200,
          () => 1,
        ),
      ],
      [
        2,
        range(
          500,
          (n) => 60 + n,
          (n) => [1, 101, 113, 276][n % 4]!,
        ),
      ],
    ]);
    const subscription = bus.subscribe({ until: publishAll(bus, sent) });
    const seen = await collect(subscription, (delivery) => subscription.commit(delivery));
    expect(seen).toEqual(sent);
  });

  test('offsets grow within a partition and the end positions are those after the last record', async () => {
    const bus = await opened();
    const published = publishAll(bus, new Map([[1, range(300, () => 64)]]), 10);
    const offsets: bigint[] = [];
    await collect(bus.subscribe({ until: published }), ({ offset }) => void offsets.push(offset));
    expect(offsets).toEqual(offsets.toSorted((a, b) => Number(a - b)));
    expect(new Set(offsets).size).toBe(offsets.length);
    expect(await published).toEqual(new Map([[1, offsets.at(-1)! + 1n]]));
  });

  test('a delivery stays readable until the next one is asked for', async () => {
    const bus = await opened();
    const sent = range(50, () => 100);
    const seen: Frame[] = [];
    for await (const { batch } of bus.subscribe({ until: publishAll(bus, new Map([[0, sent]]), 5) })) {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(...framesOf(batch));
    }
    expect(seen).toEqual(sent);
  });

  test('100,000 small frames', async () => {
    const bus = await opened();
    const sent = range(100_000, (n) => 60 + (n % 5));
    const subscription = bus.subscribe({ until: publishAll(bus, new Map([[0, sent]]), 4096) });
    let next = 0;
    let wrong = 0;
    for await (const { batch } of subscription) {
      for (const { tsUs, bytes } of framesOf(batch)) {
        const expected = sent[next++]!;
        if (tsUs !== expected.tsUs || Buffer.compare(bytes, expected.bytes) !== 0) wrong++;
      }
    }
    expect({ next, wrong }).toEqual({ next: 100_000, wrong: 0 });
  });

  test('a frame of 60 KiB among small ones', async () => {
    const bus = await opened();
    const sent = new Map([[0, [frame(1, 60), frame(2, 60 * 1024), frame(3, 60)]]]);
    expect(await collect(bus.subscribe({ until: publishAll(bus, sent) }))).toEqual(sent);
  });

  test('an empty frame', async () => {
    const bus = await opened();
    const sent = new Map([[0, [frame(1, 0), frame(2, 1)]]]);
    expect(await collect(bus.subscribe({ until: publishAll(bus, sent) }))).toEqual(sent);
  });

  test('nothing published: the end is at once', async () => {
    const bus = await opened();
    const published = publishAll(bus, new Map());
    expect(await published).toEqual(new Map());
    expect(await collect(bus.subscribe({ until: published }))).toEqual(new Map());
  });

  test('a subscription that waits is ended by its stop', async () => {
    const bus = await opened();
    const subscription = bus.subscribe();
    const reading = collect(subscription);
    await new Promise((resolve) => setImmediate(resolve));
    await subscription.stop();
    expect(await reading).toEqual(new Map());
  });

  test('a subscription that waits is ended by the stop of the bus', async () => {
    const bus = await opened();
    const reading = collect(bus.subscribe());
    await new Promise((resolve) => setImmediate(resolve));
    await bus.stop();
    expect(await reading).toEqual(new Map());
  });

  test('a failing publisher ends the subscription that waits for its positions', async () => {
    const bus = await opened();
    const subscription = bus.subscribe({ until: Promise.reject(new Error('the file is gone')) });
    await expect(collect(subscription)).rejects.toThrow('the file is gone');
    await subscription.stop();
  });

  test('leaving early: the delivery can still be committed and the rest goes to who comes next', async () => {
    const bus = await opened();
    const sent = range(40, () => 70_000);
    const published = publishAll(bus, new Map([[0, sent]]), 1);
    const seen: Frame[] = [];
    const first = bus.subscribe();
    for await (const delivery of first) {
      seen.push(...framesOf(delivery.batch));
      if (seen.length >= 10) {
        await first.commit(delivery);
        break;
      }
    }
    await first.stop();
    const second = await collect(bus.subscribe({ until: published }));
    expect([...seen, ...(second.get(0) ?? [])]).toEqual(sent);
  });

  test('frames for a partition that does not exist are refused', async () => {
    const bus = await opened();
    const publisher = bus.publisher();
    await publisher.start();
    await expect(publisher.publish(batchOf([frame(1, 60)]), 3)).rejects.toMatchObject({ name: 'WardwatchError' });
    await publisher.stop();
  });

  test('the assignment is told before the first delivery', async () => {
    const bus = await opened();
    const told: string[] = [];
    const subscription = bus.subscribe({
      until: publishAll(bus, new Map([[0, [frame(1, 60)]]])),
      onAssign: (partitions) => {
        told.push(`assigned ${partitions.join(',')}`);
        return undefined;
      },
    });
    await collect(subscription, () => void told.push('delivery'));
    expect(told).toEqual(['assigned 0,1,2', 'delivery']);
  });
}
