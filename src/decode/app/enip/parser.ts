/**
 * EtherNet/IP and CIP (ODVA volumes 1 and 2), little endian:
 *
 *   message  = command(2) length(2) session(4) status(4) context(8) options(4) data(length)
 *   command  = 04 services | 63 identity | 64 interfaces | 65 register | 66 unregister | 6F request | 70 connected data
 *   6F, 70   = handle(4) timeout(2) count(2) { type(2) length(2) item }      B2 CIP, B1 sequence(2) CIP, 0C identity
 *   CIP      = service(1, top bit: answer) words(1) path | service(1) 0 status(1) words(1) more(2 * words)
 *   path     = { 20 class(1) | 21 0 class(2) | 24 instance(1) | 25 0 instance(2) | 30 attribute(1) | 91 length(1) symbol }
 *   identity = version(2) family(2 BE) port(2 BE) address(4) zeros(8) vendor(2) type(2) product(2) revision(2) status(2)
 *              serial(4) length(1) name state(1)
 */
import { numbered } from '../ascii.ts';
import { ipv4At } from '../addresses.ts';
import { enipCip, enipCommand, enipIdentity } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

export const HEADER_BYTES = 24;
const MOST_ITEMS = 8;

const COMMANDS: Readonly<Record<number, string>> = {
  0x04: 'list-services',
  0x63: 'list-identity',
  0x64: 'list-interfaces',
  0x65: 'register-session',
  0x66: 'unregister-session',
  0x6f: 'send-rr-data',
  0x70: 'send-unit-data',
  0x00: 'nop',
};
const SERVICES: Readonly<Record<number, string>> = {
  0x01: 'get-attributes-all',
  0x02: 'set-attributes-all',
  0x03: 'get-attribute-list',
  0x04: 'set-attribute-list',
  0x05: 'reset',
  0x06: 'start',
  0x07: 'stop',
  0x08: 'create',
  0x09: 'delete',
  0x0a: 'multiple-service',
  0x0e: 'get-attribute-single',
  0x10: 'set-attribute-single',
  0x4b: 'execute-pccc',
  0x4c: 'read-tag',
  0x4d: 'write-tag',
  0x4e: 'forward-close',
  0x52: 'unconnected-send',
  0x53: 'write-tag-fragmented',
  0x54: 'forward-open',
  0x55: 'get-instance-attribute-list',
  0x5b: 'large-forward-open',
};

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) + u16(bytes, at + 2) * 0x10000;
}

/** 1 a message begins here, 0 cannot tell yet, -1 none does. */
export function looksLikeEnip(bytes: Uint8Array, at: number, end: number): number {
  const n = end - at;
  if (n < 2) return n === 1 && COMMANDS[bytes[at]!] === undefined ? -1 : 0;
  const command = u16(bytes, at);
  if (command === 0 || COMMANDS[command] === undefined) return -1;
  if (n < HEADER_BYTES) return 0;
  const length = u16(bytes, at + 2);
  // Options are zero, the status one of a few, and the length that of the command.
  if (u32(bytes, at + 20) !== 0 || u32(bytes, at + 8) > 0x69) return -1;
  if (command === 0x65) return length === 4 ? 1 : -1;
  if (command === 0x66) return length === 0 ? 1 : -1;
  if (command >= 0x6f) return length >= 6 || u32(bytes, at + 8) !== 0 ? 1 : -1;
  return length <= 512 ? 1 : -1;
}

/** Reads the message whose bytes are here from `at` to `end`. */
export function readMessage(bytes: Uint8Array, at: number, end: number, response: boolean, out: ObservationSink): void {
  const command = u16(bytes, at);
  const status = u32(bytes, at + 8);
  const data = at + HEADER_BYTES;
  if (command === 0x6f || command === 0x70) {
    if (end - data >= 8) items(bytes, data + 6, end, out);
    else if (status === 0) out.event('enip_bad_item');
    return;
  }
  if (command === 0x63 && end - data >= 2) items(bytes, data, end, out);
  const name = COMMANDS[command];
  if (name === undefined || command === 0) return;
  out.begin(enipCommand);
  out.string(enipCommand.at.command, name);
  out.number(enipCommand.at.is_response, response ? 1 : 0);
  if (response) out.number(enipCommand.at.status, status);
  out.end();
}

