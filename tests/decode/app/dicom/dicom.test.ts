import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/dicom/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import {
  bytesOf,
  dissect,
  expectedToken,
  expectSplitInvariant,
  fuzzDissector,
  textsOf,
} from '../../../support/dissect.ts';
import { dissectCapture, tally } from '../../../support/payloads.ts';

const be16 = (n: number): number[] => [n >> 8, n & 255];
const be32 = (n: number): number[] => [n >>> 24, (n >> 16) & 255, (n >> 8) & 255, n & 255];
const item = (type: number, ...body: (string | Uint8Array | number[])[]): Uint8Array => {
  const content = bytesOf(...body);
  return bytesOf([type, 0], be16(content.length), content);
};
const pdu = (type: number, ...body: (string | Uint8Array | number[])[]): Uint8Array => {
  const content = bytesOf(...body);
  return bytesOf([type, 0], be32(content.length), content);
};
const ae = (name: string): string => name.padEnd(16, ' ');
const CT = '1.2.840.10008.5.1.4.1.1.2';
const user = item(
  0x50,
  item(0x51, be32(16384)),
  item(0x52, '1.2.3.4.5\0'),
  item(0x55, 'SCU_1.0'),
  item(0x58, [2, 0, 0, 0, 0, 0]),
);
const rq = pdu(
  1,
  [0, 1, 0, 0],
  ae('PACS'),
  ae('CT1'),
  new Uint8Array(32),
  item(0x10, '1.2.840.10008.3.1.1.1'),
  item(0x20, [1, 0, 0, 0], item(0x30, CT), item(0x40, '1.2.840.10008.1.2')),
  item(0x20, [3, 0, 0, 0], item(0x30, '1.2.840.10008.1.1'), item(0x40, '1.2.840.10008.1.2')),
  user,
);
const ac = pdu(
  2,
  [0, 1, 0, 0],
  ae('PACS'),
  ae('CT1'),
  new Uint8Array(32),
  item(0x10, '1.2.840.10008.3.1.1.1'),
  item(0x21, [1, 0, 0, 0], item(0x40, '1.2.840.10008.1.2')),
  item(0x21, [3, 0, 4, 0], item(0x40, '1.2.840.10008.1.2')),
  user,
);
const element = (tag: number, ...body: (string | number[])[]): Uint8Array => {
  const value = bytesOf(...body);
  return bytesOf([0, 0, tag & 255, tag >> 8, value.length, 0, 0, 0], value);
};
const pdv = (context: number, control: number, body: Uint8Array): Uint8Array =>
  bytesOf(be32(body.length + 2), [context, control], body);
const store = bytesOf(
  element(0, [0, 0, 0, 0]),
  element(0x0002, `${CT}\0`),
  element(0x0100, [1, 0]),
  element(0x0110, [7, 0]),
  element(0x0700, [0, 0]),
  element(0x0800, [0, 0]),
  element(0x1000, '1.2.9.9\0'),
);
const moving = bytesOf(
  element(0, [0, 0, 0, 0]),
  element(0x0002, '1.2.840.10008.5.1.4.1.2.2.2'),
  element(0x0100, [0x21, 0]),
  element(0x0110, [8, 0]),
  element(0x0600, 'ROGUE '),
  element(0x0800, [0, 0]),
);
const patient = bytesOf(
  '\x10\0\x10\0PN\x10\0CANARY^PATIENT  \x10\0\x20\0LO\x0c\0CANARY-MRN-1',
  new Uint8Array(30_000).fill(7),
);
const release = pdu(5, [0, 0, 0, 0]);
const stream = bytesOf(
  rq,
  pdu(4, pdv(1, 3, store)),
  pdu(4, pdv(1, 0, patient)),
  pdu(4, pdv(1, 2, patient.subarray(0, 400)), pdv(1, 3, moving)),
  release,
);

