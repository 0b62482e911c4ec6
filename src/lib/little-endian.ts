/** Little-endian numbers and UTF-16 in byte ranges. The caller has checked that the bytes are there. */

export function u16le(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function u32le(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** A 64-bit count; exact up to 2^53. */
export function u64le(bytes: Uint8Array, at: number): number {
  return u32le(bytes, at) + u32le(bytes, at + 4) * 0x1_0000_0000;
}

/** At most 64 units of UTF-16LE; control characters and lone surrogates become U+FFFD. */
export function utf16le(bytes: Uint8Array, start: number, end: number): string {
  let out = '';
  for (let at = start; at + 2 <= end && out.length < 64; at += 2) {
    const unit = u16le(bytes, at);
    if (unit === 0) break;
    out += unit < 0x20 || unit === 0x7f || (unit >= 0xd800 && unit <= 0xdfff) ? '\ufffd' : String.fromCharCode(unit);
  }
  return out;
}
