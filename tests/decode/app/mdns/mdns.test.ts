import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/mdns/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, fuzzDissector, hex, textsOf } from '../../../support/dissect.ts';
import { kindsIn, seenIn } from '../../../support/payloads.ts';

const UDP = { ipProto: 17, origPort: 5353, respPort: 5353 };
const name = (dotted: string): Uint8Array =>
  bytesOf(...dotted.split('.').map((label) => bytesOf([label.length], label)), [0]);
const record = (owner: string, type: number, ...data: (string | Uint8Array | number[])[]): Uint8Array => {
  const content = bytesOf(...data);
  return bytesOf(name(owner), [0, type, 0x80, 1, 0, 0, 0, 120, 0, content.length], content);
};
const answer = bytesOf(
  hex('0000 8400 0000 0003 0000 0001'),
  record('_ipp._tcp.local', 12, name('CANARY Anna._ipp._tcp.local')),
  record('CANARY Anna._ipp._tcp.local', 16, [9], 'ty=LJ M50', [11], 'usb_MFG=HP\0'),
  record('CANARY Anna._ipp._tcp.local', 33, [0, 0, 0, 0, 2, 0x77], name('printer2.local')),
  record('printer2.local', 1, [10, 0, 0, 8]),
);
const query = bytesOf(hex('0000 0000 0001 0000 0000 0000'), name('_ipp._tcp.local'), [0, 12, 0x80, 1]);

describe('mdns', () => {
  it('reads offers and questions without the names of instances', () => {
    const outcome = dissect(
      dissector,
      [
        { bytes: answer, multicast: true },
        { bytes: query, multicast: true },
      ],
      UDP,
    );
    expect(outcome.events).toEqual([]);
    expect(outcome.seen).toMatchObject([
      {
        kind: 'mdns.response',
        fields: { host: 'printer2.local', addresses: '10.0.0.8', services: '_ipp._tcp', model: 'LJ M50', records: 4 },
      },
      { kind: 'mdns.query', fields: { name: '_ipp._tcp.local', query_type: 'PTR', questions: 1 } },
    ]);
    expect(textsOf(outcome).toLowerCase()).not.toContain('canary');
  });

  it('leaves other ports to DNS', () => {
    expect(dissect(dissector, [{ bytes: query }], { ipProto: 17, respPort: 53 }).verdict).toBe('no');
  });

  it('survives mutation', () => fuzzDissector(dissector, [answer, query], UDP));
});

describeWithCaptures('mdns on real traffic', (dir) => {
  // tshark 4.0.17: -Y mdns -T fields -e dns.flags.response: 12 and 12.
  it('finds the messages that tshark finds', () => {
    expect(kindsIn(seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz')))).toEqual({
      'mdns.query': 12,
      'mdns.response': 12,
    });
  });
});
