import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/cdp/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { dissect, fuzzDissector, hex } from '../../../support/dissect.ts';
import { samplesIn, seenIn } from '../../../support/payloads.ts';

const L2 = { ipProto: 0 };

describe('cdp', () => {
  it('tells a bad element and refuses other frames', () => {
    const bad = hex('02b4 0000 0001 0006 5231 0003 00ff 45');
    expect(dissect(dissector, [{ bytes: bad }], L2)).toMatchObject({
      events: ['cdp_bad_tlv'],
      seen: [{ fields: { device_id: 'R1', version: 2, ttl_s: 180 } }],
    });
    expect(dissect(dissector, [{ bytes: hex('0304 0506 0708 090a') }], L2).verdict).toBe('no');
  });
});

describeWithCaptures('cdp on real traffic', (dir) => {
  // tshark 4.0.17: -Y cdp -V of the same frames.
  it('reads version 1 and version 2', () => {
    expect(seenIn(dissector, join(dir, 'protocols/zeek/cdp-v1.pcap'))[0]!.fields).toMatchObject({
      version: 1,
      ttl_s: 180,
      device_id: 'R1',
      port_id: 'Ethernet0',
      address: '192.168.10.1',
      platform: 'cisco 1601',
      capabilities: 1,
    });
    expect(
      seenIn(dissector, join(dir, 'attacks/ics-quickdraw/CL5000EIP-Software_Upload.pcap'))[0]!.fields,
    ).toMatchObject({
      version: 2,
      device_id: 'Ns5gt',
      platform: 'cisco WS-CE500-24TT',
      native_vlan: 3,
    });
  });

  it('survives mutation', () =>
    fuzzDissector(dissector, samplesIn(dissector, join(dir, 'protocols/zeek/cdp-v1.pcap')), L2));
});
