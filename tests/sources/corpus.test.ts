import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createFileSource } from '../../src/sources/index.ts';
import { describeWithCaptures } from '../support/captures.ts';

interface Fact {
  file: string;
  format: string;
  packets: number;
  records_in_file?: number;
  reader_error?: string;
  link_types: number[];
  bytes_captured: number;
  bytes_wire: number;
  first: string | null;
  last: string | null;
}

/** tshark takes a pseudo-header of four bytes off these. */
const PSEUDO_HEADER = new Set(['atm-oam-heapoverflow.pcap', 'atm-oam-loopback-print-overrun.pcap']);

/** Cut short, or with a record length that nobody can believe, by the words of tshark or libpcap. */
const CUT = /cut short|bigger than maximum/;

function epochUs(decimal: string): number {
  const [seconds = '', fraction = ''] = decimal.split('.');
  return Number(seconds) * 1e6 + Math.floor(Number(fraction.padEnd(9, '0')) / 1000);
}

describeWithCaptures('every real capture', (dir) => {
  const { captures } = JSON.parse(readFileSync(join(dir, 'facts.json'), 'utf8')) as { captures: Fact[] };

  it('has the frames, lengths, link types and first time stamp that others found', async () => {
    expect(captures).toHaveLength(1771);
    const wrong: string[] = [];
    const truncated: string[] = [];
    for (const fact of captures) {
      const source = createFileSource(join(dir, fact.file));
      let frames = 0;
      let captured = 0;
      let wire = 0;
      let first = Infinity;
      const linkTypes = new Set<number>();
      for await (const batch of source.batches()) {
        frames += batch.count;
        for (let i = 0; i < batch.count; i++) {
          captured += batch.capLen[i]!;
          wire += batch.wireLen[i]!;
          linkTypes.add(batch.linkType[i]!);
          if (batch.tsUs[i]! < first) first = batch.tsUs[i]!;
        }
      }
      const report = source.report();
      if (report.truncated) truncated.push(fact.file);
      const differ = (what: string, ours: unknown, theirs: unknown): void => {
        wrong.push(`${fact.file}: ${what} ${JSON.stringify(ours)}, not ${JSON.stringify(theirs)}`);
      };
      const expected = fact.records_in_file ?? fact.packets;
      if (frames !== expected) differ('frames', frames, expected);
      if (report.framesRead !== frames) differ('framesRead', report.framesRead, frames);
      if (fact.records_in_file !== undefined || fact.reader_error !== undefined || frames === 0) continue;
      const headerBytes = PSEUDO_HEADER.has(fact.file.split('/').at(-1)!) ? 4 * frames : 0;
      if (captured !== fact.bytes_captured + headerBytes) differ('bytes captured', captured, fact.bytes_captured);
      if (wire !== fact.bytes_wire + headerBytes) differ('bytes on the wire', wire, fact.bytes_wire);
      const found = [...linkTypes].sort((a, b) => a - b);
      const wanted = fact.link_types.toSorted((a, b) => a - b);
      if (found.join() !== wanted.join()) differ('link types', found, wanted);
      // Frames without a time of their own (simple packet blocks) and an ATM time that tshark reads otherwise.
      if (fact.first !== null && first !== 0 && headerBytes === 0 && first !== epochUs(fact.first)) {
        differ('first time stamp', first, fact.first);
      }
    }
    expect(wrong).toEqual([]);
    const cut = captures.filter((fact) => CUT.test(fact.reader_error ?? '')).map((fact) => fact.file);
    expect(truncated.toSorted()).toEqual(cut.toSorted());
  }, 120_000);
});
