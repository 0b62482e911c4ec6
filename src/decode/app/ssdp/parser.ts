/**
 * SSDP (UPnP Device Architecture 1.1 section 1), HTTP headers in a datagram:
 *
 *   message = ( "NOTIFY * HTTP/1.1" | "M-SEARCH * HTTP/1.1" | "HTTP/1.1 200 OK" ) { CR LF name ":" value } CR LF CR LF
 */
import { decimal, find, findWord, isDigit, startsWith, startsWithAnyCase, trimEnd, trimStart } from '../ascii.ts';
import { ssdpMessage } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

const MOST_HEADERS = 32;

/** 0 no, 1 NOTIFY, 2 M-SEARCH, 3 answer. */
export function formOf(bytes: Uint8Array, start: number, end: number): number {
  if (startsWith(bytes, start, end, 'NOTIFY * HTTP/1.')) return 1;
  if (startsWith(bytes, start, end, 'M-SEARCH * HTTP/1.')) return 2;
  if (!startsWith(bytes, start, end, 'HTTP/1.') || !startsWith(bytes, start + 8, end, ' 200')) return 0;
  return findWord(bytes, start, Math.min(end, start + 1024), '\nUSN:') > 0 ||
    findWord(bytes, start, Math.min(end, start + 1024), '\nST:') > 0
    ? 3
    : 0;
}

export function readSsdp(payload: Payload, out: ObservationSink): void {
  const { bytes, start, end } = payload;
  const form = formOf(bytes, start, end);
  if (form === 0) {
    out.event('ssdp_bad_header');
    return;
  }
  const field = ssdpMessage.at;
  out.begin(ssdpMessage);
  out.string(field.method, form === 1 ? 'NOTIFY' : form === 2 ? 'M-SEARCH' : 'RESPONSE');
  let at = find(bytes, start, end, 0x0a) + 1;
  for (let i = 0; i < MOST_HEADERS && at < end; i++) {
    const line = find(bytes, at, end, 0x0a);
    const colon = find(bytes, at, line, 0x3a);
    const from = trimStart(bytes, Math.min(colon + 1, line), line);
    const to = trimEnd(bytes, from, line);
    if (colon < line) header(bytes, at, colon, from, to, out);
    at = line + 1;
  }
  out.end();
}

function is(bytes: Uint8Array, at: number, colon: number, name: string): boolean {
  return colon - at === name.length && startsWithAnyCase(bytes, at, colon, name);
}

function header(bytes: Uint8Array, at: number, colon: number, from: number, to: number, out: ObservationSink): void {
  const field = ssdpMessage.at;
  if (is(bytes, at, colon, 'nt') || is(bytes, at, colon, 'st')) out.text(field.target, bytes, from, to);
  else if (is(bytes, at, colon, 'nts')) out.text(field.sub_type, bytes, from, to);
  else if (is(bytes, at, colon, 'server')) out.text(field.server, bytes, from, to);
  else if (is(bytes, at, colon, 'location')) out.text(field.location, bytes, from, to);
  else if (is(bytes, at, colon, 'usn')) out.token(field.usn, bytes, from, to);
  else if (is(bytes, at, colon, 'cache-control')) {
    const equals = find(bytes, from, to, 0x3d) + 1;
    const digits = trimStart(bytes, Math.min(equals, to), to);
    let stop = digits;
    while (stop < to && isDigit(bytes[stop]!)) stop++;
    const seconds = decimal(bytes, digits, stop);
    if (seconds >= 0) out.number(field.max_age_s, seconds);
  }
}