describe('dicom', () => {
  it('reads an association with its commands, and no patient', () => {
    const outcome = dissect(dissector, [{ bytes: stream }, { bytes: bytesOf(ac, pdu(6, [0, 0, 0, 0])), direction: 1 }]);
    expect(outcome.events).toEqual([]);
    expect(outcome.seen).toEqual([
      {
        kind: 'dicom.association',
        fields: {
          called_ae: 'PACS',
          calling_ae: 'CT1',
          implementation_uid: '1.2.3.4.5',
          implementation_version: 'SCU_1.0',
          abstract_syntaxes: 'CTImageStorage Verification',
          contexts: 2,
          max_pdu: 16384,
          user_identity: 2,
        },
      },
      {
        kind: 'dicom.command',
        fields: {
          command: 'C-STORE-RQ',
          sop_class: 'CTImageStorage',
          instance: expectedToken('1.2.9.9'),
          message_id: 7,
          dataset: 1,
          context_id: 1,
        },
      },
      {
        kind: 'dicom.command',
        fields: {
          command: 'C-MOVE-RQ',
          sop_class: 'StudyRootQueryRetrieveMove',
          move_destination: 'ROGUE',
          message_id: 8,
          dataset: 1,
          context_id: 1,
        },
      },
      { kind: 'dicom.release', fields: { response: 0 } },
      {
        kind: 'dicom.accept',
        fields: {
          called_ae: 'PACS',
          calling_ae: 'CT1',
          implementation_uid: '1.2.3.4.5',
          implementation_version: 'SCU_1.0',
          transfer_syntax: 'ImplicitVRLittleEndian',
          contexts: 2,
          accepted: 1,
          max_pdu: 16384,
        },
      },
      { kind: 'dicom.release', fields: { response: 1 } },
    ]);
    expect(textsOf(outcome)).not.toContain('CANARY');
  });

  it('reads rejects and aborts', () => {
    const { seen } = dissect(dissector, [
      { bytes: rq },
      { bytes: bytesOf(pdu(3, [0, 1, 1, 7]), pdu(7, [0, 0, 2, 1])), direction: 1 },
    ]);
    expect(seen.slice(1)).toEqual([
      { kind: 'dicom.reject', fields: { result: 1, source: 1, reason: 7 } },
      { kind: 'dicom.abort', fields: { source: 2, reason: 1 } },
    ]);
  });

  it('joins a command in several fragments', () => {
    const cut = bytesOf(rq, pdu(4, pdv(1, 1, store.subarray(0, 20))), pdu(4, pdv(1, 3, store.subarray(20))));
    expect(dissect(dissector, [{ bytes: cut }]).seen[1]!.fields).toMatchObject({
      command: 'C-STORE-RQ',
      message_id: 7,
    });
  });

  it('gives the same at every split', () => {
    const short = bytesOf(rq, pdu(4, pdv(1, 3, store)), pdu(4, pdv(1, 2, patient.subarray(0, 200))), release);
    expectSplitInvariant(dissector, short);
  });

  it('picks up in the middle and after a loss', () => {
    const middle = dissect(dissector, [{ bytes: bytesOf(pdu(4, pdv(1, 3, moving)), release) }], { midStream: true });
    expect(middle.seen.map((one) => one.kind)).toEqual(['dicom.command', 'dicom.release']);
    const lost = dissect(dissector, [
      { bytes: stream.subarray(0, 2000) },
      { bytes: stream.subarray(20_000), gapBefore: true },
    ]);
    expect(lost.seen.map((one) => one.kind)).toContain('dicom.release');
    expect(lost.events).toContain('dicom_lost');
  });

  it('refuses what is not DICOM', () => {
    for (const other of [
      'GET / HTTP/1.1\r\n',
      '\x01\0\0\0\0\x10abcdef',
      '\x04\0\0\0\0\x05',
      '\x05\0\0\0\0\x04\x01\0\0\0',
    ]) {
      expect(dissect(dissector, [{ bytes: bytesOf(other) }]).verdict).toBe('no');
    }
  });

  it('survives mutation', () => {
    fuzzDissector(dissector, [bytesOf(rq, pdu(4, pdv(1, 3, store))), ac, pdu(4, pdv(1, 3, moving)), release]);
  });
});

describeWithCaptures('dicom on real traffic', (dir) => {
  // tshark 4.0.17: -Y dicom -T fields -e dicom.pdu.type: 162 of each of types 1, 2, 5 and 6.
  it('finds the PDUs that tshark finds in the clinical capture, and no patient', () => {
    const outcomes = dissectCapture(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'));
    const seen = outcomes.flatMap((outcome) => outcome.seen);
    const kinds: Record<string, number> = {};
    for (const one of seen) kinds[one.kind] = (kinds[one.kind] ?? 0) + 1;
    expect(outcomes.flatMap((outcome) => outcome.events)).toEqual([]);
    expect(kinds).toMatchObject({ 'dicom.association': 162, 'dicom.accept': 162, 'dicom.release': 324 });
    // The info column of tshark counts a command apart from its data set: 47, 47, 70 (and 70), 134 (and 16), 134.
    expect(tally(seen, 'dicom.command', 'command')).toEqual({
      'C-ECHO-RQ': 47,
      'C-ECHO-RSP': 47,
      'C-FIND-RQ': 70,
      'C-FIND-RSP': 244,
      'C-STORE-RQ': 134,
      'C-STORE-RSP': 134,
    });
    expect(tally(seen, 'dicom.association', 'calling_ae')).toEqual({
      DRXEVO1: 41,
      CT_SOMATOM1: 54,
      XPORTE1: 43,
      WS_PHYS2: 24,
    });
    const truth = JSON.parse(readFileSync(join(dir, 'clinical/A-benign-learn.truth.json'), 'utf8')) as {
      phi_canaries: string[];
    };
    const texts = outcomes.map(textsOf).join('\n');
    for (const canary of truth.phi_canaries) expect(texts).not.toContain(canary);
  });
});
