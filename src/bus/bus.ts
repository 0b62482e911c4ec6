import type { FrameBatch } from '../kernel/frames.ts';

/** Position after the last published record of each partition: what a bounded subscription reads up to. */
export type BusPositions = ReadonlyMap<number, bigint>;

export interface PublishOptions {
  /**
   * The batch is given away: the caller never touches it again, so the bus may keep it without a copy.
   * Without it the batch is lent until the promise of `publish` is resolved.
   */
  owned?: boolean;
}

export interface PublisherOptions {
  /** The frames come from an interface: where the broker stays away they go to the queue on disk, if there is one. */
  readonly live?: boolean;
  /** Frames that were lost at the capture until now: the next record tells of those that are new. */
  readonly lostAtCapture?: () => number;
}

export interface FramePublisher {
  start(): Promise<void>;
  /**
   * Puts the frames on a partition (default 0), in the order of the calls. Awaiting it is the back-pressure.
   * A lent batch may be reused by the caller once the promise is resolved.
   *
   * In process nothing is copied: an owned batch resolves when the queue has room for it, a lent one when
   * the subscriber is done with it. Kafka: resolves when the frames are packed and little enough is waiting
   * for the broker's acknowledgement; where the broker refuses them or stays away for too long, the next
   * `publish` and `end` fail, and nothing after the first failure is sent.
   */
  publish(batch: FrameBatch, partition?: number, options?: PublishOptions): Promise<void>;
  /**
   * Everything published is with the bus (Kafka: acknowledged); the positions after it, of the partitions
   * that this publisher wrote to. Nothing may be published afterwards.
   */
  end(): Promise<BusPositions>;
  /** Releases what is held. What was not acknowledged may be lost; `end` before it loses nothing. */
  stop(): Promise<void>;
}

export interface BusDelivery {
  readonly partition: number;
  /** Offset of the record within its partition. */
  readonly offset: bigint;
  /** Valid until the next delivery is asked for. */
  readonly batch: FrameBatch;
  /**
   * What is missing before these frames: records that their sensor has numbered and that never came, and frames that
   * sensors say they lost (at the capture, or because their queue was full).
   */
  readonly lost?: { readonly records: number; readonly frames: number };
}

/** A record that could not be read as frames. It is skipped, counted and reported; the partition goes on. */
export interface PoisonRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly reason: string;
}

export interface SubscribeOptions {
  /**
   * Stop after these positions; without it the subscription ends only by `stop`. A promise (say, of a
   * publisher's `end`) lets reading begin before the positions are known; nothing is held back until then.
   * Meant for a subscriber that is alone in its group: partitions of others never come here.
   */
  until?: BusPositions | Promise<BusPositions>;
  /** Where to begin for partitions without a committed position. Default: the beginning. */
  from?: 'beginning' | 'end';
  /**
   * Told of every new assignment of partitions before the first delivery from it. May answer with positions
   * to begin at in place of the committed ones, where state and position are stored together. What was
   * delivered from an earlier assignment and not committed comes again. In process: once, with all
   * partitions, and the answer is not used, because nothing is kept to go back to.
   */
  onAssign?: (partitions: readonly number[]) => BusPositions | undefined | Promise<BusPositions | undefined>;
  onPoison?: (record: PoisonRecord) => void;
}

/** Can be iterated once. Ending the iteration ends the deliveries; `commit` works until `stop`. */
export interface FrameSubscription extends AsyncIterable<BusDelivery> {
  /**
   * Says that this delivery and all before it on its partition are dealt with. Without effect (and counted)
   * where the partition has gone to another subscriber since.
   */
  commit(delivery: BusDelivery): Promise<void>;
  /** Ends the iteration, a waiting one too, and leaves the group. */
  stop(): Promise<void>;
}

/**
 * Carries frames from sources to hot paths. Order is kept within a partition; a record is delivered at
 * least once to the group. Implementations: bus/memory (in process, bounded), bus/kafka.
 */
export interface FrameBus {
  readonly kind: 'memory' | 'kafka';
  readonly partitions: number;
  publisher(options?: PublisherOptions): FramePublisher;
  /** In process there is one subscription at a time: it gets all partitions. */
  subscribe(options?: SubscribeOptions): FrameSubscription;
  /** Ends all publishers and subscriptions and releases what they share. */
  stop(): Promise<void>;
}
