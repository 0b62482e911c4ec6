import { startsWith } from '../../../lib/ascii.ts';
import { berInteger, createBerElement, enterBer, readBer, readBerHeader } from '../../../lib/ber.ts';
import { EXCLUDE, ORIG, REST_OF_STREAM } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { observeNtlm } from '../ntlm/parser.ts';
import { openTls, readTls, tlsGap } from '../tls/parser.ts';
import type { TlsState } from '../tls/parser.ts';
import { BAD_MESSAGE, message } from './events.ts';

/**
 * LDAP 3, RFC 4511 (BER):
 *
 *     message  = SEQUENCE { id INTEGER, operation, [0] controls? }
 *     bind     = [APPLICATION 0] version name ( [0] password | [3] mechanism credentials? )
 *     search   = [APPLICATION 3] base scope deref size time types_only filter attributes
 *     extended = [APPLICATION 23] [0] oid [1] value?
 *     delete   = [APPLICATION 10] name           modify, add, rename, compare = [APPLICATION 6, 8, 12, 14] name …
 *     result   = [APPLICATION 1, 5, 7, 9, 11, 13, 15, 24] code name text …
 *     entry    = [APPLICATION 4] …               reference = [APPLICATION 19] …
 *
 * After a bind of SASL the connection may go on sealed (length(4) and bytes), after StartTLS as TLS.
 */
const SEQUENCE = 0x30;
const INTEGER = 0x02;
const ENUMERATED = 0x0a;
const OCTETS = 0x04;

const BIND = 0x60;
const BIND_RESULT = 0x61;
const UNBIND = 0x42;
const SEARCH = 0x63;
const ENTRY = 0x64;
const SEARCH_RESULT = 0x65;
const DELETE = 0x4a;
const ABANDON = 0x50;
const REFERENCE = 0x73;
const EXTENDED = 0x77;
const EXTENDED_RESULT = 0x78;
const INTERMEDIATE = 0x79;
const START_TLS = '1.3.6.1.4.1.1466.20037';

/** Of longer messages only the kind is read. */
const MAX_MESSAGE = 16_000;
const MAX_LENGTH = 16_000_000;

export interface LdapState {
  lost0: boolean;
  lost1: boolean;
  known: boolean;
  /** The last bind was one of SASL, and it was accepted. */
  sasl: boolean;
  sealed: boolean;
  startTls: boolean;
  entries: number;
  tls: TlsState | undefined;
}

export function openLdap(): LdapState {
  return {
    lost0: false,
    lost1: false,
    known: false,
    sasl: false,
    sealed: false,
    startTls: false,
    entries: 0,
    tls: undefined,
  };
}

/** Name of an operation by its tag; results carry that of their request. Empty for what is none. */
function operationName(tag: number): string {
  switch (tag) {
    case BIND:
    case BIND_RESULT:
      return 'bind';
    case UNBIND:
      return 'unbind';
    case SEARCH:
    case SEARCH_RESULT:
      return 'search';
    case 0x66:
    case 0x67:
      return 'modify';
    case 0x68:
    case 0x69:
      return 'add';
    case DELETE:
    case 0x6b:
      return 'delete';
    case 0x6c:
    case 0x6d:
      return 'rename';
    case 0x6e:
    case 0x6f:
      return 'compare';
    case ABANDON:
      return 'abandon';
    case EXTENDED:
    case EXTENDED_RESULT:
      return 'extended';
    case ENTRY:
    case REFERENCE:
    case INTERMEDIATE:
      return 'entry';
    default:
      return '';
  }
}

function isRequestTag(tag: number): boolean {
  return tag === UNBIND || tag === DELETE || tag === ABANDON || tag === EXTENDED || ((tag & 1) === 0 && tag >= BIND && tag <= 0x6e && tag !== ENTRY) || tag === SEARCH; // prettier-ignore
}

/** Header of a message: where it and its operation begin and end. Reused. */
const outer = createBerElement();
const operation = createBerElement();

/** Reads the headers at `at` into {@link outer} and {@link operation}; `short` where bytes are missing. */
function readHeaders(bytes: Uint8Array, at: number, end: number): 'ok' | 'short' | 'bad' {
  if (bytes[at] !== SEQUENCE) return 'bad';
  const first = readBerHeader(bytes, at, end, outer);
  if (first !== 'ok') return first;
  if (outer.end - outer.start < 5 || outer.end - at > MAX_LENGTH) return 'bad';
  const id = readBerHeader(bytes, outer.start, end, operation);
  if (id !== 'ok') return id;
  if (operation.tag !== INTEGER || operation.end - operation.start > 4 || operation.end <= operation.start)
    return 'bad';
  const kind = readBerHeader(bytes, operation.end, end, operation);
  if (kind !== 'ok') return kind;
  return operationName(operation.tag) !== '' && operation.end <= outer.end ? 'ok' : 'bad';
}

export function probeLdap(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (end === start) return 'more';
  const headers = readHeaders(bytes, start, end);
  if (headers !== 'ok') return headers === 'short' && p.ipProto !== 17 ? 'more' : 'no';
  if (p.ipProto === 17 && outer.end > end) return 'no';
  // A response to a response or a request from the server is something else.
  const isRequest = isRequestTag(operation.tag);
  if (p.first && p.direction === ORIG && !isRequest) return 'no';
  return isRequest === (p.direction === ORIG) || !p.first ? 'yes' : 'no';
}

