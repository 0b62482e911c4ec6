/**
 * POCT1-A (CLSI), device messaging layer: XML messages one after the other on a TCP stream.
 *
 *   stream  = { message }
 *   message = "<" type ".R" digits ">" { object } "</" type ".R" digits ">"
 *   object  = "<" name ">" { field | object } "</" name ">"
 *   field   = "<" object "." name " V=" quote value quote ... "/>"
 *
 * Tag by tag: what lies between tags is passed over. Only fields of the header, of the device and of
 * acknowledgements are kept; of observations a digest is. Patients, operators and results stay inside.
 */
import { findWord, find, startsWith } from '../ascii.ts';
import { createDigest, DIGEST_BYTES, feedDigest, resetDigest, writeDigest } from '../digest.ts';
import type { Digest } from '../digest.ts';
import { poctDevice, poctMessage } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

const KEPT_BYTES = 64;
/** Values that are kept until the message ends, each with its own place in `Half.kept`. */
const KEPT = [
  'HDR.control_id',
  'HDR.version_id',
  'ACK.ack_control_id',
  'ACK.type_cd',
  'DTV.command_cd',
  'EOT.topic_cd',
  'REQ.request_cd',
  'PT.patient_id',
  'DEV.device_id',
  'DEV.vendor_id',
  'DEV.manufacturer_name',
  'DEV.model_id',
  'DEV.serial_id',
  'DEV.sw_version',
  'DEV.hw_version',
  'DEV.device_name',
] as const;
type KeptName = (typeof KEPT)[number];

/** Types by which a manager changes something in a device. */
const WRITES = ['DTV', 'OPL', 'PTL', 'UPD'];

/** One direction of a flow. */
export interface Half {
  inMessage: boolean;
  lost: boolean;
  junkTold: boolean;
  /** Three letters, and the whole name of the root with its revision, as bytes to compare with. */
  readonly root: Uint8Array;
  rootLength: number;
  readonly kept: Uint8Array;
  readonly lengths: Uint8Array;
  observations: number;
  patients: number;
  waiting: number;
  length: number;
  hasDevice: boolean;
  values: Digest;
}

export function createHalf(): Half {
  return {
    inMessage: false,
    lost: false,
    junkTold: false,
    root: new Uint8Array(8),
    rootLength: 0,
    kept: new Uint8Array(KEPT.length * KEPT_BYTES),
    lengths: new Uint8Array(KEPT.length),
    observations: 0,
    patients: 0,
    waiting: -1,
    length: 0,
    hasDevice: false,
    values: createDigest(),
  };
}

/** Whether `XXX.Rnn` stands at `at`; returns its length, 0 where it cannot be told, -1 where it is something else. */
function rootName(bytes: Uint8Array, at: number, end: number): number {
  for (let i = 0; i < 3; i++) {
    if (at + i >= end) return 0;
    if (bytes[at + i]! < 0x41 || bytes[at + i]! > 0x5a) return -1;
  }
  if (at + 3 < end && bytes[at + 3] !== 0x2e) return -1;
  if (at + 4 < end && bytes[at + 4] !== 0x52) return -1;
  let length = 5;
  while (at + length < end && length < 8 && bytes[at + length]! >= 0x30 && bytes[at + length]! <= 0x39) length++;
  if (at + length >= end) return 0;
  return length > 5 ? length : -1;
}

/** 1 a message begins here, 0 cannot tell yet, -1 no. */
export function looksLikePoct(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at]! <= 0x20) at++;
  for (let prologs = 0; prologs < 3 && at < end; prologs++) {
    if (bytes[at] !== 0x3c) return -1;
    if (at + 1 >= end) return 0;
    if (bytes[at + 1] !== 0x3f && bytes[at + 1] !== 0x21) {
      const length = rootName(bytes, at + 1, end);
      return length > 0 ? 1 : length;
    }
    const close = find(bytes, at, end, 0x3e);
    if (close >= end) return end - at > 512 ? -1 : 0;
    at = close + 1;
    while (at < end && bytes[at]! <= 0x20) at++;
  }
  return at >= end ? 0 : -1;
}

/** Reads all whole tags. Returns how many bytes are done with. */
export function readPoct(half: Half, bytes: Uint8Array, start: number, end: number, out: ObservationSink): number {
  if (half.lost) {
    if (half.inMessage) finish(half, out, 0);
    half.lost = false;
    out.event('poct1a_lost');
  }
  let at = start;
  while (at < end) {
    const open = find(bytes, at, end, 0x3c);
    if (!half.inMessage && !half.junkTold && open > at && hasText(bytes, at, open)) {
      half.junkTold = true;
      out.event('poct1a_junk');
    }
    if (half.inMessage) half.length += open - at;
    if (open >= end) return end - start;
    const close = find(bytes, open, end, 0x3e);
    if (close >= end) return open - start;
    if (half.inMessage) half.length += close + 1 - open;
    tag(half, bytes, open + 1, close, out);
    at = close + 1;
  }
  return at - start;
}

function hasText(bytes: Uint8Array, at: number, end: number): boolean {
  for (; at < end; at++) if (bytes[at]! > 0x20) return true;
  return false;
}

