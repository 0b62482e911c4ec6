import type { ObservationSink } from '../../../src/decode/observation.ts';
import { exampleMessage } from './events.ts';

/**
 * example, (name the standard and its section here):
 *
 *     message = "EX" version(1) type(1) length(2, big endian) body(length)
 *
 * Replace the grammar first: the code below follows it line by line. What could name a patient is not read, or
 * leaves as a token; nothing outside `[start, end)` is touched.
 */
export const HEADER_BYTES = 6;
const VERSION = 1;
const TYPES = ['hello', 'command', 'answer'];
const COMMAND = 1;

/** 1: a message begins here, 0: it may with more bytes, -1: it does not. */
export function looksLikeMessage(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 1 || bytes[start] !== 0x45) return end === start ? 0 : -1;
  if (end - start < 2) return 0;
  if (bytes[start + 1] !== 0x58) return -1;
  if (end - start < HEADER_BYTES) return 0;
  return bytes[start + 2] === VERSION && bytes[start + 3]! < TYPES.length ? 1 : -1;
}

/** First byte behind the message at `start`, whose header is there. */
export function messageEnd(bytes: Uint8Array, start: number): number {
  return start + HEADER_BYTES + ((bytes[start + 4]! << 8) | bytes[start + 5]!);
}

/** Observes the message at `[start, stop)`. */
export function readMessage(bytes: Uint8Array, start: number, stop: number, out: ObservationSink): void {
  const type = bytes[start + 3]!;
  out.begin(exampleMessage);
  out.string(exampleMessage.at.type, TYPES[type] ?? `type ${type}`);
  out.number(exampleMessage.at.body_bytes, stop - start - HEADER_BYTES);
  if (type === COMMAND) out.number(exampleMessage.at.is_write, 1);
  out.end();
}
