import { ORIG, REST_OF_STREAM, EXCLUDE } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { observeCertificate } from './certificate.ts';
import { hex4, observeClientHello, parseClientHello, versionName } from './client-hello.ts';
import {
  alert as alertKind,
  BAD_CERTIFICATE,
  BAD_HANDSHAKE,
  BAD_RECORD,
  clientHello as clientHelloKind,
  HANDSHAKE_TOO_LONG,
  serverHello as serverHelloKind,
} from './events.ts';

/**
 * The TLS record layer, RFC 8446 section 5.1, and DTLS, RFC 6347 section 4.1:
 *
 *     record      = type(1) version(2) length(2) fragment           20 change cipher spec, 21 alert,
 *     DTLS record = type(1) version(2) epoch(2) sequence(6) length(2) fragment    22 handshake, 23 data
 *     handshake message      = type(1) length(3) body
 *     DTLS handshake message = type(1) length(3) message(2) offset(3) fragment_length(3) body
 *     ServerHello = version(2) random(32) session_id<1> cipher(2) compression(1) [extensions<2>]
 *     Certificate = list<3> of certificate<3>
 *     SSL 2 hello = 1lllllll llllllll  1  version(2) ciphers_length(2) session_length(2) challenge_length(2) …
 *
 * A handshake message may go over several records and a record may hold several messages. Once a side has
 * said all that travels in clear, the rest of its stream is skipped unseen.
 */
const CHANGE_CIPHER = 20;
const ALERT = 21;
const HANDSHAKE = 22;
const APPLICATION_DATA = 23;

const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;
const CERTIFICATE = 11;
const SERVER_HELLO_DONE = 14;
const CLIENT_KEY_EXCHANGE = 16;

/** Plain 2^14; encrypted records may be up to 2048 longer (TLS 1.2). */
const MAX_RECORD = 16_384 + 2048;
/** A message longer than this is not put together. */
const MAX_MESSAGE = 32_000;

export interface TlsState {
  clientHelloSeen: boolean;
  serverHelloSeen: boolean;
  /** Per direction: nothing more to learn. */
  done0: boolean;
  done1: boolean;
  /** Per direction: bytes of the first kept record's fragment that are dealt with. */
  handled0: number;
  handled1: number;
}

export function openTls(): TlsState {
  return { clientHelloSeen: false, serverHelloSeen: false, done0: false, done1: false, handled0: 0, handled1: 0 };
}

export function probeTls(p: Payload): Verdict {
  return p.ipProto === 17 ? probeDatagram(p) : probeStream(p);
}

function probeStream(p: Payload): Verdict {
  const { bytes, start, end } = p;
  const length = end - start;
  if (length === 0) return 'more';
  const first = bytes[start]!;
  if (first === HANDSHAKE) {
    if (length > 1 && bytes[start + 1] !== 3) return 'no';
    if (length > 2 && bytes[start + 2]! > 4) return 'no';
    if (length < 9) return 'more';
    const recordLength = (bytes[start + 3]! << 8) | bytes[start + 4]!;
    if (recordLength < 4 || recordLength > MAX_RECORD) return 'no';
    const type = bytes[start + 5];
    // A hello is at least 38 bytes and never reaches 64 KiB in practice (upper length byte 0).
    return (type === CLIENT_HELLO || type === SERVER_HELLO) && bytes[start + 6] === 0 ? 'yes' : 'no';
  }
  if (first === APPLICATION_DATA || first === ALERT) {
    // Picked up in mid-stream: the record's end must be the payload's end or another record's beginning.
    if (p.first || length < 5 || !isRecordHeader(bytes, start)) return 'no';
    const next = start + 5 + ((bytes[start + 3]! << 8) | bytes[start + 4]!);
    if (next === end) return 'yes';
    return next + 5 <= end && isRecordHeader(bytes, next) ? 'yes' : 'no';
  }
  if ((first & 0x80) !== 0) return probeSsl2(p);
  return 'no';
}

function probeSsl2(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (!p.first || p.direction !== ORIG) return 'no';
  if (end - start < 11) return end - start > 2 && bytes[start + 2] !== 1 ? 'no' : 'more';
  if (bytes[start + 2] !== CLIENT_HELLO) return 'no';
  const length = ((bytes[start]! & 0x7f) << 8) | bytes[start + 1]!;
  const version = u16(bytes, start + 3);
  if (version !== 0x0002 && (version < 0x0300 || version > 0x0303)) return 'no';
  const ciphers = u16(bytes, start + 5);
  const sum = 9 + ciphers + u16(bytes, start + 7) + u16(bytes, start + 9);
  return ciphers > 0 && ciphers % 3 === 0 && sum === length ? 'yes' : 'no';
}

