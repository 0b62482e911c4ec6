import { findByte, isPrintable } from '../../../lib/ascii.ts';
import { EXCLUDE, ORIG, REST_OF_STREAM } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { openTls, readTls, tlsGap } from '../tls/parser.ts';
import type { TlsState } from '../tls/parser.ts';
import { BAD_MESSAGE, reply, request } from './events.ts';

/**
 * SOCKS 4, 4a and 5, RFC 1928 and RFC 1929; what the tunnel carries is read where it is TLS:
 *
 *     4: client  4 command(1) port(2) address(4) user NUL [ host NUL ]       host where the address is 0.0.0.x
 *        server  0 code(1) port(2) address(4)                                code 0x5a granted
 *     5: client  5 n(1) methods(n)
 *        server  5 method(1)
 *        client  1 length(1) user length(1) password,  server  1 status(1)   only with method 2
 *        client  5 command(1) 0 address port(2)
 *        server  5 code(1) 0 address port(2)                                 code 0 granted
 *        address = 1 v4(4) | 3 length(1) name | 4 v6(16)
 */
const GREETING = 0;
const CREDENTIALS = 1;
const REQUEST = 2;
const REPLY = 3;
const TUNNEL = 4;
const DONE = 5;

export interface SocksState {
  version: number;
  /** What the client says next. */
  client: number;
  /** What the server says next. */
  server: number;
  tls: TlsState | undefined;
}

export function openSocks(): SocksState {
  return { version: 0, client: GREETING, server: GREETING, tls: undefined };
}

export function probeSocks(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (p.direction !== ORIG || !p.first) return 'no';
  if (end - start < 2) return end === start || bytes[start] === 4 || bytes[start] === 5 ? 'more' : 'no';
  if (bytes[start] === 5) {
    // The client waits for an answer, so its greeting is all there is.
    const n = bytes[start + 1]!;
    if (n === 0 || n > 8 || end - start > 2 + n) return 'no';
    for (let i = start + 2; i < end; i++) if (bytes[i]! > 9 && bytes[i]! < 0x80) return 'no';
    return end - start === 2 + n ? 'yes' : 'more';
  }
  if (bytes[start] !== 4 || (bytes[start + 1] !== 1 && bytes[start + 1] !== 2) || end - start > 512) return 'no';
  if (end - start < 9 || bytes[end - 1] !== 0) return 'more';
  const userEnd = findByte(bytes, 0, start + 8, end);
  return isPrintable(bytes, start + 8, userEnd) ? 'yes' : 'no';
}

export function socksGap(state: SocksState, direction: number): void {
  if (state.tls !== undefined) tlsGap(state.tls, direction);
  else {
    state.client = DONE;
    state.server = DONE;
  }
}

export function readSocks(state: SocksState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (at < end) {
    const phase = direction === ORIG ? state.client : state.server;
    if (phase === DONE) return REST_OF_STREAM;
    if (phase === TUNNEL) return at - start + readInner(state, p, at, out);
    const used = direction === ORIG ? fromClient(state, bytes, at, end, out) : fromServer(state, bytes, at, end, out);
    if (used === 0) break;
    if (used < 0) {
      out.event(BAD_MESSAGE);
      state.client = DONE;
      state.server = DONE;
      return REST_OF_STREAM;
    }
    at += used;
  }
  return at - start;
}

function readInner(state: SocksState, p: Payload, at: number, out: ObservationSink): number {
  state.tls ??= openTls();
  const start = p.start;
  p.start = at;
  const done = readTls(state.tls, p, out);
  p.start = start;
  return done === EXCLUDE || done === REST_OF_STREAM ? REST_OF_STREAM - (at - start) : done;
}

