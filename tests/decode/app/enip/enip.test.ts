import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/enip/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectSplitInvariant, fuzzDissector, hex } from '../../../support/dissect.ts';
import { samplesIn, seenIn, tally } from '../../../support/payloads.ts';

const message = (command: number, ...body: (string | Uint8Array | number[])[]): Uint8Array => {
  const content = bytesOf(...body);
  return bytesOf(
    [command, 0, content.length & 255, content.length >> 8],
    hex('01000000 00000000 0102030405060708 00000000'),
    content,
  );
};
const cip = (content: Uint8Array): Uint8Array =>
  message(0x6f, hex('00000000 0000 0200 0000 0000 b200'), [content.length & 255, content.length >> 8], content);
const register = message(0x65, hex('0100 0000'));
const set = cip(hex('10 03 20 04 24 64 30 03 0100'));
const inner = hex('05 02 20 01 24 01');
const wrapped = cip(bytesOf(hex('52 02 20 06 24 01 05 99'), [inner.length, 0], inner, hex('01 00 01 00')));
const refused = cip(hex('90 00 0e 00'));
const identity = message(
  0x63,
  hex('0100 0c00 2900 0100 0002 af12 0a000005 0000000000000000 0100 0e00 3700 1405 6000 78563412 07'),
  '1756-L1',
  [3],
);

describe('enip', () => {
  it('reads sessions, identities and services', () => {
    const { seen, events } = dissect(dissector, [
      { bytes: bytesOf(register, set, wrapped) },
      { bytes: bytesOf(refused, identity), direction: 1 },
    ]);
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toEqual([
      { command: 'register-session', is_response: 0 },
      {
        service: 'set-attribute-single',
        service_code: 16,
        is_response: 0,
        class_id: 4,
        instance: 100,
        attribute: 3,
        is_write: 1,
        connected: 0,
      },
      {
        service: 'unconnected-send',
        service_code: 82,
        is_response: 0,
        class_id: 6,
        instance: 1,
        is_write: 0,
        connected: 0,
      },
      { service: 'reset', service_code: 5, is_response: 0, class_id: 1, instance: 1, is_write: 1, connected: 0 },
      { service: 'set-attribute-single', service_code: 16, is_response: 1, status: 14, is_write: 0, connected: 0 },
      {
        ip: '10.0.0.5',
        vendor_id: 1,
        device_type: 14,
        product_code: 55,
        revision: '20.5',
        serial: '12345678',
        product: '1756-L1',
        state: 3,
      },
      { command: 'list-identity', is_response: 1, status: 0 },
    ]);
  });

  it('gives the same at every split, and goes on after a loss', () => {
    expectSplitInvariant(dissector, bytesOf(register, set, wrapped));
    const lost = dissect(dissector, [
      { bytes: bytesOf(register, set.subarray(0, 30)) },
      { bytes: bytesOf([9, 9, 9], wrapped), gapBefore: true },
    ]);
    expect(lost.seen.map((one) => one.kind)).toEqual(['enip.command', 'enip.cip', 'enip.cip']);
  });

  it('refuses what is not EtherNet/IP', () => {
    for (const other of [
      '65 00 04 00 00000000 00000000 0000000000000000 01000000 01000000',
      '99 00 04 00',
      '66 00 04 00 00000000 00000000 0000000000000000 00000000',
    ]) {
      expect(dissect(dissector, [{ bytes: hex(other) }]).verdict).toBe('no');
    }
  });

  it('survives mutation', () =>
    fuzzDissector(dissector, [bytesOf(register, set, wrapped), bytesOf(refused, identity)]));
});

describeWithCaptures('enip on real traffic', (dir) => {
  // tshark 4.0.17: -Y 'cip.sc' -T fields -e cip.service of the same captures.
  it('sees resets and writes of the attacks', () => {
    const restart = seenIn(dissector, join(dir, 'attacks/ics-quickdraw/CL5000EIP-Reboot_or_Restart.pcap'));
    expect(tally(restart, 'enip.cip', 'is_write')['1']).toBeGreaterThan(0);
    expect(tally(restart, 'enip.cip', 'service')['reset']).toBeGreaterThan(0);
  });

  it('survives mutation of real messages', () =>
    fuzzDissector(dissector, samplesIn(dissector, join(dir, 'attacks/ics-quickdraw/CL5000EIP-Software_Upload.pcap'))));
});