function items(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const count = Math.min(u16(bytes, at), MOST_ITEMS);
  at += 2;
  for (let i = 0; i < count; i++) {
    if (end - at < 4 || u16(bytes, at + 2) > end - at - 4) {
      out.event('enip_bad_item');
      return;
    }
    const type = u16(bytes, at);
    const from = at + 4;
    const to = from + u16(bytes, at + 2);
    if (type === 0x0c) identity(bytes, from, to, out);
    else if (type === 0xb2) cip(bytes, from, to, 0, out);
    else if (type === 0xb1 && to - from >= 2) cip(bytes, from + 2, to, 1, out);
    at = to;
  }
}

/** @cold A few times a device. */
function identity(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  if (end - at < 33) {
    out.event('enip_bad_item');
    return;
  }
  const field = enipIdentity.at;
  out.begin(enipIdentity);
  out.string(field.ip, ipv4At(bytes, at + 6));
  out.number(field.vendor_id, u16(bytes, at + 18));
  out.number(field.device_type, u16(bytes, at + 20));
  out.number(field.product_code, u16(bytes, at + 22));
  out.string(field.revision, `${bytes[at + 24]}.${bytes[at + 25]}`);
  out.string(
    field.serial,
    u32(bytes, at + 28)
      .toString(16)
      .padStart(8, '0'),
  );
  const stop = at + 33 + bytes[at + 32]!;
  if (stop <= end) out.text(field.product, bytes, at + 33, stop);
  if (stop < end) out.number(field.state, bytes[stop]!);
  out.end();
}

function isWrite(service: number, classId: number): boolean {
  if (service === 0x02 || service === 0x04 || service === 0x10 || service === 0x4d || service === 0x53) return true;
  return (service >= 0x05 && service <= 0x09) || (service === 0x4b && classId === 0x67);
}

function cip(bytes: Uint8Array, at: number, end: number, connected: number, out: ObservationSink): void {
  if (end - at < 2) return;
  const service = bytes[at]! & 0x7f;
  const response = bytes[at]! >= 0x80;
  const field = enipCip.at;
  if (response) {
    out.begin(enipCip);
    out.string(field.service, SERVICES[service] ?? numbered('service-', service));
    out.number(field.service_code, service);
    out.number(field.is_response, 1);
    if (end - at >= 3) out.number(field.status, bytes[at + 2]!);
    out.number(field.is_write, 0);
    out.number(field.connected, connected);
    out.end();
    return;
  }
  const pathEnd = at + 2 + 2 * bytes[at + 1]!;
  if (pathEnd > end) {
    out.event('enip_bad_cip');
    return;
  }
  let classId = -1;
  let instance = -1;
  let attribute = -1;
  for (let segment = at + 2; pathEnd - segment >= 2;) {
    const kind = bytes[segment]!;
    const wide = (kind & 3) === 1 && kind !== 0x91;
    const value = wide ? (pathEnd - segment >= 4 ? u16(bytes, segment + 2) : -1) : bytes[segment + 1]!;
    if (kind === 0x20 || kind === 0x21) classId = value;
    else if (kind === 0x24 || kind === 0x25) instance = value;
    else if (kind === 0x30 || kind === 0x31) attribute = value;
    segment += kind === 0x91 ? 2 + bytes[segment + 1]! + (bytes[segment + 1]! & 1) : wide ? 4 : 2;
  }
  out.begin(enipCip);
  out.string(field.service, SERVICES[service] ?? numbered('service-', service));
  out.number(field.service_code, service);
  out.number(field.is_response, 0);
  if (classId >= 0) out.number(field.class_id, classId);
  if (instance >= 0) out.number(field.instance, instance);
  if (attribute >= 0) out.number(field.attribute, attribute);
  out.number(field.is_write, isWrite(service, classId) ? 1 : 0);
  out.number(field.connected, connected);
  out.end();
  // An unconnected send to the connection manager wraps the request that matters.
  if (service === 0x52 && classId === 6 && end - pathEnd >= 4) {
    const inner = pathEnd + 4;
    const innerEnd = inner + u16(bytes, pathEnd + 2);
    if (innerEnd <= end && innerEnd - inner >= 2 && (bytes[inner]! & 0x7f) !== 0x52)
      cip(bytes, inner, innerEnd, connected, out);
  }
}
