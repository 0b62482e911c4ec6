import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dissector } from '../../../../src/decode/app/bacnet/index.ts';
import { describeWithCaptures } from '../../../support/captures.ts';
import { dissect, fuzzDissector, hex } from '../../../support/dissect.ts';
import { seenIn } from '../../../support/payloads.ts';

const UDP = { ipProto: 17, respPort: 47808 };
const whoIs = hex('810b000c 0120ffff00ff 1008');
const iAm = hex('810b0014 0100 1000 c4020004d2 2201e0 9103 2118'.replace(' 1000', '10 00'));
const write = hex('810a001a 0104 0005 01 0f 0c00800001 1955 3e 4441200000 3f 4908'.replace(' 01 0f', '010f'));
const error = hex('810a000d 0100 50 01 0f 9101 9128');
const foreign = hex('81050006 003c');

describe('bacnet', () => {
  it('reads discovery, writes, errors and control', () => {
    const { seen, events } = dissect(
      dissector,
      [whoIs, iAm, write, error, foreign].map((bytes) => ({ bytes })),
      UDP,
    );
    expect(events).toEqual([]);
    expect(seen.map((one) => one.fields)).toEqual([
      { pdu: 'unconfirmed-request', service: 'whoIs', service_choice: 8, is_write: 0, bvlc_function: 11 },
      {
        pdu: 'unconfirmed-request',
        service: 'iAm',
        service_choice: 0,
        is_write: 0,
        object_type: 8,
        device_instance: 1234,
        max_apdu: 480,
        vendor_id: 24,
        bvlc_function: 11,
      },
      {
        pdu: 'confirmed-request',
        service: 'writeProperty',
        service_choice: 15,
        invoke_id: 1,
        is_write: 1,
        object_type: 2,
        instance: 1,
        property: 85,
        bvlc_function: 10,
      },
      {
        pdu: 'error',
        service: 'writeProperty',
        service_choice: 15,
        invoke_id: 1,
        is_write: 0,
        error_class: 1,
        error_code: 40,
        bvlc_function: 10,
      },
      { bvlc_function: 5, is_write: 1 },
    ]);
  });

  it('refuses what is not BACnet', () => {
    for (const other of ['810b0010 0120ffff00ff 1008', '820b000c 0120ffff00ff 1008', '810a0006 0200']) {
      expect(dissect(dissector, [{ bytes: hex(other) }], UDP).verdict).toBe('no');
    }
  });

  it('survives mutation', () => fuzzDissector(dissector, [whoIs, iAm, write, error, foreign], UDP));
});

describeWithCaptures('bacnet on real traffic', (dir) => {
  // The log that another analyzer (ICSNPP for Zeek) wrote of the same capture: one line an APDU.
  it('agrees with the logs of another analyzer', () => {
    const folder = join(dir, 'protocols/bacnet');
    const log = readFileSync(join(folder, 'bacnet_error_reject_abort.zeek-logs/bacnet.log'), 'utf8');
    const lines = log.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    expect(seenIn(dissector, join(folder, 'bacnet_error_reject_abort.pcap'))).toHaveLength(lines);
  });

  // tshark 4.0.17: -Y 'bacapp && !icmp' counts 1381.
  it('finds the messages that tshark finds in the clinical capture', () => {
    expect(seenIn(dissector, join(dir, 'clinical/A-benign-learn.pcap.gz'))).toHaveLength(1381);
  });
});
