/**
 * ASTM E1394 / CLSI LIS2-A2 records in ASTM E1381 / LIS1-A frames, over TCP:
 *
 *   session = ENQ ACK { frame ( ACK | NAK ) } EOT            the answers come from the other side
 *   frame   = STX number(0..7) text ( ETX | ETB ) checksum(2 hex) [ CR ] [ LF ]      ETB: the text goes on
 *   text    = { record CR }
 *   record  = "H" sep repeat component escape { sep field } | ( "P" | "O" | "R" | "C" | "Q" | "M" | "S" | "L" ) { sep field }
 *
 * ENQ 05, ACK 06, NAK 15, EOT 04, STX 02, ETX 03, ETB 17. The checksum is the sum of all bytes from the number to
 * ETX or ETB. Records without frames are read too. Byte by byte, nothing kept but the header and the patient's
 * identifier: names never are.
 */
import { find, trimEnd, trimStart } from '../ascii.ts';
import { createDigest, DIGEST_BYTES, feedDigest, resetDigest, writeDigest } from '../digest.ts';
import type { Digest } from '../digest.ts';
import { astmMessage } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

const ENQ = 0x05;
const ACK = 0x06;
const NAK = 0x15;
const EOT = 0x04;
const STX = 0x02;
const ETX = 0x03;
const ETB = 0x17;
const CR = 0x0d;
const LF = 0x0a;

const HEADER_BYTES = 512;
const PATIENT_BYTES = 64;

/** What the next byte is. */
export const BETWEEN = 0;
const NUMBER = 1;
const TEXT = 2;
const CHECKSUM = 3;
const BARE = 4;

/** One direction of a flow. */
export interface Half {
  phase: number;
  /** Sum of the bytes of the frame, and the two digits as they come. */
  sum: number;
  digits: number;
  given: number;
  /** Letter of the record at hand, 0 at its beginning. */
  record: number;
  column: number;
  field: number;
  separator: number;
  inMessage: boolean;
  lost: boolean;
  junkTold: boolean;
  headerLength: number;
  patientLength: number;
  /** Field the kept patient identifier came from. */
  patientField: number;
  termination: number;
  records: number;
  patients: number;
  orders: number;
  results: number;
  queries: number;
  frames: number;
  badChecksums: number;
  length: number;
  values: Digest;
  readonly kept: Uint8Array;
}

export function createHalf(): Half {
  return {
    phase: BETWEEN,
    sum: 0,
    digits: 0,
    given: 0,
    record: 0,
    column: 0,
    field: 1,
    separator: 0x7c,
    inMessage: false,
    lost: false,
    junkTold: false,
    headerLength: 0,
    patientLength: 0,
    patientField: 0,
    termination: 0,
    records: 0,
    patients: 0,
    orders: 0,
    results: 0,
    queries: 0,
    frames: 0,
    badChecksums: 0,
    length: 0,
    values: createDigest(),
    kept: new Uint8Array(HEADER_BYTES + PATIENT_BYTES),
  };
}

function isSeparator(byte: number): boolean {
  return (
    (byte >= 0x21 && byte <= 0x2f) ||
    (byte >= 0x3a && byte <= 0x40) ||
    (byte >= 0x5b && byte <= 0x60) ||
    (byte >= 0x7b && byte <= 0x7e)
  );
}

/** 1 a message begins here, 0 cannot tell yet, -1 no. `middle`: any record may begin a frame. */
export function looksLikeAstm(bytes: Uint8Array, at: number, end: number, middle: boolean): number {
  let controls = 0;
  while (
    at < end &&
    controls < 4 &&
    (bytes[at] === ENQ || bytes[at] === ACK || bytes[at] === NAK || bytes[at] === EOT)
  ) {
    at++;
    controls++;
  }
  if (at >= end) return 0;
  const framed = bytes[at] === STX;
  if (framed) {
    at++;
    if (at < end && (bytes[at]! < 0x30 || bytes[at]! > 0x37)) return -1;
    at++;
  }
  if (at >= end) return 0;
  if (bytes[at] === 0x48) {
    // H, the field separator, two or three delimiters more, none of them alike.
    for (let i = 1; i <= 4 && at + i < end; i++) {
      if (!isSeparator(bytes[at + i]!)) return -1;
      if (i > 1 && i < 4 && bytes[at + i] === bytes[at + 1]) return -1;
    }
    return end - at >= 5 ? 1 : 0;
  }
  if (!middle || !framed) return -1;
  const letters = 'PORCQMSL';
  if (end - at < 3) return 0;
  return letters.includes(String.fromCharCode(bytes[at]!)) &&
    bytes[at + 1] === 0x7c &&
    bytes[at + 2]! >= 0x31 &&
    bytes[at + 2]! <= 0x39
    ? 1
    : -1;
}

