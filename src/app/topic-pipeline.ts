import type { BusDelivery, BusPositions, FrameSubscription } from '../bus/bus.ts';
import { createKafkaBus, endOfTopic } from '../bus/kafka/index.ts';
import { createMemoryBus } from '../bus/memory/index.ts';
import type { DetectorSet } from '../detect/load.ts';
import { silentReporter } from '../kernel/component.ts';
import { describeError } from '../kernel/errors.ts';
import { buildHotPath } from './build.ts';
import { Feed } from './feed.ts';
import { GatheredRows } from './gathered-rows.ts';
import type { HotPath, HotPathCounters } from './hot-path.ts';
import { sourceOf } from './inputs.ts';
import { HAND_OVER_MS, INVENTORY_MS, MAX_ROWS } from './pipeline.ts';
import type { PipelineHost, PipelineProgress, PipelineRequest } from './pipeline.ts';

/** What watches one partition. */
interface Watch {
  readonly hotPath: HotPath;
  readonly detectors: DetectorSet;
  /** Offset after the last record that the hot path has seen. */
  next: bigint;
}

/**
 * Watches the frames topic as a member of the consumer group, each partition with a hot path of its own: its
 * frames are in the order of time, those of two partitions are not. A record is committed when the rows that
 * the hot path made up to it are stored; after a crash it comes again, and the rows it makes then have the
 * same ids. What a hot path knows (devices, open flows, what was learned) lives in memory alone: a partition
 * that comes from another detector, or comes back after a restart, begins with `request.learn`, or from nothing.
 */
export async function runTopicPipeline(
  request: PipelineRequest,
  host: PipelineHost,
  signal: AbortSignal,
): Promise<void> {
  const { kafka } = request.config.bus;
  const { reporter } = host;
  const rows = new GatheredRows();
  const watches = new Map<number, Watch>();
  /** The last delivery of each partition whose rows are not stored yet. */
  const uncommitted = new Map<number, BusDelivery>();
  let retired: HotPathCounters | undefined;
  let lastMs = performance.now();
  let inventoryMs = lastMs;

  let decisions = request.decisions;
  host.onDecide?.((decided) => {
    decisions = decided;
    for (const { hotPath } of watches.values()) host.decided?.(hotPath.decide(decided), {});
  });

  async function open(): Promise<Watch> {
    const { hotPath, detectors, actsRefused } = await buildHotPath({
      config: request.config,
      seed: request.seed,
      stage: 'all',
      productVersion: request.productVersion,
      tokenKey: request.tokenKey,
      output: rows.output,
      ...(decisions === undefined ? {} : { decisions }),
      onProfileProblem: ({ file, line, text }) => host.warning(`the profile ${file}:${line} is left out: ${text}`),
      onDetectorFailure: (id, reason) => host.warning(`the detector ${id} failed and is off: ${reason}`),
    });
    if (actsRefused !== '') host.warning(`the acts on baselines are those of the last good file: ${actsRefused}`);
    for (const rejected of detectors.rejected)
      host.warning(`the detector ${rejected.id} cannot be used: ${rejected.reason}`);
    return { hotPath, detectors, next: 0n };
  }

  async function learn(watch: Watch): Promise<void> {
    if (request.learn.length === 0) return;
    const bus = createMemoryBus({ ...request.config.bus.memory, partitions: 1 }, { reporter: silentReporter });
    const feed = new Feed([{ sources: request.learn.map(sourceOf), learning: true }], bus, 4096);
    feed.onProcessed = () => (isDue() ? handOver() : undefined);
    try {
      await feed.run(watch.hotPath, signal);
    } finally {
      await bus.stop();
    }
  }

  function retire(partition: number, watch: Watch): void {
    watch.hotPath.finish();
    retired = retired === undefined ? watch.hotPath.counters() : sumOf(retired, watch.hotPath.counters());
    watches.delete(partition);
  }

  function tell(phase: PipelineProgress['phase']): void {
    const all = [...watches.values()];
    let counters = retired;
    for (const { hotPath } of all) {
      const own = hotPath.counters();
      counters = counters === undefined ? own : sumOf(counters, own);
    }
    if (counters === undefined) return;
    // Those that are gone hold nothing any more.
    counters = { ...counters, openFlows: 0, devices: 0 };
    let nowUs = 0;
    let learning = 0;
    for (const { hotPath } of all) {
      const own = hotPath.counters();
      counters.openFlows += own.openFlows;
      counters.devices += own.devices;
      nowUs = Math.max(nowUs, hotPath.nowUs);
      learning += (hotPath.learningClosed ? 1 : hotPath.learningProgress()) / all.length;
    }
    host.progress({
      phase,
      counters,
      eventTime: nowUs === 0 ? null : Math.floor(nowUs / 1000),
      learning,
      detectors: all.length === 0 ? [] : detectorsOf(all),
      bytesRead: 0,
      bytesTotal: undefined,
      framesLostAtCapture: 0,
      truncated: false,
      notes: [],
    });
  }

  const isDue = (): boolean => rows.count >= MAX_ROWS || performance.now() - lastMs >= HAND_OVER_MS;

  /** One after the other: an assignment may come while what was made before is being stored. */
  let handing: Promise<void> = Promise.resolve();
  const handOver = (): Promise<void> => (handing = handing.then(storeAndCommit));

  /** Stores what was made, then commits what it was made of. */
  async function storeAndCommit(): Promise<void> {
    lastMs = performance.now();
    if (lastMs - inventoryMs >= INVENTORY_MS) {
      inventoryMs = lastMs;
      for (const { hotPath } of watches.values()) hotPath.writeDevices();
    }
    for (const { hotPath } of watches.values()) {
      const hits = hotPath.takeDecisionHits();
      if (Object.keys(hits).length > 0) host.decided?.([], hits);
    }
    tell([...watches.values()].every(({ hotPath }) => hotPath.learningClosed) ? 'watching' : 'learning');
    const batch = rows.take();
    const made = [...uncommitted];
    if (batch !== undefined) await host.rows(batch);
    for (const [partition, delivery] of made) {
      try {
        await subscription.commit(delivery);
        if (uncommitted.get(partition) === delivery) uncommitted.delete(partition);
      } catch (error) {
        // The rows are safe; without the commit the record comes again, which changes nothing.
        reporter.log('warn', 'a position was not committed; it is tried again with the next', {
          partition,
          error: describeError(error),
        });
        return;
      }
    }
  }

  async function onAssign(partitions: readonly number[]): Promise<undefined> {
    for (const [partition, watch] of watches) {
      if (partitions.includes(partition)) continue;
      host.warning(`partition ${partition} went to another detector; what was learned on it stays here`);
      retire(partition, watch);
    }
    // What was delivered before can no longer be committed: it comes again, to whoever has it now.
    uncommitted.clear();
    await handOver();
  }

  async function take(delivery: BusDelivery): Promise<void> {
    const { partition, offset, batch } = delivery;
    let watch = watches.get(partition);
    if (watch === undefined) {
      watch = await open();
      watches.set(partition, watch);
      await learn(watch);
      if (signal.aborted) return;
    }
    // After a rebalance the broker begins at what was committed, the hot path may be further.
    if (offset >= watch.next) {
      watch.hotPath.process(batch);
      watch.next = offset + 1n;
    }
    uncommitted.set(partition, delivery);
    if (isDue()) await handOver();
  }

  const bus = createKafkaBus(kafka, { reporter });
  const until: BusPositions | undefined = request.toTheEnd ? await endOfTopic(kafka, { reporter }) : undefined;
  const subscription: FrameSubscription = bus.subscribe({
    onAssign,
    onPoison: ({ partition, offset, reason }) =>
      host.warning(`record ${offset} of partition ${partition} cannot be read (${reason}); it is in the dead letters`),
    ...(until === undefined ? {} : { until }),
  });
  try {
    await consume(subscription, signal, { take, idle: () => (isDue() ? handOver() : undefined) });
    for (const [partition, watch] of watches) retire(partition, watch);
    await handOver();
    tell('finished');
  } finally {
    await subscription.stop();
    await bus.stop();
  }
}

