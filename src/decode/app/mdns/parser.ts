/**
 * Multicast DNS and DNS-SD (RFC 6762, 6763): the DNS message of RFC 1035 on port 5353. The top bit of a class
 * asks for unicast (question) or flushes caches (record).
 *
 *   TXT = { length(1) key "=" value }
 *
 * Names of instances are often names of people ("Anna's tablet"): only kinds of service are told.
 */
import { ipv4At, ipv6At } from '../addresses.ts';
import { find, startsWithAnyCase } from '../ascii.ts';
import { createName, HEADER_BYTES, readName, shownFrom, tellFault, typeName } from '../dns/parser.ts';
import { mdnsQuery, mdnsResponse } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

const ALL_LABELS = 128;
const MOST_RECORDS = 64;
const MODEL_KEYS = ['md', 'ty', 'model', 'usb_mdl', 'am', 'mdl'];
const VENDOR_KEYS = ['mfg', 'manufacturer', 'usb_mfg', 'vendor'];
const VERSION_KEYS = ['fw', 'fv', 'srcvers', 'vers', 'version'];

// Scratch for the message at hand: nothing of it outlives a call.
const name = createName();
const host = new Uint8Array(256);

export function looksLikeMdns(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < HEADER_BYTES + 5) return false;
  if ((bytes[start + 2]! & 0x78) !== 0 || (bytes[start + 3]! & 0x0f) !== 0) return false;
  const total = bytes[start + 5]! + bytes[start + 7]! + bytes[start + 9]! + bytes[start + 11]!;
  if ((bytes[start + 4]! | bytes[start + 6]! | bytes[start + 8]! | bytes[start + 10]!) !== 0 || total === 0)
    return false;
  const at = readName(name, bytes, start, start + HEADER_BYTES, end);
  return at > 0 && end - at >= 4 && (bytes[at + 2]! & 0x7f) === 0 && (bytes[at + 3] === 1 || bytes[at + 3] === 255);
}

export function readMdns(bytes: Uint8Array, start: number, end: number, cut: boolean, out: ObservationSink): void {
  const questions = (bytes[start + 4]! << 8) | bytes[start + 5]!;
  const records = bytes[start + 7]! + bytes[start + 9]! + bytes[start + 11]!;
  const response = (bytes[start + 2]! & 0x80) !== 0;
  let at = start + HEADER_BYTES;
  for (let i = 0; i < questions && i < MOST_RECORDS; i++) {
    at = readName(name, bytes, start, at, end);
    if (at < 0 || end - at < 4) {
      if (at < 0) tellFault(name, cut, out);
      else if (!cut) out.event('dns_bad_record');
      return;
    }
    if (i === 0 && !response) {
      out.begin(mdnsQuery);
      out.text(mdnsQuery.at.name, name.text, serviceFrom(), name.length);
      out.string(mdnsQuery.at.query_type, typeName((bytes[at]! << 8) | bytes[at + 1]!));
      out.number(mdnsQuery.at.questions, questions);
      out.end();
    }
    at += 4;
  }
  if (!response) return;
  const field = mdnsResponse.at;
  out.begin(mdnsResponse);
  let services = '';
  let addresses = '';
  let hostLength = 0;
  for (let i = 0; i < records && i < MOST_RECORDS; i++) {
    at = readName(name, bytes, start, at, end);
    const length = at < 0 || end - at < 10 ? -1 : (bytes[at + 8]! << 8) | bytes[at + 9]!;
    if (length < 0 || length > end - at - 10) {
      if (at < 0) tellFault(name, cut, out);
      else if (!cut) out.event('dns_bad_record');
      break;
    }
    const type = (bytes[at]! << 8) | bytes[at + 1]!;
    const data = at + 10;
    if ((type === 1 && length === 4) || (type === 28 && length === 16)) {
      if (hostLength === 0) {
        const from = shownFrom(name, ALL_LABELS);
        hostLength = name.length - from;
        for (let k = 0; k < hostLength; k++) host[k] = name.text[from + k]!;
      }
      const address = type === 1 ? ipv4At(bytes, data) : ipv6At(bytes, data);
      if (addresses.length + address.length < 127) addresses += (addresses === '' ? '' : ' ') + address;
    } else if (type === 12 || type === 33) {
      const service = serviceName();
      if (
        service !== '' &&
        services.length + service.length < 127 &&
        !(' ' + services + ' ').includes(' ' + service + ' ')
      ) {
        services += (services === '' ? '' : ' ') + service;
      }
    } else if (type === 16) txt(bytes, data, data + length, out);
    at = data + length;
  }
  out.text(field.host, host, 0, hostLength);
  out.string(field.addresses, addresses);
  out.string(field.services, services);
  out.number(field.records, records);
  out.end();
}

/** Where `_service._proto…` begins in the name, or the whole of it where it names no service. */
function serviceFrom(): number {
  for (let i = 0; i < name.labels; i++) if (name.text[name.starts[i]!] === 0x5f) return name.starts[i]!;
  return shownFrom(name, ALL_LABELS);
}

/** `_service._proto` of the name, empty where it has none. */
function serviceName(): string {
  for (let i = 0; i + 1 < name.labels; i++) {
    const from = name.starts[i]!;
    if (name.text[from] !== 0x5f || name.text[name.starts[i + 1]!] !== 0x5f) continue;
    const to = i + 2 < name.labels ? name.starts[i + 2]! - 1 : name.length;
    let out = '';
    for (let k = from; k < to && out.length < 40; k++) {
      const byte = name.text[k]!;
      out += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?';
    }
    return out;
  }
  return '';
}

function isKey(bytes: Uint8Array, from: number, equals: number, keys: readonly string[]): boolean {
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (equals - from === key.length && startsWithAnyCase(bytes, from, equals, key)) return true;
  }
  return false;
}

function txt(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const field = mdnsResponse.at;
  while (at < end) {
    const from = at + 1;
    const to = Math.min(from + bytes[at]!, end);
    const equals = find(bytes, from, to, 0x3d);
    if (equals < to) {
      if (isKey(bytes, from, equals, MODEL_KEYS)) out.text(field.model, bytes, equals + 1, to);
      else if (isKey(bytes, from, equals, VENDOR_KEYS)) out.text(field.vendor, bytes, equals + 1, to);
      else if (isKey(bytes, from, equals, VERSION_KEYS)) out.text(field.version, bytes, equals + 1, to);
    }
    at = to;
  }
}
