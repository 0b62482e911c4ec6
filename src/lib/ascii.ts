/**
 * Words in byte ranges: comparing, finding and reading numbers without making strings.
 * All ranges are half-open, offsets absolute; the callers' `end` is never passed.
 */

export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
const TAB = 0x09;

/** Offset of the first `value` in the range, or -1. */
export function findByte(bytes: Uint8Array, value: number, start: number, end: number): number {
  for (let i = start; i < end; i++) if (bytes[i] === value) return i;
  return -1;
}

/** True where the range begins with `word` (exact case). */
export function startsWith(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start < word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word.charCodeAt(i)) return false;
  return true;
}

/** True where the range is a beginning of `word`, or begins with it (exact case): for probes on few bytes. */
export function agreesWith(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  const n = Math.min(end - start, word.length);
  for (let i = 0; i < n; i++) if (bytes[start + i] !== word.charCodeAt(i)) return false;
  return true;
}

export function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** True where the range begins with `word`, which is written in lower case, whatever the case of the bytes. */
export function startsWithAnyCase(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start < word.length) return false;
  for (let i = 0; i < word.length; i++) if (lowerCase(bytes[start + i]!) !== word.charCodeAt(i)) return false;
  return true;
}

/** True where the range is exactly `word` (lower case), whatever the case of the bytes. */
export function equalsAnyCase(bytes: Uint8Array, start: number, end: number, word: string): boolean {
  return end - start === word.length && startsWithAnyCase(bytes, start, end, word);
}

/** Offset of `word` (lower case) in the range, whatever the case of the bytes, or -1. */
export function findAnyCase(bytes: Uint8Array, start: number, end: number, word: string): number {
  const first = word.charCodeAt(0);
  for (let i = start; i + word.length <= end; i++) {
    if (lowerCase(bytes[i]!) === first && startsWithAnyCase(bytes, i, end, word)) return i;
  }
  return -1;
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

export function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** The range as an unsigned decimal number of at most 15 digits, or -1. */
export function decimal(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start || end - start > 15) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (!isDigit(byte)) return -1;
    value = value * 10 + (byte - 0x30);
  }
  return value;
}

/** First offset that is no blank (space, tab). */
export function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && (bytes[i] === SPACE || bytes[i] === TAB)) i++;
  return i;
}

/** End of the range without trailing blanks and line ends. */
export function trimEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = end;
  while (i > start && (bytes[i - 1] === SPACE || bytes[i - 1] === TAB || bytes[i - 1] === CR || bytes[i - 1] === LF))
    i--;
  return i;
}

/** True where every byte is printable ASCII (blank and tab included). */
export function isPrintable(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if ((byte < SPACE && byte !== TAB) || byte > 0x7e) return false;
  }
  return true;
}

/**
 * End of a head of lines that an empty line closes (offset just after it), or -1 while it is not whole.
 * Lines may end in CR LF or LF.
 */
export function headEnd(bytes: Uint8Array, start: number, end: number): number {
  let lineStart = start;
  for (let i = start; i < end; i++) {
    if (bytes[i] !== LF) continue;
    if (i === lineStart || (i === lineStart + 1 && bytes[lineStart] === CR)) return i + 1;
    lineStart = i + 1;
  }
  return -1;
}

export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Value of the first header line `name: value` in the range (lines as in {@link headEnd}), trimmed, into `out`;
 * an empty range where there is none. `name` is in lower case.
 */
export function headerField(bytes: Uint8Array, start: number, end: number, name: string, out: ByteRange): boolean {
  out.start = 0;
  out.end = 0;
  let line = start;
  while (line < end) {
    const lineFeed = findByte(bytes, LF, line, end);
    const lineEnd = lineFeed < 0 ? end : lineFeed;
    if (startsWithAnyCase(bytes, line, lineEnd, name)) {
      const colon = skipBlanks(bytes, line + name.length, lineEnd);
      if (colon < lineEnd && bytes[colon] === 0x3a) {
        out.start = skipBlanks(bytes, colon + 1, lineEnd);
        out.end = trimEnd(bytes, out.start, lineEnd);
        return true;
      }
    }
    line = lineEnd + 1;
  }
  return false;
}
