/** Sets of address ranges, asked with addresses in words (IPv4 in the last of four). */
export interface CidrSet {
  has(words: Uint32Array, at: number, v6: boolean): boolean;
}

/** Parses `10.0.0.0/8` or `fc00::/7`; undefined where the text is no range. */
export function parseCidr(text: string): { words: Uint32Array; bits: number; v6: boolean } | undefined {
  const [address = '', prefix, ...rest] = text.trim().split('/');
  if (rest.length > 0) return undefined;
  const v6 = address.includes(':');
  const words = v6 ? parseIpv6(address) : parseIpv4(address);
  if (words === undefined) return undefined;
  const most = v6 ? 128 : 32;
  if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) return undefined;
  const bits = prefix === undefined ? most : Number(prefix);
  return bits > most ? undefined : { words, bits, v6 };
}

export function parseIpv4(text: string): Uint32Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((p) => /^\d{1,3}$/.test(p) && Number(p) < 256)) return undefined;
  const words = new Uint32Array(4);
  words[3] = parts.reduce((sum, p) => sum * 256 + Number(p), 0);
  return words;
}

export function parseIpv6(text: string): Uint32Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = (half: string): string[] => (half === '' ? [] : half.split(':'));
  const head = groups(halves[0] ?? '');
  const tail = halves.length === 2 ? groups(halves[1] ?? '') : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...Array.from({ length: halves.length === 2 ? missing : 0 }, () => '0'), ...tail];
  if (!all.every((g) => /^[0-9a-fA-F]{1,4}$/.test(g))) return undefined;
  const words = new Uint32Array(4);
  all.forEach((g, i) => (words[i >> 1] = ((words[i >> 1]! << 16) | Number.parseInt(g, 16)) >>> 0));
  return words;
}

/** Throws a RangeError that names the first text that is no range. */
export function createCidrSet(ranges: readonly string[]): CidrSet {
  const parsed = ranges.map((text) => {
    const range = parseCidr(text);
    if (range === undefined) throw new RangeError(`'${text}' is no address range such as 10.0.0.0/8`);
    return range;
  });
  return {
    has(words, at, v6) {
      for (const range of parsed) {
        if (range.v6 !== v6) continue;
        let bits = range.bits;
        let same = true;
        for (let w = v6 ? 0 : 3; w < 4 && bits > 0 && same; w++) {
          const mask = bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
          if ((words[at + w]! & mask) >>> 0 !== (range.words[w]! & mask) >>> 0) same = false;
          bits -= 32;
        }
        if (same) return true;
      }
      return false;
    },
  };
}
