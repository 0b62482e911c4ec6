import { equalsAnyCase } from '../../../lib/ascii.ts';
import { berInteger, createBerElement, enterBer, readBer, readBerHeader } from '../../../lib/ber.ts';
import { EXCLUDE, ORIG } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { BAD_MESSAGE, message } from './events.ts';

/**
 * Kerberos 5, RFC 4120 (DER; each field carries a context tag, written [n]):
 *
 *     datagram = message                     stream = *( length(4) message )
 *     message  = APPLICATION n SEQUENCE …    10 AS-REQ 11 AS-REP 12 TGS-REQ 13 TGS-REP 14 AP-REQ 15 AP-REP 30 ERROR
 *     request  = [1] 5 [2] type [3] SEQUENCE OF { [1] padata_type [2] value }? [4] body
 *     body     = [0] options [1] client? [2] realm [3] service? … [8] SEQUENCE OF etype
 *     reply    = [0] 5 [1] type [2] padata? [3] realm [4] client [5] ticket [6] encrypted
 *     ticket   = APPLICATION 1 SEQUENCE { [0] 5 [1] realm [2] service [3] { [0] etype … } }
 *     error    = [0] 5 [1] type … [6] code [7] client_realm? [8] client? [9] realm [10] service
 *     name     = SEQUENCE { [0] kind [1] SEQUENCE OF string }
 */
const SEQUENCE = 0x30;
const INTEGER = 0x02;
const APPLICATION_1 = 0x61;
/** Longer messages are skipped over. */
export const MAX_MESSAGE = 32_000;
const MAX_LENGTH = 1_000_000;
const MAX_FIELDS = 16;
const PA_ENC_TIMESTAMP = 2;
const CLASSES = ['krbtgt', 'cifs', 'host', 'ldap', 'http', 'rpcss', 'dns', 'mssqlsvc', 'termsrv', 'wsman', 'gc', 'kadmin', 'nfs', 'ftp', 'imap', 'smtp', 'restrictedkrbhost']; // prettier-ignore

export interface KerberosState {
  lost0: boolean;
  lost1: boolean;
  known: boolean;
}

export function openKerberos(): KerberosState {
  return { lost0: false, lost1: false, known: false };
}

function typeName(tag: number): string {
  switch (tag) {
    case 0x6a:
      return 'as_req';
    case 0x6b:
      return 'as_rep';
    case 0x6c:
      return 'tgs_req';
    case 0x6d:
      return 'tgs_rep';
    case 0x6e:
      return 'ap_req';
    case 0x6f:
      return 'ap_rep';
    case 0x7e:
      return 'error';
    default:
      return '';
  }
}

/** True where a message begins: tag, lengths that agree, and version 5. Needs some 16 bytes. */
function isMessage(bytes: Uint8Array, at: number, end: number, length: number): boolean {
  const e = scratch;
  if (typeName(bytes[at]!) === '' || readBerHeader(bytes, at, end, e) !== 'ok' || e.end - at !== length) return false;
  const outer = e.end;
  if (readBerHeader(bytes, e.start, end, e) !== 'ok' || e.tag !== SEQUENCE || e.end !== outer) return false;
  const v = e.start;
  if (v + 5 > end || (bytes[v] !== 0xa0 && bytes[v] !== 0xa1)) return false;
  return bytes[v + 1] === 3 && bytes[v + 2] === INTEGER && bytes[v + 3] === 1 && bytes[v + 4] === 5;
}

const scratch = createBerElement();

function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function probeKerberos(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (p.ipProto === 17) return end - start >= 16 && isMessage(bytes, start, end, end - start) ? 'yes' : 'no';
  if (end - start < 4) return 'more';
  const length = u32(bytes, start);
  if (length < 16 || length > MAX_LENGTH) return 'no';
  if (end - start < 24) return end - start > 4 && typeName(bytes[start + 4]!) === '' ? 'no' : 'more';
  return isMessage(bytes, start + 4, end, length) ? 'yes' : 'no';
}

