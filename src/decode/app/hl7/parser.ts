/**
 * HL7 v2 over the Minimal Lower Layer Protocol (HL7 v2.x chapter 2; MLLP release 1):
 *
 *   stream   = { block }
 *   block    = VT content FS CR                     VT 0x0B, FS 0x1C; also accepted: content without a frame
 *   content  = [ FHS ] { [ BHS ] { message } [ BTS ] } [ FTS ]
 *   message  = MSH { segment }
 *   segment  = name { sep field } CR                LF and CR LF are accepted as ends
 *   MSH      = "MSH" sep encoding sep MSH-3 sep ... encoding = component repetition escape subcomponent [truncation]
 *
 * The separators are those of the message's own MSH. A message is read byte by byte and never kept: only
 * MSH, the beginning of MSA and PID-3.1 are, the results go into a digest. So a message may be of any
 * length and may be cut into segments anywhere.
 */
import { find, trimEnd, trimStart } from '../ascii.ts';
import { createDigest, DIGEST_BYTES, feedDigest, resetDigest, writeDigest } from '../digest.ts';
import type { Digest } from '../digest.ts';
import { hl7Ack, hl7Message } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

const VT = 0x0b;
const FS = 0x1c;
const CR = 0x0d;
const LF = 0x0a;

const MSH_BYTES = 1024;
const MSA_BYTES = 160;
const PID_BYTES = 64;

const MSH = 0x4d5348;
const FHS = 0x464853;
const BHS = 0x424853;
const BTS = 0x425453;
const FTS = 0x465453;
const MSA = 0x4d5341;
const OBX = 0x4f4258;
const PID = 0x504944;

/** One direction of a flow. */
export interface Half {
  inMessage: boolean;
  framed: boolean;
  /** The message ends its segments by LF alone. */
  byLf: boolean;
  lastWasCr: boolean;
  /** Outside a message, in bytes that begin none. */
  inJunk: boolean;
  junkTold: boolean;
  /** Bytes were lost inside the open message. */
  lost: boolean;
  /** First three letters of the segment, packed. */
  name: number;
  /** Bytes of the segment so far, stops at a bound. */
  column: number;
  /** Number of the field at hand, and whether it is still in its first component. */
  field: number;
  firstComponent: boolean;
  separator: number;
  component: number;
  repetition: number;
  hasHeader: boolean;
  headerLength: number;
  msaLength: number;
  patientLength: number;
  /** Messages ended in this block. */
  messages: number;
  segments: number;
  results: number;
  length: number;
  values: Digest;
  readonly kept: Uint8Array;
}

export interface Hl7State {
  orig: Half | undefined;
  resp: Half | undefined;
}

export function createHalf(): Half {
  return {
    inMessage: false,
    framed: false,
    byLf: false,
    lastWasCr: false,
    inJunk: false,
    junkTold: false,
    lost: false,
    name: 0,
    column: 0,
    field: 0,
    firstComponent: true,
    separator: 0,
    component: 0,
    repetition: 0,
    hasHeader: false,
    headerLength: 0,
    msaLength: 0,
    patientLength: 0,
    messages: 0,
    segments: 0,
    results: 0,
    length: 0,
    values: createDigest(),
    kept: new Uint8Array(MSH_BYTES + MSA_BYTES + PID_BYTES),
  };
}

/** 1 a header begins here, 0 cannot tell yet, -1 no. */
export function looksLikeHeader(bytes: Uint8Array, at: number, end: number): number {
  const n = end - at;
  if (n <= 0) return 0;
  const a = bytes[at]!;
  if (a !== 0x4d && a !== 0x46 && a !== 0x42) return -1;
  if (n > 1 && bytes[at + 1] !== (a === 0x4d ? 0x53 : 0x48)) return -1;
  if (n > 2 && bytes[at + 2] !== (a === 0x4d ? 0x48 : 0x53)) return -1;
  if (n > 3 && !isPunctuation(bytes[at + 3]!)) return -1;
  for (let i = 4; i < n && i < 7; i++) {
    if (!isPunctuation(bytes[at + i]!) || bytes[at + i] === bytes[at + 3]) return -1;
    if (bytes[at + i] === bytes[at + i - 1]) return -1;
  }
  if (n < 10) return 0;
  // Three to five encoding characters, then the separator again.
  const stop = find(bytes, at + 7, at + 10, bytes[at + 3]!);
  return stop < at + 10 ? 1 : -1;
}