function probeDatagram(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (end - start < 25 || !isDatagramHeader(bytes, start) || bytes[start] !== HANDSHAKE) return 'no';
  if (u16(bytes, start + 3) !== 0 || start + 13 + u16(bytes, start + 11) > end) return 'no';
  const type = bytes[start + 13]!;
  if (type !== CLIENT_HELLO && type !== SERVER_HELLO && type !== 3) return 'no';
  const total = u24(bytes, start + 14);
  return u24(bytes, start + 19) + u24(bytes, start + 22) <= total ? 'yes' : 'no';
}

function isRecordHeader(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at]!;
  const length = u16(bytes, at + 3);
  if (type < CHANGE_CIPHER || type > 24 || bytes[at + 1] !== 3 || bytes[at + 2]! > 4) return false;
  return length > 0 && length <= MAX_RECORD;
}

function isDatagramHeader(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at]!;
  const minor = bytes[at + 2]!;
  return type >= CHANGE_CIPHER && type <= 25 && bytes[at + 1] === 0xfe && (minor === 0xff || minor === 0xfd);
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function u24(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

export function readTls(state: TlsState, p: Payload, out: ObservationSink): number {
  return p.ipProto === 17 ? readDatagram(state, p, out) : readStream(state, p, out);
}

/** Lost bytes leave the record boundaries unknown, and hellos are over by then: this side is done. */
export function tlsGap(state: TlsState, direction: number): void {
  finish(state, direction);
}

function finish(state: TlsState, direction: number): number {
  if (direction === ORIG) state.done0 = true;
  else state.done1 = true;
  return REST_OF_STREAM;
}

function readStream(state: TlsState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  if (direction === ORIG ? state.done0 : state.done1) return REST_OF_STREAM;
  let record = start;
  while (record < end) {
    const fresh = !state.clientHelloSeen && !state.serverHelloSeen;
    if (fresh && (bytes[record]! & 0x80) !== 0) return readSsl2(state, p, record, out);
    if (end - record < 5) break;
    if (!isRecordHeader(bytes, record)) {
      if (fresh) return EXCLUDE;
      out.event(BAD_RECORD);
      return finish(state, direction);
    }
    const type = bytes[record]!;
    // Middleboxes are calmed with a ChangeCipherSpec between HelloRetryRequest and ServerHello.
    const betweenHellos = type === CHANGE_CIPHER && direction !== ORIG && !state.serverHelloSeen;
    if (type !== HANDSHAKE && type !== ALERT && !betweenHellos) return finish(state, direction);
    const recordEnd = record + 5 + u16(bytes, record + 3);
    if (recordEnd > end) break;
    if (betweenHellos) {
      record = recordEnd;
      continue;
    }
    if (type === ALERT) {
      // Anything but two bytes is encrypted.
      if (recordEnd - record !== 7) return finish(state, direction);
      observeAlert(bytes, record + 5, out);
      record = recordEnd;
      continue;
    }
    let at = record + 5 + (direction === ORIG ? state.handled0 : state.handled1);
    let whole = true;
    while (at < recordEnd) {
      if (recordEnd - at >= 4) {
        const messageEnd = at + 4 + u24(bytes, at + 1);
        if (messageEnd <= recordEnd) {
          if (takeMessage(state, direction, bytes, bytes[at]!, at + 4, messageEnd, out))
            return finish(state, direction);
          at = messageEnd;
          continue;
        }
      }
      const joined = joinRecords(bytes, at, recordEnd, end);
      if (joined === 'bad') {
        out.event(BAD_HANDSHAKE);
        return finish(state, direction);
      }
      if (joined === 'long') {
        out.event(HANDSHAKE_TOO_LONG);
        return finish(state, direction);
      }
      if (joined === 'short') {
        whole = false;
        break;
      }
      const { message, lastRecord, lastOffset } = joined;
      if (takeMessage(state, direction, message, message[0]!, 4, message.length, out)) return finish(state, direction);
      // Go on behind the message, inside the record in which it ended.
      return continueAt(state, p, lastRecord, lastOffset, out);
    }
    if (!whole) {
      setHandled(state, direction, at - record - 5);
      break;
    }
    setHandled(state, direction, 0);
    record = recordEnd;
  }
  return record - start;
}

function setHandled(state: TlsState, direction: number, value: number): void {
  if (direction === ORIG) state.handled0 = value;
  else state.handled1 = value;
}

/**
 * The caller asks again with what is left; `lastRecord` begins there. Nothing else of this payload is read
 * now, so a message over several records costs one call more.
 */
function continueAt(state: TlsState, p: Payload, record: number, handled: number, out: ObservationSink): number {
  setHandled(state, p.direction, handled);
  const start = p.start;
  p.start = record;
  const more = readStream(state, p, out);
  p.start = start;
  return more === REST_OF_STREAM || more === EXCLUDE ? more : record - start + more;
}

interface Joined {
  message: Uint8Array;
  lastRecord: number;
  lastOffset: number;
}

/**
 * Copies the handshake message at `at` out of several records, once all of it is at hand: records are
 * counted first, so that an announced length alone costs no memory.
 * @cold A hello over several records is rare, and there are at most three such messages on a flow.
 */
function joinRecords(bytes: Uint8Array, at: number, firstEnd: number, end: number): Joined | 'short' | 'bad' | 'long' {
  let gathered = firstEnd - at;
  let length = 0;
  // The first header byte is the type and always here, the other three are the length.
  let headerRead = 1;
  for (let i = at + 1; i < firstEnd && headerRead < 4; i++, headerRead++) length = length * 256 + bytes[i]!;
  let record = firstEnd;
  for (;;) {
    if (headerRead === 4 && 4 + length > MAX_MESSAGE) return 'long';
    if (headerRead === 4 && gathered >= 4 + length) break;
    if (end - record < 5) return 'short';
    if (!isRecordHeader(bytes, record) || bytes[record] !== HANDSHAKE) return 'bad';
    const recordEnd = record + 5 + u16(bytes, record + 3);
    if (recordEnd > end) return 'short';
    for (let i = record + 5; i < recordEnd && headerRead < 4; i++, headerRead++) length = length * 256 + bytes[i]!;
    gathered += recordEnd - record - 5;
    record = recordEnd;
  }
  const message = new Uint8Array(4 + length);
  message.set(bytes.subarray(at, firstEnd));
  let filled = firstEnd - at;
  record = firstEnd;
  for (;;) {
    const recordEnd = record + 5 + u16(bytes, record + 3);
    const n = Math.min(recordEnd - record - 5, message.length - filled);
    message.set(bytes.subarray(record + 5, record + 5 + n), filled);
    filled += n;
    if (filled === message.length) return { message, lastRecord: record, lastOffset: n };
    record = recordEnd;
  }
}

/** Deals with one whole handshake message; true when this side has nothing more to say in clear. */
function takeMessage(
  state: TlsState,
  direction: number,
  bytes: Uint8Array,
  type: number,
  from: number,
  to: number,
  out: ObservationSink,
): boolean {
  switch (type) {
    case CLIENT_HELLO: {
      // The second hello, after a HelloRetryRequest, is cut to the server's wishes: the first one is the client's.
      if (state.clientHelloSeen) return false;
      state.clientHelloSeen = true;
      const hello = parseClientHello(bytes, from, to, false);
      if (hello === undefined) out.event(BAD_HANDSHAKE);
      else observeClientHello(hello, bytes, 't', out);
      return false;
    }
    case SERVER_HELLO:
      return takeServerHello(state, bytes, from, to, out);
    case CERTIFICATE:
      takeCertificate(state, direction, bytes, from, to, out);
      return true;
    case SERVER_HELLO_DONE:
    case CLIENT_KEY_EXCHANGE:
      return true;
    default:
      return false;
  }
}

/** True where everything behind it is encrypted (TLS 1.3). */
function takeServerHello(state: TlsState, bytes: Uint8Array, from: number, to: number, out: ObservationSink): boolean {
  if (to - from < 36) {
    out.event(BAD_HANDSHAKE);
    return false;
  }
  let version = u16(bytes, from);
  // Drafts of TLS 1.3 before the 22nd name themselves here and leave session id and compression out.
  const draft = version >> 8 === 0x7f;
  let at = draft ? from + 34 : from + 35 + bytes[from + 34]!;
  if (at + 2 > to) {
    out.event(BAD_HANDSHAKE);
    return false;
  }
  const cipher = u16(bytes, at);
  at += draft ? 4 : 5;
  while (at + 4 <= to) {
    const next = at + 4 + u16(bytes, at + 2);
    if (next > to) break;
    if (u16(bytes, at) === 43 && next - at >= 6) version = u16(bytes, at + 4);
    at = next;
  }
  const modern = version === 0x0304 || (version & 0xff00) === 0x7f00;
  // A HelloRetryRequest looks like a ServerHello; the one that counts follows it.
  if (isRetry(bytes, from + 2)) return false;
  if (!state.serverHelloSeen) {
    state.serverHelloSeen = true;
    out.begin(serverHelloKind);
    out.string(serverHelloKind.at.version, versionName(version));
    out.string(serverHelloKind.at.cipher, hex4(cipher));
    out.end();
  }
  return modern;
}

/** RFC 8446 section 4.1.3: the random of a HelloRetryRequest; its first eight bytes tell enough. */
function isRetry(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === 0xcf &&
    bytes[at + 1] === 0x21 &&
    bytes[at + 2] === 0xad &&
    bytes[at + 3] === 0x74 &&
    bytes[at + 4] === 0xe5 &&
    bytes[at + 5] === 0x9a &&
    bytes[at + 6] === 0x61 &&
    bytes[at + 7] === 0x11
  );
}

