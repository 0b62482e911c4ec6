/**
 * Captured frames as they travel from a source over the bus to the hot path.
 *
 * A batch owns one arena of bytes and describes the frames in it by columns, so that nothing is
 * allocated per frame. Whoever receives a batch may read it until it asks for the next one; whoever
 * wants to keep frames copies them ({@link copyBatch}).
 */
export interface FrameBatch {
  /** Arena. Frame `i` is `bytes[offset[i] .. offset[i] + capLen[i])`. */
  bytes: Uint8Array;
  /** View over exactly the bytes of `bytes` (same start, same length), so that offsets are the same in both. */
  view: DataView;
  /** Number of frames; rows of the columns from `count` on are undefined. */
  count: number;
  readonly offset: Uint32Array;
  /** Captured length in bytes. */
  readonly capLen: Uint32Array;
  /** Length on the wire in bytes, at least `capLen` in a sane capture; not trusted. */
  readonly wireLen: Uint32Array;
  /** Epoch microseconds, an integer; nanosecond captures are rounded down. */
  readonly tsUs: Float64Array;
  /** LINKTYPE_ number of the tcpdump registry. */
  readonly linkType: Uint16Array;
  /** Where the frames come from, for evidence: a file name, an interface or `topic[partition]@offset`. */
  origin: string;
  /** Number (from 0) of frame 0 within its origin. */
  firstFrame: number;
}

export function createFrameBatch(capacity: number, bytes: Uint8Array): FrameBatch {
  return {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    count: 0,
    offset: new Uint32Array(capacity),
    capLen: new Uint32Array(capacity),
    wireLen: new Uint32Array(capacity),
    tsUs: new Float64Array(capacity),
    linkType: new Uint16Array(capacity),
    origin: '',
    firstFrame: 0,
  };
}

/** A deep copy with an arena of its own, holding frames `from` to `to - 1` and nothing else. */
export function copyBatch(batch: FrameBatch, from = 0, to = batch.count): FrameBatch {
  let size = 0;
  for (let i = from; i < to; i++) size += batch.capLen[i]!;
  const out = createFrameBatch(to - from, new Uint8Array(size));
  let at = 0;
  for (let i = from; i < to; i++) {
    const start = batch.offset[i]!;
    const length = batch.capLen[i]!;
    out.bytes.set(batch.bytes.subarray(start, start + length), at);
    const k = i - from;
    out.offset[k] = at;
    out.capLen[k] = length;
    out.wireLen[k] = batch.wireLen[i]!;
    out.tsUs[k] = batch.tsUs[i]!;
    out.linkType[k] = batch.linkType[i]!;
    at += length;
  }
  out.count = to - from;
  out.origin = batch.origin;
  out.firstFrame = batch.firstFrame + from;
  return out;
}

/** What a source found out about its input besides frames. */
export interface SourceReport {
  framesRead: number;
  /** Bytes of the container read so far and its size, where known: for progress. */
  bytesRead: number;
  bytesTotal: number | undefined;
  /** The input ended inside a record: what was whole before it was delivered. */
  truncated: boolean;
  /** Frames that the capturing side says it lost (pcapng ISB ifdrop, tcpdump's own count). */
  framesLostAtCapture: number;
  /** Plain sentences about oddities of the container, at most 20. */
  notes: string[];
}

/**
 * Gives frames in the order of their container. Inert until `batches` is called; ending the iteration
 * early or aborting the signal releases everything it holds.
 */
export interface FrameSource {
  readonly name: string;
  /** Fails with a `WardwatchError` where the input cannot be read at all; a damaged tail is no failure. */
  batches(signal?: AbortSignal): AsyncIterable<FrameBatch>;
  report(): SourceReport;
}
