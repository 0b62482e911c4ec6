/**
 * DHCPv4 (RFC 2131, options RFC 2132):
 *
 *   message = op(1) htype(1) hlen(1) hops(1) xid(4) secs(2) flags(2) ciaddr(4) yiaddr(4) siaddr(4) giaddr(4)
 *             chaddr(16) sname(64) file(128) cookie(63 82 53 63) { option } 0xFF
 *   option  = 0x00 | code(1) length(1) value
 *
 * Option 52 says that file (1), sname (2) or both (3) hold options as well. The first of several options
 * with one code counts.
 */
import { ipv4At, macAt } from '../addresses.ts';
import { numbered, trimEnd } from '../ascii.ts';
import { dhcpMessage } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

export const OPTIONS_AT = 240;
const SNAME_AT = 44;
const FILE_AT = 108;
const COOKIE_AT = 236;
const TYPES = [
  '',
  'DISCOVER',
  'OFFER',
  'REQUEST',
  'DECLINE',
  'ACK',
  'NAK',
  'RELEASE',
  'INFORM',
  'FORCERENEW',
  'LEASEQUERY',
  'LEASEUNASSIGNED',
  'LEASEUNKNOWN',
  'LEASEACTIVE',
];

/** The fixed part and the cookie are right. */
export function looksLikeDhcp(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start >= OPTIONS_AT &&
    (bytes[start] === 1 || bytes[start] === 2) &&
    bytes[start + 2]! <= 16 &&
    bytes[start + 3]! <= 16 &&
    bytes[start + COOKIE_AT] === 0x63 &&
    bytes[start + COOKIE_AT + 1] === 0x82 &&
    bytes[start + COOKIE_AT + 2] === 0x53 &&
    bytes[start + COOKIE_AT + 3] === 0x63
  );
}

interface Options {
  /** Offset and length of each option's value by code, offset -1 where it is absent. */
  readonly at: Int32Array;
  readonly length: Uint8Array;
  /** Codes in order. */
  readonly order: Uint8Array;
  count: number;
}

// Scratch for the message at hand: nothing of it outlives a call, and a flow needs no state of its own.
const options: Options = { at: new Int32Array(256), length: new Uint8Array(256), order: new Uint8Array(64), count: 0 };

function walk(bytes: Uint8Array, at: number, end: number, cut: boolean, out: ObservationSink): void {
  while (at < end) {
    const code = bytes[at]!;
    if (code === 0xff) return;
    if (code === 0) {
      at++;
      continue;
    }
    if (end - at < 2 || bytes[at + 1]! > end - at - 2) {
      if (!cut) out.event('dhcp_bad_option');
      return;
    }
    if (options.at[code]! < 0) {
      options.at[code] = at + 2;
      options.length[code] = bytes[at + 1]!;
    }
    if (options.count < options.order.length) options.order[options.count++] = code;
    at += 2 + bytes[at + 1]!;
  }
  if (!cut) out.event('dhcp_no_end');
}

