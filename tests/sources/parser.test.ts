import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createFrameBatch } from '../../src/kernel/frames.ts';
import { createCaptureParser, decodeCapture } from '../../src/sources/index.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { captureAt, classicCapture, frame, type Frame, framesOf, pcapng } from './by-hand.ts';

const US = 1_700_000_000_123_456;

function decode(bytes: Uint8Array): Frame[] {
  return framesOf(decodeCapture(bytes, 'test').batch);
}

/** Feeds the capture in pieces, carrying over what was not consumed, through a batch of few rows. */
function feed(bytes: Uint8Array, pieceBytes: number, rows: number): { frames: Frame[]; notes: string[] } {
  const parser = createCaptureParser();
  const frames: Frame[] = [];
  let held = Buffer.alloc(0);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    held = Buffer.concat([held, bytes.subarray(at, at + pieceBytes)]);
    const batch = createFrameBatch(rows, held);
    let next = 0;
    for (;;) {
      batch.count = 0;
      next = parser.read(batch, next, held.length);
      frames.push(...framesOf(batch));
      if (batch.count < rows) break;
    }
    held = held.subarray(next);
  }
  return { frames, notes: parser.notes() };
}

describe('classic pcap', () => {
  const records = [
    { seconds: 1_700_000_000, fraction: 1, data: frame(1), wireLen: 1514 },
    { seconds: 4_294_967_295, fraction: 999_999, data: frame(2, 0) },
  ];

  it.each([
    ['little-endian', {}],
    ['big-endian', { big: true }],
    ["Kuznetzov's variant", { kuznetzov: true }],
    ["Kuznetzov's variant, big-endian", { kuznetzov: true, big: true }],
  ])('%s', (_, options) => {
    expect(decode(classicCapture(records, { ...options, linkType: 113 }))).toEqual([
      { tsUs: 1_700_000_000_000_001, linkType: 113, wireLen: 1514, data: frame(1) },
      { tsUs: 4_294_967_295_999_999, linkType: 113, wireLen: 0, data: frame(2, 0) },
    ]);
  });

  it.each([{ big: false }, { big: true }])('rounds nanoseconds down (%o)', ({ big }) => {
    const capture = classicCapture(
      [0, 999, 1000, 999_999_999].map((fraction) => ({ seconds: 5, fraction, data: frame(0) })),
      { big, nanoseconds: true },
    );
    expect(decode(capture).map((found) => found.tsUs)).toEqual([5_000_000, 5_000_000, 5_000_001, 5_999_999]);
  });

  it('takes the link type without the bits that tell of a frame check sequence', () => {
    const capture = captureAt([US], { linkType: 0x24000001 });
    expect(decode(capture)[0]?.linkType).toBe(1);
  });

  it('ends at a record that is longer than a frame can be, and keeps what came before', () => {
    const bad = Buffer.alloc(16);
    bad.writeUInt32LE(262_145, 8);
    const { batch, report } = decodeCapture(Buffer.concat([captureAt([US, US]), bad, captureAt([US])]), 'test');
    expect(batch.count).toBe(2);
    expect(report.truncated).toBe(true);
    expect(report.notes).toEqual(['A record claims 262145 bytes, more than a frame can have: reading ended there.']);
  });

  it('reads a frame of the greatest length, and one beyond the declared snap length', () => {
    const capture = classicCapture([{ seconds: 1, fraction: 0, data: frame(9, 262_144) }], { snapLen: 96 });
    const { batch, report } = decodeCapture(capture, 'test');
    expect(framesOf(batch)[0]?.data.equals(frame(9, 262_144))).toBe(true);
    expect(report.notes).toEqual(['1 frames are longer than the declared snap length.']);
  });

  it('says that a capture ends inside a record', () => {
    const whole = captureAt([US, US + 1]);
    const { batch, report } = decodeCapture(whole.subarray(0, -1), 'test');
    expect(batch.count).toBe(1);
    expect(report.truncated).toBe(true);
    expect(decodeCapture(whole, 'test').report).toMatchObject({ truncated: false, notes: [], framesRead: 2 });
  });
});

