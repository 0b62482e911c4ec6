/**
 * WS-Discovery 1.1 (OASIS, 2009) and the member submission of 2005, as DPWS and IEEE 11073-20702 (SDC) use it:
 * one SOAP 1.2 envelope a datagram.
 *
 *   envelope = Header{ Action MessageID RelatesTo? AppSequence? To } Body{ Hello | Bye | Probe | ProbeMatches |
 *              Resolve | ResolveMatches }
 *   each     = { EndpointReference{ Address } Types? Scopes? XAddrs? MetadataVersion? }
 *
 * Elements are found by local name, whatever the prefix; that is enough for documents this small and flat,
 * and it needs no memory. Entities are not resolved: none occurs in what is read.
 */
import { decimal, find, findWord, startsWith, trimEnd, trimStart } from '../ascii.ts';
import { wsdMessage } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

const ACTIONS = ['Hello', 'Bye', 'ProbeMatches', 'Probe', 'ResolveMatches', 'Resolve'];
/** The beginning that must hold the names of SOAP and of the discovery. */
const HEAD_BYTES = 2048;

export function looksLikeDiscovery(bytes: Uint8Array, start: number, end: number): boolean {
  const at = trimStart(bytes, start, Math.min(end, start + 8));
  if (bytes[at] !== 0x3c && !startsWith(bytes, at, end, '\u00ef\u00bb\u00bf<')) return false;
  const head = Math.min(end, start + HEAD_BYTES);
  const envelope = findWord(bytes, at, Math.min(head, at + 256), 'Envelope');
  if (envelope < 0) return false;
  return (
    findWord(bytes, envelope, head, 'ws-dd/ns/discovery') >= 0 ||
    findWord(bytes, envelope, head, 'ws/2005/04/discovery') >= 0
  );
}

/** Where the element that is being looked at has its content; -1 while there is none. */
interface Element {
  from: number;
  to: number;
  /** Range of the attributes. */
  attributes: number;
}

const element: Element = { from: -1, to: -1, attributes: -1 };

/** The next start tag with this local name from `at` on; false where there is none. */
function next(bytes: Uint8Array, at: number, end: number, name: string): boolean {
  for (;;) {
    const hit = findWord(bytes, at, end, name);
    if (hit < 0) return false;
    at = hit + name.length;
    const after = bytes[at];
    const closes = at < end && (after === 0x3e || after === 0x2f || after! <= 0x20);
    if (!closes || !opensTag(bytes, hit)) continue;
    const tagEnd = find(bytes, at, end, 0x3e);
    if (tagEnd >= end) return false;
    element.attributes = at;
    if (bytes[tagEnd - 1] === 0x2f) {
      element.from = tagEnd;
      element.to = tagEnd;
    } else {
      element.from = trimStart(bytes, tagEnd + 1, end);
      element.to = find(bytes, element.from, end, 0x3c);
    }
    return true;
  }
}

/** Whether what stands before the local name at `at` is `<` or `<prefix:`. */
function opensTag(bytes: Uint8Array, at: number): boolean {
  for (let i = at - 1, n = 0; i >= floor && n < 40; i--, n++) {
    if (bytes[i] === 0x3c) return n === 0 || bytes[at - 1] === 0x3a;
    if (bytes[i] === 0x2f || bytes[i]! <= 0x20 || bytes[i] === 0x22 || bytes[i] === 0x3e) return false;
  }
  return false;
}

// Where the document at hand begins: the walk backwards in opensTag stops there.
let floor = 0;

function trimmedText(out: ObservationSink, field: number, bytes: Uint8Array, kind: 'token' | 'text'): void {
  const to = trimEnd(bytes, element.from, element.to);
  if (kind === 'token') out.token(field, bytes, element.from, to);
  else out.text(field, bytes, element.from, to);
}

function attribute(bytes: Uint8Array, end: number, name: string): number {
  const tagEnd = find(bytes, element.attributes, end, 0x3e);
  const at = findWord(bytes, element.attributes, tagEnd, name);
  if (at < 0) return -1;
  const value = find(bytes, at, tagEnd, 0x22) + 1;
  return decimal(bytes, value, find(bytes, value, tagEnd, 0x22));
}

