import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/astm/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import {
  bytesOf,
  dissect,
  expectedToken,
  expectSplitInvariant,
  fuzzDissector,
  textsOf,
} from '../../../support/dissect.ts';
import { dissectCapture, tally } from '../../../support/payloads.ts';

const frame = (number: number, text: string, end = '\x03'): Uint8Array => {
  const body = `${number}${text}${end}`;
  const sum = [...Buffer.from(body, 'latin1')].reduce((a, b) => (a + b) & 255, 0);
  return bytesOf(`\x02${body}${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`);
};
const records = [
  'H|\\^&|||cobas b 221^1.0^SN77|||||LIS||P|LIS2-A2|20260101',
  'P|1||CANARY-MRN-5||CANARYNAME^FIRST||19700101|F',
  'O|1|S1||^^^GLU',
  'R|1|^^^GLU|7.2|mmol/L||N||F||CANARYOPERATOR',
  'R|2|^^^K|3.8|mmol/L||N||F',
  'C|1|I|CANARYCOMMENT',
  'L|1|N',
];
const framed = (lines: string[]): Uint8Array =>
  bytesOf('\x05', ...lines.map((line, i) => frame((i + 1) % 8, `${line}\r`)), '\x04');
const stream = framed(records);

describe('astm', () => {
  it('reads a message, and no patient', () => {
    const outcome = dissect(dissector, [{ bytes: stream }, { bytes: bytesOf('\x06\x06\x06'), direction: 1 }]);
    expect(outcome.events).toEqual([]);
    expect(outcome.seen).toEqual([
      {
        kind: 'astm.message',
        fields: {
          sender: 'cobas b 221^1.0^SN77',
          receiver: 'LIS',
          processing: 'P',
          version: 'LIS2-A2',
          termination: 'N',
          values: expect.stringMatching(/^#/) as string,
          patient: expectedToken('CANARY-MRN-5'),
          records: 7,
          patients: 1,
          orders: 1,
          results: 2,
          queries: 0,
          frames: 7,
          bad_checksums: 0,
          bytes: records.join('\r').length + 1,
          complete: 1,
        },
      },
    ]);
    expect(textsOf(outcome)).not.toContain('CANARY');
  });

  it('tells altered results', () => {
    const values = (lines: string[]): unknown =>
      dissect(dissector, [{ bytes: framed(lines) }]).seen[0]!.fields['values'];
    expect(values(records)).toBe(values(records.map((line) => line.replace('CANARYNAME', 'OTHER'))));
    expect(values(records)).not.toBe(values(records.map((line) => line.replace('7.2', '7.3'))));
  });

  it('joins records cut by ETB and checks the sums', () => {
    const cut = bytesOf('\x05', frame(1, `${records[0]}\rP|1||CANA`, '\x17'), frame(2, 'RY\rL|1|N\r'), '\x04');
    expect(dissect(dissector, [{ bytes: cut }]).seen[0]!.fields).toMatchObject({
      records: 3,
      patient: expectedToken('CANARY'),
    });
    const bad = stream.slice();
    bad[20] = bad[20]! ^ 1;
    expect(dissect(dissector, [{ bytes: bad }])).toMatchObject({
      events: ['astm_bad_checksum'],
      seen: [{ fields: { bad_checksums: 1 } }],
    });
  });

  it('reads records without frames', () => {
    expect(dissect(dissector, [{ bytes: bytesOf(`${records.join('\r')}\r`) }]).seen[0]!.fields).toMatchObject({
      frames: 0,
      results: 2,
      complete: 1,
    });
  });

  it('gives the same at every split, and picks up in the middle', () => {
    expectSplitInvariant(dissector, stream);
    const middle = bytesOf(frame(4, `${records[3]}\r`), frame(5, `${records[6]}\r`), '\x04', stream);
    const { seen, events } = dissect(dissector, [{ bytes: middle }], { midStream: true });
    expect(seen).toHaveLength(1);
    expect(events).toContain('astm_no_header');
    const lost = dissect(dissector, [{ bytes: stream.subarray(0, 180) }, { bytes: stream, gapBefore: true }]);
    expect(lost.seen.map((one) => one.fields['complete'])).toEqual([0, 1]);
  });

  it('refuses what is not ASTM', () => {
    for (const other of ['HTTP/1.1 200 OK', '\x05\x01\x00', 'Hello', '\x02hello']) {
      expect(dissect(dissector, [{ bytes: bytesOf(other) }]).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [stream, bytesOf(records.join('\r'))]));
});

describeWithCaptures('astm on real traffic', (dir) => {
  it('reads the analysers of the standards folder', () => {
    const folder = join(dir, 'standards/messages/astm');
    for (const file of readdirSync(folder).filter((name) => name !== 'mini_vidas.txt')) {
      const bytes = readFileSync(join(folder, file));
      const { seen } = dissect(dissector, [{ bytes: bytesOf('\x05', bytes, '\x04') }]);
      expect([file, seen.length]).toEqual([file, 1]);
      const lines = bytes.toString('latin1').split(/[\r\n]+/);
      const results = lines.filter((line) => /^(\x02\d)?R[|]/.test(line)).length;
      expect([file, seen[0]!.fields['results']]).toEqual([file, results]);
    }
  });

  // tshark 4.0.17: -Y 'tcp.port==4000 && tcp.payload contains "|||RAPIDPoint"' and so on counts the header records.
  it('finds the messages of the clinical capture, and no patient', () => {
    const outcomes = dissectCapture(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'));
    const seen = outcomes.flatMap((outcome) => outcome.seen);
    expect(tally(seen, 'astm.message', 'sender')).toEqual({ 'RAPIDPoint 500^1.0': 19, 'cobas b 221^1.0': 22 });
    expect(outcomes.flatMap((outcome) => outcome.events)).toEqual([]);
    expect(outcomes.map(textsOf).join()).not.toContain('CANARY');
  });
});
