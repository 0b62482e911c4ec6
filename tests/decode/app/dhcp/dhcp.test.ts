import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/dhcp/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectedToken, fuzzDissector, hex } from '../../../support/dissect.ts';
import { seenIn, tally } from '../../../support/payloads.ts';

const MAC = hex('00098db01122');
const fixed = (op: number, your: number[], file = new Uint8Array(128), sname = new Uint8Array(64)): Uint8Array =>
  bytesOf(
    [op, 1, 6, 0],
    hex('cafebabe'),
    [0, 3, 0x80, 0],
    [0, 0, 0, 0],
    your,
    [0, 0, 0, 0],
    [0, 0, 0, 0],
    MAC,
    new Uint8Array(10),
    sname,
    file,
    hex('63825363'),
  );
const option = (code: number, ...value: (string | number[] | Uint8Array)[]): Uint8Array => {
  const content = bytesOf(...value);
  return bytesOf([code, content.length], content);
};
const request = bytesOf(
  fixed(1, [0, 0, 0, 0]),
  option(53, [3]),
  option(50, [10, 0, 0, 7]),
  option(54, [10, 0, 0, 1]),
  option(12, 'pump-07\0'),
  option(60, 'Pump OS 3'),
  option(61, [1], MAC),
  option(81, [4, 0, 0, 4], 'pump', [4], 'icu1', [0]),
  option(161, 'https://mud.example/pump.json'),
  option(55, [1, 3, 6, 15, 161]),
  [255, 0, 0],
);
const offer = bytesOf(
  fixed(2, [10, 0, 0, 7]),
  option(53, [2]),
  option(54, [10, 0, 0, 1]),
  option(51, [0, 0, 14, 16]),
  option(3, [10, 0, 0, 254]),
  option(6, [10, 0, 0, 53, 10, 0, 0, 54]),
  option(15, 'icu.test'),
  [255],
);

describe('dhcp', () => {
  it('reads names, fingerprint and addresses of a request', () => {
    expect(dissect(dissector, [{ bytes: request }])).toMatchObject({
      verdict: 'yes',
      events: [],
      seen: [
        {
          kind: 'dhcp.message',
          fields: {
            message_type: 'REQUEST',
            xid: 0xcafebabe,
            secs: 3,
            mac: '00:09:8d:b0:11:22',
            requested_ip: '10.0.0.7',
            server_id: '10.0.0.1',
            hostname: 'pump-07',
            vendor_class: 'Pump OS 3',
            mud_url: 'https://mud.example/pump.json',
            parameters: '1,3,6,15,161',
            option_order: '53,50,54,12,60,61,81,161,55',
            client_id: expectedToken(bytesOf([1], MAC)),
            client_id_is_mac: 1,
            fqdn: 'pump.icu1',
          },
        },
      ],
    });
  });

  it('reads what a server gives', () => {
    expect(dissect(dissector, [{ bytes: offer }]).seen[0]!.fields).toEqual({
      message_type: 'OFFER',
      xid: 0xcafebabe,
      secs: 3,
      mac: '00:09:8d:b0:11:22',
      your_ip: '10.0.0.7',
      server_id: '10.0.0.1',
      router: '10.0.0.254',
      name_server: '10.0.0.53',
      domain: 'icu.test',
      lease_s: 3600,
      option_order: '53,54,51,3,6,15',
    });
  });

  it('reads options in the file and sname fields', () => {
    const file = new Uint8Array(128);
    file.set(bytesOf(option(12, 'infile'), [255]));
    const overloaded = bytesOf(fixed(1, [0, 0, 0, 0], file), option(53, [1]), option(52, [1]), [255]);
    const { seen, events } = dissect(dissector, [{ bytes: overloaded }]);
    expect(events).toEqual([]);
    expect(seen[0]!.fields).toMatchObject({ message_type: 'DISCOVER', hostname: 'infile' });
    expect(seen[0]!.fields['boot_file']).toBeUndefined();
  });

  it('keeps what was right before a bad option, and says nothing about a cut frame', () => {
    const bad = request.slice(0, request.length - 6);
    expect(dissect(dissector, [{ bytes: bad }])).toMatchObject({
      events: ['dhcp_bad_option'],
      seen: [{ fields: { hostname: 'pump-07' } }],
    });
    expect(dissect(dissector, [{ bytes: bad, cut: true }]).events).toEqual([]);
    expect(dissect(dissector, [{ bytes: request }, { bytes: bytesOf('junk') }]).events).toEqual(['dhcp_bad_header']);
  });

  it('refuses what is not DHCP', () => {
    expect(dissect(dissector, [{ bytes: new Uint8Array(300).fill(1) }]).verdict).toBe('no');
    expect(dissect(dissector, [{ bytes: request.subarray(0, 239) }]).verdict).toBe('no');
  });

  it('survives mutation', () => fuzzDissector(dissector, [request, offer]));
});

describeWithCaptures('dhcp on real traffic', (dir) => {
  // tshark 4.0.17: -Y dhcp -T fields -e dhcp.option.dhcp | sort | uniq -c
  it('finds the messages that tshark finds', () => {
    const seen = seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'));
    expect(tally(seen, 'dhcp.message', 'message_type')).toEqual({ DISCOVER: 29, OFFER: 29, REQUEST: 327, ACK: 327 });
    const other = (file: string): number => seenIn(dissector, join(dir, file)).length;
    expect(other('protocols/zeek/dhcp/dhcp-unique-xid-join-data-growth.pcapng')).toBe(50);
    expect(other('protocols/tcpdump/dhcp-option-33.pcap')).toBe(5);
    expect(other('standards/ja4/dhcp.pcapng')).toBe(4);
  });
});
