import type { FileHandle } from 'node:fs/promises';
import type { Readable, Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/** Bytes from somewhere, one after the other. */
export interface ByteInput {
  /**
   * Puts bytes into `target[from .. from + length)` as soon as there are some.
   * @returns how many; 0 at the end. Only one call at a time.
   */
  read(target: Uint8Array, from: number, length: number): Promise<number>;
  /** Releases what is held; a `read` under way then resolves with 0 or what it got. */
  close(): Promise<void>;
  /** Why the bytes ended before their proper end, where they did. */
  readonly cutShort?: string | undefined;
}

export function fileInput(handle: FileHandle): ByteInput {
  let reading: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;
  return {
    async read(target, from, length) {
      if (closing !== undefined) return 0;
      const result = handle.read(target, from, length, null);
      reading = result.catch(() => undefined);
      return (await result).bytesRead;
    },
    close() {
      closing ??= reading.then(() => handle.close());
      return closing;
    },
  };
}

/** Waits for the next event of a stream in paused mode without leaving listeners behind. */
function waiter(stream: Readable): {
  changed(): Promise<void>;
  readonly ended: boolean;
  readonly error: Error | undefined;
} {
  let wake: (() => void) | undefined;
  let ended = false;
  let error: Error | undefined;
  const tell = (): void => {
    wake?.();
    wake = undefined;
  };
  stream.on('readable', tell);
  stream.on('end', () => {
    ended = true;
    tell();
  });
  stream.on('error', (reason: Error) => {
    error ??= reason;
    tell();
  });
  stream.on('close', () => {
    ended = true;
    tell();
  });
  return {
    changed: () =>
      new Promise((resolve) => {
        if (ended || error !== undefined || stream.readableLength > 0) resolve();
        else wake = resolve;
      }),
    get ended() {
      return ended;
    },
    get error() {
      return error;
    },
  };
}

/** Reads a stream at the pace of the caller, and to the last byte that came before an error. */
function pull(stream: Readable): {
  read(target: Uint8Array, from: number, length: number): Promise<number>;
  readonly error: Error | undefined;
} {
  const state = waiter(stream);
  let rest: Uint8Array = new Uint8Array(0);
  return {
    async read(target, from, length) {
      while (rest.length === 0) {
        const chunk: unknown = stream.read();
        if (chunk instanceof Uint8Array) rest = chunk;
        else if (state.ended || state.error !== undefined || stream.destroyed || stream.readableEnded) return 0;
        else await state.changed();
      }
      const size = Math.min(rest.length, length);
      target.set(rest.length === size ? rest : rest.subarray(0, size), from);
      rest = rest.subarray(size);
      return size;
    },
    get error() {
      return state.error;
    },
  };
}

/** Bytes of a stream, which is destroyed at the end. */
export function streamInput(stream: Readable): ByteInput {
  const source = pull(stream);
  return {
    async read(target, from, length) {
      const size = await source.read(target, from, length);
      if (size === 0 && source.error !== undefined) throw source.error;
      return size;
    },
    close() {
      stream.destroy();
      return Promise.resolve();
    },
  };
}

/** The same bytes, the first ones of them already taken. */
export function withHead(head: Uint8Array, rest: ByteInput): ByteInput {
  let left = head;
  return {
    read(target, from, length) {
      if (left.length === 0) return rest.read(target, from, length);
      const size = Math.min(left.length, length);
      target.set(left.subarray(0, size), from);
      left = left.subarray(size);
      return Promise.resolve(size);
    },
    close: () => rest.close(),
    get cutShort() {
      return rest.cutShort;
    },
  };
}

/** The first bytes of the input: at least four (fewer only where it has no more), at most `capacity`. */
export async function takeHead(input: ByteInput, capacity: number): Promise<Uint8Array> {
  const head = new Uint8Array(capacity);
  let size = 0;
  while (size < 4) {
    const got = await input.read(head, size, capacity - size);
    if (got === 0) break;
    size += got;
  }
  return head.subarray(0, size);
}

export type Compression = 'gzip' | 'zstd';

export function compressionOf(head: Uint8Array): Compression | undefined {
  if (head.length < 4) return undefined;
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip';
  const zstdFrame = head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
  const skippable = (head[0]! & 0xf0) === 0x50 && head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
  return zstdFrame || skippable ? 'zstd' : undefined;
}

const COMPRESSED_PIECE_BYTES = 128 * 1024;
const INFLATED_PIECE_BYTES = 512 * 1024;

export function decompressed(kind: Compression, raw: ByteInput): ByteInput {
  const options = { chunkSize: INFLATED_PIECE_BYTES };
  const stream: Transform = kind === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
  const source = pull(stream);
  let cutShort: string | undefined;
  let readError: Error | undefined;

  async function feed(): Promise<void> {
    const piece = new Uint8Array(COMPRESSED_PIECE_BYTES);
    for (;;) {
      const size = await raw.read(piece, 0, piece.length);
      if (size === 0 || stream.destroyed) break;
      // Each piece is waited for, so that the end is told by an empty one: an error there (the data are
      // cut short) then loses nothing that was inflated before.
      await new Promise<void>((resolve) => {
        stream.once('close', resolve);
        stream.write(piece.subarray(0, size), () => {
          stream.off('close', resolve);
          resolve();
        });
      });
    }
    if (!stream.destroyed) stream.end();
  }
  let feeding: Promise<void> | undefined;

  return {
    async read(target, from, length) {
      feeding ??= feed().catch((reason: unknown) => {
        readError = reason instanceof Error ? reason : new Error(String(reason));
        stream.destroy();
      });
      const size = await source.read(target, from, length);
      if (size > 0) return size;
      if (readError !== undefined) throw readError;
      if (source.error !== undefined) cutShort = `The ${kind} data are cut short or damaged.`;
      return 0;
    },
    async close() {
      stream.destroy();
      await raw.close();
      await feeding;
    },
    get cutShort() {
      return cutShort;
    },
  };
}
