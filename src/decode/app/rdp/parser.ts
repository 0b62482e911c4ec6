import { findByte, startsWith } from '../../../lib/ascii.ts';
import { u16le, u32le, utf16le } from '../../../lib/little-endian.ts';
import { EXCLUDE, ORIG, REST_OF_STREAM } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { openTls, readTls, tlsGap } from '../tls/parser.ts';
import type { TlsState } from '../tls/parser.ts';
import { BAD_TPKT, client, request, response } from './events.ts';

/**
 * The beginning of RDP, MS-RDPBCGR 2.2.1:
 *
 *     tpkt       = 3 0 length(2) x224                             length counts the four bytes of the header
 *     request    = indicator(1) 0xE0 0 0 source(2) 0 [ cookie ] [ negotiation ]
 *     cookie     = "Cookie: mstshash=" value CR LF | "Cookie: msts=" value CR LF
 *     negotiation = type(1) flags(1) 8 0 protocols(4)             1 request, 2 response, 3 failure
 *     confirm    = indicator(1) 0xD0 … [ negotiation ]
 *
 * Then TLS where it was chosen, else the MCS connect with the client's core data:
 *     core = 0x01 0xC0 length(2) version(4) … build(4)@20 name(32)@24
 */
const REQUEST = 0xe0;
const CONFIRM = 0xd0;
const NEGOTIATION_REQUEST = 1;
const NEGOTIATION_RESPONSE = 2;
const NEGOTIATION_FAILURE = 3;
const MAX_TPKT = 4096;

const START = 0;
const PLAIN = 1;
const SECURE = 2;
const DONE = 3;

export interface RdpState {
  phase: number;
  requested: boolean;
  tls: TlsState | undefined;
}

export function openRdp(): RdpState {
  return { phase: START, requested: false, tls: undefined };
}

export function probeRdp(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (end > start && bytes[start] !== 3) return 'no';
  if (end - start > 1 && bytes[start + 1] !== 0) return 'no';
  if (end - start < 11) return 'more';
  const length = (bytes[start + 2]! << 8) | bytes[start + 3]!;
  const type = bytes[start + 5]!;
  const indicator = bytes[start + 4]!;
  if ((type !== REQUEST && type !== CONFIRM) || indicator + 5 !== length || length > 512) return 'no';
  if ((bytes[start + 6]! | bytes[start + 7]!) !== 0 && type === REQUEST) return 'no';
  const body = start + 11;
  // S7 and others begin alike, with a TSAP behind it: only a cookie, a negotiation or nothing is RDP.
  if (type === CONFIRM) {
    if (length < 19) return 'more';
    if (end - body < 8) return 'more';
    const kind = bytes[body]!;
    return (kind === NEGOTIATION_RESPONSE || kind === NEGOTIATION_FAILURE) && isNegotiation(bytes, body) ? 'yes' : 'no';
  }
  if (length === 11) return p.respPort === 3389 ? 'yes' : 'more';
  if (end - body < 8) return 'more';
  if (isNegotiation(bytes, body) && bytes[body] === NEGOTIATION_REQUEST)
    return length === 19 || length === 55 ? 'yes' : 'no';
  return startsWith(bytes, body, end, 'Cookie: ') ? 'yes' : 'no';
}

function isNegotiation(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at]!;
  return (
    type >= 1 && type <= 3 && bytes[at + 2] === 8 && bytes[at + 3] === 0 && bytes[at + 5] === 0 && bytes[at + 6] === 0
  );
}

export function rdpGap(state: RdpState, direction: number): void {
  if (state.tls !== undefined) tlsGap(state.tls, direction);
  if (state.phase !== SECURE) state.phase = DONE;
}

