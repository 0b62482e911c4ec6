import { setTimeout as delay } from 'node:timers/promises';
import type { Producer } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { Reporter } from '../../kernel/component.ts';
import { WardwatchError } from '../../kernel/errors.ts';
import type { FrameBatch } from '../../kernel/frames.ts';
import { encodePcapng } from '../../sources/pcap/writer.ts';
import type { BusPositions, FramePublisher } from '../bus.ts';
import { brokerError, createClient } from './client.ts';
import type { KafkaBusConfig } from './config.ts';
import { readFrameKeys, sealValue } from '../keys.ts';
import type { FrameKeys } from '../keys.ts';
import { checkTopic } from './topics.ts';

/** Bytes of one request for a partition: the broker takes a record batch of 1 MiB by default. */
const REQUEST_BYTES = 1_000_000;
/** What a pcapng section adds to the frames: its header, and the blocks around link types and frames. */
const SECTION_BYTES = 28;
const INTERFACE_BYTES = 32;
const PACKET_BYTES = 32;

const compressionTypes = {
  none: kafkajs.CompressionTypes.None,
  gzip: kafkajs.CompressionTypes.GZIP,
  zstd: kafkajs.CompressionTypes.ZSTD,
} as const;

interface PackedRecord {
  /** As it goes to the broker: encrypted where there is a key. */
  readonly value: Buffer;
  /** Before that: what counts as unacknowledged. */
  readonly bytes: number;
  readonly frames: number;
}

/** What goes to one partition: one request at a time, so that no retry can change the order. */
interface Lane {
  readonly partition: number;
  /** Sections of the record that is being filled. */
  open: Uint8Array[];
  openBytes: number;
  openFrames: number;
  readonly ready: PackedRecord[];
  isSending: boolean;
  /** Position after the last record acknowledged. */
  position: bigint | undefined;
}

/**
 * The end of the longest run of frames from `from` on that fits into a record as one section; `from` itself
 * where not even the first does.
 */
function endOfRecord(batch: FrameBatch, from: number, limit: number): number {
  let bytes = SECTION_BYTES;
  let linkType = -1;
  for (let i = from; i < batch.count; i++) {
    // A change back to a link type that was there costs nothing; that the record ends a little sooner then is no loss.
    if (batch.linkType[i] !== linkType) bytes += INTERFACE_BYTES;
    linkType = batch.linkType[i]!;
    bytes += PACKET_BYTES + ((batch.capLen[i]! + 3) & ~3);
    if (bytes > limit) return i;
  }
  return batch.count;
}

/**
 * Whether the same request may succeed later: a broker that is away or has no leader yet. kafkajs wraps such
 * an error in one that may not be tried again when its own few attempts are over: the innermost decides.
 */
function mayPass(error: unknown): boolean {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return inner instanceof kafkajs.KafkaJSError && inner.retriable;
}

/**
 * Packs frames into records (each a pcapng capture of one or more sections) and sends them with an
 * idempotent producer that waits for all replicas.
 */
