import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/poct1a/index.ts';
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

const header = (id: number): string => `<HDR><HDR.control_id V="${id}"/><HDR.version_id V="POCT1"/></HDR>`;
const hel = `<?xml version="1.0"?>\n<HEL.R01>${header(1)}<DEV><DEV.device_id V="0040AA"/><DEV.vendor_id V='Roche'/><DEV.model_id V="Inform II"/><DEV.serial_id V="S1"/><DEV.sw_version V="4.0"/></DEV></HEL.R01>\n`;
const obs = `<OBS.R01>${header(2)}<SVC><PT><PT.patient_id V="CANARY-MRN-1"/><PT.name V="CANARYNAME"/><OBS><OBS.observation_id V="2345-7"/><OBS.value V="131" U="mg/dL"/></OBS></PT><OPR><OPR.operator_id V="CANARYNURSE"/></OPR></SVC></OBS.R01>`;
const dtv = `<DTV.R01>${header(3)}<DTV><DTV.command_cd V="LOCK"/></DTV></DTV.R01>`;
const ack = `<ACK.R01>${header(1)}<ACK><ACK.type_cd V="AE"/><ACK.ack_control_id V="2"/><ACK.note_txt V="CANARYNOTE"/></ACK></ACK.R01>`;
const stream = bytesOf(hel, obs, dtv);

describe('poct1a', () => {
  it('reads who the device is, what it sends and what it is told, and no patient', () => {
    const outcome = dissect(dissector, [{ bytes: stream }, { bytes: bytesOf(ack), direction: 1 }]);
    expect(outcome.events).toEqual([]);
    expect(outcome.seen.map((one) => one.kind)).toEqual([
      'poct1a.device',
      ...new Array<string>(4).fill('poct1a.message'),
    ]);
    expect(outcome.seen[0]!.fields).toEqual({
      device_id: '0040AA',
      vendor: 'Roche',
      model: 'Inform II',
      serial: 'S1',
      software: '4.0',
    });
    expect(outcome.seen[2]!.fields).toMatchObject({
      message_type: 'OBS',
      control_id: expectedToken('2'),
      patient: expectedToken('CANARY-MRN-1'),
      observations: 1,
      patients: 1,
      is_write: 0,
      bytes: obs.length,
    });
    expect(outcome.seen[3]!.fields).toMatchObject({ message_type: 'DTV', command: 'LOCK', is_write: 1 });
    expect(outcome.seen[4]!.fields).toMatchObject({
      message_type: 'ACK',
      ack_code: 'AE',
      acknowledges: expectedToken('2'),
    });
    expect(textsOf(outcome)).not.toContain('CANARY');
  });

  it('tells altered results', () => {
    const values = (text: string): unknown => dissect(dissector, [{ bytes: bytesOf(text) }]).seen[0]!.fields['values'];
    expect(values(obs)).toBe(values(obs.replace('CANARYNAME', 'X')));
    expect(values(obs)).not.toBe(values(obs.replace('131', '132')));
  });

  it('gives the same at every split, and survives a loss', () => {
    expectSplitInvariant(dissector, stream);
    const lost = dissect(dissector, [
      { bytes: stream.subarray(0, 500) },
      { bytes: bytesOf('.x V="1"/></OBS.R01>', dtv), gapBefore: true },
    ]);
    expect(lost.seen.map((one) => one.fields['complete'])).toContain(0);
    expect(lost.seen.at(-1)!.fields).toMatchObject({ message_type: 'DTV', complete: 1 });
  });

  it('refuses what is not POCT1-A', () => {
    for (const other of ['<html><body>', '<?xml version="1.0"?><soap:Envelope>', 'HELLO', '<HELP.R01>', '<abc.R01>']) {
      expect(dissect(dissector, [{ bytes: bytesOf(other) }]).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [stream, bytesOf(ack)]));
});

describeWithCaptures('poct1a on real traffic', (dir) => {
  // tshark 4.0.17: -Y 'tcp.port==3001 && tcp.payload contains "<HEL.R01>"' and so on: 35 of each type, 140 ACK.
  it('finds the messages of the clinical capture, and no patient', () => {
    const outcomes = dissectCapture(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'));
    const seen = outcomes.flatMap((outcome) => outcome.seen);
    expect(tally(seen, 'poct1a.message', 'message_type')).toEqual({ HEL: 35, ACK: 140, DST: 35, OBS: 35, EOT: 35 });
    expect(outcomes.flatMap((outcome) => outcome.events)).toEqual([]);
    expect(outcomes.map(textsOf).join()).not.toContain('CANARY');
  });
});