function takeCertificate(
  state: TlsState,
  direction: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  out: ObservationSink,
): void {
  // An empty list is a client without a certificate.
  if (to - from >= 3 && u24(bytes, from) === 0) return;
  const end = to - from >= 6 ? from + 6 + u24(bytes, from + 3) : to + 1;
  const fromClient = direction === ORIG && state.clientHelloSeen;
  if (end > to || !observeCertificate(bytes, from + 6, end, fromClient, out)) out.event(BAD_CERTIFICATE);
}

function observeAlert(bytes: Uint8Array, at: number, out: ObservationSink): void {
  const level = bytes[at]!;
  if (level !== 1 && level !== 2) return;
  out.begin(alertKind);
  out.number(alertKind.at.level, level);
  out.number(alertKind.at.description, bytes[at + 1]!);
  out.end();
}

function readSsl2(state: TlsState, p: Payload, at: number, out: ObservationSink): number {
  const { bytes, end } = p;
  if (end - at < 11) return at - p.start;
  const length = ((bytes[at]! & 0x7f) << 8) | bytes[at + 1]!;
  if (at + 2 + length > end) return at - p.start;
  if (bytes[at + 2] !== CLIENT_HELLO) return EXCLUDE;
  state.clientHelloSeen = true;
  out.begin(clientHelloKind);
  out.string(clientHelloKind.at.version, versionName(u16(bytes, at + 3)));
  out.end();
  return at + 2 + length - p.start;
}

