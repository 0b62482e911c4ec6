/**
 * A running 64 bit hash over content that may not leave as it is and that is never whole in memory.
 * It only makes a long text short enough to be handed to the sink as a token (which is keyed there); it
 * resists no one who knows the content. Two multiplicative lanes, mixed at the end.
 */
export interface Digest {
  a: number;
  b: number;
  /** Bytes fed. */
  fed: number;
}

export function createDigest(): Digest {
  return { a: 0x5bd1e995, b: 0x27d4eb2f, fed: 0 };
}

export function resetDigest(digest: Digest): void {
  digest.a = 0x5bd1e995;
  digest.b = 0x27d4eb2f;
  digest.fed = 0;
}

export function feedDigest(digest: Digest, byte: number): void {
  digest.a = Math.imul(digest.a ^ byte, 0x9e3779b1);
  digest.a ^= digest.a >>> 15;
  digest.b = Math.imul(digest.b ^ byte, 0x5f356495);
  digest.b ^= digest.b >>> 13;
  digest.fed++;
}

/** Bytes that {@link writeDigest} writes. */
export const DIGEST_BYTES = 8;

/** Writes the hash of what was fed so far to the beginning of `into`. */
export function writeDigest(digest: Digest, into: Uint8Array): void {
  const a = Math.imul(digest.a ^ digest.fed, 0x85ebca6b) ^ (digest.b >>> 16);
  const b = Math.imul(digest.b ^ a, 0xc2b2ae35) ^ (digest.a >>> 13);
  for (let i = 0; i < 4; i++) {
    into[i] = a >>> (i * 8);
    into[4 + i] = b >>> (i * 8);
  }
}
