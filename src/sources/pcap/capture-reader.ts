import { WardwatchError } from '../../kernel/errors.ts';
import { createFrameBatch, type FrameBatch, type SourceReport } from '../../kernel/frames.ts';
import { type ByteInput, compressionOf, decompressed, takeHead, withHead } from './byte-input.ts';
import { formatOf, MAX_HOLD_BYTES } from './format.ts';
import { looksLike } from './looks-like.ts';
import { type CaptureParser, createCaptureParser } from './parser.ts';

/** Most frames in one batch of a source. */
export const FRAMES_PER_BATCH = 4096;

/** Bytes that are read first, to see what they are. */
const HEAD_BYTES = 16 * 1024;

const MAX_NOTES = 20;

export interface ReadOptions {
  /** Name in messages and in `FrameBatch.origin`. */
  readonly name: string;
  /** Bytes asked for at once. */
  readonly chunkBytes: number;
  /** Ask for the next bytes while the frames of these are worked on. */
  readonly readAhead: boolean;
}

export function emptyReport(): SourceReport {
  return {
    framesRead: 0,
    bytesRead: 0,
    bytesTotal: undefined,
    truncated: false,
    framesLostAtCapture: 0,
    notes: [],
  };
}

function notACapture(name: string, what: string, remedy: string): WardwatchError {
  return new WardwatchError('WW_INPUT_NOT_A_CAPTURE', `${name} is not a capture: ${what}.`, remedy);
}

/** The same input, with every byte counted. */
function counted(input: ByteInput, report: SourceReport): ByteInput {
  return {
    async read(target, from, length) {
      const size = await input.read(target, from, length);
      report.bytesRead += size;
      return size;
    },
    close: () => input.close(),
  };
}

/** Puts what the parser found into the report, at the end of the input. `left`: bytes that it did not take. */
export function finishReport(report: SourceReport, parser: CaptureParser, left: number): void {
  report.framesLostAtCapture = parser.framesLost;
  report.notes.push(...parser.notes());
  if (parser.damaged) {
    report.truncated = true;
  } else if (left > 0 || parser.skipping) {
    report.truncated = true;
    report.notes.push('The capture ends inside a record: everything before it was read.');
  }
  report.notes.splice(MAX_NOTES);
}

interface Arena {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

function createArena(size: number): Arena {
  const bytes = new Uint8Array(size);
  return { bytes, view: new DataView(bytes.buffer) };
}

/**
 * The frames of a capture that comes as bytes, compressed or not. `report` is brought up to date before
 * every batch. The input is closed at the end, also when the caller leaves early or the signal aborts;
 * after an abort the iteration ends without an error.
 *
 * Two arenas take turns: while the frames of one are worked on, the next bytes are read into the other
 * behind a reserve, into which the unfinished record of the first is then copied.
 */
export async function* readCapture(
  raw: ByteInput,
  report: SourceReport,
  options: ReadOptions,
  signal?: AbortSignal,
): AsyncGenerator<FrameBatch, void, void> {
  const { name, chunkBytes, readAhead } = options;
  const parser = createCaptureParser();
  let input = counted(raw, report);
  let pending: Promise<unknown> | undefined;
  const onAbort = (): void => void input.close();
  signal?.addEventListener('abort', onAbort, { once: true });
  const aborted = (): boolean => signal?.aborted ?? false;

  const startRead = (arena: Arena): Promise<number> => {
    const reading = input.read(arena.bytes, MAX_HOLD_BYTES, chunkBytes);
    // Whoever leaves early never looks at the promise again.
    pending = reading.catch(() => undefined);
    return reading;
  };

  try {
    if (aborted()) return;
    let head = await takeHead(input, HEAD_BYTES);
    const compression = compressionOf(head);
    input = withHead(head, input);
    if (compression !== undefined) {
      input = decompressed(compression, input);
      head = await takeHead(input, HEAD_BYTES);
      if (aborted()) return;
      if (input.cutShort !== undefined && head.length < 4) {
        throw notACapture(name, `its ${compression} data are damaged from the beginning`, 'Get the file again.');
      }
      input = withHead(head, input);
    }
    if (aborted()) return;
    if (head.length === 0) throw notACapture(name, 'it is empty', 'Check that the capture had begun to write.');
    if (head.length < 4 || formatOf(new DataView(head.buffer, head.byteOffset).getUint32(0)) === undefined) {
      const { words, remedy } = looksLike(head);
      throw notACapture(name, `it looks like ${words}`, remedy);
    }

    const size = MAX_HOLD_BYTES + chunkBytes;
    let arena = createArena(size);
    let other: Arena | undefined;
    const batch = createFrameBatch(FRAMES_PER_BATCH, arena.bytes);
    batch.origin = name;
    let carried = 0;
    let next = startRead(arena);
    for (;;) {
      const got = await next;
      if (aborted()) return;
      if (got === 0) break;
      other ??= createArena(size);
      if (readAhead) next = startRead(other);

      batch.bytes = arena.bytes;
      batch.view = arena.view;
      const to = MAX_HOLD_BYTES + got;
      let at = MAX_HOLD_BYTES - carried;
      for (;;) {
        batch.count = 0;
        at = parser.read(batch, at, to);
        if (batch.count === 0) break;
        batch.firstFrame = report.framesRead;
        report.framesRead += batch.count;
        report.framesLostAtCapture = parser.framesLost;
        const wasFull = batch.count === FRAMES_PER_BATCH;
        yield batch;
        if (aborted()) return;
        if (!wasFull) break;
      }
      if (parser.ended) break;
      carried = to - at;
      other.bytes.set(arena.bytes.subarray(at, to), MAX_HOLD_BYTES - carried);
      [arena, other] = [other, arena];
      if (!readAhead) next = startRead(arena);
    }

    if (!parser.headerSeen) {
      const what = parser.damaged ? 'its first section header is damaged' : 'it ends inside its file header';
      throw notACapture(name, what, 'Get the file again, or capture anew.');
    }
    if (input.cutShort !== undefined) {
      report.truncated = true;
      report.notes.push(input.cutShort);
    }
    finishReport(report, parser, carried);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await input.close();
    await pending;
  }
}
