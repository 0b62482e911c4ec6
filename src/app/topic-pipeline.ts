import { createHash } from 'node:crypto';
import type { BusDelivery, BusPositions, FrameSubscription } from '../bus/bus.ts';
import { createKafkaBus, endOfTopic } from '../bus/kafka/index.ts';
import { createMemoryBus } from '../bus/memory/index.ts';
import type { DetectorSet } from '../detect/load.ts';
import { silentReporter } from '../kernel/component.ts';
import { buildHotPath } from './build.ts';
import { countedSince, sumOf, withoutHoldings } from './counters.ts';
import { Obedience } from './decisions.ts';
import { Feed } from './feed.ts';
import { GatheredRows } from './gathered-rows.ts';
import type { HotPath, HotPathCounters } from './hot-path.ts';
import { STATE_CLASSES } from './hot-path-state.ts';
import { sourceOf } from './inputs.ts';
import { HAND_OVER_MS, INVENTORY_MS, MAX_ROWS } from './pipeline.ts';
import { PartitionWork } from './partition-work.ts';
import type { PipelineHost, PipelineProgress, PipelineRequest } from './pipeline.ts';
import { createKeeper } from './state.ts';

/**
 * A good moment to store state is one in which no long conversation stands inside of a message; so many records
 * are waited for one at most.
 */
const MAX_POSTPONED = 64;
/** Storing state may take this share of the time at most: the larger it is, the rarer it is stored. */
const MAX_SHARE = 0.05;

/**
 * Watches the frames topic as a member of the consumer group, each partition with a hot path of its own: its
 * frames are in the order of time, those of two partitions are not. What a hot path knows is stored together with
 * the offset it stands for, after the rows made up to there; after a crash or a rebalance the partition is taken up
 * from there, and rows that are made a second time have the same ids. A partition for which nothing is stored
 * begins with `request.learn`, or from nothing.
 */
