import { stat } from 'node:fs/promises';
import type { FrameSource } from '../kernel/frames.ts';
import { createFileSource, createStreamSource } from '../sources/index.ts';

/** A capture named on the command line: a file, or `-` for standard input. */
export function sourceOf(path: string): FrameSource {
  return path === '-' ? createStreamSource(process.stdin, 'standard input') : createFileSource(path);
}

/** Bytes of the files together, for progress; undefined where one of them is no regular file. */
export async function bytesOf(paths: readonly string[]): Promise<number | undefined> {
  let sum = 0;
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() !== true) return undefined;
    sum += found.size;
  }
  return sum;
}