function isPunctuation(byte: number): boolean {
  return (
    (byte >= 0x21 && byte <= 0x2f) ||
    (byte >= 0x3a && byte <= 0x40) ||
    (byte >= 0x5b && byte <= 0x60) ||
    (byte >= 0x7b && byte <= 0x7e) ||
    (byte >= 0x01 && byte <= 0x07)
  );
}

/** Takes the place of a flow's own half while whole messages are read: it is in the cache, that one seldom is. */
const whole = createHalf();

/** Reads all bytes of the range. */
export function readHl7(half: Half, bytes: Uint8Array, start: number, end: number, out: ObservationSink): void {
  const isWhole =
    end - start > 8 && bytes[start] === VT && bytes[end - 2] === FS && bytes[end - 1] === CR && !half.inMessage;
  if (!isWhole || half.lost) {
    readOn(half, bytes, start, end, out);
    return;
  }
  whole.junkTold = half.junkTold;
  whole.inMessage = false;
  readOn(whole, bytes, start, end, out);
  // The last bytes end a message and what may lie before it, so that nothing but this outlasts them.
  half.junkTold = whole.junkTold;
  half.inJunk = false;
}

function readOn(half: Half, bytes: Uint8Array, start: number, end: number, out: ObservationSink): void {
  if (half.lost) {
    if (half.inMessage && half.hasHeader) finish(half, out);
    half.inMessage = false;
    half.inJunk = true;
    half.lost = false;
    out.event('hl7_lost');
  }
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === VT) {
      if (half.inMessage) {
        out.event('hl7_unterminated');
        finish(half, out);
      }
      begin(half, true);
    } else if (half.inMessage) {
      if (half.column > 5 && byte >= 0x20) {
        const next = within(half, bytes, at, end);
        if (next > at) {
          at = next - 1;
          continue;
        }
      }
      inside(half, byte, out);
    } else outside(half, byte, out);
  }
  // Without a frame only the end of a payload can end a message.
  if (half.inMessage && !half.framed && half.hasHeader && half.name !== MSH) finish(half, out);
}

function outside(half: Half, byte: number, out: ObservationSink): void {
  if (byte === CR || byte === LF) {
    half.inJunk = false;
  } else if (!half.inJunk && (byte === 0x4d || byte === 0x46 || byte === 0x42)) {
    begin(half, false);
    inside(half, byte, out);
  } else if (!half.inJunk && byte !== 0) {
    junk(half, out);
  }
}

function junk(half: Half, out: ObservationSink): void {
  half.inMessage = false;
  half.inJunk = true;
  if (!half.junkTold) out.event('hl7_junk');
  half.junkTold = true;
}

function begin(half: Half, framed: boolean): void {
  half.inMessage = true;
  half.framed = framed;
  half.inJunk = false;
  half.byLf = false;
  half.lastWasCr = false;
  half.name = 0;
  half.column = 0;
  half.field = 0;
  half.messages = 0;
  clearMessage(half);
}

function clearMessage(half: Half): void {
  half.hasHeader = false;
  half.headerLength = 0;
  half.msaLength = 0;
  half.patientLength = 0;
  half.segments = 0;
  half.results = 0;
  half.length = 0;
  resetDigest(half.values);
}

/**
 * What {@link inside} does byte by byte, for the printable bytes after a segment's first six, with the state in
 * locals. Returns where it stopped: at a control character, or where a header is longer than what is kept.
 */
