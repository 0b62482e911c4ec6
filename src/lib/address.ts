/** Text forms of addresses. */

const HEX = '0123456789abcdef';

/** `aa:bb:cc:dd:ee:ff` from the upper and lower 24 bits. */
export function macText(oui: number, nic: number): string {
  let text = '';
  for (let i = 0; i < 6; i++) {
    const byte = i < 3 ? (oui >>> (16 - 8 * i)) & 255 : (nic >>> (16 - 8 * (i - 3))) & 255;
    text += (i === 0 ? '' : ':') + HEX[byte >>> 4]! + HEX[byte & 15]!;
  }
  return text;
}

export function ipv4Text(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

/** RFC 5952: lower case, the longest run of zero groups (first of equals, at least two) as `::`. */
export function ipv6Text(words: Uint32Array, at: number): string {
  const groups: number[] = [];
  for (let w = 0; w < 4; w++) groups.push(words[at + w]! >>> 16, words[at + w]! & 0xffff);
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && groups[j] === 0) j++;
    if (j - i > bestLength) {
      best = i;
      bestLength = j - i;
    }
    if (j > i) i = j;
  }
  if (best < 0) return groups.map((g) => g.toString(16)).join(':');
  const head = groups.slice(0, best).map((g) => g.toString(16));
  const tail = groups.slice(best + bestLength).map((g) => g.toString(16));
  return `${head.join(':')}::${tail.join(':')}`;
}

/** Words as in the packet columns: IPv4 in the last of four. */
export function ipText(words: Uint32Array, at: number, v6: boolean): string {
  return v6 ? ipv6Text(words, at) : ipv4Text(words[at + 3]!);
}

/** RFC 1918, RFC 6598, link-local, unique local: addresses that are no public Internet. */
export function isPrivate(words: Uint32Array, at: number, v6: boolean): boolean {
  if (v6) {
    const first = words[at]!;
    return (
      first >>> 25 === 0x7e || // fc00::/7
      first >>> 22 === 0x3fa || // fe80::/10
      (first === 0 && words[at + 1] === 0 && words[at + 2] === 0 && words[at + 3]! <= 1)
    );
  }
  const a = words[at + 3]!;
  const top = a >>> 24;
  return (
    top === 10 ||
    a >>> 20 === 0xac1 ||
    a >>> 16 === 0xc0a8 ||
    a >>> 16 === 0xa9fe ||
    a >>> 22 === 0x191 || // 100.64.0.0/10
    top === 127 ||
    top === 0
  );
}

export function isMulticastIp(words: Uint32Array, at: number, v6: boolean): boolean {
  return v6 ? words[at]! >>> 24 === 0xff : words[at + 3]! >>> 28 === 14 || words[at + 3] === 0xffffffff;
}
