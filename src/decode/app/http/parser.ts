import {
  agreesWith,
  decimal,
  equalsAnyCase,
  findAnyCase,
  findByte,
  headEnd,
  isDigit,
  LF,
  skipBlanks,
  SPACE,
  startsWith,
  startsWithAnyCase,
  trimEnd,
} from '../../../lib/ascii.ts';
import { EXCLUDE, ORIG, REST_OF_STREAM } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { openTls, readTls, tlsGap } from '../tls/parser.ts';
import type { TlsState } from '../tls/parser.ts';
import { AMBIGUOUS_LENGTH, BAD_CHUNK, BAD_LENGTH, BAD_START_LINE, HTTP_2, request, response } from './events.ts';
import { createPathShape, shapePath } from './path-shape.ts';
import { readSdc, SOAP_HEAD } from './sdc.ts';

/**
 * HTTP/1.0 and 1.1, RFC 9112:
 *
 *     message       = start-line CRLF *( field CRLF ) CRLF [ body ]
 *     start-line    = method SP target SP "HTTP/1." DIGIT | "HTTP/1." DIGIT SP 3DIGIT [ SP reason ]
 *     target        = path [ "?" query ] | "http" ["s"] "://" authority path | authority | "*"
 *     field         = name ":" value                    (a line that begins with a blank goes on with the last)
 *     body          = Content-Length bytes | chunks | all until the connection ends (responses only)
 *     chunks        = *( size-in-hex [";" …] CRLF data CRLF ) "0" CRLF *( field CRLF ) CRLF
 *
 * Responses to HEAD, and 1xx, 204 and 304, have no body. After 101 and after a CONNECT that succeeded the
 * connection is another protocol's; a TLS hello in such a tunnel is read.
 */
const METHODS = [
  'GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'PROPFIND', 'PROPPATCH', 'MKCOL',
  'COPY', 'MOVE', 'LOCK', 'UNLOCK', 'SEARCH', 'REPORT', 'SUBSCRIBE', 'UNSUBSCRIBE', 'NOTIFY', 'POLL', 'QUERY',
]; // prettier-ignore
const PREFACE_2 = 'PRI * HTTP/2.0';
/** A start line is judged on at most this many bytes. */
const MAX_PROBED_LINE = 4096;
const LONG_TARGET = 1024;
export const MAX_HEAD = 16_384;

const HEAD = 0;
const CHUNK = 1;
const TRAILER = 2;
/** Nothing more is read of this direction. */
const DONE = 3;
const TUNNEL = 4;
/** After lost bytes: waiting for a payload that begins with a start line. */
const LOST = 5;
/** At the start of a body whose SOAP header is to be read. */
const SOAP = 6;

/** Requests in flight that are remembered to know what a response belongs to. */
const MAX_PIPELINE = 16;

export interface HttpState {
  mode0: number;
  mode1: number;
  /** Requests without a response so far, and which of them (bit 0 the oldest) are HEAD and CONNECT. */
  waiting: number;
  heads: number;
  connects: number;
  /** Bytes of the body that begins next, where its SOAP header is to be read. */
  soap0: number;
  soap1: number;
  tunnel: TlsState | undefined;
}

export function openHttp(): HttpState {
  return { mode0: HEAD, mode1: HEAD, waiting: 0, heads: 0, connects: 0, soap0: 0, soap1: 0, tunnel: undefined };
}

export function probeHttp(p: Payload): Verdict {
  const verdict = startLine(p.bytes, p.start, p.end);
  // Whoever asks keeps little: a method and a thousand printable bytes of a path are a long target.
  if (verdict === 'more' && p.end - p.start >= LONG_TARGET) {
    const method = methodAt(p.bytes, p.start, p.end);
    if (method >= 0 && p.bytes[p.start + METHODS[method]!.length + 1] === 0x2f) return 'yes';
  }
  return verdict;
}