describe.each([
  ['little-endian', false],
  ['big-endian', true],
])('pcapng, %s', (_, big) => {
  const b = pcapng(big);
  const micros = BigInt(US);

  it('reads several interfaces with link types, resolutions and offsets of their own', () => {
    const capture = Buffer.concat([
      b.section(),
      b.port(1),
      b.port(101, { resolution: 9 }),
      b.port(127, { resolution: 0x80 | 20, offset: 1_700_000_000n }),
      b.port(113, { resolution: 3, offset: -10n }),
      b.enhanced(1, micros * 1000n + 999n, frame(1)),
      b.enhanced(0, micros, frame(2), 9000),
      b.enhanced(2, (5n << 20n) + (1n << 19n), frame(3)),
      b.enhanced(3, 1_700_000_010_250n, frame(4, 33)),
    ]);
    expect(decode(capture)).toEqual([
      { tsUs: US, linkType: 101, wireLen: 60, data: frame(1) },
      { tsUs: US, linkType: 1, wireLen: 9000, data: frame(2) },
      { tsUs: 1_700_000_005_500_000, linkType: 127, wireLen: 60, data: frame(3) },
      { tsUs: 1_700_000_000_250_000, linkType: 113, wireLen: 33, data: frame(4, 33) },
    ]);
  });

  it('forgets interfaces and byte order at the next section', () => {
    const other = pcapng(!big);
    const { batch, report } = decodeCapture(
      Buffer.concat([
        b.section(),
        b.port(1),
        b.port(1, { resolution: 9 }),
        b.enhanced(1, micros * 1000n, frame(1)),
        other.section(),
        other.port(276),
        other.enhanced(0, micros + 1n, frame(2)),
        other.enhanced(1, micros, frame(3)),
      ]),
      'test',
    );
    expect(framesOf(batch)).toEqual([
      { tsUs: US, linkType: 1, wireLen: 60, data: frame(1) },
      { tsUs: US + 1, linkType: 276, wireLen: 60, data: frame(2) },
    ]);
    expect(report.notes).toEqual(['1 blocks name no known interface or contradict themselves.']);
  });

  it('reads simple and obsolete packet blocks', () => {
    const { batch, report } = decodeCapture(
      Buffer.concat([
        b.section(),
        b.port(1, { snapLen: 64 }),
        b.obsolete(0, micros, frame(1, 61)),
        b.simple(frame(2, 64), 1514),
        b.simple(frame(3, 20)),
      ]),
      'test',
    );
    expect(framesOf(batch)).toEqual([
      { tsUs: US, linkType: 1, wireLen: 61, data: frame(1, 61) },
      { tsUs: US, linkType: 1, wireLen: 1514, data: frame(2, 64) },
      { tsUs: US, linkType: 1, wireLen: 20, data: frame(3, 20) },
    ]);
    expect(report.notes).toEqual(['2 frames carry no time of their own: that of the frame before them was taken.']);
  });

  it('skips blocks that hold no frames, however long', () => {
    const capture = Buffer.concat([
      b.section(b.option(1, Buffer.from('a comment'))),
      b.block(4, Buffer.alloc(64)),
      b.port(1),
      b.block(0x0bad, Buffer.alloc(3_000_000, 7)),
      b.enhanced(0, micros, frame(1), 60, b.option(1, Buffer.alloc(400, 65)), b.option(0, Buffer.alloc(0))),
      b.block(0xbadcafe, Buffer.alloc(0)),
      b.block(6, Buffer.concat([b.enhanced(0, micros, frame(2, 500)).subarray(8, -4), Buffer.alloc(500_000)])),
      b.enhanced(0, micros, frame(3)),
    ]);
    const expected = [frame(1), frame(2, 500), frame(3)];
    expect(decode(capture).map((found) => found.data)).toEqual(expected);
    expect(feed(capture, 100_001, 8).frames.map((found) => found.data)).toEqual(expected);
    const cut = decodeCapture(capture.subarray(0, 2_000_000), 'test');
    expect(cut.batch.count).toBe(0);
    expect(cut.report.truncated).toBe(true);
  });

  it('adds up the frames lost: the last count of each interface in each section', () => {
    const capture = Buffer.concat([
      b.section(),
      b.port(1),
      b.port(1),
      b.statistics(0, 5n),
      b.statistics(0, 7n),
      b.statistics(1, 10n, 2n),
      b.section(),
      b.port(1),
      b.statistics(0, 100n),
      b.statistics(9, 1n),
    ]);
    expect(decodeCapture(capture, 'test').report.framesLostAtCapture).toBe(119);
  });

  it.each([
    [
      'a length that is no multiple of four',
      (capture: Buffer, at: number) => capture.writeUInt8(capture[at + (big ? 7 : 4)]! + 1, at + (big ? 7 : 4)),
    ],
    ['another length at the end', (capture: Buffer) => capture.writeUInt32LE(0x01020304, capture.length - 4)],
    [
      'a length beyond belief',
      (capture: Buffer, at: number) =>
        big ? capture.writeUInt32BE(0x7ffffffc, at + 4) : capture.writeUInt32LE(0x7ffffffc, at + 4),
    ],
  ])('ends at %s', (_name, damage) => {
    const before = Buffer.concat([b.section(), b.port(1), b.enhanced(0, micros, frame(1))]);
    const capture = Buffer.concat([before, b.enhanced(0, micros, frame(2))]);
    damage(capture, before.length);
    const { batch, report } = decodeCapture(capture, 'test');
    expect(batch.count).toBe(1);
    expect(report.truncated).toBe(true);
    expect(report.notes).toHaveLength(1);
  });

  it('leaves out a frame that is longer than its block, and goes on', () => {
    const bad = b.enhanced(0, micros, frame(1));
    const lengthAt = 20 + (big ? 2 : 1);
    bad[lengthAt] = 0xff;
    const { batch, report } = decodeCapture(
      Buffer.concat([b.section(), b.port(1), bad, b.enhanced(0, micros, frame(2))]),
      'test',
    );
    expect(framesOf(batch).map((found) => found.data)).toEqual([frame(2)]);
    expect(report.notes).toEqual(['1 blocks name no known interface or contradict themselves.']);
  });

  it('turns every time stamp into floored microseconds, as exact arithmetic does', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        fc.oneof(
          fc.integer({ min: 0, max: 16 }),
          fc.integer({ min: 0, max: 127 }).map((bits) => 0x80 | bits),
        ),
        fc.bigInt({ min: -2_000_000_000n, max: 2_000_000_000n }),
        (time, resolution, offset) => {
          const bits = BigInt(resolution & 0x7f);
          const unit = (resolution & 0x80) !== 0 ? 1n << bits : 10n ** bits;
          const exact = (time * 1_000_000n) / unit + offset * 1_000_000n;
          const capture = Buffer.concat([
            b.section(),
            b.port(1, { resolution, offset }),
            b.enhanced(0, time, frame(1)),
          ]);
          const [found] = decode(capture);
          const limit = BigInt(Number.MAX_SAFE_INTEGER);
          // Beyond what an exact integer holds (the year 2255) any great value will do.
          if (exact < limit && exact - offset * 1_000_000n < limit) {
            expect(BigInt(found!.tsUs)).toBe(exact < 0n ? 0n : exact);
          } else {
            expect(Number.isSafeInteger(found!.tsUs)).toBe(true);
          }
        },
      ),
      { seed: 20_260_101, numRuns: 2000 },
    );
  });
});