function within(half: Half, bytes: Uint8Array, start: number, end: number): number {
  const { name, separator, kept } = half;
  let at = start;
  if (name === MSH) {
    let length = half.headerLength;
    for (; at < end && bytes[at]! >= 0x20 && length < MSH_BYTES; at++) kept[length++] = bytes[at]!;
    half.headerLength = length;
  } else if (name === OBX) {
    const { values } = half;
    let { field } = half;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte < 0x20) break;
      if (byte === separator) {
        if (field === 3 || field === 5) feedDigest(values, 0x1e);
        field++;
      } else if (field === 3 || field === 5) feedDigest(values, byte);
    }
    half.field = field;
  } else if (name === PID) {
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte < 0x20) break;
      if (byte === separator) {
        half.field++;
        half.firstComponent = true;
      } else if (half.field === 3) {
        if (byte === half.component || byte === half.repetition) half.firstComponent = false;
        else if (half.firstComponent && half.patientLength < PID_BYTES)
          kept[MSH_BYTES + MSA_BYTES + half.patientLength++] = byte;
      }
    }
  } else if (name === MSA) {
    for (; at < end && bytes[at]! >= 0x20; at++)
      if (half.msaLength < MSA_BYTES) kept[MSH_BYTES + half.msaLength++] = bytes[at]!;
  } else while (at < end && bytes[at]! >= 0x20) at++;
  half.column += at - start;
  half.length += at - start;
  half.lastWasCr = false;
  return at;
}

function inside(half: Half, byte: number, out: ObservationSink): void {
  if (byte === FS) {
    if (half.hasHeader) finish(half, out);
    else if (half.messages === 0) out.event('hl7_bad_header');
    half.inMessage = false;
    half.inJunk = false;
    return;
  }
  if (byte === CR || (byte === LF && (half.byLf || (half.hasHeader && half.name === MSH && half.column > 3)))) {
    if (byte === LF && !half.byLf) {
      half.byLf = true;
      out.event('hl7_lf_terminator');
    }
    half.length++;
    half.lastWasCr = byte === CR;
    endSegment(half);
    return;
  }
  if (byte === LF && half.lastWasCr) {
    half.length++;
    half.lastWasCr = false;
    return;
  }
  half.lastWasCr = false;
  if (half.column < 3) {
    // A byte order mark before the first segment: some interface engines write one.
    if (half.column === 0 && half.segments === 0 && (byte === 0xef || byte === 0xbb || byte === 0xbf)) return;
    half.name = half.column === 0 ? byte : (half.name << 8) | byte;
    half.column++;
    half.length++;
    if (half.column === 3) nameKnown(half, out);
    return;
  }
  half.length++;
  if (half.column === 3 && (half.name === MSH || half.name === FHS || half.name === BHS)) half.separator = byte;
  half.column++;
  if (half.name === MSH) {
    if (half.headerLength < MSH_BYTES) half.kept[half.headerLength++] = byte;
    else if (half.column === MSH_BYTES + 2) out.event('hl7_long_header');
    if (half.column === 5) half.component = byte;
    else if (half.column === 6) half.repetition = byte;
    return;
  }
  if (byte === half.separator) {
    if (half.name === OBX && (half.field === 3 || half.field === 5)) feedDigest(half.values, 0x1e);
    half.field++;
    half.firstComponent = true;
    if (half.name !== MSA) return;
  }
  if (half.name === OBX) {
    if (half.field === 3 || half.field === 5) feedDigest(half.values, byte);
  } else if (half.name === MSA) {
    if (half.msaLength < MSA_BYTES) half.kept[MSH_BYTES + half.msaLength++] = byte;
  } else if (half.name === PID && half.field === 3) {
    if (byte === half.component || byte === half.repetition) half.firstComponent = false;
    else if (half.firstComponent && half.patientLength < PID_BYTES) {
      half.kept[MSH_BYTES + MSA_BYTES + half.patientLength++] = byte;
    }
  }
}

