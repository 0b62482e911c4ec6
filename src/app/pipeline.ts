import type { Config } from '../config/index.ts';
import type { Decision, Obeyed } from '../alerts/decisions.ts';
import { createMemoryBus } from '../bus/memory/index.ts';
import type { FrameSource } from '../kernel/frames.ts';
import { silentReporter } from '../kernel/component.ts';
import type { Reporter } from '../kernel/component.ts';
import type { RowBatch } from '../kernel/rows.ts';
import { createLiveSource } from '../sources/index.ts';
import { buildHotPath } from './build.ts';
import type { BuiltHotPath } from './build.ts';
import { countedSince } from './counters.ts';
import { Feed } from './feed.ts';
import type { FeedStep } from './feed.ts';
import type { HotPathCounters } from './hot-path.ts';
import { GatheredRows } from './gathered-rows.ts';
import { bytesOf, sourceOf } from './inputs.ts';
import { LiveState } from './live-state.ts';
import { createKeeper } from './state.ts';

/** What to watch: plain data, so that it can be sent to a thread. */
export interface PipelineRequest {
  readonly config: Config;
  readonly productVersion: string;
  readonly learn: readonly string[];
  /** Capture files or `-`. */
  readonly files: readonly string[];
  /** Network interface, watched until the pipeline is stopped. */
  readonly interface: string | undefined;
  /** The frames topic, in place of files and interface (see runTopicPipeline). */
  readonly kafka: boolean;
  /** With the topic: end at what it holds now. Files end by themselves. */
  readonly toTheEnd: boolean;
  /** Seconds of event time a second, for files; undefined: as fast as it goes. */
  readonly speed: number | undefined;
  readonly seed: number;
  /** Forget what earlier processes have stored of the interface. */
  readonly fresh?: boolean;
  readonly tokenKey: Uint8Array;
  /** What people have decided before the start. */
  readonly decisions?: readonly Decision[];
  /** With the topic: what hot paths have logged of decisions before. */
  readonly obeyed?: readonly Obeyed[];
}

export interface PipelineProgress {
  readonly phase: 'learning' | 'watching' | 'finished';
  readonly counters: HotPathCounters;
  /** Epoch milliseconds of event time, null before the first frame. */
  readonly eventTime: number | null;
  /** Share of the known devices that have finished learning. */
  readonly learning: number;
  readonly detectors: readonly { id: string; title: string; status: 'on' | 'failed'; reason: string }[];
  readonly bytesRead: number;
  readonly bytesTotal: number | undefined;
  readonly framesLostAtCapture: number;
  readonly truncated: boolean;
  readonly notes: readonly string[];
}

export interface PipelineHost {
  /** Rows to store; the pipeline does not run ahead of it by more than one batch. */
  rows(batch: RowBatch): Promise<void>;
  progress(progress: PipelineProgress): void;
  warning(message: string): void;
  /** From when on the hot path obeys, and how many findings each decision has met since it was last told. */
  decided?(decisions: readonly Decision[], hits: Record<string, number>): void;
  /** Is given what to call when people decide something. */
  onDecide?(apply: (decisions: readonly Decision[], obeyed: readonly Obeyed[]) => void): void;
  /** With the topic, in place of `decided`: resolves when it is stored what was logged of decisions. */
  obeyed?(rows: readonly Obeyed[]): Promise<void>;
  readonly reporter: Reporter;
}

/** Rows are handed over when there are so many, or after so long; devices are written so often. */
export const MAX_ROWS = 5000;
export const HAND_OVER_MS = 250;
export const INVENTORY_MS = 5000;

/**
 * Sources, bus and hot path in one thread. Rows are handed over by count or time, whichever comes first;
 * that changes when they are stored, never what is in them.
 */
