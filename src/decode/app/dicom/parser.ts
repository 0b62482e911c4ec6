/**
 * DICOM upper layer (PS3.8 section 9.3) and DIMSE commands (PS3.7 section 6.3, annex E):
 *
 *   PDU          = type(1) 0 length(4 BE) body(length)
 *   type         = 1 A-ASSOCIATE-RQ | 2 -AC | 3 -RJ | 4 P-DATA-TF | 5 A-RELEASE-RQ | 6 -RP | 7 A-ABORT
 *   RQ, AC body  = version(2) 0 0 called(16) calling(16) reserved(32) { item }
 *   item         = type(1) 0 length(2 BE) body
 *     0x10 application context; 0x20 / 0x21 presentation context = id 0 result 0 { 0x30 abstract | 0x40 transfer };
 *     0x50 user information = { 0x51 most PDU bytes(4) | 0x52 implementation UID | 0x55 version | 0x58 user identity ... }
 *   P-DATA body  = { length(4 BE) context(1) control(1) fragment }   control bit 0: command, bit 1: last fragment
 *   command set  = { group(2 LE) element(2 LE) length(4 LE) value }  always implicit VR little endian
 *
 * Data fragments hold the patient and the image: they are skipped unread.
 */
import { numbered, trimEnd, trimStart } from '../ascii.ts';
import { dicomAbort, dicomAccept, dicomAssociation, dicomCommand, dicomReject, dicomRelease } from './events.ts';
import { uidName, UID_BYTES } from './uids.ts';
import type { Payload } from '../../dissector.ts';
import { EXCLUDE } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

/** Association PDUs up to this size are read (128 contexts of many syntaxes fit); a longer one is skipped. */
export const ASSOCIATION_BYTES = 60_000;
const COMMAND_BYTES = 8192;
const FRAGMENT_BYTES = 4096;
const MOST_PDU = 0x1000_0000;
/** Enough of a header to know a PDU by its content alone. */
const SIGN_BYTES = 12;

export interface Half {
  /** Bytes of the open P-DATA PDU that were not read yet. */
  left: number;
  /** Command set in several fragments. */
  part: Uint8Array | undefined;
  partLength: number;
  /** PDUs read. */
  pdus: number;
  /** Where a PDU begins is not known. */
  lost: boolean;
}

export interface DicomState {
  readonly orig: Half;
  readonly resp: Half;
}

export function createHalf(): Half {
  return { left: 0, part: undefined, partLength: 0, pdus: 0, lost: false };
}

