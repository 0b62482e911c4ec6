/**
 * LLDP (IEEE 802.1AB), the payload of an Ethernet frame of type 0x88CC:
 *
 *   frame = chassis port ttl { tlv } end
 *   tlv   = type << 9 | length (2) value
 *   type  = 0 end | 1 chassis: subtype(1) id | 2 port: subtype(1) id | 3 ttl(2) | 4 port description | 5 system name |
 *           6 system description | 7 capabilities(2) enabled(2) | 8 management: length(1) family(1) address ... |
 *           127 organisation(3) subtype(1) value
 *   LLDP-MED (00-12-BB): 5 hardware, 6 firmware, 7 software, 8 serial, 9 manufacturer, 10 model
 *   IEEE 802.1 (00-80-C2): 1 port VLAN; IANA (00-00-5E): 1 MUD URL
 */
import { ipv4At, ipv6At, macAt } from '../addresses.ts';
import { trimEnd } from '../ascii.ts';
import { lldpNeighbour } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

const MOST_TLVS = 128;

export function looksLikeLldp(bytes: Uint8Array, start: number, end: number): boolean {
  if (
    end - start < 11 ||
    bytes[start] !== 0x02 ||
    bytes[start + 1]! < 2 ||
    bytes[start + 2]! < 1 ||
    bytes[start + 2]! > 7
  )
    return false;
  const port = start + 2 + bytes[start + 1]!;
  if (end - port < 3 || bytes[port] !== 0x04 || bytes[port + 1]! < 2 || bytes[port + 2]! < 1 || bytes[port + 2]! > 7)
    return false;
  const ttl = port + 2 + bytes[port + 1]!;
  return end - ttl >= 4 && bytes[ttl] === 0x06 && bytes[ttl + 1] === 2;
}

export function readLldp(payload: Payload, out: ObservationSink): void {
  const { bytes, view, start, end } = payload;
  if (!looksLikeLldp(bytes, start, end)) {
    out.event('lldp_bad_header');
    return;
  }
  const field = lldpNeighbour.at;
  out.begin(lldpNeighbour);
  let bad = false;
  let managed = false;
  let count = 0;
  for (let at = start; end - at >= 2 && count < MOST_TLVS; count++) {
    const head = view.getUint16(at);
    const type = head >> 9;
    const from = at + 2;
    const to = from + (head & 0x1ff);
    if (to > end) {
      bad = !payload.cut;
      break;
    }
    if (type === 0) break;
    if (type === 1) identifier(out, field.chassis_id, bytes, from, to, 4, 5);
    else if (type === 2) identifier(out, field.port_id, bytes, from, to, 3, 4);
    else if (type === 3 && to - from >= 2) out.number(field.ttl_s, view.getUint16(from));
    else if (type === 4) out.text(field.port_description, bytes, from, trimEnd(bytes, from, to));
    else if (type === 5) out.text(field.system_name, bytes, from, trimEnd(bytes, from, to));
    else if (type === 6) out.text(field.system_description, bytes, from, trimEnd(bytes, from, to));
    else if (type === 7 && to - from >= 4) out.number(field.capabilities, view.getUint16(from + 2));
    else if (type === 8 && !managed && to - from >= 2) {
      managed = true;
      if (bytes[from] === 5 && bytes[from + 1] === 1 && to - from >= 6)
        out.string(field.management_ip, ipv4At(bytes, from + 2));
      else if (bytes[from] === 17 && bytes[from + 1] === 2 && to - from >= 18)
        out.string(field.management_ip, ipv6At(bytes, from + 2));
      else managed = false;
    } else if (type === 127 && to - from >= 4) organisation(bytes, view, from, to, out);
    at = to;
  }
  out.number(field.tlvs, count);
  out.end();
  if (bad) out.event('lldp_bad_tlv');
}

function organisation(bytes: Uint8Array, view: DataView, from: number, to: number, out: ObservationSink): void {
  const field = lldpNeighbour.at;
  const who = (bytes[from]! << 16) | (bytes[from + 1]! << 8) | bytes[from + 2]!;
  const subtype = bytes[from + 3]!;
  const value = from + 4;
  if (who === 0x00005e && subtype === 1) out.text(field.mud_url, bytes, value, to);
  else if (who === 0x0080c2 && subtype === 1 && to - value >= 2) out.number(field.vlan, view.getUint16(value));
  else if (who === 0x0012bb) {
    const stop = trimEnd(bytes, value, to);
    if (subtype === 5) out.text(field.hardware, bytes, value, stop);
    else if (subtype === 6) out.text(field.firmware, bytes, value, stop);
    else if (subtype === 7) out.text(field.software, bytes, value, stop);
    else if (subtype === 8) out.text(field.serial, bytes, value, stop);
    else if (subtype === 9) out.text(field.manufacturer, bytes, value, stop);
    else if (subtype === 10) out.text(field.model, bytes, value, stop);
  }
}

/** Identifiers of chassis and port differ in the numbers of their subtypes. */
function identifier(
  out: ObservationSink,
  field: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  mac: number,
  network: number,
): void {
  const subtype = bytes[from];
  if (subtype === mac && to - from === 7) out.string(field, macAt(bytes, from + 1));
  else if (subtype === network && to - from === 6 && bytes[from + 1] === 1) out.string(field, ipv4At(bytes, from + 2));
  else if (subtype === network && to - from === 18 && bytes[from + 1] === 2) out.string(field, ipv6At(bytes, from + 2));
  else out.text(field, bytes, from + 1, trimEnd(bytes, from + 1, to));
}
