/**
 * SNMP (RFC 1157, 3416, 3412, 3414) in BER with definite lengths:
 *
 *   v1, v2c  = SEQUENCE { version INTEGER(0, 1), community OCTET STRING, pdu }
 *   v3       = SEQUENCE { version INTEGER(3), SEQUENCE { id, size, flags OCTET STRING, model }, OCTET STRING { usm }, data }
 *   usm      = SEQUENCE { engine OCTET STRING, boots, time, user OCTET STRING, ... }
 *   data     = SEQUENCE { context engine, context name, pdu } | OCTET STRING (encrypted)
 *   pdu      = [0 get | 1 get-next | 2 response | 3 set | 5 get-bulk | 6 inform | 7 trap | 8 report]
 *              { request id, status, index, SEQUENCE { { SEQUENCE { OID, value } } } }
 *   pdu      = [4 trap of v1] { enterprise OID, agent address, generic, specific, time, bindings }
 *
 * Communities and users are secrets or near it: they leave as tokens only.
 */
import { numbered, startsWith } from '../ascii.ts';
import { snmpMessage } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

const INTEGER = 0x02;
const OCTETS = 0x04;
const OID = 0x06;
const SEQUENCE = 0x30;
const MOST_VARIABLES = 64;

const PDUS = ['get', 'get-next', 'response', 'set', 'trap', 'get-bulk', 'inform', 'trap', 'report'];

/** The element that was read last: where its value lies and what comes after. */
interface Element {
  tag: number;
  from: number;
  to: number;
}

const element: Element = { tag: 0, from: 0, to: 0 };

/** Reads tag and length at `at`; false where they are not there or the value runs over the end. */
function open(bytes: Uint8Array, at: number, end: number, cut: boolean): boolean {
  if (end - at < 2) return false;
  element.tag = bytes[at]!;
  let length = bytes[at + 1]!;
  at += 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count < 1 || count > 4 || end - at < count) return false;
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + bytes[at + i]!;
    at += count;
  }
  if (length > end - at) {
    if (!cut) return false;
    length = end - at;
  }
  element.from = at;
  element.to = at + length;
  return true;
}

function isTag(tag: number): boolean {
  return element.tag === tag;
}

/** Value of the integer that was opened last. */
function integer(bytes: Uint8Array): number {
  const { from, to } = element;
  if (to - from < 1 || to - from > 5) return 0;
  let value = bytes[from]! >= 0x80 ? -1 : 0;
  for (let at = from; at < to; at++) value = value * 256 + bytes[at]!;
  return value;
}

/** Dotted form of an object identifier; cut where it would become longer than a text may be. */
function oidText(bytes: Uint8Array, from: number, to: number): string {
  let out = '';
  let value = 0;
  for (let at = from; at < to && out.length < 112; at++) {
    value = value * 128 + (bytes[at]! & 0x7f);
    if (bytes[at]! >= 0x80) {
      if (value > 0xffffffff) return out;
      continue;
    }
    if (out === '')
      out = value < 40 ? numbered('0.', value) : value < 80 ? numbered('1.', value - 40) : numbered('2.', value - 80);
    else out += numbered('.', value);
    value = 0;
  }
  return out;
}

export function looksLikeSnmp(bytes: Uint8Array, start: number, end: number, cut: boolean): boolean {
  if (end - start < 8 || bytes[start] !== SEQUENCE || !open(bytes, start, end, cut)) return false;
  if (element.to !== end) return false;
  let at = element.from;
  if (!open(bytes, at, end, cut) || !isTag(INTEGER) || element.to - element.from !== 1) return false;
  const version = bytes[element.from]!;
  at = element.to;
  if (!open(bytes, at, end, cut)) return false;
  if (version === 3) {
    if (!isTag(SEQUENCE)) return false;
    return open(bytes, element.to, end, cut) && isTag(OCTETS);
  }
  if (version > 1 || !isTag(OCTETS)) return false;
  return open(bytes, element.to, end, cut) && element.tag >= 0xa0 && element.tag <= 0xa8;
}