export function readRdp(state: RdpState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (at < end) {
    if (state.phase === DONE) return REST_OF_STREAM;
    if (state.phase === SECURE) return at - start + readInner(state, p, at, out);
    if (end - at < 4) break;
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    if (bytes[at] !== 3 || bytes[at + 1] !== 0 || length < 7 || length > MAX_TPKT) {
      if (state.phase === START && !state.requested && at === start) return EXCLUDE;
      out.event(BAD_TPKT);
      state.phase = DONE;
      return REST_OF_STREAM;
    }
    const next = at + length;
    if (next > end) break;
    const type = bytes[at + 5]!;
    if (direction === ORIG && type === REQUEST && length >= 11) takeRequest(state, bytes, at + 11, next, out);
    else if (direction !== ORIG && type === CONFIRM && length >= 11) takeConfirm(state, bytes, at + 11, next, out);
    else if (direction === ORIG && state.phase === PLAIN) {
      takeCoreData(bytes, at, next, out);
      state.phase = DONE;
      return REST_OF_STREAM;
    }
    at = next;
  }
  return at - start;
}

function readInner(state: RdpState, p: Payload, at: number, out: ObservationSink): number {
  state.tls ??= openTls();
  const start = p.start;
  p.start = at;
  const done = readTls(state.tls, p, out);
  p.start = start;
  return done === EXCLUDE || done === REST_OF_STREAM ? REST_OF_STREAM - (at - start) : done;
}

function takeRequest(state: RdpState, bytes: Uint8Array, from: number, to: number, out: ObservationSink): void {
  state.requested = true;
  let at = from;
  let cookieStart = 0;
  let cookieEnd = 0;
  if (startsWith(bytes, at, to, 'Cookie: ')) {
    const lineEnd = findByte(bytes, 0x0d, at, to);
    const equals = findByte(bytes, 0x3d, at, lineEnd < 0 ? to : lineEnd);
    cookieEnd = lineEnd < 0 ? to : lineEnd;
    cookieStart = equals < 0 ? cookieEnd : equals + 1;
    at = lineEnd < 0 ? to : lineEnd + 2;
  }
  out.begin(request);
  if (cookieEnd > cookieStart) out.token(request.at.cookie, bytes, cookieStart, cookieEnd);
  const negotiates = to - at >= 8 && bytes[at] === NEGOTIATION_REQUEST;
  out.string(request.at.protocols, negotiates ? protocolNames(u32le(bytes, at + 4)) : 'standard');
  out.end();
}

function takeConfirm(state: RdpState, bytes: Uint8Array, from: number, to: number, out: ObservationSink): void {
  const negotiates = to - from >= 8 && isNegotiation(bytes, from);
  const value = negotiates ? u32le(bytes, from + 4) : 0;
  const failed = negotiates && bytes[from] === NEGOTIATION_FAILURE;
  out.begin(response);
  if (failed) out.number(response.at.failure, value);
  else out.string(response.at.protocol, protocolNames(value));
  out.end();
  state.phase = failed ? DONE : value === 0 ? PLAIN : SECURE;
}

/** @cold Twice a flow. */
function protocolNames(flags: number): string {
  let names = '';
  if ((flags & 1) !== 0) names += ',tls';
  if ((flags & 2) !== 0) names += ',credssp';
  if ((flags & 4) !== 0) names += ',rdstls';
  if ((flags & 8) !== 0) names += ',credssp_ex';
  if ((flags & 16) !== 0) names += ',aad';
  return names === '' ? 'standard' : names.slice(1);
}

/** Finds the client's core data inside the MCS connect. */
function takeCoreData(bytes: Uint8Array, from: number, to: number, out: ObservationSink): void {
  for (let at = from; at + 56 <= to; at++) {
    if (bytes[at] !== 0x01 || bytes[at + 1] !== 0xc0) continue;
    const length = u16le(bytes, at + 2);
    // Version 0x0008000n.
    if (length < 56 || length > 300 || bytes[at + 6] !== 8 || bytes[at + 7] !== 0) continue;
    out.begin(client);
    const name = utf16le(bytes, at + 24, at + 56);
    if (name !== '') out.string(client.at.name, name);
    out.number(client.at.build, u32le(bytes, at + 20));
    out.end();
    return;
  }
}
