import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import hl7Spoofing from '../../detectors/hl7-spoofing/index.ts';
import { DetectorBench } from '../support/messages.ts';
import type { Host } from '../support/messages.ts';

let bench: DetectorBench;
let engine: Host;
let ehr: Host;
let monitor: Host;
let second: Host;
let workstation: Host;
let counter: number;

const result = (control: number, values: number, more: Record<string, string | number> = {}) => ({
  message_type: 'ORU',
  trigger: 'R01',
  sending_app: 'MON',
  sending_facility: 'BED-1',
  control_id: control,
  values,
  patient: 77,
  complete: 1,
  ...more,
});

function normal(times: number): void {
  for (let i = 0; i < times; i++) {
    counter++;
    bench.say('hl7.message', monitor, engine, result(counter, 5000 + counter));
    bench.say('hl7.ack', engine, monitor, { code: 'AA', control_id: counter });
    bench.say(
      'hl7.message',
      second,
      engine,
      result(counter, 9000 + counter, { sending_facility: 'BED-2', patient: 78 }),
    );
    bench.wait(5);
  }
}

beforeEach(() => {
  bench = new DetectorBench(hl7Spoofing);
  engine = bench.host('engine', 'integration-engine');
  ehr = bench.host('ehr', 'ehr');
  monitor = bench.host('monitor', 'patient-monitor');
  second = bench.host('monitor-2', 'patient-monitor');
  workstation = bench.host('ws', 'workstation');
  counter = 1000;
  normal(20);
  bench.endLearning();
  normal(3);
  expect(bench.failures).toEqual([]);
  expect(bench.findings).toEqual([]);
});

describe('the same control id from another host', () => {
  it('with other values is an altered result', () => {
    bench.say('hl7.message', workstation, engine, result(counter, 1));
    const finding = bench.findings[0]!;
    expect(finding).toMatchObject({
      severity: 3,
      device: { hostname: 'ws' },
      title: 'HL7 messages replayed with altered values',
    });
    expect(finding.sentence).toBe(
      'ws sent 1 HL7 message to engine whose control ids monitor (MON at BED-1) had already used, with other values, about 1 patient.',
    );
    expect(finding.evidence.map((e) => [e.src.device?.hostname, e.dst?.device?.hostname])).toEqual([
      ['ws', 'engine'],
      ['monitor', 'engine'],
    ]);
  });

  it('with the same values is a replay where the first was acknowledged', () => {
    bench.say('hl7.message', workstation, engine, result(counter, 5000 + counter));
    expect(bench.findings[0]).toMatchObject({ severity: 3, title: 'HL7 messages replayed' });
  });

  it('is a message passed on where that host had received it', () => {
    bench.say('hl7.message', engine, ehr, result(counter, 5000 + counter));
    bench.say('hl7.message', engine, ehr, result(counter - 1, 12));
    expect(bench.findings.filter((f) => f.severity >= 3)).toEqual([]);
  });

  it('is chance where the name is shared by devices with counters of their own', () => {
    const b = new DetectorBench(hl7Spoofing);
    const [to, a, c] = [b.host('engine'), b.host('pump-1'), b.host('pump-2')];
    const shared = (control: number, values: number, patient: number) =>
      result(control, values, { sending_app: 'PUMP', sending_facility: 'ICU', patient });
    for (let i = 0; i < 20; i++) {
      b.say('hl7.message', a, to, shared(i, i, 1));
      b.say('hl7.message', c, to, shared(i, i + 100, 2));
    }
    b.endLearning();
    for (let i = 20; i < 60; i++) {
      b.say('hl7.message', a, to, shared(i, i, 1));
      b.say('hl7.message', c, to, shared(i, i + 100, 1));
    }
    expect(b.findings).toEqual([]);
  });

  it('after the memory has passed is a new message', () => {
    const old = counter - 2;
    bench.wait(3601);
    bench.say('hl7.message', workstation, engine, result(old, 1));
    expect(bench.seen().map((s) => s.subject.split(' ')[0])).not.toContain('replay');
  });
});

describe('the same sender', () => {
  it('may send the same again', () => {
    for (let i = 0; i < 5; i++) bench.say('hl7.message', monitor, engine, result(counter, 5000 + counter));
    expect(bench.findings).toEqual([]);
  });

  it('may start its counter again', () => {
    for (let i = 1001; i < 1020; i++) bench.say('hl7.message', monitor, engine, result(i, 70_000 + i));
    expect(bench.findings).toEqual([]);
  });

  it('that changes one result under its old number is reported', () => {
    bench.say('hl7.message', monitor, engine, result(counter - 1, 4));
    expect(bench.findings).toEqual([]);
    normal(1);
    expect(bench.findings[0]).toMatchObject({ severity: 3, title: 'HL7 result sent again with other values' });
  });
});

describe('names', () => {
  it('used by another host while their owner is alive are impersonation', () => {
    bench.say('hl7.message', workstation, engine, result(5, 5));
    expect(bench.seen()).toMatchObject([{ severity: 2 }]);
    const other = new DetectorBench(hl7Spoofing);
    const [to, from, thief] = [other.host('engine'), other.host('monitor'), other.host('ws')];
    Object.defineProperty(thief.device, 'mac', { value: '04:00:00:00:00:09' });
    for (let i = 0; i < 9; i++) other.say('hl7.message', from, to, result(i, i));
    other.endLearning();
    other.say('hl7.message', thief, to, result(100, 5));
    expect(other.seen()).toMatchObject([{ severity: 3 }]);
    expect(other.seen()[0]!.sentence).toContain(
      'a name under which only monitor was learned to send; monitor still does',
    );
  });

  it('that move to another host after long silence are low', () => {
    const b = new DetectorBench(hl7Spoofing);
    const [to, from, heir] = [b.host('engine'), b.host('monitor'), b.host('monitor-new')];
    Object.defineProperty(heir.device, 'mac', { value: '04:00:00:00:00:09' });
    for (let i = 0; i < 9; i++) b.say('hl7.message', from, to, result(i, i));
    b.endLearning();
    b.wait(700);
    b.say('hl7.message', heir, to, result(100, 5));
    expect(b.severities()).toEqual([2]);
  });
});

