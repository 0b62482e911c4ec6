/**
 * Stable 52-bit hashes for keys of sets and maps: the same content gives the same number in every run and
 * on every machine. Not for secrets and not against an adversary who chooses keys: sets that use them are
 * bounded.
 */
export function hashText(text: string, seed = 0): number {
  let a = 0x811c9dc5 ^ seed;
  let b = 0x1b873593 ^ Math.imul(seed, 0x9e3779b1);
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0x01000193);
    b = Math.imul(b ^ c, 0x85ebca6b);
    b ^= b >>> 13;
  }
  return finish(a, b);
}

/** The same for up to six numbers below 2^53. */
export function hashNumbers(a: number, b = 0, c = 0, d = 0, e = 0, f = 0): number {
  let x = 0x2c1b3c6d;
  let y = 0x297a2d39;
  x = mix(x, a);
  y = mix(y, x ^ a);
  x = mix(x, b);
  y = mix(y, x ^ b);
  x = mix(x, c);
  y = mix(y, x ^ c);
  x = mix(x, d);
  y = mix(y, x ^ d);
  x = mix(x, e);
  y = mix(y, x ^ e);
  x = mix(x, f);
  y = mix(y, x ^ f);
  return finish(x, y);
}

function mix(h: number, value: number): number {
  const low = value | 0;
  const high = Math.floor(value / 4_294_967_296) | 0;
  h = Math.imul(h ^ low, 0x9e3779b1);
  h ^= h >>> 15;
  h = Math.imul(h ^ high, 0x85ebca6b);
  return h ^ (h >>> 13);
}

function finish(a: number, b: number): number {
  a = Math.imul(a ^ (a >>> 16), 0x7feb352d);
  b = Math.imul(b ^ (b >>> 15), 0x846ca68b);
  a ^= b >>> 14;
  b ^= a >>> 16;
  return (a >>> 0) * 1_048_576 + ((b >>> 0) & 0xfffff);
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Nine letters for a 52-bit hash. */
export function base62(hash: number): string {
  let text = '';
  for (let i = 0; i < 9; i++) {
    text = ALPHABET[hash % 62]! + text;
    hash = Math.floor(hash / 62);
  }
  return text;
}
