import { execFileSync, type ExecFileSyncOptionsWithStringEncoding } from 'node:child_process';
import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createFrameBatch, type FrameBatch } from '../../src/kernel/frames.ts';
import { createFileSource, decodeCapture, encodePcapng } from '../../src/sources/index.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { collect, frame, type Frame, framesOf, readPcapng } from './by-hand.ts';

function batchOf(frames: readonly Frame[]): FrameBatch {
  const batch = createFrameBatch(frames.length, Buffer.concat(frames.map((given) => given.data)));
  let at = 0;
  frames.forEach((given, i) => {
    batch.offset[i] = at;
    batch.capLen[i] = given.data.length;
    batch.wireLen[i] = given.wireLen;
    batch.tsUs[i] = given.tsUs;
    batch.linkType[i] = given.linkType;
    at += given.data.length;
  });
  batch.count = frames.length;
  return batch;
}

const FRAMES: Frame[] = [
  { tsUs: 1_700_000_000_123_456, linkType: 1, wireLen: 1514, data: frame(1, 61) },
  { tsUs: 1_700_000_000_123_455, linkType: 113, wireLen: 64, data: frame(2, 64) },
  { tsUs: 4_294_967_295, linkType: 1, wireLen: 0, data: frame(3, 0) },
  { tsUs: 4_294_967_296, linkType: 276, wireLen: 3, data: frame(4, 3) },
];

/** Programs that are used where they happen to be installed. */
const TSHARK = 'tshark';
const CAPINFOS = 'capinfos';

function toolIsThere(name: string): boolean {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a pcapng section', () => {
  it('holds the frames, one interface a link type, texts and the loss', () => {
    const bytes = encodePcapng(batchOf(FRAMES), {
      framesLost: 2 ** 33 + 5,
      comment: 'Zimmer für Ärzte',
      userAppl: 'ww',
    });
    expect(readPcapng(bytes)).toEqual({
      frames: FRAMES,
      sections: 1,
      lost: [2n ** 33n + 5n],
      texts: ['1:Zimmer für Ärzte', '4:ww'],
    });
  });

  it('can be of a part of the batch, and empty', () => {
    expect(readPcapng(encodePcapng(batchOf(FRAMES), { from: 1, to: 3 })).frames).toEqual(FRAMES.slice(1, 3));
    expect(readPcapng(encodePcapng(batchOf(FRAMES), { from: 2, to: 2, framesLost: 9 }))).toMatchObject({
      frames: [],
      lost: [9n],
    });
    expect(readPcapng(encodePcapng(batchOf([])))).toEqual({ frames: [], sections: 1, lost: [], texts: [] });
  });

  it('can be put after another', () => {
    const bytes = Buffer.concat([
      encodePcapng(batchOf(FRAMES.slice(0, 2)), { framesLost: 3 }),
      encodePcapng(batchOf(FRAMES.slice(2)), { framesLost: 4 }),
    ]);
    expect(readPcapng(bytes)).toMatchObject({ frames: FRAMES, sections: 2, lost: [3n, 4n] });
    const { batch, report } = decodeCapture(bytes, 'both');
    expect(framesOf(batch)).toEqual(FRAMES);
    expect(report).toMatchObject({ framesLostAtCapture: 7, truncated: false, notes: [] });
  });

  it('gives any batch back as it was', () => {
    const anyFrame = fc.record({
      tsUs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      linkType: fc.integer({ min: 0, max: 65_535 }),
      wireLen: fc.integer({ min: 0, max: 0xffffffff }),
      data: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 30 }), fc.string(), (frames, comment) => {
        const bytes = encodePcapng(batchOf(frames), { comment });
        expect(readPcapng(bytes).frames).toEqual(frames);
        expect(framesOf(decodeCapture(bytes, 'test').batch)).toEqual(frames);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it.skipIf(!toolIsThere(TSHARK) || !toolIsThere(CAPINFOS))('is understood by Wireshark', () => {
    const folder = mkdtempSync(join(tmpdir(), 'wardwatch-writer-'));
    try {
      const path = join(folder, 'section.pcapng');
      const options = { framesLost: 12, comment: 'written by a test', userAppl: 'wardwatch' };
      writeFileSync(path, encodePcapng(batchOf(FRAMES.slice(0, 2)), options));
      const quiet: ExecFileSyncOptionsWithStringEncoding = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
      const fields = ['frame.time_epoch', 'frame.len', 'frame.cap_len', 'frame.interface_id'].flatMap((name) => [
        '-e',
        name,
      ]);
      const lines = execFileSync(TSHARK, ['-n', '-r', path, '-T', 'fields', '-E', 'separator=;', ...fields], quiet);
      expect(lines.trim().split('\n')).toEqual(['1700000000.123456000;1514;61;0', '1700000000.123455000;64;64;1']);
      const about = execFileSync(CAPINFOS, [path], quiet);
      expect(about).toMatch(/Number of packets: +2\n/);
      expect(about).toMatch(/Capture comment: +written by a test\n/);
      expect(about).toMatch(/Capture application: +wardwatch\n/);
      expect(about).toMatch(/Number of interfaces in file: 2\n/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describeWithCaptures('real captures written again', (dir) => {
  it.each(['protocols/zeek/vntag.pcap', 'attacks/hl7-synthetic/all_alerts.pcap', 'protocols/tcpdump/edsa.pcap'])(
    '%s',
    async (file) => {
      const source = createFileSource(join(dir, file));
      const sections: Uint8Array[] = [];
      for await (const batch of source.batches()) sections.push(encodePcapng(batch));
      expect(readPcapng(Buffer.concat(sections)).frames).toEqual((await collect(source)).frames);
    },
  );
});
