import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/nbns/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, fuzzDissector, hex } from '../../../support/dissect.ts';
import { samplesIn, seenIn, tally } from '../../../support/payloads.ts';

const UDP = { ipProto: 17, respPort: 137 };
const encoded = (name: string, suffix: number): Uint8Array => {
  const letters = [...Buffer.from(name.padEnd(15, ' ')), suffix]
    .map((byte) => String.fromCharCode(0x41 + (byte >> 4), 0x41 + (byte & 15)))
    .join('');
  return bytesOf([0x20], letters, [0]);
};
const query = bytesOf(hex('1234 0110 0001 0000 0000 0000'), encoded('FILES01', 0x20), hex('0020 0001'));
const answer = bytesOf(
  hex('1234 8500 0000 0001 0000 0000'),
  encoded('FILES01', 0x20),
  hex('0020 0001 00000e10 0006 8000 0a000005'),
);
const status = bytesOf(
  hex('1234 8400 0000 0001 0000 0000'),
  encoded('*\0\0\0\0\0\0\0\0\0\0\0\0\0\0', 0),
  hex('0021 0001 00000000 0019 01'),
  'PUMPSRV        ',
  hex('00 0400 0011 2233 4455'),
);

describe('nbns', () => {
  it('reads queries, answers and status', () => {
    const { seen, events } = dissect(
      dissector,
      [query, answer, status].map((bytes) => ({ bytes })),
      UDP,
    );
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toMatchObject([
      { operation: 'query', name: 'FILES01', suffix: 32, is_response: 0 },
      { operation: 'query', name: 'FILES01', is_response: 1, address: '10.0.0.5', is_group: 1 },
      { operation: 'status', is_response: 1, own_name: 'PUMPSRV', mac: '00:11:22:33:44:55' },
    ]);
  });

  it('refuses DNS', () => {
    expect(
      dissect(
        dissector,
        [{ bytes: bytesOf(hex('1234 0110 0001 0000 0000 0000'), [32], 'z'.repeat(32), hex('00 0001 0001')) }],
        UDP,
      ).verdict,
    ).toBe('no');
  });

  it('survives mutation', () => fuzzDissector(dissector, [query, answer, status], UDP));
});

describeWithCaptures('nbns on real traffic', (dir) => {
  // tshark 4.0.17: -Y nbns counts 32 and 46.
  it('finds the messages that tshark finds', () => {
    expect(seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'))).toHaveLength(32);
    const seen = seenIn(dissector, join(dir, 'protocols/arkime/nbns.pcap'));
    expect(seen).toHaveLength(46);
    expect(tally(seen, 'nbns.message', 'name')['MDJR98']).toBeGreaterThan(0);
  });

  it('survives mutation of real messages', () =>
    fuzzDissector(dissector, samplesIn(dissector, join(dir, 'protocols/arkime/nbns.pcap')), UDP));
});