export function readDiscovery(payload: Payload, out: ObservationSink): void {
  const { bytes, start, end } = payload;
  floor = start;
  let action = '';
  if (next(bytes, start, end, 'Action')) {
    const slash = lastSlash(bytes, element.from, element.to);
    for (let i = 0; i < ACTIONS.length && action === ''; i++) {
      if (startsWith(bytes, slash, element.to, ACTIONS[i]!)) action = ACTIONS[i]!;
    }
  }
  if (action === '') {
    out.event(payload.cut ? 'wsdiscovery_cut' : 'wsdiscovery_unknown_action');
    return;
  }
  const field = wsdMessage.at;
  out.begin(wsdMessage);
  out.string(field.action, action);
  if (next(bytes, start, end, 'MessageID')) trimmedText(out, field.message_id, bytes, 'token');
  if (next(bytes, start, end, 'RelatesTo')) trimmedText(out, field.relates_to, bytes, 'token');
  if (next(bytes, start, end, 'AppSequence')) {
    const instance = attribute(bytes, end, 'InstanceId');
    if (instance >= 0) out.number(field.instance_id, instance);
    const message = attribute(bytes, end, 'MessageNumber');
    if (message >= 0) out.number(field.message_number, message);
  }
  let matches = 0;
  for (let at = start; next(bytes, at, end, 'EndpointReference');) {
    at = element.from;
    if (!next(bytes, at, end, 'Address')) break;
    if (matches === 0) trimmedText(out, field.endpoint, bytes, 'token');
    matches++;
    at = element.to;
  }
  out.number(field.matches, matches);
  if (next(bytes, start, end, 'Types')) types(bytes, out);
  if (next(bytes, start, end, 'Scopes')) out.number(field.scope_count, words(bytes, element.from, element.to));
  if (next(bytes, start, end, 'XAddrs')) addresses(bytes, out);
  if (next(bytes, start, end, 'MetadataVersion')) {
    const version = decimal(bytes, element.from, trimEnd(bytes, element.from, element.to));
    if (version >= 0) out.number(field.metadata_version, version);
  }
  out.end();
}

function lastSlash(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  for (let i = from; i < to; i++) if (bytes[i] === 0x2f) at = i + 1;
  return at;
}

function wordEnd(bytes: Uint8Array, at: number, to: number): number {
  while (at < to && bytes[at]! > 0x20) at++;
  return at;
}

function words(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let at = trimStart(bytes, from, to); at < to; at = trimStart(bytes, wordEnd(bytes, at, to), to)) count++;
  return count;
}

function types(bytes: Uint8Array, out: ObservationSink): void {
  const field = wsdMessage.at;
  let names = '';
  let dpws = 0;
  let medical = 0;
  for (let at = element.from; at < element.to;) {
    const end = wordEnd(bytes, at, element.to);
    const colon = find(bytes, at, end, 0x3a);
    const local = colon < end ? colon + 1 : at;
    if (end - local === 6 && startsWith(bytes, local, end, 'Device')) dpws = 1;
    if (end - local === 13 && startsWith(bytes, local, end, 'MedicalDevice')) medical = 1;
    if (names.length < 96) {
      if (names !== '') names += ' ';
      for (let i = local; i < Math.min(end, local + 40); i++) {
        names += bytes[i]! < 0x7f ? String.fromCharCode(bytes[i]!) : '?';
      }
    }
    at = trimStart(bytes, end, element.to);
  }
  out.string(field.types, names);
  out.number(field.is_dpws_device, dpws);
  out.number(field.is_medical_device, medical);
}

function addresses(bytes: Uint8Array, out: ObservationSink): void {
  const field = wsdMessage.at;
  const { from, to } = element;
  const firstEnd = wordEnd(bytes, from, to);
  const host = findWord(bytes, from, firstEnd, '://');
  if (host >= 0) out.text(field.xaddr, bytes, from, find(bytes, host + 3, firstEnd, 0x2f));
  out.number(field.xaddr_count, words(bytes, from, to));
  let plain = 0;
  for (let at = from; at < to; at = trimStart(bytes, wordEnd(bytes, at, to), to)) {
    if (startsWith(bytes, at, to, 'http:')) plain = 1;
  }
  out.number(field.is_plain_http, plain);
}
