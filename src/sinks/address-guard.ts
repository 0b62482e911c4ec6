import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { parseCidr, parseIpv4, parseIpv6 } from '../lib/cidr.ts';

/** What an address is, where it is not an ordinary one of the Internet. */
type Kind = 'public' | 'private' | 'loopback' | 'link-local' | 'metadata service' | 'multicast' | 'reserved';

interface Range {
  words: Uint32Array;
  bits: number;
  v6: boolean;
}

const range = (text: string): Range => parseCidr(text)!;

/** The special ranges of RFC 6890 and its registries, and where clouds serve secrets to their machines. First fit. */
const SPECIAL: readonly (readonly [Range, Kind])[] = (
  [
    ['169.254.169.254/32', 'metadata service'],
    ['169.254.170.2/32', 'metadata service'],
    ['100.100.100.200/32', 'metadata service'],
    ['168.63.129.16/32', 'metadata service'],
    ['fd00:ec2::254/128', 'metadata service'],
    ['127.0.0.0/8', 'loopback'],
    ['::1/128', 'loopback'],
    ['169.254.0.0/16', 'link-local'],
    ['fe80::/10', 'link-local'],
    ['224.0.0.0/4', 'multicast'],
    ['255.255.255.255/32', 'multicast'],
    ['ff00::/8', 'multicast'],
    ['10.0.0.0/8', 'private'],
    ['172.16.0.0/12', 'private'],
    ['192.168.0.0/16', 'private'],
    ['100.64.0.0/10', 'private'],
    ['fc00::/7', 'private'],
    ['0.0.0.0/8', 'reserved'],
    ['192.0.0.0/24', 'reserved'],
    ['192.0.2.0/24', 'reserved'],
    ['198.18.0.0/15', 'reserved'],
    ['198.51.100.0/24', 'reserved'],
    ['203.0.113.0/24', 'reserved'],
    ['240.0.0.0/4', 'reserved'],
    ['2001:db8::/32', 'reserved'],
    ['2001::/32', 'reserved'],
    ['2002::/16', 'reserved'],
    ['2000::/3', 'public'],
    ['::/0', 'reserved'],
    ['0.0.0.0/0', 'public'],
  ] as const
).map(([text, kind]) => [range(text), kind] as const);

/** Blocks into which a catch-all such as 0.0.0.0/0 does not reach: they must be listed by themselves. */
const GUARDED: ReadonlySet<Kind> = new Set<Kind>([
  'loopback',
  'link-local',
  'metadata service',
  'multicast',
  'reserved',
]);

function contains(outer: Range, inner: Range): boolean {
  if (outer.v6 !== inner.v6 || outer.bits > inner.bits) return false;
  let bits = outer.bits;
  for (let w = outer.v6 ? 0 : 3; w < 4 && bits > 0; w++, bits -= 32) {
    const mask = bits >= 32 ? 0xffffffff : (0xffffffff << (32 - bits)) >>> 0;
    if (((outer.words[w]! & mask) ^ (inner.words[w]! & mask)) !== 0) return false;
  }
  return true;
}

/** The address as one range of a single member; IPv4 inside of IPv6 (mapped, NAT64) counts as what it leads to. */
function addressOf(text: string): Range | undefined {
  const plain = text.replace(/%.*$/, '');
  if (isIP(plain) === 4) return { words: parseIpv4(plain)!, bits: 32, v6: false };
  if (isIP(plain) !== 6) return undefined;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain);
  const hex = (high: string, low: string): string => (Number(high) * 256 + Number(low)).toString(16);
  const groups = dotted === null ? plain : `${dotted[1]!}${hex(dotted[2]!, dotted[3]!)}:${hex(dotted[4]!, dotted[5]!)}`;
  const words = parseIpv6(groups);
  if (words === undefined) return undefined;
  const isMapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  const isNat64 = words[0] === 0x0064ff9b && words[1] === 0 && words[2] === 0;
  if (isMapped || isNat64) return { words: Uint32Array.of(0, 0, 0, words[3]!), bits: 32, v6: false };
  return { words, bits: 128, v6: true };
}

export type Resolve = (host: string) => Promise<readonly string[]>;

/** An address that was checked: connect to it and to no other, for another look-up may give another answer. */
export type Checked = { readonly ok: true; readonly address: string } | { readonly ok: false; readonly detail: string };

export interface AddressGuard {
  /**
   * Looks the host up and picks an address that is allowed, the one of the last time where it still is among
   * them. Asked before every attempt. Never throws.
   */
  check(host: string): Promise<Checked>;
  /** Why an address may not be used; undefined where it may. */
  refusal(address: string): string | undefined;
}

const resolveByName: Resolve = async (host) =>
  (await lookup(host, { all: true, order: 'verbatim' })).map(({ address }) => address);

/**
 * Where alerts may be sent. Without a list that is the public Internet alone; with one it is the list alone.
 * Loopback, link-local, metadata, multicast and reserved addresses are allowed only by a range that lies inside
 * of theirs, so that `0.0.0.0/0` does not mean them.
 * @param allowed ranges such as `10.20.0.0/16`; throws a RangeError where one is none
 */
export function createAddressGuard(allowed: readonly string[], resolve: Resolve = resolveByName): AddressGuard {
  const list = allowed.map((text) => {
    const parsed = parseCidr(text);
    if (parsed === undefined) throw new RangeError(`'${text}' is no address range such as 10.0.0.0/8`);
    return parsed;
  });
  let last = '';

  const judge = (text: string): string | undefined => {
    const address = addressOf(text);
    if (address === undefined) return 'no address';
    const [block, kind] = SPECIAL.find(([special]) => contains(special, address))!;
    const isListed = list.some((entry) => contains(entry, address) && (!GUARDED.has(kind) || entry.bits >= block.bits));
    if (isListed || (list.length === 0 && kind === 'public')) return undefined;
    return kind === 'public' ? 'an address that is not listed' : `a ${kind} address that is not listed`;
  };

  return {
    refusal: judge,
    async check(host) {
      let addresses: readonly string[];
      const bare = host.replace(/^\[(.*)\]$/, '$1');
      if (isIP(bare) !== 0) addresses = [bare];
      else {
        try {
          addresses = await resolve(bare);
        } catch {
          return { ok: false, detail: 'the name cannot be resolved' };
        }
      }
      const refusals = new Map(addresses.map((address) => [address, judge(address)]));
      const fine = addresses.filter((address) => refusals.get(address) === undefined);
      const address = fine.includes(last) ? last : fine[0];
      if (address === undefined) {
        const [reason = 'no address'] = refusals.values();
        return { ok: false, detail: `the name leads to ${reason} (delivery.allow)` };
      }
      last = address;
      return { ok: true, address };
    },
  };
}
