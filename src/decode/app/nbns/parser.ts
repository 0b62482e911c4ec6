/**
 * NetBIOS name service (RFC 1002 section 4.2), the DNS header and 32 letters for a name:
 *
 *   message = id(2) flags(2) questions(2) answers(2) authority(2) additional(2)
 *             [ name type(2: 0x20 NB, 0x21 NBSTAT) class(2) ] [ ( name | pointer ) type(2) class(2) ttl(4) length(2) data ]
 *   name    = 0x20 letters(32: "A" + nibble) { scope } 0x00
 *   NB      = { flags(2, top bit: group) address(4) };   NBSTAT = count(1) { name(15) suffix(1) flags(2) } mac(6) ...
 */
import { ipv4At, macAt } from '../addresses.ts';
import { numbered, trimEnd } from '../ascii.ts';
import { nbnsMessage } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

export const HEADER_BYTES = 12;
const NAME_BYTES = 15;

const scratch = new Uint8Array(16);

/** Decodes the 32 letters at `at` (after the length) into `scratch`; false where one is no letter of A to P. */
function decode(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 16; i++) {
    const high = bytes[at + 2 * i]! - 0x41;
    const low = bytes[at + 2 * i + 1]! - 0x41;
    if (high < 0 || high > 15 || low < 0 || low > 15) return false;
    scratch[i] = (high << 4) | low;
  }
  return true;
}

/** After the name at `at`, -1 where it is none. */
function nameEnd(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 34 || bytes[at] !== 0x20) return -1;
  at += 33;
  while (at < end && bytes[at] !== 0 && bytes[at]! < 64) at += 1 + bytes[at]!;
  return at < end && bytes[at] === 0 ? at + 1 : -1;
}

export function looksLikeNbns(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < HEADER_BYTES + 38 || bytes[start + 4] !== 0 || bytes[start + 6] !== 0) return false;
  if (bytes[start + 5]! + bytes[start + 7]! !== 1) return false;
  const after = nameEnd(bytes, start + HEADER_BYTES, end);
  if (after < 0 || end - after < 4 || !decode(bytes, start + HEADER_BYTES + 1)) return false;
  const type = bytes[after + 1]!;
  return (
    bytes[after] === 0 &&
    (type === 0x20 || type === 0x21 || type === 0x0a) &&
    bytes[after + 2] === 0 &&
    bytes[after + 3] === 1
  );
}

function operationName(opcode: number, status: boolean): string {
  switch (opcode) {
    case 0:
      return status ? 'status' : 'query';
    case 5:
      return 'registration';
    case 6:
      return 'release';
    case 7:
      return 'wack';
    case 8:
    case 9:
      return 'refresh';
    default:
      return numbered('operation-', opcode);
  }
}

export function readNbns(payload: Payload, out: ObservationSink): void {
  const { bytes, view, start, end, cut } = payload;
  if (end - start < HEADER_BYTES) {
    out.event('nbns_bad_header');
    return;
  }
  const after = nameEnd(bytes, start + HEADER_BYTES, end);
  if (after < 0 || end - after < 4 || !decode(bytes, start + HEADER_BYTES + 1)) {
    if (!cut) out.event('nbns_bad_name');
    return;
  }
  const flags = view.getUint16(start + 2);
  const status = bytes[after + 1] === 0x21;
  const field = nbnsMessage.at;
  out.begin(nbnsMessage);
  out.string(field.operation, operationName((flags >> 11) & 15, status));
  out.text(field.name, scratch, 0, trimEnd(scratch, 0, NAME_BYTES));
  out.number(field.suffix, scratch[NAME_BYTES]!);
  out.number(field.is_response, flags >> 15);
  out.number(field.rcode, flags & 15);
  // The record: after the question where there is one, else the name was its own.
  let record = after;
  if (bytes[start + 5] === 1) {
    record = after + 4;
    if (end - record >= 2 && bytes[record]! >= 0xc0) record += 2;
    else if (end - record >= 34) record = nameEnd(bytes, record, end);
    else record = -1;
  }
  const length = record >= 0 && end - record >= 10 ? view.getUint16(record + 8) : 0;
  const data = record + 10;
  const good = record < 0 || length <= end - data;
  if (length > 0 && good) {
    if (!status && length >= 6) {
      out.number(field.is_group, bytes[data]! >> 7);
      out.string(field.address, ipv4At(bytes, data + 2));
    } else if (status && length >= 1 + 18 * bytes[data]! + 6 && bytes[data]! > 0) {
      out.text(field.own_name, bytes, data + 1, trimEnd(bytes, data + 1, data + 16));
      out.string(field.mac, macAt(bytes, data + 1 + 18 * bytes[data]!));
    }
  }
  out.end();
  if (!good && !cut) out.event('nbns_bad_record');
}