function nameKnown(half: Half, out: ObservationSink): void {
  const { name } = half;
  if (half.hasHeader && (name === MSH || name === FHS || name === BHS || name === BTS || name === FTS)) {
    // The next message of a batch, or of a stream without frames.
    half.length -= 3;
    half.column = 0;
    finish(half, out);
    clearMessage(half);
    half.inMessage = true;
    half.length = 3;
    half.column = 3;
    half.name = name;
  }
  if (half.name === MSH) {
    half.hasHeader = true;
    half.kept[0] = 0x4d;
    half.kept[1] = 0x53;
    half.kept[2] = 0x48;
    half.headerLength = 3;
  } else if (half.name === FHS || half.name === BHS) {
    out.event('hl7_batch');
  } else if (!half.hasHeader && half.segments === 0 && name !== BTS && name !== FTS) {
    if (half.framed) out.event('hl7_bad_header');
    junk(half, out);
  } else if (half.name === MSA) {
    half.msaLength = 0;
  }
}

function endSegment(half: Half): void {
  if (half.column > 0) half.segments++;
  if (half.column > 2 && half.name === OBX) {
    half.results++;
    feedDigest(half.values, CR);
  }
  half.column = 0;
  half.field = 0;
  half.firstComponent = true;
  half.name = 0;
}

const digestBytes = new Uint8Array(DIGEST_BYTES);

/** Where the fields of the header at hand begin, by the number of separators before them. */
const fieldStarts = new Uint16Array(13);
let fieldCount = 0;

function indexHeader(half: Half): void {
  const { kept, separator, headerLength } = half;
  fieldCount = 0;
  fieldStarts[0] = 3;
  for (let at = 3; at < headerLength && fieldCount < 12; at++)
    if (kept[at] === separator) fieldStarts[++fieldCount] = at + 1;
}

/** The same as {@link fieldRange} of the whole header that {@link indexHeader} has read; `n` at most 11. */
function headerRange(half: Half, n: number): number {
  const end = half.headerLength;
  if (n > fieldCount) return end * 65536 + end;
  return fieldStarts[n]! * 65536 + (n < fieldCount ? fieldStarts[n + 1]! - 1 : end);
}

/** Start and end (packed as start * 65536 + end) of field `n` of a segment whose name ends at `from`. */
function fieldRange(kept: Uint8Array, from: number, end: number, separator: number, n: number): number {
  let at = from;
  for (let i = 0; i < n; i++) {
    at = find(kept, at, end, separator);
    if (at >= end) return end * 65536 + end;
    at++;
  }
  return at * 65536 + find(kept, at, end, separator);
}

