import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/s7comm/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectSplitInvariant, fuzzDissector, hex } from '../../../support/dissect.ts';
import { kindsIn, samplesIn, seenIn } from '../../../support/payloads.ts';

const request = hex('03 00 00 16 11 e0 0000 0001 00 c0 01 0a c1 02 0100 c2 02 0102');
const setup = hex('03 00 00 19 02 f0 80 32 01 0000 0001 0008 0000 f0 00 0001 0001 01e0');
const write = hex('03 00 00 24 02 f0 80 32 01 0000 0002 000e 0005 05 01 12 0a 10 02 0001 0001 84 000050 00 04 0008 2a');
const stop = hex('03 00 00 21 02 f0 80 32 01 0000 0003 0010 0000 29 0000000000 09 50 5f 50 52 4f 47 52 41 4d');
const refused = hex('03 00 00 14 02 f0 80 32 03 0000 0002 0001 0000 81 04 05');

describe('s7comm', () => {
  it('reads connection, writes, stop and errors', () => {
    const { seen, events } = dissect(dissector, [
      { bytes: bytesOf(request, setup, write, stop) },
      { bytes: refused, direction: 1 },
    ]);
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toEqual([
      { is_response: 0, calling_tsap: 0x100, called_tsap: 0x102 },
      { pdu: 'job', function: 'setup', function_code: 240, reference: 1, is_write: 0 },
      {
        pdu: 'job',
        function: 'write',
        function_code: 5,
        reference: 2,
        items: 1,
        area: 132,
        block: 1,
        address: 10,
        is_write: 1,
      },
      { pdu: 'job', function: 'stop', function_code: 41, reference: 3, is_write: 1 },
      {
        pdu: 'ack-data',
        function: 'write',
        function_code: 5,
        reference: 2,
        error_class: 0x81,
        error_code: 4,
        is_write: 0,
      },
    ]);
  });

  it('gives the same at every split, and goes on after a loss', () => {
    expectSplitInvariant(dissector, bytesOf(request, setup, write, stop));
    expect(
      dissect(dissector, [{ bytes: bytesOf(request, setup) }, { bytes: stop, gapBefore: true }]).seen,
    ).toHaveLength(3);
  });

  it('refuses remote desktop and other users of the same transport', () => {
    for (const other of [
      '03 00 00 0b 06 e0 0000 0000 00 0300',
      '03 00 00 10 02 f0 80 60 81 82 83 84 85 86 87 88',
      '03 01 00 10',
    ]) {
      expect(dissect(dissector, [{ bytes: hex(other) }]).verdict).not.toBe('yes');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [bytesOf(request, setup, write, stop), refused]));
});

describeWithCaptures('s7comm on real traffic', (dir) => {
  // tshark 4.0.17: -Y s7comm counts 17, and three packets are S7comm-plus; -Y 'cotp.type == 0xe or 0xd' 8.
  it('finds the messages that tshark finds', () => {
    expect(kindsIn(seenIn(dissector, join(dir, 'protocols/arkime/s7comm_synthetic.pcap')))).toEqual({
      's7comm.connect': 8,
      's7comm.message': 20,
    });
  });

  it('survives mutation of real messages', () =>
    fuzzDissector(dissector, samplesIn(dissector, join(dir, 'protocols/arkime/s7comm_synthetic.pcap'))));
});
