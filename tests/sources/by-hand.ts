/**
 * Captures laid out byte by byte and read back byte by byte, independent of the product's own parser and
 * writer, and frames collected from a source.
 */
import type { FrameBatch, FrameSource, SourceReport } from '../../src/kernel/frames.ts';

export interface Frame {
  tsUs: number;
  linkType: number;
  wireLen: number;
  data: Buffer;
}

export function framesOf(batch: FrameBatch): Frame[] {
  const frames: Frame[] = [];
  for (let i = 0; i < batch.count; i++) {
    const start = batch.offset[i]!;
    frames.push({
      tsUs: batch.tsUs[i]!,
      linkType: batch.linkType[i]!,
      wireLen: batch.wireLen[i]!,
      data: Buffer.from(batch.bytes.subarray(start, start + batch.capLen[i]!)),
    });
  }
  return frames;
}

export async function collect(source: FrameSource): Promise<{ frames: Frame[]; report: SourceReport }> {
  const frames: Frame[] = [];
  for await (const batch of source.batches()) frames.push(...framesOf(batch));
  return { frames, report: source.report() };
}

/** A frame that tells its number, of some length. */
export function frame(number: number, length = 60): Buffer {
  const data = Buffer.alloc(length, number & 0xff);
  if (length >= 4) data.writeUInt32BE(number, 0);
  return data;
}

export interface ClassicOptions {
  big?: boolean;
  nanoseconds?: boolean;
  kuznetzov?: boolean;
  linkType?: number;
  snapLen?: number;
}

export interface ClassicRecord {
  seconds: number;
  fraction: number;
  data: Buffer;
  wireLen?: number;
}

export function classicHeader(options: ClassicOptions = {}): Buffer {
  const header = Buffer.alloc(24);
  const put32 = options.big === true ? header.writeUInt32BE.bind(header) : header.writeUInt32LE.bind(header);
  const put16 = options.big === true ? header.writeUInt16BE.bind(header) : header.writeUInt16LE.bind(header);
  put32(options.kuznetzov === true ? 0xa1b2cd34 : options.nanoseconds === true ? 0xa1b23c4d : 0xa1b2c3d4, 0);
  put16(2, 4);
  put16(4, 6);
  put32(options.snapLen ?? 262_144, 16);
  put32(options.linkType ?? 1, 20);
  return header;
}

export function classicCapture(records: readonly ClassicRecord[], options: ClassicOptions = {}): Buffer {
  const parts = [classicHeader(options)];
  for (const record of records) {
    const header = Buffer.alloc(options.kuznetzov === true ? 24 : 16);
    const put32 = options.big === true ? header.writeUInt32BE.bind(header) : header.writeUInt32LE.bind(header);
    put32(record.seconds, 0);
    put32(record.fraction, 4);
    put32(record.data.length, 8);
    put32(record.wireLen ?? record.data.length, 12);
    parts.push(header, record.data);
  }
  return Buffer.concat(parts);
}

/** A classic capture with one frame for each time in epoch microseconds. */
export function captureAt(times: readonly number[], options: ClassicOptions = {}, firstNumber = 0): Buffer {
  return classicCapture(
    times.map((us, i) => ({ seconds: Math.floor(us / 1e6), fraction: us % 1e6, data: frame(firstNumber + i) })),
    options,
  );
}

