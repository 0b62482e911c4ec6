/**
 * Philips IntelliVue Data Export (Data Export Interface Programming Guide), one message a datagram, big endian:
 *
 *   connect indication = nomenclature(4) ROapdus ROIVapdu event attributes              broadcast to UDP 24005
 *   association        = session(1: 0D request 0E accept 0C refuse 09 release 0A released 19 abort)
 *                        length(1, or FF and 2) body
 *   data               = E100 0002 ROapdus ( ROIVapdu | RORSapdu | ROLRSapdu | ROERapdu )
 *   ROapdus            = type(2: 1 invoke 2 result 3 error 5 linked result) length(2)
 *   ROIVapdu, RORSapdu = invoke(2) command(2) length(2); ROLRSapdu = state(1) count(1) and the same; ROERapdu =
 *                        invoke(2) error(2) length(2)
 *   event              = object(6) time(4) type(2) length(2); type 0D06 MDS create: object(6) attributes
 *   action             = object(6) scope(4) type(2) length(2) poll(2) partition(2) class(2) group(2)
 *   attributes         = count(2) length(2) { id(2) length(2) value }
 *
 * Attributes that name the patient are not read; labels of beds leave only as tokens.
 */
import { ipv4At, macAt } from '../addresses.ts';
import { numbered, trimEnd } from '../ascii.ts';
import { ivAssociation, ivConnect, ivMdsCreate, ivOperation } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

const MOST_ATTRIBUTES = 64;
const POLL = 0x0c16;
const POLL_EXTENDED = 0xf13b;

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function stepName(first: number): string {
  switch (first) {
    case 0x0d:
      return 'request';
    case 0x0e:
      return 'accept';
    case 0x0c:
      return 'refuse';
    case 0x09:
      return 'release-request';
    case 0x0a:
      return 'release-response';
    case 0x19:
      return 'abort';
    default:
      return '';
  }
}

/** Which of the three forms the datagram has: 0 none, 1 connect indication, 2 association, 3 data. */
export function formOf(bytes: Uint8Array, start: number, end: number): number {
  const n = end - start;
  if (n < 4) return 0;
  if (bytes[start] === 0xe1 && bytes[start + 1] === 0 && bytes[start + 2] === 0 && bytes[start + 3] === 2) {
    if (n < 14) return 0;
    const type = u16(bytes, start + 4);
    return type === 1 || type === 2 || type === 3 || type === 5 ? 3 : 0;
  }
  if (bytes[start] === 0 && bytes[start + 1]! + bytes[start + 2]! === 1 && bytes[start + 3] === 0) {
    if (n < 32) return 0;
    // Invoke of an event report without confirmation, about a system, with the connect event.
    const invoke = u16(bytes, start + 4) === 1 && u16(bytes, start + 10) <= 1;
    const event = u16(bytes, start + 24);
    return invoke && (event === 0x0d16 || event === 0x0d17) && u16(bytes, start + 6) <= n - 8 + 64 ? 1 : 0;
  }
  if (stepName(bytes[start]!) === '') return 0;
  const length = bytes[start + 1]! === 0xff ? u16(bytes, start + 2) + 4 : bytes[start + 1]! + 2;
  if (length !== n && length + 8 < n) return 0;
  // The session header of a request or accept names session version 2 and the session requirements.
  if (bytes[start] === 0x0d || bytes[start] === 0x0e) {
    const body = bytes[start + 1] === 0xff ? start + 4 : start + 2;
    return n >= 16 && bytes[body] === 0x05 && bytes[body + 1] === 0x08 && bytes[body + 2] === 0x13 ? 2 : 0;
  }
  return bytes[start + 2] === 0xc1 || bytes[start + 2] === 0x11 || bytes[start + 4] === 0xc1 ? 2 : 0;
}

export function readIntellivue(payload: Payload, out: ObservationSink): void {
  const { bytes, start, end } = payload;
  switch (formOf(bytes, start, end)) {
    case 1:
      out.begin(ivConnect);
      attributes(ivConnect.at, bytes, start + 28, end, payload.cut, out);
      break;
    case 2:
      out.begin(ivAssociation);
      out.string(ivAssociation.at.step, stepName(bytes[start]!));
      out.number(ivAssociation.at.bytes, end - start);
      out.end();
      break;
    case 3:
      data(payload, out);
      break;
    default:
      out.event('intellivue_bad_header');
  }
}

function operationName(command: number, action: number): string {
  switch (command) {
    case 0:
      return 'event';
    case 1:
      return 'confirmed-event';
    case 3:
      return 'get';
    case 4:
      return 'set';
    case 5:
      return 'confirmed-set';
    case 6:
    case 7:
      if (action === POLL) return 'poll';
      return action === POLL_EXTENDED ? 'poll-extended' : 'action';
    case 8:
    case 9:
      return 'create';
    case 10:
    case 11:
      return 'delete';
    default:
      return numbered('command-', command);
  }
}

