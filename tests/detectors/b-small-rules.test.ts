import { describe, expect, it } from 'vitest';
import advisorySigns from '../../detectors/advisory-signs/index.ts';
import firmwareTransfer from '../../detectors/firmware-transfer/index.ts';
import rogueRouter from '../../detectors/rogue-router/index.ts';
import weakPoints from '../../detectors/weak-points/index.ts';
import { DetectorBench } from '../support/messages.ts';

describe('firmware-transfer', () => {
  it('is silent about places a device fetches from as a rule, low about a new one inside, medium outside', () => {
    const b = new DetectorBench(firmwareTransfer);
    const [monitor, store, other] = [b.host('monitor', 'patient-monitor'), b.host('files'), b.host('files-2')];
    const outside = b.remote('203.0.113.7', true);
    const fetched = { code: 226, verb: 'RETR', transfer_bytes: 120_000 };
    b.say('ftp.reply', store, monitor, fetched, b.flow(monitor, store, { port: 21 }));
    b.endLearning();
    b.say('ftp.reply', store, monitor, fetched, b.flow(monitor, store, { port: 21 }));
    b.say('ftp.reply', other, monitor, { code: 550, verb: 'RETR' }, b.flow(monitor, other, { port: 21 }));
    expect(b.findings).toEqual([]);
    b.say('ftp.reply', other, monitor, fetched, b.flow(monitor, other, { port: 21 }));
    expect(b.severities()).toEqual([2]);
    expect(b.seen()[0]!.sentence).toBe(
      'monitor fetched 1 file from files-2 by FTP, 120,000 bytes, while 1 other host was learned to do so.',
    );
    b.say('ftp.reply', outside, monitor, fetched, b.flow(monitor, outside, { port: 21 }));
    expect(b.severities()).toEqual([2, 3]);
  });

  it('is medium about what is pushed to a medical device, not to a server, by size', () => {
    const b = new DetectorBench(firmwareTransfer);
    const [pump, server, ws] = [
      b.host('pump', 'infusion-pump'),
      b.host('server', 'server'),
      b.host('ws', 'workstation'),
    ];
    b.endLearning();
    b.say('http.request', ws, pump, { method: 'POST', body_bytes: 900 });
    b.say('http.request', ws, server, { method: 'PUT', body_bytes: 9_000_000 });
    expect(b.findings).toEqual([]);
    b.say('http.request', ws, pump, { method: 'POST', body_bytes: 900_000 });
    expect(b.severities()).toEqual([3]);
    expect(b.findings[0]).toMatchObject({ device: { hostname: 'ws' } });
    for (let i = 0; i < 3; i++) b.say('smb.command', server, pump, { command: 'write', is_request: 1, bytes: 20_000 });
    expect(b.severities()).toEqual([3, 3]);
  });
});

describe('weak-points', () => {
  it('are one list a device that grows, never above low', () => {
    const b = new DetectorBench(weakPoints);
    const [pump, ws] = [b.host('pump', 'infusion-pump'), b.host('ws')];
    const telnet = b.flow(ws, pump, { port: 23 });
    b.say('ftp.server', pump, ws, { banner: 'x' }, b.flow(ws, pump, { port: 21 }));
    expect(b.severities()).toEqual([1]);
    for (let i = 0; i < 5; i++) b.say('telnet.negotiation', pump, ws, { option: 1 }, telnet);
    b.say('tls.server_hello', pump, ws, { version: 'TLS 1.0' }, b.flow(ws, pump, { port: 443 }));
    b.say('tls.server_hello', ws, pump, { version: 'TLS 1.2' }, b.flow(pump, ws, { port: 443 }));
    expect(b.findings).toHaveLength(3);
    expect(b.severities()).toEqual([2]);
    expect(b.seen()[0]!.sentence).toBe(
      'pump answers FTP, answers Telnet and agrees to SSL or TLS before version 1.2 (3 weak points).',
    );
  });

  it('judge certificates by the time of the frames', () => {
    const b = new DetectorBench(weakPoints);
    const [server, ws] = [b.host('server'), b.host('ws')];
    const now = b.nowUs / 1e6;
    b.say('tls.certificate', server, ws, { not_after: now + 60, self_signed: 0 }, b.flow(ws, server));
    expect(b.findings).toEqual([]);
    b.wait(120);
    b.say('tls.certificate', server, ws, { not_after: now + 60, self_signed: 0 }, b.flow(ws, server));
    expect(b.findings[0]!.title).toBe('Weak point: shows an expired certificate');
  });

  it('count clinical data in clear only beyond the segment', () => {
    const b = new DetectorBench(weakPoints);
    const [monitor, engine] = [b.host('monitor'), b.host('engine')];
    b.say('hl7.message', monitor, engine, {});
    expect(b.findings).toEqual([]);
    b.say('hl7.message', engine, b.remote('10.99.0.1'), {});
    b.say('hl7.message', b.remote('10.99.0.2'), monitor, {});
    expect(b.findings.map((f) => f.device.hostname)).toEqual(['engine', 'monitor']);
  });
});

