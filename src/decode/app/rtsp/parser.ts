import {
  agreesWith,
  decimal,
  findByte,
  headEnd,
  headerField,
  LF,
  SPACE,
  startsWith,
  trimEnd,
} from '../../../lib/ascii.ts';
import { EXCLUDE, ORIG } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { BAD_LENGTH, BAD_START_LINE, request, response } from './events.ts';

/**
 * RTSP 1.0 and 2.0, RFC 2326 and RFC 7826:
 *
 *     stream      = *( message | interleaved )
 *     message     = start *( name ":" value CRLF ) CRLF [ Content-Length bytes ]
 *     start       = method SP uri SP version CRLF | version SP 3DIGIT SP reason CRLF
 *     version     = "RTSP/1.0" | "RTSP/2.0"
 *     interleaved = "$" channel(1) length(2) data                media, skipped unseen
 */
const METHODS = [
  'DESCRIBE', 'ANNOUNCE', 'GET_PARAMETER', 'OPTIONS', 'PAUSE', 'PLAY', 'RECORD', 'REDIRECT', 'SETUP', 'SET_PARAMETER',
  'TEARDOWN',
]; // prettier-ignore
const MAX_LINE = 2048;
export const MAX_HEAD = 8192;
const MAX_BODY = 1_000_000;
const INTERLEAVED = 0x24;

export interface RtspState {
  lost0: boolean;
  lost1: boolean;
  known: boolean;
}

export function openRtsp(): RtspState {
  return { lost0: false, lost1: false, known: false };
}

export function probeRtsp(p: Payload): Verdict {
  return startLine(p.bytes, p.start, p.end);
}

function startLine(bytes: Uint8Array, start: number, end: number): Verdict {
  if (end === start) return 'more';
  if (agreesWith(bytes, start, end, 'RTSP/')) {
    if (end - start < 13) return 'more';
    const status = decimal(bytes, start + 9, start + 12);
    return isVersion(bytes, start) && bytes[start + 8] === SPACE && status >= 100 ? 'yes' : 'no';
  }
  const method = methodAt(bytes, start, end);
  if (method === MAYBE) return 'more';
  if (method < 0) return 'no';
  const uri = start + METHODS[method]!.length + 1;
  const lineFeed = findByte(bytes, LF, uri, Math.min(end, start + MAX_LINE));
  if (lineFeed < 0) return end - start < MAX_LINE ? 'more' : 'no';
  const to = trimEnd(bytes, uri, lineFeed);
  return to - 9 > uri && bytes[to - 9] === SPACE && isVersion(bytes, to - 8) ? 'yes' : 'no';
}

function isVersion(bytes: Uint8Array, at: number): boolean {
  return startsWith(bytes, at, at + 8, 'RTSP/1.0') || startsWith(bytes, at, at + 8, 'RTSP/2.0');
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

export function rtspGap(state: RtspState, direction: number): void {
  if (direction === ORIG) state.lost0 = true;
  else state.lost1 = true;
}

export function readRtsp(state: RtspState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (at < end) {
    const lost = direction === ORIG ? state.lost0 : state.lost1;
    if (bytes[at] === 0x0d || bytes[at] === LF) {
      at++;
      continue;
    }
    if (bytes[at] === INTERLEAVED && !lost) {
      if (end - at < 4) break;
      at += 4 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
      continue;
    }
    const verdict = startLine(bytes, at, end);
    if (verdict === 'no' || (lost && verdict === 'more')) {
      if (!lost) out.event(BAD_START_LINE);
      if (!lost && !state.known) return EXCLUDE;
      rtspGap(state, direction);
      return end - start;
    }
    const bodyAt = headEnd(bytes, at, end);
    if (bodyAt < 0) break;
    state.known = true;
    if (direction === ORIG) state.lost0 = false;
    else state.lost1 = false;
    at = bodyAt + takeMessage(bytes, at, bodyAt, out);
  }
  return at - start;
}

const range = { start: 0, end: 0 };

/** Observes the head in `[start, end)`; returns the length of its body. */
function takeMessage(bytes: Uint8Array, start: number, end: number, out: ObservationSink): number {
  const fields = findByte(bytes, LF, start, end) + 1;
  if (startsWith(bytes, start, end, 'RTSP/')) {
    out.begin(response);
    out.number(response.at.status, decimal(bytes, start + 9, start + 12));
    if (headerField(bytes, fields, end, 'server', range)) out.text(response.at.server, bytes, range.start, range.end);
    out.end();
  } else {
    out.begin(request);
    out.string(request.at.method, METHODS[methodAt(bytes, start, end)]!);
    if (headerField(bytes, fields, end, 'user-agent', range)) {
      out.text(request.at.user_agent, bytes, range.start, range.end);
    }
    if (headerField(bytes, fields, end, 'authorization', range)) out.number(request.at.authorized, 1);
    out.end();
  }
  if (!headerField(bytes, fields, end, 'content-length', range)) return 0;
  const length = decimal(bytes, range.start, range.end);
  if (length >= 0 && length <= MAX_BODY) return length;
  out.event(BAD_LENGTH);
  return 0;
}