interface Consumer {
  take(delivery: BusDelivery): Promise<void>;
  /** Called now and then while nothing comes. */
  idle(): Promise<void> | undefined;
}

/**
 * Gives the deliveries to `take`, one after the other, until the topic's asked-for end or `signal`. A loop
 * `for await` could neither notice that nothing comes nor end without leaving the group, after which nothing
 * can be committed.
 */
async function consume(subscription: FrameSubscription, signal: AbortSignal, consumer: Consumer): Promise<void> {
  const deliveries = subscription[Symbol.asyncIterator]();
  const next: { answer?: IteratorResult<BusDelivery, unknown>; failure?: { readonly error: unknown } } = {};
  let wake = (): void => {};
  const ask = (): void => {
    delete next.answer;
    deliveries
      .next()
      .then(
        (answer) => (next.answer = answer),
        (error: unknown) => (next.failure = { error }),
      )
      .finally(() => wake());
  };
  const onStop = (): void => wake();
  signal.addEventListener('abort', onStop, { once: true });
  try {
    ask();
    for (;;) {
      if (signal.aborted) return;
      if (next.failure !== undefined) throw next.failure.error;
      const { answer } = next;
      if (answer === undefined) {
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
          timer = setTimeout(resolve, HAND_OVER_MS);
        });
        clearTimeout(timer);
        await consumer.idle();
        continue;
      }
      if (answer.done === true) return;
      await consumer.take(answer.value);
      ask();
    }
  } finally {
    signal.removeEventListener('abort', onStop);
  }
}

/** A detector has failed where it has failed on any partition. */
function detectorsOf(watches: readonly Watch[]): PipelineProgress['detectors'] {
  const byId = new Map<string, PipelineProgress['detectors'][number]>();
  for (const { hotPath, detectors } of watches) {
    const titles = new Map(detectors.loaded.map((d) => [d.definition.id, d.definition.title]));
    for (const { id, state, reason } of hotPath.detectorStatus()) {
      if (byId.get(id)?.status === 'failed') continue;
      byId.set(id, { id, title: titles.get(id) ?? id, status: state, reason });
    }
    for (const { id, reason } of detectors.rejected) byId.set(id, { id, title: id, status: 'failed', reason });
  }
  return [...byId.values()];
}

/** Adds up counters, part by part. A part is a number or holds parts. */
function sumOf<T extends object>(a: T, b: T): T {
  const sum = { ...a } as Record<string, unknown>;
  for (const [name, part] of Object.entries(b) as [string, number | object][]) {
    const before = sum[name] as number | object | undefined;
    sum[name] =
      typeof part === 'number'
        ? (typeof before === 'number' ? before : 0) + part
        : sumOf(typeof before === 'object' ? before : {}, part);
  }
  return sum as T;
}