/** pcapng blocks of one byte order. */
export function pcapng(big: boolean) {
  const u16 = (value: number): Buffer => {
    const bytes = Buffer.alloc(2);
    if (big) bytes.writeUInt16BE(value);
    else bytes.writeUInt16LE(value);
    return bytes;
  };
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    if (big) bytes.writeUInt32BE(value);
    else bytes.writeUInt32LE(value);
    return bytes;
  };
  const u64 = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    if (big) bytes.writeBigUInt64BE(value);
    else bytes.writeBigUInt64LE(value);
    return bytes;
  };
  const ticks = (value: bigint): Buffer[] => [u32(Number(value >> 32n)), u32(Number(value & 0xffffffffn))];
  const pad = (data: Buffer): Buffer => Buffer.concat([data, Buffer.alloc(-data.length & 3)]);
  const block = (type: number, ...body: Buffer[]): Buffer => {
    const content = pad(Buffer.concat(body));
    return Buffer.concat([u32(type), u32(content.length + 12), content, u32(content.length + 12)]);
  };
  const option = (code: number, value: Buffer): Buffer => Buffer.concat([u16(code), u16(value.length), pad(value)]);
  return {
    block,
    option,
    u64,
    section: (...options: Buffer[]) =>
      block(0x0a0d0d0a, u32(0x1a2b3c4d), u16(1), u16(0), u32(0xffffffff), u32(0xffffffff), ...options),
    /** @param resolution if_tsresol, @param offset if_tsoffset in seconds */
    port: (linkType: number, given: { snapLen?: number; resolution?: number; offset?: bigint } = {}) =>
      block(
        1,
        u16(linkType),
        u16(0),
        u32(given.snapLen ?? 0),
        ...(given.resolution === undefined ? [] : [option(9, Buffer.of(given.resolution))]),
        ...(given.offset === undefined ? [] : [option(14, u64(BigInt.asUintN(64, given.offset)))]),
        option(0, Buffer.alloc(0)),
      ),
    enhanced: (port: number, time: bigint, data: Buffer, wireLen = data.length, ...options: Buffer[]) =>
      block(6, u32(port), ...ticks(time), u32(data.length), u32(wireLen), pad(data), ...options),
    obsolete: (port: number, time: bigint, data: Buffer) =>
      block(2, u16(port), u16(0xffff), ...ticks(time), u32(data.length), u32(data.length), data),
    simple: (data: Buffer, wireLen = data.length) => block(3, u32(wireLen), data),
    statistics: (port: number, lost: bigint, lostBySystem?: bigint) =>
      block(
        5,
        u32(port),
        ...ticks(0n),
        option(5, u64(lost)),
        ...(lostBySystem === undefined ? [] : [option(7, u64(lostBySystem))]),
        option(0, Buffer.alloc(0)),
      ),
  };
}

/** What a pcapng file of the simple kind holds (enhanced packets in microseconds), read with no shared code. */
export function readPcapng(bytes: Uint8Array): { frames: Frame[]; sections: number; lost: bigint[]; texts: string[] } {
  const file = Buffer.from(bytes);
  const frames: Frame[] = [];
  const lost: bigint[] = [];
  const texts: string[] = [];
  let sections = 0;
  let linkTypes: number[] = [];
  const options = (from: number, to: number, take: (code: number, value: Buffer) => void): void => {
    for (let at = from; at < to;) {
      const code = file.readUInt16LE(at);
      const length = file.readUInt16LE(at + 2);
      if (code === 0) return;
      take(code, file.subarray(at + 4, at + 4 + length));
      at += 4 + Math.ceil(length / 4) * 4;
    }
  };
  for (let at = 0; at < file.length;) {
    const type = file.readUInt32LE(at);
    const total = file.readUInt32LE(at + 4);
    if (total % 4 !== 0 || file.readUInt32LE(at + total - 4) !== total) throw new Error(`bad block at ${at}`);
    const end = at + total - 4;
    if (type === 0x0a0d0d0a) {
      sections++;
      linkTypes = [];
      if (file.readUInt32LE(at + 8) !== 0x1a2b3c4d || file.readUInt16LE(at + 12) !== 1) throw new Error('bad section');
      options(at + 24, end, (code, value) => texts.push(`${code}:${value.toString('utf8')}`));
    } else if (type === 1) {
      linkTypes.push(file.readUInt16LE(at + 8));
      options(at + 16, end, (code, value) => {
        if (code === 9 && value[0] !== 6) throw new Error('not microseconds');
      });
    } else if (type === 6) {
      const capLen = file.readUInt32LE(at + 20);
      frames.push({
        tsUs: file.readUInt32LE(at + 12) * 2 ** 32 + file.readUInt32LE(at + 16),
        linkType: linkTypes[file.readUInt32LE(at + 8)]!,
        wireLen: file.readUInt32LE(at + 24),
        data: Buffer.from(file.subarray(at + 28, at + 28 + capLen)),
      });
    } else if (type === 5) {
      options(at + 20, end, (code, value) => {
        if (code === 5) lost.push(value.readBigUInt64LE());
      });
    } else {
      throw new Error(`unexpected block ${type}`);
    }
    at += total;
  }
  return { frames, sections, lost, texts };
}
