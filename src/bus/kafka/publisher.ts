import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Producer } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { Reporter } from '../../kernel/component.ts';
import { WardwatchError } from '../../kernel/errors.ts';
import { createFrameBatch } from '../../kernel/frames.ts';
import type { FrameBatch } from '../../kernel/frames.ts';
import { encodePcapng } from '../../sources/pcap/writer.ts';
import type { BusPositions, FramePublisher, PublisherOptions } from '../bus.ts';
import { brokerError, createClient } from './client.ts';
import type { KafkaBusConfig } from './config.ts';
import { readFrameKeys, sealValue } from '../keys.ts';
import type { FrameKeys } from '../keys.ts';
import { DiskQueue } from '../queue/index.ts';
import type { QueueMark } from '../queue/index.ts';
import { STAMP_BYTES, stampText } from '../stamp.ts';
import { checkTopic } from './topics.ts';

/** Bytes of one request for a partition: the broker takes a record batch of 1 MiB by default. */
const REQUEST_BYTES = 1_000_000;
/** What a pcapng section adds to the frames: its header, and the blocks around link types and frames. */
const SECTION_BYTES = 28;
const INTERFACE_BYTES = 32;
const PACKET_BYTES = 32;
/** Of the first section of a record: its stamp, and the block that tells of losses. */
const FIRST_SECTION_BYTES = STAMP_BYTES + 40;
/** With a queue on disk, an end waits for the broker for so long and no longer. */
const END_WAIT_MS = 3000;

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

interface Offer {
  readonly records: readonly PackedRecord[];
  /** Up to where the queue on disk holds it; undefined: it is in memory alone. */
  mark: QueueMark | undefined;
  /** It tells detectors of frames that the queue has dropped. */
  readonly tellsLoss: boolean;
}

/** What goes to one partition: one request at a time, so that no retry can change the order. */
interface Lane {
  readonly partition: number;
  /** Sections of the record that is being filled. */
  open: Uint8Array[];
  openBytes: number;
  openFrames: number;
  ready: PackedRecord[];
  /** Records that were begun: each carries its number. */
  sequence: number;
  isSending: boolean;
  /** What was offered to the broker and not acknowledged yet. */
  offered: Offer | undefined;
  /** Position after the last record acknowledged. */
  position: bigint | undefined;
}

/**
 * The end of the longest run of frames from `from` on that fits into a record as one section; `from` itself
 * where not even the first does.
 */
