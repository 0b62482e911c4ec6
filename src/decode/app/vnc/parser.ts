import { agreesWith, isDigit } from '../../../lib/ascii.ts';
import { EXCLUDE, ORIG, REST_OF_STREAM } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { BAD_MESSAGE, result, security, version } from './events.ts';

/**
 * The handshake of RFB, RFC 6143 section 7.1:
 *
 *     version   = "RFB " 3DIGIT "." 3DIGIT LF                both sides, server first
 *     3.3       server: type(4)                               type 0: reason follows
 *     3.7, 3.8  server: n(1) n*type(1), client: type(1)       n 0: reason follows
 *     VNC password (type 2)  server: challenge(16), client: answer(16), server: outcome(4)
 *     none (type 1)          3.8: server: outcome(4)
 *     outcome   = 0 accepted | 1 refused, 2 too many
 *
 * Other types go on in their own ways and are not followed; neither is anything behind the handshake.
 */
const VERSION_LENGTH = 12;

const VERSIONS = 0;
const SECURITY = 1;
const CHALLENGE = 2;
const OUTCOME = 3;
const DONE = 4;

export interface VncState {
  clientSpoke: boolean;
  serverSpoke: boolean;
  /** What the server says next. */
  phase: number;
  /** Minor version of the client, which decides: 3, 7 or 8. */
  minor: number;
  chosen: number;
  /** Types offered, one bit each for types below 32. */
  offered: number;
}

export function openVnc(): VncState {
  return { clientSpoke: false, serverSpoke: false, phase: VERSIONS, minor: 0, chosen: 0, offered: 0 };
}

export function probeVnc(p: Payload): Verdict {
  if (!agreesWith(p.bytes, p.start, p.end, 'RFB ')) return 'no';
  if (p.end - p.start < VERSION_LENGTH) return 'more';
  return isVersion(p.bytes, p.start) ? 'yes' : 'no';
}

function isVersion(bytes: Uint8Array, at: number): boolean {
  for (let i = 4; i < 11; i++) if (i === 7 ? bytes[at + i] !== 0x2e : !isDigit(bytes[at + i]!)) return false;
  return bytes[at] === 0x52 && bytes[at + 1] === 0x46 && bytes[at + 2] === 0x42 && bytes[at + 11] === 0x0a;
}

export function vncGap(state: VncState): void {
  state.phase = DONE;
}

export function readVnc(state: VncState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (at < end) {
    if (state.phase === DONE) return REST_OF_STREAM;
    const spoke = direction === ORIG ? state.clientSpoke : state.serverSpoke;
    if (!spoke) {
      if (end - at < VERSION_LENGTH) break;
      if (!isVersion(bytes, at)) {
        out.event(BAD_MESSAGE);
        return EXCLUDE;
      }
      takeVersion(state, direction, bytes, at, out);
      at += VERSION_LENGTH;
      continue;
    }
    const used = direction === ORIG ? fromClient(state, bytes, at, end, out) : fromServer(state, bytes, at, end, out);
    if (used === 0) break;
    at += used;
  }
  return at - start;
}

function takeVersion(state: VncState, direction: number, bytes: Uint8Array, at: number, out: ObservationSink): void {
  out.begin(version);
  out.text(version.at.version, bytes, at + 4, at + 11);
  out.number(version.at.from_client, direction === ORIG ? 1 : 0);
  out.end();
  if (direction === ORIG) {
    state.clientSpoke = true;
    // Anything but 3.7 and 3.8 is to be taken as 3.3, anything newer as 3.8.
    const minor = bytes[at + 10]! - 0x30;
    const later = bytes[at + 6]! > 0x33 || bytes[at + 9]! > 0x30;
    state.minor = later || minor >= 8 ? 8 : minor === 7 ? 7 : 3;
  } else {
    state.serverSpoke = true;
    if (state.phase === VERSIONS) state.phase = SECURITY;
  }
}

/** Bytes dealt with, 0 where more are needed. */
function fromServer(state: VncState, bytes: Uint8Array, at: number, end: number, out: ObservationSink): number {
  if (state.phase === SECURITY) {
    if (state.minor === 3) {
      if (end - at < 4) return 0;
      state.chosen = bytes[at + 3]!;
      observeSecurity(state, '', out);
      return 4;
    }
    const count = bytes[at]!;
    if (end - at < 1 + count) return 0;
    if (count === 0) {
      observeResult(0, out);
      state.phase = DONE;
      return 1;
    }
    state.offered = 0;
    for (let i = 1; i <= count; i++) if (bytes[at + i]! < 32) state.offered |= 1 << bytes[at + i]!;
    // Waits for the client's choice.
    state.phase = CHALLENGE;
    return 1 + count;
  }
  if (state.phase === CHALLENGE) {
    if (state.chosen !== 2) return endHandshake(state, end - at);
    if (end - at < 16) return 0;
    state.phase = OUTCOME;
    return 16;
  }
  if (end - at < 4) return 0;
  observeResult(bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === 0 && bytes[at + 3] === 0 ? 1 : 0, out);
  return endHandshake(state, 4);
}

function endHandshake(state: VncState, used: number): number {
  state.phase = DONE;
  return used;
}

function fromClient(state: VncState, bytes: Uint8Array, at: number, end: number, out: ObservationSink): number {
  if (state.minor > 3 && state.chosen === 0) {
    state.chosen = bytes[at]!;
    observeSecurity(state, offeredNames(state.offered), out);
    return 1;
  }
  // The answer to the challenge is a credential: passed over.
  return end - at;
}

function observeSecurity(state: VncState, offered: string, out: ObservationSink): void {
  out.begin(security);
  if (offered !== '') out.string(security.at.offered, offered);
  out.number(security.at.chosen, state.chosen);
  out.end();
  if (state.chosen === 2) state.phase = CHALLENGE;
  else if (state.chosen === 1 && state.minor === 8) state.phase = OUTCOME;
  else state.phase = DONE;
}

/** @cold Once a flow. */
function offeredNames(offered: number): string {
  let names = '';
  for (let type = 1; type < 32; type++) {
    if ((offered & (1 << type)) !== 0) names += names === '' ? String(type) : `,${String(type)}`;
  }
  return names;
}

function observeResult(ok: number, out: ObservationSink): void {
  out.begin(result);
  out.number(result.at.ok, ok);
  out.end();
}