export function createKafkaPublisher(config: KafkaBusConfig, deps: { reporter: Reporter }): FramePublisher {
  const { reporter } = deps;
  const lanes = new Map<number, Lane>();
  let keys: FrameKeys = new Map();
  let producer: Producer | undefined;
  let unacknowledgedBytes = 0;
  let unacknowledgedFrames = 0;
  let failure: WardwatchError | undefined;
  let ended = false;
  let stopped = false;
  let linger: NodeJS.Timeout | undefined;
  /** The publish calls under way, one after the other. */
  let tail: Promise<void> = Promise.resolve();
  let waiting: (() => void)[] = [];
  const stopping = new AbortController();

  function changed(): void {
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  }

  /** Resolves when `isReached` holds or nothing more will be sent. */
  async function waitUntil(isReached: () => boolean): Promise<void> {
    while (failure === undefined && !stopped && !isReached()) {
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    if (failure !== undefined) throw failure;
    if (stopped) throw notOpen();
  }

  function notOpen(): WardwatchError {
    return new WardwatchError(
      'WW_INTERNAL',
      'Frames were published before the start or after the end.',
      'This is a fault of Wardwatch: please report it.',
    );
  }

  function close(lane: Lane): void {
    if (lane.openFrames === 0) return;
    const [first] = lane.open;
    const value =
      lane.open.length === 1 && first !== undefined
        ? Buffer.from(first.buffer, first.byteOffset, first.byteLength)
        : Buffer.concat(lane.open, lane.openBytes);
    const sealed = keys.size === 0 ? value : sealValue(value, `${config.topic}[${lane.partition}]`, keys);
    lane.ready.push({ value: sealed, bytes: value.length, frames: lane.openFrames });
    lane.open = [];
    lane.openBytes = 0;
    lane.openFrames = 0;
    void send(lane);
  }

  function closeAll(): void {
    clearTimeout(linger);
    linger = undefined;
    for (const lane of lanes.values()) close(lane);
  }

  async function offer(lane: Lane, records: readonly PackedRecord[]): Promise<bigint> {
    const messages = records.map(({ value }) => ({ key: null, value, partition: lane.partition }));
    const giveUpAt = Date.now() + config.delivery_timeout_ms;
    let pause = 100;
    for (;;) {
      try {
        // What is encrypted does not get smaller.
        const compression = compressionTypes[keys.size === 0 ? config.compression : 'none'];
        const request = { topic: config.topic, messages, acks: -1, compression };
        const [answer] = await producer!.send(request);
        return BigInt(answer?.baseOffset ?? -1);
      } catch (error) {
        if (stopped || !mayPass(error) || Date.now() + pause > giveUpAt) throw error;
        await delay(pause, undefined, { signal: stopping.signal }).catch(() => {
          throw error;
        });
      }
      // The same records in the same request again: the broker knows them by their sequence number.
      pause = Math.min(pause * 2, 2000);
    }
  }

  async function send(lane: Lane): Promise<void> {
    if (lane.isSending) return;
    lane.isSending = true;
    while (lane.ready.length > 0 && failure === undefined && !stopped) {
      let count = 0;
      let size = 0;
      let bytes = 0;
      let frames = 0;
      while (count < lane.ready.length) {
        const record = lane.ready[count]!;
        if (count > 0 && size + record.value.length > REQUEST_BYTES) break;
        size += record.value.length;
        bytes += record.bytes;
        frames += record.frames;
        count++;
      }
      const records = lane.ready.splice(0, count);
      try {
        const first = await offer(lane, records);
        lane.position = first + BigInt(records.length);
        unacknowledgedBytes -= bytes;
        unacknowledgedFrames -= frames;
        reporter.count('bus_published_frames', frames);
        reporter.count('bus_published_records', records.length);
      } catch (error) {
        failure = brokerError(error, config, 'sending frames');
      }
      changed();
    }
    lane.isSending = false;
  }

  function laneOf(partition: number): Lane {
    let lane = lanes.get(partition);
    if (lane === undefined) {
      lane = { partition, open: [], openBytes: 0, openFrames: 0, ready: [], isSending: false, position: undefined };
      lanes.set(partition, lane);
    }
    return lane;
  }

  async function put(batch: FrameBatch, partition: number): Promise<void> {
    if (failure !== undefined) throw failure;
    const lane = laneOf(partition);
    let from = 0;
    while (from < batch.count) {
      const to = endOfRecord(batch, from, config.max_record_bytes);
      if (to === from) {
        reporter.dropped('frames', 1, 'larger than a record');
        from++;
        continue;
      }
      const section = encodePcapng(batch, { from, to });
      if (lane.openBytes + section.length > config.max_record_bytes) close(lane);
      lane.open.push(section);
      lane.openBytes += section.length;
      lane.openFrames += to - from;
      unacknowledgedBytes += section.length;
      unacknowledgedFrames += to - from;
      // Another frame of this batch did not fit, so this record is full.
      if (to < batch.count) close(lane);
      else linger ??= setTimeout(closeAll, config.linger_ms);
      from = to;
      await waitUntil(() => unacknowledgedBytes <= config.max_unacknowledged_bytes);
    }
  }

  return {
    async start(): Promise<void> {
      keys = await readFrameKeys(config.encryption?.key_file);
      const kafka = await createClient(config, reporter);
      await checkTopic(kafka, config);
      producer = kafka.producer({
        idempotent: true,
        allowAutoTopicCreation: false,
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
      });
      try {
        await producer.connect();
      } catch (error) {
        throw brokerError(error, config, 'connecting');
      }
    },

    publish(batch: FrameBatch, partition = 0): Promise<void> {
      if (producer === undefined || ended) return Promise.reject(notOpen());
      if (partition < 0 || partition >= config.partitions) {
        const message = `Frames for partition ${partition}, but kafka.partitions is ${config.partitions}.`;
        return Promise.reject(new WardwatchError('WW_CONFIG', message, 'Raise kafka.partitions.'));
      }
      const done = tail.then(() => put(batch, partition));
      tail = done.catch(() => {});
      return done;
    },

    async end(): Promise<BusPositions> {
      ended = true;
      await tail;
      closeAll();
      await waitUntil(() => unacknowledgedFrames === 0);
      const positions = new Map<number, bigint>();
      for (const { partition, position } of lanes.values()) {
        if (position !== undefined) positions.set(partition, position);
      }
      return positions;
    },

    async stop(): Promise<void> {
      if (stopped) return;
      ended = true;
      stopped = true;
      clearTimeout(linger);
      stopping.abort();
      changed();
      if (unacknowledgedFrames > 0) reporter.dropped('frames', unacknowledgedFrames, 'not acknowledged');
      await producer?.disconnect().catch(() => {});
    },
  };
}
