import type { FrameBatch } from '../kernel/frames.ts';

/** Rows `from` to `to - 1` of a batch, over the same bytes. */
export function sliceBatch(batch: FrameBatch, from: number, to: number): FrameBatch {
  if (from === 0 && to === batch.count) return batch;
  return {
    bytes: batch.bytes,
    view: batch.view,
    count: to - from,
    offset: batch.offset.subarray(from, to),
    capLen: batch.capLen.subarray(from, to),
    wireLen: batch.wireLen.subarray(from, to),
    tsUs: batch.tsUs.subarray(from, to),
    linkType: batch.linkType.subarray(from, to),
    origin: batch.origin,
    firstFrame: batch.firstFrame + from,
  };
}
