/**
 * Frames that may stand in an Initial packet, RFC 9000 section 19:
 *
 *     PADDING 0 | PING 1 | ACK 2, 3 | CRYPTO 6 offset length data | CONNECTION_CLOSE 0x1c …
 *
 * with numbers of 1, 2, 4 or 8 bytes (two high bits of the first). CRYPTO data may come in any order.
 */
const MAX_HELLO = 16_384;
const MAX_FRAGMENTS = 64;
const MAX_ACK_RANGES = 256;

export interface CryptoStream {
  starts: number[];
  pieces: Uint8Array[];
}

export function createCryptoStream(): CryptoStream {
  return { starts: [], pieces: [] };
}

/** Value of the variable-length number at `at`; -1 where it is not whole or too large for this purpose. */
export function varint(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const length = 1 << (bytes[at]! >> 6);
  if (at + length > end) return -1;
  let value = bytes[at]! & 0x3f;
  for (let i = 1; i < length; i++) value = value * 256 + bytes[at + i]!;
  return value < 0x7fff_ffff ? value : -1;
}

export function varintLength(bytes: Uint8Array, at: number): number {
  return 1 << (bytes[at]! >> 6);
}

/** Adds the CRYPTO frames of a packet's plain payload; false where a frame does not belong there. */
export function addFrames(stream: CryptoStream, plain: Uint8Array): boolean {
  let at = 0;
  const next = (): number => {
    const value = varint(plain, at, plain.length);
    if (value >= 0) at += varintLength(plain, at);
    return value;
  };
  while (at < plain.length) {
    const type = plain[at++]!;
    if (type <= 1) continue;
    if (type === 0x1c || type === 0x1d) return true;
    if (type === 2 || type === 3) {
      next();
      next();
      const ranges = next();
      if (ranges < 0 || ranges > MAX_ACK_RANGES) return false;
      for (let i = 0; i < 1 + 2 * ranges + (type === 3 ? 3 : 0); i++) if (next() < 0) return false;
      continue;
    }
    if (type !== 6) return false;
    const offset = next();
    const length = next();
    if (offset < 0 || length < 0 || at + length > plain.length || offset + length > MAX_HELLO) return false;
    if (stream.pieces.length >= MAX_FRAGMENTS) return false;
    stream.starts.push(offset);
    stream.pieces.push(plain.slice(at, at + length));
    at += length;
  }
  return true;
}

/** The stream's first handshake message, undefined while it is not whole. */
export function firstMessage(stream: CryptoStream): Uint8Array | undefined {
  const order = stream.starts.map((_, i) => i).sort((a, b) => stream.starts[a]! - stream.starts[b]!);
  const whole = new Uint8Array(MAX_HELLO);
  let filled = 0;
  for (const i of order) {
    const from = stream.starts[i]!;
    if (from > filled) break;
    whole.set(stream.pieces[i]!, from);
    filled = Math.max(filled, from + stream.pieces[i]!.length);
  }
  if (filled < 4) return undefined;
  const length = 4 + ((whole[1]! << 16) | (whole[2]! << 8) | whole[3]!);
  return length <= filled ? whole.subarray(0, length) : undefined;
}
