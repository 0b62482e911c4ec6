import { ORIG } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { observeClientHello, parseClientHello } from '../tls/client-hello.ts';
import { addFrames, createCryptoStream, firstMessage, varint, varintLength } from './crypto-stream.ts';
import type { CryptoStream } from './crypto-stream.ts';
import { BAD_PACKET, initial, NOT_DECRYPTED } from './events.ts';
import { clientKeys, draftOf, openInitial, VERSION_1, VERSION_2 } from './initial.ts';
import type { InitialKeys } from './initial.ts';

/**
 * Long header packets of QUIC, RFC 9000 section 17.2 and RFC 9369:
 *
 *     packet  = first(1) version(4) destination<1> source<1> rest            `x<1>`: length byte, then the id
 *     first   = 1 1 type(2) …                           type of an Initial: 0 in version 1, 1 in version 2
 *     initial = token length (varint) token length (varint) number(1 to 4) payload      behind the ids
 *
 * Several packets may share a datagram. Only the client's Initial packets are opened, until its ClientHello is
 * whole or {@link MAX_TRIES} packets were looked at.
 */
const MAX_ID = 20;
const MAX_TRIES = 12;
/** RFC 9000 section 14.1: datagrams with Initial packets of clients are at least 1200 bytes long. */
const MIN_INITIAL_DATAGRAM = 1200;

export interface QuicState {
  done: boolean;
  announced: boolean;
  tries: number;
  keys: InitialKeys | undefined;
  stream: CryptoStream | undefined;
}

export function openQuic(): QuicState {
  return { done: false, announced: false, tries: 0, keys: undefined, stream: undefined };
}

function versionAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** Google's versions before the standard that have a long header: Q046, Q050, T050, T051. */
function isGoogle(version: number): boolean {
  const family = version >>> 24;
  const tens = (version >>> 8) & 0xff;
  return (family === 0x51 || family === 0x54) && ((version >>> 16) & 0xff) === 0x30 && (tens === 0x34 || tens === 0x35);
}

function isKnown(version: number): boolean {
  return (
    version === VERSION_1 ||
    version === VERSION_2 ||
    draftOf(version) !== 0 ||
    isGoogle(version) ||
    version >>> 4 === 0xfaceb00
  );
}

export function probeQuic(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (end - start < 20 || (bytes[start]! & 0xc0) !== 0xc0) return 'no';
  const version = versionAt(bytes, start + 1);
  if (!isKnown(version)) return 'no';
  if (isGoogle(version)) return 'yes';
  const destination = bytes[start + 5]!;
  if (destination > MAX_ID || start + 7 + destination > end || bytes[start + 6 + destination]! > MAX_ID) return 'no';
  if (p.direction === ORIG && p.first) return end - start >= MIN_INITIAL_DATAGRAM || p.cut ? 'yes' : 'more';
  return 'yes';
}

/** @cold Once a flow. */
function versionName(version: number): string {
  if (version === VERSION_1) return '1';
  if (version === VERSION_2) return '2';
  if (draftOf(version) !== 0) return `draft-${draftOf(version)}`;
  if (isGoogle(version))
    return String.fromCharCode(version >>> 24, (version >>> 16) & 255, (version >>> 8) & 255, version & 255);
  return 'mvfst';
}

export function readQuic(state: QuicState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end } = p;
  if (state.done || p.direction !== ORIG) return end - start;
  let at = start;
  while (end - at >= 20 && (bytes[at]! & 0xc0) === 0xc0) {
    const next = readPacket(state, bytes, at, end, out);
    if (next <= at) break;
    at = next;
  }
  return end - start;
}

/** Deals with one long header packet; offset of the next one, or -1 where nothing more can be read. */
function readPacket(state: QuicState, bytes: Uint8Array, start: number, end: number, out: ObservationSink): number {
  const version = versionAt(bytes, start + 1);
  if (!isKnown(version)) return -1;
  if (!state.announced) {
    state.announced = true;
    out.begin(initial);
    out.string(initial.at.version, versionName(version));
    out.end();
  }
  if (isGoogle(version)) {
    state.done = true;
    return -1;
  }
  const destinationAt = start + 6;
  const sourceAt = destinationAt + bytes[start + 5]! + 1;
  if (sourceAt > end) return bad(out);
  let at = sourceAt + bytes[sourceAt - 1]!;
  const type = (bytes[start]! >> 4) & 3;
  const isInitial = type === (version === VERSION_2 ? 1 : 0);
  const isRetry = type === (version === VERSION_2 ? 0 : 3);
  if (isRetry) return -1;
  if (isInitial) {
    const token = varint(bytes, at, end);
    if (token < 0) return bad(out);
    at += varintLength(bytes, at) + token;
  }
  const length = varint(bytes, at, end);
  if (length < 0) return bad(out);
  const numberAt = at + varintLength(bytes, at);
  const packetEnd = numberAt + length;
  if (packetEnd > end) return bad(out);
  if (isInitial) openPacket(state, version, bytes, start, destinationAt, sourceAt - 1, numberAt, packetEnd, out);
  return state.done ? -1 : packetEnd;
}

function bad(out: ObservationSink): number {
  out.event(BAD_PACKET);
  return -1;
}

/** @cold At most {@link MAX_TRIES} packets a flow. */
function openPacket(
  state: QuicState,
  version: number,
  bytes: Uint8Array,
  start: number,
  idStart: number,
  idEnd: number,
  numberAt: number,
  end: number,
  out: ObservationSink,
): void {
  state.tries++;
  let plain = state.keys === undefined ? undefined : openInitial(state.keys, bytes, start, numberAt, end);
  if (plain === undefined) {
    // The first packet, or the first one after a Retry: its own connection id gives the keys.
    const keys = clientKeys(version, bytes.subarray(idStart, idEnd));
    plain = keys === undefined ? undefined : openInitial(keys, bytes, start, numberAt, end);
    if (plain !== undefined) state.keys = keys;
  }
  if (plain === undefined) out.event(NOT_DECRYPTED);
  else {
    state.stream ??= createCryptoStream();
    const known = state.stream.pieces.length;
    if (!addFrames(state.stream, plain)) out.event(BAD_PACKET);
    const message = state.stream.pieces.length > known ? firstMessage(state.stream) : undefined;
    if (message !== undefined) {
      const hello = message[0] === 1 ? parseClientHello(message, 4, message.length, false) : undefined;
      if (hello === undefined) out.event(BAD_PACKET);
      else observeClientHello(hello, message, 'q', out);
      state.done = true;
    }
  }
  if (state.tries >= MAX_TRIES) state.done = true;
  if (state.done) {
    state.keys = undefined;
    state.stream = undefined;
  }
}
