import type { FrameBatch } from '../kernel/frames.ts';

/** Position after the last published record of each partition: what a bounded subscription reads up to. */
export type BusPositions = ReadonlyMap<number, bigint>;

export interface FramePublisher {
  start(): Promise<void>;
  /**
   * Puts the frames on a partition. Resolves when the bus has taken responsibility for them (in process:
   * when the queue has room; Kafka: when the broker has acknowledged), so awaiting it is the back-pressure.
   * The batch may be reused by the caller once the promise is resolved.
   */
  publish(batch: FrameBatch, partition?: number): Promise<void>;
  /** Everything published is acknowledged; the positions after it. Nothing may be published afterwards. */
  end(): Promise<BusPositions>;
  stop(): Promise<void>;
}

export interface BusDelivery {
  readonly partition: number;
  /** Offset of the record within its partition. */
  readonly offset: bigint;
  /** Valid until the next delivery is asked for. */
  readonly batch: FrameBatch;
}

/** A record that could not be read as frames. It is skipped, counted and reported; the partition goes on. */
export interface PoisonRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly reason: string;
}

export interface SubscribeOptions {
  /** Stop after these positions; without it the subscription ends only by `stop`. */
  until?: BusPositions;
  /** Where to begin for partitions without a committed position. Default: the beginning. */
  from?: 'beginning' | 'end';
  onPoison?: (record: PoisonRecord) => void;
}

export interface FrameSubscription extends AsyncIterable<BusDelivery> {
  /** Says that this delivery and all before it on its partition are dealt with. */
  commit(delivery: BusDelivery): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Carries frames from sources to hot paths. Order is kept within a partition; a record is delivered at
 * least once to the group. Implementations: bus/memory (in process, bounded), bus/kafka.
 */
export interface FrameBus {
  readonly kind: 'memory' | 'kafka';
  readonly partitions: number;
  publisher(): FramePublisher;
  subscribe(options?: SubscribeOptions): FrameSubscription;
  /** Releases what publisher and subscriptions share. */
  stop(): Promise<void>;
}
