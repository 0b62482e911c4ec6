/**
 * Modbus/TCP (MODBUS Messaging on TCP/IP 1.0b; Application Protocol 1.1b3), big endian:
 *
 *   adu      = transaction(2) 0 0 length(2, counts from unit on) unit(1) function(1) data
 *   read     = address(2) quantity(2)                        functions 1 to 4
 *   write    = address(2) value(2)                           5, 6
 *   writes   = address(2) quantity(2) count(1) values        15, 16
 *   mask     = address(2) and(2) or(2)                       22
 *   both     = read address(2) quantity(2) write address(2) quantity(2) count(1) values      23
 *   error    = function + 0x80, exception(1)
 *   identify = 43: 14 code(1) ...; answer: 14 code conformity more next count { object(1) length(1) value }
 */
import { numbered } from '../ascii.ts';
import { modbusRequest, modbusResponse } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

export const HEADER_BYTES = 8;
const MOST_LENGTH = 260;

const NAMES: Readonly<Record<number, string>> = {
  1: 'read-coils',
  2: 'read-discrete-inputs',
  3: 'read-holding-registers',
  4: 'read-input-registers',
  5: 'write-single-coil',
  6: 'write-single-register',
  7: 'read-exception-status',
  8: 'diagnostics',
  11: 'get-event-counter',
  12: 'get-event-log',
  15: 'write-multiple-coils',
  16: 'write-multiple-registers',
  17: 'report-server-id',
  20: 'read-file-record',
  21: 'write-file-record',
  22: 'mask-write-register',
  23: 'read-write-multiple-registers',
  24: 'read-fifo-queue',
  43: 'encapsulated-transport',
  90: 'unity-programming',
};

function nameOf(code: number): string {
  return NAMES[code] ?? numbered('function-', code);
}

function writes(code: number, sub: number): boolean {
  if (code === 8) return sub === 1 || sub === 4 || sub === 10;
  return (
    code === 5 || code === 6 || code === 15 || code === 16 || code === 21 || code === 22 || code === 23 || code === 90
  );
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** 1 a message begins here, 0 cannot tell yet, -1 none does. */
export function looksLikeAdu(bytes: Uint8Array, at: number, end: number): number {
  const n = end - at;
  if (n > 2 && bytes[at + 2] !== 0) return -1;
  if (n > 3 && bytes[at + 3] !== 0) return -1;
  if (n > 4 && bytes[at + 4]! > 1) return -1;
  if (n < HEADER_BYTES) return 0;
  const length = u16(bytes, at + 4);
  const code = bytes[at + 7]! & 0x7f;
  if (length < 2 || length > MOST_LENGTH || NAMES[code] === undefined) return -1;
  return (bytes[at + 7]! & 0x80) === 0 || length === 3 ? 1 : -1;
}

/** Whether the length fits a request of this function. */
export function fitsRequest(bytes: Uint8Array, at: number, end: number): boolean {
  const length = u16(bytes, at + 4);
  const code = bytes[at + 7]!;
  if (code >= 1 && code <= 6) return length === 6;
  if (code === 15 || code === 16) return length > 7 && (end - at < 13 || bytes[at + 12] === length - 7);
  return (code & 0x80) === 0;
}

/** Whether the length fits an answer of this function. */
export function fitsResponse(bytes: Uint8Array, at: number, end: number): boolean {
  const length = u16(bytes, at + 4);
  const code = bytes[at + 7]!;
  if ((code & 0x80) !== 0) return length === 3;
  if (code >= 1 && code <= 4) return length > 3 && (end - at < 9 || bytes[at + 8] === length - 3);
  if (code === 5 || code === 6 || code === 15 || code === 16) return length === 6;
  return true;
}

/** Reads the whole message at `at`; `end` is its end. */
export function readRequest(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const field = modbusRequest.at;
  const code = bytes[at + 7]!;
  const data = at + HEADER_BYTES;
  const sub = code === 8 && end - data >= 2 ? u16(bytes, data) : code === 43 && end > data ? bytes[data]! : -1;
  out.begin(modbusRequest);
  out.string(field.function, nameOf(code));
  out.number(field.function_code, code);
  out.number(field.unit, bytes[at + 6]!);
  if (
    ((code >= 1 && code <= 6) || code === 15 || code === 16 || code === 22 || code === 23 || code === 24) &&
    end - data >= 2
  ) {
    // Of a combined read and write the written range is told: it is what matters.
    const range = code === 23 && end - data >= 8 ? data + 4 : data;
    out.number(field.address, u16(bytes, range));
    if (code === 5 || code === 6 || code === 22) out.number(field.quantity, 1);
    else if (end - range >= 4 && code !== 24) out.number(field.quantity, u16(bytes, range + 2));
  }
  out.number(field.is_write, writes(code, sub) ? 1 : 0);
  if (sub >= 0) out.number(field.sub_function, sub);
  out.number(field.transaction, u16(bytes, at));
  out.end();
}

export function readResponse(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const field = modbusResponse.at;
  const code = bytes[at + 7]!;
  out.begin(modbusResponse);
  out.string(field.function, nameOf(code & 0x7f));
  out.number(field.function_code, code & 0x7f);
  out.number(field.unit, bytes[at + 6]!);
  if ((code & 0x80) !== 0 && end - at > HEADER_BYTES) out.number(field.exception, bytes[at + HEADER_BYTES]!);
  out.number(field.transaction, u16(bytes, at));
  if (code === 43 && end - at >= 14 && bytes[at + 8] === 14) {
    let object = at + 14;
    for (let i = bytes[at + 13]!; i > 0 && end - object >= 2 && bytes[object + 1]! <= end - object - 2; i--) {
      const from = object + 2;
      const to = from + bytes[object + 1]!;
      if (bytes[object] === 0) out.text(field.vendor, bytes, from, to);
      else if (bytes[object] === 1) out.text(field.product, bytes, from, to);
      else if (bytes[object] === 2) out.text(field.revision, bytes, from, to);
      object = to;
    }
  }
  out.number(field.bytes, end - at);
  out.end();
}

/** End of the message at `at` by its own length, or -1 where the length cannot be. */
export function aduEnd(bytes: Uint8Array, at: number): number {
  const length = u16(bytes, at + 4);
  return length < 2 || length > MOST_LENGTH ? -1 : at + 6 + length;
}