function readDatagram(state: TlsState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (end - at >= 13) {
    if (!isDatagramHeader(bytes, at)) break;
    const recordEnd = at + 13 + u16(bytes, at + 11);
    if (recordEnd > end) {
      if (!p.cut) out.event(BAD_RECORD);
      break;
    }
    const clear = u16(bytes, at + 3) === 0;
    if (clear && bytes[at] === ALERT && recordEnd - at === 15) observeAlert(bytes, at + 13, out);
    if (clear && bytes[at] === HANDSHAKE) takeFragments(state, direction, bytes, at + 13, recordEnd, out);
    at = recordEnd;
  }
  return end - start;
}

/** Only messages that come whole in one fragment are read, and a certificate where its first fragment holds it. */
function takeFragments(
  state: TlsState,
  direction: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  out: ObservationSink,
): void {
  let at = from;
  while (to - at >= 12) {
    const type = bytes[at]!;
    const fragmentEnd = at + 12 + u24(bytes, at + 9);
    if (fragmentEnd > to) {
      out.event(BAD_HANDSHAKE);
      return;
    }
    const whole = u24(bytes, at + 6) === 0 && fragmentEnd - at - 12 === u24(bytes, at + 1);
    if (whole && type === CLIENT_HELLO) {
      // The first one has no cookie yet and is answered by a HelloVerifyRequest: it is sent twice.
      if (!state.clientHelloSeen) {
        state.clientHelloSeen = true;
        const hello = parseClientHello(bytes, at + 12, fragmentEnd, true);
        if (hello === undefined) out.event(BAD_HANDSHAKE);
        else observeClientHello(hello, bytes, 'd', out);
      }
    } else if (whole && type === SERVER_HELLO) {
      takeServerHello(state, bytes, at + 12, fragmentEnd, out);
    } else if (whole && type === CERTIFICATE) {
      takeCertificate(state, direction, bytes, at + 12, fragmentEnd, out);
    }
    at = fragmentEnd;
  }
}