describe('paths', () => {
  it('to a new receiver are low, to the internet an attack', () => {
    bench.say('hl7.message', monitor, ehr, result(counter + 1, 5));
    expect(bench.severities()).toEqual([2]);
    bench.say('hl7.message', monitor, bench.remote('203.0.113.5', true), result(counter + 2, 5));
    expect(bench.severities()).toEqual([2, 3]);
    expect(bench.findings[1]!.techniques.map((t) => t.id)).toEqual(['T1048', 'T0882']);
  });

  it('of a new device are low', () => {
    const fresh = bench.host('monitor-3', 'patient-monitor');
    bench.say('hl7.message', fresh, engine, result(1, 1, { sending_facility: 'BED-3' }));
    expect(bench.severities()).toEqual([2]);
  });
});

describe('a feed that crosses the router and is seen in both networks', () => {
  const cross = (b: DetectorBench, from: Host, to: Host, fields: Record<string, string | number>) => {
    const far = (host: Host): Host => ({ device: undefined, ip: host.ip, isRemote: true, isPublic: false });
    b.say('hl7.message', from, far(to), fields, { ...b.flow(from, far(to), { port: 2575 }), vlan: '102' });
    b.say('hl7.message', far(from), to, fields, { ...b.flow(far(from), to, { port: 2575 }), vlan: '100' });
  };
  let b: DetectorBench;
  let to: Host;
  let from: Host;
  let thief: Host & { readonly device: object };

  beforeEach(() => {
    b = new DetectorBench(hl7Spoofing);
    [to, from, thief] = [b.host('engine', 'integration-engine'), b.host('monitor', 'patient-monitor'), b.host('ws')];
    Object.defineProperty(thief.device, 'mac', { value: '04:00:00:00:00:09' });
    for (let i = 0; i < 20; i++) cross(b, from, to, result(i, i));
    b.endLearning();
    b.wait(1000);
    for (let i = 20; i < 40; i++) cross(b, from, to, result(i, i));
  });

  it('has one sender', () => {
    b.wait(1000);
    // The feed is opened anew and the first copy that is seen is that of the other network.
    const far: Host = { device: undefined, ip: from.ip, isRemote: true, isPublic: false };
    b.say('hl7.message', far, to, result(40, 40), { ...b.flow(far, to, { port: 2575 }), vlan: '100' });
    for (let i = 41; i < 60; i++) cross(b, from, to, result(i, i));
    expect(b.findings).toEqual([]);
    expect(b.failures).toEqual([]);
  });

  it('is found forged, the message counted once, when another host speaks in its name', () => {
    cross(b, thief, to, result(39, 1));
    expect(b.findings).toMatchObject([
      { severity: 3, device: { hostname: 'ws' }, title: 'HL7 messages replayed with altered values' },
      { severity: 3, device: { hostname: 'ws' }, title: 'A host sends HL7 in the name of another device' },
    ]);
  });

  it('is found forged by a host of its own network that uses its address', () => {
    const same: Host = { ...thief, ip: from.ip };
    cross(b, same, to, result(39, 1));
    expect(b.severities()).toContain(3);
  });

  it('is told of a new sender in the network of the receiver', () => {
    const fresh = b.host('monitor-3', 'patient-monitor', false);
    cross(b, fresh, to, result(1, 1, { sending_facility: 'BED-3' }));
    expect(b.severities()).toEqual([2]);
  });
});

it('stays bounded and whole under any messages', () => {
  const field = fc.record({
    sending_app: fc.constantFrom('', 'A', 'B'),
    sending_facility: fc.constantFrom('', 'X'),
    control_id: fc.integer({ min: 0, max: 6 }),
    values: fc.integer({ min: 0, max: 3 }),
    patient: fc.integer({ min: 0, max: 2 }),
    complete: fc.constantFrom(0, 1),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(3), fc.boolean(), field), { maxLength: 80 }), (messages) => {
      const b = new DetectorBench(hl7Spoofing, { memory_messages: 256 });
      const hosts = [b.host('a'), b.host('b'), b.remote('10.9.9.9'), b.remote('203.0.113.1', true)];
      for (const [from, to, ack, fields] of messages) {
        if (from === to) continue;
        b.say(ack ? 'hl7.ack' : 'hl7.message', hosts[from]!, hosts[to]!, { code: 'AA', ...fields });
        if (fields.values === 3) b.endLearning();
      }
      expect(b.failures).toEqual([]);
    }),
    { seed: 11, numRuns: 200 },
  );
});

it('keeps the names it has learned when somebody makes up thousands', () => {
  for (let i = 0; i < 6000; i++) bench.say('hl7.message', workstation, engine, result(i, i, { sending_app: `X${i}` }));
  const quiet = bench.findings.length;
  bench.say('hl7.message', workstation, engine, result(counter, 1));
  expect(bench.findings.slice(quiet).map((f) => f.title)).toContain('HL7 messages replayed with altered values');
  expect(bench.failures).toEqual([]);
});
