/**
 * IEC 60870-5-104:
 *
 *   apdu = 68 length(1, 4 to 253) control(4) [ asdu ]
 *   control, first byte: bit 0 clear = I (with asdu); 01 = S; 11 = U, bits 2 startdt act, 3 con, 4 stopdt act, 5 con,
 *          6 testfr act, 7 con
 *   asdu = type(1) sequence << 7 | count (1) test negative cause (1) originator(1) address(2 LE) object(3 LE) ...
 */
import { iecAsdu, iecControl } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

const CONTROLS = ['startdt-act', 'startdt-con', 'stopdt-act', 'stopdt-con', 'testfr-act', 'testfr-con'];

/** 1 an APDU begins here, 0 cannot tell yet, -1 none does. */
export function looksLikeApdu(bytes: Uint8Array, at: number, end: number): number {
  const n = end - at;
  if (n < 1) return 0;
  if (bytes[at] !== 0x68) return -1;
  if (n < 2) return 0;
  const length = bytes[at + 1]!;
  if (length < 4 || length > 253) return -1;
  if (n < 6) return 0;
  const form = bytes[at + 2]! & 3;
  if (form === 1)
    return length === 4 && bytes[at + 2] === 1 && bytes[at + 3] === 0 && (bytes[at + 4]! & 1) === 0 ? 1 : -1;
  if (form === 3) {
    const bits = bytes[at + 2]! >> 2;
    return length === 4 &&
      bits !== 0 &&
      (bits & (bits - 1)) === 0 &&
      bytes[at + 3] === 0 &&
      bytes[at + 4] === 0 &&
      bytes[at + 5] === 0
      ? 1
      : -1;
  }
  if (length < 10 || (bytes[at + 4]! & 1) !== 0) return -1;
  if (n < 9) return 0;
  return bytes[at + 6]! >= 1 && bytes[at + 6]! <= 127 && (bytes[at + 8]! & 0x3f) >= 1 && (bytes[at + 8]! & 0x3f) <= 47
    ? 1
    : -1;
}

function isWrite(type: number): boolean {
  return (
    (type >= 45 && type <= 69) ||
    (type >= 103 && type <= 107) ||
    (type >= 110 && type <= 113) ||
    (type >= 120 && type <= 127)
  );
}

/** Reads the whole APDU from `at` to `end`. */
export function readApdu(bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const form = bytes[at + 2]! & 3;
  if (form === 1) return;
  if (form === 3) {
    const bits = bytes[at + 2]! >> 2;
    for (let i = 0; i < CONTROLS.length; i++) {
      if (bits !== 1 << i) continue;
      out.begin(iecControl);
      out.string(iecControl.at.function, CONTROLS[i]!);
      out.end();
    }
    return;
  }
  if (end - at < 12) {
    out.event('iec104_short_asdu');
    return;
  }
  const asdu = at + 6;
  const type = bytes[asdu]!;
  const field = iecAsdu.at;
  out.begin(iecAsdu);
  out.number(field.type_id, type);
  out.number(field.objects, bytes[asdu + 1]! & 0x7f);
  out.number(field.cause, bytes[asdu + 2]! & 0x3f);
  out.number(field.negative, (bytes[asdu + 2]! >> 6) & 1);
  out.number(field.test, bytes[asdu + 2]! >> 7);
  out.number(field.address, bytes[asdu + 4]! | (bytes[asdu + 5]! << 8));
  if (end - asdu >= 9) out.number(field.object, bytes[asdu + 6]! | (bytes[asdu + 7]! << 8) | (bytes[asdu + 8]! << 16));
  // Only what goes towards the station changes something: activation, deactivation, file transfer.
  const cause = bytes[asdu + 2]! & 0x3f;
  out.number(field.is_write, isWrite(type) && (cause === 6 || cause === 8 || cause === 13) ? 1 : 0);
  out.end();
}