function finish(half: Half, out: ObservationSink): void {
  half.inMessage = false;
  if (!half.hasHeader) return;
  if (half.column > 0) endSegment(half);
  half.hasHeader = false;
  half.messages++;
  half.junkTold = false;
  if (!half.framed) out.event('hl7_unframed');
  const { kept, separator } = half;
  indexHeader(half);
  // MSH-1 is the separator itself, so that MSH-n is the field after n - 1 separators.
  const type = headerRange(half, 8);
  const typeStart = trimStart(kept, (type / 65536) | 0, type & 0xffff);
  const typeEnd = type & 0xffff;
  const first = find(kept, typeStart, typeEnd, half.component);
  if (first <= typeStart || !isCode(kept, typeStart, first)) {
    out.event('hl7_bad_header');
    return;
  }
  const isAck = half.msaLength > 0;
  if (isAck) {
    out.begin(hl7Ack);
    const at = hl7Ack.at;
    const msaEnd = MSH_BYTES + half.msaLength;
    const code = fieldRange(kept, MSH_BYTES, msaEnd, separator, 1);
    if (isCode(kept, (code / 65536) | 0, code & 0xffff)) out.text(at.code, kept, (code / 65536) | 0, code & 0xffff);
    const id = fieldRange(kept, MSH_BYTES, msaEnd, separator, 2);
    const idStart = trimStart(kept, (id / 65536) | 0, id & 0xffff);
    out.token(at.control_id, kept, idStart, trimEnd(kept, idStart, id & 0xffff));
    typeAndNames(half, out, typeStart, first, typeEnd, at);
    out.number(at.segments, half.segments);
    out.number(at.bytes, half.length);
    out.end();
    if (kept[typeStart] === 0x41 && kept[typeStart + 1] === 0x43 && kept[typeStart + 2] === 0x4b) return;
  }
  out.begin(hl7Message);
  const at = hl7Message.at;
  typeAndNames(half, out, typeStart, first, typeEnd, at);
  const id = headerRange(half, 9);
  const idStart = trimStart(kept, (id / 65536) | 0, id & 0xffff);
  out.token(at.control_id, kept, idStart, trimEnd(kept, idStart, id & 0xffff));
  const mode = headerRange(half, 10);
  const modeStart = (mode / 65536) | 0;
  const modeEnd = find(kept, modeStart, mode & 0xffff, half.component);
  if (modeEnd - modeStart === 1 && isCode(kept, modeStart, modeEnd)) out.text(at.processing, kept, modeStart, modeEnd);
  if (half.results > 0 && !half.lost) {
    writeDigest(half.values, digestBytes);
    out.token(at.values, digestBytes, 0, DIGEST_BYTES);
  }
  const patient = MSH_BYTES + MSA_BYTES;
  const patientStart = trimStart(kept, patient, patient + half.patientLength);
  out.token(at.patient, kept, patientStart, trimEnd(kept, patientStart, patient + half.patientLength));
  out.number(at.segments, half.segments);
  out.number(at.results, half.results);
  out.number(at.bytes, half.length);
  out.number(at.complete, half.lost ? 0 : 1);
  out.end();
}

interface NameFields {
  message_type: number;
  trigger: number;
  version: number;
  sending_app: number;
  sending_facility: number;
  receiving_app: number;
  receiving_facility: number;
}

function typeAndNames(
  half: Half,
  out: ObservationSink,
  typeStart: number,
  first: number,
  typeEnd: number,
  at: Readonly<NameFields>,
): void {
  const { kept } = half;
  out.text(at.message_type, kept, typeStart, first);
  if (first < typeEnd) {
    const second = find(kept, first + 1, typeEnd, half.component);
    if (isCode(kept, first + 1, second)) out.text(at.trigger, kept, first + 1, second);
  }
  const version = headerRange(half, 11);
  const versionStart = (version / 65536) | 0;
  const versionEnd = trimEnd(kept, versionStart, find(kept, versionStart, version & 0xffff, half.component));
  if (isVersion(kept, versionStart, versionEnd)) out.text(at.version, kept, versionStart, versionEnd);
  name(half, out, at.sending_app, 2);
  name(half, out, at.sending_facility, 3);
  name(half, out, at.receiving_app, 4);
  name(half, out, at.receiving_facility, 5);
}

/** MSH-3 to MSH-6 are HD: the first component names the application, the others are its object identifier. */
function name(half: Half, out: ObservationSink, field: number, n: number): void {
  const range = headerRange(half, n);
  const start = trimStart(half.kept, (range / 65536) | 0, range & 0xffff);
  const end = find(half.kept, start, range & 0xffff, half.component);
  out.text(field, half.kept, start, trimEnd(half.kept, start, end));
}

/** Letters, digits and underscore, at most eight: nothing else is a code of table 0076, 0003 or 0008. */
function isCode(bytes: Uint8Array, at: number, end: number): boolean {
  if (end <= at || end - at > 8) return false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    const ok =
      (byte >= 0x30 && byte <= 0x39) ||
      (byte >= 0x41 && byte <= 0x5a) ||
      (byte >= 0x61 && byte <= 0x7a) ||
      byte === 0x5f;
    if (!ok) return false;
  }
  return true;
}

function isVersion(bytes: Uint8Array, at: number, end: number): boolean {
  if (end <= at || end - at > 8) return false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte !== 0x2e && (byte < 0x30 || byte > 0x39)) return false;
  }
  return true;
}
