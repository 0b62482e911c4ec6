import { createBerElement, enterBer, readBer } from '../../../lib/ber.ts';
import type { BerElement } from '../../../lib/ber.ts';
import { decimal, findByte } from '../../../lib/ascii.ts';
import type { ObservationSink } from '../../observation.ts';
import { certificate as kind } from './events.ts';

/**
 * X.509 certificate, RFC 5280 section 4.1, only what names it:
 *
 *     Certificate    = SEQUENCE { tbsCertificate, … }
 *     tbsCertificate = SEQUENCE { [0] version?, serial INTEGER, algorithm SEQUENCE, issuer Name,
 *                                 validity SEQUENCE { notBefore Time, notAfter Time }, subject Name, … }
 *     Name           = SEQUENCE of SET of SEQUENCE { type OID, value string }
 *     Time           = UTCTime YYMMDDhhmm[ss]Z | GeneralizedTime YYYYMMDDhhmm[ss]Z
 */
const SEQUENCE = 0x30;
const SET = 0x31;
const OID = 0x06;
const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const BMP_STRING = 0x1e;
/** Last byte of the attribute types 2.5.4.x. */
const COMMON_NAME = 3;
const ORGANISATION = 10;
const MAX_ATTRIBUTES = 32;

/** Observes the certificate in `[start, end)`; false where it is none. */
export function observeCertificate(
  bytes: Uint8Array,
  start: number,
  end: number,
  fromClient: boolean,
  out: ObservationSink,
): boolean {
  const e = createBerElement();
  if (!enterBer(bytes, start, end, SEQUENCE, e) || !enterBer(bytes, e.start, e.end, SEQUENCE, e)) return false;
  const limit = e.end;
  let at = e.start;
  if (!readBer(bytes, at, limit, e)) return false;
  if (e.tag === 0xa0) {
    at = e.end;
    if (!readBer(bytes, at, limit, e)) return false;
  }
  if (e.tag !== INTEGER || !enterBer(bytes, e.end, limit, SEQUENCE, e)) return false;
  const issuerAt = e.end;
  if (!enterBer(bytes, issuerAt, limit, SEQUENCE, e)) return false;
  const issuerStart = e.start;
  const issuerEnd = e.end;
  if (!enterBer(bytes, issuerEnd, limit, SEQUENCE, e)) return false;
  const validityEnd = e.end;
  if (!readBer(bytes, e.start, validityEnd, e)) return false;
  const notBefore = time(bytes, e);
  if (!readBer(bytes, e.end, validityEnd, e)) return false;
  const notAfter = time(bytes, e);
  if (!enterBer(bytes, validityEnd, limit, SEQUENCE, e)) return false;
  const subjectStart = e.start;
  const subjectEnd = e.end;

  out.begin(kind);
  attribute(bytes, subjectStart, subjectEnd, COMMON_NAME, fromClient, kind.at.subject_cn, out);
  attribute(bytes, subjectStart, subjectEnd, ORGANISATION, false, kind.at.subject_org, out);
  attribute(bytes, issuerStart, issuerEnd, COMMON_NAME, false, kind.at.issuer_cn, out);
  attribute(bytes, issuerStart, issuerEnd, ORGANISATION, false, kind.at.issuer_org, out);
  if (notBefore !== undefined) out.number(kind.at.not_before, notBefore);
  if (notAfter !== undefined) out.number(kind.at.not_after, notAfter);
  out.number(kind.at.self_signed, same(bytes, issuerStart, issuerEnd, subjectStart, subjectEnd) ? 1 : 0);
  out.number(kind.at.from_client, fromClient ? 1 : 0);
  out.token(kind.at.certificate, bytes, start, end);
  out.end();
  return true;
}

/** Writes the first value of an attribute of a Name; nothing where there is none. */
function attribute(
  bytes: Uint8Array,
  start: number,
  end: number,
  type: number,
  notOfPersons: boolean,
  field: number,
  out: ObservationSink,
): void {
  const e = createBerElement();
  let at = start;
  for (let n = 0; n < MAX_ATTRIBUTES && at < end; n++) {
    if (!enterBer(bytes, at, end, SET, e)) return;
    at = e.end;
    if (!enterBer(bytes, e.start, e.end, SEQUENCE, e)) continue;
    const pairEnd = e.end;
    if (!enterBer(bytes, e.start, pairEnd, OID, e)) continue;
    const isType =
      e.end - e.start === 3 && bytes[e.start] === 0x55 && bytes[e.start + 1] === 4 && bytes[e.start + 2] === type;
    if (!isType || !readBer(bytes, e.end, pairEnd, e)) continue;
    if (notOfPersons && looksLikePerson(bytes, e)) return;
    if (e.tag === BMP_STRING) out.string(field, utf16be(bytes, e));
    else out.text(field, bytes, e.start, e.end);
    return;
  }
}

/** A blank, a comma or an at sign: names of machines have none, cards of staff have. */
function looksLikePerson(bytes: Uint8Array, e: BerElement): boolean {
  return [0x20, 0x2c, 0x40].some((byte) => findByte(bytes, byte, e.start, e.end) >= 0);
}

function utf16be(bytes: Uint8Array, e: BerElement): string {
  let value = '';
  for (let i = e.start; i + 2 <= e.end && value.length < 128; i += 2) {
    const unit = (bytes[i]! << 8) | bytes[i + 1]!;
    value += unit < 0x20 || (unit >= 0xd800 && unit <= 0xdfff) ? '\ufffd' : String.fromCharCode(unit);
  }
  return value;
}

function time(bytes: Uint8Array, e: BerElement): number | undefined {
  let at = e.start;
  let year: number;
  if (e.tag === UTC_TIME && e.end - at >= 11) {
    year = decimal(bytes, at, at + 2);
    if (year < 0) return undefined;
    // RFC 5280 4.1.2.5.1: 50 and above is 19YY.
    year += year >= 50 ? 1900 : 2000;
    at += 2;
  } else if (e.tag === GENERALIZED_TIME && e.end - at >= 13) {
    year = decimal(bytes, at, at + 4);
    if (year < 0) return undefined;
    at += 4;
  } else return undefined;
  const month = decimal(bytes, at, at + 2);
  const day = decimal(bytes, at + 2, at + 4);
  const hour = decimal(bytes, at + 4, at + 6);
  const minute = decimal(bytes, at + 6, at + 8);
  const second = e.end - at >= 10 ? Math.max(0, decimal(bytes, at + 8, at + 10)) : 0;
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || minute < 0) return undefined;
  const moment = new Date(0);
  moment.setUTCFullYear(year, month - 1, day);
  moment.setUTCHours(hour, minute, second, 0);
  return moment.getTime() / 1000;
}

function same(bytes: Uint8Array, aStart: number, aEnd: number, bStart: number, bEnd: number): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = 0; i < aEnd - aStart; i++) if (bytes[aStart + i] !== bytes[bStart + i]) return false;
  return true;
}
