import { createFrameBatch, type FrameBatch, type FrameSource, type SourceReport } from '../kernel/frames.ts';
import { emptyReport, FRAMES_PER_BATCH } from './pcap/capture-reader.ts';

/** Bytes of the arena in which the frames of overlapping recordings are put in order. */
const MIXED_BYTES = 1024 * 1024;
const MAX_NOTES = 20;

export interface MergedItem {
  readonly batch: FrameBatch;
  /**
   * Before the first frame of this batch no source was recording: from the last frame of the recordings
   * before to the first of this one. What happened in between is unobserved, not silent.
   */
  readonly gapBefore?: { readonly fromUs: number; readonly toUs: number };
}

export interface MergedSources {
  /** May be called once where a source can be read once. Ending early or aborting releases all sources. */
  items(signal?: AbortSignal): AsyncGenerator<MergedItem, void, void>;
  /** The reports of all sources, added up. */
  report(): SourceReport;
}

/** Reading position in one source. */
interface Cursor {
  readonly source: FrameSource;
  frames: AsyncIterator<FrameBatch> | undefined;
  /** `undefined` before the first batch and after the last. */
  batch: FrameBatch | undefined;
  /** Next frame of `batch`. */
  next: number;
  /**
   * Place of the next frame in time: the largest time stamp of the source so far, so that a recording whose
   * clock goes back keeps its order. Infinity: no frame is left.
   */
  keyUs: number;
  /** A frame of it was delivered, and it has more. */
  recording: boolean;
}

/** Sources that tell their first time stamp are opened only when it is their turn. */
function canPeek(source: FrameSource): source is FrameSource & { firstTimestampUs(): Promise<number | undefined> } {
  return 'firstTimestampUs' in source && typeof source.firstTimestampUs === 'function';
}

/** Asks the source for its next batch. */
async function advance(cursor: Cursor, signal: AbortSignal | undefined): Promise<FrameBatch | undefined> {
  cursor.frames ??= cursor.source.batches(signal)[Symbol.asyncIterator]();
  cursor.next = 0;
  for (;;) {
    const result = await cursor.frames.next();
    if (result.done === true) {
      cursor.batch = undefined;
      cursor.keyUs = Infinity;
      cursor.recording = false;
      return undefined;
    }
    if (result.value.count === 0) continue;
    cursor.batch = result.value;
    const first = result.value.tsUs[0]!;
    if (cursor.keyUs === Infinity || first > cursor.keyUs) cursor.keyUs = first;
    return result.value;
  }
}

/** The key after the whole batch. */
function lastKey(cursor: Cursor, batch: FrameBatch): number {
  let key = cursor.keyUs;
  for (let i = 0; i < batch.count; i++) if (batch.tsUs[i]! > key) key = batch.tsUs[i]!;
  return key;
}

function nameOf(sources: readonly FrameSource[]): string {
  return sources.length <= 3
    ? sources.map((source) => source.name).join(' + ')
    : `merge of ${sources.length} recordings`;
}

/**
 * Frames of several recordings in the order of their time stamps; the source listed first goes first where
 * they are equal. Each source keeps its own order. A batch that nothing overlaps is passed on as it is.
 * Where recordings overlap, their frames are copied into batches whose origin names all of them and whose
 * frame numbers count the merged order (as in a file written by mergecap).
 */
