/**
 * BACnet/IP (ASHRAE 135 annex J and clauses 6, 20):
 *
 *   message = 81 function(1) length(2) [ address(6) if function = 4 ] npdu
 *   npdu    = 01 control(1) [ dnet(2) dlen(1) dadr ] [ snet(2) slen(1) sadr ] [ hops(1) if dnet ] ( network | apdu )
 *   control = bit 7 network message, bit 5 destination, bit 3 source
 *   apdu    = type << 4 | flags, by type: 0 confirmed: sizes(1) invoke(1) [ sequence(1) window(1) if segmented ] service(1);
 *             1 unconfirmed: service(1); 2 simple ack: invoke service; 3 complex ack: invoke [ sequence window ] service;
 *             4 segment ack; 5 error: invoke service class code; 6 reject, 7 abort: invoke reason
 *   tag     = number << 4 | class << 3 | length (5: the next byte holds it)
 */
import { numbered } from '../ascii.ts';
import { bacnetControl, bacnetMessage } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

const PDUS = [
  'confirmed-request',
  'unconfirmed-request',
  'simple-ack',
  'complex-ack',
  'segment-ack',
  'error',
  'reject',
  'abort',
];

const CONFIRMED = [
  'acknowledgeAlarm',
  'confirmedCOVNotification',
  'confirmedEventNotification',
  'getAlarmSummary',
  'getEnrollmentSummary',
  'subscribeCOV',
  'atomicReadFile',
  'atomicWriteFile',
  'addListElement',
  'removeListElement',
  'createObject',
  'deleteObject',
  'readProperty',
  'readPropertyConditional',
  'readPropertyMultiple',
  'writeProperty',
  'writePropertyMultiple',
  'deviceCommunicationControl',
  'confirmedPrivateTransfer',
  'confirmedTextMessage',
  'reinitializeDevice',
  'vtOpen',
  'vtClose',
  'vtData',
  'authenticate',
  'requestKey',
  'readRange',
  'lifeSafetyOperation',
  'subscribeCOVProperty',
  'getEventInformation',
];
const UNCONFIRMED = [
  'iAm',
  'iHave',
  'unconfirmedCOVNotification',
  'unconfirmedEventNotification',
  'unconfirmedPrivateTransfer',
  'unconfirmedTextMessage',
  'timeSynchronization',
  'whoHas',
  'whoIs',
  'utcTimeSynchronization',
  'writeGroup',
];
const WRITES = new Set([
  'acknowledgeAlarm',
  'atomicWriteFile',
  'addListElement',
  'removeListElement',
  'createObject',
  'deleteObject',
  'writeProperty',
  'writePropertyMultiple',
  'deviceCommunicationControl',
  'reinitializeDevice',
  'lifeSafetyOperation',
  'timeSynchronization',
  'utcTimeSynchronization',
  'writeGroup',
]);

export function looksLikeBacnet(bytes: Uint8Array, start: number, end: number, cut: boolean): boolean {
  if (end - start < 4 || bytes[start] !== 0x81 || bytes[start + 1]! > 0x0c) return false;
  const length = (bytes[start + 2]! << 8) | bytes[start + 3]!;
  if (length < 4 || (length !== end - start && !(cut && length > end - start))) return false;
  const npdu = npduAt(bytes, start);
  return npdu < 0 || (npdu < end && bytes[npdu] === 1);
}

