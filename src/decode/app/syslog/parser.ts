/**
 * Syslog:
 *
 *   message  = "<" priority(1 to 3 digits, at most 191) ">" ( new | old )
 *   new      = "1 " time " " host " " app " " process " " id " " data [ " " text ]             RFC 5424
 *   old      = month " " day " " time " " [ host " " ] tag [ "[" process "]" ] ":" text         RFC 3164
 *   over TCP = { length " " message } | { message LF }                                          RFC 6587
 *
 * The text may hold anything, patients too: it is not read.
 */
import { decimal, find, isDigit, isLetter } from '../ascii.ts';
import { syslogMessage } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

const NAME_BYTES = 64;

/** After `<priority>`, or -1. */
export function priorityEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end || bytes[at] !== 0x3c) return -1;
  const close = find(bytes, at + 1, Math.min(end, at + 5), 0x3e);
  if (close >= end || bytes[close] !== 0x3e) return -1;
  const priority = decimal(bytes, at + 1, close);
  return priority >= 0 && priority <= 191 && (bytes[at + 1] !== 0x30 || close === at + 2) ? close + 1 : -1;
}

/** Whether what follows the priority is the beginning of one of the two forms. */
export function hasHeader(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at >= 2 && bytes[at] === 0x31 && bytes[at + 1] === 0x20) return true;
  return isOldTime(bytes, at, end);
}

/** `Mmm dd hh:mm:ss `, 16 bytes. */
function isOldTime(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < 16) return false;
  return (
    isLetter(bytes[at]!) &&
    isLetter(bytes[at + 1]!) &&
    isLetter(bytes[at + 2]!) &&
    bytes[at + 3] === 0x20 &&
    bytes[at + 6] === 0x20 &&
    isDigit(bytes[at + 7]!) &&
    bytes[at + 9] === 0x3a &&
    bytes[at + 12] === 0x3a &&
    bytes[at + 15] === 0x20
  );
}

function isName(bytes: Uint8Array, at: number, end: number): boolean {
  if (end <= at || end - at > NAME_BYTES) return false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    const ok =
      isLetter(byte) ||
      isDigit(byte) ||
      byte === 0x2d ||
      byte === 0x2e ||
      byte === 0x5f ||
      byte === 0x2f ||
      byte === 0x3a;
    if (!ok) return false;
  }
  return true;
}

/** Reads the message in the range; false where it begins with no priority. */
export function readSyslog(bytes: Uint8Array, start: number, end: number, out: ObservationSink): boolean {
  let at = priorityEnd(bytes, start, end);
  if (at < 0) return false;
  const priority = decimal(bytes, start + 1, at - 1);
  const field = syslogMessage.at;
  const isNew = end - at >= 2 && bytes[at] === 0x31 && bytes[at + 1] === 0x20;
  out.begin(syslogMessage);
  out.number(field.facility, priority >> 3);
  out.number(field.severity, priority & 7);
  out.number(field.version, isNew ? 1 : 0);
  if (isNew) {
    at = find(bytes, at + 2, end, 0x20) + 1;
    const hostEnd = at < end ? find(bytes, at, end, 0x20) : at;
    if (isName(bytes, at, hostEnd) && bytes[at] !== 0x2d) out.text(field.host, bytes, at, hostEnd);
    at = hostEnd + 1;
    const appEnd = at < end ? find(bytes, at, end, 0x20) : at;
    if (isName(bytes, at, appEnd) && bytes[at] !== 0x2d) out.text(field.app, bytes, at, appEnd);
  } else if (isOldTime(bytes, at, end)) {
    at += 16;
    let wordEnd = find(bytes, at, end, 0x20);
    // A first word with a colon or a bracket is the tag: the host was left out.
    if (wordEnd < end && !isTag(bytes, at, wordEnd)) {
      if (isName(bytes, at, wordEnd)) out.text(field.host, bytes, at, wordEnd);
      at = wordEnd + 1;
      wordEnd = find(bytes, at, end, 0x20);
    }
    if (isTag(bytes, at, wordEnd)) {
      const bracket = find(bytes, at, wordEnd, 0x5b);
      const tagEnd = bracket < wordEnd ? bracket : find(bytes, at, wordEnd, 0x3a);
      if (isName(bytes, at, tagEnd)) out.text(field.app, bytes, at, tagEnd);
    }
  }
  out.number(field.bytes, end - start);
  out.end();
  return true;
}

function isTag(bytes: Uint8Array, at: number, end: number): boolean {
  return end > at && bytes[end - 1] === 0x3a;
}
