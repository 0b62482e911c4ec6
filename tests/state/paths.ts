/** Hot paths that are broken off and taken up again, for comparison with those that are not. */
import { loadConfig } from '../../src/config/index.ts';
import { buildHotPath } from '../../src/app/build.ts';
import { sliceBatch } from '../../src/app/frames.ts';
import type { HotPath } from '../../src/app/hot-path.ts';
import { STATE_CLASSES } from '../../src/app/hot-path-state.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { loadKnowledge } from '../../src/identity/load.ts';
import { copyBatch, createFrameBatch } from '../../src/kernel/frames.ts';
import type { FrameBatch, FrameSource } from '../../src/kernel/frames.ts';
import { StateReader, StateWriter } from '../../src/state/codec.ts';

const knowledge = loadKnowledge(loadClasses());
const { config } = loadConfig({ env: {} });

/** Every row as a line, in the order in which they came. */
export type Lines = string[];

export async function createPath(lines: Lines): Promise<HotPath> {
  const line = (kind: string) => (row: unknown) => void lines.push(`${kind} ${JSON.stringify(row)}`);
  const { hotPath, detectors } = await buildHotPath({
    config,
    seed: 1,
    stage: 'all',
    productVersion: '0',
    knowledge,
    output: {
      alert: line('alert'),
      device: line('device'),
      flow: line('flow'),
      observation: line('observation'),
      score: line('score'),
      window: line('window'),
      channel: line('channel'),
      address: line('address'),
      identity: line('identity'),
    },
    onDetectorFailure: (id, reason) => {
      throw new Error(`${id}: ${reason}`);
    },
  });
  if (detectors.rejected.length > 0) throw new Error(JSON.stringify(detectors.rejected));
  return hotPath;
}

export interface Snapshot {
  readonly blocks: Uint8Array[];
  /** Frames from this event time on are to be read once more. */
  readonly fromUs: number;
}

export function snapshot(path: HotPath, rewindS = 300): Snapshot {
  const writer = new StateWriter(STATE_CLASSES);
  const fromUs = path.save(writer, rewindS * 1e6);
  // Copied: the live path goes on and its arrays change.
  return { blocks: writer.finish().map((b) => b.slice()), fromUs };
}

/** A run over frames: what is learned ends before the frame `learnFrames`. */
export interface Run {
  readonly frames: FrameBatch;
  readonly learnFrames?: number;
}

export interface Outcome {
  readonly lines: Lines;
  readonly counters: unknown;
  /** Flows that went on as after a loss. */
  readonly resynchronised: number;
}

/** Plays the frames; before each of the frames in `cuts` another hot path takes over from stored state. */
export async function play({ frames, learnFrames }: Run, cuts: readonly number[], rewindS?: number): Promise<Outcome> {
  const lines: Lines = [];
  let path = await createPath(lines);
  let resynchronised = 0;
  const stops = [...new Set([...cuts, ...(learnFrames === undefined ? [] : [learnFrames]), frames.count])];
  stops.sort((a, b) => a - b);
  let at = 0;
  for (const stop of stops) {
    for (; at < stop; at += 4096) path.process(sliceBatch(frames, at, Math.min(stop, at + 4096)));
    at = stop;
    if (cuts.includes(stop)) {
      const { blocks, fromUs } = snapshot(path, rewindS);
      path = await createPath(lines);
      path.restore(new StateReader(blocks, STATE_CLASSES));
      let from = stop;
      while (from > 0 && frames.tsUs[from - 1]! >= fromUs) from--;
      for (; from < stop; from += 4096) path.rewind(sliceBatch(frames, from, Math.min(stop, from + 4096)));
      resynchronised += path.endRewind();
    }
    if (stop === learnFrames) {
      path.unobserved(path.nowUs, path.nowUs);
      path.closeLearning();
    }
  }
  path.finish();
  return { lines, counters: path.counters(), resynchronised };
}

/** Numbers of frames before which some flow stands inside of a message; looked for at every `step`-th frame. */
export async function pointsInside({ frames }: Run, step: number): Promise<number[]> {
  const path = await createPath([]);
  const points: number[] = [];
  for (let at = 0; at + step < frames.count; at += step) {
    path.process(sliceBatch(frames, at, at + step));
    if (snapshot(path).fromUs < Infinity) points.push(at + step);
  }
  return points;
}

/** All frames of a source as one batch. */
export async function gathered(source: FrameSource): Promise<FrameBatch> {
  const batches: FrameBatch[] = [];
  for await (const batch of source.batches()) batches.push(copyBatch(batch));
  const count = batches.reduce((n, b) => n + b.count, 0);
  const all = createFrameBatch(count, Buffer.concat(batches.map((b) => b.bytes)));
  let start = 0;
  for (const b of batches) {
    all.capLen.set(b.capLen, all.count);
    all.wireLen.set(b.wireLen, all.count);
    all.tsUs.set(b.tsUs, all.count);
    all.linkType.set(b.linkType, all.count);
    for (let i = 0; i < b.count; i++) all.offset[all.count + i] = start + b.offset[i]!;
    all.count += b.count;
    start += b.bytes.length;
  }
  all.origin = 'gathered';
  return all;
}