/** Where the NPDU begins, -1 where the function carries none. */
function npduAt(bytes: Uint8Array, start: number): number {
  const f = bytes[start + 1]!;
  if (f === 4) return start + 10;
  return f === 9 || f === 10 || f === 11 ? start + 4 : -1;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function readBacnet(payload: Payload, out: ObservationSink): void {
  const { bytes, start, end } = payload;
  if (end - start < 4 || bytes[start] !== 0x81) {
    out.event('bacnet_bad_header');
    return;
  }
  if (u16(bytes, start + 2) !== end - start && !payload.cut) out.event('bacnet_bad_length');
  const bvlc = bytes[start + 1]!;
  let at = npduAt(bytes, start);
  if (at < 0) {
    out.begin(bacnetControl);
    out.number(bacnetControl.at.bvlc_function, bvlc);
    out.number(bacnetControl.at.is_write, bvlc === 1 || bvlc === 5 || bvlc === 8 ? 1 : 0);
    out.end();
    return;
  }
  const control = end - at >= 2 && bytes[at] === 1 ? bytes[at + 1]! : -1;
  at += 2;
  let network = -1;
  if (control >= 0 && (control & 0x20) !== 0) at = end - at >= 3 ? at + 3 + bytes[at + 2]! : end + 1;
  if (control >= 0 && (control & 0x08) !== 0) {
    if (end - at >= 3) network = u16(bytes, at);
    at = end - at >= 3 ? at + 3 + bytes[at + 2]! : end + 1;
  }
  if (control >= 0 && (control & 0x20) !== 0) at++;
  if (control < 0 || at >= end) {
    if (!payload.cut) out.event('bacnet_bad_npdu');
    return;
  }
  if ((control & 0x80) !== 0) {
    const kind = bytes[at]!;
    out.begin(bacnetControl);
    out.number(bacnetControl.at.bvlc_function, bvlc);
    out.number(bacnetControl.at.network_message, kind);
    out.number(bacnetControl.at.is_write, kind === 6 || kind === 8 || kind === 9 ? 1 : 0);
    out.end();
    return;
  }
  apdu(bytes, at, end, bvlc, network, payload.cut, out);
}

function apdu(
  bytes: Uint8Array,
  start: number,
  end: number,
  bvlc: number,
  network: number,
  cut: boolean,
  out: ObservationSink,
): void {
  const type = bytes[start]! >> 4;
  const segmented = (bytes[start]! & 8) !== 0;
  let at = start + 1;
  let invoke = -1;
  let service = -1;
  const field = bacnetMessage.at;
  if (type === 0) at++;
  if (type !== 1 && type <= 7) {
    if (at < end) invoke = bytes[at]!;
    at++;
  }
  if ((type === 0 || type === 3) && segmented) at += 2;
  if (type <= 3 || type === 5) {
    if (at < end) service = bytes[at]!;
    at++;
  }
  if (type > 7 || at > end) {
    if (!cut) out.event('bacnet_bad_apdu');
    return;
  }
  out.begin(bacnetMessage);
  out.string(field.pdu, PDUS[type]!);
  let name = '';
  if (service >= 0) {
    name = (type === 1 ? UNCONFIRMED[service] : CONFIRMED[service]) ?? numbered('service-', service);
    out.string(field.service, name);
    out.number(field.service_choice, service);
  }
  if (invoke >= 0) out.number(field.invoke_id, invoke);
  const request = type <= 1;
  out.number(field.is_write, request && WRITES.has(name) ? 1 : 0);
  if (type === 6 || type === 7) {
    if (at < end) out.number(field.reason, bytes[at]!);
  } else if (type === 5) {
    if (end - at >= 4 && bytes[at] === 0x91 && bytes[at + 2] === 0x91) {
      out.number(field.error_class, bytes[at + 1]!);
      out.number(field.error_code, bytes[at + 3]!);
    }
  } else if (type === 1 && service === 0) iAm(bytes, at, end, out);
  else if (type === 1 && service === 8) whoIs(bytes, at, end, out);
  else if (type !== 4 && type !== 2) target(bytes, at, end, out);
  out.number(field.bvlc_function, bvlc);
  if (network >= 0) out.number(field.source_network, network);
  out.end();
}

/** An unsigned value of 1 to 4 bytes. */
function unsigned(bytes: Uint8Array, at: number, length: number): number {
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + bytes[at + i]!;
  return value;
}

function iAm(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const field = bacnetMessage.at;
  if (end - at < 5 || bytes[at] !== 0xc4) return;
  const id = unsigned(bytes, at + 1, 4);
  out.number(field.object_type, Math.floor(id / 0x400000));
  out.number(field.device_instance, id % 0x400000);
  at += 5;
  // max APDU (unsigned), segmentation (enumerated), vendor (unsigned)
  for (let i = 0; i < 3 && at < end; i++) {
    const length = bytes[at]! & 7;
    if (length < 1 || length > 4 || end - at - 1 < length) return;
    if (i === 0) out.number(field.max_apdu, unsigned(bytes, at + 1, length));
    if (i === 2) out.number(field.vendor_id, unsigned(bytes, at + 1, length));
    at += 1 + length;
  }
}

function whoIs(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  for (let i = 0; i < 2 && at < end; i++) {
    const length = bytes[at]! & 7;
    if (bytes[at]! >> 4 !== i || length < 1 || length > 4 || end - at - 1 < length) return;
    out.number(i === 0 ? bacnetMessage.at.low_limit : bacnetMessage.at.high_limit, unsigned(bytes, at + 1, length));
    at += 1 + length;
  }
}

/** The first object identifier and the first property that follows it, among context tags of the service's start. */
function target(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const field = bacnetMessage.at;
  let object = false;
  for (let i = 0; i < 8 && at < end; i++) {
    const tag = bytes[at]!;
    let length = tag & 7;
    const context = (tag & 8) !== 0;
    at++;
    if (context && length >= 6) continue;
    if (length === 5) {
      if (at >= end) return;
      length = bytes[at]!;
      at++;
      if (length >= 254) return;
    }
    if (end - at < length) return;
    if (!object && length === 4 && ((context && tag >> 4 <= 2) || tag >> 4 === 12)) {
      const id = unsigned(bytes, at, 4);
      out.number(field.object_type, Math.floor(id / 0x400000));
      out.number(field.instance, id % 0x400000);
      object = true;
    } else if (object && context && length >= 1 && length <= 4) {
      out.number(field.property, unsigned(bytes, at, length));
      return;
    }
    at += length;
  }
}
