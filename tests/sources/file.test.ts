import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { constants, createGunzip, gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { parse } from 'pcap-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WardwatchError } from '../../src/kernel/errors.ts';
import { createFileSource, createStreamSource } from '../../src/sources/index.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { captureAt, classicCapture, collect, frame, type Frame, framesOf, pcapng } from './by-hand.ts';

const US = 1_700_000_000_000_000;
const MKFIFO = 'mkfifo';
const TIMES = Array.from({ length: 10_000 }, (_, i) => US + i * 1000);

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-sources-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function failure(path: string): Promise<WardwatchError> {
  const error: unknown = await collect(createFileSource(path)).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(WardwatchError);
  return error as WardwatchError;
}

/** Files of the folder that this process holds open (Linux). */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(join('/proc/self/fd', fd));
      return target.startsWith(folder) ? [target] : [];
    } catch {
      return [];
    }
  });
}

describe('a capture file', () => {
  it('comes in batches that say where their frames lie', async () => {
    const path = put('numbers.bin', captureAt(TIMES));
    const source = createFileSource(path);
    const counts: number[] = [];
    const numbers: number[] = [];
    for await (const batch of source.batches()) {
      counts.push(batch.count);
      expect(batch.origin).toBe(path);
      expect(batch.firstFrame).toBe(numbers.length);
      numbers.push(...framesOf(batch).map((found) => found.data.readUInt32BE(0)));
    }
    expect(Math.max(...counts)).toBeLessThanOrEqual(4096);
    expect(numbers).toEqual(TIMES.map((_, i) => i));
    expect(source.report()).toEqual({
      framesRead: 10_000,
      bytesRead: 24 + 10_000 * 76,
      bytesTotal: 24 + 10_000 * 76,
      truncated: false,
      framesLostAtCapture: 0,
      notes: [],
    });
  });

  it('can be read again, and tells its first time stamp without that', async () => {
    const source = createFileSource(put('again.pcap', captureAt(TIMES)));
    expect(await source.firstTimestampUs()).toBe(US);
    expect(source.report().framesRead).toBe(0);
    const first = await collect(source);
    const second = await collect(source);
    expect(second).toEqual(first);
    expect(await createFileSource(put('none.pcap', captureAt([]))).firstTimestampUs()).toBeUndefined();
  });

  it('gives the same frames whatever is read at once', async () => {
    const big = pcapng(true);
    const capture = Buffer.concat([
      captureAtPcapng(1000),
      big.section(),
      big.port(127),
      big.enhanced(0, BigInt(US), frame(7, 200_000)),
      big.block(0xbad, Buffer.alloc(1_000_000)),
      captureAtPcapng(10),
    ]);
    const path = put('chunks', capture);
    const { frames } = await collect(createFileSource(path));
    expect(frames).toHaveLength(1011);
    for (const chunkBytes of [1, 13, 4096, 77_777]) {
      const small = await collect(
        createFileSource(chunkBytes > 13 ? path : put('few', capture.subarray(0, 9000)), { chunkBytes }),
      );
      expect(small.frames).toEqual(frames.slice(0, small.frames.length));
      if (chunkBytes > 13) expect(small.frames).toHaveLength(1011);
    }
  });

  it.each([
    ['gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
    [
      'gzip in two members',
      (bytes: Buffer) => Buffer.concat([gzipSync(bytes.subarray(0, 1000)), gzipSync(bytes.subarray(1000))]),
    ],
  ])('is read through %s', async (name, compress) => {
    const capture = captureAt(TIMES);
    const path = put(`${name}.anything`, compress(capture));
    const { frames, report } = await collect(createFileSource(path));
    expect(frames.map((found) => found.tsUs)).toEqual(TIMES);
    expect(report).toMatchObject({ framesRead: 10_000, truncated: false, notes: [] });
    expect(report.bytesRead).toBe(report.bytesTotal);
  });

  it('ends with a truncated gzip tail, and loses no frame before it', async () => {
    const packed = gzipSync(captureAt(TIMES));
    for (const share of [0.3, 0.6, 0.95]) {
      const cut = packed.subarray(0, Math.floor(packed.length * share));
      const inflated = gunzipSync(cut, { finishFlush: constants.Z_SYNC_FLUSH });
      const { frames, report } = await collect(createFileSource(put('cut.gz', cut)));
      expect(frames).toHaveLength(Math.floor((inflated.length - 24) / 76));
      expect(frames.map((found) => found.tsUs)).toEqual(TIMES.slice(0, frames.length));
      expect(report.truncated).toBe(true);
      expect(report.notes).toContain('The gzip data are cut short or damaged.');
    }
  });

  it('ends with a truncated zstd tail', async () => {
    const packed = zstdCompressSync(Buffer.concat([captureAt(TIMES), captureAt([]).subarray(0, 3)]));
    const { frames, report } = await collect(
      createFileSource(put('cut.zst', packed.subarray(0, packed.length - 2000))),
    );
    expect(frames.length).toBeGreaterThan(0);
    expect(frames.map((found) => found.tsUs)).toEqual(TIMES.slice(0, frames.length));
    expect(report.truncated).toBe(true);
  });

  it.each([
    ['pcap', captureAt(TIMES), 24 + 5000 * 76 + 8],
    ['pcapng', captureAtPcapng(10_000), undefined],
  ])('that is damaged far from its end gives what came before (%s)', async (name, capture, at) => {
    const damaged = Buffer.from(capture);
    damaged.fill(0xff, at ?? damaged.indexOf(frame(5000, 50)) - 24, (at ?? damaged.indexOf(frame(5000, 50))) + 4);
    const tail = Buffer.concat([damaged, Buffer.alloc(1_500_000, 0xff)]);
    for (const bytes of [tail, gzipSync(tail)]) {
      const { frames, report } = await collect(
        createFileSource(put(`damaged.${name}`, bytes), { chunkBytes: 1_000_000 }),
      );
      expect(frames).toHaveLength(5000);
      expect(report.truncated).toBe(true);
      expect(report.notes).toHaveLength(1);
    }
  });

  it('is let go when the reader leaves early or aborts', async () => {
    const path = put('leave.pcap', captureAt(TIMES));
    for await (const batch of createFileSource(path, { chunkBytes: 1000 }).batches()) {
      expect(batch.count).toBeGreaterThan(0);
      break;
    }
    expect(openFiles()).toEqual([]);

    const abort = new AbortController();
    const source = createFileSource(path, { chunkBytes: 1000 });
    let batches = 0;
    for await (const batch of source.batches(abort.signal)) {
      batches += batch.count > 0 ? 1 : 0;
      abort.abort();
    }
    expect(batches).toBe(1);
    expect(source.report().truncated).toBe(false);
    expect(openFiles()).toEqual([]);

    for await (const batch of createFileSource(path).batches(abort.signal)) expect(batch).toBeUndefined();
  });
});

function captureAtPcapng(count: number): Buffer {
  const b = pcapng(false);
  const frames = Array.from({ length: count }, (_, i) => b.enhanced(0, BigInt(US + i), frame(i, i % 90)));
  return Buffer.concat([b.section(), b.port(1), ...frames]);
}

describe('a file that cannot be read', () => {
  it('is missing', async () => {
    const error = await failure(join(folder, 'nowhere.pcap'));
    expect(error).toMatchObject({ code: 'WW_INPUT_MISSING', exitCode: 66 });
    expect(error.remedy).not.toBe('');
  });

  it('is a directory', async () => {
    mkdirSync(join(folder, 'captures.pcap'));
    expect(await failure(join(folder, 'captures.pcap'))).toMatchObject({ code: 'WW_INPUT_UNREADABLE' });
    expect(openFiles()).toEqual([]);
  });

  it.each([
    ['is empty', Buffer.alloc(0)],
    ['too few to tell', Buffer.from('ab')],
    ['a PDF document', Buffer.from('%PDF-1.7 patient report')],
    ['a zip archive', Buffer.from('PK\u0003\u0004 and more')],
    ['looks like text', Buffer.from('Müller, Anna; 1961-02-03; infusion\n'.repeat(600))],
    ['JSON text', Buffer.from('{ "patient": "Anna" }')],
    ['XML or HTML text', Buffer.from('<?xml version="1.0"?>')],
    ['a snoop capture', Buffer.from('snoop\0\0\0\0\0\0\u0002')],
    ['an xz archive', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0])],
    ['a DICOM file', Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')])],
    ['zero bytes', Buffer.alloc(500)],
    ['binary data of an unknown kind', Buffer.from([1, 2, 3, 4, 5, 6])],
    ['gzip data inside gzip data', gzipSync(gzipSync('x'))],
    ['its gzip data are damaged', Buffer.from([0x1f, 0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 0])],
    ['it is empty', gzipSync('')],
    ['ends inside its file header', captureAt([]).subarray(0, 20)],
    ['its first section header is damaged', Buffer.concat([Buffer.from('0a0d0d0a1c000000', 'hex'), Buffer.alloc(20)])],
  ])('%s', async (words, bytes) => {
    const error = await failure(put('strange', bytes));
    expect(error.code).toBe('WW_INPUT_NOT_A_CAPTURE');
    expect(error.exitCode).toBe(65);
    expect(error.message).toContain(words);
    expect(error.message + error.remedy).not.toMatch(/Anna/);
    expect(error.remedy).not.toBe('');
    expect(openFiles()).toEqual([]);
  });

  it('says so at the peek as well', async () => {
    await expect(createFileSource(put('peek', Buffer.from('no capture'))).firstTimestampUs()).rejects.toMatchObject({
      code: 'WW_INPUT_NOT_A_CAPTURE',
    });
  });
});

