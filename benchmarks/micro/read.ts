/**
 * Speed of the read stage: frames a second from a classic pcap file, ours beside the npm package pcap-parser.
 *
 *   node benchmarks/micro/read.ts [FILE.pcap] [--rounds N]
 *
 * Without a file one is made: a million frames of 82 to 212 bytes. The rounds of both are interleaved and the
 * medians reported, because the machine may be busy.
 */
import { closeSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'pcap-parser';
import { createFileSource } from '../../src/sources/index.ts';

const MADE_FRAMES = 1_000_000;

function makeCapture(path: string): void {
  const file = openSync(path, 'w');
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  writeSync(file, header);
  const frame = Buffer.alloc(16 + 256);
  let pending: Buffer[] = [];
  for (let i = 0; i < MADE_FRAMES; i++) {
    const length = 82 + ((i * 37) % 131);
    frame.writeUInt32LE(1_700_000_000 + Math.floor(i / 5000), 0);
    frame.writeUInt32LE((i % 5000) * 200, 4);
    frame.writeUInt32LE(length, 8);
    frame.writeUInt32LE(length, 12);
    pending.push(Buffer.from(frame.subarray(0, 16 + length)));
    if (pending.length === 10_000) {
      writeSync(file, Buffer.concat(pending));
      pending = [];
    }
  }
  closeSync(file);
}

/** Reads every column of every frame, as whoever decodes would. */
async function ours(path: string): Promise<number> {
  let frames = 0;
  let bytes = 0;
  let latest = 0;
  for await (const batch of createFileSource(path).batches()) {
    const { count, capLen, tsUs } = batch;
    for (let i = 0; i < count; i++) {
      bytes += capLen[i]!;
      if (tsUs[i]! > latest) latest = tsUs[i]!;
    }
    frames += count;
  }
  if (bytes < 0 || latest < 0) throw new Error('unreachable: keeps the sums alive');
  return frames;
}

function theirs(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let frames = 0;
    const parser = parse(path);
    parser.on('packet', () => frames++);
    parser.on('end', () => resolve(frames));
    parser.on('error', reject);
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' } },
});
const folder = mkdtempSync(join(tmpdir(), 'wardwatch-bench-'));
try {
  const path = positionals[0] ?? join(folder, 'made.pcap');
  if (positionals[0] === undefined) makeCapture(path);
  const size = statSync(path).size;
  const readers = { wardwatch: ours, 'pcap-parser': theirs };
  const seconds: Record<string, number[]> = {};
  let frames = 0;
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, read] of Object.entries(readers)) {
      const begin = performance.now();
      const found = await read(path);
      (seconds[name] ??= []).push((performance.now() - begin) / 1000);
      if (frames !== 0 && found !== frames) throw new Error(`${name} found ${found} frames, not ${frames}`);
      frames = found;
    }
  }
  console.log(`${frames} frames, ${(size / 1e6).toFixed(1)} MB`);
  for (const [name, times] of Object.entries(seconds)) {
    const middle = median(times);
    const rate = (frames / middle / 1e6).toFixed(2);
    const best = (frames / Math.min(...times) / 1e6).toFixed(2);
    console.log(`${name}: ${rate} M frames/s (best ${best}), ${(size / middle / 1e6).toFixed(0)} MB/s`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
