import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/dns/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectSplitInvariant, fuzzDissector, hex } from '../../../support/dissect.ts';
import { dissectCapture } from '../../../support/payloads.ts';

const name = (dotted: string): Uint8Array =>
  bytesOf(...dotted.split('.').map((label) => bytesOf([label.length], label)), [0]);
const query = (dotted: string, type = 1): Uint8Array =>
  bytesOf(hex('1234 0100 0001 0000 0000 0000'), name(dotted), [0, type, 0, 1]);
const answer = bytesOf(
  hex('1234 8580 0001 0002 0000 0000'),
  name('Pacs.Clin.Example.Test'),
  [0, 1, 0, 1],
  hex('c00c 0005 0001 0000 003c 0004 016e c011'),
  hex('c00c 0001 0001 0000 001e 0004 0a140116'),
);
const tcp = (message: Uint8Array): Uint8Array => bytesOf([message.length >> 8, message.length & 255], message);
const UDP = { ipProto: 17, respPort: 53 };
const TCP = { ipProto: 6, respPort: 53 };

describe('dns', () => {
  it('reads a query and its answer', () => {
    const { seen, events } = dissect(
      dissector,
      [{ bytes: query('Pacs.Clin.Example.Test') }, { bytes: answer, direction: 1 }],
      UDP,
    );
    expect(events).toEqual([]);
    expect(seen).toEqual([
      {
        kind: 'dns.query',
        fields: {
          name: 'pacs.clin.example.test',
          zone: 'clin.example.test',
          name_length: 22,
          labels: 4,
          first_label_length: 4,
          entropy: 2,
          query_type: 'A',
          id: 0x1234,
          questions: 1,
          opcode: 0,
        },
      },
      {
        kind: 'dns.response',
        fields: {
          name: 'pacs.clin.example.test',
          zone: 'clin.example.test',
          name_length: 22,
          query_type: 'A',
          rcode: 0,
          answers: 2,
          addresses: '10.20.1.22',
          ttl_s: 30,
          authoritative: 1,
          truncated: 0,
          data_bytes: 4,
          id: 0x1234,
          opcode: 0,
        },
      },
    ]);
  });

  it('does not show labels that carry data', () => {
    const tunnel = `${'x'.repeat(60)}.${'CANARY'.repeat(8)}.t1.evil.example`;
    const { seen } = dissect(dissector, [{ bytes: query(tunnel, 16) }], UDP);
    expect(seen[0]!.fields).toMatchObject({
      name: 't1.evil.example',
      name_length: tunnel.length,
      first_label_length: 60,
    });
  });

  it('ends pointer loops and tells them', () => {
    const loop = bytesOf(answer.subarray(0, 40), hex('c028 0001 0001 00000000 0004 01020304'));
    expect(dissect(dissector, [{ bytes: query('a.b') }, { bytes: loop, direction: 1 }], UDP).events).toEqual([
      'dns_pointer_loop',
    ]);
  });

  it('keeps quiet about a cut datagram', () => {
    const cut = answer.subarray(0, answer.length - 5);
    expect(dissect(dissector, [{ bytes: cut, cut: true }], UDP).events).toEqual([]);
    expect(dissect(dissector, [{ bytes: cut }], UDP).events).toEqual(['dns_bad_record']);
  });

  it('reads several messages of a TCP stream at every split', () => {
    const stream = bytesOf(tcp(query('a.example.test')), tcp(query('b.example.test')), tcp(answer));
    expect(dissect(dissector, [{ bytes: stream }], TCP).seen).toHaveLength(3);
    expectSplitInvariant(dissector, stream, TCP);
  });

  it('refuses what is not DNS', () => {
    expect(dissect(dissector, [{ bytes: bytesOf('GET / HTTP/1.1\r\nHost: a\r\n\r\n') }], TCP).verdict).toBe('no');
    expect(
      dissect(dissector, [{ bytes: new Uint8Array(48).fill(0x24) }], { ipProto: 17, respPort: 9999 }).verdict,
    ).toBe('no');
    expect(dissect(dissector, [{ bytes: query('a.local') }], { ipProto: 17, respPort: 5353 }).verdict).toBe('no');
  });

  it('survives mutation', () => {
    fuzzDissector(dissector, [query('a.example.test'), answer], UDP);
    fuzzDissector(dissector, [tcp(query('a.example.test')), tcp(answer)], TCP);
  });
});

describeWithCaptures('dns on real traffic', (dir) => {
  const count = (file: string): number[] => {
    const seen = dissectCapture(dissector, join(dir, file)).flatMap((outcome) => outcome.seen);
    return ['dns.query', 'dns.response'].map((kind) => seen.filter((one) => one.kind === kind).length);
  };
  // tshark 4.0.17: -Y 'dns && !mdns && !llmnr && !nbns && !icmp' -T fields -e dns.flags.response
  it('finds the messages that tshark finds', () => {
    expect(count('clinical/A-benign-learn.pcap.gz')).toEqual([1386, 1386]);
    expect(count('attacks/network/ndpi-dns-tunnel-iodine.pcap').reduce((a, b) => a + b)).toBe(434);
    expect(count('attacks/network/ndpi-dns_exfiltration.pcap').reduce((a, b) => a + b)).toBe(300);
    expect(count('protocols/suricata/dns__dns-tcp-multirequest-buffer.pcap').reduce((a, b) => a + b)).toBe(40);
  });
});
