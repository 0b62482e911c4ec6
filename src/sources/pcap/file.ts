import { open, stat, type FileHandle } from 'node:fs/promises';
import { describeError, WardwatchError } from '../../kernel/errors.ts';
import type { FrameBatch, FrameSource, SourceReport } from '../../kernel/frames.ts';
import { fileInput } from './byte-input.ts';
import { emptyReport, readCapture } from './capture-reader.ts';

const DEFAULT_CHUNK_BYTES = 1024 * 1024;
const PEEK_CHUNK_BYTES = 64 * 1024;

/** Also for the smallest file, which may be compressed well. */
const LEAST_CHUNK_BYTES = 128 * 1024;

export interface FileSourceOptions {
  /** Name in messages and evidence; the path by default. */
  readonly name?: string;
  /** Bytes read at once (of the plain capture); 1 MiB by default, less for a smaller file. */
  readonly chunkBytes?: number;
}

/** A source over a file, which can be read again and tells its first time stamp without being read whole. */
export interface FileSource extends FrameSource {
  /**
   * Time of the first frame in epoch microseconds, `undefined` where it has none or is a pipe.
   * Does not touch the report.
   */
  firstTimestampUs(): Promise<number | undefined>;
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function unreadable(name: string, error: unknown): WardwatchError {
  const code = errorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new WardwatchError('WW_INPUT_MISSING', `${name} does not exist.`, 'Check the path of the capture.', {
      cause: error,
    });
  }
  if (code === 'EISDIR') {
    return new WardwatchError(
      'WW_INPUT_UNREADABLE',
      `${name} is a directory, not a capture.`,
      'Name the capture files in it, for example with a pattern that the shell expands.',
      { cause: error },
    );
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new WardwatchError(
      'WW_INPUT_UNREADABLE',
      `${name} may not be read by this user.`,
      'Give this user the right to read it, or copy it to a place where it may.',
      { cause: error },
    );
  }
  return new WardwatchError(
    'WW_INPUT_UNREADABLE',
    `${name} cannot be read: ${describeError(error)}.`,
    'Check the disk or the share that the file lies on.',
    { cause: error },
  );
}

/**
 * Frames of one capture file: pcap or pcapng, plain, gzip or zstd. What it is goes by its first bytes, never
 * by its name. A truncated or damaged tail ends the frames and is told in the report.
 */
export function createFileSource(path: string, options: FileSourceOptions = {}): FileSource {
  const name = options.name ?? path;
  let report = emptyReport();

  async function* read(into: SourceReport, chunkBytes: number, readAhead: boolean, signal?: AbortSignal) {
    let handle: FileHandle;
    let size: number | undefined;
    try {
      handle = await open(path, 'r');
    } catch (error) {
      throw unreadable(name, error);
    }
    try {
      const found = await handle.stat();
      if (found.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
      if (found.isFile()) size = found.size;
    } catch (error) {
      await handle.close();
      throw unreadable(name, error);
    }
    into.bytesTotal = size;
    try {
      const wanted = size === undefined ? chunkBytes : Math.min(chunkBytes, Math.max(size, LEAST_CHUNK_BYTES));
      yield* readCapture(fileInput(handle), into, { name, chunkBytes: wanted, readAhead }, signal);
    } catch (error) {
      throw error instanceof WardwatchError ? error : unreadable(name, error);
    }
  }

  return {
    name,
    async *batches(signal?: AbortSignal): AsyncGenerator<FrameBatch, void, void> {
      report = emptyReport();
      yield* read(report, options.chunkBytes ?? DEFAULT_CHUNK_BYTES, true, signal);
    },
    async firstTimestampUs() {
      // What is taken from a pipe is gone. (A file that is not there is told by opening it.)
      const isRegular = await stat(path).then(
        (found) => found.isFile() || found.isDirectory(),
        () => true,
      );
      if (!isRegular) return undefined;
      for await (const batch of read(emptyReport(), PEEK_CHUNK_BYTES, false)) return batch.tsUs[0];
      return undefined;
    },
    report: () => ({ ...report, notes: [...report.notes] }),
  };
}
