import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { crc } from '../../../../src/decode/app/dnp3/parser.ts';
import { dissector } from '../../../../src/decode/app/dnp3/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectSplitInvariant, fuzzDissector, hex } from '../../../support/dissect.ts';
import { samplesIn, seenIn, tally } from '../../../support/payloads.ts';

const sealed = (bytes: Uint8Array): Uint8Array => {
  const value = crc(bytes, 0, bytes.length);
  return bytesOf(bytes, [value & 255, value >> 8]);
};
const frame = (control: number, destination: number, source: number, data: Uint8Array): Uint8Array => {
  const parts = [sealed(bytesOf([5, 0x64, data.length + 5, control, destination, 0, source, 0]))];
  for (let at = 0; at < data.length; at += 16) parts.push(sealed(data.subarray(at, at + 16)));
  return bytesOf(...parts);
};
const operate = frame(0xc4, 1, 100, hex('c0 c5 05 0c 01 17 01 00 01 01 64 00 00 00 64 00 00 00 00'));
const response = frame(0x44, 100, 1, hex('c0 c5 81 90 00 0c 01'));
const status = frame(0xc9, 1, 100, new Uint8Array(0));

describe('dnp3', () => {
  it('reads commands, answers and link frames', () => {
    const { seen, events } = dissect(dissector, [
      { bytes: bytesOf(operate, status) },
      { bytes: response, direction: 1 },
    ]);
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toEqual([
      {
        function: 'direct-operate',
        function_code: 5,
        source: 100,
        destination: 1,
        from_master: 1,
        group: 12,
        variation: 1,
        is_write: 1,
      },
      { function_code: 9, source: 100, destination: 1, from_master: 1 },
      {
        function: 'response',
        function_code: 129,
        source: 1,
        destination: 100,
        from_master: 0,
        indications: 0x9000,
        group: 12,
        variation: 1,
        is_write: 0,
      },
    ]);
  });

  it('tells a wrong checksum and believes none', () => {
    const bad = operate.slice();
    bad[12] = 0xff;
    expect(dissect(dissector, [{ bytes: bad }])).toMatchObject({ seen: [], events: ['dnp3_bad_crc'] });
    bad[8] = bad[8]! ^ 1;
    expect(dissect(dissector, [{ bytes: bad }]).verdict).toBe('no');
  });

  it('gives the same at every split, and finds the next frame again', () => {
    expectSplitInvariant(dissector, bytesOf(operate, status, operate));
    const lost = dissect(dissector, [{ bytes: operate }, { bytes: bytesOf([5, 1, 2], operate), gapBefore: true }]);
    expect(lost.seen).toHaveLength(2);
    expect(lost.events).toEqual(['dnp3_lost']);
  });

  it('survives mutation', () => {
    fuzzDissector(dissector, [bytesOf(operate, status), response]);
    fuzzDissector(dissector, [operate, response], { ipProto: 17 });
  });
});

describeWithCaptures('dnp3 on real traffic', (dir) => {
  // tshark 4.0.17: -Y dnp3 -T fields -e dnp3.al.func.
  it('reads what tshark reads', () => {
    const file = seenIn(dissector, join(dir, 'protocols/zeek/dnp3/dnp3_file_write.pcap'));
    expect(tally(file, 'dnp3.message', 'function')).toEqual({ 'open-file': 1, write: 1, 'close-file': 1, response: 3 });
    const select = seenIn(dissector, join(dir, 'protocols/zeek/dnp3/dnp3_udp_select_operate.pcap'));
    expect(tally(select, 'dnp3.message', 'function')).toEqual({ select: 1, operate: 1, read: 1, response: 3 });
  });

  it('survives mutation of real frames', () =>
    fuzzDissector(dissector, samplesIn(dissector, join(dir, 'protocols/zeek/dnp3/dnp3.pcap'))));
});