describe('a capture on a stream', () => {
  it('gives each frame as soon as it is whole', async () => {
    const stream = new PassThrough();
    const source = createStreamSource(stream, 'standard input');
    const batches = source.batches()[Symbol.asyncIterator]();
    const capture = captureAt([US, US + 1]);
    stream.write(capture.subarray(0, 24 + 76 + 10));
    const first = await batches.next();
    expect(framesOf(first.value)).toEqual([{ tsUs: US, linkType: 1, wireLen: 60, data: frame(0) }]);
    expect(first.value!.origin).toBe('standard input');
    stream.end(capture.subarray(24 + 76 + 10));
    const second = await batches.next();
    expect(second.value!.firstFrame).toBe(1);
    expect(framesOf(second.value)[0]?.data).toEqual(frame(1));
    expect((await batches.next()).done).toBe(true);
    expect(source.report()).toMatchObject({ framesRead: 2, truncated: false, bytesTotal: undefined });
  });

  it.each([1, 5, 100, 65_536])('is the same in pieces of %i bytes, compressed or not', async (size) => {
    const capture = captureAtPcapng(300);
    for (const bytes of [capture, gzipSync(capture), zstdCompressSync(capture)]) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
      const { frames } = await collect(createStreamSource(Readable.from(pieces), 'pieces'));
      expect(frames).toHaveLength(300);
      expect(frames.at(-1)).toEqual({ tsUs: US + 299, linkType: 1, wireLen: 29, data: frame(299, 29) });
    }
  });

  it('is let go by an abort while it waits, and cannot be read twice', async () => {
    const stream = new PassThrough();
    stream.write(captureAt([US]));
    const abort = new AbortController();
    const source = createStreamSource(stream, 'standard input');
    let frames = 0;
    for await (const batch of source.batches(abort.signal)) {
      frames += batch.count;
      setImmediate(() => abort.abort());
    }
    expect(frames).toBe(1);
    expect(stream.destroyed).toBe(true);
    await expect(collect(source)).rejects.toBeInstanceOf(WardwatchError);
  });

  it('fails where the stream fails', async () => {
    const stream = new PassThrough();
    stream.write(captureAt([US]));
    const reading = collect(createStreamSource(stream, 'standard input'));
    setImmediate(() => stream.destroy(new Error('connection reset')));
    await expect(reading).rejects.toMatchObject({
      code: 'WW_INPUT_UNREADABLE',
      message: 'standard input broke off: connection reset.',
    });
  });

  it('says what it is when it is no capture', async () => {
    await expect(collect(createStreamSource(Readable.from([]), 'standard input'))).rejects.toThrow(
      'standard input is not a capture: it is empty.',
    );
    const gone = new PassThrough();
    await new Promise((resolve) => gone.once('close', resolve).destroy());
    await expect(collect(createStreamSource(gone, 'standard input'))).rejects.toThrow('it is empty');
  });
});

