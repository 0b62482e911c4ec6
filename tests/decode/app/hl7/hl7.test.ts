import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/hl7/index.ts';
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

const VT = '\x0b';
const END = '\x1c\r';
const oru = [
  'MSH|^~\\&|MONITOR^1.2.3^ISO|ICU|ENGINE|HOSP|20260101||ORU^R01^ORU_R01|MSG00001|P|2.6',
  'PID|1||CANARY-MRN-77^^^HOSP^MR~OTHER||CANARYNAME^CANARYFIRST||19700101|F|||CANARYSTREET 1^^CANARYTOWN||CANARYPHONE',
  'NK1|1|CANARYKIN^X|SPO',
  'OBR|1|||VITALS',
  'OBX|1|NM|8867-4^HR^LN||72|/min|||||F',
  'OBX|2|ST|NOTE^NOTE||CANARYRESULT text|||||F',
  '',
].join('\r');
const ack = 'MSH|^~\\&|ENGINE|HOSP|MONITOR|ICU|20260101||ACK^R01|A1|P|2.6\rMSA|AE|MSG00001|CANARYTEXT\r';

describe('hl7', () => {
  it('reads a message and its acknowledgement', () => {
    const { seen, events, verdict } = dissect(dissector, [
      { bytes: bytesOf(VT, oru, END) },
      { bytes: bytesOf(VT, ack, END), direction: 1 },
    ]);
    expect(verdict).toBe('yes');
    expect(events).toEqual([]);
    expect(seen).toEqual([
      {
        kind: 'hl7.message',
        fields: {
          message_type: 'ORU',
          trigger: 'R01',
          version: '2.6',
          processing: 'P',
          sending_app: 'MONITOR',
          sending_facility: 'ICU',
          receiving_app: 'ENGINE',
          receiving_facility: 'HOSP',
          control_id: expectedToken('MSG00001'),
          values: expect.stringMatching(/^#/) as string,
          patient: expectedToken('CANARY-MRN-77'),
          segments: 6,
          results: 2,
          bytes: oru.length,
          complete: 1,
        },
      },
      {
        kind: 'hl7.ack',
        fields: {
          code: 'AE',
          control_id: expectedToken('MSG00001'),
          message_type: 'ACK',
          trigger: 'R01',
          version: '2.6',
          sending_app: 'ENGINE',
          sending_facility: 'HOSP',
          receiving_app: 'MONITOR',
          receiving_facility: 'ICU',
          segments: 2,
          bytes: ack.length,
        },
      },
    ]);
  });

  it('never lets patient data out', () => {
    const outcome = dissect(dissector, [
      { bytes: bytesOf(VT, oru, END) },
      { bytes: bytesOf(VT, ack, END), direction: 1 },
    ]);
    expect(textsOf(outcome)).not.toContain('CANARY');
  });

  it('tells altered results under the same control id, and only those', () => {
    const valuesOf = (message: string): unknown =>
      dissect(dissector, [{ bytes: bytesOf(VT, message, END) }]).seen[0]!.fields['values'];
    expect(valuesOf(oru)).toBe(valuesOf(oru.replace('20260101', '20260102').replace('MSG00001', 'MSG00002')));
    expect(valuesOf(oru)).not.toBe(valuesOf(oru.replace('||72|', '||73|')));
    expect(valuesOf(oru)).not.toBe(valuesOf(oru.replace('8867-4', '8867-5')));
  });

  it('takes the separators from the header', () => {
    const odd = oru.replaceAll('|', '$').replaceAll('^', '%').replaceAll('~', '!').replace('%!', '%!');
    const { seen } = dissect(dissector, [{ bytes: bytesOf(VT, odd, END) }]);
    expect(seen[0]!.fields).toMatchObject({ message_type: 'ORU', trigger: 'R01', sending_app: 'MONITOR', results: 2 });
    expect(seen[0]!.fields['patient']).toBe(expectedToken('CANARY-MRN-77'));
  });

  it('reads batches, several messages in a block and in a payload', () => {
    const batch = `FHS|^~\\&|A|B\rBHS|^~\\&|A|B\r${oru}${oru.replace('MSG00001', 'MSG00002')}BTS|2\rFTS|1\r`;
    const { seen, events } = dissect(dissector, [{ bytes: bytesOf(VT, batch, END, VT, oru, END) }]);
    expect(seen.map((one) => one.fields['control_id'])).toEqual(
      ['MSG00001', 'MSG00002', 'MSG00001'].map((id) => expectedToken(id)),
    );
    expect(seen.map((one) => [one.fields['segments'], one.fields['bytes']])).toEqual([
      [8, oru.length + 26],
      [6, oru.length],
      [6, oru.length],
    ]);
    expect(events).toEqual(['hl7_batch', 'hl7_batch']);
  });

  it('accepts line feeds, and messages without a frame, and says so', () => {
    const lf = dissect(dissector, [{ bytes: bytesOf(VT, oru.replaceAll('\r', '\n'), END) }]);
    expect(lf.seen[0]!.fields).toMatchObject({ segments: 6, results: 2 });
    expect(lf.events).toEqual(['hl7_lf_terminator']);
    const crlf = dissect(dissector, [{ bytes: bytesOf(VT, oru.replaceAll('\r', '\r\n'), END) }]);
    expect(crlf.seen[0]!.fields).toMatchObject({ segments: 6, results: 2 });
    const bare = dissect(dissector, [{ bytes: bytesOf(oru) }, { bytes: bytesOf(oru) }]);
    expect(bare.seen).toHaveLength(2);
    expect(bare.events).toContain('hl7_unframed');
  });

  it('streams a message larger than anything it keeps', () => {
    const big = oru.replace('CANARYRESULT text', 'A'.repeat(300_000));
    const stream = bytesOf(VT, big, END, VT, oru, END);
    const whole = dissect(dissector, [{ bytes: stream }]);
    expect(whole.seen.map((one) => one.fields['bytes'])).toEqual([big.length, oru.length]);
    const pieces = [];
    for (let at = 0; at < stream.length; at += 1448) pieces.push({ bytes: stream.subarray(at, at + 1448) });
    expect(dissect(dissector, pieces)).toEqual(whole);
  });

  it('gives the same at every split', () => {
    expectSplitInvariant(dissector, bytesOf(VT, oru, END, VT, ack, END));
    expectSplitInvariant(dissector, bytesOf(VT, oru.replaceAll('\r', '\n'), END));
  });

  it('picks up in the middle and after a loss', () => {
    const middle = dissect(dissector, [{ bytes: bytesOf('|F\rOBX|2|x\r', END, VT, oru, END) }], { midStream: true });
    expect(middle.seen).toHaveLength(1);
    const lost = dissect(dissector, [
      { bytes: bytesOf(VT, oru.slice(0, 300)) },
      { bytes: bytesOf('OBX|4|NM|x||5\r', END, VT, oru, END), gapBefore: true },
    ]);
    expect(lost.seen.map((one) => one.fields['complete'])).toEqual([0, 1]);
    expect(lost.seen[0]!.fields['values']).toBeUndefined();
    expect(lost.events).toContain('hl7_lost');
  });

  it('refuses what is not HL7', () => {
    for (const other of ['GET / HTTP/1.1\r\n', 'MSHABCDEFGHIJ', 'MSH|||||||||||', '\x0bHello world', 'SSH-2.0-x\r\n']) {
      expect(dissect(dissector, [{ bytes: bytesOf(other) }]).verdict).toBe('no');
    }
  });

  it('survives mutation', () => {
    fuzzDissector(dissector, [bytesOf(VT, oru, END), bytesOf(VT, ack, END), bytesOf(oru), bytesOf(VT, oru, VT, ack)]);
  });
});

describeWithCaptures('hl7 on real traffic', (dir) => {
  it('reads every sample message of the standards folder, framed', () => {
    const folder = join(dir, 'standards/messages/hl7v2');
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.hl7'))) {
      const message = readFileSync(join(folder, file));
      const text = message.toString('latin1');
      const { seen } = dissect(dissector, [{ bytes: bytesOf(VT, message, END) }]);
      const header = text
        .slice(text.indexOf('MSH'))
        .split(/[\r\n]/)[0]!
        .split('|');
      expect([file, seen.length]).toEqual([file, 1]);
      expect(seen[0]!.fields['message_type']).toBe(header[8]!.split('^')[0]);
      expect(seen[0]!.fields['control_id']).toBe(expectedToken(header[9]!));
      expect(seen[0]!.fields['results']).toBe(text.split(/[\r\n]+/).filter((line) => line.startsWith('OBX')).length);
    }
  });

  // tshark 4.0.17: -Y 'tcp.payload[0:4]==0b:4d:53:48' counts 1236 (-Y hl7 knows port 2575 only: 1208).
  it('finds the messages that tshark finds in the clinical capture, and no patient', () => {
    const outcomes = dissectCapture(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'));
    const seen = outcomes.flatMap((outcome) => outcome.seen);
    expect(seen.length).toBe(1236);
    expect(tally(seen, 'hl7.ack', 'code')).toEqual({ AA: 618 });
    expect(outcomes.flatMap((outcome) => outcome.events)).toEqual([]);
    const truth = JSON.parse(readFileSync(join(dir, 'clinical/A-benign-learn.truth.json'), 'utf8')) as {
      phi_canaries: string[];
    };
    const texts = outcomes.map(textsOf).join('\n');
    for (const canary of truth.phi_canaries) expect(texts).not.toContain(canary);
  });

  it('sees the replayed messages of the attack as repeated control ids', () => {
    const seen = dissectCapture(dissector, join(dir, 'clinical/C-hl7_replay.pcap.gz')).flatMap((one) => one.seen);
    const ids = tally(seen, 'hl7.message', 'control_id');
    expect(Object.values(ids).some((n) => n > 1)).toBe(true);
  });
});
