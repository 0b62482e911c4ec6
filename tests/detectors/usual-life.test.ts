/** What happens in every hospital and is no attack, and the attacks that look like it. */
import { describe, expect, it } from 'vitest';
import newExternalDestination from '../../detectors/new-external-destination/index.ts';
import newService from '../../detectors/new-service/index.ts';
import unusualUpload from '../../detectors/unusual-upload/index.ts';
import { DetectorBench } from '../support/messages.ts';

describe('new-service', () => {
  const media = { proto: 'udp', origPort: 16_384, port: 21_352 } as const;

  it('takes ports agreed for a call for no service', () => {
    const b = new DetectorBench(newService);
    const [phone, other] = [b.host('phone', 'voip-phone'), b.host('phone-2', 'voip-phone')];
    b.endLearning();
    b.establish(b.flow(phone, other, media));
    b.establish(b.flow(phone, other, { ...media, origPort: 16_385, port: 21_353 }));
    expect(b.findings).toEqual([]);
    b.establish(b.flow(phone, other, { ...media, origPort: 16_385 }));
    expect(b.severities()).toEqual([2, 2]);
  });

  it('knows by SIP that a device has calls, and goes on telling of others', () => {
    const b = new DetectorBench(newService);
    const [nurse, server, pump] = [b.host('nurse-call'), b.host('calls'), b.host('pump', 'infusion-pump')];
    b.endLearning();
    b.say('sip.request', nurse, server, { method: 'INVITE' }, b.flow(nurse, server, { proto: 'udp', port: 5060 }));
    b.establish(b.flow(nurse, server, media));
    expect(b.findings).toEqual([]);
    b.establish(b.flow(nurse, pump, media));
    expect(b.findings.map((f) => f.device.hostname)).toEqual(['pump']);
  });

  it('tells of registered ports and not of dynamic ones', () => {
    const b = new DetectorBench(newService);
    const [ws, pump] = [b.host('ws', 'workstation'), b.host('pump', 'infusion-pump')];
    b.endLearning();
    b.establish(b.flow(ws, pump, { port: 50_123 }));
    expect(b.findings).toEqual([]);
    b.establish(b.flow(ws, pump, { port: 8080 }));
    expect(b.findings.some((f) => f.device.hostname === 'pump' && f.severity === 2)).toBe(true);
  });
});

describe('new-external-destination', () => {
  const web = { port: 443 };

  it('leaves people alone until they visit far more networks than ever', () => {
    const b = new DetectorBench(newExternalDestination);
    const ws = b.host('ws', 'workstation');
    const visit = (n: number) => b.establish(b.flow(ws, b.remote(`203.0.${n}.1`, true), web));
    for (let n = 0; n < 20; n++) visit(n);
    b.endLearning();
    b.wait(3600);
    for (let n = 20; n < 80; n++) visit(n);
    expect(b.findings).toEqual([]);
    visit(80);
    expect(b.seen()).toMatchObject([{ severity: 1 }]);
    expect(b.seen()[0]!.sentence).toContain('ws went to 61 networks of the internet within an hour');
  });

  it('tells once of a workstation that never left the site', () => {
    const b = new DetectorBench(newExternalDestination);
    const ws = b.host('ws', 'workstation');
    b.endLearning();
    for (let n = 0; n < 20; n++) b.establish(b.flow(ws, b.remote(`203.0.${n}.1`, true), web));
    expect(b.findings.map((f) => f.severity)).toEqual([2]);
  });

  it('is low about a scanner that goes out, medium about a visitor from the internet', () => {
    const b = new DetectorBench(newExternalDestination);
    const [ct, mr] = [b.host('ct', 'ct'), b.host('mr', 'mr')];
    b.endLearning();
    const maker = b.remote('203.0.113.1', true);
    b.establish(b.flow(ct, maker, web));
    expect(b.severities()).toEqual([2]);
    b.establish(b.flow(maker, mr, web));
    expect(b.severities()).toEqual([2, 3]);
  });
});

describe('unusual-upload', () => {
  it('is low where another archive takes over a known service, medium for another service or outside', () => {
    const b = new DetectorBench(unusualUpload);
    const ct = b.host('ct', 'ct');
    const send = (to: ReturnType<typeof b.remote>, port: number, origBytes: number) => {
      const flow = b.flow(ct, to, { port, origBytes, respBytes: 500 });
      b.establish(flow);
      b.end(flow);
    };
    send(b.remote('10.0.0.14'), 104, 1_200_000);
    b.endLearning();
    send(b.remote('10.0.0.15'), 104, 1_300_000);
    expect(b.findings).toEqual([]);
    send(b.remote('10.0.0.15'), 104, 9_000_000);
    expect(b.severities()).toEqual([2]);
    send(b.remote('10.0.0.16'), 445, 1_300_000);
    send(b.remote('203.0.113.9', true), 104, 1_300_000);
    expect(b.severities()).toEqual([2, 3, 3]);
  });
});