function endOfRecord(batch: FrameBatch, from: number, limit: number): number {
  let bytes = SECTION_BYTES + FIRST_SECTION_BYTES;
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

/** The name of the host as a sensor may be called. */
function nameOfHost(): string {
  return (
    hostname()
      .replace(/[^A-Za-z0-9._-]/g, '-')
      .slice(0, 64) || 'sensor'
  );
}

/**
 * Packs frames into records (each a pcapng capture of one or more sections) and sends them with an
 * idempotent producer that waits for all replicas.
 */
export function createKafkaPublisher(
  config: KafkaBusConfig,
  deps: { reporter: Reporter },
  options: PublisherOptions = {},
): FramePublisher {
  const { reporter } = deps;
  const lanes = new Map<number, Lane>();
  let keys: FrameKeys = new Map();
  const queue = options.live === true && config.queue !== undefined ? new DiskQueue(config.queue, reporter) : undefined;
  const sensor = config.sensor_id ?? nameOfHost();
  const boot = randomBytes(8).toString('hex');
  let lossTold = 0;
  let started = false;
  let connecting: Promise<Producer> | undefined;
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

  const isStopped = (): boolean => stopped;

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
    lane.ready.push({ value: sealed(value, lane), bytes: value.length, frames: lane.openFrames });
    lane.open = [];
    lane.openBytes = 0;
    lane.openFrames = 0;
    // What waits on disk goes first.
    if (queue !== undefined && (lane.offered?.mark !== undefined || !queue.isEmpty(lane.partition))) spill(lane);
    void send(lane);
  }

  function sealed(value: Buffer, lane: Lane): Buffer {
    return keys.size === 0 ? value : sealValue(value, `${config.topic}[${lane.partition}]`, keys);
  }

  function release(records: readonly PackedRecord[]): void {
    for (const record of records) {
      unacknowledgedBytes -= record.bytes;
      unacknowledgedFrames -= record.frames;
    }
  }

  /** Puts what waits in memory on disk; what is being offered, too, for the case that this process dies. */
  function spill(lane: Lane): void {
    if (queue === undefined) return;
    const { offered, partition } = lane;
    if (offered !== undefined && offered.mark === undefined && !offered.tellsLoss) {
      let mark: QueueMark | undefined;
      for (const { value, frames } of offered.records) mark = queue.append(partition, value, frames, true);
      if (mark !== undefined) release(offered.records);
      offered.mark = mark;
    }
    for (const { value, frames } of lane.ready) queue.append(partition, value, frames);
    release(lane.ready);
    lane.ready = [];
    changed();
  }

  function spillAll(): void {
    for (const lane of lanes.values()) spill(lane);
  }

  function closeAll(): void {
    clearTimeout(linger);
    linger = undefined;
    for (const lane of lanes.values()) close(lane);
  }

  async function connect(): Promise<Producer> {
    const kafka = await createClient(config, reporter);
    await checkTopic(kafka, config);
    const made = kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    try {
      await made.connect();
    } catch (error) {
      throw brokerError(error, config, 'connecting');
    }
    producer = made;
    return made;
  }

  /** One attempt for all partitions. */
  function connected(): Promise<Producer> {
    if (producer !== undefined) return Promise.resolve(producer);
    connecting ??= connect().finally(() => (connecting = undefined));
    return connecting;
  }

  async function offer(lane: Lane, records: readonly PackedRecord[]): Promise<bigint> {
    const messages = records.map(({ value }) => ({ key: null, value, partition: lane.partition }));
    const giveUpAt = queue === undefined ? Date.now() + config.delivery_timeout_ms : Infinity;
    let pause = 100;
    for (;;) {
      try {
        // What is encrypted does not get smaller.
        const compression = compressionTypes[keys.size === 0 ? config.compression : 'none'];
        const request = { topic: config.topic, messages, acks: -1, compression };
        const [answer] = await (await connected()).send(request);
        return BigInt(answer?.baseOffset ?? -1);
      } catch (error) {
        if (stopped || !mayPass(error) || Date.now() + pause > giveUpAt) throw error;
        spill(lane);
        await delay(pause, undefined, { signal: stopping.signal }).catch(() => {
          throw error;
        });
      }
      // The same records in the same request again: the broker knows them by their sequence number.
      pause = Math.min(pause * 2, 2000);
    }
  }

  /** What goes next: from disk what is there, then from memory as much as a request holds. */
  function nextOf(lane: Lane): Offer | undefined {
    const head = queue?.head(lane.partition, REQUEST_BYTES);
    if (head !== undefined && head.framesLost > 0) {
      const value = Buffer.from(encodePcapng(createFrameBatch(0, new Uint8Array(0)), { framesLost: head.framesLost }));
      return { records: [{ value: sealed(value, lane), bytes: 0, frames: 0 }], mark: undefined, tellsLoss: true };
    }
    if (head !== undefined) {
      const records = head.records.map(({ value, frames }) => ({ value, bytes: value.length, frames }));
      return { records, mark: head.records.at(-1)?.mark, tellsLoss: false };
    }
    let count = 0;
    let size = 0;
    while (count < lane.ready.length) {
      size += lane.ready[count]!.value.length;
      if (count > 0 && size > REQUEST_BYTES) break;
      count++;
    }
    return count === 0 ? undefined : { records: lane.ready.splice(0, count), mark: undefined, tellsLoss: false };
  }

  function acknowledged(lane: Lane, { records, mark, tellsLoss }: Offer): void {
    const frames = records.reduce((n, record) => n + record.frames, 0);
    if (tellsLoss) queue?.lossTold(lane.partition);
    else if (mark !== undefined) queue?.remove(lane.partition, mark, frames);
    else release(records);
    reporter.count('bus_published_frames', frames);
    reporter.count('bus_published_records', records.length);
  }

  async function send(lane: Lane): Promise<void> {
    if (lane.isSending) return;
    lane.isSending = true;
    while (failure === undefined && !stopped) {
      const next = nextOf(lane);
      if (next === undefined) break;
      lane.offered = next;
      try {
        const first = await offer(lane, next.records);
        lane.position = first + BigInt(next.records.length);
        // After the stop everything has been counted.
        if (!isStopped()) {
          acknowledged(lane, next);
          lane.offered = undefined;
        }
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
      lane = {
        partition,
        open: [],
        openBytes: 0,
        openFrames: 0,
        ready: [],
        sequence: 0,
        isSending: false,
        offered: undefined,
        position: undefined,
      };
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
      let section = lane.openFrames === 0 ? firstSection(lane, batch, from, to) : encodePcapng(batch, { from, to });
      if (lane.openFrames > 0 && lane.openBytes + section.length > config.max_record_bytes) {
        close(lane);
        section = firstSection(lane, batch, from, to);
      }
      lane.open.push(section);
      lane.openBytes += section.length;
      lane.openFrames += to - from;
      unacknowledgedBytes += section.length;
      unacknowledgedFrames += to - from;
      // Another frame of this batch did not fit, so this record is full.
      if (to < batch.count) close(lane);
      else linger ??= setTimeout(closeAll, config.linger_ms);
      from = to;
      if (unacknowledgedBytes > config.max_unacknowledged_bytes) spillAll();
      await waitUntil(() => unacknowledgedBytes <= config.max_unacknowledged_bytes);
    }
  }

  /** A section that says which record this is, and what was lost at the capture since the last that said so. */
  function firstSection(lane: Lane, batch: FrameBatch, from: number, to: number): Uint8Array {
    const lost = options.lostAtCapture?.() ?? 0;
    const comment = stampText({ sensor, boot, sequence: ++lane.sequence });
    const section = encodePcapng(batch, {
      from,
      to,
      comment,
      ...(lost > lossTold ? { framesLost: lost - lossTold } : {}),
    });
    lossTold = Math.max(lossTold, lost);
    return section;
  }

  return {
    async start(): Promise<void> {
      keys = await readFrameKeys(config.encryption?.key_file);
      queue?.open();
      try {
        await connected();
      } catch (error) {
        if (queue === undefined || !mayPass(error)) throw error;
        reporter.log('warn', 'the broker is away: frames go to the queue on disk', {});
      }
      started = true;
      for (const partition of queue?.partitions ?? []) void send(laneOf(partition));
    },

    publish(batch: FrameBatch, partition = 0): Promise<void> {
      if (!started || ended) return Promise.reject(notOpen());
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
      const spilling = queue === undefined ? undefined : setTimeout(spillAll, END_WAIT_MS);
      await waitUntil(() => unacknowledgedFrames === 0).finally(() => clearTimeout(spilling));
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
      closeAll();
      changed();
      spillAll();
      if (queue !== undefined && queue.frames > 0)
        reporter.log('warn', 'frames wait in the queue on disk for the next start', { frames: queue.frames });
      queue?.close();
      if (unacknowledgedFrames > 0) reporter.dropped('frames', unacknowledgedFrames, 'not acknowledged');
      await producer?.disconnect().catch(() => {});
    },
  };
}