/** Judges whether a message of HTTP/1 (or the preface of HTTP/2) begins here. */
function startLine(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end === start) return 'more';
  if (agreesWith(bytes, start, end, 'HTTP/1.')) {
    if (end - start < 13) return 'more';
    return isDigit(bytes[start + 7]!) && bytes[start + 8] === SPACE && status(bytes, start, end) > 0 ? 'yes' : 'no';
  }
  if (agreesWith(bytes, start, end, PREFACE_2)) return end - start < PREFACE_2.length ? 'more' : 'yes';
  const method = methodAt(bytes, start, end);
  if (method === MAYBE) return 'more';
  if (method < 0) return 'no';
  const target = start + METHODS[method]!.length + 1;
  const limit = Math.min(end, start + MAX_PROBED_LINE);
  const lineFeed = findByte(bytes, LF, target, limit);
  const lineEnd = lineFeed < 0 ? limit : trimEnd(bytes, target, lineFeed);
  if (hasControls(bytes, target, lineFeed < 0 && bytes[limit - 1] === 0x0d ? limit - 1 : lineEnd)) return 'no';
  if (lineFeed < 0) return end - start < MAX_PROBED_LINE ? 'more' : 'no';
  return endsWithVersion(bytes, target, lineEnd) ? 'yes' : 'no';
}

function hasControls(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i]! < SPACE || bytes[i] === 0x7f) return true;
  return false;
}

const NO_METHOD = -1;
const MAYBE = -2;

/** Index of the method that the line begins with; {@link MAYBE} where the bytes end inside one. */
function methodAt(bytes: Uint8Array, start: number, end: number): number {
  let maybe = false;
  for (let i = 0; i < METHODS.length; i++) {
    const method = METHODS[i]!;
    if (!agreesWith(bytes, start, end, method)) continue;
    if (end - start <= method.length) maybe = true;
    else if (bytes[start + method.length] === SPACE) return i;
  }
  return maybe ? MAYBE : NO_METHOD;
}

/** True where the line ends in ` HTTP/1.` and a digit. */
function endsWithVersion(bytes: Uint8Array, from: number, lineEnd: number): boolean {
  const at = lineEnd - 9;
  return at >= from && startsWith(bytes, at, lineEnd, ' HTTP/1.') && isDigit(bytes[lineEnd - 1]!);
}

/** Status code of a response's start line, or 0. */
function status(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 12) return 0;
  const code = decimal(bytes, start + 9, start + 12);
  return code >= 100 && code <= 999 ? code : 0;
}

export function httpGap(state: HttpState, direction: number): void {
  if (state.tunnel !== undefined) tlsGap(state.tunnel, direction);
  const mode = direction === ORIG ? state.mode0 : state.mode1;
  if (mode !== DONE && mode !== TUNNEL) setMode(state, direction, LOST);
  state.waiting = 0;
  state.heads = 0;
  state.connects = 0;
}

function setMode(state: HttpState, direction: number, mode: number): void {
  if (direction === ORIG) state.mode0 = mode;
  else state.mode1 = mode;
}

export function readHttp(state: HttpState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (at < end) {
    const mode = direction === ORIG ? state.mode0 : state.mode1;
    if (mode === DONE) return REST_OF_STREAM;
    if (mode === TUNNEL) return at - start + readTunnel(state, p, at, out);
    if (mode === LOST) {
      if (startLine(bytes, at, end) !== 'yes') return end - start;
      setMode(state, direction, HEAD);
      continue;
    }
    if (mode === SOAP) {
      const length = direction === ORIG ? state.soap0 : state.soap1;
      if (end - at < Math.min(length, SOAP_HEAD)) return at - start;
      readSdc(bytes, at, Math.min(end, at + length), out);
      setMode(state, direction, HEAD);
      at += length;
      continue;
    }
    if (mode === CHUNK) {
      const lineFeed = findByte(bytes, LF, at, Math.min(end, at + 256));
      if (lineFeed < 0) {
        if (end - at < 256) return at - start;
        out.event(BAD_CHUNK);
        setMode(state, direction, LOST);
        return end - start;
      }
      const size = hexadecimal(bytes, at, lineFeed);
      if (size < 0) {
        out.event(BAD_CHUNK);
        setMode(state, direction, LOST);
        return end - start;
      }
      at = lineFeed + 1 + (size === 0 ? 0 : size + 2);
      if (size === 0) setMode(state, direction, TRAILER);
      continue;
    }
    if (mode === TRAILER) {
      const trailerEnd = headEnd(bytes, at, end);
      if (trailerEnd < 0) return at - start;
      setMode(state, direction, HEAD);
      at = trailerEnd;
      continue;
    }
    // Empty lines before a start line are to be ignored (RFC 9112 section 2.2).
    if (bytes[at] === 0x0d || bytes[at] === LF) {
      at++;
      continue;
    }
    const isResponse = startsWith(bytes, at, end, 'HTTP/1.');
    if (agreesWith(bytes, at, end, PREFACE_2)) {
      if (end - at < PREFACE_2.length) return at - start;
      out.event(HTTP_2);
      state.mode0 = DONE;
      state.mode1 = DONE;
      return REST_OF_STREAM;
    }
    const verdict = startLine(bytes, at, end);
    if (verdict === 'no') {
      out.event(BAD_START_LINE);
      if (at === start && state.waiting === 0) return EXCLUDE;
      setMode(state, direction, LOST);
      return end - start;
    }
    const bodyAt = headEnd(bytes, at, end);
    if (bodyAt < 0) return at - start;
    at = bodyAt + (isResponse ? takeResponse(state, p, at, bodyAt, out) : takeRequest(state, p, at, bodyAt, out));
  }
  return Math.min(at - start, REST_OF_STREAM);
}

