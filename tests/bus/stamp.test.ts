import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SequenceWatch, stampOf, stampText } from '../../src/bus/stamp.ts';
import { encodePcapng } from '../../src/sources/pcap/writer.ts';
import { batchOf, frame } from './frames.ts';

const stamp = (sequence: number, boot = '00112233aabbccdd', sensor = 'icu-1') => ({ sensor, boot, sequence });

describe('stamp of a record', () => {
  test('is read as it was written, and is not found elsewhere', () => {
    const value = encodePcapng(batchOf([frame(1, 60)]), { comment: stampText(stamp(42)) });
    expect(stampOf(value)).toEqual(stamp(42));
    for (const comment of ['', 'made by hand', `${stampText(stamp(1))} `, stampText(stamp(0))])
      expect(stampOf(encodePcapng(batchOf([frame(1, 60)]), { comment }))).toBeUndefined();
    expect(stampOf(encodePcapng(batchOf([frame(1, 60)])))).toBeUndefined();
    for (let n = 0; n < 80; n++) expect(stampOf(value.subarray(0, n))).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => stampOf(bytes) === undefined),
      { seed: 3 },
    );
  });

  test('a number that is left out is missing; one that comes again is known; a new start and a step back are no gap', () => {
    const watch = new SequenceWatch();
    const taken = [
      watch.take(stamp(5), 10n),
      watch.take(stamp(6), 11n),
      watch.take(stamp(9), 12n),
      watch.take(stamp(9), 13n),
      watch.take(stamp(8), 14n),
      watch.take(stamp(1, '00000000aabbccdd'), 15n),
      watch.take(stamp(3, '00000000aabbccdd'), 16n),
      watch.take(stamp(7, '00112233aabbccdd', 'icu-2'), 17n),
      // The reader has gone back.
      watch.take(stamp(6), 11n),
      watch.take(stamp(9), 12n),
    ];
    expect(taken).toEqual([0, 0, 2, 'again', 'again', 0, 1, 0, 0, 2]);
  });
});
