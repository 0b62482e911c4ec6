/**
 * DHCPv6 (RFC 8415), big endian:
 *
 *   message = type(1: 1 to 11) xid(3) { option }
 *   relayed = type(1: 12, 13) hops(1) link(16) peer(16) { option }       option 9 holds the message
 *   option  = code(2) length(2) value
 *   DUID    = type(2: 1 hardware(2) time(4) mac | 2 enterprise(4) id | 3 hardware(2) mac | 4 uuid)
 *   3 IA_NA = id(4) t1(4) t2(4) { option };  5 address = address(16) preferred(4) valid(4) { option }
 */
import { ipv6At, macAt } from '../addresses.ts';
import { dhcpv6Message } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

const MOST_RELAYS = 8;
const MOST_OPTIONS = 64;
const TYPES = [
  '',
  'SOLICIT',
  'ADVERTISE',
  'REQUEST',
  'CONFIRM',
  'RENEW',
  'REBIND',
  'REPLY',
  'RELEASE',
  'DECLINE',
  'RECONFIGURE',
  'INFORMATION-REQUEST',
];

/** Options from `at` fill the range to its end, and one of them says who speaks. */
export function looksLikeDhcpv6(bytes: Uint8Array, start: number, end: number, cut: boolean): boolean {
  if (end - start < 8) return false;
  const type = bytes[start]!;
  if (type < 1 || type > 13) return false;
  let at = start + (type >= 12 ? 34 : 4);
  let known = false;
  let count = 0;
  for (; end - at >= 4 && count < MOST_OPTIONS; count++) {
    const code = (bytes[at]! << 8) | bytes[at + 1]!;
    if (code === 0 || code > 150) return false;
    if (code === 1 || code === 2 || code === 9) known = true;
    at += 4 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
  }
  return count > 0 && known && (at === end || (cut && at > end));
}

export function readDhcpv6(payload: Payload, out: ObservationSink): void {
  const { bytes, view } = payload;
  let { start, end } = payload;
  let relays = 0;
  while (end - start >= 34 && (bytes[start] === 12 || bytes[start] === 13) && relays < MOST_RELAYS) {
    relays++;
    let inner = -1;
    for (let at = start + 34; end - at >= 4 && inner < 0;) {
      const stop = at + 4 + view.getUint16(at + 2);
      if (stop > end) break;
      if (view.getUint16(at) === 9) {
        inner = at + 4;
        end = stop;
      }
      at = stop;
    }
    if (inner < 0) break;
    start = inner;
  }
  const type = TYPES[end > start ? bytes[start]! : 0];
  if (end - start < 4 || type === undefined || type === '') {
    if (!payload.cut) out.event('dhcpv6_bad_header');
    return;
  }
  const field = dhcpv6Message.at;
  out.begin(dhcpv6Message);
  out.string(field.message_type, type);
  out.number(field.xid, view.getUint32(start) & 0xffffff);
  out.number(field.relays, relays);
  let order = '';
  let bad = false;
  let at = start + 4;
  for (let i = 0; i < MOST_OPTIONS && at < end; i++) {
    const from = at + 4;
    const to = end - at >= 4 ? from + view.getUint16(at + 2) : end + 1;
    if (to > end) {
      bad = !payload.cut;
      break;
    }
    const code = view.getUint16(at);
    if (order.length < 120) order += (order === '' ? '' : ',') + code;
    option(payload, code, from, to, out);
    at = to;
  }
  out.string(field.option_order, order);
  out.end();
  if (bad) out.event('dhcpv6_bad_option');
}

function option({ bytes, view }: Payload, code: number, from: number, to: number, out: ObservationSink): void {
  const field = dhcpv6Message.at;
  switch (code) {
    case 1:
    case 2: {
      out.token(code === 1 ? field.client : field.server, bytes, from, to);
      const kind = to - from >= 4 ? view.getUint16(from) : 0;
      const mac = kind === 1 ? from + 8 : from + 4;
      if ((kind === 1 || kind === 3) && to - mac === 6)
        out.string(code === 1 ? field.client_mac : field.server_mac, macAt(bytes, mac));
      break;
    }
    case 3:
    case 4: {
      const inner = from + (code === 3 ? 12 : 4);
      if (to - inner >= 28 && view.getUint16(inner) === 5 && view.getUint16(inner + 2) >= 24) {
        out.string(field.address, ipv6At(bytes, inner + 4));
        out.number(field.lifetime_s, view.getUint32(inner + 24));
      }
      break;
    }
    case 6: {
      let codes = '';
      for (let at = from; to - at >= 2 && codes.length < 120; at += 2)
        codes += (codes === '' ? '' : ',') + view.getUint16(at);
      out.string(field.requested_options, codes);
      break;
    }
    case 16:
      if (to - from >= 6) {
        out.number(field.vendor_enterprise, view.getUint32(from));
        out.text(field.vendor_class, bytes, from + 6, Math.min(to, from + 6 + view.getUint16(from + 4)));
      }
      break;
    case 23:
      if (to - from >= 16) out.string(field.name_server, ipv6At(bytes, from));
      break;
    case 39: {
      let name = '';
      for (
        let at = from + 1;
        at < to && bytes[at]! > 0 && bytes[at]! < 64 && at + 1 + bytes[at]! <= to;
        at += 1 + bytes[at]!
      ) {
        if (name !== '') name += '.';
        for (let k = 1; k <= bytes[at]!; k++) {
          const byte = bytes[at + k]!;
          name += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?';
        }
      }
      out.string(field.fqdn, name);
      break;
    }
    case 112:
      out.text(field.mud_url, bytes, from, to);
      break;
    default:
  }
}
