import { createReadStream, fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';

/** Names the descriptor under which a process was given its standard input, where that is not descriptor 0. */
export const PASSED_INPUT = 'WARDWATCH_STANDARD_INPUT';

/** The standard input that the user means. */
export function standardInput(): Readable {
  const passed = process.env[PASSED_INPUT];
  if (passed === undefined) return process.stdin;
  const fd = Number(passed);
  return fstatSync(fd).isFile() ? createReadStream('', { fd }) : new Socket({ fd, readable: true, writable: false });
}
