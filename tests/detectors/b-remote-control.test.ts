import { beforeEach, describe, expect, it } from 'vitest';
import remoteControl from '../../detectors/remote-control/index.ts';
import { DetectorBench } from '../support/messages.ts';
import type { Host } from '../support/messages.ts';

let bench: DetectorBench;
let admin: Host;
let workstation: Host;
let server: Host;
let other: Host;
let ct: Host;

const call = (from: Host, to: Host, name: string, opnum: number): void =>
  bench.say('dcerpc.call', from, to, { interface: name, opnum });

beforeEach(() => {
  bench = new DetectorBench(remoteControl);
  admin = bench.host('admin', 'server');
  workstation = bench.host('ws', 'workstation');
  server = bench.host('app', 'server');
  other = bench.host('app2', 'server');
  ct = bench.host('ct', 'ct');
});

describe('remote procedure calls', () => {
  it('that create and start a service are one finding that grows', () => {
    bench.endLearning();
    call(workstation, server, 'svcctl', 15);
    expect(bench.findings).toEqual([]);
    call(workstation, server, 'svcctl', 12);
    call(workstation, server, 'svcctl', 19);
    expect(bench.severities()).toEqual([3]);
    expect(bench.seen()[0]!.sentence).toBe(
      'ws creates a service, starts a service at app over the network, which it was never seen to do there.',
    );
  });

  it('are told once while the client is learned, and are its usual work then', () => {
    call(admin, server, 'svcctl', 12);
    expect(bench.severities()).toEqual([3]);
    bench.endLearning();
    bench.wait(1000);
    call(admin, server, 'svcctl', 12);
    expect(bench.seen()).toHaveLength(1);
    call(admin, other, 'svcctl', 12);
    expect(bench.severities()).toEqual([3, 2]);
    call(workstation, other, 'svcctl', 12);
    expect(bench.severities()).toEqual([3, 2, 3]);
  });

  it('that take secrets are medium also from a client that did so elsewhere', () => {
    call(admin, server, 'drsuapi', 3);
    bench.endLearning();
    call(admin, other, 'drsuapi', 3);
    expect(bench.severities()).toEqual([3, 3]);
  });

  it('that only ask are low, and nothing while learning', () => {
    call(workstation, server, 'samr', 13);
    expect(bench.findings).toEqual([]);
    bench.endLearning();
    call(workstation, other, 'samr', 13);
    expect(bench.severities()).toEqual([2]);
  });

  it('of ordinary kinds are nothing', () => {
    bench.endLearning();
    for (const [name, opnum] of [
      ['srvsvc', 16],
      ['wkssvc', 0],
      ['winreg', 17],
      ['', 12],
      ['IWbemServices', 20],
    ] as const)
      call(workstation, server, name, opnum);
    expect(bench.findings).toEqual([]);
  });
});

it('tells a burst of Netlogon logins from the usual few', () => {
  for (let i = 0; i < 20; i++) {
    call(workstation, server, 'netlogon', 26);
    bench.wait(5);
  }
  expect(bench.findings).toEqual([]);
  for (let i = 0; i < 300; i++) call(workstation, server, 'netlogon', 26);
  expect(bench.severities()).toEqual([3]);
});

describe('desktops', () => {
  it('of a medical device opened by somebody unknown are medium, by a known operator low', () => {
    bench.say('vnc.auth', ct, admin, { ok: 1 }, bench.flow(admin, ct, { port: 5900 }));
    bench.say('rdp.response', server, admin, { protocol: 'tls' }, bench.flow(admin, server, { port: 3389 }));
    bench.endLearning();
    bench.say('vnc.auth', ct, admin, { ok: 1 }, bench.flow(admin, ct, { port: 5900 }));
    expect(bench.findings).toEqual([]);
    bench.say('rdp.response', ct, admin, { protocol: 'tls' }, bench.flow(admin, ct, { port: 3389 }));
    expect(bench.severities()).toEqual([2]);
    bench.say('vnc.security', workstation, ct, { chosen: 1 }, bench.flow(workstation, ct, { port: 5900 }));
    expect(bench.severities()).toEqual([2, 3]);
    expect(bench.seen()[1]!.sentence).toBe(
      'ws opened a VNC session to ct without a password; until now 1 other host did.',
    );
  });

  it('that were refused are nothing', () => {
    bench.endLearning();
    bench.say('vnc.auth', ct, workstation, { ok: 0 }, bench.flow(workstation, ct, { port: 5900 }));
    bench.say('rdp.response', ct, workstation, { failure: 5 }, bench.flow(workstation, ct, { port: 3389 }));
    expect(bench.findings).toEqual([]);
  });
});
