import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/iec104/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectSplitInvariant, fuzzDissector, hex } from '../../../support/dissect.ts';
import { seenIn, tally } from '../../../support/payloads.ts';

const start = hex('68 04 07 00 00 00');
const interrogation = hex('68 0e 00 00 02 00 64 01 06 00 0d 91 00 00 00 14');
const command = hex('68 0e 06 00 10 00 2d 01 06 01 0d 91 1a 27 00 81');
const received = hex('68 04 01 00 02 00');

describe('iec104', () => {
  it('reads control, data and commands', () => {
    const { seen, events } = dissect(dissector, [{ bytes: bytesOf(start, interrogation, received, command) }]);
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toEqual([
      { function: 'startdt-act' },
      { type_id: 100, cause: 6, negative: 0, test: 0, address: 0x910d, object: 0, objects: 1, is_write: 0 },
      { type_id: 45, cause: 6, negative: 0, test: 0, address: 0x910d, object: 0x271a, objects: 1, is_write: 1 },
    ]);
  });

  it('gives the same at every split, and finds the next unit again', () => {
    expectSplitInvariant(dissector, bytesOf(start, interrogation, received, command));
    const lost = dissect(dissector, [{ bytes: start }, { bytes: bytesOf([1, 2, 3], command), gapBefore: true }]);
    expect(lost.seen).toHaveLength(2);
    expect(lost.events).toEqual(['iec104_lost']);
  });

  it('refuses what is not IEC 104', () => {
    for (const other of [
      '68 04 0f 00 00 00',
      '68 03 01 00 00 00',
      '68 0e 00 00 02 00 00 01 06 00 00 00 00 00 00 00',
      '6804070000006161',
    ]) {
      expect(dissect(dissector, [{ bytes: hex(other) }]).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [bytesOf(start, interrogation, received, command)]));
});

describeWithCaptures('iec104 on real traffic', (dir) => {
  // tshark 4.0.17: -T fields -e iec60870_asdu.typeid; streams 0 to 4 hold damaged units on purpose.
  it('finds the commands', () => {
    const seen = seenIn(dissector, join(dir, 'protocols/ndpi/iec60780-5-104.pcap'));
    expect(tally(seen, 'iec104.asdu', 'type_id')).toMatchObject({ 45: 7, 46: 2, 70: 2, 100: 3, 103: 2 });
    expect(tally(seen, 'iec104.asdu', 'is_write')['1']).toBeGreaterThan(0);
  });
});