export function readDhcp(payload: Payload, out: ObservationSink): void {
  const { bytes, view, start, end } = payload;
  options.at.fill(-1);
  options.count = 0;
  walk(bytes, start + OPTIONS_AT, end, payload.cut, out);
  const overload = options.at[52]! >= 0 && options.length[52] === 1 ? bytes[options.at[52]!]! : 0;
  if (overload > 3) out.event('dhcp_bad_overload');
  else {
    if ((overload & 1) !== 0) walk(bytes, start + FILE_AT, start + COOKIE_AT, false, out);
    if ((overload & 2) !== 0) walk(bytes, start + SNAME_AT, start + FILE_AT, false, out);
  }
  const field = dhcpMessage.at;
  out.begin(dhcpMessage);
  const type = options.at[53]! >= 0 && options.length[53] === 1 ? bytes[options.at[53]!]! : 0;
  out.string(
    field.message_type,
    type > 0 ? (TYPES[type] ?? numbered('TYPE', type)) : bytes[start] === 1 ? 'BOOTREQUEST' : 'BOOTREPLY',
  );
  out.number(field.xid, view.getUint32(start + 4));
  out.number(field.secs, view.getUint16(start + 8));
  const hardware = bytes[start + 2]!;
  if (hardware > 0) out.string(field.mac, macAt(bytes, start + 28, hardware));
  address(out, field.client_ip, bytes, start + 12);
  address(out, field.your_ip, bytes, start + 16);
  address(out, field.next_server_ip, bytes, start + 20);
  address(out, field.relay_ip, bytes, start + 24);
  optionAddress(out, field.requested_ip, bytes, 50);
  optionAddress(out, field.server_id, bytes, 54);
  optionAddress(out, field.router, bytes, 3);
  optionAddress(out, field.name_server, bytes, 6);
  optionText(out, field.hostname, bytes, 12);
  optionText(out, field.vendor_class, bytes, 60);
  optionText(out, field.user_class, bytes, 77);
  optionText(out, field.domain, bytes, 15);
  optionText(out, field.mud_url, bytes, 161);
  if (options.at[67]! >= 0) optionText(out, field.boot_file, bytes, 67);
  else if ((overload & 1) === 0) {
    let stop = start + FILE_AT;
    while (stop < start + COOKIE_AT && bytes[stop] !== 0) stop++;
    out.text(field.boot_file, bytes, start + FILE_AT, stop);
  }
  if (options.at[51]! >= 0 && options.length[51] === 4) out.number(field.lease_s, view.getUint32(options.at[51]!));
  if (options.at[55]! >= 0) out.string(field.parameters, codes(bytes, options.at[55]!, options.length[55]!));
  out.string(field.option_order, codes(options.order, 0, options.count));
  const id = options.at[61]!;
  if (id >= 0) {
    const length = options.length[61]!;
    out.token(field.client_id, bytes, id, id + length);
    let same = length === hardware + 1 && bytes[id] === bytes[start + 1];
    for (let i = 0; same && i < hardware; i++) same = bytes[id + 1 + i] === bytes[start + 28 + i];
    out.number(field.client_id_is_mac, same ? 1 : 0);
  }
  const name = options.at[81]!;
  if (name >= 0 && options.length[81]! > 3) fqdn(out, field.fqdn, bytes, name, name + options.length[81]!);
  out.end();
}

function address(out: ObservationSink, field: number, bytes: Uint8Array, at: number): void {
  if (bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === 0 && bytes[at + 3] === 0) return;
  out.string(field, ipv4At(bytes, at));
}

function optionAddress(out: ObservationSink, field: number, bytes: Uint8Array, code: number): void {
  const at = options.at[code]!;
  if (at >= 0 && options.length[code]! >= 4) out.string(field, ipv4At(bytes, at));
}

function optionText(out: ObservationSink, field: number, bytes: Uint8Array, code: number): void {
  const at = options.at[code]!;
  if (at < 0) return;
  // Some clients count a closing NUL.
  out.text(field, bytes, at, trimEnd(bytes, at, at + options.length[code]!));
}

/** Numbers with commas; as many as a text field holds. */
function codes(bytes: Uint8Array, at: number, count: number): string {
  let out = '';
  for (let i = 0; i < count; i++) {
    const next = numbered(i === 0 ? '' : ',', bytes[at + i]!);
    if (out.length + next.length > 128) break;
    out += next;
  }
  return out;
}

/** RFC 4702: flags, two result codes, then the name; flag 0x04 = in DNS form. */
function fqdn(out: ObservationSink, field: number, bytes: Uint8Array, at: number, end: number): void {
  if ((bytes[at]! & 4) === 0) {
    out.text(field, bytes, at + 3, trimEnd(bytes, at + 3, end));
    return;
  }
  let name = '';
  for (let i = at + 3; i < end && bytes[i]! > 0;) {
    const stop = i + 1 + bytes[i]!;
    if (bytes[i]! > 63 || stop > end) break;
    if (name !== '') name += '.';
    for (let k = i + 1; k < stop; k++) {
      name += bytes[k]! > 0x20 && bytes[k]! < 0x7f ? String.fromCharCode(bytes[k]!) : '?';
    }
    i = stop;
  }
  out.string(field, name);
}