/** Bytes dealt with; 0 where more are needed, -1 where they make no sense. */
function fromClient(state: SocksState, bytes: Uint8Array, at: number, end: number, out: ObservationSink): number {
  const length = end - at;
  if (state.client === GREETING && bytes[at] === 5) {
    if (length < 2 || length < 2 + bytes[at + 1]!) return 0;
    state.version = 5;
    state.client = REQUEST;
    return 2 + bytes[at + 1]!;
  }
  if (state.client === GREETING) return bytes[at] === 4 ? request4(state, bytes, at, end, out) : -1;
  if (state.client === CREDENTIALS) {
    if (length < 2 || length < 3 + bytes[at + 1]!) return 0;
    const total = 3 + bytes[at + 1]! + bytes[at + 2 + bytes[at + 1]!]!;
    if (length < total) return 0;
    state.client = REQUEST;
    return total;
  }
  if (state.client !== REQUEST) return -1;
  const total = messageLength(bytes, at, end);
  if (total <= 0) return total;
  out.begin(request);
  out.number(request.at.version, 5);
  out.number(request.at.command, bytes[at + 1]!);
  if (bytes[at + 3] === 3 && isPrintable(bytes, at + 5, at + total - 2)) {
    out.text(request.at.host, bytes, at + 5, at + total - 2);
  }
  out.number(request.at.port, (bytes[at + total - 2]! << 8) | bytes[at + total - 1]!);
  out.end();
  state.client = REPLY;
  return total;
}

function request4(state: SocksState, bytes: Uint8Array, at: number, end: number, out: ObservationSink): number {
  if (end - at < 9) return 0;
  const userEnd = findByte(bytes, 0, at + 8, Math.min(end, at + 264));
  if (userEnd < 0) return end - at < 264 ? 0 : -1;
  const named = bytes[at + 4] === 0 && bytes[at + 5] === 0 && bytes[at + 6] === 0 && bytes[at + 7] !== 0;
  const hostEnd = named ? findByte(bytes, 0, userEnd + 1, Math.min(end, userEnd + 257)) : userEnd;
  if (hostEnd < 0) return end - userEnd < 257 ? 0 : -1;
  out.begin(request);
  out.number(request.at.version, 4);
  out.number(request.at.command, bytes[at + 1]!);
  if (named && isPrintable(bytes, userEnd + 1, hostEnd)) out.text(request.at.host, bytes, userEnd + 1, hostEnd);
  out.number(request.at.port, (bytes[at + 2]! << 8) | bytes[at + 3]!);
  out.end();
  state.version = 4;
  state.client = REPLY;
  state.server = REPLY;
  return hostEnd + 1 - at;
}

function fromServer(state: SocksState, bytes: Uint8Array, at: number, end: number, out: ObservationSink): number {
  const length = end - at;
  if (state.server === GREETING || state.server === CREDENTIALS) {
    if (length < 2) return 0;
    if (state.server === GREETING && bytes[at + 1] === 2) {
      state.server = CREDENTIALS;
      state.client = CREDENTIALS;
    } else state.server = REPLY;
    return bytes[at] === 5 || bytes[at] === 1 ? 2 : -1;
  }
  const total = state.version === 4 ? (length < 8 ? 0 : 8) : messageLength(bytes, at, end);
  if (total <= 0) return total;
  const ok = bytes[at + 1] === (state.version === 4 ? 0x5a : 0);
  out.begin(reply);
  out.number(reply.at.version, state.version === 4 ? 4 : 5);
  out.number(reply.at.ok, ok ? 1 : 0);
  out.end();
  state.client = ok ? TUNNEL : DONE;
  state.server = ok ? TUNNEL : DONE;
  return total;
}

/** Length of a request or reply of version 5. */
function messageLength(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 5) return 0;
  if (bytes[at] !== 5) return -1;
  const kind = bytes[at + 3]!;
  const address = kind === 1 ? 4 : kind === 4 ? 16 : kind === 3 ? 1 + bytes[at + 4]! : -1;
  if (address < 0) return -1;
  return end - at < 6 + address ? 0 : 6 + address;
}