describe('rogue-router', () => {
  const everybody = { device: undefined, ip: 'ff02::1', isRemote: false, isPublic: false };

  it('takes the first router for what it says and reports the second', () => {
    const b = new DetectorBench(rogueRouter);
    const [router, ws] = [b.host('router'), b.host('ws')];
    const advertise = (from: typeof router): void => {
      b.begin({ ...b.flow(from, everybody, { proto: 'icmp', origPort: 134, port: 133 }), ipProto: 58 });
    };
    advertise(router);
    b.endLearning();
    for (let i = 0; i < 5; i++) advertise(router);
    expect(b.findings).toEqual([]);
    advertise(ws);
    expect(b.severities()).toEqual([3]);
    expect(b.seen()[0]!.sentence).toContain('ws sent 1 IPv6 router advertisement');
    expect(b.seen()[0]!.sentence).toContain('the router of the segment is router');
  });

  it('is low about a pair of routers while they are learned, medium about one plugged in later', () => {
    const b = new DetectorBench(rogueRouter);
    const [first, second] = [b.host('router'), b.host('router-2')];
    const advertise = (from: typeof first): void => {
      b.begin({ ...b.flow(from, everybody, { proto: 'icmp', origPort: 134, port: 133 }), ipProto: 58 });
    };
    for (let i = 0; i < 3; i++) {
      advertise(first);
      advertise(second);
    }
    expect(b.severities()).toEqual([2]);
    b.endLearning();
    advertise(second);
    expect(b.findings).toHaveLength(1);
    advertise(b.host('rogue'));
    expect(b.severities()).toEqual([2, 3]);
  });

  it('reports redirects of a host, not pings', () => {
    const b = new DetectorBench(rogueRouter);
    const [ws, pump] = [b.host('ws'), b.host('pump')];
    b.endLearning();
    b.begin(b.flow(ws, pump, { proto: 'icmp', origPort: 8 }));
    expect(b.findings).toEqual([]);
    b.begin(b.flow(ws, pump, { proto: 'icmp', origPort: 5 }));
    expect(b.severities()).toEqual([3]);
  });
});

describe('advisory-signs', () => {
  it('know the probe for Treck software and its answer', () => {
    const b = new DetectorBench(advisorySigns);
    const [ws, ups] = [b.host('ws'), b.host('ups', 'ups')];
    for (let i = 0; i < 20; i++) b.begin(b.flow(ws, b.remote(`10.1.1.${i}`), { proto: 'icmp', origPort: 165 }));
    b.begin(b.flow(ups, ws, { proto: 'icmp', origPort: 166 }));
    expect(b.severities()).toEqual([3, 1]);
    expect(b.seen()[0]!.sentence).toContain('to 16 addresses');
  });

  it('judge the built-in address of Contec monitors by where it leads', () => {
    const b = new DetectorBench(advisorySigns);
    const monitor = b.host('monitor', 'patient-monitor');
    const station = { ...b.host('station'), ip: '202.114.4.119', isPublic: true };
    b.establish(b.begin(b.flow(monitor, station, { port: 515 })));
    expect(b.severities()).toEqual([1]);
    const second = b.host('monitor-2', 'patient-monitor');
    const outside = b.remote('202.114.4.119', true);
    const flow = b.begin(b.flow(second, outside, { port: 515 }));
    expect(b.severities()).toEqual([1, 2]);
    b.establish(flow);
    expect(b.severities()).toEqual([1, 3]);
    expect(b.findings.at(-1)!.title).toBe('Hard-coded CMS address contacted');
  });

  it('know DoublePulsar by its command', () => {
    const b = new DetectorBench(advisorySigns);
    const [ws, ct] = [b.host('ws'), b.host('ct', 'ct')];
    b.say('smb.command', ws, ct, { command: 'transaction2', is_request: 1, subcommand: 5 });
    expect(b.findings).toEqual([]);
    for (let i = 0; i < 3; i++)
      b.say('smb.command', ws, ct, { command: 'transaction2', is_request: 1, subcommand: 14 });
    expect(b.severities()).toEqual([3]);
    expect(b.findings).toHaveLength(1);
  });
});
