import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/dhcpv6/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectedToken, fuzzDissector, hex } from '../../../support/dissect.ts';
import { samplesIn, seenIn, tally } from '../../../support/payloads.ts';

const UDP = { ipProto: 17, respPort: 547 };
const option = (code: number, ...body: (string | Uint8Array | number[])[]): Uint8Array => {
  const content = bytesOf(...body);
  return bytesOf([code >> 8, code & 255, content.length >> 8, content.length & 255], content);
};
const solicit = bytesOf(
  hex('01 90b45c'),
  option(1, hex('0003 0001 00098db01122')),
  option(6, [0, 23, 0, 24]),
  option(39, [0, 4], 'pump', [4], 'icu1', [0]),
  option(112, 'https://mud.example/p'),
);
const relayed = bytesOf([12, 0], new Uint8Array(32), option(9, solicit));

describe('dhcpv6', () => {
  it('reads a message, relayed or not', () => {
    const expected = {
      message_type: 'SOLICIT',
      xid: 0x90b45c,
      client: expectedToken(hex('0003 0001 00098db01122')),
      client_mac: '00:09:8d:b0:11:22',
      requested_options: '23,24',
      option_order: '1,6,39,112',
      fqdn: 'pump.icu1',
      mud_url: 'https://mud.example/p',
    };
    const { seen, events } = dissect(dissector, [{ bytes: solicit }, { bytes: relayed }], UDP);
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toEqual([
      { ...expected, relays: 0 },
      { ...expected, relays: 1 },
    ]);
  });

  it('refuses what is not DHCPv6', () => {
    for (const other of ['0190b45c 0006 0002 0017', '0e90b45c 0001 0000', '0190b45c 0001 00ff 00']) {
      expect(dissect(dissector, [{ bytes: hex(other) }], UDP).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [solicit, relayed], UDP));
});

describeWithCaptures('dhcpv6 on real traffic', (dir) => {
  // tshark 4.0.17: -Y dhcpv6 -T fields -e dhcpv6.msgtype: 1, 2, 3, 7.
  it('finds the messages that tshark finds', () => {
    const seen = seenIn(dissector, join(dir, 'protocols/tcpdump/dhcpv6-ia-na.pcap'));
    expect(tally(seen, 'dhcpv6.message', 'message_type')).toEqual({ SOLICIT: 1, ADVERTISE: 1, REQUEST: 1, REPLY: 1 });
    expect(seenIn(dissector, join(dir, 'standards/ja4/dhcpv6.pcap'))).toHaveLength(6);
  });

  it('survives mutation of real messages', () =>
    fuzzDissector(dissector, samplesIn(dissector, join(dir, 'standards/ja4/dhcpv6.pcap')), UDP));
});
