import { decimal, equalsAnyCase, findByte, isPrintable } from '../../../lib/ascii.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { error, request } from './events.ts';

/**
 * TFTP, RFC 1350 and RFC 2347:
 *
 *     request = 0 (1 read | 2 write) file NUL mode NUL *( option NUL value NUL )
 *     error   = 0 5 code(2) text NUL
 *
 * The server answers from another port, so data goes over another flow, whose bytes do not tell what it is; an error
 * there does.
 */
const READ = 1;
const WRITE = 2;
const ERROR = 5;
/** Option negotiation failed, RFC 2347. */
const LAST_CODE = 8;
/** Head and a text of a few letters: shorter ones could be anything. */
const MIN_ERROR = 8;
const MAX_OPTIONS = 16;
const MODES = ['netascii', 'octet', 'mail'];

/** Index of the mode of the request at `start`, or -1 where this is none. */
function modeOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 9 || bytes[start] !== 0 || (bytes[start + 1] !== READ && bytes[start + 1] !== WRITE)) return -1;
  const fileEnd = findByte(bytes, 0, start + 2, end);
  if (fileEnd <= start + 2 || !isPrintable(bytes, start + 2, fileEnd)) return -1;
  const modeEnd = findByte(bytes, 0, fileEnd + 1, end);
  if (modeEnd < 0) return -1;
  for (let i = 0; i < MODES.length; i++) if (equalsAnyCase(bytes, fileEnd + 1, modeEnd, MODES[i]!)) return i;
  return -1;
}

/** True where the whole payload is an error: its code is one of RFC 2347 and its text ends with the payload. */
function isError(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start > MIN_ERROR &&
    bytes[start] === 0 &&
    bytes[start + 1] === ERROR &&
    bytes[start + 2] === 0 &&
    bytes[start + 3]! <= LAST_CODE &&
    bytes[end - 1] === 0 &&
    isPrintable(bytes, start + 4, end - 1)
  );
}

/** A refusal comes from another port and is all there is of its flow: it has to be known by itself. */
export function probeTftp(p: Payload): Verdict {
  return modeOf(p.bytes, p.start, p.end) >= 0 || isError(p.bytes, p.start, p.end) ? 'yes' : 'no';
}

export function readTftp(p: Payload, out: ObservationSink): number {
  const { bytes, start, end } = p;
  const mode = modeOf(bytes, start, end);
  if (mode >= 0) takeRequest(bytes, start, end, mode, out);
  else if (end - start >= 4 && bytes[start] === 0 && bytes[start + 1] === ERROR) {
    out.begin(error);
    out.number(error.at.code, (bytes[start + 2]! << 8) | bytes[start + 3]!);
    out.end();
  }
  return end - start;
}

function takeRequest(bytes: Uint8Array, start: number, end: number, mode: number, out: ObservationSink): void {
  const fileEnd = findByte(bytes, 0, start + 2, end);
  let at = findByte(bytes, 0, fileEnd + 1, end) + 1;
  out.begin(request);
  out.string(request.at.operation, bytes[start + 1] === READ ? 'read' : 'write');
  out.string(request.at.mode, MODES[mode]!);
  out.token(request.at.file, bytes, start + 2, fileEnd);
  for (let n = 0; n < MAX_OPTIONS; n++) {
    const nameEnd = findByte(bytes, 0, at, end);
    if (nameEnd < 0) break;
    const valueEnd = findByte(bytes, 0, nameEnd + 1, end);
    if (valueEnd < 0) break;
    const size = equalsAnyCase(bytes, at, nameEnd, 'tsize') ? decimal(bytes, nameEnd + 1, valueEnd) : -1;
    if (size > 0) out.number(request.at.transfer_bytes, size);
    at = valueEnd + 1;
  }
  out.end();
}
