/** Looking at ASCII in bytes without making strings. `end` is exclusive everywhere. */

/** Whether `word` (ASCII) stands at `at`. */
export function startsWith(bytes: Uint8Array, at: number, end: number, word: string): boolean {
  if (end - at < word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return false;
  return true;
}

/** The same as {@link startsWith}, letters compared without their case; `word` is lower case. */
export function startsWithAnyCase(bytes: Uint8Array, at: number, end: number, word: string): boolean {
  if (end - at < word.length) return false;
  for (let i = 0; i < word.length; i++) {
    let byte = bytes[at + i]!;
    if (byte >= 0x41 && byte <= 0x5a) byte |= 0x20;
    if (byte !== word.charCodeAt(i)) return false;
  }
  return true;
}

/** Index of `byte` in the range, or `end`. */
export function find(bytes: Uint8Array, at: number, end: number, byte: number): number {
  while (at < end && bytes[at] !== byte) at++;
  return at;
}

/** Index of `word` in the range, or -1. */
export function findWord(bytes: Uint8Array, at: number, end: number, word: string): number {
  const first = word.charCodeAt(0);
  const last = end - word.length;
  for (; at <= last; at++) if (bytes[at] === first && startsWith(bytes, at, end, word)) return at;
  return -1;
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

export function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

/** Start of the range without leading blanks and control characters. */
export function trimStart(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at]! <= 0x20) at++;
  return at;
}

/** End of the range without trailing blanks and control characters. */
export function trimEnd(bytes: Uint8Array, at: number, end: number): number {
  while (end > at && bytes[end - 1]! <= 0x20) end--;
  return end;
}

/** A short machine word as a string, undefined where a byte is not printable ASCII. */
export function word(bytes: Uint8Array, at: number, end: number): string | undefined {
  let out = '';
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < 0x20 || byte > 0x7e) return undefined;
    out += String.fromCharCode(byte);
  }
  return out;
}

/** A name for a code that no table knows: `function-99`. */
export function numbered(prefix: string, code: number): string {
  return `${prefix}${code}`;
}

/** A decimal number of at most 15 digits, or -1. */
export function decimal(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || end - at > 15) return -1;
  let value = 0;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (!isDigit(byte)) return -1;
    value = value * 10 + byte - 0x30;
  }
  return value;
}
