import { beforeEach, describe, expect, it } from 'vitest';
import rogueController from '../../detectors/rogue-controller/index.ts';
import { DetectorBench } from '../support/messages.ts';
import type { Host } from '../support/messages.ts';

const write = { function: 'write-single-coil', function_code: 5, is_write: 1 };
const read = { function: 'read-holding-registers', function_code: 3, is_write: 0 };

let bench: DetectorBench;
let plc: Host;
let secondPlc: Host;
let master: Host;
let workstation: Host;

beforeEach(() => {
  bench = new DetectorBench(rogueController);
  plc = bench.host('gas-panel', 'medical-gas-panel');
  secondPlc = bench.host('gas-panel-2', 'medical-gas-panel');
  master = bench.host('bms', 'bms-server');
  workstation = bench.host('ws', 'workstation');
  for (let i = 0; i < 5; i++) {
    bench.say('modbus.request', master, plc, read);
    bench.say('modbus.request', master, plc, write);
    bench.say('modbus.request', master, secondPlc, read);
  }
  expect(bench.findings).toEqual([]);
  bench.endLearning();
});

describe('writes', () => {
  it('of a host that never wrote are an attack at the first write', () => {
    bench.say('modbus.request', workstation, plc, write);
    const finding = bench.findings[0]!;
    expect(finding).toMatchObject({ severity: 3, device: { hostname: 'ws' } });
    expect(finding.techniques.map((t) => t.id)).toEqual(['T0855', 'T0848']);
    expect(finding.sentence).toBe(
      'ws sent 1 Modbus write command (write-single-coil) to gas-panel; until now only bms did this.',
    );
    expect(finding.anomalies[0]).toMatchObject({ expected: 'bms', seen: 'ws', pattern: 'NEW' });
    expect(finding.caution?.[0]).toContain('Do not cut gas-panel off');
  });

  it('go on in the same subject, with their number and what came of them', () => {
    for (let i = 0; i < 30; i++) {
      bench.say('modbus.request', workstation, plc, write);
      bench.say('modbus.response', plc, workstation, { function_code: 5 });
      bench.wait(1);
    }
    expect(bench.seen()).toHaveLength(1);
    expect(bench.findings.length).toBeLessThan(8);
    expect(bench.seen()[0]!.sentence).toContain('sent 27 Modbus write commands');
    expect(bench.seen()[0]!.sentence).toContain('gas-panel carried out 26 of them');
  });

  it('that were refused are still an attack, and it is said', () => {
    for (let i = 0; i < 3; i++) {
      bench.say('modbus.request', workstation, plc, write);
      bench.say('modbus.response', plc, workstation, { function_code: 5, exception: 2 });
    }
    expect(bench.seen()[0]).toMatchObject({ severity: 3 });
    expect(bench.seen()[0]!.sentence).toContain('refused all that it answered (2)');
  });

  it('of the known controller are nothing', () => {
    for (let i = 0; i < 50; i++) bench.say('modbus.request', master, plc, write);
    expect(bench.findings).toEqual([]);
  });

  it('of the known controller to another device that it only read are low', () => {
    bench.say('modbus.request', master, secondPlc, write);
    expect(bench.severities()).toEqual([2]);
  });

  it('of a new kind by the known controller are low, a restart is not', () => {
    bench.say('modbus.request', master, plc, { function: 'write-multiple-registers', function_code: 16, is_write: 1 });
    expect(bench.severities()).toEqual([2]);
    bench.say('modbus.request', master, plc, {
      function: 'diagnostics',
      function_code: 8,
      sub_function: 4,
      is_write: 1,
    });
    expect(bench.severities()).toEqual([2, 3]);
    expect(bench.findings[1]!.techniques.map((t) => t.id)).toContain('T0816');
  });

  it('from the internet are an attack whatever was learned', () => {
    bench.say('modbus.request', bench.remote('203.0.113.9', true), plc, write);
    expect(bench.findings[0]).toMatchObject({ severity: 3, device: { hostname: 'gas-panel' } });
  });

  it('to a device of which nothing is learned, by a host that never wrote, are low', () => {
    const fresh = bench.host('new-panel', 'medical-gas-panel');
    bench.say('modbus.request', workstation, fresh, write);
    expect(bench.severities()).toEqual([2]);
  });
});

