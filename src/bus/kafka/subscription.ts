import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, Producer } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { Reporter } from '../../kernel/component.ts';
import { describeError, type WardwatchError } from '../../kernel/errors.ts';
import type { FrameBatch } from '../../kernel/frames.ts';
import { decodeCapture } from '../../sources/pcap/decode.ts';
import type { BusDelivery, BusPositions, FrameSubscription, SubscribeOptions } from '../bus.ts';
import { brokerError, createClient } from './client.ts';
import type { KafkaBusConfig } from './config.ts';
import { isSealed, openValue, readFrameKeys } from '../keys.ts';
import type { FrameKeys } from '../keys.ts';
import { SequenceWatch, stampOf } from '../stamp.ts';
import type { RecordStamp } from '../stamp.ts';
import { checkTopic, deadLetterTopic, startPositions } from './topics.ts';

/** How long the broker may wait for records before it answers a fetch with none. */
const FETCH_WAIT_MS = 250;
const FETCH_BYTES = 8 * 1024 * 1024;
const FETCH_PARTITION_BYTES = 4 * 1024 * 1024;
/** How often the group is told that this member lives while its batch waits for the hot path. */
const HEARTBEAT_MS = 1000;

interface QueuedRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** Without it: nothing up to this offset is left to be read (what the broker keeps between records). */
  readonly value: Buffer | undefined;
}

/** The partitions that the group gave to this member, until it gives them anew. */
interface Assignment {
  readonly partitions: readonly number[];
  /** Position after what was taken from the queue. */
  readonly position: Map<number, bigint>;
  /** Last delivery to the caller, and position committed. */
  readonly delivered: Map<number, bigint>;
  readonly committed: Map<number, bigint>;
  readonly sequences: Map<number, SequenceWatch>;
  /** What is missing before the next delivery of a partition. */
  readonly lost: Map<number, { records: number; frames: number }>;
  /** Resolved when the caller knows of the assignment and has said where to begin. */
  readonly ready: Promise<void>;
  readonly setReady: () => void;
}

interface ReadRecord {
  readonly batch: FrameBatch;
  /** Lost before it, according to the sensor. */
  readonly framesLost: number;
  readonly stamp: RecordStamp | undefined;
}

interface Reading {
  readonly keys: FrameKeys;
  readonly refusesPlain: boolean;
}

/**
 * The frames of a record's value, which is a capture, whole in itself; or why it cannot be read. What is
 * damaged behind its first frames gives those. The batch lies over the value; only what was encrypted is copied.
 */
function read(stored: Buffer, place: string, offset: bigint, reading: Reading): ReadRecord | string {
  let value = stored;
  if (isSealed(stored)) {
    const opened = openValue(stored, place, reading.keys);
    if (typeof opened === 'string') return opened;
    value = opened;
  } else if (reading.refusesPlain) return 'not encrypted';
  const origin = `${place}@${offset}`;
  try {
    const { batch, report } = decodeCapture(value, origin);
    if (batch.count === 0 && report.truncated) return 'damaged capture';
    return { batch, framesLost: report.framesLostAtCapture, stamp: stampOf(value) };
  } catch {
    return 'not a capture';
  }
}

/**
 * Reads the topic as a member of the consumer group. kafkajs fetches into a bounded queue, the iteration
 * takes from it: so one fetch is under way while the last one is worked on. Offsets are committed only when
 * the caller says so.
 *
 * kafkajs rebalances eagerly: every member gives up all its partitions and begins again at what is committed.
 * With every assignment the queue is thrown away, and deliveries of the one before can no longer be committed.
 */
