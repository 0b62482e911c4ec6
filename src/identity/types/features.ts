import type { Evidence } from '../device.ts';
import type { RoleUse } from '../roles.ts';

/** What of a device its type is learned from. */
export interface Learnable {
  readonly mac: string;
  readonly firstUs: number;
  readonly evidence: ReadonlyMap<string, Evidence>;
  readonly roles: { readonly uses: ReadonlyMap<string, RoleUse> };
}

/** What a device does in this time after it was first heard tells its type; later it meets what others do not. */
const FIRST_US = 600_000_000;

/** Most features of a device. */
const MAX_FEATURES = 192;
const MAX_TEXT = 96;

/** Numbers of one piece, not of a type; and what others say of it, which differs from site to site. */
const OWN_NUMBERS: ReadonlySet<string> = new Set([
  'intellivue.serial',
  'lldp.serial',
  'poct1a.serial',
  'dns.name',
  'tls.server_name',
  'network.role',
  'syslog.host',
  'hl7.sending_facility',
]);
/** Lists of which the order does not count. */
const LISTS: ReadonlySet<string> = new Set([
  'mdns.services',
  'lldp.capabilities',
  'cdp.capabilities',
  'wsdiscovery.types',
]);

/**
 * The features of a device: what it said and did in its first ten minutes, as texts `source=value` in the order of the alphabet. Neither its
 * MAC address nor the maker of its interface is among them, nor whatever stands for one piece alone (addresses,
 * UUIDs, long numbers), which is blanked: a type has to be known again in another site.
 */
export function featuresOf(device: Learnable): string[] {
  const features = new Set<string>();
  const own = macPattern(device.mac);
  const untilUs = device.firstUs + FIRST_US;
  for (const { source, value, firstUs } of device.evidence.values()) {
    if (OWN_NUMBERS.has(source) || firstUs > untilUs) continue;
    for (const part of LISTS.has(source) ? value.split(' ') : [value]) {
      const text = blank(part, own);
      if (text !== '' && text !== '#') features.add(`${source}=${text}`);
    }
  }
  for (const { role, firstUs } of device.roles.uses.values())
    if (firstUs <= untilUs && (role.startsWith('serves ') || role.startsWith('uses '))) features.add(role);
  return [...features].sort().slice(0, MAX_FEATURES);
}

/** The device's own address in any spelling, or the last two bytes of it and more, as makers put it into names. */
function macPattern(mac: string): RegExp | undefined {
  const bytes = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) ? mac.split(':') : undefined;
  if (bytes === undefined) return undefined;
  const [a, b, c, d, e, f] = bytes;
  return new RegExp(`(?:(?:(?:(?:${a}[:-]?)?${b}[:-]?)?${c}[:-]?)?${d}[:-]?)?${e}[:-]?${f}`, 'g');
}

function blank(text: string, own: RegExp | undefined): string {
  let out = text.slice(0, MAX_TEXT).toLowerCase();
  out = out.replace(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, '#');
  if (own !== undefined) out = out.replace(own, '#');
  return out
    .replace(/\d{1,3}(?:\.\d{1,3}){3}/g, '#')
    .replace(/[0-9a-f]*\d[0-9a-f]*/g, (run) => (run.length >= 6 ? '#' : run))
    .trim();
}