describe('reads', () => {
  it('of a controller by a new client are low and can be switched off', () => {
    bench.say('modbus.request', workstation, plc, read);
    expect(bench.severities()).toEqual([2]);
    const quiet = new DetectorBench(rogueController, { report_reads: false });
    const [a, b, c] = [quiet.host('plc'), quiet.host('master'), quiet.host('ws')];
    quiet.say('modbus.request', b, a, read);
    quiet.endLearning();
    quiet.say('modbus.request', c, a, read);
    expect(quiet.findings).toEqual([]);
  });

  it('of a monitor by an unknown client are an attack, by the central station of others low', () => {
    const b = new DetectorBench(rogueController);
    const monitors = [b.host('mon1', 'patient-monitor'), b.host('mon2', 'patient-monitor')] as const;
    const stations = [b.host('central', 'central-station'), b.host('central-2', 'central-station')] as const;
    const ws = b.host('ws', 'workstation');
    const poll = { operation: 'poll', phase: 'request', object_class: 6, is_write: 0 };
    for (const [i, monitor] of monitors.entries()) {
      b.say('intellivue.association', stations[i]!, monitor, { step: 'request' });
      b.say('intellivue.operation', stations[i]!, monitor, poll);
    }
    b.endLearning();
    b.say('intellivue.operation', stations[0], monitors[1], poll);
    expect(b.severities()).toEqual([2]);
    b.say('intellivue.operation', ws, monitors[0], poll);
    expect(b.severities()).toEqual([2, 3]);
    expect(b.findings.at(-1)!.techniques.map((t) => t.id)).toEqual(['T0802', 'T0801']);
    // What the monitor itself says to its client is no command.
    b.say('intellivue.operation', monitors[0], stations[0], {
      operation: 'confirmed-event',
      phase: 'request',
      is_write: 0,
    });
    expect(b.findings).toHaveLength(2);
  });
});

it('tells of restarts while nothing is learned yet', () => {
  const b = new DetectorBench(rogueController);
  const [controller, ws] = [b.host('ahu', 'bacnet-controller'), b.host('ws')];
  b.say('bacnet.message', ws, controller, {
    pdu: 'confirmed-request',
    service: 'writeProperty',
    is_write: 1,
    bvlc_function: 10,
  });
  expect(b.findings).toEqual([]);
  b.say('bacnet.message', ws, controller, {
    pdu: 'confirmed-request',
    service: 'reinitializeDevice',
    is_write: 1,
    bvlc_function: 10,
  });
  expect(b.severities()).toEqual([3]);
});

it('says so when the alarms of a monitor are changed', () => {
  const b = new DetectorBench(rogueController);
  const [monitor, ws] = [b.host('mon', 'patient-monitor'), b.host('ws')];
  b.endLearning();
  b.say('intellivue.operation', ws, monitor, {
    operation: 'confirmed-set',
    phase: 'request',
    object_class: 54,
    is_write: 1,
  });
  expect(b.findings[0]!.title).toContain('Change of alarms');
  expect(b.findings[0]!.techniques.map((t) => t.id)).toContain('T0838');
});

it.each([
  ['s7comm.message', { pdu: 'job', function: 'stop', is_write: 1 }],
  ['enip.cip', { service: 'reset', is_response: 0, is_write: 1 }],
  ['dnp3.message', { function: 'cold-restart', from_master: 1, is_write: 1 }],
  ['iec104.asdu', { type_id: 105, cause: 6, is_write: 1 }],
])('tells a stop in %s from writes of the same controller, once while learning', (kind, stop) => {
  const b = new DetectorBench(rogueController);
  const [controller, ws] = [b.host('plc', 'plc'), b.host('ws')];
  const write: Record<string, Record<string, string | number>> = {
    's7comm.message': { pdu: 'job', function: 'write', is_write: 1 },
    'enip.cip': { service: 'set-attribute-single', is_response: 0, is_write: 1 },
    'dnp3.message': { function: 'operate', from_master: 1, is_write: 1 },
    'iec104.asdu': { type_id: 45, cause: 6, is_write: 1 },
  };
  for (let i = 0; i < 5; i++) b.say(kind, ws, controller, write[kind]!);
  expect(b.findings).toEqual([]);
  b.say(kind, ws, controller, stop);
  expect(b.severities()).toEqual([3]);
  expect(b.seen()[0]!.sentence).toContain('plc is still being learned');
  b.wait(1000);
  b.say(kind, ws, controller, stop);
  expect(b.findings).toHaveLength(1);
});

it('is low about a new analyser that asks the laboratory server, not about who asks the analyser', () => {
  const b = new DetectorBench(rogueController);
  const [lis, analyser, next, ws] = [
    b.host('lis', 'lis'),
    b.host('abl', 'lab-analyzer'),
    b.host('abl2', 'lab-analyzer'),
    b.host('ws'),
  ];
  b.say('astm.message', analyser, lis, { queries: 1 });
  b.endLearning();
  b.say('astm.message', next, lis, { queries: 1 });
  expect(b.severities()).toEqual([2]);
  b.say('astm.message', ws, analyser, { queries: 1 });
  expect(b.severities()).toEqual([2, 3]);
});
