import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Reporter } from '../../kernel/component.ts';
import { WardwatchError, describeError } from '../../kernel/errors.ts';
import type { DiskQueueConfig } from './config.ts';

export type { DiskQueueConfig } from './config.ts';

/*
 * A file holds records of one partition, one after the other: length of the value, number of frames, CRC-32 of both
 * and of the value (each 4 bytes, little-endian), the value. Its name is its number, which grows over all
 * partitions, and its partition. `position.json` says what of it was taken and what was dropped before it.
 */
const HEAD_BYTES = 12;
const MAX_VALUE_BYTES = 4 * 1024 * 1024;
const FILE_NAME = /^(\d{12})-(\d{1,4})\.frames$/;
/** A full queue is so many files: dropping one gives up that share of it. */
const FILES = 16;
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** Up to where a record reaches: what {@link DiskQueue.remove} is given. */
export interface QueueMark {
  readonly file: number;
  readonly end: number;
}

export interface QueuedRecord {
  readonly value: Buffer;
  readonly frames: number;
  readonly mark: QueueMark;
}

/** What comes next of a partition. */
export interface QueueHead {
  /** Frames that were dropped right before these records. */
  readonly framesLost: number;
  readonly records: readonly QueuedRecord[];
}

interface QueueFile {
  readonly number: number;
  readonly partition: number;
  bytes: number;
  frames: number;
  /** Bytes and frames at the beginning that were taken. */
  taken: number;
  takenFrames: number;
  /** Frames dropped between the file before and this one. */
  lostBefore: number;
}

interface Positions {
  readonly files: readonly { number: number; taken: number; lostBefore: number }[];
}

/**
 * Records in files, first in first out by partition, bounded. When it is full the oldest file is dropped that
 * nobody is reading: what happens now matters more to whoever has to act, and there is one gap either way.
 * Everything is written before a call returns; a process that is killed leaves at most a torn record at the end
 * of a file, which is cut off when the folder is opened again. A record that was taken and not yet removed comes
 * again after a restart.
 */
export class DiskQueue {
  readonly #config: DiskQueueConfig;
  readonly #reporter: Reporter;
  /** By number, ascending; the last one of a partition is written to. */
  #files: QueueFile[] = [];
  readonly #writing = new Map<number, { file: QueueFile; handle: number }>();
  /** Dropped frames of partitions whose next file is not there yet. */
  readonly #lost = new Map<number, number>();
  /** Files whose records are with the caller. */
  readonly #reading = new Map<number, number>();
  #bytes = 0;
  #next = 1;
  #open = false;

  constructor(config: DiskQueueConfig, reporter: Reporter) {
    this.#config = config;
    this.#reporter = reporter;
  }

