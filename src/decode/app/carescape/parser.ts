/**
 * GE CARESCAPE (Unity) network, as far as it is public (Vocera's description of its adapter; the open project
 * gedash), big endian, one message a datagram:
 *
 *   presence = 01 version(1) 0 0 ip(4) counter(4) location(16) patient(16) { service(2) port(2) } zeros   UDP 7000
 *   time     = 64 bytes: ip at 6, location(13) at 24, seconds since 1900 at 60                           UDP 2000
 *   location = unit "|" bed, then NUL to the end
 *
 * Nothing else of these messages is read. Only the shape tells them, so that all of it must fit.
 */
import { ipv4At } from '../addresses.ts';
import { find } from '../ascii.ts';
import { carescapePresence, carescapeTime } from './events.ts';
import type { Payload } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';

const PRESENCE_BYTES = 60;
const PRESENCE_MOST = 256;
const TIME_BYTES = 64;
const LOCATION_AT = 12;
const PATIENT_AT = 28;
const SERVICES_AT = 44;
/** Seconds from 1900 to 1970 and to 2000. */
const UNIX_SECONDS = 2_208_988_800;
const SECONDS_2000 = 3_155_673_600;

/** `unit|bed` in printable ASCII and then nothing but NUL. Returns the end of the text, -1 where it is not so. */
function locationEnd(bytes: Uint8Array, at: number, end: number): number {
  const stop = find(bytes, at, end, 0);
  let bars = 0;
  for (let i = at; i < stop; i++) {
    if (bytes[i]! < 0x20 || bytes[i]! > 0x7e) return -1;
    if (bytes[i] === 0x7c) bars++;
  }
  for (let i = stop; i < end; i++) if (bytes[i] !== 0) return -1;
  return bars === 1 && stop - at >= 3 ? stop : -1;
}

/** 0 neither, 1 presence, 2 time. */
export function formOf(bytes: Uint8Array, view: DataView, start: number, end: number): number {
  const n = end - start;
  if (n === TIME_BYTES && view.getUint32(start + 60) >= SECONDS_2000 && bytes[start + 6] !== 0) {
    if (locationEnd(bytes, start + 24, start + 37) > 0) return 2;
  }
  if (n < PRESENCE_BYTES || n > PRESENCE_MOST || bytes[start] !== 1 || bytes[start + 2] !== 0 || bytes[start + 3] !== 0)
    return 0;
  if (bytes[start + 4] === 0 || bytes[start + 4] === 0xff) return 0;
  return locationEnd(bytes, start + LOCATION_AT, start + PATIENT_AT) > 0 ? 1 : 0;
}

export function readCarescape(payload: Payload, out: ObservationSink): void {
  const { bytes, view, start, end } = payload;
  const form = formOf(bytes, view, start, end);
  if (form === 0) {
    out.event('carescape_bad_message');
  } else if (form === 1) {
    const field = carescapePresence.at;
    out.begin(carescapePresence);
    out.string(field.ip, ipv4At(bytes, start + 4));
    out.number(field.sequence, view.getUint32(start + 8));
    out.text(field.location, bytes, start + LOCATION_AT, find(bytes, start + LOCATION_AT, start + PATIENT_AT, 0));
    out.token(field.patient, bytes, start + PATIENT_AT, find(bytes, start + PATIENT_AT, start + SERVICES_AT - 1, 0));
    let services = 0;
    for (let at = start + SERVICES_AT; end - at >= 4; at += 4) {
      if (view.getUint16(at) !== 0 && view.getUint16(at + 2) !== 0) services++;
    }
    out.number(field.services, services);
    out.number(field.bytes, end - start);
    out.end();
  } else {
    const field = carescapeTime.at;
    out.begin(carescapeTime);
    out.string(field.ip, ipv4At(bytes, start + 6));
    out.text(field.location, bytes, start + 24, find(bytes, start + 24, start + 37, 0));
    out.number(field.skew_s, view.getUint32(start + 60) - UNIX_SECONDS - Math.floor(payload.tsUs / 1e6));
    out.end();
  }
}
