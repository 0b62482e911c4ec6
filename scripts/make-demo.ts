/**
 * Makes the captures of the demo (folder demo/) out of the clinical captures, which are too large to travel
 * with the repository: bulk payload (images, video) is cut after its first bytes, everything else is kept as
 * it is. Usage: node scripts/make-demo.ts DIR_WITH_CLINICAL_CAPTURES
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { createFileSource } from '../src/sources/index.ts';

const FILES = [
  ['A-benign-learn.pcap.gz', 'learn.pcap.gz'],
  ['C-scan_syn.pcap.gz', 'attack-1.pcap.gz'],
  ['C-device_silent.pcap.gz', 'attack-2.pcap.gz'],
  ['C-mirai_scan.pcap.gz', 'attack-3.pcap.gz'],
  ['C-exfil_bulk.pcap.gz', 'attack-4.pcap.gz'],
] as const;

/** Frames above this length carry bulk data in these captures: images, video, file contents. */
const BULK_BYTES = 1000;
const KEEP_BYTES = 160;

const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write('usage: node scripts/make-demo.ts DIR_WITH_CLINICAL_CAPTURES\n');
  process.exit(2);
}
let total = 0;
for (const [from, to] of FILES) {
  const parts: Buffer[] = [];
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  parts.push(header);
  for await (const batch of createFileSource(join(folder, from)).batches()) {
    for (let i = 0; i < batch.count; i++) {
      const wire = batch.wireLen[i]!;
      const kept = wire > BULK_BYTES ? Math.min(KEEP_BYTES, batch.capLen[i]!) : batch.capLen[i]!;
      const record = Buffer.alloc(16 + kept);
      const ts = batch.tsUs[i]!;
      record.writeUInt32LE(Math.floor(ts / 1e6), 0);
      record.writeUInt32LE(ts % 1e6, 4);
      record.writeUInt32LE(kept, 8);
      record.writeUInt32LE(wire, 12);
      record.set(batch.bytes.subarray(batch.offset[i], batch.offset[i]! + kept), 16);
      parts.push(record);
    }
  }
  const bytes = gzipSync(Buffer.concat(parts), { level: 9 });
  total += bytes.length;
  await writeFile(new URL(`../demo/${to}`, import.meta.url), bytes);
  process.stdout.write(`${to} ${bytes.length}\n`);
}
process.stdout.write(`${total} bytes in all\n`);
