/**
 * OPC UA connection protocol (IEC 62541-6), little endian:
 *
 *   message = type(3 letters) chunk(1: F last, C more, A abort) size(4, all of it) body
 *   HEL     = version(4) sizes(16) endpoint;  ACK = version(4) sizes(16);  ERR = code(4) reason
 *   OPN     = channel(4) policy certificate thumbprint sequence(4) request(4) ...
 *   MSG     = channel(4) token(4) sequence(4) request(4) type ...;  CLO the same
 *   type    = 01 namespace(1) id(2) | 00 id(1) | 02 namespace(2) id(4)
 *   string  = length(4, -1 = none) bytes
 */
import { opcuaChannel, opcuaError, opcuaHello, opcuaService } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

export const HEADER_BYTES = 8;
const MOST_SIZE = 0x1000000;

/** Numbers of the requests in binary encoding; the answer has the number plus 3. */
const SERVICES: Readonly<Record<number, string>> = {
  422: 'FindServers',
  428: 'GetEndpoints',
  437: 'RegisterServer',
  446: 'OpenSecureChannel',
  452: 'CloseSecureChannel',
  461: 'CreateSession',
  467: 'ActivateSession',
  473: 'CloseSession',
  479: 'Cancel',
  488: 'AddNodes',
  494: 'AddReferences',
  500: 'DeleteNodes',
  506: 'DeleteReferences',
  527: 'Browse',
  533: 'BrowseNext',
  554: 'TranslateBrowsePaths',
  560: 'RegisterNodes',
  566: 'UnregisterNodes',
  615: 'QueryFirst',
  621: 'QueryNext',
  631: 'Read',
  664: 'HistoryRead',
  673: 'Write',
  700: 'HistoryUpdate',
  712: 'Call',
  751: 'CreateMonitoredItems',
  763: 'ModifyMonitoredItems',
  769: 'SetMonitoringMode',
  775: 'SetTriggering',
  781: 'DeleteMonitoredItems',
  787: 'CreateSubscription',
  793: 'ModifySubscription',
  799: 'SetPublishingMode',
  826: 'Publish',
  832: 'Republish',
  841: 'TransferSubscriptions',
  847: 'DeleteSubscriptions',
};
const WRITES = new Set([488, 494, 500, 506, 673, 700, 712]);
const FAULT = 397;

const TYPES = ['HEL', 'ACK', 'ERR', 'RHE', 'OPN', 'MSG', 'CLO'];

function u32(bytes: Uint8Array, at: number): number {
  return bytes[at]! + ((bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)) + bytes[at + 3]! * 0x1000000;
}

/** Place of the type in TYPES, -1 where there is none. */
export function typeOf(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < TYPES.length; i++) {
    const name = TYPES[i]!;
    if (
      bytes[at] === name.charCodeAt(0) &&
      bytes[at + 1] === name.charCodeAt(1) &&
      bytes[at + 2] === name.charCodeAt(2)
    )
      return i;
  }
  return -1;
}

/** 1 a message begins here, 0 cannot tell yet, -1 none does. */
export function looksLikeOpcua(bytes: Uint8Array, at: number, end: number): number {
  const n = end - at;
  if (n < 3) return n > 0 && !'HAEROMC'.includes(String.fromCharCode(bytes[at]!)) ? -1 : 0;
  const type = typeOf(bytes, at);
  if (type < 0) return -1;
  if (n > 3 && bytes[at + 3] !== 0x46 && (type < 5 || (bytes[at + 3] !== 0x43 && bytes[at + 3] !== 0x41))) return -1;
  if (n < HEADER_BYTES) return 0;
  const size = u32(bytes, at + 4);
  if (size < (type === 1 ? 28 : type === 0 ? 32 : 12) || size > MOST_SIZE) return -1;
  return 1;
}

/** Bytes of the whole message at `at`. */
export function sizeOf(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + 4);
}

/** Bytes of the string at `at`, or -1 where it does not fit. */
function stringLength(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 4) return -1;
  const length = u32(bytes, at);
  if (length === 0xffffffff) return 0;
  return length <= end - at - 4 ? length : -1;
}

/**
 * Reads the message of which the bytes from `at` to `end` are here. `encrypted` tells that the channel's policy is not
 * None. Returns 1 where an OPN names a policy that hides the services, 0 where it names None, -1 otherwise.
 */
export function readMessage(
  bytes: Uint8Array,
  at: number,
  end: number,
  response: boolean,
  encrypted: boolean,
  out: ObservationSink,
): number {
  const type = typeOf(bytes, at);
  const body = at + HEADER_BYTES;
  if (type === 0 && end - body >= 24) {
    out.begin(opcuaHello);
    out.number(opcuaHello.at.version, u32(bytes, body));
    const length = stringLength(bytes, body + 20, end);
    if (length > 0) out.text(opcuaHello.at.endpoint, bytes, body + 24, body + 24 + length);
    out.end();
  } else if (type === 2 && end - body >= 4) {
    out.begin(opcuaError);
    out.number(opcuaError.at.code, u32(bytes, body));
    out.end();
  } else if (type === 4) return channel(bytes, body, end, response, out);
  else if ((type === 5 || type === 6) && !encrypted && bytes[at + 3] !== 0x41) service(bytes, body, end, out);
  return -1;
}

function channel(bytes: Uint8Array, at: number, end: number, response: boolean, out: ObservationSink): number {
  const length = end - at >= 8 ? stringLength(bytes, at + 4, end) : -1;
  if (length < 0) {
    out.event('opcua_bad_size');
    return -1;
  }
  const from = at + 8;
  const to = from + length;
  let name = to;
  while (name > from && bytes[name - 1] !== 0x23 && bytes[name - 1] !== 0x2f) name--;
  const field = opcuaChannel.at;
  out.begin(opcuaChannel);
  out.number(field.channel, u32(bytes, at));
  out.text(field.policy, bytes, name, to);
  out.number(field.is_response, response ? 1 : 0);
  out.number(field.has_certificate, stringLength(bytes, to, end) > 0 ? 1 : 0);
  out.end();
  const none =
    to - name === 4 &&
    bytes[name] === 0x4e &&
    bytes[name + 1] === 0x6f &&
    bytes[name + 2] === 0x6e &&
    bytes[name + 3] === 0x65;
  return none ? 0 : 1;
}

function service(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  if (end - at < 18) return;
  const node = at + 16;
  let id = -1;
  if (bytes[node] === 0) id = bytes[node + 1]!;
  else if (bytes[node] === 1 && end - node >= 4 && bytes[node + 1] === 0)
    id = bytes[node + 2]! | (bytes[node + 3]! << 8);
  else if (bytes[node] === 2 && end - node >= 7) id = u32(bytes, node + 3);
  if (id < 0) return;
  const request = SERVICES[id];
  const answer = SERVICES[id - 3];
  // The later chunks of a message begin with anything: what names no service is not told.
  if (request === undefined && answer === undefined && id !== FAULT) return;
  const field = opcuaService.at;
  out.begin(opcuaService);
  out.string(field.service, request ?? answer ?? 'ServiceFault');
  out.number(field.service_id, id);
  out.number(field.is_response, request === undefined ? 1 : 0);
  out.number(field.is_write, request !== undefined && WRITES.has(id) ? 1 : 0);
  out.number(field.request_id, u32(bytes, at + 12));
  out.end();
}
