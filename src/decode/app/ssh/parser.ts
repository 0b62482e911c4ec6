import { createHash } from 'node:crypto';
import { agreesWith, findByte, isDigit, isPrintable, LF, startsWith, trimEnd } from '../../../lib/ascii.ts';
import { EXCLUDE, ORIG, REST_OF_STREAM } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { BAD_BANNER, BAD_PACKET, banner, encrypted, keyExchange } from './events.ts';

/**
 * SSH in clear, RFC 4253:
 *
 *     side    = *( other-line, server only ) banner packets
 *     banner  = "SSH-" version "-" software [ SP comments ] [ CR ] LF          at most 255 bytes
 *     packet  = length(4) padding_length(1) payload padding                    length counts from padding_length on
 *     payload = 20 cookie(16) 10 name-lists …  KEXINIT | 21  NEWKEYS | others
 *     name-list = length(4) names, comma between
 *
 * Behind NEWKEYS all is encrypted. Version 1 has other packets: only its banner is read.
 */
const KEXINIT = 20;
const NEWKEYS = 21;
const MAX_BANNER = 255;
/** RFC 4253 section 6.1 asks for 35000; a KEXINIT beyond this is not read. */
export const MAX_PACKET = 16_000;
const MAX_OTHER_LINES = 32;

const BANNER = 0;
const PACKETS = 1;
const DONE = 2;

export interface SshState {
  mode0: number;
  mode1: number;
  otherLines: number;
  /** Sides that sent NEWKEYS. */
  newKeys: number;
}

export function openSsh(): SshState {
  return { mode0: BANNER, mode1: BANNER, otherLines: 0, newKeys: 0 };
}

export function probeSsh(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (!agreesWith(bytes, start, end, 'SSH-')) return 'no';
  if (end - start < 7) return 'more';
  return isDigit(bytes[start + 4]!) && bytes[start + 5] === 0x2e ? 'yes' : 'no';
}

export function sshGap(state: SshState, direction: number): void {
  setMode(state, direction, DONE);
}

function setMode(state: SshState, direction: number, mode: number): void {
  if (direction === ORIG) state.mode0 = mode;
  else state.mode1 = mode;
}

export function readSsh(state: SshState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (at < end) {
    const mode = direction === ORIG ? state.mode0 : state.mode1;
    if (mode === DONE) return REST_OF_STREAM;
    if (mode === BANNER) {
      const lineFeed = findByte(bytes, LF, at, Math.min(end, at + MAX_BANNER + 1));
      if (lineFeed < 0) {
        if (end - at <= MAX_BANNER) return at - start;
        out.event(BAD_BANNER);
        return EXCLUDE;
      }
      if (!takeLine(state, direction, bytes, at, lineFeed, out)) return EXCLUDE;
      at = lineFeed + 1;
      continue;
    }
    if (end - at < 6) break;
    const length = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    const type = bytes[at + 5]!;
    if (length < 5 || length > 40_000 || bytes[at + 4]! > length - 1) {
      out.event(BAD_PACKET);
      setMode(state, direction, DONE);
      return REST_OF_STREAM;
    }
    if (type === NEWKEYS) {
      state.newKeys++;
      if (state.newKeys === 2) {
        out.begin(encrypted);
        out.number(encrypted.at.sides, 2);
        out.end();
      }
      setMode(state, direction, DONE);
      return REST_OF_STREAM;
    }
    if (type === KEXINIT && length <= MAX_PACKET) {
      if (at + 4 + length > end) break;
      if (!takeKexInit(direction, bytes, at + 22, at + 4 + length - bytes[at + 4]!, out)) out.event(BAD_PACKET);
    }
    at += 4 + length;
  }
  return at - start;
}

/** False where this is no SSH at all. */
function takeLine(
  state: SshState,
  direction: number,
  bytes: Uint8Array,
  start: number,
  lineFeed: number,
  out: ObservationSink,
): boolean {
  if (!startsWith(bytes, start, lineFeed, 'SSH-')) {
    state.otherLines++;
    if (state.otherLines <= MAX_OTHER_LINES) return true;
    out.event(BAD_BANNER);
    return false;
  }
  const to = trimEnd(bytes, start, lineFeed);
  const dash = findByte(bytes, 0x2d, start + 4, to);
  if (dash < 0 || dash - start > 8 || !isPrintable(bytes, start, to)) {
    out.event(BAD_BANNER);
    return false;
  }
  out.begin(banner);
  out.text(banner.at.version, bytes, start + 4, dash);
  out.text(banner.at.software, bytes, dash + 1, to);
  out.number(banner.at.from_client, direction === ORIG ? 1 : 0);
  out.end();
  const version1 = startsWith(bytes, start + 4, dash, '1.') && !startsWith(bytes, start + 4, dash, '1.99');
  setMode(state, direction, version1 ? DONE : PACKETS);
  return true;
}

/**
 * Observes HASSH (Salesforce, BSD-3-Clause) of the name lists in `[from, to)`; false where they do not fit.
 * @cold Once a side and flow.
 */
function takeKexInit(direction: number, bytes: Uint8Array, from: number, to: number, out: ObservationSink): boolean {
  const fromClient = direction === ORIG;
  const hash = createHash('md5');
  let at = from;
  for (let list = 0; list < 8; list++) {
    if (at + 4 > to) return false;
    const length = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    at += 4;
    if (length < 0 || length > to - at) return false;
    // 0 key exchange, 2/3 encryption, 4/5 MAC, 6/7 compression: client to server, server to client.
    const wanted = list === 0 || (list >= 2 && (list % 2 === 0) === fromClient);
    if (wanted) {
      if (list > 0) hash.update(';');
      hash.update(bytes.subarray(at, at + length));
    }
    at += length;
  }
  out.begin(keyExchange);
  out.string(keyExchange.at.hassh, hash.digest('hex'));
  out.number(keyExchange.at.from_client, fromClient ? 1 : 0);
  out.end();
  return true;
}
