/** Damaged frames for the decoder: cut, changed, joined, out of time; the same for the same seed. */
import { createFrameBatch } from '../../src/kernel/frames.ts';
import type { FrameBatch } from '../../src/kernel/frames.ts';
import { createPrng } from '../../src/lib/prng.ts';

/** Bytes between two frames, filled with `poison`: what is read there was read outside a frame. */
const GAP = 64;

/** Values that parsers trip over: lengths of nothing, of everything, signs, ends. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0x0d, 0x0b, 0x1c, 0x3c];

/**
 * `batch` once more with damage: of every frame one way of `seed`'s choice, or none (one in eight, so that flows get
 * far enough for deep damage to matter). Frames lie {@link GAP} bytes apart, the bytes between are `poison`.
 */
export function damaged(batch: FrameBatch, seed: number, poison: number): FrameBatch {
  const random = createPrng(seed);
  let size = GAP;
  for (let i = 0; i < batch.count; i++) size += batch.capLen[i]! + GAP;
  const out = createFrameBatch(batch.count, new Uint8Array(size).fill(poison));
  out.origin = batch.origin;
  out.firstFrame = batch.firstFrame;
  out.count = batch.count;
  let at = GAP;
  for (let i = 0; i < batch.count; i++) {
    const from = batch.offset[i]!;
    let length = batch.capLen[i]!;
    out.bytes.set(batch.bytes.subarray(from, from + length), at);
    const way = random.int(8);
    if (length > 0) {
      if (way === 1) length = random.int(length + 1);
      else if (way === 2) for (let n = 0; n < 4; n++) out.bytes[at + random.int(length)] = random.int(256);
      else if (way === 3) out.bytes[at + random.int(length)]! ^= 1 << random.int(8);
      else if (way === 4) out.bytes[at + random.int(length)] = EDGES[random.int(EDGES.length)]!;
      else if (way === 5) {
        // Two bytes beside each other are often a length.
        const where = random.int(length);
        out.bytes[at + where] = EDGES[random.int(EDGES.length)]!;
        if (where + 1 < length) out.bytes[at + where + 1] = EDGES[random.int(EDGES.length)]!;
      } else if (way === 6) {
        // Behind the addresses all of it is noise.
        for (let k = Math.min(54, length); k < length; k++) out.bytes[at + k] = random.int(256);
      } else if (way === 7 && length > 60) {
        // A piece of the payload comes twice and pushes the rest out.
        const where = 54 + random.int(length - 54);
        out.bytes.copyWithin(at + where, at + 54, at + length - (where - 54));
      }
    }
    out.offset[i] = at;
    out.capLen[i] = length;
    out.wireLen[i] = batch.wireLen[i]!;
    out.tsUs[i] = batch.tsUs[i]! + (random.int(64) === 0 ? random.int(2_000_000) - 1_000_000 : 0);
    out.linkType[i] = batch.linkType[i]!;
    // Where the frame was cut the rest of its old bytes are poison too.
    out.bytes.fill(poison, at + length, at + batch.capLen[i]!);
    at += batch.capLen[i]! + GAP;
  }
  return out;
}
