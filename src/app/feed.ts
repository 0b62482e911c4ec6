import { setTimeout as sleep } from 'node:timers/promises';
import type { BusPositions, FrameBus, FramePublisher } from '../bus/bus.ts';
import type { FrameBatch, FrameSource, SourceReport } from '../kernel/frames.ts';
import { mergeSources } from '../sources/index.ts';
import type { MergedItem } from '../sources/index.ts';
import { sliceBatch } from './frames.ts';
import type { HotPath } from './hot-path.ts';

/** Recordings, or something live, that are read as one stream in the order of time. */
export interface FeedStep {
  readonly sources: readonly FrameSource[];
  /** What is read here is normal: learning is closed after it. */
  readonly learning: boolean;
  /** Play no faster than this many seconds of event time a second; undefined: as fast as it goes. */
  readonly speed?: number;
}

/** Something that the hot path has to be told before the frame with this number (over all steps). */
interface Mark {
  readonly atFrame: number;
  readonly act: (hotPath: HotPath) => void;
}

/** Wall-clock grain of paced playing. */
const PACE_MS = 25;

/**
 * Reads the steps one after the other into a bus, takes the frames out at the other end and hands them to
 * the hot path, with the marks (learning is over, nothing was watched) at exactly the frames where they
 * belong, whatever the size of the batches that the bus delivers.
 */
export class Feed {
  readonly #steps: readonly FeedStep[];
  readonly #bus: FrameBus;
  readonly #batchFrames: number;
  readonly #marks: Mark[] = [];
  readonly #reports: (() => SourceReport)[] = [];
  /** A source has failed. What was read before it goes its way first. */
  #failure: { readonly error: unknown } | undefined;
  /** Called right after learning was closed by a step. */
  onLearned: (() => void) | undefined;
  /** Called after each delivery was processed; awaiting it is the back-pressure of what comes out. */
  onProcessed: (() => Promise<void> | undefined) | undefined;
  /** Frames handed to the hot path. */
  processed = 0;

  constructor(steps: readonly FeedStep[], bus: FrameBus, batchFrames: number) {
    this.#steps = steps;
    this.#bus = bus;
    this.#batchFrames = batchFrames;
  }

  /** Adds up what the sources of all steps have said so far. */
  report(): SourceReport {
    const all = this.#reports.map((r) => r());
    return {
      framesRead: all.reduce((n, r) => n + r.framesRead, 0),
      bytesRead: all.reduce((n, r) => n + r.bytesRead, 0),
      bytesTotal: undefined,
      truncated: all.some((r) => r.truncated),
      framesLostAtCapture: all.reduce((n, r) => n + r.framesLostAtCapture, 0),
      notes: all.flatMap((r) => r.notes),
    };
  }

  /**
   * Runs until the steps are read to their end or `signal` is aborted, which is an end like any other. Where a
   * source fails, its error is thrown after all frames that were read before have been processed.
   */
  async run(hotPath: HotPath, signal?: AbortSignal): Promise<void> {
    const publisher = this.#bus.publisher();
    await publisher.start();
    const feeding = this.#publishAll(publisher, signal);
    // The subscription sees a failure through `until`; this keeps it from being unhandled meanwhile.
    feeding.catch(() => undefined);
    const subscription = this.#bus.subscribe({ until: feeding });
    try {
      let nextMark = 0;
      for await (const delivery of subscription) {
        const { batch } = delivery;
        let at = 0;
        while (at < batch.count) {
          while (nextMark < this.#marks.length && this.#marks[nextMark]!.atFrame <= this.processed)
            this.#marks[nextMark++]!.act(hotPath);
          let to = Math.min(batch.count, at + this.#batchFrames);
          const mark = this.#marks[nextMark];
          if (mark !== undefined && mark.atFrame < this.processed + (to - at)) to = at + mark.atFrame - this.processed;
          hotPath.process(sliceBatch(batch, at, to));
          this.processed += to - at;
          at = to;
        }
        const waiting = this.onProcessed?.();
        if (waiting !== undefined) await waiting;
      }
      await feeding;
      while (nextMark < this.#marks.length) this.#marks[nextMark++]!.act(hotPath);
      if (this.#failure !== undefined) throw this.#failure.error;
    } finally {
      await subscription.stop();
      await publisher.stop();
    }
  }

  async #publishAll(publisher: FramePublisher, signal?: AbortSignal): Promise<BusPositions> {
    const stopped = (): boolean => signal?.aborted === true || this.#failure !== undefined;
    let published = 0;
    for (const step of this.#steps) {
      if (stopped()) break;
      const merged = mergeSources(step.sources);
      this.#reports.push(() => merged.report());
      let pace = step.speed === undefined ? undefined : new Pace(step.speed);
      for await (const item of this.#readable(merged.items(signal))) {
        const gap = item.gapBefore;
        if (gap !== undefined) {
          this.#marks.push({ atFrame: published, act: (hot) => hot.unobserved(gap.fromUs, gap.toUs) });
          if (step.speed !== undefined) pace = new Pace(step.speed);
        }
        if (pace === undefined) {
          published += item.batch.count;
          await publisher.publish(item.batch);
          continue;
        }
        for (let at = 0; at < item.batch.count && !stopped();) {
          const to = await pace.until(item.batch, at);
          published += to - at;
          await publisher.publish(sliceBatch(item.batch, at, to));
          at = to;
        }
      }
      if (step.learning && !stopped())
        this.#marks.push({
          atFrame: published,
          act: (hot) => {
            // Between what was learned from and what comes next nothing was watched.
            hot.unobserved(hot.nowUs, hot.nowUs);
            hot.closeLearning();
            this.onLearned?.();
          },
        });
    }
    return publisher.end();
  }

  /** Ends where the source fails, and remembers why. */
  async *#readable(items: AsyncGenerator<MergedItem, void, void>): AsyncGenerator<MergedItem, void, void> {
    try {
      yield* items;
    } catch (error) {
      this.#failure = { error };
    }
  }
}

/** Holds frames back until their moment at a given speed. */
class Pace {
  readonly #speed: number;
  #firstUs: number | undefined;
  #startMs = 0;

  constructor(speed: number) {
    this.#speed = speed;
  }

  /** Waits until frame `at` is due; returns the row after the last one that is due as well. */
  async until(batch: FrameBatch, at: number): Promise<number> {
    if (this.#firstUs === undefined) {
      this.#firstUs = batch.tsUs[at]!;
      this.#startMs = performance.now();
    }
    const dueMs = this.#startMs + (batch.tsUs[at]! - this.#firstUs) / 1000 / this.#speed;
    const wait = dueMs - performance.now();
    if (wait > 0) await sleep(Math.min(wait, 1000));
    if (wait > 1000) return at;
    const limitUs = this.#firstUs + (performance.now() - this.#startMs + PACE_MS) * 1000 * this.#speed;
    let to = at + 1;
    while (to < batch.count && batch.tsUs[to]! <= limitUs) to++;
    return to;
  }
}
