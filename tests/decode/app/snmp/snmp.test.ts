import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/snmp/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectedToken, fuzzDissector, hex, textsOf } from '../../../support/dissect.ts';
import { samplesIn, seenIn } from '../../../support/payloads.ts';

const UDP = { ipProto: 17, respPort: 161 };
const ber = (tag: number, ...body: (string | Uint8Array | number[])[]): Uint8Array => {
  const content = bytesOf(...body);
  return bytesOf(
    [tag, ...(content.length < 128 ? [content.length] : [0x82, content.length >> 8, content.length & 255])],
    content,
  );
};
const oid = (digits: string): Uint8Array => ber(6, hex(digits));
const message = (pdu: number, community: string, ...variables: Uint8Array[]): Uint8Array =>
  ber(
    0x30,
    ber(2, [1]),
    ber(4, community),
    ber(pdu, ber(2, [0, 200]), ber(2, [0]), ber(2, [0]), ber(0x30, ...variables)),
  );
const response = message(
  0xa2,
  'public',
  ber(0x30, oid('2b06010201010100'), ber(4, 'Linux pump 4.1')),
  ber(0x30, oid('2b06010201010200'), oid('2b060104018a3f01')),
  ber(0x30, oid('2b06010201010500'), ber(4, 'pump-7')),
);
const set = message(0xa3, 'CANARYSECRET', ber(0x30, oid('2b06010201010600'), ber(4, 'CANARYVALUE')));
const v3 = ber(
  0x30,
  ber(2, [3]),
  ber(0x30, ber(2, [5]), ber(2, [5, 220]), ber(4, [3]), ber(2, [3])),
  ber(
    4,
    ber(0x30, ber(4, hex('80001f8880aabb')), ber(2, [1]), ber(2, [9]), ber(4, 'CANARYUSER'), ber(4, ''), ber(4, '')),
  ),
  ber(4, 'encrypted data'),
);

describe('snmp', () => {
  it('reads a response with what the device says it is', () => {
    expect(dissect(dissector, [{ bytes: response }], UDP)).toMatchObject({
      events: [],
      seen: [
        {
          kind: 'snmp.message',
          fields: {
            version: 2,
            pdu: 'response',
            community: expectedToken('public'),
            is_default_community: 1,
            request_id: 200,
            error_status: 0,
            oid: '1.3.6.1.2.1.1.1.0',
            variables: 3,
            is_write: 0,
            sys_descr: 'Linux pump 4.1',
            sys_object_id: '1.3.6.1.4.1.1343.1',
            sys_name: 'pump-7',
          },
        },
      ],
    });
  });

  it('reads a set and version 3, and lets no secret out', () => {
    const outcome = dissect(dissector, [{ bytes: set }, { bytes: v3 }], UDP);
    expect(outcome.events).toEqual([]);
    expect(outcome.seen[0]!.fields).toMatchObject({ pdu: 'set', is_write: 1, is_default_community: 0 });
    expect(outcome.seen[1]!.fields).toMatchObject({
      version: 3,
      pdu: 'encrypted',
      security: 'authPriv',
      engine_enterprise: 8072,
      user: expectedToken('CANARYUSER'),
    });
    expect(textsOf(outcome)).not.toContain('CANARY');
  });

  it('refuses other BER and other bytes', () => {
    for (const other of [
      ber(0x30, ber(2, [1]), ber(2, [1])),
      ber(0x30, ber(2, [7]), ber(4, 'public'), ber(0xa0)),
      hex('3082ffff020101'),
    ]) {
      expect(dissect(dissector, [{ bytes: other }], UDP).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [response, set, v3], UDP));
});

describeWithCaptures('snmp on real traffic', (dir) => {
  // tshark 4.0.17: -Y 'snmp && !icmp' counts 300, 72, 8.
  it('finds the messages that tshark finds', () => {
    expect(seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'))).toHaveLength(300);
    expect(seenIn(dissector, join(dir, 'protocols/ndpi/snmp.pcap'))).toHaveLength(72);
    expect(seenIn(dissector, join(dir, 'protocols/suricata/snmp-v3-unauth.pcap'))).toHaveLength(8);
  });

  it('survives mutation of real messages', () =>
    fuzzDissector(dissector, samplesIn(dissector, join(dir, 'protocols/ndpi/snmp.pcap')), UDP));
});
