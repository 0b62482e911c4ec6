import { u16le, u32le } from '../../../lib/little-endian.ts';
import { EXCLUDE, ORIG } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import type { RpcState } from '../dcerpc/parser.ts';
import { BAD_COMPRESSION, BAD_FRAMING, BAD_MESSAGE, command } from './events.ts';
import { isSmb1, observeSmb1 } from './smb1.ts';
import { isSmb2, observeSmb2 } from './smb2.ts';

/**
 * SMB over TCP, MS-SMB2 2.1 and RFC 1002 section 4.3:
 *
 *     frame   = 0x00 length(3) message | 0x81 length(3) names | (0x82 | 0x83 | 0x85) length(3) …
 *     message = 0xFF "SMB" … version 1 | 0xFE "SMB" … versions 2 and 3
 *             | 0xFD "SMB" signature(16) nonce(16) size(4) reserved(2) flags(2) session(8) …      encrypted
 *             | 0xFC "SMB" size(4) algorithm(2) flags(2) offset(4) …                               compressed
 *
 * Of a message longer than {@link WHOLE} only its beginning is read and the rest skipped unseen: that is
 * bulk data.
 */
const SESSION_MESSAGE = 0;
const SESSION_REQUEST = 0x81;
const KEEP_ALIVE = 0x85;
/** Messages up to this length are read whole, of longer ones {@link BEGINNING} bytes. */
export const WHOLE = 8192;
const BEGINNING = 1024;

export interface SmbState {
  lost0: boolean;
  lost1: boolean;
  /** A message was read on this flow. */
  known: boolean;
  rpc: RpcState | undefined;
}

export function openSmb(): SmbState {
  return { lost0: false, lost1: false, known: false, rpc: undefined };
}

/** `0xF?` "SMB". */
function isMessage(bytes: Uint8Array, at: number): boolean {
  return bytes[at]! >= 0xfc && bytes[at + 1] === 0x53 && bytes[at + 2] === 0x4d && bytes[at + 3] === 0x42;
}

function frameLength(bytes: Uint8Array, at: number): number {
  return (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Offset of the first frame of a message in the range, or -1. */
function findFrame(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at + 8 <= end; at++) {
    if (bytes[at] === SESSION_MESSAGE && isMessage(bytes, at + 4) && frameLength(bytes, at) >= 32) return at;
  }
  return -1;
}

export function probeSmb(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (end === start) return 'more';
  const type = bytes[start]!;
  if (type === SESSION_REQUEST) {
    if (end - start < 6) return 'more';
    // Two encoded names of 34 bytes each.
    if (frameLength(bytes, start) === 68 && bytes[start + 4] === 0x20) return 'yes';
  } else if (type === SESSION_MESSAGE) {
    if (end - start < 8 && (end - start <= 4 || bytes[start + 4]! >= 0xfc)) return 'more';
    if (findFrame(bytes, start, Math.min(end, start + 8)) === start) return 'yes';
  }
  if (p.first) return 'no';
  // In the middle of a transfer the next frame may be some payloads away.
  return findFrame(bytes, start, end) >= 0 ? 'yes' : 'more';
}

export function smbGap(state: SmbState, direction: number): void {
  if (direction === ORIG) state.lost0 = true;
  else state.lost1 = true;
}

export function readSmb(state: SmbState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (at < end) {
    if (end - at < 4) break;
    const type = bytes[at]!;
    const length = frameLength(bytes, at);
    const lost = direction === ORIG ? state.lost0 : state.lost1;
    if (type !== SESSION_MESSAGE) {
      if (type >= SESSION_REQUEST && type <= KEEP_ALIVE && length <= 1024 && !lost) {
        at += 4 + length;
        continue;
      }
    } else if (end - at < 8 && length >= 4) break;
    if (type !== SESSION_MESSAGE || length < 4 || !isMessage(bytes, at + 4)) {
      const found = findFrame(bytes, at, end);
      if (found < 0) return strayed(state, p, lost, out);
      if (!lost && state.known) out.event(BAD_FRAMING);
      at = found;
      continue;
    }
    const need = at + 4 + (length <= WHOLE ? length : BEGINNING);
    if (need > end) break;
    if (direction === ORIG) state.lost0 = false;
    else state.lost1 = false;
    state.known = true;
    observeMessage(state, direction, bytes, at + 4, need, length, out);
    at += 4 + length;
  }
  return at - start;
}

/** No frame is in sight: not SMB at all, or lost until one is. What may be the beginning of one is kept. */
function strayed(state: SmbState, p: Payload, lost: boolean, out: ObservationSink): number {
  if (!lost) out.event(BAD_FRAMING);
  if (!lost && !state.known) return EXCLUDE;
  smbGap(state, p.direction);
  return Math.max(0, p.end - p.start - 7);
}

function observeMessage(
  state: SmbState,
  direction: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  length: number,
  out: ObservationSink,
): void {
  if (isSmb2(bytes, start)) {
    observeSmb2(state, bytes, start, end, out);
    return;
  }
  if (isSmb1(bytes, start)) {
    observeSmb1(state, bytes, start, end, out);
    return;
  }
  const encrypted = bytes[start] === 0xfd;
  if (end - start < (encrypted ? 52 : 16)) {
    out.event(BAD_MESSAGE);
    return;
  }
  if (!encrypted && (u16le(bytes, start + 10) & 1) === 0) {
    // CVE-2020-0796: the offset lies outside the message, or size and offset overflow 32 bits together.
    const offset = u32le(bytes, start + 12);
    if (offset > length - 16 || u32le(bytes, start + 4) + offset > 0xffff_ffff) out.event(BAD_COMPRESSION);
  }
  out.begin(command);
  out.string(command.at.command, encrypted ? 'encrypted' : 'compressed');
  out.number(command.at.is_request, direction === ORIG ? 1 : 0);
  if (encrypted) out.number(command.at.encrypted, 1);
  out.number(command.at.bytes, u32le(bytes, start + (encrypted ? 36 : 4)));
  out.end();
}