describe('what is no capture', () => {
  const b = pcapng(false);
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['three bytes', Buffer.from([0xd4, 0xc3, 0xb2])],
    ['half a file header', captureAt([]).subarray(0, 23)],
    ['half a section header', b.section().subarray(0, 27)],
    ['a section without a byte order', Buffer.concat([b.section().subarray(0, 8), Buffer.alloc(20)])],
    ['another magic number', Buffer.alloc(100, 0x20)],
  ])('%s', (_, bytes) => {
    expect(() => decodeCapture(bytes, 'the record')).toThrow(/the record is not a capture/);
  });

  it('is different from a capture without frames', () => {
    expect(decodeCapture(captureAt([]), 'test').report).toMatchObject({ framesRead: 0, truncated: false });
    expect(decodeCapture(b.section(), 'test').report).toMatchObject({ framesRead: 0, truncated: false });
  });
});

describe('many frames', () => {
  it('all fit into one batch of a record', () => {
    const times = Array.from({ length: 10_000 }, (_, i) => US + i);
    expect(decode(captureAt(times)).map((found) => found.tsUs)).toEqual(times);
  });
});

describeWithCaptures('real captures', (dir) => {
  const files = [
    'attacks/hl7-synthetic/all_alerts.pcap',
    'standards/pcapng/le/advanced/test100.pcapng',
    'standards/pcapng/le/advanced/test102.pcapng',
    'protocols/zeek/vntag.pcap',
    'protocols/pcapplusplus/pcapng-example.pcapng',
    'malformed/suricata/bug-1450-05.pcap',
  ];
  const load = (file: string): Buffer => {
    const bytes = readFileSync(join(dir, file));
    return bytes[0] === 0x1f ? gunzipSync(bytes) : bytes;
  };

  it.each(files)('%s: the frames do not depend on the pieces in which it comes', (file) => {
    const bytes = load(file);
    const { batch, report } = decodeCapture(bytes, 'test');
    const whole = framesOf(batch);
    for (const [pieceBytes, rows] of [
      [1, 1],
      [7, 2],
      [1000, 3],
      [bytes.length, 1],
    ] as const) {
      const pieces = feed(pieceBytes === 1 ? bytes.subarray(0, 20_000) : bytes, pieceBytes, rows);
      if (pieceBytes === 1) expect(pieces.frames).toEqual(whole.slice(0, pieces.frames.length));
      else expect(pieces.frames).toEqual(whole);
      if (bytes.length <= 20_000) expect(pieces.frames).toHaveLength(whole.length);
      expect(report.notes).toEqual(expect.arrayContaining(pieces.notes));
    }
  });

  it.each(files)('%s: cut anywhere, the frames before the cut are the same', (file) => {
    const bytes = load(file);
    const whole = framesOf(decodeCapture(bytes, 'test').batch);
    const step = Math.max(1, Math.floor(bytes.length / 400));
    for (let length = 0; length < bytes.length; length += step) {
      const cut = bytes.subarray(0, length);
      if (length < 24) {
        expect(() => decodeCapture(cut, 'test')).toThrow(/is not a capture/);
        continue;
      }
      let frames: Frame[];
      try {
        frames = decode(cut);
      } catch (error) {
        // A section header may be longer than the header of classic pcap.
        expect(bytes.readUInt32BE(0) === 0x0a0d0d0a && length < bytes.readUInt32LE(4), String(error)).toBe(true);
        continue;
      }
      expect(frames).toEqual(whole.slice(0, frames.length));
    }
  });

  it.each(files)('%s: altered anywhere, it is read within its bounds', (file) => {
    const bytes = load(file).subarray(0, 4000);
    const headerBytes = bytes.readUInt32BE(0) === 0x0a0d0d0a ? bytes.readUInt32LE(4) : 24;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 }),
        (changes) => {
          const altered = Buffer.from(bytes);
          // The header stays: without it there is nothing to read.
          for (const [at, value] of changes) if (at >= headerBytes) altered[at] = value;
          const { batch } = decodeCapture(altered, 'test');
          for (let i = 0; i < batch.count; i++) {
            expect(batch.offset[i]! + batch.capLen[i]!).toBeLessThanOrEqual(altered.length);
            expect(batch.tsUs[i]! >= 0 && Number.isSafeInteger(batch.tsUs[i])).toBe(true);
          }
        },
      ),
      { seed: 7, numRuns: 400 },
    );
  });
});
