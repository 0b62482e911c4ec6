/**
 * Contec CMS8000 (and Epsimed MN-120) to the central station, TCP 515 by custom; not LPD. As the public decoders
 * of the stream describe it:
 *
 *   stream  = { length(2 LE, counts from 05 on) 05 kind(1) data }
 *   kind    = 3E patient (department(32) 0 0 bed(1) name(32) number(32) ...) | 43 hello (empty) |
 *             45 bed (0 0 number FF) | 46 telemetry (0 0 signal(1) 0 ...) | 47 sync (empty) | 49 error (code text)
 *
 * Names, numbers and measurements stay inside.
 */
import { find } from '../ascii.ts';
import { contecBlock } from './events.ts';
import type { ObservationSink } from '../../observation.ts';

const MOST_BLOCK = 4096;

function kindName(kind: number): string {
  switch (kind) {
    case 0x3e:
      return 'patient';
    case 0x43:
      return 'hello';
    case 0x45:
      return 'bed';
    case 0x46:
      return 'telemetry';
    case 0x47:
      return 'sync';
    case 0x49:
      return 'error';
    default:
      return '';
  }
}

function signalName(signal: number): string {
  switch (signal) {
    case 0x14:
      return 'ecg';
    case 0x15:
      return 'spo2';
    case 0x16:
      return 'pressure';
    case 0x17:
      return 'temperature';
    default:
      return String(signal);
  }
}

/** 1 a block begins here, 0 cannot tell yet, -1 none does. */
export function looksLikeBlock(bytes: Uint8Array, at: number, end: number): number {
  const n = end - at;
  if (n < 4) return n >= 3 && bytes[at + 2] !== 5 ? -1 : 0;
  const length = bytes[at]! | (bytes[at + 1]! << 8);
  if (bytes[at + 2] !== 5 || length < 2 || length > MOST_BLOCK) return -1;
  const data = length - 2;
  switch (bytes[at + 3]) {
    case 0x3e:
      return data >= 0x63 ? 1 : -1;
    case 0x43:
    case 0x47:
      return data === 0 ? 1 : -1;
    case 0x45:
      if (data !== 4) return -1;
      if (n < 8) return 0;
      return bytes[at + 4] === 0 && bytes[at + 5] === 0 && bytes[at + 7] === 0xff ? 1 : -1;
    case 0x46:
      if (data < 4) return -1;
      if (n < 8) return 0;
      return bytes[at + 4] === 0 && bytes[at + 5] === 0 && bytes[at + 7] === 0 ? 1 : -1;
    case 0x49:
      return data >= 1 ? 1 : -1;
    default:
      return -1;
  }
}

/** Reads the whole block at `at`, whose `length` bytes from its third on are all there. */
export function readBlock(bytes: Uint8Array, at: number, length: number, out: ObservationSink): void {
  const kind = bytes[at + 3]!;
  const data = at + 4;
  const size = length - 2;
  const name = kindName(kind);
  if (name === '') {
    out.event('contec_bad_block');
    return;
  }
  const field = contecBlock.at;
  out.begin(contecBlock);
  out.string(field.block, name);
  if (kind === 0x45 && size >= 3) out.number(field.bed, bytes[data + 2]!);
  else if (kind === 0x3e && size >= 0x63) {
    out.number(field.bed, bytes[data + 0x22]!);
    out.token(field.patient, bytes, data + 0x43, find(bytes, data + 0x43, data + 0x63, 0));
  } else if (kind === 0x46 && size >= 3) out.string(field.signal, signalName(bytes[data + 2]!));
  out.number(field.bytes, length + 2);
  out.end();
}
