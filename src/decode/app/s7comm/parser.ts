/**
 * S7 communication of Siemens controllers over ISO on TCP (RFC 1006, X.224 class 0):
 *
 *   tpkt  = 03 00 length(2, all of it) cotp
 *   cotp  = length(1) E0 | D0 destination(2) source(2) class(1) { code(1) length(1) value }     C1 calling, C2 called TSAP
 *         | 02 F0 number(1, top bit: last) s7
 *   s7    = 32 kind(1: 1 job 2 ack 3 ack-data 7 userdata) 0 0 reference(2) parameters(2) data(2) [ error(2) in 2, 3 ]
 *           function(1) ...
 *   read, write = 04 | 05 count(1) { 12 length(1) 10 size(1) count(2) block(2) area(1) bit address(3) }
 *   userdata    = 00 01 12 length(1) method(1) type << 4 | group (1) sub-function(1) sequence(1) ...
 *   72    = S7comm-plus
 */
import { numbered } from '../ascii.ts';
import { s7Connect, s7Message } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

const KINDS: Readonly<Record<number, string>> = { 1: 'job', 2: 'ack', 3: 'ack-data', 7: 'userdata' };
const FUNCTIONS: Readonly<Record<number, string>> = {
  0x00: 'cpu-services',
  0x04: 'read',
  0x05: 'write',
  0x1a: 'request-download',
  0x1b: 'download-block',
  0x1c: 'download-ended',
  0x1d: 'start-upload',
  0x1e: 'upload',
  0x1f: 'end-upload',
  0x28: 'start',
  0x29: 'stop',
  0xf0: 'setup',
};
const GROUPS: Readonly<Record<number, string>> = {
  1: 'programmer',
  2: 'cyclic-data',
  3: 'block-functions',
  4: 'cpu-functions',
  5: 'security',
  6: 'pbc',
  7: 'time',
};

export const TPKT_BYTES = 4;

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Length of the packet at `at`, 0 where its header is not whole, -1 where it is none. */
export function tpktLength(bytes: Uint8Array, at: number, end: number): number {
  if (end > at && bytes[at] !== 3) return -1;
  if (end > at + 1 && bytes[at + 1] !== 0) return -1;
  if (end - at < TPKT_BYTES) return 0;
  const length = u16(bytes, at + 2);
  return length >= 7 ? length : -1;
}

/** 1 S7, 0 cannot tell yet (a connection request is common to all of ISO on TCP), -1 no. */
export function looksLikeS7(bytes: Uint8Array, at: number, end: number): number {
  for (let packets = 0; packets < 4 && at < end; packets++) {
    const length = tpktLength(bytes, at, end);
    if (length <= 0) return length;
    if (end - at < 6) return 0;
    if (bytes[at + 5] === 0xf0) {
      if (bytes[at + 4] !== 2) return -1;
      if (end - at < 9) return 0;
      if (bytes[at + 7] === 0x72) return 1;
      return bytes[at + 7] === 0x32 && KINDS[bytes[at + 8]!] !== undefined ? 1 : -1;
    }
    if ((bytes[at + 5] !== 0xe0 && bytes[at + 5] !== 0xd0) || bytes[at + 4]! < 6) return -1;
    at += length;
  }
  return 0;
}

/** Reads the whole packet from `at` to `end`. */
export function readPacket(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const cotp = at + TPKT_BYTES;
  const header = bytes[cotp]!;
  const kind = bytes[cotp + 1]! & 0xf0;
  if (cotp + 1 + header > end) {
    out.event('s7comm_bad_cotp');
    return;
  }
  if (kind === 0xe0 || kind === 0xd0) connection(bytes, cotp, cotp + 1 + header, kind === 0xd0, out);
  else if (kind === 0xf0) message(bytes, cotp + 1 + header, end, out);
}

function connection(bytes: Uint8Array, at: number, end: number, response: boolean, out: ObservationSink): void {
  const field = s7Connect.at;
  out.begin(s7Connect);
  out.number(field.is_response, response ? 1 : 0);
  for (let option = at + 7; end - option >= 2; option += 2 + bytes[option + 1]!) {
    if (bytes[option + 1] !== 2 || end - option < 4) continue;
    if (bytes[option] === 0xc1) out.number(field.calling_tsap, u16(bytes, option + 2));
    else if (bytes[option] === 0xc2) out.number(field.called_tsap, u16(bytes, option + 2));
  }
  out.end();
}

function message(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const field = s7Message.at;
  if (end - at >= 1 && bytes[at] === 0x72) {
    out.begin(s7Message);
    out.number(field.is_plus, 1);
    out.end();
    return;
  }
  const kind = end - at >= 10 && bytes[at] === 0x32 ? KINDS[bytes[at + 1]!] : undefined;
  if (kind === undefined) {
    // The rest of a message in several fragments, or an empty one.
    if (end > at && bytes[at] === 0x32) out.event('s7comm_bad_header');
    return;
  }
  const hasError = kind === 'ack' || kind === 'ack-data';
  const parameters = at + (hasError ? 12 : 10);
  const stop = parameters + u16(bytes, at + 6);
  if (stop > end) {
    out.event('s7comm_bad_header');
    return;
  }
  out.begin(s7Message);
  out.string(field.pdu, kind);
  out.number(field.reference, u16(bytes, at + 4));
  if (hasError) {
    out.number(field.error_class, bytes[at + 10]!);
    out.number(field.error_code, bytes[at + 11]!);
  }
  let write = false;
  if (kind === 'userdata') {
    if (stop - parameters >= 8) {
      const group = bytes[parameters + 5]! & 15;
      out.string(field.function, GROUPS[group] ?? numbered('group-', group));
      out.number(field.function_code, group);
      out.number(field.sub_function, bytes[parameters + 6]!);
      // Setting the clock.
      write =
        group === 7 &&
        (bytes[parameters + 6] === 2 || bytes[parameters + 6] === 4) &&
        bytes[parameters + 5]! >> 4 === 4;
    }
  } else if (stop > parameters) {
    const code = bytes[parameters]!;
    out.string(field.function, FUNCTIONS[code] ?? numbered('function-', code));
    out.number(field.function_code, code);
    write = kind === 'job' && (code === 5 || (code >= 0x1a && code <= 0x1c) || code === 0x28 || code === 0x29);
    if ((code === 4 || code === 5) && stop - parameters >= 2) {
      out.number(field.items, bytes[parameters + 1]!);
      const item = parameters + 2;
      if (kind === 'job' && stop - item >= 12 && bytes[item] === 0x12 && bytes[item + 2] === 0x10) {
        out.number(field.block, u16(bytes, item + 6));
        out.number(field.area, bytes[item + 8]!);
        out.number(field.address, ((bytes[item + 9]! << 16) | (bytes[item + 10]! << 8) | bytes[item + 11]!) >> 3);
      }
    }
  }
  out.number(field.is_write, write ? 1 : 0);
  out.end();
}
