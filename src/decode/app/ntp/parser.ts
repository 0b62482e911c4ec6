/**
 * NTP (RFC 5905 section 7.3, control messages RFC 9327):
 *
 *   message = leap << 6 | version << 3 | mode (1) stratum(1) poll(1) precision(1) delay(4) dispersion(4) reference(4)
 *             reference time(8) origin time(8) receive time(8) transmit time(8) { extension } [ key(4) digest ]
 *   control = leap version 6, response more error operation(1) sequence(2) status(2) association(2) offset(2) count(2)
 *   private = response more version 7, sequence(1) implementation(1) request(1) ...
 *
 * Times count seconds from 1900.
 */
import { ipv4At } from '../addresses.ts';
import { trimEnd, word } from '../ascii.ts';
import { ntpMessage } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

export const PORT = 123;
const STANDARD_BYTES = 48;
const UNIX_SECONDS = 2_208_988_800;
/** 2010-01-01 in seconds from 1900: a clock set earlier is none to be known by. */
const SECONDS_2010 = 3_471_292_800;
const MODES = ['reserved', 'active', 'passive', 'client', 'server', 'broadcast', 'control', 'private'];

export function looksLikeNtp(payload: Payload): boolean {
  const { bytes, view, start, end } = payload;
  const n = end - start;
  const onPort = payload.origPort === PORT || payload.respPort === PORT;
  if (n < 4) return false;
  const version = (bytes[start]! >> 3) & 7;
  const mode = bytes[start]! & 7;
  if (version < 1 || version > 4 || mode === 0) return false;
  // Control and private messages have little of their own: only on the port are they believed.
  if (mode >= 6)
    return onPort && n >= 8 && n <= 1024 && (mode === 7 || (n >= 12 && n >= 12 + view.getUint16(start + 10)));
  if (n < STANDARD_BYTES || n > 1024 || (n & 3) !== 0 || bytes[start + 1]! > 16) return false;
  const poll = view.getInt8(start + 2);
  const precision = view.getInt8(start + 3);
  if (poll < -8 || poll > 24 || precision > 0 || precision < -48) return onPort && mode === 3;
  return onPort || view.getUint32(start + 40) >= SECONDS_2010;
}

export function readNtp(payload: Payload, out: ObservationSink): void {
  const { bytes, view, start, end } = payload;
  if (!looksLikeNtp(payload)) {
    if (!payload.cut) out.event('ntp_bad_header');
    return;
  }
  const field = ntpMessage.at;
  const mode = bytes[start]! & 7;
  out.begin(ntpMessage);
  out.string(field.mode, MODES[mode]!);
  out.number(field.version, (bytes[start]! >> 3) & 7);
  out.number(field.bytes, end - start);
  if (mode === 6) {
    out.number(field.operation, bytes[start + 1]! & 31);
    out.number(field.is_response, bytes[start + 1]! >> 7);
  } else if (mode === 7) {
    out.number(field.operation, bytes[start + 3]!);
    out.number(field.is_response, bytes[start]! >> 7);
  } else {
    const stratum = bytes[start + 1]!;
    out.number(field.leap, bytes[start]! >> 6);
    out.number(field.stratum, stratum);
    out.number(field.poll, view.getInt8(start + 2));
    out.number(field.precision, view.getInt8(start + 3));
    if (view.getUint32(start + 12) !== 0) {
      const name = word(bytes, start + 12, trimEnd(bytes, start + 12, start + 16));
      if (stratum > 1) out.string(field.reference, ipv4At(bytes, start + 12));
      else if (name !== undefined) out.string(field.reference, name);
    }
    const seconds = view.getUint32(start + 40);
    // Clients write random bits there (RFC 8915 and current practice).
    if (seconds !== 0 && mode !== 3) out.number(field.skew_s, seconds - UNIX_SECONDS - Math.floor(payload.tsUs / 1e6));
  }
  out.end();
}
