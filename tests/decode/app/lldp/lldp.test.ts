import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/lldp/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, fuzzDissector, hex } from '../../../support/dissect.ts';
import { samplesIn, seenIn } from '../../../support/payloads.ts';

const L2 = { ipProto: 0 };
const tlv = (type: number, ...body: (string | Uint8Array | number[])[]): Uint8Array => {
  const content = bytesOf(...body);
  return bytesOf([(type << 1) | (content.length >> 8), content.length & 255], content);
};
const frame = bytesOf(
  tlv(1, [4], hex('000cce112233')),
  tlv(2, [5], 'eth0'),
  tlv(3, [0, 120]),
  tlv(5, 'mon-7'),
  tlv(6, 'Monitor OS 3'),
  tlv(7, [0, 0x14, 0, 4]),
  tlv(8, [5, 1, 10, 0, 0, 9, 2, 0, 0, 0, 1, 0]),
  tlv(127, hex('0012bb'), [10], 'MX750'),
  tlv(127, hex('00005e'), [1], 'https://mud.example/m'),
  [0, 0],
);

describe('lldp', () => {
  it('reads what the neighbour says', () => {
    expect(dissect(dissector, [{ bytes: frame }], L2)).toMatchObject({
      events: [],
      seen: [
        {
          kind: 'lldp.neighbour',
          fields: {
            chassis_id: '00:0c:ce:11:22:33',
            port_id: 'eth0',
            ttl_s: 120,
            system_name: 'mon-7',
            system_description: 'Monitor OS 3',
            capabilities: 4,
            management_ip: '10.0.0.9',
            model: 'MX750',
            mud_url: 'https://mud.example/m',
            tlvs: 9,
          },
        },
      ],
    });
  });

  it('refuses other frames, and tells a bad element', () => {
    expect(dissect(dissector, [{ bytes: hex('0104 0102 0304 0506 0708 090a') }], L2).verdict).toBe('no');
    const bad = bytesOf(frame.subarray(0, 20), tlv(5, 'mon-7').subarray(0, 4));
    expect(dissect(dissector, [{ bytes: bad }], L2).events).toEqual(['lldp_bad_tlv']);
    expect(dissect(dissector, [{ bytes: bad, cut: true }], L2).events).toEqual([]);
  });

  it('survives mutation', () => fuzzDissector(dissector, [frame], L2));
});

describeWithCaptures('lldp on real traffic', (dir) => {
  // tshark 4.0.17: -Y lldp counts 88, 3, 2.
  it('finds the frames that tshark finds', () => {
    expect(seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'))).toHaveLength(88);
    expect(seenIn(dissector, join(dir, 'protocols/arkime/wireshark-lldp.pcap'))).toHaveLength(3);
    const mud = seenIn(dissector, join(dir, 'protocols/tcpdump/lldp_mudurl.pcap'));
    expect(mud.map((one) => one.fields['mud_url'])).toEqual(
      new Array(2).fill('https://imright.mud.example.com/.well-known/mud/v1/vomitv2.0'),
    );
  });

  it('survives mutation of real frames', () =>
    fuzzDissector(dissector, samplesIn(dissector, join(dir, 'protocols/arkime/wireshark-lldp.pcap')), L2));
});