describe('a named pipe', () => {
  it('is read but not peeked at', async () => {
    const path = join(folder, 'pipe');
    execFileSync(MKFIFO, [path]);
    const source = createFileSource(path);
    expect(await source.firstTimestampUs()).toBeUndefined();
    const reading = collect(source);
    writeFileSync(path, classicCapture([{ seconds: 1, fraction: 2, data: frame(3) }]));
    expect((await reading).frames).toHaveLength(1);
  });
});

describeWithCaptures('pcap-parser as a second reader', (dir) => {
  const files = [
    'attacks/hl7-synthetic/all_alerts.pcap',
    'attacks/ics-quickdraw/CL5000EIP-Reboot_or_Restart.pcap',
    'attacks/modbus-cset2016/send_a_fake_command_modbus_6RTU_with_operate.pcap',
    'devices/iot-sentinel/D-LinkHomeHub/Setup-C-4-STA.pcap',
    'devices/iot-sentinel/HueSwitch/Setup-A-10-STA.pcap',
    'attacks/windows/otrf/lateral_movement__covenant_sharpsc_stop_dcerpc_smb_svcctl_2020-08-06031938.cap.gz',
  ];

  function oracle(path: string): Promise<Frame[]> {
    const bytes = readFileSync(path);
    const file = Readable.from([bytes]);
    const input = bytes[0] === 0x1f ? file.pipe(createGunzip()) : file;
    return new Promise((resolve, reject) => {
      const frames: Frame[] = [];
      const parser = parse(input);
      parser.on('packet', ({ header, data }) =>
        frames.push({
          tsUs: header.timestampSeconds * 1e6 + header.timestampMicroseconds,
          linkType: 1,
          wireLen: header.originalLength,
          data: Buffer.from(data),
        }),
      );
      parser.on('end', () => resolve(frames));
      parser.on('error', reject);
    });
  }

  it.each(files)('%s', async (file) => {
    const path = join(dir, file);
    const [ours, theirs] = [(await collect(createFileSource(path))).frames, await oracle(path)];
    expect(ours.length).toBe(theirs.length);
    const differing = ours.filter((found, i) => {
      const other = theirs[i]!;
      return found.tsUs !== other.tsUs || found.wireLen !== other.wireLen || !found.data.equals(other.data);
    });
    expect(differing).toEqual([]);
  });
});