export async function runPipeline(request: PipelineRequest, host: PipelineHost, signal: AbortSignal): Promise<void> {
  const { config } = request;
  const rows = new GatheredRows(config.hotPath.alerts.evidence.payload);
  const build = (): Promise<BuiltHotPath> =>
    buildHotPath({
      config,
      seed: request.seed,
      stage: 'all',
      productVersion: request.productVersion,
      tokenKey: request.tokenKey,
      output: rows.output,
      ...(request.decisions === undefined ? {} : { decisions: request.decisions }),
      onProfileProblem: ({ file, line, text }) => host.warning(`the profile ${file}:${line} is left out: ${text}`),
      onDetectorFailure: (id, reason) => host.warning(`the detector ${id} failed and is off: ${reason}`),
    });
  let built = await build();
  // Captures are played from their beginning each time; what is live goes on.
  const state =
    request.interface === undefined || !config.state.enabled
      ? undefined
      : await LiveState.take(
          await createKeeper(config, 'interface', host.reporter),
          `live-${request.interface.replace(/[^\w.-]/g, '_')}`,
          config.state.every_s,
          host.reporter,
          (message) => host.warning(message),
        );
  const restored = request.fresh !== true && state?.restore(built.hotPath) === true;
  // What could not be taken over may have left traces.
  if (state !== undefined && !restored) built = await build();
  const { hotPath, detectors, actsRefused } = built;
  if (actsRefused !== '') host.warning(`the acts on baselines are those of the last good file: ${actsRefused}`);
  for (const rejected of detectors.rejected)
    host.warning(`the detector ${rejected.id} cannot be used: ${rejected.reason}`);
  host.onDecide?.((decisions) => host.decided?.(hotPath.decide(decisions), {}));
  const titles = new Map(detectors.loaded.map((d) => [d.definition.id, d.definition.title]));

  const steps: FeedStep[] = [];
  if (request.learn.length > 0 && !restored) steps.push({ sources: request.learn.map(sourceOf), learning: true });
  const watched: FrameSource[] = request.files.map(sourceOf);
  if (request.interface !== undefined)
    watched.push(createLiveSource({ ...config.sources.live, interface: request.interface }));
  steps.push({
    sources: watched,
    learning: false,
    ...(request.speed === undefined ? {} : { speed: request.speed }),
  });
  const bus = createMemoryBus({ ...config.bus.memory, partitions: 1 }, { reporter: silentReporter });
  const feed = new Feed(steps, bus, 4096);

  const bytesTotal = request.interface !== undefined ? undefined : await bytesOf([...request.learn, ...request.files]);
  const tell = (phase: PipelineProgress['phase']): void => {
    const report = feed.report();
    host.progress({
      phase,
      counters: countedSince(hotPath.counters(), restored ? state.inherited : undefined),
      eventTime: hotPath.nowUs === 0 ? null : Math.floor(hotPath.nowUs / 1000),
      learning: hotPath.learningClosed ? 1 : hotPath.learningProgress(),
      detectors: [
        ...hotPath.detectorStatus().map((d) => ({
          id: d.id,
          title: titles.get(d.id) ?? d.id,
          status: d.state,
          reason: d.reason,
        })),
        ...detectors.rejected.map((d) => ({ id: d.id, title: d.id, status: 'failed' as const, reason: d.reason })),
      ],
      bytesRead: report.bytesRead,
      bytesTotal,
      framesLostAtCapture: report.framesLostAtCapture,
      truncated: report.truncated,
      notes: report.notes,
    });
  };
  /** One batch after the other; resolves when all rows made until now are stored. */
  let handing: Promise<void> = Promise.resolve();
  const handOver = (): Promise<void> => {
    const full = rows.take();
    if (full !== undefined) handing = handing.then(() => host.rows(full));
    return handing;
  };

  let lastMs = performance.now();
  let inventoryMs = lastMs;
  const report = (): Promise<void> => {
    const now = performance.now();
    const hits = hotPath.takeDecisionHits();
    if (Object.keys(hits).length > 0) host.decided?.([], hits);
    lastMs = now;
    if (now - inventoryMs >= INVENTORY_MS) {
      inventoryMs = now;
      hotPath.writeDevices();
    }
    tell(hotPath.learningClosed ? 'watching' : 'learning');
    const handed = handOver();
    return state?.isDue === true ? handed.then(() => state.save(hotPath)) : handed;
  };
  feed.onProcessed = () => (rows.count < MAX_ROWS && performance.now() - lastMs < HAND_OVER_MS ? undefined : report());
  // Where no frame comes for a while, what the last ones made is not held back.
  const idle = setInterval(() => {
    if (performance.now() - lastMs >= 2 * HAND_OVER_MS) report().catch(() => undefined);
  }, HAND_OVER_MS);
  try {
    try {
      await feed.run(hotPath, signal);
    } finally {
      // Before the end of the flows, which is one for this process only.
      await handOver();
      await state?.save(hotPath);
      // Also where a source has failed: what it gave before is not lost.
      hotPath.finish();
      await handOver();
    }
    tell('finished');
  } finally {
    clearInterval(idle);
    await bus.stop();
  }
}