function readTunnel(state: HttpState, p: Payload, at: number, out: ObservationSink): number {
  state.tunnel ??= openTls();
  const start = p.start;
  p.start = at;
  const done = readTls(state.tunnel, p, out);
  p.start = start;
  return done === EXCLUDE ? REST_OF_STREAM - (at - start) : done;
}

function hexadecimal(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  let at = start;
  for (; at < end && at - start < 8; at++) {
    const byte = bytes[at]!;
    const lower = byte | 0x20;
    if (isDigit(byte)) value = value * 16 + byte - 0x30;
    else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
    else break;
  }
  if (at === start || value > REST_OF_STREAM / 2) return -1;
  const next = bytes[at]!;
  return next === LF || next === 0x0d || next === SPACE || next === 0x3b ? value : -1;
}

/** What the fields of one head say; offsets into the payload. Reused, so that a message costs no object. */
interface Fields {
  hostStart: number;
  hostEnd: number;
  softwareStart: number;
  softwareEnd: number;
  typeStart: number;
  typeEnd: number;
  /** -1: none; -2: not a number or two that differ. */
  contentLength: number;
  chunked: boolean;
  authorization: string;
  authenticate: string;
  fhir: boolean;
  encoded: boolean;
}

const fields: Fields = {
  hostStart: 0,
  hostEnd: 0,
  softwareStart: 0,
  softwareEnd: 0,
  typeStart: 0,
  typeEnd: 0,
  contentLength: -1,
  chunked: false,
  authorization: '',
  authenticate: '',
  fhir: false,
  encoded: false,
};

const shape = createPathShape();

function readFields(bytes: Uint8Array, start: number, end: number): void {
  fields.hostStart = fields.hostEnd = 0;
  fields.softwareStart = fields.softwareEnd = 0;
  fields.typeStart = fields.typeEnd = 0;
  fields.contentLength = -1;
  fields.chunked = false;
  fields.authorization = '';
  fields.authenticate = '';
  fields.fhir = false;
  fields.encoded = false;
  let line = start;
  while (line < end) {
    const lineFeed = findByte(bytes, LF, line, end);
    const lineEnd = lineFeed < 0 ? end : lineFeed;
    readField(bytes, line, lineEnd);
    line = lineEnd + 1;
  }
}

function readField(bytes: Uint8Array, line: number, lineEnd: number): void {
  const first = bytes[line]! | 0x20;
  // Only these first letters lead to a field of interest.
  if (first !== 0x68 && first !== 0x75 && first !== 0x73 && first !== 0x63 && first !== 0x74 && first !== 0x61 && first !== 0x77) return; // prettier-ignore
  const colon = findByte(bytes, 0x3a, line, Math.min(lineEnd, line + 32));
  if (colon < 0) return;
  const from = skipBlanks(bytes, colon + 1, lineEnd);
  const to = trimEnd(bytes, from, lineEnd);
  if (equalsAnyCase(bytes, line, colon, 'host')) {
    fields.hostStart = from;
    fields.hostEnd = to;
  } else if (equalsAnyCase(bytes, line, colon, 'user-agent') || equalsAnyCase(bytes, line, colon, 'server')) {
    fields.softwareStart = from;
    fields.softwareEnd = to;
  } else if (equalsAnyCase(bytes, line, colon, 'content-type')) {
    fields.typeStart = from;
    fields.typeEnd = mediaTypeEnd(bytes, from, to);
    if (findAnyCase(bytes, from, to, 'fhir') >= 0) fields.fhir = true;
  } else if (equalsAnyCase(bytes, line, colon, 'accept')) {
    if (findAnyCase(bytes, from, to, 'fhir') >= 0) fields.fhir = true;
  } else if (equalsAnyCase(bytes, line, colon, 'content-length')) {
    const length = decimal(bytes, from, to);
    const differs = fields.contentLength !== -1 && fields.contentLength !== length;
    fields.contentLength = length < 0 || differs ? -2 : length;
  } else if (equalsAnyCase(bytes, line, colon, 'content-encoding')) {
    fields.encoded = !equalsAnyCase(bytes, from, to, 'identity');
  } else if (equalsAnyCase(bytes, line, colon, 'transfer-encoding')) {
    if (findAnyCase(bytes, from, to, 'chunked') >= 0) fields.chunked = true;
  } else if (equalsAnyCase(bytes, line, colon, 'authorization')) {
    fields.authorization = scheme(bytes, from, to);
  } else if (equalsAnyCase(bytes, line, colon, 'www-authenticate') && fields.authenticate === '') {
    fields.authenticate = scheme(bytes, from, to);
  }
}

