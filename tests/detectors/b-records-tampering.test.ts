import { beforeEach, expect, it } from 'vitest';
import recordsTampering from '../../detectors/records-tampering/index.ts';
import { DetectorBench } from '../support/messages.ts';
import type { Host } from '../support/messages.ts';

let bench: DetectorBench;
let engine: Host;
let registration: Host;
let lab: Host;
let workstation: Host;

const adt = (from: Host, trigger: string): void =>
  bench.say('hl7.message', from, engine, { message_type: 'ADT', trigger, complete: 1 });
const oru = (from: Host): void => bench.say('hl7.message', from, engine, { message_type: 'ORU', trigger: 'R01' });
const ack = (to: Host, code: string): void => bench.say('hl7.ack', engine, to, { code });

beforeEach(() => {
  bench = new DetectorBench(recordsTampering);
  engine = bench.host('engine', 'integration-engine');
  registration = bench.host('adt', 'ehr');
  lab = bench.host('lis', 'lis');
  workstation = bench.host('ws', 'workstation');
  for (let i = 0; i < 20; i++) {
    adt(registration, 'A08');
    if (i % 5 === 0) adt(registration, 'A40');
    oru(lab);
    ack(lab, i % 7 === 0 ? 'AE' : 'AA');
    bench.wait(20);
  }
  bench.endLearning();
  adt(registration, 'A40');
  oru(lab);
  expect(bench.findings).toEqual([]);
});

it('reports a burst of merges and deletions of a sender that does it now and then', () => {
  for (let i = 0; i < 13; i++) adt(registration, 'A40');
  expect(bench.findings).toEqual([]);
  adt(registration, 'A40');
  expect(bench.findings[0]).toMatchObject({ severity: 3, title: 'Patient records deleted or merged in bulk' });
  expect(bench.findings[0]!.sentence).toBe(
    'adt sent 15 messages that delete, cancel or merge records (ADT^A40) to engine within a minute.',
  );
});

it('does not mind the same number over a day', () => {
  for (let i = 0; i < 60; i++) {
    adt(registration, 'A40');
    bench.wait(60);
  }
  expect(bench.findings).toEqual([]);
});

it('reports one deletion by a host that never spoke to the receiver', () => {
  adt(workstation, 'A29');
  expect(bench.findings[0]).toMatchObject({ severity: 3, device: { hostname: 'ws' } });
  expect(bench.findings[0]!.sentence).toContain('it never sent HL7 to engine before');
});

it('is low about a kind of change that is new for a known sender', () => {
  adt(lab, 'A23');
  expect(bench.severities()).toEqual([2]);
});

it('is low about a burst of refusals, silent while they are few', () => {
  for (let i = 0; i < 30; i++) {
    oru(lab);
    ack(lab, i % 3 === 0 ? 'AE' : 'AA');
  }
  expect(bench.findings).toEqual([]);
  bench.wait(70);
  for (let i = 0; i < 30; i++) ack(lab, 'AR');
  expect(bench.severities()).toEqual([2]);
  expect(bench.seen()[0]!.sentence).toContain('engine refused 30 of 30 HL7 messages of lis');
});