export function kerberosGap(state: KerberosState, direction: number): void {
  if (direction === ORIG) state.lost0 = true;
  else state.lost1 = true;
}

export function readKerberos(state: KerberosState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  if (p.ipProto === 17) {
    if (end - start < 16 || !isMessage(bytes, start, end, end - start)) {
      if (!p.cut) out.event(BAD_MESSAGE);
    } else observeMessage(bytes, start, end, out);
    return end - start;
  }
  let at = start;
  while (end - at >= 4) {
    const length = u32(bytes, at);
    const plausible = length >= 16 && length <= MAX_LENGTH;
    if (plausible && end - at < 24) break;
    if (!plausible || !isMessage(bytes, at + 4, end, length)) {
      const lost = direction === ORIG ? state.lost0 : state.lost1;
      if (!lost) out.event(BAD_MESSAGE);
      if (!lost && !state.known) return EXCLUDE;
      kerberosGap(state, direction);
      return end - start;
    }
    if (length <= MAX_MESSAGE) {
      if (at + 4 + length > end) break;
      observeMessage(bytes, at + 4, at + 4 + length, out);
    }
    state.known = true;
    if (direction === ORIG) state.lost0 = false;
    else state.lost1 = false;
    at += 4 + length;
  }
  return at - start;
}

/** What a message says; offsets into it, an empty range where absent. */
const said = {
  realmStart: 0,
  realmEnd: 0,
  clientStart: 0,
  clientEnd: 0,
  serviceStart: 0,
  serviceEnd: 0,
  error: -1,
  etype: -1,
  preauth: -1,
};

function observeMessage(bytes: Uint8Array, start: number, end: number, out: ObservationSink): void {
  const tag = bytes[start]!;
  said.realmStart = said.realmEnd = said.clientStart = said.clientEnd = said.serviceStart = said.serviceEnd = 0;
  said.error = said.etype = said.preauth = -1;
  const e = createBerElement();
  const whole = readBer(bytes, start, end, e) && enterBer(bytes, e.start, e.end, SEQUENCE, e) && readFields(bytes, e.start, e.end, tag); // prettier-ignore
  if (!whole) out.event(BAD_MESSAGE);
  out.begin(message);
  out.string(message.at.type, typeName(tag));
  out.text(message.at.realm, bytes, said.realmStart, said.realmEnd);
  writeName(bytes, said.clientStart, said.clientEnd, false, out);
  writeName(bytes, said.serviceStart, said.serviceEnd, true, out);
  if (said.error >= 0) out.number(message.at.error_code, said.error);
  if (said.etype >= 0) out.number(message.at.etype, said.etype);
  if (said.preauth >= 0) out.number(message.at.preauth, said.preauth);
  out.end();
}

/** Walks the fields of a message; false where one does not fit. */
function readFields(bytes: Uint8Array, from: number, to: number, tag: number): boolean {
  const isRequest = tag === 0x6a || tag === 0x6c;
  const isReply = tag === 0x6b || tag === 0x6d;
  const isError = tag === 0x7e;
  if (isRequest) said.preauth = 0;
  const e = createBerElement();
  const inner = createBerElement();
  let at = from;
  for (let n = 0; n < MAX_FIELDS && at < to; n++) {
    if (!readBer(bytes, at, to, e)) return false;
    at = e.end;
    const field = e.tag - 0xa0;
    if (isRequest && field === 3) readPreauthentication(bytes, e.start, e.end);
    else if (isRequest && field === 4) {
      if (!enterBer(bytes, e.start, e.end, SEQUENCE, inner) || !readBody(bytes, inner.start, inner.end)) return false;
    } else if (isReply && field === 3) setRealm(bytes, e.start, e.end);
    else if (isReply && field === 4) setClient(e.start, e.end);
    else if (isReply && field === 5) readTicket(bytes, e.start, e.end);
    else if (isError && field === 6) {
      if (enterBer(bytes, e.start, e.end, INTEGER, inner)) said.error = berInteger(bytes, inner.start, inner.end) ?? -1;
    } else if (isError && field === 8) setClient(e.start, e.end);
    else if (isError && field === 9) setRealm(bytes, e.start, e.end);
    else if (isError && field === 10) setService(e.start, e.end);
  }
  return true;
}