  /**
   * Finds what a run before has left.
   * @throws WardwatchError WW_CONFIG where the folder cannot be used, or another sensor uses it
   */
  open(): void {
    const { dir } = this.#config;
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      this.#lock();
      const positions = this.#readPositions();
      for (const name of readdirSync(dir).sort()) {
        const [, number, partition] = FILE_NAME.exec(name) ?? [];
        if (number === undefined) continue;
        this.#next = Math.max(this.#next, Number(number) + 1);
        this.#recover(Number(number), Number(partition), positions.get(Number(number)));
      }
      this.#open = true;
      this.#tell();
    } catch (error) {
      if (error instanceof WardwatchError) throw error;
      throw new WardwatchError(
        'WW_CONFIG',
        `The queue on disk cannot be used: ${describeError(error)}.`,
        'Give bus.kafka.queue.dir a folder that the sensor may write to.',
        { cause: error },
      );
    }
  }

  isEmpty(partition: number): boolean {
    return !this.#files.some((f) => f.partition === partition && f.taken < f.bytes) && !this.#lost.has(partition);
  }

  /** Partitions of which something is queued. */
  get partitions(): readonly number[] {
    return [...new Set(this.#files.filter((f) => f.taken < f.bytes).map((f) => f.partition))];
  }

  get frames(): number {
    return this.#files.reduce((n, f) => n + f.frames - f.takenFrames, 0);
  }

  /**
   * Writes a record behind the others of its partition, and drops old ones where there is no room.
   * @param held is being sent: it is not dropped, nor counted as such where the disk does not take it
   * @returns undefined where the disk does not take it; the frames are counted as dropped then
   */
  append(partition: number, value: Uint8Array, frames: number, held = false): QueueMark | undefined {
    const size = HEAD_BYTES + value.length;
    let at: { file: QueueFile; handle: number } | undefined;
    try {
      while (this.#bytes + size > this.#config.max_bytes) if (!this.#dropOldest()) break;
      at = this.#fileFor(partition, size);
      const head = Buffer.alloc(HEAD_BYTES);
      head.writeUInt32LE(value.length, 0);
      head.writeUInt32LE(frames, 4);
      head.writeUInt32LE(crc32(value, crc32(head.subarray(0, 8))), 8);
      const record = Buffer.concat([head, value]);
      for (let done = 0; done < record.length;)
        done += writeSync(at.handle, record, done, record.length - done, at.file.bytes + done);
      if (this.#config.fsync === 'record') fsyncSync(at.handle);
    } catch (error) {
      // What was written of it would be a torn record in the middle.
      if (at !== undefined) this.#closeAt(at);
      if (!held) {
        this.#lost.set(partition, (this.#lost.get(partition) ?? 0) + frames);
        this.#reporter.dropped('frames', frames, 'queue on disk not writable');
      }
      this.#reporter.log('warn', 'the queue on disk takes nothing', { error: describeError(error) });
      return undefined;
    }
    at.file.bytes += size;
    at.file.frames += frames;
    this.#bytes += size;
    if (held) this.#reading.set(partition, at.file.number);
    this.#reporter.count('queue_written_frames', frames);
    this.#tell();
    return { file: at.file.number, end: at.file.bytes };
  }

  /** The oldest records of a partition up to so many bytes (at least one); undefined where there is none. */
  head(partition: number, maxBytes: number): QueueHead | undefined {
    for (;;) {
      const file = this.#files.find((f) => f.partition === partition && f.taken < f.bytes);
      if (file === undefined) {
        const framesLost = this.#lost.get(partition);
        return framesLost === undefined ? undefined : { framesLost, records: [] };
      }
      this.#reading.set(partition, file.number);
      if (file.lostBefore > 0) return { framesLost: file.lostBefore, records: [] };
      const records = this.#read(file, maxBytes);
      if (records.length > 0) return { framesLost: 0, records };
      // It was whole when it was opened or written: the disk has changed it since.
      this.#giveUp(file, 'queue on disk damaged');
    }
  }

  /** The frames that {@link DiskQueue.head} told as lost were told to the detectors. */
  lossTold(partition: number): void {
    const file = this.#files.find((f) => f.partition === partition && f.taken < f.bytes);
    if (file !== undefined) file.lostBefore = 0;
    else this.#lost.delete(partition);
    this.#writePositions();
  }

  /** Everything of the partition up to this mark is with the broker. */
  remove(partition: number, mark: QueueMark, frames: number): void {
    this.#reading.delete(partition);
    const file = this.#files.find((f) => f.number === mark.file);
    if (file === undefined) return;
    file.taken = mark.end;
    file.takenFrames += frames;
    const rest = this.#files.filter((f) => f.partition === partition && f.number < mark.file);
    for (const old of rest) this.#delete(old);
    const isWritten = this.#writing.get(partition)?.file === file;
    if (file.taken >= file.bytes) {
      if (isWritten) this.#close(partition);
      this.#delete(file);
    }
    this.#writePositions();
    this.#tell();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const partition of [...this.#writing.keys()]) this.#close(partition);
    this.#writePositions();
    unlinkSync(join(this.#config.dir, 'lock'));
  }

  #tell(): void {
    this.#reporter.gauge('queue_bytes', this.#bytes);
    this.#reporter.gauge('queue_frames', this.frames);
  }

  #path(file: { number: number; partition: number }): string {
    return join(this.#config.dir, `${String(file.number).padStart(12, '0')}-${file.partition}.frames`);
  }

  /** A lock of a process that is gone, or of this number (a container that was started again), is no lock. */
  #lock(): void {
    const path = join(this.#config.dir, 'lock');
    let holder = 0;
    try {
      holder = Number(readFileSync(path, 'utf8'));
    } catch {
      // There is none.
    }
    if (holder > 0 && holder !== process.pid && isAlive(holder))
      throw new WardwatchError(
        'WW_CONFIG',
        `The queue on disk is used by another sensor (process ${holder}).`,
        'Give each sensor a folder of its own in bus.kafka.queue.dir.',
      );
    writeFileSync(path, String(process.pid));
  }

  #readPositions(): Map<number, Positions['files'][number]> {
    try {
      const text = readFileSync(join(this.#config.dir, 'position.json'), 'utf8');
      const { files } = JSON.parse(text) as Positions;
      return new Map(files.map((file) => [file.number, file]));
    } catch {
      // Without it everything that is there comes again, and is recognised by its sequence.
      return new Map();
    }
  }

  #writePositions(): void {
    const files = this.#files
      .filter((f) => f.taken > 0 || f.lostBefore > 0)
      .map(({ number, taken, lostBefore }) => ({ number, taken, lostBefore }));
    const path = join(this.#config.dir, 'position.json');
    try {
      writeFileSync(`${path}.new`, JSON.stringify({ files } satisfies Positions));
      renameSync(`${path}.new`, path);
    } catch (error) {
      this.#reporter.log('warn', 'the position in the queue on disk cannot be written', {
        error: describeError(error),
      });
    }
  }

  /** Walks a file to its last whole record and cuts off what follows. */
  #recover(number: number, partition: number, position: Positions['files'][number] | undefined): void {
    const file: QueueFile = {
      number,
      partition,
      bytes: 0,
      frames: 0,
      taken: 0,
      takenFrames: 0,
      lostBefore: position?.lostBefore ?? 0,
    };
    const path = this.#path(file);
    const size = statSync(path).size;
    const handle = openSync(path, 'r+');
    try {
      for (let at = 0; at < size;) {
        const record = readRecord(handle, at, size);
        if (record === undefined) break;
        at += HEAD_BYTES + record.value.length;
        file.bytes = at;
        file.frames += record.frames;
        if (position !== undefined && at <= position.taken) {
          file.taken = at;
          file.takenFrames = file.frames;
        }
      }
      if (file.bytes < size) {
        this.#reporter.log('warn', 'the end of a file of the queue was torn and is cut off', {
          bytes: size - file.bytes,
        });
        ftruncateSync(handle, file.bytes);
      }
    } finally {
      closeSync(handle);
    }
    if (file.taken >= file.bytes) unlinkSync(path);
    else {
      this.#files.push(file);
      this.#bytes += file.bytes;
    }
  }

  #read(file: QueueFile, maxBytes: number): QueuedRecord[] {
    const records: QueuedRecord[] = [];
    const handle = openSync(this.#path(file), 'r');
    try {
      let bytes = 0;
      for (let at = file.taken; at < file.bytes;) {
        const record = readRecord(handle, at, file.bytes);
        if (record === undefined || (records.length > 0 && bytes + record.value.length > maxBytes)) break;
        at += HEAD_BYTES + record.value.length;
        bytes += record.value.length;
        records.push({ ...record, mark: { file: file.number, end: at } });
      }
    } finally {
      closeSync(handle);
    }
    return records;
  }

  #fileFor(partition: number, size: number): { file: QueueFile; handle: number } {
    const limit = Math.min(MAX_FILE_BYTES, this.#config.max_bytes / FILES);
    const current = this.#writing.get(partition);
    if (current !== undefined && (current.file.bytes === 0 || current.file.bytes + size <= limit)) return current;
    if (current !== undefined) this.#close(partition);
    const file: QueueFile = {
      number: this.#next++,
      partition,
      bytes: 0,
      frames: 0,
      taken: 0,
      takenFrames: 0,
      lostBefore: this.#lost.get(partition) ?? 0,
    };
    const handle = openSync(this.#path(file), 'wx', 0o600);
    this.#lost.delete(partition);
    this.#files.push(file);
    const opened = { file, handle };
    this.#writing.set(partition, opened);
    if (file.lostBefore > 0) this.#writePositions();
    return opened;
  }

  #close(partition: number): void {
    const writing = this.#writing.get(partition);
    if (writing !== undefined) this.#closeAt(writing);
  }

  #closeAt({ file, handle }: { file: QueueFile; handle: number }): void {
    this.#writing.delete(file.partition);
    try {
      ftruncateSync(handle, file.bytes);
      if (this.#config.fsync !== 'never') fsyncSync(handle);
    } catch (error) {
      this.#reporter.log('warn', 'a file of the queue was not made to stay', { error: describeError(error) });
    }
    closeSync(handle);
    if (file.bytes === 0) {
      if (file.lostBefore > 0) this.#lost.set(file.partition, file.lostBefore);
      this.#delete(file);
    }
  }

  #delete(file: QueueFile): void {
    this.#files = this.#files.filter((f) => f !== file);
    this.#bytes -= file.bytes;
    try {
      unlinkSync(this.#path(file));
    } catch (error) {
      this.#reporter.log('warn', 'a file of the queue cannot be removed', { error: describeError(error) });
    }
  }

  #dropOldest(): boolean {
    const reading = new Set(this.#reading.values());
    const oldest = this.#files.find((f) => f.bytes > 0 && !reading.has(f.number));
    if (oldest === undefined) return false;
    this.#giveUp(oldest, 'queue on disk full');
    return true;
  }

  /** Drops a file; its frames are told as lost before the next one of the partition. */
  #giveUp(file: QueueFile, reason: string): void {
    if (this.#writing.get(file.partition)?.file === file) this.#close(file.partition);
    const frames = file.frames - file.takenFrames;
    const { lostBefore } = file;
    this.#delete(file);
    const next = this.#files.find((f) => f.partition === file.partition && f.number > file.number);
    if (next !== undefined) next.lostBefore += frames + lostBefore;
    else this.#lost.set(file.partition, (this.#lost.get(file.partition) ?? 0) + frames + lostBefore);
    this.#reporter.dropped('frames', frames, reason);
    this.#writePositions();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

/** The record at a place, or undefined where none lies there whole. */
function readRecord(handle: number, at: number, end: number): { value: Buffer; frames: number } | undefined {
  if (end - at < HEAD_BYTES) return undefined;
  const head = Buffer.alloc(HEAD_BYTES);
  if (readSync(handle, head, 0, HEAD_BYTES, at) < HEAD_BYTES) return undefined;
  const length = head.readUInt32LE(0);
  if (length > MAX_VALUE_BYTES || at + HEAD_BYTES + length > end) return undefined;
  const value = Buffer.alloc(length);
  if (readSync(handle, value, 0, length, at + HEAD_BYTES) < length) return undefined;
  if (crc32(value, crc32(head.subarray(0, 8))) !== head.readUInt32LE(8)) return undefined;
  return { value, frames: head.readUInt32LE(4) };
}