export function readSnmp(payload: Payload, out: ObservationSink): void {
  const { bytes, start, end, cut } = payload;
  const field = snmpMessage.at;
  if (!looksLikeSnmp(bytes, start, end, cut)) {
    out.event('snmp_bad_header');
    return;
  }
  open(bytes, start, end, cut);
  open(bytes, element.from, end, cut);
  const version = bytes[element.from]!;
  let at = element.to;
  out.begin(snmpMessage);
  out.number(field.version, version === 3 ? 3 : version + 1);
  let good = true;
  if (version === 3) {
    at = globalData(bytes, at, end, cut, out);
    if (at > 0) at = usm(bytes, at, end, cut, out);
    good = at > 0 && open(bytes, at, end, cut);
    if (good && isTag(OCTETS)) {
      out.string(field.pdu, 'encrypted');
      at = -1;
    } else if (good) {
      at = element.from;
      for (let i = 0; i < 2 && good; i++) {
        good = open(bytes, at, end, cut);
        at = element.to;
      }
    }
  } else {
    open(bytes, at, end, cut);
    out.token(field.community, bytes, element.from, element.to);
    const { from, to } = element;
    const known =
      (to - from === 6 && startsWith(bytes, from, to, 'public')) ||
      (to - from === 7 && startsWith(bytes, from, to, 'private'));
    out.number(field.is_default_community, known ? 1 : 0);
    at = to;
  }
  if (good && at > 0) good = pdu(bytes, at, end, cut, out);
  out.end();
  if (!good && !cut) out.event('snmp_bad_ber');
}

function globalData(bytes: Uint8Array, at: number, end: number, cut: boolean, out: ObservationSink): number {
  if (!open(bytes, at, end, cut)) return -1;
  const after = element.to;
  at = element.from;
  for (let i = 0; i < 4 && at < after; i++) {
    if (!open(bytes, at, after, cut)) return -1;
    if (i === 0) out.number(snmpMessage.at.request_id, integer(bytes));
    if (i === 2 && element.to > element.from) {
      const flags = bytes[element.from]! & 3;
      out.string(snmpMessage.at.security, flags === 0 ? 'noAuthNoPriv' : flags === 1 ? 'authNoPriv' : 'authPriv');
    }
    at = element.to;
  }
  return after;
}

function usm(bytes: Uint8Array, at: number, end: number, cut: boolean, out: ObservationSink): number {
  if (!open(bytes, at, end, cut)) return -1;
  const after = element.to;
  if (element.from === after) return after;
  if (!open(bytes, element.from, after, cut)) return -1;
  const stop = element.to;
  at = element.from;
  for (let i = 0; i < 4 && at < stop; i++) {
    if (!open(bytes, at, stop, cut)) return -1;
    const { from, to } = element;
    if (i === 0 && to - from >= 5) {
      out.token(snmpMessage.at.engine, bytes, from, to);
      out.number(
        snmpMessage.at.engine_enterprise,
        (bytes[from]! & 0x7f) * 0x1000000 + ((bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!),
      );
    }
    if (i === 3) out.token(snmpMessage.at.user, bytes, from, to);
    at = to;
  }
  return after;
}

function pdu(bytes: Uint8Array, at: number, end: number, cut: boolean, out: ObservationSink): boolean {
  const field = snmpMessage.at;
  if (!open(bytes, at, end, cut)) return false;
  const kind = element.tag - 0xa0;
  const name = PDUS[kind];
  if (name === undefined) return false;
  out.string(field.pdu, name);
  out.number(field.is_write, kind === 3 ? 1 : 0);
  const stop = element.to;
  at = element.from;
  for (let i = 0; i < (kind === 4 ? 5 : 3); i++) {
    if (!open(bytes, at, stop, cut)) return false;
    if (kind === 4 && i === 0) out.string(field.sys_object_id, oidText(bytes, element.from, element.to));
    if (kind !== 4 && i === 0) out.number(field.request_id, integer(bytes));
    if (kind !== 4 && kind !== 5 && i === 1) out.number(field.error_status, integer(bytes));
    at = element.to;
  }
  if (!open(bytes, at, stop, cut) || !isTag(SEQUENCE)) return false;
  const last = element.to;
  at = element.from;
  let count = 0;
  for (; at < last && count < MOST_VARIABLES; count++) {
    if (!open(bytes, at, last, cut)) return false;
    const next = element.to;
    if (!open(bytes, element.from, next, cut) || !isTag(OID)) return false;
    const { from, to } = element;
    if (count === 0) out.string(field.oid, oidText(bytes, from, to));
    if (!open(bytes, to, next, cut)) return false;
    if (kind === 2) system(bytes, from, to, out);
    at = next;
  }
  out.number(field.variables, count);
  return true;
}

/** Tells the value (opened last) of 1.3.6.1.2.1.1.{1,2,5}.0. */
function system(bytes: Uint8Array, from: number, to: number, out: ObservationSink): void {
  if (to - from !== 8 || bytes[to - 1] !== 0 || !startsWith(bytes, from, to, '\x2b\x06\x01\x02\x01\x01')) return;
  const field = snmpMessage.at;
  const which = bytes[to - 2];
  if (which === 1 && isTag(OCTETS)) out.text(field.sys_descr, bytes, element.from, element.to);
  else if (which === 5 && isTag(OCTETS)) out.text(field.sys_name, bytes, element.from, element.to);
  else if (which === 2 && isTag(OID)) out.string(field.sys_object_id, oidText(bytes, element.from, element.to));
}