export function createKafkaSubscription(
  config: KafkaBusConfig,
  deps: { reporter: Reporter },
  options: SubscribeOptions = {},
): FrameSubscription {
  const { reporter } = deps;
  const { topic } = config;
  const queue: QueuedRecord[] = [];
  let queuedBytes = 0;
  let reading: Reading = { keys: new Map(), refusesPlain: false };
  let consumer: Consumer | undefined;
  let deadLetters: Promise<Producer> | undefined;
  let starting: Promise<void> | undefined;
  let assignment: Assignment | undefined;
  /** An assignment that the caller was not told of yet. */
  let untold: Assignment | undefined;
  const assignmentOf = new WeakMap<BusDelivery, Assignment>();
  /** Position up to which everything was delivered at least once, over all assignments. */
  let seen = new Map<number, bigint>();
  let until: BusPositions | undefined;
  let failure: unknown;
  let stopped = false;
  /** No more deliveries; the membership lasts until `stop`, so that what was delivered can be committed. */
  let finished = false;
  /** Wakes the iteration that waits for a record. */
  let wake = (): void => {};
  /** Wakes the fetching that waits for room or for `ready`. */
  let wakeFetch = (): void => {};

  function fail(error: unknown): void {
    failure ??= error;
    wake();
  }

  function isReached(positions: BusPositions): boolean {
    for (const [partition, position] of positions) {
      if ((seen.get(partition) ?? 0n) < position) return false;
    }
    return true;
  }

  function onJoin(partitions: readonly number[]): void {
    queue.length = 0;
    queuedBytes = 0;
    let setReady = (): void => {};
    const ready = new Promise<void>((resolve) => (setReady = resolve));
    assignment = {
      partitions,
      position: new Map(),
      delivered: new Map(),
      committed: new Map(),
      sequences: new Map(),
      lost: new Map(),
      ready,
      setReady,
    };
    untold = assignment;
    if (finished) consumer?.pause([{ topic }]);
    reporter.log('info', 'kafka: partitions assigned', { group: config.group_id, partitions: partitions.join(',') });
    wake();
    wakeFetch();
  }

  /** Waits for a change, not without telling the group that this member lives; fails when the group rebalances. */
  async function waitInBatch(heartbeat: () => Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      wakeFetch = resolve;
      timer = setTimeout(resolve, HEARTBEAT_MS);
    });
    clearTimeout(timer);
    await heartbeat();
  }

  async function onFetched(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const heartbeat = (): Promise<void> => payload.heartbeat();
    const mine = assignment;
    if (mine === undefined) return;
    const isOver = (): boolean => stopped || finished || assignment !== mine;
    while (!isOver() && untold === mine) await waitInBatch(heartbeat);
    await mine.ready;
    // Stale: the caller wants to begin elsewhere, and the next fetch does.
    if (isOver() || payload.isStale()) return;
    const { partition } = batch;
    for (const { offset, value } of batch.messages) {
      while (!isOver() && queuedBytes >= config.max_prefetched_bytes) await waitInBatch(heartbeat);
      if (isOver()) return;
      queue.push({ partition, offset: BigInt(offset), value: value ?? Buffer.alloc(0) });
      queuedBytes += value?.length ?? 0;
      wake();
    }
    const last = batch.lastOffset();
    queue.push({ partition, offset: BigInt(last), value: undefined });
    payload.resolveOffset(last);
    wake();
  }

  async function start(): Promise<void> {
    const keys = await readFrameKeys(config.encryption?.key_file);
    reading = { keys, refusesPlain: config.encryption?.refuse_plain === true };
    const kafka = await createClient(config, reporter);
    await checkTopic(kafka, config);
    if (options.until !== undefined) seen = await startPositions(kafka, config, options.from ?? 'beginning');
    if (stopped) return;
    consumer = kafka.consumer({
      groupId: config.group_id,
      sessionTimeout: config.session_timeout_ms,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytes: FETCH_BYTES,
      maxBytesPerPartition: FETCH_PARTITION_BYTES,
      allowAutoTopicCreation: false,
      // kafkajs begins anew after a failure that may pass, for as long as we live.
      retry: { restartOnFailure: () => Promise.resolve(!stopped) },
    });
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => onJoin(payload.memberAssignment[topic] ?? []));
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      reporter.count('bus_consumer_crashes');
      if (!payload.restart && !stopped) fail(brokerError(payload.error, config, 'reading frames'));
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: options.from !== 'end' });
      await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: onFetched });
    } catch (error) {
      throw brokerError(error, config, 'joining the group');
    }
  }

  /** Tells the caller of an assignment and takes over where it wants to begin. */
  async function tell(told: Assignment): Promise<void> {
    const positions = await options.onAssign?.(told.partitions);
    if (untold === told) untold = undefined;
    if (assignment === told) {
      for (const [partition, position] of positions ?? []) {
        if (!told.partitions.includes(partition)) continue;
        consumer?.seek({ topic, partition, offset: position.toString() });
        const before = seen.get(partition) ?? 0n;
        if (position > before) seen.set(partition, position);
      }
    }
    told.setReady();
    wakeFetch();
  }

  async function commitTo(of: Assignment, partition: number, position: bigint): Promise<void> {
    if (of !== assignment || consumer === undefined || stopped) {
      reporter.count('bus_stale_commits');
      return;
    }
    try {
      await consumer.commitOffsets([{ topic, partition, offset: position.toString() }]);
      of.committed.set(partition, position);
    } catch (error) {
      const { type } = error as { type?: unknown };
      if (type === 'REBALANCE_IN_PROGRESS' || type === 'ILLEGAL_GENERATION' || type === 'UNKNOWN_MEMBER_ID') {
        reporter.count('bus_stale_commits');
        return;
      }
      throw brokerError(error, config, 'committing positions');
    }
  }

  async function sendToDeadLetters({ partition, offset, value }: QueuedRecord, reason: string): Promise<void> {
    try {
      deadLetters ??= createClient(config, reporter).then(async (kafka) => {
        const producer = kafka.producer({
          allowAutoTopicCreation: false,
          createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
        });
        await producer.connect();
        return producer;
      });
      const headers = { reason, topic, partition: String(partition), offset: offset.toString() };
      const messages = [{ value: value ?? null, headers }];
      await (await deadLetters).send({ topic: deadLetterTopic(config), messages, acks: -1 });
    } catch (error) {
      deadLetters = undefined;
      reporter.dropped('dead letters', 1, 'not written');
      reporter.log('warn', 'kafka: a record that cannot be read could not be put aside', {
        topic: deadLetterTopic(config),
        error: describeError(error),
      });
    }
  }

  async function onPoison(of: Assignment, record: QueuedRecord, reason: string): Promise<void> {
    const { partition, offset } = record;
    reporter.count('bus_poison_records', 1, { reason });
    await sendToDeadLetters(record, reason);
    options.onPoison?.({ partition, offset, reason });
    // With nothing left open before it, it is dealt with: it shall not be put aside again after a restart.
    const open = of.delivered.get(partition);
    if (open !== undefined && (of.committed.get(partition) ?? 0n) <= open) return;
    try {
      await commitTo(of, partition, offset + 1n);
    } catch (error) {
      // Its copy is safe: without the position it may be put aside twice, which is no reason to stop watching.
      reporter.log('warn', 'the position behind a dead letter was not committed', {
        partition,
        error: describeError(error),
      });
    }
  }

  /** Keeps account of what is missing before a record. False: it was there before and is not wanted again. */
  function follows(of: Assignment, { partition, offset }: QueuedRecord, { stamp, framesLost }: ReadRecord): boolean {
    let sequence = of.sequences.get(partition);
    if (sequence === undefined) of.sequences.set(partition, (sequence = new SequenceWatch()));
    const missing = stamp === undefined ? 0 : sequence.take(stamp, offset);
    if (missing === 'again') {
      reporter.count('bus_repeated_records');
      return false;
    }
    if (missing === 0 && framesLost === 0) return true;
    reporter.count('bus_missing_records', missing);
    const before = of.lost.get(partition) ?? { records: 0, frames: 0 };
    of.lost.set(partition, { records: before.records + missing, frames: before.frames + framesLost });
    return true;
  }

  /** Takes a record from the queue; the delivery where there is one to make. */
  async function take(record: QueuedRecord): Promise<BusDelivery | undefined> {
    const { partition, offset, value } = record;
    const of = assignment!;
    queuedBytes -= value?.length ?? 0;
    wakeFetch();
    // Beyond the end it is left alone, so that no commit covers it.
    if (until !== undefined && offset >= (until.get(partition) ?? 0n)) return undefined;
    of.position.set(partition, offset + 1n);
    if (value === undefined) return undefined;
    const found = read(value, `${topic}[${partition}]`, offset, reading);
    if (typeof found === 'string') {
      await onPoison(of, record, found);
      return undefined;
    }
    const { batch } = found;
    if (!follows(of, record, found) || batch.count === 0) return undefined;
    reporter.count('bus_delivered_frames', batch.count);
    const lost = of.lost.get(partition);
    of.lost.delete(partition);
    const delivery: BusDelivery = { partition, offset, batch, ...(lost === undefined ? {} : { lost }) };
    assignmentOf.set(delivery, of);
    of.delivered.set(partition, offset);
    return delivery;
  }

  async function* deliver(): AsyncGenerator<BusDelivery, void> {
    Promise.resolve(options.until).then((positions) => {
      until = positions;
      wake();
    }, fail);
    try {
      starting = start();
      await starting;
      for (;;) {
        if (stopped) return;
        if (failure !== undefined) throw failure as WardwatchError;
        if (until !== undefined && isReached(until)) return;
        if (untold !== undefined) {
          await tell(untold);
          continue;
        }
        const record = queue.shift();
        if (record === undefined) {
          await new Promise<void>((resolve) => (wake = resolve));
          continue;
        }
        const delivery = await take(record);
        if (delivery !== undefined) yield delivery;
        const position = record.offset + 1n;
        if (position > (seen.get(record.partition) ?? 0n)) seen.set(record.partition, position);
      }
    } finally {
      finished = true;
      queue.length = 0;
      queuedBytes = 0;
      if (!stopped && assignment !== undefined) consumer?.pause([{ topic }]);
      wakeFetch();
    }
  }

  const deliveries = deliver();
  return {
    [Symbol.asyncIterator]: () => deliveries,

    async commit(delivery: BusDelivery): Promise<void> {
      const of = assignmentOf.get(delivery);
      if (of === undefined) return;
      const { partition, offset } = delivery;
      // What followed the last delivery and gave none is dealt with as well.
      const isLast = of.delivered.get(partition) === offset;
      await commitTo(of, partition, isLast ? of.position.get(partition)! : offset + 1n);
    },

    async stop(): Promise<void> {
      if (stopped) return;
      stopped = true;
      assignment?.setReady();
      wake();
      wakeFetch();
      // A join may last as long as other members take; then leaving goes first.
      const joined = new AbortController();
      await Promise.race([
        starting?.catch(() => {}),
        delay(5000, undefined, { signal: joined.signal }).catch(() => {}),
      ]);
      joined.abort();
      await consumer?.disconnect().catch(() => {});
      await (await deadLetters?.catch(() => undefined))?.disconnect().catch(() => {});
    },
  };
}
