import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { buildHotPath } from '../../src/app/build.ts';
import { loadConfig } from '../../src/config/index.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { loadKnowledge } from '../../src/identity/load.ts';
import { createFileSource } from '../../src/sources/index.ts';

/** How often each thing passed is known from how the captures were made: see tests/fixtures/protocols/make.py. */
const EXPECTED: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  dicom: {
    'dicom.association': 4,
    'dicom.accept': 3,
    'dicom.reject': 1,
    'dicom.abort': 1,
    'C-ECHO-RQ': 1,
    // One sent, one by the move, one by the get.
    'C-STORE-RQ': 3,
    'C-FIND-RQ': 1,
    'C-MOVE-RQ': 1,
    'C-GET-RQ': 1,
  },
  hl7: { 'hl7.message': 4, 'hl7.ack': 4 },
  modbus: { 'modbus.request': 8, 'modbus.response': 8 },
  bacnet: { readProperty: 2, writeProperty: 2 },
  tftp: { 'tftp.request': 2, 'tftp.error': 1 },
  sdc: { GetMdib: 1, SetValue: 1 },
};

const knowledge = loadKnowledge(loadClasses());
const WORDS = ['command', 'service', 'message'] as const;

it.each(Object.keys(EXPECTED))('reads what another implementation of %s says, and no patient', async (name) => {
  const file = fileURLToPath(new URL(`../fixtures/protocols/${name}.pcap`, import.meta.url));
  const counts: Record<string, number> = {};
  const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1);
  let written = '';
  const { hotPath } = await buildHotPath({
    config: loadConfig({ env: {} }).config,
    seed: 1,
    stage: 'all',
    knowledge,
    productVersion: '',
    output: {
      observation: (row) => {
        const fields = row as unknown as Record<string, unknown>;
        written += JSON.stringify(row);
        // An answer names the service of its request: requests are counted.
        if (fields['pdu'] !== undefined && fields['pdu'] !== 'confirmed-request') return;
        count(row.kind);
        for (const word of WORDS) if (typeof fields[word] === 'string') count(fields[word]);
      },
      alert: (row) => (written += JSON.stringify(row)),
      device: (row) => (written += JSON.stringify(row)),
    },
  });
  for await (const batch of createFileSource(file).batches()) hotPath.process(batch);
  hotPath.finish();
  expect(counts).toMatchObject(EXPECTED[name]!);
  expect(hotPath.counters().appEvents).toEqual({});
  const patient = /CANARY[-^]\w+/g;
  if (name === 'dicom' || name === 'hl7') expect(readFileSync(file).toString('latin1')).toMatch(patient);
  expect(written).not.toMatch(patient);
});
