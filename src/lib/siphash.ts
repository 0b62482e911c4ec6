/**
 * SipHash-2-4 (Aumasson, Bernstein 2012) over a range of bytes, in 32-bit halves: a keyed hash that is cheap
 * for short input, so that identifiers can be compared without being kept.
 */
export class SipHash {
  readonly #k0l: number;
  readonly #k0h: number;
  readonly #k1l: number;
  readonly #k1h: number;
  /** Upper and lower half of the last result. */
  high = 0;
  low = 0;

  /** `key`: 16 bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== 16) throw new RangeError('a SipHash key has 16 bytes');
    const view = new DataView(key.buffer, key.byteOffset, 16);
    this.#k0l = view.getInt32(0, true);
    this.#k0h = view.getInt32(4, true);
    this.#k1l = view.getInt32(8, true);
    this.#k1h = view.getInt32(12, true);
  }

  /** 52 bits of the hash as an integer; all 64 are in `high` and `low`. */
  hash(bytes: Uint8Array, start: number, end: number): number {
    let v0l = this.#k0l ^ 0x70736575;
    let v0h = this.#k0h ^ 0x736f6d65;
    let v1l = this.#k1l ^ 0x6e646f6d;
    let v1h = this.#k1h ^ 0x646f7261;
    let v2l = this.#k0l ^ 0x6e657261;
    let v2h = this.#k0h ^ 0x6c796765;
    let v3l = this.#k1l ^ 0x79746573;
    let v3h = this.#k1h ^ 0x74656462;
    const length = end - start;
    const blocks = (length >>> 3) + 1;
    for (let b = 0; b < blocks + 2; b++) {
      let ml = 0;
      let mh = 0;
      if (b < blocks) {
        const o = start + b * 8;
        if (o + 8 <= end) {
          ml = bytes[o]! | (bytes[o + 1]! << 8) | (bytes[o + 2]! << 16) | (bytes[o + 3]! << 24);
          mh = bytes[o + 4]! | (bytes[o + 5]! << 8) | (bytes[o + 6]! << 16) | (bytes[o + 7]! << 24);
        } else {
          for (let i = 0; i < 4; i++) if (o + i < end) ml |= bytes[o + i]! << (8 * i);
          for (let i = 0; i < 4; i++) if (o + 4 + i < end) mh |= bytes[o + 4 + i]! << (8 * i);
        }
        if (b === blocks - 1) mh |= (length & 255) << 24;
      } else if (b === blocks) v2l ^= 0xff;
      v3l ^= ml;
      v3h ^= mh;
      for (let round = 0; round < 2; round++) {
        v0l = (v0l + v1l) | 0;
        v0h = (v0h + v1h + (v0l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
        let t = (v1l << 13) | (v1h >>> 19);
        v1h = (v1h << 13) | (v1l >>> 19);
        v1l = t ^ v0l;
        v1h ^= v0h;
        t = v0l;
        v0l = v0h;
        v0h = t;
        v2l = (v2l + v3l) | 0;
        v2h = (v2h + v3h + (v2l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
        t = (v3l << 16) | (v3h >>> 16);
        v3h = (v3h << 16) | (v3l >>> 16);
        v3l = t ^ v2l;
        v3h ^= v2h;
        v0l = (v0l + v3l) | 0;
        v0h = (v0h + v3h + (v0l >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
        t = (v3l << 21) | (v3h >>> 11);
        v3h = (v3h << 21) | (v3l >>> 11);
        v3l = t ^ v0l;
        v3h ^= v0h;
        v2l = (v2l + v1l) | 0;
        v2h = (v2h + v1h + (v2l >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
        t = (v1l << 17) | (v1h >>> 15);
        v1h = (v1h << 17) | (v1l >>> 15);
        v1l = t ^ v2l;
        v1h ^= v2h;
        t = v2l;
        v2l = v2h;
        v2h = t;
        // The two finalisation steps after the last block run two rounds each: four in all.
      }
      v0l ^= ml;
      v0h ^= mh;
    }
    this.low = (v0l ^ v1l ^ v2l ^ v3l) >>> 0;
    this.high = (v0h ^ v1h ^ v2h ^ v3h) >>> 0;
    return this.high * 1_048_576 + (this.low >>> 12);
  }
}