/** `type/subtype` of token characters; an empty range where it is something else. */
function mediaTypeEnd(bytes: Uint8Array, from: number, to: number): number {
  let slash = false;
  let at = from;
  for (; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === 0x3b || byte === SPACE || byte === 0x2c) break;
    if (byte === 0x2f) {
      if (slash) return from;
      slash = true;
    } else if (byte < 0x21 || byte > 0x7e || byte === 0x22) return from;
  }
  return slash ? at : from;
}

/** SOAP 1.2, RFC 3902. */
const SOAP_TYPE = 'application/soap+xml';

const SCHEMES = ['basic', 'bearer', 'digest', 'negotiate', 'ntlm'];

function scheme(bytes: Uint8Array, from: number, to: number): string {
  for (let i = 0; i < SCHEMES.length; i++) {
    const name = SCHEMES[i]!;
    const after = from + name.length;
    if (startsWithAnyCase(bytes, from, to, name) && (after === to || bytes[after] === SPACE)) return name;
  }
  return 'other';
}

/** Observes a request; returns how many bytes of body follow its head. */
function takeRequest(state: HttpState, p: Payload, start: number, bodyAt: number, out: ObservationSink): number {
  const { bytes } = p;
  const lineFeed = findByte(bytes, LF, start, bodyAt);
  const methodIndex = methodAt(bytes, start, lineFeed);
  const method = methodIndex < 0 ? 'OTHER' : METHODS[methodIndex]!;
  readFields(bytes, lineFeed + 1, bodyAt);
  const targetStart = findByte(bytes, SPACE, start, lineFeed) + 1;
  // The version may be preceded by blanks inside a broken target: the last one counts.
  const targetEnd = trimEnd(bytes, targetStart, trimEnd(bytes, targetStart, lineFeed) - 8);
  let pathStart = targetStart;
  if (method === 'CONNECT') {
    fields.hostStart = targetStart;
    fields.hostEnd = targetEnd;
    pathStart = targetEnd;
  } else if (startsWithAnyCase(bytes, targetStart, targetEnd, 'http')) {
    const authority = findByte(bytes, 0x2f, targetStart, targetEnd) + 2;
    if (authority > 1 && authority < targetEnd) {
      const slash = findByte(bytes, 0x2f, authority, targetEnd);
      pathStart = slash < 0 ? targetEnd : slash;
      fields.hostStart = authority;
      fields.hostEnd = pathStart;
    }
  }
  const query = findByte(bytes, 0x3f, pathStart, targetEnd);
  const fragment = findByte(bytes, 0x23, pathStart, query < 0 ? targetEnd : query);
  const pathEnd = fragment >= 0 ? fragment : query >= 0 ? query : targetEnd;
  shapePath(bytes, pathStart, pathEnd, fields.fhir, shape);
  const length = bodyLength(out);

  out.begin(request);
  out.string(request.at.method, method);
  if (isHost(bytes, fields.hostStart, fields.hostEnd))
    out.text(request.at.host, bytes, fields.hostStart, fields.hostEnd);
  out.text(request.at.user_agent, bytes, fields.softwareStart, fields.softwareEnd);
  out.text(request.at.path_shape, shape.bytes, 0, shape.length);
  if (query >= 0) out.number(request.at.params, countParameters(bytes, query + 1, targetEnd));
  out.text(request.at.content_type, bytes, fields.typeStart, fields.typeEnd);
  if (!fields.chunked) out.number(request.at.body_bytes, Math.max(0, length));
  if (fields.authorization !== '') out.string(request.at.authorization, fields.authorization);
  if (shape.resource !== '') out.string(request.at.fhir_resource, shape.resource);
  out.end();

  if (state.waiting < MAX_PIPELINE) {
    if (method === 'HEAD') state.heads |= 1 << state.waiting;
    if (method === 'CONNECT') state.connects |= 1 << state.waiting;
    state.waiting++;
  }
  if (fields.chunked) {
    setMode(state, p.direction, CHUNK);
    return 0;
  }
  return soapOr(state, p, length);
}

