import type { Readable } from 'node:stream';
import { describeError, WardwatchError } from '../../kernel/errors.ts';
import type { FrameBatch, FrameSource } from '../../kernel/frames.ts';
import { streamInput } from './byte-input.ts';
import { emptyReport, readCapture } from './capture-reader.ts';

const STREAM_CHUNK_BYTES = 256 * 1024;

/**
 * Frames of a capture that arrives on a stream, such as standard input: the same formats as a file, each
 * frame delivered as soon as it is whole. Can be read once; the stream is destroyed at the end.
 * @param name what messages and evidence call it
 */
export function createStreamSource(stream: Readable, name: string): FrameSource {
  const report = emptyReport();
  let begun = false;
  return {
    name,
    async *batches(signal?: AbortSignal): AsyncGenerator<FrameBatch, void, void> {
      if (begun) {
        throw new WardwatchError('WW_INTERNAL', `${name} was read twice.`, 'A stream can be read only once.');
      }
      begun = true;
      try {
        const options = { name, chunkBytes: STREAM_CHUNK_BYTES, readAhead: false };
        yield* readCapture(streamInput(stream), report, options, signal);
      } catch (error) {
        if (error instanceof WardwatchError) throw error;
        throw new WardwatchError(
          'WW_INPUT_UNREADABLE',
          `${name} broke off: ${describeError(error)}.`,
          'Check the program that writes the capture.',
          { cause: error },
        );
      }
    },
    report: () => ({ ...report, notes: [...report.notes] }),
  };
}
