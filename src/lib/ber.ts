/**
 * Basic Encoding Rules (X.690), reading only: one element at a time out of a byte range.
 *
 *     element = tag length value
 *     tag     = 1 byte (class 2 bits, constructed 1 bit, number 5 bits); high tag numbers are refused
 *     length  = 0lllllll | 1000nnnn followed by n (1 to 4) bytes; the indefinite form is refused
 */
export interface BerElement {
  tag: number;
  /** First byte of the value. */
  start: number;
  /** One past the value as its length says; may lie beyond the bytes at hand. */
  end: number;
}

export function createBerElement(): BerElement {
  return { tag: 0, start: 0, end: 0 };
}

export type BerResult = 'ok' | 'short' | 'bad';

/**
 * Reads the header at `at` into `out`. `short`: the header itself is not whole within `limit`;
 * `bad`: no header that this reader accepts. The value's end is not compared with `limit`.
 */
export function readBerHeader(bytes: Uint8Array, at: number, limit: number, out: BerElement): BerResult {
  if (at + 2 > limit) return 'short';
  const tag = bytes[at]!;
  if ((tag & 0x1f) === 0x1f) return 'bad';
  const first = bytes[at + 1]!;
  let position = at + 2;
  let length = first;
  if (first >= 0x80) {
    const n = first & 0x7f;
    if (n === 0 || n > 4) return 'bad';
    if (position + n > limit) return 'short';
    length = 0;
    for (let i = 0; i < n; i++) length = length * 256 + bytes[position + i]!;
    position += n;
  }
  out.tag = tag;
  out.start = position;
  out.end = position + length;
  return 'ok';
}

/** Reads the element at `at` that must lie whole within `limit`. */
export function readBer(bytes: Uint8Array, at: number, limit: number, out: BerElement): boolean {
  return readBerHeader(bytes, at, limit, out) === 'ok' && out.end <= limit;
}

/** Reads the element at `at` that must be whole within `limit` and have this tag. */
export function enterBer(bytes: Uint8Array, at: number, limit: number, tag: number, out: BerElement): boolean {
  return readBer(bytes, at, limit, out) && out.tag === tag;
}

/** Value of an INTEGER or ENUMERATED of at most 6 bytes (two's complement), or undefined. */
export function berInteger(bytes: Uint8Array, start: number, end: number): number | undefined {
  const n = end - start;
  if (n < 1 || n > 6) return undefined;
  let value = bytes[start]! >= 0x80 ? bytes[start]! - 256 : bytes[start]!;
  for (let i = start + 1; i < end; i++) value = value * 256 + bytes[i]!;
  return value;
}
