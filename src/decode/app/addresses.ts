/** Network addresses in payloads as text. The caller has checked that the bytes are there. */

/** Four bytes as dotted decimal. */
export function ipv4At(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** Sixteen bytes in the form of RFC 5952. */
export function ipv6At(bytes: Uint8Array, at: number): string {
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8;) {
    let n = 0;
    while (i + n < 8 && bytes[at + 2 * (i + n)] === 0 && bytes[at + 2 * (i + n) + 1] === 0) n++;
    if (n > bestLength) {
      bestStart = i;
      bestLength = n;
    }
    i += n + 1;
  }
  let out = '';
  for (let i = 0; i < 8; i++) {
    if (i === bestStart) {
      out += '::';
      i += bestLength - 1;
      continue;
    }
    if (out !== '' && !out.endsWith(':')) out += ':';
    out += ((bytes[at + 2 * i]! << 8) | bytes[at + 2 * i + 1]!).toString(16);
  }
  return out;
}

/** `length` bytes as lower-case hex with colons. */
export function macAt(bytes: Uint8Array, at: number, length = 6): string {
  let out = '';
  for (let i = 0; i < length; i++) {
    if (i > 0) out += ':';
    out += (bytes[at + i]! >> 4).toString(16) + (bytes[at + i]! & 15).toString(16);
  }
  return out;
}
