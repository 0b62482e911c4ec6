import {
  agreesWith,
  decimal,
  findByte,
  headEnd,
  headerField,
  isDigit,
  isLetter,
  LF,
  SPACE,
  startsWith,
  trimEnd,
} from '../../../lib/ascii.ts';
import { EXCLUDE, ORIG } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { BAD_LENGTH, BAD_START_LINE, registerFailure, request, response } from './events.ts';

/**
 * SIP, RFC 3261 section 7:
 *
 *     message  = start *( name ":" value CRLF ) CRLF [ body ]
 *     start    = method SP uri SP "SIP/2.0" CRLF | "SIP/2.0" SP 3DIGIT SP reason CRLF
 *     CSeq     = number SP method
 *
 * Over TCP the body has Content-Length (short form `l`) bytes and empty lines may stand between messages.
 */
const METHODS = [
  'INVITE', 'ACK', 'OPTIONS', 'BYE', 'CANCEL', 'REGISTER', 'PRACK', 'SUBSCRIBE', 'NOTIFY', 'PUBLISH', 'INFO', 'REFER',
  'MESSAGE', 'UPDATE',
]; // prettier-ignore
const VERSION = 'SIP/2.0';
const REGISTER = 'REGISTER';
const MAX_LINE = 2048;
export const MAX_HEAD = 16_384;
const MAX_BODY = 1_000_000;

export interface SipState {
  lost0: boolean;
  lost1: boolean;
  known: boolean;
}

export function openSip(): SipState {
  return { lost0: false, lost1: false, known: false };
}

export function probeSip(p: Payload): Verdict {
  let start = p.start;
  // Empty lines before the first message keep a connection alive.
  while (start < p.end && (p.bytes[start] === 0x0d || p.bytes[start] === LF)) start++;
  const verdict = startLine(p.bytes, start, p.end);
  return verdict === 'more' && p.ipProto === 17 ? 'no' : verdict;
}

function startLine(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end === start) return 'more';
  if (agreesWith(bytes, start, end, 'SIP/2.0 ')) {
    if (end - start < 12) return 'more';
    return decimal(bytes, start + 8, start + 11) >= 100 && bytes[start + 11] === SPACE ? 'yes' : 'no';
  }
  const method = methodAt(bytes, start, end);
  if (method === MAYBE) return 'more';
  if (method < 0) return 'no';
  const uri = start + METHODS[method]!.length + 1;
  const scheme = uri < end ? bytes[uri]! | 0x20 : 0x73;
  // sip:, sips: and tel:
  if (scheme !== 0x73 && scheme !== 0x74) return 'no';
  const lineFeed = findByte(bytes, LF, uri, Math.min(end, start + MAX_LINE));
  if (lineFeed < 0) return end - start < MAX_LINE ? 'more' : 'no';
  const to = trimEnd(bytes, uri, lineFeed);
  return to - 8 > uri && startsWith(bytes, to - 8, to, ' SIP/2.0') ? 'yes' : 'no';
}

const MAYBE = -2;

function methodAt(bytes: Uint8Array, start: number, end: number): number {
  let maybe = false;
  for (let i = 0; i < METHODS.length; i++) {
    const method = METHODS[i]!;
    if (!agreesWith(bytes, start, end, method)) continue;
    if (end - start <= method.length) maybe = true;
    else if (bytes[start + method.length] === SPACE) return i;
  }
  return maybe ? MAYBE : -1;
}

export function sipGap(state: SipState, direction: number): void {
  if (direction === ORIG) state.lost0 = true;
  else state.lost1 = true;
}

export function readSip(state: SipState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  const datagram = p.ipProto === 17;
  let at = start;
  while (at < end) {
    // Empty lines keep a connection alive.
    if (bytes[at] === 0x0d || bytes[at] === LF || bytes[at] === 0) {
      at++;
      continue;
    }
    const verdict = startLine(bytes, at, end);
    const lost = direction === ORIG ? state.lost0 : state.lost1;
    if (verdict === 'no' || (lost && verdict === 'more')) {
      if (!lost) out.event(BAD_START_LINE);
      if (!lost && !state.known && !datagram) return EXCLUDE;
      if (!datagram) sipGap(state, direction);
      return end - start;
    }
    const bodyAt = headEnd(bytes, at, end);
    if (bodyAt < 0 && !datagram) return at - start;
    state.known = true;
    if (direction === ORIG) state.lost0 = false;
    else state.lost1 = false;
    const headTo = bodyAt < 0 ? end : bodyAt;
    const bodyLength = takeMessage(bytes, at, headTo, out);
    if (datagram) return end - start;
    at = headTo + bodyLength;
  }
  return at - start;
}

const range = { start: 0, end: 0 };

/** Observes the head in `[start, end)`; returns the length of its body. */
function takeMessage(bytes: Uint8Array, start: number, end: number, out: ObservationSink): number {
  const lineFeed = findByte(bytes, LF, start, end);
  const fields = lineFeed < 0 ? end : lineFeed + 1;
  if (startsWith(bytes, start, end, VERSION)) takeResponse(bytes, start, fields, end, out);
  else {
    const method = methodAt(bytes, start, end);
    out.begin(request);
    out.string(request.at.method, method < 0 ? 'OTHER' : METHODS[method]!);
    if (headerField(bytes, fields, end, 'user-agent', range)) {
      out.text(request.at.user_agent, bytes, range.start, range.end);
    }
    const authorized =
      headerField(bytes, fields, end, 'authorization', range) ||
      headerField(bytes, fields, end, 'proxy-authorization', range);
    if (authorized) out.number(request.at.authorized, 1);
    out.end();
  }
  const stated =
    headerField(bytes, fields, end, 'content-length', range) || headerField(bytes, fields, end, 'l', range);
  if (!stated) return 0;
  const length = decimal(bytes, range.start, range.end);
  if (length >= 0 && length <= MAX_BODY) return length;
  out.event(BAD_LENGTH);
  return 0;
}

function takeResponse(bytes: Uint8Array, start: number, fields: number, end: number, out: ObservationSink): void {
  const status = decimal(bytes, start + 8, Math.min(end, start + 11));
  let method = -1;
  if (headerField(bytes, fields, end, 'cseq', range)) {
    let at = range.start;
    while (at < range.end && !isLetter(bytes[at]!)) {
      if (!isDigit(bytes[at]!) && bytes[at] !== SPACE) break;
      at++;
    }
    // The word ends with the line: methodAt wants a blank behind it, so compare to the end.
    for (let i = 0; i < METHODS.length; i++) {
      if (range.end - at === METHODS[i]!.length && startsWith(bytes, at, range.end, METHODS[i]!)) method = i;
    }
  }
  out.begin(response);
  out.number(response.at.status, status);
  if (method >= 0) out.string(response.at.method, METHODS[method]!);
  if (headerField(bytes, fields, end, 'server', range) || headerField(bytes, fields, end, 'user-agent', range)) {
    out.text(response.at.user_agent, bytes, range.start, range.end);
  }
  out.end();
  // 401 and 407 ask for credentials, which every registration meets once.
  if (method >= 0 && METHODS[method] === REGISTER && status >= 400 && status !== 401 && status !== 407) {
    out.begin(registerFailure);
    out.number(registerFailure.at.status, status);
    out.end();
  }
}