function u32(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x1000000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function u16le(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** 1 a PDU begins here, 0 cannot tell from so few bytes, -1 none does. */
export function looksLikePdu(bytes: Uint8Array, at: number, end: number): number {
  const n = end - at;
  if (n < 1) return 0;
  const type = bytes[at]!;
  if (type < 1 || type > 7) return -1;
  if (n > 1 && bytes[at + 1] !== 0) return -1;
  if (n < 6) return 0;
  const length = u32(bytes, at + 2);
  if (type <= 2) {
    if (length < 68 || length > 0x20000) return -1;
    if (n >= 10 && ((u16(bytes, at + 6) & 1) !== 1 || u16(bytes, at + 8) !== 0)) return -1;
    // AE titles are printable, and the first item is the application context.
    for (let i = at + 10; i < Math.min(end, at + 42); i++) {
      if (bytes[i]! < 0x20 && bytes[i] !== 0) return -1;
    }
    if (n < 76) return 0;
    return bytes[at + 74] === 0x10 && bytes[at + 75] === 0 ? 1 : -1;
  }
  if (type === 4) {
    if (length < 6 || length > MOST_PDU) return -1;
    if (n < SIGN_BYTES) return 0;
    const inner = u32(bytes, at + 6);
    if (inner < 2 || inner + 4 > length || bytes[at + 11]! > 3 || (bytes[at + 10]! & 1) === 0) return -1;
    if ((bytes[at + 11]! & 1) === 0) return inner + 4 === length ? 1 : -1;
    if (n < SIGN_BYTES + 8) return 0;
    // A command set begins with its group length, (0000,0000) of four bytes.
    return u32(bytes, at + 12) === 0 && u32(bytes, at + 16) === 0x04000000 ? 1 : -1;
  }
  if (length !== 4) return -1;
  if (n < 10) return 0;
  if (bytes[at + 6] !== 0) return -1;
  if (type === 3)
    return bytes[at + 7]! >= 1 && bytes[at + 7]! <= 2 && bytes[at + 8]! >= 1 && bytes[at + 8]! <= 3 ? 1 : -1;
  if (type === 7) return bytes[at + 7] === 0 && bytes[at + 8]! <= 2 && bytes[at + 9]! <= 6 ? 1 : -1;
  return bytes[at + 7] === 0 && bytes[at + 8] === 0 && bytes[at + 9] === 0 ? 1 : -1;
}

/** Returns as `Dissector.read` does. */
export function readDicom(half: Half, payload: Payload, out: ObservationSink): number {
  const { bytes, start, end } = payload;
  let at = start;
  while (at < end) {
    if (half.lost) {
      while (at < end && looksLikePdu(bytes, at, end) < 0) at++;
      // What may be a header is kept until enough of it is here to tell.
      if (at >= end || looksLikePdu(bytes, at, end) === 0) return at - start;
      half.lost = false;
      out.event('dicom_lost');
    }
    if (half.left > 0) {
      if (half.left < 6) {
        out.event('dicom_bad_pdv');
        at += half.left;
        half.left = 0;
        continue;
      }
      if (end - at < 6) return at - start;
      const length = u32(bytes, at);
      if (length < 2 || length + 4 > half.left) {
        out.event('dicom_bad_pdv');
        at += half.left;
        half.left = 0;
        continue;
      }
      const control = bytes[at + 5]!;
      if ((control & 1) === 1 && length - 2 <= COMMAND_BYTES) {
        if (end - at < 4 + length) return at - start;
        fragment(half, bytes, at + 6, at + 4 + length, (control & 2) !== 0, bytes[at + 4]!, out);
      } else if ((control & 1) === 1) {
        out.event('dicom_bad_command');
        half.part = undefined;
      }
      at += 4 + length;
      half.left -= 4 + length;
      continue;
    }
    if (end - at < 6) return at - start;
    const type = bytes[at]!;
    const length = u32(bytes, at + 2);
    if (type < 1 || type > 7 || length > MOST_PDU) {
      out.event('dicom_bad_pdu');
      if (half.pdus === 0) return EXCLUDE;
      half.lost = true;
      at++;
      continue;
    }
    if (type === 4) {
      half.left = length;
      at += 6;
    } else if (length > ASSOCIATION_BYTES) {
      out.event(type <= 2 ? 'dicom_long_association' : 'dicom_bad_pdu');
      at += 6 + length;
    } else {
      if (end - at < 6 + length) return at - start;
      whole(bytes, type, at + 6, at + 6 + length, out);
      at += 6 + length;
    }
    half.pdus++;
  }
  return at - start;
}

function whole(bytes: Uint8Array, type: number, at: number, end: number, out: ObservationSink): void {
  if (type <= 2) {
    association(bytes, type, at, end, out);
    return;
  }
  if (end - at < 4) {
    out.event('dicom_bad_pdu');
    return;
  }
  if (type === 3) {
    out.begin(dicomReject);
    out.number(dicomReject.at.result, bytes[at + 1]!);
    out.number(dicomReject.at.source, bytes[at + 2]!);
    out.number(dicomReject.at.reason, bytes[at + 3]!);
  } else if (type === 7) {
    out.begin(dicomAbort);
    out.number(dicomAbort.at.source, bytes[at + 2]!);
    out.number(dicomAbort.at.reason, bytes[at + 3]!);
  } else {
    out.begin(dicomRelease);
    out.number(dicomRelease.at.response, type === 6 ? 1 : 0);
  }
  out.end();
}

/** @cold Twice an association. */
function association(bytes: Uint8Array, type: number, at: number, end: number, out: ObservationSink): void {
  if (end - at < 68) {
    out.event('dicom_bad_pdu');
    return;
  }
  const request = type === 1;
  let contexts = 0;
  let accepted = 0;
  let names = '';
  let transfer = '';
  let maxPdu = -1;
  let uid = '';
  let versionStart = 0;
  let versionEnd = 0;
  let identity = 0;
  let bad = false;
  let item = at + 68;
  while (item < end) {
    if (end - item < 4 || u16(bytes, item + 2) > end - item - 4) {
      bad = true;
      break;
    }
    const kind = bytes[item]!;
    const stop = item + 4 + u16(bytes, item + 2);
    if (kind === 0x20 || kind === 0x21) {
      contexts++;
      const ok = kind === 0x21 && stop - item >= 8 && bytes[item + 6] === 0;
      if (ok) accepted++;
      let sub = item + 8;
      while (sub + 4 <= stop) {
        const subStop = sub + 4 + u16(bytes, sub + 2);
        if (subStop > stop) {
          bad = true;
          break;
        }
        if (kind === 0x20 && bytes[sub] === 0x30 && names.length < 96) {
          const name = uidName(bytes, sub + 4, subStop);
          if (name !== undefined && !names.split(' ').includes(name)) names += (names === '' ? '' : ' ') + name;
        } else if (ok && bytes[sub] === 0x40 && transfer === '') {
          transfer = uidName(bytes, sub + 4, subStop) ?? '';
        }
        sub = subStop;
      }
    } else if (kind === 0x50) {
      let sub = item + 4;
      while (sub + 4 <= stop) {
        const subStop = sub + 4 + u16(bytes, sub + 2);
        if (subStop > stop) {
          bad = true;
          break;
        }
        if (bytes[sub] === 0x51 && subStop - sub === 8) maxPdu = u32(bytes, sub + 4);
        else if (bytes[sub] === 0x52) uid = uidName(bytes, sub + 4, subStop) ?? '';
        else if (bytes[sub] === 0x55 && subStop - sub <= 20) {
          versionStart = sub + 4;
          versionEnd = trimEnd(bytes, versionStart, subStop);
        } else if (bytes[sub] === 0x58 && subStop - sub > 4) identity = bytes[sub + 4]!;
        sub = subStop;
      }
    }
    item = stop;
  }
  if (bad) out.event('dicom_bad_item');
  const called = trimStart(bytes, at + 4, at + 20);
  const calling = trimStart(bytes, at + 20, at + 36);
  if (request) {
    const field = dicomAssociation.at;
    out.begin(dicomAssociation);
    out.text(field.called_ae, bytes, called, trimEnd(bytes, called, at + 20));
    out.text(field.calling_ae, bytes, calling, trimEnd(bytes, calling, at + 36));
    out.string(field.implementation_uid, uid);
    out.text(field.implementation_version, bytes, versionStart, versionEnd);
    out.string(field.abstract_syntaxes, names);
    out.number(field.contexts, contexts);
    if (maxPdu >= 0) out.number(field.max_pdu, maxPdu);
    if (identity > 0) out.number(field.user_identity, identity);
  } else {
    const field = dicomAccept.at;
    out.begin(dicomAccept);
    out.text(field.called_ae, bytes, called, trimEnd(bytes, called, at + 20));
    out.text(field.calling_ae, bytes, calling, trimEnd(bytes, calling, at + 36));
    out.string(field.implementation_uid, uid);
    out.text(field.implementation_version, bytes, versionStart, versionEnd);
    out.string(field.transfer_syntax, transfer);
    out.number(field.contexts, contexts);
    out.number(field.accepted, accepted);
    if (maxPdu >= 0) out.number(field.max_pdu, maxPdu);
  }
  out.end();
}

function createPart(): Uint8Array {
  return new Uint8Array(FRAGMENT_BYTES);
}

function fragment(
  half: Half,
  bytes: Uint8Array,
  at: number,
  end: number,
  last: boolean,
  context: number,
  out: ObservationSink,
): void {
  if (half.part === undefined && last) {
    command(bytes, at, end, context, out);
    return;
  }
  if (half.part === undefined) {
    half.part = createPart();
    half.partLength = 0;
  }
  if (half.partLength + end - at > FRAGMENT_BYTES) {
    out.event('dicom_bad_command');
    half.part = undefined;
    return;
  }
  for (; at < end; at++) half.part[half.partLength++] = bytes[at]!;
  if (!last) return;
  command(half.part, 0, half.partLength, context, out);
  half.part = undefined;
}

function commandName(field: number): string {
  const response = (field & 0x8000) !== 0;
  let name: string;
  switch (field & 0x7fff) {
    case 0x0001:
      name = 'C-STORE';
      break;
    case 0x0010:
      name = 'C-GET';
      break;
    case 0x0020:
      name = 'C-FIND';
      break;
    case 0x0021:
      name = 'C-MOVE';
      break;
    case 0x0030:
      name = 'C-ECHO';
      break;
    case 0x0100:
      name = 'N-EVENT-REPORT';
      break;
    case 0x0110:
      name = 'N-GET';
      break;
    case 0x0120:
      name = 'N-SET';
      break;
    case 0x0130:
      name = 'N-ACTION';
      break;
    case 0x0140:
      name = 'N-CREATE';
      break;
    case 0x0150:
      name = 'N-DELETE';
      break;
    case 0x0fff:
      return 'C-CANCEL-RQ';
    default:
      return numbered('command-', field);
  }
  return name + (response ? '-RSP' : '-RQ');
}

function command(bytes: Uint8Array, at: number, end: number, context: number, out: ObservationSink): void {
  const field = dicomCommand.at;
  let good = true;
  let open = false;
  // The command field comes after the SOP class, so that the set is walked twice: first for its name.
  for (let pass = 0; pass < 2 && good; pass++) {
    let element = at;
    while (element < end) {
      const length = end - element < 8 ? Infinity : u16le(bytes, element + 4) + u16le(bytes, element + 6) * 0x10000;
      if (length > end - element - 8 || u16le(bytes, element) !== 0) {
        good = false;
        break;
      }
      const tag = u16le(bytes, element + 2);
      const value = element + 8;
      if (pass === 0) {
        if (tag === 0x0100 && length === 2) {
          open = true;
          out.begin(dicomCommand);
          out.string(field.command, commandName(u16le(bytes, value)));
          out.number(field.context_id, context);
          break;
        }
      } else readElement(bytes, tag, value, value + length, out);
      element = value + length;
    }
    if (pass === 0 && !open) break;
  }
  if (open) out.end();
  if (!good || !open) out.event('dicom_bad_command');
}

function readElement(bytes: Uint8Array, tag: number, at: number, end: number, out: ObservationSink): void {
  const field = dicomCommand.at;
  if (end - at === 2) {
    const value = u16le(bytes, at);
    if (tag === 0x0110 || tag === 0x0120) out.number(field.message_id, value);
    else if (tag === 0x0800) out.number(field.dataset, value === 0x0101 ? 0 : 1);
    else if (tag === 0x0900) out.number(field.status, value);
    else if (tag === 0x1020) out.number(field.remaining, value);
    else if (tag === 0x1021) out.number(field.completed, value);
    else if (tag === 0x1022) out.number(field.failed, value);
    return;
  }
  if (tag === 0x0002 || tag === 0x0003) {
    const name = uidName(bytes, at, end);
    if (name !== undefined) out.string(field.sop_class, name);
  } else if ((tag === 0x1000 || tag === 0x1001) && end - at <= UID_BYTES) {
    out.token(field.instance, bytes, at, trimEnd(bytes, at, end));
  } else if ((tag === 0x0600 || tag === 0x1030) && end - at <= 16) {
    const start = trimStart(bytes, at, end);
    out.text(tag === 0x0600 ? field.move_destination : field.move_originator, bytes, start, trimEnd(bytes, start, end));
  }
}
