import { startsWith } from '../../../lib/ascii.ts';
import { u16le, u32le, utf16le } from '../../../lib/little-endian.ts';
import type { ObservationSink } from '../../observation.ts';
import { authenticate, BAD_MESSAGE, challenge } from './events.ts';

/**
 * NTLM messages, MS-NLMP 2.2, wherever they travel (SMB, DCE/RPC, LDAP):
 *
 *     message      = "NTLMSSP" NUL type(4) …
 *     field        = length(2) space(2) offset(4)                             offset from the message's start
 *     CHALLENGE(2) = field target @12  flags @20  challenge(8)  reserved(8)  field target_info @40  version @48
 *     AUTHENTICATE(3) = field lm @12  field nt @20  field domain @28  field user @36  field workstation @44
 *                       field key @52  flags @60  version @64
 *     target_info  = *( id(2) length(2) value )   1 computer, 3 DNS computer, 4 DNS domain, 0 end
 *     version      = major(1) minor(1) build(2) reserved(4)
 */
const SIGNATURE = 'NTLMSSP\0';
const CHALLENGE = 2;
const AUTHENTICATE = 3;
const UNICODE = 0x1;
const HAS_VERSION = 0x0200_0000;
const MAX_PAIRS = 16;

/** Finds the first NTLM message in the range and observes it; true where there is one. */
export function observeNtlm(bytes: Uint8Array, start: number, end: number, out: ObservationSink): boolean {
  for (let at = start; at + 12 <= end; at++) {
    if (bytes[at] !== 0x4e || !startsWith(bytes, at, end, SIGNATURE)) continue;
    const type = u32le(bytes, at + 8);
    if (type === CHALLENGE) observeChallenge(bytes, at, end, out);
    else if (type === AUTHENTICATE) observeAuthenticate(bytes, at, end, out);
    return true;
  }
  return false;
}

function observeChallenge(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  if (end - at < 32) {
    out.event(BAD_MESSAGE);
    return;
  }
  const flags = u32le(bytes, at + 20);
  out.begin(challenge);
  name(bytes, at, end, at + 12, flags, challenge.at.target, out);
  if (end - at >= 48) {
    const infoStart = at + u32le(bytes, at + 44);
    targetInfo(bytes, infoStart, Math.min(end, infoStart + u16le(bytes, at + 40)), out);
  }
  if (end - at >= 56 && (flags & HAS_VERSION) !== 0) version(bytes, at + 48, challenge.at.os_version, out);
  out.end();
}

function targetInfo(bytes: Uint8Array, start: number, end: number, out: ObservationSink): void {
  let at = start;
  for (let n = 0; n < MAX_PAIRS && at + 4 <= end; n++) {
    const id = u16le(bytes, at);
    const valueEnd = at + 4 + u16le(bytes, at + 2);
    if (id === 0 || valueEnd > end) return;
    const field =
      id === 1 ? challenge.at.computer : id === 3 ? challenge.at.dns_computer : id === 4 ? challenge.at.dns_domain : -1;
    if (field >= 0 && valueEnd > at + 4) out.string(field, utf16le(bytes, at + 4, valueEnd));
    at = valueEnd;
  }
}

function observeAuthenticate(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  if (end - at < 64) {
    out.event(BAD_MESSAGE);
    return;
  }
  const flags = u32le(bytes, at + 60);
  const userStart = at + u32le(bytes, at + 40);
  const userEnd = userStart + u16le(bytes, at + 36);
  out.begin(authenticate);
  if (userEnd <= end) out.token(authenticate.at.user, bytes, userStart, userEnd);
  name(bytes, at, end, at + 28, flags, authenticate.at.domain, out);
  name(bytes, at, end, at + 44, flags, authenticate.at.workstation, out);
  // The version's place is only certain where no field points before its end.
  const firstField = Math.min(u32le(bytes, at + 32), u32le(bytes, at + 40), u32le(bytes, at + 48));
  if (firstField >= 72 && end - at >= 72 && (flags & HAS_VERSION) !== 0) {
    version(bytes, at + 64, authenticate.at.os_version, out);
  }
  out.number(authenticate.at.anonymous, userEnd === userStart ? 1 : 0);
  out.end();
}

/** Writes the text that the field header at `header` points to, where it lies within the message. */
function name(
  bytes: Uint8Array,
  at: number,
  end: number,
  header: number,
  flags: number,
  field: number,
  out: ObservationSink,
): void {
  const from = at + u32le(bytes, header + 4);
  const to = from + u16le(bytes, header);
  if (to > end || to === from) return;
  if ((flags & UNICODE) !== 0) out.string(field, utf16le(bytes, from, to));
  else out.text(field, bytes, from, to);
}

/** @cold Once a login. */
function version(bytes: Uint8Array, at: number, field: number, out: ObservationSink): void {
  if (bytes[at] === 0) return;
  out.string(field, `${bytes[at]!}.${bytes[at + 1]!}.${u16le(bytes, at + 2)}`);
}
