import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/modbus/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectSplitInvariant, fuzzDissector, hex } from '../../../support/dissect.ts';
import { kindsIn, seenIn, tally } from '../../../support/payloads.ts';

const read = hex('0001 0000 0006 01 03 0064 000a');
const write = hex('0002 0000 000b 02 10 0010 0002 04 0001 0002');
const identify = hex('0003 0000 0005 01 2b 0e 01 00');
const answer = hex('0001 0000 0007 01 03 04 0001 0002');
const refusal = hex('0002 0000 0003 02 90 02');
const identity = bytesOf(hex('0003 0000 0015 01 2b 0e 01 01 00 00 02'), [0, 4], 'ACME', [1, 5], 'TM221');

describe('modbus', () => {
  it('reads requests and answers', () => {
    const { seen, events } = dissect(dissector, [
      { bytes: bytesOf(read, write, identify) },
      { bytes: bytesOf(answer, refusal, identity), direction: 1 },
    ]);
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toEqual([
      {
        function: 'read-holding-registers',
        function_code: 3,
        unit: 1,
        address: 100,
        quantity: 10,
        is_write: 0,
        transaction: 1,
      },
      {
        function: 'write-multiple-registers',
        function_code: 16,
        unit: 2,
        address: 16,
        quantity: 2,
        is_write: 1,
        transaction: 2,
      },
      { function: 'encapsulated-transport', function_code: 43, unit: 1, is_write: 0, sub_function: 14, transaction: 3 },
      { function: 'read-holding-registers', function_code: 3, unit: 1, transaction: 1, bytes: 13 },
      { function: 'write-multiple-registers', function_code: 16, unit: 2, exception: 2, transaction: 2, bytes: 9 },
      {
        function: 'encapsulated-transport',
        function_code: 43,
        unit: 1,
        transaction: 3,
        vendor: 'ACME',
        product: 'TM221',
        bytes: 27,
      },
    ]);
  });

  it('knows the client where the start was not seen', () => {
    const { seen } = dissect(dissector, [{ bytes: answer }, { bytes: read, direction: 1 }], { midStream: true });
    expect(seen.map((one) => one.kind)).toEqual(['modbus.response', 'modbus.request']);
  });

  it('gives the same at every split, and goes on after a loss', () => {
    expectSplitInvariant(dissector, bytesOf(read, write, identify));
    const lost = dissect(dissector, [
      { bytes: bytesOf(read, write.subarray(0, 9)) },
      { bytes: bytesOf([9, 9], read), gapBefore: true },
    ]);
    expect(lost.seen).toHaveLength(2);
    expect(lost.events).toEqual(['modbus_lost']);
  });

  it('refuses what is not Modbus', () => {
    for (const other of [
      '0001 0001 0006 01 03 0064 000a',
      '0001 0000 0006 01 55 0064 000a',
      '0001 0000 0006 01 03 0064 000a ffff ffff',
    ]) {
      expect(dissect(dissector, [{ bytes: hex(other) }]).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [bytesOf(read, write), bytesOf(answer, refusal, identity)]));
});

describeWithCaptures('modbus on real traffic', (dir) => {
  // tshark 4.0.17: -Y modbus, 952 frames of one message each; -T fields -e modbus.func_code.
  it('finds the messages that tshark finds', () => {
    const seen = seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'));
    expect(kindsIn(seen)).toEqual({ 'modbus.request': 476, 'modbus.response': 476 });
    expect(kindsIn(seenIn(dissector, join(dir, 'protocols/ndpi/modbus.pcap')))).toEqual({
      'modbus.request': 51,
      'modbus.response': 51,
    });
  });

  it('sees the writes of the attack', () => {
    const attack = seenIn(dissector, join(dir, 'clinical/C-modbus_write.pcap.gz'));
    expect(tally(attack, 'modbus.request', 'is_write')['1']).toBeGreaterThan(0);
    const benign = seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'));
    expect(tally(benign, 'modbus.request', 'is_write')['1']).toBeUndefined();
  });
});