/** A plain SOAP body is looked into before it is passed over: it may be of a medical device. */
function soapOr(state: HttpState, p: Payload, length: number): number {
  if (length <= 0) return 0;
  if (fields.encoded || !equalsAnyCase(p.bytes, fields.typeStart, fields.typeEnd, SOAP_TYPE)) return length;
  if (p.direction === ORIG) state.soap0 = length;
  else state.soap1 = length;
  setMode(state, p.direction, SOAP);
  return 0;
}

/** Observes a response; returns how many bytes of body follow its head. */
function takeResponse(state: HttpState, p: Payload, start: number, bodyAt: number, out: ObservationSink): number {
  const { bytes } = p;
  const code = status(bytes, start, bodyAt);
  const lineFeed = findByte(bytes, LF, start, bodyAt);
  readFields(bytes, lineFeed + 1, bodyAt);
  const interim = code < 200 && code !== 101;
  const toHead = (state.heads & 1) !== 0;
  const toConnect = (state.connects & 1) !== 0 && code >= 200 && code < 300;
  const upgrade = code === 101 || toConnect;
  const bodiless = interim || upgrade || toHead || code === 204 || code === 304;
  const length = bodyLength(out);

  out.begin(response);
  out.number(response.at.status, code);
  out.text(response.at.server, bytes, fields.softwareStart, fields.softwareEnd);
  out.text(response.at.content_type, bytes, fields.typeStart, fields.typeEnd);
  if (bodiless) out.number(response.at.body_bytes, 0);
  else if (length >= 0 && !fields.chunked) out.number(response.at.body_bytes, length);
  if (fields.authenticate !== '') out.string(response.at.www_authenticate, fields.authenticate);
  if (upgrade) out.number(response.at.upgrade, 1);
  out.end();

  if (interim) return 0;
  if (state.waiting > 0) {
    state.waiting--;
    state.heads >>= 1;
    state.connects >>= 1;
  }
  if (toConnect) {
    state.mode0 = TUNNEL;
    state.mode1 = TUNNEL;
    return 0;
  }
  if (code === 101) {
    state.mode0 = DONE;
    state.mode1 = DONE;
    return 0;
  }
  if (bodiless) return 0;
  if (fields.chunked) {
    setMode(state, p.direction, CHUNK);
    return 0;
  }
  if (length >= 0) return soapOr(state, p, length);
  setMode(state, p.direction, DONE);
  return 0;
}

/** Content-Length in bytes; -1 where there is none (or none that can be believed). */
function bodyLength(out: ObservationSink): number {
  if (fields.chunked && fields.contentLength !== -1) out.event(AMBIGUOUS_LENGTH);
  if (fields.contentLength === -2 || fields.contentLength > Number.MAX_SAFE_INTEGER / 4) {
    out.event(BAD_LENGTH);
    return -1;
  }
  return fields.contentLength;
}

/** A name, an address, a port: nothing else is let through (user information of a URL is none of these). */
function isHost(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > 128) return false;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    const lower = byte | 0x20;
    const plain = isDigit(byte) || (lower >= 0x61 && lower <= 0x7a);
    if (!plain && byte !== 0x2d && byte !== 0x2e && byte !== 0x3a && byte !== 0x5f && byte !== 0x5b && byte !== 0x5d) {
      return false;
    }
  }
  return true;
}

function countParameters(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start) return 0;
  let n = 1;
  for (let i = start; i < end; i++) if (bytes[i] === 0x26 || bytes[i] === 0x3b) n++;
  return n;
}