function tag(half: Half, bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  if (at >= end) return;
  if (bytes[at] === 0x2f) {
    if (!half.inMessage || end - at - 1 !== half.rootLength) return;
    for (let i = 0; i < half.rootLength; i++) if (bytes[at + 1 + i] !== half.root[i]) return;
    finish(half, out, 1);
    return;
  }
  const length = rootName(bytes, at, end + 1);
  if (length > 0 && at + length >= end - 1) {
    if (half.inMessage) {
      out.event('poct1a_bad_xml');
      finish(half, out, 0);
    }
    begin(half, bytes, at, length, end);
    return;
  }
  if (!half.inMessage) return;
  let nameEnd = at;
  while (nameEnd < end && bytes[nameEnd]! > 0x20 && bytes[nameEnd] !== 0x2f) nameEnd++;
  if (nameEnd - at === 3 && startsWith(bytes, at, end, 'OBS')) {
    half.observations++;
    feedDigest(half.values, 0x1d);
    return;
  }
  if (nameEnd - at === 3 && startsWith(bytes, at, end, 'DEV')) half.hasDevice = true;
  if (nameEnd - at === 2 && startsWith(bytes, at, end, 'PT')) half.patients++;
  const from = value(bytes, nameEnd, end);
  if (from < 0) return;
  const to = find(bytes, from, end, bytes[from - 1]!);
  if (startsWith(bytes, at, nameEnd, 'OBS.')) {
    if (startsWith(bytes, at + 4, nameEnd, 'observation_id') || startsWith(bytes, at + 4, nameEnd, 'value')) {
      for (let i = from; i < to; i++) feedDigest(half.values, bytes[i]!);
      feedDigest(half.values, 0x1e);
    }
    return;
  }
  if (startsWith(bytes, at, nameEnd, 'DST.new_observations_qty')) {
    half.waiting = 0;
    for (let i = from; i < to && i < from + 6 && bytes[i]! >= 0x30 && bytes[i]! <= 0x39; i++) {
      half.waiting = half.waiting * 10 + bytes[i]! - 0x30;
    }
    return;
  }
  for (let slot = 0; slot < KEPT.length; slot++) {
    const name = KEPT[slot]!;
    if (nameEnd - at !== name.length || half.lengths[slot] !== 0 || !startsWith(bytes, at, nameEnd, name)) continue;
    const n = Math.min(to - from, KEPT_BYTES);
    for (let i = 0; i < n; i++) half.kept[slot * KEPT_BYTES + i] = bytes[from + i]!;
    half.lengths[slot] = n;
    return;
  }
}

/** Start of the value of the attribute V, -1 where there is none; the quote stands before it. */
function value(bytes: Uint8Array, at: number, end: number): number {
  const attribute = findWord(bytes, at, end, ' V=');
  if (attribute < 0 || attribute + 4 > end) return -1;
  const quote = bytes[attribute + 3];
  return quote === 0x22 || quote === 0x27 ? attribute + 4 : -1;
}

function begin(half: Half, bytes: Uint8Array, at: number, length: number, end: number): void {
  half.inMessage = true;
  half.junkTold = false;
  half.rootLength = length;
  for (let i = 0; i < length; i++) half.root[i] = bytes[at + i]!;
  half.lengths.fill(0);
  half.observations = 0;
  half.patients = 0;
  half.waiting = -1;
  half.hasDevice = false;
  half.length = end + 2 - at;
  resetDigest(half.values);
}

const digestBytes = new Uint8Array(DIGEST_BYTES);

function keptText(half: Half, out: ObservationSink, field: number, name: KeptName): void {
  const slot = KEPT.indexOf(name);
  out.text(field, half.kept, slot * KEPT_BYTES, slot * KEPT_BYTES + half.lengths[slot]!);
}

function keptToken(half: Half, out: ObservationSink, field: number, name: KeptName): void {
  const slot = KEPT.indexOf(name);
  out.token(field, half.kept, slot * KEPT_BYTES, slot * KEPT_BYTES + half.lengths[slot]!);
}

function finish(half: Half, out: ObservationSink, complete: number): void {
  half.inMessage = false;
  if (half.hasDevice) {
    const field = poctDevice.at;
    out.begin(poctDevice);
    keptText(half, out, field.device_id, 'DEV.device_id');
    keptText(
      half,
      out,
      field.vendor,
      half.lengths[KEPT.indexOf('DEV.vendor_id')]! > 0 ? 'DEV.vendor_id' : 'DEV.manufacturer_name',
    );
    keptText(half, out, field.model, 'DEV.model_id');
    keptText(half, out, field.serial, 'DEV.serial_id');
    keptText(half, out, field.software, 'DEV.sw_version');
    keptText(half, out, field.hardware, 'DEV.hw_version');
    keptText(half, out, field.name, 'DEV.device_name');
    out.end();
  }
  const field = poctMessage.at;
  out.begin(poctMessage);
  out.text(field.message_type, half.root, 0, 3);
  keptToken(half, out, field.control_id, 'HDR.control_id');
  keptText(half, out, field.version, 'HDR.version_id');
  keptToken(half, out, field.acknowledges, 'ACK.ack_control_id');
  keptText(half, out, field.ack_code, 'ACK.type_cd');
  keptText(half, out, field.command, 'DTV.command_cd');
  keptText(half, out, field.topic, half.lengths[KEPT.indexOf('EOT.topic_cd')]! > 0 ? 'EOT.topic_cd' : 'REQ.request_cd');
  if (half.observations > 0 && complete === 1) {
    writeDigest(half.values, digestBytes);
    out.token(field.values, digestBytes, 0, DIGEST_BYTES);
  }
  keptToken(half, out, field.patient, 'PT.patient_id');
  out.number(field.observations, half.observations);
  out.number(field.patients, half.patients);
  if (half.waiting >= 0) out.number(field.new_observations, half.waiting);
  let writes = 0;
  for (let i = 0; i < WRITES.length; i++) if (startsWith(half.root, 0, 3, WRITES[i]!)) writes = 1;
  out.number(field.is_write, writes);
  out.number(field.bytes, half.length);
  out.number(field.complete, complete);
  out.end();
}
