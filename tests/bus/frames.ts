import { copyBatch, createFrameBatch, type FrameBatch } from '../../src/kernel/frames.ts';
import type { BusDelivery } from '../../src/bus/bus.ts';

/** One frame as it must come out of a bus. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly wireLen: number;
  readonly tsUs: number;
  readonly linkType: number;
}

/** Frame `n` of a made-up capture: everything in it follows from `n` and its length. */
export function frame(n: number, length: number, linkType = 1): Frame {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (n * 31 + i * 7) & 0xff;
  return { bytes, wireLen: length + (n % 3), tsUs: 1_700_000_000_000_000 + n * 1_000_003, linkType };
}

/** A batch whose arena has bytes before, between and behind the frames, as that of a file reader has. */
export function batchOf(frames: readonly Frame[], firstFrame = 0): FrameBatch {
  const gap = 16;
  const size = frames.reduce((sum, { bytes }) => sum + bytes.length + gap, gap);
  const batch = createFrameBatch(frames.length, new Uint8Array(size).fill(0xee));
  let at = gap;
  for (const [i, { bytes, wireLen, tsUs, linkType }] of frames.entries()) {
    batch.bytes.set(bytes, at);
    batch.offset[i] = at;
    batch.capLen[i] = bytes.length;
    batch.wireLen[i] = wireLen;
    batch.tsUs[i] = tsUs;
    batch.linkType[i] = linkType;
    at += bytes.length + gap;
  }
  batch.count = frames.length;
  batch.origin = 'made up';
  batch.firstFrame = firstFrame;
  return batch;
}

export function framesOf(batch: FrameBatch): Frame[] {
  const { bytes, capLen, wireLen, tsUs, linkType, offset, count } = copyBatch(batch);
  return Array.from({ length: count }, (_, i) => ({
    bytes: bytes.slice(offset[i], offset[i]! + capLen[i]!),
    wireLen: wireLen[i]!,
    tsUs: tsUs[i]!,
    linkType: linkType[i]!,
  }));
}

/** Reads a subscription to its end; the frames by partition, in the order of delivery. */
export async function collect(
  deliveries: AsyncIterable<BusDelivery>,
  onDelivery?: (delivery: BusDelivery) => Promise<void> | void,
): Promise<Map<number, Frame[]>> {
  const frames = new Map<number, Frame[]>();
  for await (const delivery of deliveries) {
    const of = frames.get(delivery.partition) ?? [];
    of.push(...framesOf(delivery.batch));
    frames.set(delivery.partition, of);
    await onDelivery?.(delivery);
  }
  return frames;
}