/** Reads all bytes of the range. */
export function readAstm(half: Half, bytes: Uint8Array, start: number, end: number, out: ObservationSink): void {
  if (half.lost) {
    if (half.inMessage) finish(half, out, false);
    half.phase = BETWEEN;
    half.lost = false;
    out.event('astm_lost');
  }
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    switch (half.phase) {
      case BETWEEN:
        between(half, byte, out);
        break;
      case NUMBER:
        half.sum = byte;
        half.phase = TEXT;
        break;
      case TEXT:
        inText(half, byte, out);
        break;
      case CHECKSUM:
        checksum(half, byte, out);
        break;
      default:
        bare(half, byte, out);
    }
  }
}

function between(half: Half, byte: number, out: ObservationSink): void {
  switch (byte) {
    case STX:
      half.phase = NUMBER;
      half.frames++;
      return;
    case ENQ:
    case EOT:
      if (half.inMessage) finish(half, out, false);
      half.frames = 0;
      return;
    case NAK:
      out.event('astm_nak');
      return;
    case ACK:
    case CR:
    case LF:
    case 0:
      return;
    case 0x48:
      if (half.frames === 0) {
        half.phase = BARE;
        recordByte(half, byte, out);
        return;
      }
      break;
    default:
  }
  if (!half.junkTold) out.event('astm_junk');
  half.junkTold = true;
}

function inText(half: Half, byte: number, out: ObservationSink): void {
  half.sum = (half.sum + byte) & 0xff;
  if (byte === ETX || byte === ETB) {
    // Some senders leave out the CR of the last record.
    if (byte === ETX && half.column > 0) endRecord(half, out);
    half.phase = CHECKSUM;
    half.digits = 0;
    half.given = 0;
  } else if (byte === STX) {
    half.phase = NUMBER;
    half.frames++;
  } else if (byte === EOT) {
    half.phase = BETWEEN;
    if (half.inMessage) finish(half, out, false);
  } else recordByte(half, byte, out);
}

function checksum(half: Half, byte: number, out: ObservationSink): void {
  const digit =
    byte >= 0x30 && byte <= 0x39
      ? byte - 0x30
      : byte >= 0x41 && byte <= 0x46
        ? byte - 55
        : byte >= 0x61 && byte <= 0x66
          ? byte - 87
          : -1;
  if (digit >= 0) {
    half.given = half.given * 16 + digit;
    half.digits++;
    if (half.digits < 2) return;
  }
  half.phase = BETWEEN;
  if (half.digits === 2 ? half.given !== half.sum : half.digits !== 0 || byte === STX) {
    half.badChecksums++;
    out.event('astm_bad_checksum');
  }
  if (digit < 0) between(half, byte, out);
}

function bare(half: Half, byte: number, out: ObservationSink): void {
  if (byte < 0x20 && byte !== CR && byte !== LF && byte !== 9) {
    half.phase = BETWEEN;
    if (half.inMessage) finish(half, out, false);
    between(half, byte, out);
    return;
  }
  recordByte(half, byte, out);
  if (!half.inMessage && half.column === 0) half.phase = BETWEEN;
}