export function mergeSources(sources: readonly FrameSource[]): MergedSources {
  async function open(signal: AbortSignal | undefined): Promise<Cursor[]> {
    const cursors: Cursor[] = [];
    try {
      for (const source of sources) {
        const cursor: Cursor = {
          source,
          frames: undefined,
          batch: undefined,
          next: 0,
          keyUs: Infinity,
          recording: false,
        };
        cursors.push(cursor);
        const firstUs = canPeek(source) ? await source.firstTimestampUs() : undefined;
        if (firstUs !== undefined) cursor.keyUs = firstUs;
        // A file without a frame is read to its end, for its report.
        else await advance(cursor, signal);
      }
    } catch (error) {
      await close(cursors);
      throw error;
    }
    return cursors;
  }

  async function close(cursors: readonly Cursor[]): Promise<void> {
    await Promise.allSettled(cursors.map(async (cursor) => cursor.frames?.return?.()));
  }

  async function* items(signal?: AbortSignal): AsyncGenerator<MergedItem, void, void> {
    const cursors = await open(signal);
    const mixedName = nameOf(sources);
    let mixed: FrameBatch | undefined;
    let mixedSize = 0;
    let delivered = 0;
    let endUs = -Infinity;
    let gap: MergedItem['gapBefore'] | undefined;

    const item = (batch: FrameBatch): MergedItem => {
      const before = gap;
      gap = undefined;
      return before === undefined ? { batch } : { batch, gapBefore: before };
    };

    try {
      for (;;) {
        let chosen: Cursor | undefined;
        // The key that the chosen source may not pass, and whether it may reach it (it is listed first).
        let limitUs = Infinity;
        let mayReach = true;
        for (const cursor of cursors) {
          if (cursor.keyUs === Infinity) continue;
          if (chosen === undefined) {
            chosen = cursor;
          } else if (cursor.keyUs < chosen.keyUs) {
            limitUs = chosen.keyUs;
            mayReach = false;
            chosen = cursor;
          } else if (cursor.keyUs < limitUs) {
            limitUs = cursor.keyUs;
            mayReach = true;
          }
        }
        if (chosen === undefined) break;

        if (!chosen.recording && endUs !== -Infinity && chosen.keyUs > endUs) {
          if (!cursors.some((cursor) => cursor.recording)) {
            if (mixed !== undefined && mixed.count > 0) {
              yield item(mixed);
              mixed.count = 0;
              mixedSize = 0;
            }
            gap = { fromUs: endUs, toUs: chosen.keyUs };
          }
        }
        const batch = chosen.batch ?? (await advance(chosen, signal));
        // A peek had promised a frame that is not there now: the file has changed meanwhile.
        if (batch === undefined) continue;
        chosen.recording = true;

        const wholeKey = chosen.next === 0 ? lastKey(chosen, batch) : undefined;
        if (wholeKey !== undefined && (wholeKey < limitUs || (mayReach && wholeKey === limitUs))) {
          if (mixed !== undefined && mixed.count > 0) {
            yield item(mixed);
            mixed.count = 0;
            mixedSize = 0;
          }
          delivered += batch.count;
          if (wholeKey > endUs) endUs = wholeKey;
          yield item(batch);
          chosen.keyUs = wholeKey;
          await advance(chosen, signal);
          continue;
        }

        mixed ??= createFrameBatch(FRAMES_PER_BATCH, new Uint8Array(MIXED_BYTES));
        mixed.origin = mixedName;
        let row = chosen.next;
        for (; row < batch.count; row++) {
          const us = batch.tsUs[row]!;
          const key = us > chosen.keyUs ? us : chosen.keyUs;
          if (key > limitUs || (key === limitUs && !mayReach)) break;
          const length = batch.capLen[row]!;
          if (mixed.count === FRAMES_PER_BATCH || mixedSize + length > MIXED_BYTES) {
            yield item(mixed);
            mixed.count = 0;
            mixedSize = 0;
          }
          if (mixed.count === 0) mixed.firstFrame = delivered;
          const start = batch.offset[row]!;
          mixed.bytes.set(batch.bytes.subarray(start, start + length), mixedSize);
          mixed.offset[mixed.count] = mixedSize;
          mixed.capLen[mixed.count] = length;
          mixed.wireLen[mixed.count] = batch.wireLen[row]!;
          mixed.tsUs[mixed.count] = us;
          mixed.linkType[mixed.count] = batch.linkType[row]!;
          mixed.count++;
          mixedSize += length;
          delivered++;
          chosen.keyUs = key;
          if (key > endUs) endUs = key;
        }
        chosen.next = row;
        if (row === batch.count) await advance(chosen, signal);
        else if (batch.tsUs[row]! > chosen.keyUs) chosen.keyUs = batch.tsUs[row]!;
      }
      if (mixed !== undefined && mixed.count > 0) yield item(mixed);
    } finally {
      await close(cursors);
    }
  }

  return {
    items,
    report() {
      const sum = emptyReport();
      sum.bytesTotal = 0;
      for (const source of sources) {
        const one = source.report();
        sum.framesRead += one.framesRead;
        sum.bytesRead += one.bytesRead;
        sum.bytesTotal =
          one.bytesTotal === undefined || sum.bytesTotal === undefined ? undefined : sum.bytesTotal + one.bytesTotal;
        sum.truncated ||= one.truncated;
        sum.framesLostAtCapture += one.framesLostAtCapture;
        for (const note of one.notes) sum.notes.push(sources.length === 1 ? note : `${source.name}: ${note}`);
      }
      sum.notes.splice(MAX_NOTES);
      return sum;
    },
  };
}
