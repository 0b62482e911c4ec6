import { describe, expect, test } from 'vitest';
import type { FrameBus } from '../../src/bus/bus.ts';
import { createMemoryBus } from '../../src/bus/memory/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { busContract } from './contract.ts';
import { batchOf, frame, framesOf } from './frames.ts';

function memoryBus(limits: { batches?: number; bytes?: number } = {}): FrameBus {
  return createMemoryBus(
    { partitions: 3, max_queued_batches: limits.batches ?? 8, max_queued_bytes: limits.bytes ?? 1 << 20 },
    { reporter: silentReporter },
  );
}

/** Lets everything run that can run without a timer. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

describe('memory bus', () => {
  describe('contract', () => busContract(() => Promise.resolve(memoryBus())));

  test('a lent batch is delivered as it is and given back when the next one is asked for', async () => {
    const bus = memoryBus();
    const batch = batchOf([frame(1, 60)]);
    let givenBack = false;
    void bus
      .publisher()
      .publish(batch)
      .then(() => (givenBack = true));
    const reader = bus.subscribe()[Symbol.asyncIterator]();
    const { value } = await reader.next();
    expect(value?.batch).toBe(batch);
    await settle();
    expect(givenBack).toBe(false);
    void reader.next();
    await settle();
    expect(givenBack).toBe(true);
    await bus.stop();
  });

  test.each([
    ['batches', { batches: 4 }, 4],
    ['bytes', { bytes: 3 * 1032 }, 3],
  ])('owned batches are taken until the cap of %s is reached, then the publisher waits', async (_, limits, cap) => {
    const bus = memoryBus(limits);
    const publisher = bus.publisher();
    let taken = 0;
    // 1000 bytes of frame and twice 16 around it.
    for (let n = 0; n < 10; n++) {
      void publisher.publish(batchOf([frame(n, 1000)]), 0, { owned: true }).then(() => taken++);
    }
    await settle();
    expect(taken).toBe(cap);
    const seen: number[] = [];
    for await (const { batch } of bus.subscribe({ until: publisher.end() })) {
      seen.push(framesOf(batch)[0]!.tsUs);
      await settle();
      expect(taken).toBeLessThanOrEqual(seen.length + cap);
    }
    expect(taken).toBe(10);
    expect(seen).toEqual(Array.from({ length: 10 }, (_, n) => frame(n, 0).tsUs));
    await bus.stop();
  });

  test('a batch greater than the cap still passes', async () => {
    const bus = memoryBus({ bytes: 10 });
    await bus.publisher().publish(batchOf([frame(1, 1000)]), 0, { owned: true });
    await bus.stop();
  });

  test('stopping the bus refuses what nobody has read, and counts it', async () => {
    const lost: [string, number, string][] = [];
    const bus = createMemoryBus(
      { partitions: 1, max_queued_batches: 8, max_queued_bytes: 1 << 20 },
      { reporter: { ...silentReporter, dropped: (...what) => lost.push(what) } },
    );
    const publishing = bus.publisher().publish(batchOf([frame(1, 60), frame(2, 60)]));
    const outcome = expect(publishing).rejects.toThrow('stopped before');
    await bus.stop();
    await outcome;
    expect(lost).toEqual([['frames', 2, 'bus stopped']]);
  });

  test('there is one subscription at a time', async () => {
    const bus = memoryBus();
    const first = bus.subscribe();
    expect(() => bus.subscribe()).toThrow('one subscription at a time');
    await first.stop();
    bus.subscribe();
    await bus.stop();
  });

  test('positions end the reading between two batches', async () => {
    const bus = memoryBus();
    const publisher = bus.publisher();
    for (let n = 0; n < 4; n++) await publisher.publish(batchOf([frame(n, 60)]), n % 2, { owned: true });
    const seen: string[] = [];
    const subscription = bus.subscribe({
      until: new Map([
        [0, 1n],
        [1, 2n],
      ]),
    });
    for await (const { partition, offset } of subscription) seen.push(`${partition}/${offset}`);
    expect(seen).toEqual(['0/0', '1/0', '1/1']);
    await bus.stop();
  });
});
