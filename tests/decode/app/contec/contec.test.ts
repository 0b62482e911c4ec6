import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/contec/index.ts';
import {
  bytesOf,
  dissect,
  expectedToken,
  expectSplitInvariant,
  fuzzDissector,
  textsOf,
} from '../../../support/dissect.ts';

// No capture of a real monitor is public: these blocks follow the published decoders of the stream.
const block = (kind: number, ...data: (string | number[] | Uint8Array)[]): Uint8Array => {
  const content = bytesOf(...data);
  const length = content.length + 2;
  return bytesOf([length & 255, length >> 8, 5, kind], content);
};
const padded = (text: string, length: number): Uint8Array => bytesOf(text.padEnd(length, '\0'));
const patient = block(
  0x3e,
  padded('CANARYWARD', 32),
  [0, 0, 12],
  padded('CANARYNAME', 32),
  padded('CANARY-NO-7', 32),
  new Uint8Array(74),
);
const stream = bytesOf(
  block(0x43),
  block(0x45, [0, 0, 12, 255]),
  patient,
  block(0x46, [0, 0, 0x14, 0], new Uint8Array(1000)),
  block(0x46, [0, 0, 0x15, 0], new Uint8Array(300)),
  block(0x47),
);

describe('contec', () => {
  it('reads the blocks, and no patient', () => {
    const outcome = dissect(dissector, [{ bytes: stream }]);
    expect(outcome.events).toEqual([]);
    expect(outcome.seen.map((one) => one.fields)).toEqual([
      { block: 'hello', bytes: 4 },
      { block: 'bed', bed: 12, bytes: 8 },
      { block: 'patient', bed: 12, patient: expectedToken('CANARY-NO-7'), bytes: patient.length },
      { block: 'telemetry', signal: 'ecg', bytes: 1008 },
      { block: 'telemetry', signal: 'spo2', bytes: 308 },
      { block: 'sync', bytes: 4 },
    ]);
    expect(textsOf(outcome)).not.toContain('CANARY');
  });

  it('gives the same at every split, and finds a block again after a loss', () => {
    expectSplitInvariant(dissector, stream, {}, 7);
    const lost = dissect(dissector, [
      { bytes: stream.subarray(0, 100) },
      { bytes: stream.subarray(900), gapBefore: true },
    ]);
    expect(lost.seen.at(-1)!.fields).toEqual({ block: 'sync', bytes: 4 });
    expect(lost.events).toContain('contec_lost');
  });

  it('refuses printing and other streams', () => {
    for (const other of ['\x02lp\n', '\x05lp root 1\n', '\x01\x00\x05\x3e', 'GET / HTTP/1.0\r\n', '\x02\x00\x05\x99']) {
      expect(dissect(dissector, [{ bytes: bytesOf(other) }]).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [stream, patient]));
});
