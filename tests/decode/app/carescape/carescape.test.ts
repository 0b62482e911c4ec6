import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/carescape/index.ts';
import { bytesOf, dissect, expectedToken, fuzzDissector, hex, textsOf } from '../../../support/dissect.ts';

// No capture of the real network is public: these messages follow the published descriptions of its layout.
const padded = (text: string, length: number): Uint8Array => bytesOf(text.padEnd(length, '\0'));
const presence = bytesOf(
  [1, 4, 0, 0, 126, 1, 2, 3],
  hex('5a40cdc0'),
  padded('ICU|BED-2', 16),
  padded('CANARY,FIRST', 15),
  [7],
  hex('000307d0 00110020 000907d0'),
  new Uint8Array(32),
);
const seconds = 1_700_000_000 + 2_208_988_800 + 60;
const time = bytesOf([1, 2, 0, 0, 0, 0, 126, 0, 0, 1], new Uint8Array(14), padded('ICU|CIC1', 13), new Uint8Array(23), [
  seconds >>> 24,
  (seconds >> 16) & 255,
  (seconds >> 8) & 255,
  seconds & 255,
]);
const UDP = { ipProto: 17, respPort: 7000 };

describe('carescape', () => {
  it('reads presence and time, and no patient', () => {
    const outcome = dissect(dissector, [{ bytes: presence }, { bytes: time }], UDP);
    expect(outcome.events).toEqual([]);
    expect(outcome.seen).toEqual([
      {
        kind: 'carescape.presence',
        fields: {
          ip: '126.1.2.3',
          sequence: 0x5a40cdc0,
          location: 'ICU|BED-2',
          patient: expectedToken('CANARY,FIRST'),
          services: 3,
          bytes: presence.length,
        },
      },
      { kind: 'carescape.time', fields: { ip: '126.0.0.1', location: 'ICU|CIC1', skew_s: 60 } },
    ]);
    expect(textsOf(outcome)).not.toContain('CANARY');
  });

  it('refuses what does not fit in every part', () => {
    const noBar = presence.slice();
    noBar[15] = 0x2d;
    for (const other of [noBar, presence.subarray(0, 40), new Uint8Array(64), new Uint8Array(88).fill(0x41)]) {
      expect(dissect(dissector, [{ bytes: other }], UDP).verdict).toBe('no');
    }
    expect(dissect(dissector, [{ bytes: presence }, { bytes: noBar }], UDP).events).toEqual(['carescape_bad_message']);
  });

  it('survives mutation', () => fuzzDissector(dissector, [presence, time], UDP));
});
