/**
 * DNP3 (IEEE 1815) over TCP and UDP, little endian:
 *
 *   frame       = 05 64 length(1, 5 + data) control(1) destination(2) source(2) crc(2) { block(1 to 16) crc(2) }
 *   control     = direction << 7 | primary << 6 | ... function(4 bits)
 *   data        = transport(1: fin 80, fir 40) application
 *   application = control(1) function(1) [ indications(2) in a response ] { group(1) variation(1) qualifier(1) ... }
 *
 * CRC: polynomial 0x3D65 reflected (0xA6BC), inverted, low byte first.
 */
import { numbered } from '../ascii.ts';
import { dnp3Link, dnp3Message } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

export const HEADER_BYTES = 10;
const BLOCK_BYTES = 16;

const FUNCTIONS = [
  'confirm',
  'read',
  'write',
  'select',
  'operate',
  'direct-operate',
  'direct-operate-no-ack',
  'freeze',
  'freeze-no-ack',
  'freeze-clear',
  'freeze-clear-no-ack',
  'freeze-at-time',
  'freeze-at-time-no-ack',
  'cold-restart',
  'warm-restart',
  'initialize-data',
  'initialize-application',
  'start-application',
  'stop-application',
  'save-configuration',
  'enable-unsolicited',
  'disable-unsolicited',
  'assign-class',
  'delay-measure',
  'record-time',
  'open-file',
  'close-file',
  'delete-file',
  'get-file-info',
  'authenticate-file',
  'abort-file',
  'activate-configuration',
  'authenticate-request',
  'authenticate-error',
];

function functionName(code: number): string {
  if (code === 129) return 'response';
  if (code === 130) return 'unsolicited-response';
  if (code === 131) return 'authenticate-response';
  return FUNCTIONS[code] ?? numbered('function-', code);
}

function isWrite(code: number): boolean {
  return (
    (code >= 2 && code <= 6) ||
    (code >= 9 && code <= 10) ||
    (code >= 13 && code <= 22) ||
    code === 25 ||
    code === 27 ||
    code === 31
  );
}

export function crc(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (; at < end; at++) {
    value ^= bytes[at]!;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) !== 0 ? (value >> 1) ^ 0xa6bc : value >> 1;
  }
  return ~value & 0xffff;
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** 1 a frame begins here (its header's checksum is right), 0 cannot tell yet, -1 none does. */
export function looksLikeFrame(bytes: Uint8Array, at: number, end: number): number {
  const n = end - at;
  if (n < 1) return 0;
  if (bytes[at] !== 0x05 || (n > 1 && bytes[at + 1] !== 0x64) || (n > 2 && bytes[at + 2]! < 5)) return -1;
  if (n < HEADER_BYTES) return 0;
  return crc(bytes, at, at + 8) === u16(bytes, at + 8) ? 1 : -1;
}

/** Bytes of the whole frame with its checksums. */
export function frameLength(bytes: Uint8Array, at: number): number {
  const data = bytes[at + 2]! - 5;
  return HEADER_BYTES + data + 2 * Math.ceil(data / BLOCK_BYTES);
}

/** Reads the frame at `at`, all of which is there up to `end`. */
export function readFrame(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const control = bytes[at + 3]!;
  const destination = u16(bytes, at + 4);
  const source = u16(bytes, at + 6);
  const data = at + HEADER_BYTES;
  for (let block = data; block < end;) {
    const stop = Math.min(block + BLOCK_BYTES, end - 2);
    if (stop <= block || crc(bytes, block, stop) !== u16(bytes, stop)) {
      out.event('dnp3_bad_crc');
      return;
    }
    block = stop + 2;
  }
  const length = bytes[at + 2]! - 5;
  if (length < 3) {
    out.begin(dnp3Link);
    out.number(dnp3Link.at.function_code, control & 15);
    out.number(dnp3Link.at.source, source);
    out.number(dnp3Link.at.destination, destination);
    out.number(dnp3Link.at.from_master, control >> 7);
    out.end();
    return;
  }
  // A fragment that is not the first goes on with one told before.
  if ((bytes[data]! & 0x40) === 0) return;
  const field = dnp3Message.at;
  const code = bytes[data + 2]!;
  const response = code >= 129;
  const objects = data + (response ? 5 : 3);
  out.begin(dnp3Message);
  out.string(field.function, functionName(code));
  out.number(field.function_code, code);
  out.number(field.source, source);
  out.number(field.destination, destination);
  out.number(field.from_master, control >> 7);
  if (response && length >= 5) out.number(field.indications, (bytes[data + 3]! << 8) | bytes[data + 4]!);
  if (length >= (response ? 7 : 5)) {
    out.number(field.group, bytes[objects]!);
    out.number(field.variation, bytes[objects + 1]!);
  }
  out.number(field.is_write, isWrite(code) ? 1 : 0);
  out.end();
}