function recordByte(half: Half, byte: number, out: ObservationSink): void {
  if (half.inMessage) half.length++;
  if (byte === CR || byte === LF) {
    if (half.column > 0) endRecord(half, out);
    return;
  }
  if (half.column === 0) {
    half.record = byte;
    half.column = 1;
    half.field = 1;
    beginRecord(half, out);
    return;
  }
  half.column++;
  if (half.record === 0x48) {
    if (half.column === 2) half.separator = byte;
    if (half.headerLength < HEADER_BYTES) half.kept[half.headerLength++] = byte;
    else if (half.column === HEADER_BYTES + 2) out.event('astm_long_header');
    return;
  }
  if (byte === half.separator) {
    half.field++;
    if (half.record === 0x52) feedDigest(half.values, 0x1e);
    return;
  }
  if (half.record === 0x52) {
    if (half.field === 3 || half.field === 4) feedDigest(half.values, byte);
  } else if (half.record === 0x50) {
    if (half.field < 3 || half.field > 5) return;
    if (half.patientLength === 0) half.patientField = half.field;
    if (half.field === half.patientField && half.patients === 1 && half.patientLength < PATIENT_BYTES) {
      half.kept[HEADER_BYTES + half.patientLength++] = byte;
    }
  } else if (half.record === 0x4c) {
    if (half.field === 3 && half.termination === 0) half.termination = byte;
  }
}

function beginRecord(half: Half, out: ObservationSink): void {
  switch (half.record) {
    case 0x48:
      if (half.inMessage) {
        half.length--;
        finish(half, out, false);
      }
      clear(half);
      half.inMessage = true;
      half.length = 1;
      half.record = 0x48;
      half.column = 1;
      half.kept[half.headerLength++] = 0x48;
      break;
    case 0x50:
      half.patients++;
      break;
    case 0x4f:
      half.orders++;
      break;
    case 0x52:
      half.results++;
      break;
    case 0x51:
      half.queries++;
      break;
    default:
  }
}

function clear(half: Half): void {
  half.headerLength = 0;
  half.patientLength = 0;
  half.patientField = 0;
  half.termination = 0;
  half.records = 0;
  half.patients = 0;
  half.orders = 0;
  half.results = 0;
  half.queries = 0;
  half.badChecksums = 0;
  half.length = 0;
  resetDigest(half.values);
}

function endRecord(half: Half, out: ObservationSink): void {
  const { record } = half;
  half.column = 0;
  half.record = 0;
  half.records++;
  if (record === 0x52) feedDigest(half.values, CR);
  if (record !== 0x4c) return;
  if (half.inMessage) finish(half, out, true);
  else out.event('astm_no_header');
}

const digestBytes = new Uint8Array(DIGEST_BYTES);

function finish(half: Half, out: ObservationSink, complete: boolean): void {
  half.inMessage = false;
  half.column = 0;
  half.junkTold = false;
  const { kept, headerLength, separator } = half;
  const field = astmMessage.at;
  out.begin(astmMessage);
  // H-2 are the delimiters; the n-th field stands after n - 1 separators, the first of which is the second byte.
  let n = 2;
  for (let at = 2; at < headerLength;) {
    const stop = find(kept, at, headerLength, separator);
    const from = trimStart(kept, at, stop);
    const to = trimEnd(kept, from, stop);
    if (n === 5) out.text(field.sender, kept, from, to);
    else if (n === 10) out.text(field.receiver, kept, from, to);
    else if (n === 12 && to - from === 1) out.text(field.processing, kept, from, to);
    else if (n === 13 && to - from <= 16) out.text(field.version, kept, from, to);
    n++;
    at = stop + 1;
  }
  if (half.termination >= 0x21 && half.termination <= 0x7e)
    out.string(field.termination, String.fromCharCode(half.termination));
  if (half.results > 0 && complete) {
    writeDigest(half.values, digestBytes);
    out.token(field.values, digestBytes, 0, DIGEST_BYTES);
  }
  out.token(field.patient, kept, HEADER_BYTES, HEADER_BYTES + half.patientLength);
  out.number(field.records, half.records);
  out.number(field.patients, half.patients);
  out.number(field.orders, half.orders);
  out.number(field.results, half.results);
  out.number(field.queries, half.queries);
  out.number(field.frames, half.frames);
  out.number(field.bad_checksums, half.badChecksums);
  out.number(field.bytes, half.length);
  out.number(field.complete, complete ? 1 : 0);
  out.end();
  half.frames = 0;
}
