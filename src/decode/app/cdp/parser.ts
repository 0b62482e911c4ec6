/**
 * Cisco Discovery Protocol, after the SNAP header 00-00-0C 0x2000:
 *
 *   packet = version(1) ttl(1) checksum(2) { type(2) length(2, with these four) value }
 *   type   = 1 device id | 2 addresses: count(4) { kind(1) length(1) protocol length(2) address } | 3 port |
 *            4 capabilities(4) | 5 software | 6 platform | 10 native VLAN(2) | 22 management addresses
 */
import { ipv4At } from '../addresses.ts';
import { trimEnd } from '../ascii.ts';
import { cdpNeighbour } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

const MOST_TLVS = 64;

export function looksLikeCdp(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < 8 || (bytes[start] !== 1 && bytes[start] !== 2)) return false;
  const length = (bytes[start + 6]! << 8) | bytes[start + 7]!;
  return (
    bytes[start + 4] === 0 &&
    bytes[start + 5]! >= 1 &&
    bytes[start + 5]! <= 0x20 &&
    length >= 4 &&
    length <= end - start - 4
  );
}

export function readCdp(payload: Payload, out: ObservationSink): void {
  const { bytes, view, start, end } = payload;
  if (!looksLikeCdp(bytes, start, end)) {
    out.event('cdp_bad_header');
    return;
  }
  const field = cdpNeighbour.at;
  out.begin(cdpNeighbour);
  out.number(field.version, bytes[start]!);
  out.number(field.ttl_s, bytes[start + 1]!);
  let bad = false;
  let at = start + 4;
  for (let i = 0; i < MOST_TLVS && end - at >= 4; i++) {
    const type = view.getUint16(at);
    const from = at + 4;
    const to = at + view.getUint16(at + 2);
    if (to < from || to > end) {
      bad = !payload.cut;
      break;
    }
    if (type === 1) out.text(field.device_id, bytes, from, trimEnd(bytes, from, to));
    else if (type === 2 && to - from >= 9) {
      const address = from + 6 + bytes[from + 5]!;
      if (to - address >= 6 && view.getUint16(address) === 4) out.string(field.address, ipv4At(bytes, address + 2));
    } else if (type === 3) out.text(field.port_id, bytes, from, trimEnd(bytes, from, to));
    else if (type === 4 && to - from === 4) out.number(field.capabilities, view.getUint32(from));
    else if (type === 5) out.text(field.software, bytes, from, trimEnd(bytes, from, to));
    else if (type === 6) out.text(field.platform, bytes, from, trimEnd(bytes, from, to));
    else if (type === 10 && to - from === 2) out.number(field.native_vlan, view.getUint16(from));
    at = to;
  }
  out.end();
  if (bad) out.event('cdp_bad_tlv');
}
