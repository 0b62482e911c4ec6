import type { Reporter } from '../../kernel/component.ts';
import { WardwatchError } from '../../kernel/errors.ts';
import type { FrameBatch } from '../../kernel/frames.ts';
import type {
  BusDelivery,
  BusPositions,
  FrameBus,
  FramePublisher,
  FrameSubscription,
  PublishOptions,
  SubscribeOptions,
} from '../bus.ts';
import type { MemoryBusConfig } from './config.ts';

export { memoryBusConfigSchema } from './config.ts';
export type { MemoryBusConfig } from './config.ts';

interface Entry {
  readonly delivery: BusDelivery;
  /** A lent batch is given back when the subscriber is done with it, an owned one when there is room. */
  readonly lent: boolean;
  readonly giveBack: () => void;
  readonly refuse: (reason: Error) => void;
}

function misuse(message: string): WardwatchError {
  return new WardwatchError('WW_INTERNAL', message, 'This is a fault of Wardwatch: please report it.');
}

/**
 * A bounded queue between the sources and the hot path of one process. Batches go through by reference.
 * Nothing is kept: a delivery that was not committed does not come again.
 */
export function createMemoryBus(config: MemoryBusConfig, deps: { reporter: Reporter }): FrameBus {
  const { reporter } = deps;
  /** In the order of publishing; the publishers of all but the first `admitted` entries wait for room. */
  const queue: Entry[] = [];
  let admitted = 0;
  let admittedBytes = 0;
  /** Next offset to give out, and position after the last delivery, by partition. */
  const written = new Array<bigint>(config.partitions).fill(0n);
  const delivered = new Array<bigint>(config.partitions).fill(0n);
  let stopped = false;
  let subscription: FrameSubscription | undefined;
  /** Wakes the subscription that waits for an entry or for its end. */
  let wake = (): void => {};

  function admit(): void {
    while (admitted < queue.length) {
      const entry = queue[admitted]!;
      const bytes = entry.delivery.batch.bytes.byteLength;
      const fits = admitted < config.max_queued_batches && admittedBytes + bytes <= config.max_queued_bytes;
      if (admitted > 0 && !fits) return;
      admitted++;
      admittedBytes += bytes;
      if (!entry.lent) entry.giveBack();
    }
  }

  /** Takes the first entry that lies before the positions. */
  function takeNext(until: BusPositions | undefined): Entry | undefined {
    let at = 0;
    if (until !== undefined) {
      at = queue.findIndex(({ delivery }) => delivery.offset < (until.get(delivery.partition) ?? 0n));
      if (at < 0) return undefined;
    }
    const [entry] = queue.splice(at, 1);
    if (entry === undefined) return undefined;
    if (at < admitted) {
      admitted--;
      admittedBytes -= entry.delivery.batch.bytes.byteLength;
      admit();
    }
    delivered[entry.delivery.partition] = entry.delivery.offset + 1n;
    return entry;
  }

  function isReached(until: BusPositions): boolean {
    for (const [partition, position] of until) {
      if ((delivered[partition] ?? 0n) < position) return false;
    }
    return true;
  }

  function publisher(): FramePublisher {
    let ended = false;
    const partitions = new Set<number>();
    return {
      start: () => Promise.resolve(),
      publish(batch: FrameBatch, partition = 0, options: PublishOptions = {}): Promise<void> {
        if (stopped || ended) return Promise.reject(misuse('Frames were published after the end.'));
        const offset = written[partition];
        if (offset === undefined) {
          return Promise.reject(misuse(`Frames for partition ${partition}, but there are ${config.partitions}.`));
        }
        written[partition] = offset + 1n;
        partitions.add(partition);
        reporter.count('bus_published_frames', batch.count);
        return new Promise((resolve, reject) => {
          const delivery = { partition, offset, batch };
          queue.push({ delivery, lent: options.owned !== true, giveBack: resolve, refuse: reject });
          admit();
          wake();
        });
      },
      end(): Promise<BusPositions> {
        ended = true;
        return Promise.resolve(new Map([...partitions].map((partition) => [partition, written[partition]!])));
      },
      stop(): Promise<void> {
        ended = true;
        return Promise.resolve();
      },
    };
  }

  function subscribe(options: SubscribeOptions = {}): FrameSubscription {
    if (subscription !== undefined || stopped) {
      throw misuse('The in-process bus has one subscription at a time.');
    }
    let isOpen = true;
    let until: BusPositions | undefined;
    let untilError: unknown;

    async function* deliver(): AsyncGenerator<BusDelivery, void> {
      Promise.resolve(options.until).then(
        (positions) => {
          until = positions;
          wake();
        },
        (reason: unknown) => {
          untilError = reason;
          wake();
        },
      );
      await options.onAssign?.(Array.from(written.keys()));
      while (isOpen) {
        if (untilError !== undefined) throw untilError as Error;
        const entry = takeNext(until);
        if (entry === undefined) {
          if (until !== undefined && isReached(until)) return;
          await new Promise<void>((resolve) => (wake = resolve));
          continue;
        }
        try {
          yield entry.delivery;
        } finally {
          // Asking for the next, leaving the loop and throwing in it all mean: done with this one.
          if (entry.lent) entry.giveBack();
        }
      }
    }

    const deliveries = deliver();
    const self: FrameSubscription = {
      [Symbol.asyncIterator]: () => deliveries,
      commit: () => Promise.resolve(),
      stop(): Promise<void> {
        isOpen = false;
        if (subscription === self) subscription = undefined;
        wake();
        return Promise.resolve();
      },
    };
    subscription = self;
    return self;
  }

  return {
    kind: 'memory',
    partitions: config.partitions,
    publisher,
    subscribe,
    async stop(): Promise<void> {
      stopped = true;
      await subscription?.stop();
      let frames = 0;
      for (const entry of queue) {
        frames += entry.delivery.batch.count;
        entry.refuse(misuse('The bus was stopped before the frames were read.'));
      }
      if (frames > 0) reporter.dropped('frames', frames, 'bus stopped');
      queue.length = 0;
      admitted = 0;
      admittedBytes = 0;
    },
  };
}