export async function runTopicPipeline(
  request: PipelineRequest,
  host: PipelineHost,
  signal: AbortSignal,
): Promise<void> {
  const { kafka } = request.config.bus;
  const { every_s, rewind_s, enabled } = request.config.state;
  const { reporter } = host;
  const rows = new GatheredRows(request.config.hotPath.alerts.evidence.payload);
  const detectorsOf = new Map<HotPath, DetectorSet>();
  const partitionOf = new WeakMap<HotPath, number>();
  const obedience = new Obedience({ decisions: request.decisions ?? [], obeyed: request.obeyed ?? [] });
  let decided = false;
  host.onDecide?.((decisions, obeyed) => {
    obedience.take({ decisions, obeyed });
    decided = true;
  });
  /** Counters of a hot path as it was taken over. */
  const before = new WeakMap<HotPath, HotPathCounters>();
  let retired: HotPathCounters | undefined;
  let lastMs = performance.now();
  let inventoryMs = lastMs;
  let savedMs = lastMs;
  let saveTookMs = 0;
  let postponed = 0;
  let framesLost = 0;

  async function open(partition: number): Promise<HotPath> {
    const { hotPath, detectors, actsRefused } = await buildHotPath({
      config: request.config,
      seed: request.seed,
      stage: 'all',
      productVersion: request.productVersion,
      tokenKey: request.tokenKey,
      output: rows.output,
      onDetectorFailure: (id, reason) => host.warning(`the detector ${id} failed and is off: ${reason}`),
    });
    if (actsRefused !== '') host.warning(`the acts on baselines are those of the last good file: ${actsRefused}`);
    for (const rejected of detectors.rejected)
      host.warning(`the detector ${rejected.id} cannot be used: ${rejected.reason}`);
    detectorsOf.set(hotPath, detectors);
    partitionOf.set(hotPath, partition);
    return hotPath;
  }

  async function learn(hotPath: HotPath): Promise<void> {
    if (request.learn.length === 0) return;
    const bus = createMemoryBus({ ...request.config.bus.memory, partitions: 1 }, { reporter: silentReporter });
    const feed = new Feed([{ sources: request.learn.map(sourceOf), learning: true }], bus, 4096);
    feed.onProcessed = () => (isDue() ? handOver() : undefined);
    try {
      await feed.run(hotPath, signal);
    } finally {
      await bus.stop();
    }
  }

  const countersOf = (hotPath: HotPath): HotPathCounters => countedSince(hotPath.counters(), before.get(hotPath));

  function close(partition: number, hotPath: HotPath, why: 'lost' | 'end'): void {
    // With stored state a stop is no end: whoever takes the partition up goes on with its open flows and alerts.
    if (!enabled || (why === 'end' && request.toTheEnd)) hotPath.finish();
    else if (why === 'end') hotPath.writeDevices();
    if (why === 'lost')
      host.warning(
        `partition ${partition} went to another detector${enabled ? '' : '; what was learned on it is lost: state.enabled is off'}`,
      );
    const own = withoutHoldings(countersOf(hotPath));
    retired = retired === undefined ? structuredClone(own) : sumOf(retired, own);
    detectorsOf.delete(hotPath);
  }

  function tell(phase: PipelineProgress['phase']): void {
    const all = work.watchers;
    let counters = retired;
    for (const hotPath of all) {
      const own = countersOf(hotPath);
      counters = counters === undefined ? own : sumOf(counters, own);
    }
    if (counters === undefined) return;
    let nowUs = 0;
    let learning = 0;
    for (const hotPath of all) {
      nowUs = Math.max(nowUs, hotPath.nowUs);
      learning += (hotPath.learningClosed ? 1 : hotPath.learningProgress()) / all.length;
    }
    host.progress({
      phase,
      counters,
      eventTime: nowUs === 0 ? null : Math.floor(nowUs / 1000),
      learning,
      detectors: all.length === 0 ? [] : statusOf(detectorsOf),
      bytesRead: 0,
      bytesTotal: undefined,
      framesLostAtCapture: framesLost,
      truncated: false,
      notes: [],
    });
  }

  const isDue = (): boolean => rows.count >= MAX_ROWS || performance.now() - lastMs >= HAND_OVER_MS;

  /** One after the other: an assignment may come while what was made before is being stored. */
  let handing: Promise<void> = Promise.resolve();
  const handOver = (): Promise<void> => (handing = handing.then(storeRows));

  async function storeRows(): Promise<void> {
    lastMs = performance.now();
    if (lastMs - inventoryMs >= INVENTORY_MS) {
      inventoryMs = lastMs;
      // What decisions have met is told now and then.
      decided = true;
      for (const hotPath of work.watchers) hotPath.writeDevices();
    }
    tell(work.watchers.every((hotPath) => hotPath.learningClosed) ? 'watching' : 'learning');
    const batch = rows.take();
    if (batch !== undefined) await host.rows(batch);
  }

  /**
   * Hot paths obey from the event time on that they have reached. It is logged before they go on, and whoever takes
   * a partition up again obeys from the logged time: rows that are made a second time are the same.
   */
  async function obey(): Promise<void> {
    decided = false;
    const rows = work.watchers.flatMap((hotPath) => obedience.obey(hotPath, partitionOf.get(hotPath)!));
    if (rows.length === 0) return;
    handing = handing.then(() => host.obeyed?.(rows));
    await handing;
  }

  function isSaveDue(): boolean {
    if (work.unsaved === 0) return false;
    const since = performance.now() - savedMs;
    if (since < (enabled ? every_s * 1000 : HAND_OVER_MS) || since < saveTookMs / MAX_SHARE) return false;
    return !enabled || work.isGoodMoment || ++postponed > MAX_POSTPONED;
  }

  async function save(): Promise<void> {
    const began = performance.now();
    await work.save();
    savedMs = performance.now();
    saveTookMs = savedMs - began;
    postponed = 0;
  }

  async function handOverOrSave(): Promise<void> {
    if (decided) await obey();
    if (isSaveDue()) await save();
    else if (isDue()) await handOver();
  }

  // Another topic or group is another matter, wherever the state lies.
  const scope = `kafka-${createHash('sha256').update(`${kafka.topic}\n${kafka.group_id}`).digest('hex').slice(0, 12)}`;
  const keeper = await createKeeper(request.config, 'partitions', reporter);
  const work: PartitionWork<HotPath> = new PartitionWork({
    keeper,
    classes: STATE_CLASSES,
    reporter,
    rewindS: rewind_s,
    scopeOf: (partition) => `${scope}-${partition}`,
    open,
    // What another process has counted is not counted once more.
    resumed: (hotPath) => before.set(hotPath, structuredClone(hotPath.counters())),
    begin: learn,
    storeRows: handOver,
    commit: (delivery) => subscription.commit(delivery),
    close,
    devices: (hotPath) => hotPath.counters().devices,
    lost: (hotPath, { records, frames }, batch) => {
      framesLost += frames;
      if (records === 0) return;
      // Whole records are missing: nothing was watched meanwhile, so silence means nothing.
      if (hotPath.nowUs > 0) hotPath.unobserved(hotPath.nowUs, batch.tsUs[0] ?? hotPath.nowUs);
      host.warning(`${records} records are missing, with ${frames} frames that a sensor knows of`);
    },
    told: (message) => host.warning(message),
  });
  const bus = createKafkaBus(kafka, { reporter });
  const until: BusPositions | undefined = request.toTheEnd ? await endOfTopic(kafka, { reporter }) : undefined;
  const subscription: FrameSubscription = bus.subscribe({
    onAssign: async (partitions) => {
      const positions = await work.assign(partitions);
      await obey();
      return positions;
    },
    onPoison: ({ partition, offset, reason }) =>
      host.warning(`record ${offset} of partition ${partition} cannot be read (${reason}); it is in the dead letters`),
    ...(until === undefined ? {} : { until }),
  });
  try {
    await consume(subscription, signal, {
      take: (delivery) => {
        work.take(delivery);
        return handOverOrSave();
      },
      idle: handOverOrSave,
    });
    await work.end();
    await handOver();
    tell('finished');
  } finally {
    await subscription.stop();
    await bus.stop();
    await keeper.close();
  }
}

interface Consumer {
  take(delivery: BusDelivery): Promise<void>;
  /** Called now and then while nothing comes. */
  idle(): Promise<void>;
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
function statusOf(sets: ReadonlyMap<HotPath, DetectorSet>): PipelineProgress['detectors'] {
  const byId = new Map<string, PipelineProgress['detectors'][number]>();
  for (const [hotPath, detectors] of sets) {
    const titles = new Map(detectors.loaded.map((d) => [d.definition.id, d.definition.title]));
    for (const { id, state, reason } of hotPath.detectorStatus()) {
      if (byId.get(id)?.status === 'failed') continue;
      byId.set(id, { id, title: titles.get(id) ?? id, status: state, reason });
    }
    for (const { id, reason } of detectors.rejected) byId.set(id, { id, title: id, status: 'failed', reason });
  }
  return [...byId.values()];
}