function data(payload: Payload, out: ObservationSink): void {
  const { bytes, start, end } = payload;
  const type = u16(bytes, start + 4);
  if (u16(bytes, start + 6) !== end - start - 8 && !payload.cut) out.event('intellivue_bad_length');
  let at = start + 8;
  if (type === 5) at += 2;
  if (end - at < 6) return;
  const invoke = u16(bytes, at);
  const command = u16(bytes, at + 2);
  at += 6;
  const field = ivOperation.at;
  if (type === 3) {
    out.begin(ivOperation);
    out.string(field.phase, 'error');
    out.number(field.error, command);
  } else {
    const hasAction = (command === 6 || command === 7) && end - at >= (type === 1 ? 14 : 10);
    const action = hasAction ? u16(bytes, at + (type === 1 ? 10 : 6)) : 0;
    out.begin(ivOperation);
    out.string(field.operation, operationName(command, action));
    out.string(field.phase, type === 1 ? 'request' : type === 2 ? 'result' : 'linked');
    if (type === 1 && hasAction && (action === POLL || action === POLL_EXTENDED) && end - at >= 20) {
      out.number(field.object_class, u16(bytes, at + 18));
    } else if (type !== 1 && hasAction && end - at >= 28) {
      // poll number(2) [sequence(2)] relative time(4) absolute time(8) partition(2) class(2)
      const more = action === POLL_EXTENDED ? 2 : 0;
      if (end - at >= 28 + more) out.number(field.object_class, u16(bytes, at + 10 + 14 + more + 2));
    }
    const reads = command <= 3 || action === POLL || action === POLL_EXTENDED;
    out.number(field.is_write, type === 1 && !reads ? 1 : 0);
  }
  out.number(field.invoke_id, invoke);
  out.number(field.bytes, end - start);
  out.end();
  if (type !== 1 || command > 1 || end - at < 20 || !isMdsCreate(u16(bytes, at + 10))) return;
  // The list's own length tells where it begins: some senders leave the handle of the object out.
  const short = end - at >= 22 && u16(bytes, at + 20) === end - at - 22;
  out.begin(ivMdsCreate);
  attributes(ivMdsCreate.at, bytes, at + (short ? 18 : 20), end, payload.cut, out);
}

/** 0D06 in the guide; 0C06 is in use by software that imitates a monitor. */
function isMdsCreate(event: number): boolean {
  return event === 0x0d06 || event === 0x0c06;
}

interface AttributeFields {
  manufacturer: number;
  model: number;
  serial: number;
  software: number;
  label: number;
  mac?: number;
  ip?: number;
  system_id?: number;
}

/** Reads an attribute list into the open observation and ends it. */
function attributes(
  field: Readonly<AttributeFields>,
  bytes: Uint8Array,
  at: number,
  end: number,
  cut: boolean,
  out: ObservationSink,
): void {
  let bad = end - at < 4;
  const count = bad ? 0 : Math.min(u16(bytes, at), MOST_ATTRIBUTES);
  at += 4;
  for (let i = 0; i < count && !bad; i++) {
    if (end - at < 4 || u16(bytes, at + 2) > end - at - 4) {
      bad = true;
      break;
    }
    const id = u16(bytes, at);
    const value = at + 4;
    const stop = value + u16(bytes, at + 2);
    if (id === 0x0928) model(field, bytes, value, stop, out);
    else if (id === 0x092d) production(field, bytes, value, stop, out);
    else if (id === 0xf135 || id === 0x091e) out.token(field.label, bytes, value, stop);
    else if (id === 0xf100 && stop - value >= 10) {
      if (field.mac !== undefined) out.string(field.mac, macAt(bytes, value));
      if (field.ip !== undefined) out.string(field.ip, ipv4At(bytes, value + 6));
    } else if (id === 0x0984 && field.system_id !== undefined) out.token(field.system_id, bytes, value, stop);
    at = stop;
  }
  out.end();
  if (bad && !cut) out.event('intellivue_bad_attribute');
}

/** Two labels: manufacturer and model number; each length(2) text, padded with NUL. A lone one is the model. */
function model(
  field: Readonly<AttributeFields>,
  bytes: Uint8Array,
  at: number,
  end: number,
  out: ObservationSink,
): void {
  if (end - at < 2) return;
  const first = Math.min(at + 2 + u16(bytes, at), end);
  const firstEnd = trimEnd(bytes, at + 2, first);
  if (end - first < 4) {
    out.text(field.model, bytes, at + 2, firstEnd);
    return;
  }
  out.text(field.manufacturer, bytes, at + 2, firstEnd);
  const stop = Math.min(first + 2 + u16(bytes, first), end);
  out.text(field.model, bytes, first + 2, trimEnd(bytes, first + 2, stop));
}

/** count(2) length(2) { kind(2) component(2) length(2) text }; kind 1 serial number, 4 software revision. */
function production(
  field: Readonly<AttributeFields>,
  bytes: Uint8Array,
  at: number,
  end: number,
  out: ObservationSink,
): void {
  let serial = false;
  let software = false;
  at += 4;
  while (end - at >= 6) {
    const kind = u16(bytes, at);
    const value = at + 6;
    const stop = value + u16(bytes, at + 4);
    if (stop > end) return;
    const textEnd = trimEnd(bytes, value, stop);
    if (kind === 1 && !serial) {
      serial = true;
      out.text(field.serial, bytes, value, textEnd);
    } else if (kind === 4 && !software) {
      software = true;
      out.text(field.software, bytes, value, textEnd);
    }
    at = stop;
  }
}