export function ldapGap(state: LdapState, direction: number): void {
  if (state.tls !== undefined) tlsGap(state.tls, direction);
  if (direction === ORIG) state.lost0 = true;
  else state.lost1 = true;
}

export function readLdap(state: LdapState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (at < end) {
    if (state.sealed) return REST_OF_STREAM;
    if (state.tls !== undefined) return at - start + readInner(state.tls, p, at, out);
    const headers = readHeaders(bytes, at, end);
    if (headers === 'short' && p.ipProto !== 17) break;
    const lost = direction === ORIG ? state.lost0 : state.lost1;
    if (headers !== 'ok') {
      if (state.sasl && bytes[at] === 0 && !lost) {
        state.sealed = true;
        return REST_OF_STREAM;
      }
      if (!lost && !p.cut) out.event(BAD_MESSAGE);
      if (!lost && !state.known && p.ipProto !== 17) return EXCLUDE;
      if (p.ipProto !== 17) ldapGap(state, direction);
      return end - start;
    }
    const next = outer.end;
    const long = next - at > MAX_MESSAGE;
    if (next > end && !long && operation.tag !== ENTRY) {
      if (p.ipProto !== 17) break;
      out.event(BAD_MESSAGE);
      return end - start;
    }
    state.known = true;
    if (direction === ORIG) state.lost0 = false;
    else state.lost1 = false;
    const tag = operation.tag;
    if (tag === ENTRY || tag === REFERENCE || tag === INTERMEDIATE) state.entries++;
    else observeOperation(state, bytes, tag, operation.start, long ? operation.start : operation.end, out);
    at = next;
  }
  return at - start;
}

function readInner(tls: TlsState, p: Payload, at: number, out: ObservationSink): number {
  const start = p.start;
  p.start = at;
  const done = readTls(tls, p, out);
  p.start = start;
  return done === EXCLUDE || done === REST_OF_STREAM ? REST_OF_STREAM - (at - start) : done;
}

/** Observes the operation whose content is `[from, to)` (empty where it is too long to be kept). */
function observeOperation(
  state: LdapState,
  bytes: Uint8Array,
  tag: number,
  from: number,
  to: number,
  out: ObservationSink,
): void {
  const e = createBerElement();
  const isRequest = isRequestTag(tag);
  let loginStart = 0;
  let loginEnd = 0;
  out.begin(message);
  out.string(message.at.operation, operationName(tag));
  out.number(message.at.is_request, isRequest ? 1 : 0);
  if (!isRequest) {
    if (readBer(bytes, from, to, e) && e.tag === ENUMERATED) {
      const code = berInteger(bytes, e.start, e.end);
      if (code !== undefined && code >= 0) {
        out.number(message.at.result, code);
        if (tag === BIND_RESULT && code !== 0 && code !== 14) state.sasl = false;
        if (tag === EXTENDED_RESULT && state.startTls) {
          state.startTls = false;
          if (code === 0) state.tls = openTls();
        }
      }
      loginStart = tag === BIND_RESULT ? e.end : 0;
      loginEnd = tag === BIND_RESULT ? to : 0;
    }
    if (tag === SEARCH_RESULT) {
      out.number(message.at.entries, state.entries);
      state.entries = 0;
    }
  } else if (tag === DELETE) out.token(message.at.base, bytes, from, to);
  else if (tag === EXTENDED) {
    if (enterBer(bytes, from, to, 0x80, e) && e.end - e.start === START_TLS.length) {
      state.startTls = startsWith(bytes, e.start, e.end, START_TLS);
    }
  } else if (tag === BIND) {
    if (enterBer(bytes, from, to, INTEGER, e) && enterBer(bytes, e.end, to, OCTETS, e)) {
      out.token(message.at.user, bytes, e.start, e.end);
      const named = e.end > e.start;
      if (readBer(bytes, e.end, to, e)) {
        state.sasl = e.tag === 0xa3;
        if (e.tag === 0x80) out.string(message.at.auth, named || e.end > e.start ? 'simple' : 'anonymous');
        else if (e.tag === 0xa3) {
          loginStart = e.start;
          loginEnd = e.end;
          if (enterBer(bytes, e.start, e.end, OCTETS, e))
            out.text(message.at.auth, bytes, e.start, mechanismEnd(bytes, e.start, e.end));
        }
      }
    }
  } else if (tag !== UNBIND && tag !== ABANDON && enterBer(bytes, from, to, OCTETS, e)) {
    out.token(message.at.base, bytes, e.start, e.end);
    if (tag === SEARCH && enterBer(bytes, e.end, to, ENUMERATED, e)) {
      const scope = berInteger(bytes, e.start, e.end);
      if (scope === 0 || scope === 1 || scope === 2) {
        out.string(message.at.scope, scope === 0 ? 'base' : scope === 1 ? 'one' : 'sub');
      }
    }
  }
  out.end();
  if (loginEnd > loginStart) observeNtlm(bytes, loginStart, loginEnd, out);
}

/** A mechanism is upper-case letters, digits, `-` and `_` (RFC 4422); an empty range where it is not. */
function mechanismEnd(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > 20) return start;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    const upper = byte >= 0x41 && byte <= 0x5a;
    if (!upper && !(byte >= 0x30 && byte <= 0x39) && byte !== 0x2d && byte !== 0x5f) return start;
  }
  return end;
}