function readBody(bytes: Uint8Array, from: number, to: number): boolean {
  const e = createBerElement();
  const inner = createBerElement();
  let at = from;
  for (let n = 0; n < MAX_FIELDS && at < to; n++) {
    if (!readBer(bytes, at, to, e)) return false;
    at = e.end;
    const field = e.tag - 0xa0;
    if (field === 1) setClient(e.start, e.end);
    else if (field === 2) setRealm(bytes, e.start, e.end);
    else if (field === 3) setService(e.start, e.end);
    else if (field === 8 && enterBer(bytes, e.start, e.end, SEQUENCE, inner)) setEtype(bytes, inner.start, inner.end);
  }
  return true;
}

function readTicket(bytes: Uint8Array, from: number, to: number): void {
  const e = createBerElement();
  if (!enterBer(bytes, from, to, APPLICATION_1, e) || !enterBer(bytes, e.start, e.end, SEQUENCE, e)) return;
  const limit = e.end;
  let at = e.start;
  const inner = createBerElement();
  for (let n = 0; n < 4 && at < limit; n++) {
    if (!readBer(bytes, at, limit, e)) return;
    at = e.end;
    if (e.tag === 0xa2) setService(e.start, e.end);
    else if (e.tag === 0xa3 && enterBer(bytes, e.start, e.end, SEQUENCE, inner)) {
      if (enterBer(bytes, inner.start, inner.end, 0xa0, inner)) setEtype(bytes, inner.start, inner.end);
    }
  }
}

function readPreauthentication(bytes: Uint8Array, from: number, to: number): void {
  const e = createBerElement();
  if (!enterBer(bytes, from, to, SEQUENCE, e)) return;
  const limit = e.end;
  let at = e.start;
  const inner = createBerElement();
  for (let n = 0; n < MAX_FIELDS && at < limit; n++) {
    if (!enterBer(bytes, at, limit, SEQUENCE, e)) return;
    at = e.end;
    if (!enterBer(bytes, e.start, e.end, 0xa1, inner) || !enterBer(bytes, inner.start, inner.end, INTEGER, inner))
      continue;
    if (berInteger(bytes, inner.start, inner.end) === PA_ENC_TIMESTAMP) said.preauth = 1;
  }
}

/** First INTEGER of the range. */
function setEtype(bytes: Uint8Array, from: number, to: number): void {
  const e = createBerElement();
  if (enterBer(bytes, from, to, INTEGER, e)) said.etype = berInteger(bytes, e.start, e.end) ?? -1;
}

function setRealm(bytes: Uint8Array, from: number, to: number): void {
  const e = createBerElement();
  if (!readBer(bytes, from, to, e)) return;
  said.realmStart = e.start;
  said.realmEnd = e.end;
}

function setClient(from: number, to: number): void {
  said.clientStart = from;
  said.clientEnd = to;
}

function setService(from: number, to: number): void {
  said.serviceStart = from;
  said.serviceEnd = to;
}

/** Writes a name as a token of its strings, for a service its class as well. */
function writeName(bytes: Uint8Array, from: number, to: number, isService: boolean, out: ObservationSink): void {
  const e = createBerElement();
  if (to <= from || !enterBer(bytes, from, to, SEQUENCE, e)) return;
  const limit = e.end;
  if (!readBer(bytes, e.start, limit, e) || !enterBer(bytes, e.end, limit, 0xa1, e)) return;
  if (!enterBer(bytes, e.start, e.end, SEQUENCE, e) || e.end === e.start) return;
  out.token(isService ? message.at.service : message.at.client, bytes, e.start, e.end);
  if (!isService || !readBer(bytes, e.start, e.end, e)) return;
  for (let i = 0; i < CLASSES.length; i++) {
    if (equalsAnyCase(bytes, e.start, e.end, CLASSES[i]!)) out.string(message.at.service_class, CLASSES[i]!);
  }
}
