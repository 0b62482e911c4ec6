import { WardwatchError } from '../../kernel/errors.ts';
import { createFrameBatch, type FrameBatch, type SourceReport } from '../../kernel/frames.ts';
import { emptyReport, finishReport, FRAMES_PER_BATCH } from './capture-reader.ts';
import { createCaptureParser } from './parser.ts';

function withCapacity(batch: FrameBatch, capacity: number): FrameBatch {
  const larger = createFrameBatch(capacity, batch.bytes);
  larger.offset.set(batch.offset);
  larger.capLen.set(batch.capLen);
  larger.wireLen.set(batch.wireLen);
  larger.tsUs.set(batch.tsUs);
  larger.linkType.set(batch.linkType);
  larger.count = batch.count;
  larger.origin = batch.origin;
  return larger;
}

/**
 * A whole capture held in memory, such as a record from a topic: all its frames in one batch, which lies over
 * `bytes` itself (nothing is copied). Compressed captures are not taken.
 * @throws WardwatchError WW_INPUT_NOT_A_CAPTURE where the bytes do not begin with the header of a capture
 */
export function decodeCapture(bytes: Uint8Array, origin: string): { batch: FrameBatch; report: SourceReport } {
  const parser = createCaptureParser();
  // A record has at least 16 bytes beside its frame.
  let batch = createFrameBatch(Math.min(FRAMES_PER_BATCH, Math.ceil(bytes.length / 16)), bytes);
  batch.origin = origin;
  let at = parser.read(batch, 0, bytes.length);
  while (batch.count === batch.offset.length && at < bytes.length && !parser.ended) {
    batch = withCapacity(batch, batch.offset.length * 2);
    at = parser.read(batch, at, bytes.length);
  }
  if (!parser.headerSeen) {
    throw new WardwatchError(
      'WW_INPUT_NOT_A_CAPTURE',
      `${origin} is not a capture: its file header is missing or damaged.`,
      'Put pcapng sections or pcap files there.',
    );
  }
  const report = emptyReport();
  report.framesRead = batch.count;
  report.bytesRead = bytes.length;
  report.bytesTotal = bytes.length;
  finishReport(report, parser, bytes.length - at);
  return { batch, report };
}
