import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/intellivue/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { bytesOf, dissect, expectedToken, fuzzDissector, hex, textsOf } from '../../../support/dissect.ts';
import { dissectCapture, tally } from '../../../support/payloads.ts';

const be16 = (n: number): number[] => [n >> 8, n & 255];
const attribute = (id: number, ...value: (string | number[] | Uint8Array)[]): Uint8Array => {
  const content = bytesOf(...value);
  return bytesOf(be16(id), be16(content.length), content);
};
const list = (...attributes: Uint8Array[]): Uint8Array => {
  const content = bytesOf(...attributes);
  return bytesOf(be16(attributes.length), be16(content.length), content);
};
const label = (text: string): Uint8Array => bytesOf(be16(text.length), text);
const event = (type: number, ...body: Uint8Array[]): Uint8Array => {
  const content = bytesOf(...body);
  return bytesOf(hex('0021 0000 0000 00000722'), be16(type), be16(content.length), content);
};
const invoke = (command: number, body: Uint8Array): Uint8Array =>
  bytesOf([0, 1], be16(body.length + 6), [0, 9], be16(command), be16(body.length), body);
const identity = [
  attribute(0x0928, label('Philips\0'), label('M8007A\0')),
  attribute(0x092d, [0, 2, 0, 40], [0, 1, 0, 8], label('DE227130\0'), [0, 4, 0, 0x58], label('G.01.78 ')),
  attribute(0xf135, 'CANARYBED'),
];
const connect = bytesOf(
  hex('00000100'),
  invoke(
    0,
    bytesOf(
      hex('0023 0000 0000 00d6d400'),
      [0x0d, 0x17],
      [0, 90],
      list(...identity, attribute(0xf100, hex('0009fb0977bd0a0d2502ffffff00'))),
    ),
  ),
);
const SP = hex('e1000002');
const create = bytesOf(
  SP,
  invoke(
    1,
    event(
      0x0d06,
      hex('0021 0000 0000'),
      list(attribute(0x095c, 'C\0A\0N\0A\0R\0Y\0'), attribute(0xf0e1, 'CANARY-MRN'), ...identity),
    ),
  ),
);
const action = (type: number): Uint8Array =>
  bytesOf(SP, invoke(7, bytesOf(hex('0021 0000 0000 00000000'), be16(type), be16(8), hex('0001 0001 002a 0000'))));
const set = bytesOf(SP, invoke(5, bytesOf(hex('0021 0000 0000 00000000 0001 0008 0000 0001 0002 abcd'))));
const request = hex('0d0e 0508 1301 0016 0102 8000 1402 0002');
const abort = hex(
  '192e 1101 03c1 29a0 8080 3080 0201 0106 0251 0100 0000 0061 8030 8002 0101 a080 6480 8001 0100 0000 0000 0000 0000',
);
const UDP = { ipProto: 17, respPort: 24105 };

describe('intellivue', () => {
  it('reads what a monitor says it is, and no patient', () => {
    const outcome = dissect(dissector, [{ bytes: connect, multicast: true }, { bytes: create }], UDP);
    expect(outcome.events).toEqual([]);
    expect(outcome.seen[0]).toEqual({
      kind: 'intellivue.connect_indication',
      fields: {
        mac: '00:09:fb:09:77:bd',
        ip: '10.13.37.2',
        manufacturer: 'Philips',
        model: 'M8007A',
        serial: 'DE227130',
        software: 'G.01.78',
        label: expectedToken('CANARYBED'),
      },
    });
    expect(outcome.seen[2]).toMatchObject({
      kind: 'intellivue.mds_create',
      fields: { manufacturer: 'Philips', model: 'M8007A', serial: 'DE227130' },
    });
    expect(textsOf(outcome)).not.toMatch(/CANARY|C\ufffdA/);
  });

  it('reads the association and what is asked', () => {
    const { seen } = dissect(
      dissector,
      [{ bytes: request }, { bytes: action(0x0c16) }, { bytes: action(0xf13b) }, { bytes: set }, { bytes: abort }],
      UDP,
    );
    expect(seen.map((one) => one.fields['step'] ?? one.fields['operation'])).toEqual([
      'request',
      'poll',
      'poll-extended',
      'confirmed-set',
      'abort',
    ]);
    expect(seen[1]!.fields).toMatchObject({ phase: 'request', object_class: 42, is_write: 0, invoke_id: 9 });
    expect(seen[3]!.fields).toMatchObject({ is_write: 1 });
  });

  it('refuses what is not IntelliVue', () => {
    for (const other of ['0d0a0d0a', '0000010000010001', 'e1000002', '00010000'.repeat(10)]) {
      expect(dissect(dissector, [{ bytes: hex(other) }], UDP).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [connect, create, action(0x0c16), set, request, abort], UDP));
});

describeWithCaptures('intellivue on real traffic', (dir) => {
  // tshark 4.0.17 has no such dissector: its udp.payload by first bytes gives 198, 9 + 5 (2 of them in ICMP) and 5576.
  it('finds the messages of the clinical capture, and no patient', () => {
    const outcomes = dissectCapture(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'));
    const seen = outcomes.flatMap((outcome) => outcome.seen);
    const kinds: Record<string, number> = {};
    for (const one of seen) kinds[one.kind] = (kinds[one.kind] ?? 0) + 1;
    expect(kinds).toEqual({
      'intellivue.association': 12,
      'intellivue.operation': 5576,
      'intellivue.mds_create': 5,
      'intellivue.connect_indication': 198,
    });
    expect(Object.keys(tally(seen, 'intellivue.mds_create', 'model'))).toEqual([
      'IntelliVue MX750',
      'IntelliVue MX550',
      'IntelliVue MX400',
    ]);
    expect(outcomes.map(textsOf).join()).not.toContain('CANARY');
  });
});
