import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import covertChannel from '../../detectors/covert-channel/index.ts';
import { NO_DOMAIN, registeredDomain } from '../../detectors/covert-channel/names.ts';
import { DetectorBench } from '../support/messages.ts';
import type { Host } from '../support/messages.ts';

let bench: DetectorBench;
let resolver: Host;
let device: Host;
let id: number;

function ask(name: string | undefined, length: number, answer: Record<string, number> = {}): void {
  id++;
  const fields = { ...(name === undefined ? {} : { name }), name_length: length, id, query_type: 'TXT' };
  bench.say('dns.query', device, resolver, fields);
  bench.say('dns.response', resolver, device, { ...fields, rcode: 0, ...answer });
}

beforeEach(() => {
  bench = new DetectorBench(covertChannel);
  resolver = bench.host('dns', 'server');
  device = bench.host('pump', 'infusion-pump');
  id = 0;
});

it.each([
  ['a.b.hospital.org', 'hospital.org'],
  ['www.trust.nhs.uk', 'trust.nhs.uk'],
  ['x.y.co.uk', 'y.co.uk'],
  ['pump.ward.local', undefined],
  ['4.3.2.1.in-addr.arpa', undefined],
  ['abcdef.0123abc', NO_DOMAIN],
  [undefined, NO_DOMAIN],
  ['localhost', undefined],
])('takes %s for the domain %s', (name, domain) => {
  expect(registeredDomain(name)).toBe(domain);
});

describe('tunnels', () => {
  it('of long names below a new domain are reported', () => {
    bench.endLearning();
    for (let i = 0; i < 40; i++) ask(`q${i}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.evil.example`, 47);
    expect(bench.severities()).toEqual([3]);
    expect(bench.findings[0]!.sentence).toContain('pump asked dns for 30 different names below evil.example');
  });

  it('whose data comes down in answers are reported, too', () => {
    bench.endLearning();
    for (let i = 0; i < 40; i++) ask(`poll${i}xx.evil.example`, 20, { data_bytes: 200 });
    expect(bench.severities()).toEqual([3]);
  });

  it('of a device that is still being learned take more', () => {
    for (let i = 0; i < 60; i++) ask(`q${i}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.evil.example`, 47);
    expect(bench.findings).toEqual([]);
    for (let i = 60; i < 120; i++) ask(`q${i}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.evil.example`, 47);
    expect(bench.severities()).toEqual([3]);
  });

  it('straight to their server, without a domain, are reported', () => {
    bench.endLearning();
    for (let i = 0; i < 30; i++) ask(undefined, 240);
    expect(bench.seen()[0]!.sentence).toContain('that end in no domain');
  });
});

describe('ordinary names', () => {
  it('asked for again and again are nothing', () => {
    bench.endLearning();
    for (let i = 0; i < 500; i++) ask('d111111abcdef8.very-long-distribution-name-of-a-cloud.cloudfront.example', 70);
    expect(bench.findings).toEqual([]);
  });

  it('of many hosts of the own domain are nothing', () => {
    bench.endLearning();
    for (let i = 0; i < 500; i++) ask(`host-${i}.hospital.example`, 25);
    expect(bench.findings).toEqual([]);
  });

  it('with hashes, of a product that was learned, are nothing', () => {
    for (let m = 0; m < 3; m++) {
      for (let i = 0; i < 20; i++) ask(`${m}${i}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.scanner.example`, 45);
      bench.wait(61);
    }
    bench.endLearning();
    for (let i = 0; i < 100; i++) ask(`z${i}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.scanner.example`, 45);
    expect(bench.findings).toEqual([]);
  });

  it('asked for by a resolver are those of its clients', () => {
    bench.endLearning();
    ask('a.hospital.example', 18);
    const upstream = bench.remote('198.51.100.1', true);
    for (let i = 0; i < 500; i++)
      bench.say('dns.query', resolver, upstream, {
        name: `q${i}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.x.example`,
        name_length: 47,
        id: i,
      });
    expect(bench.findings).toEqual([]);
  });
});

it('tells made-up domains from a name that is missing in every suffix', () => {
  bench.endLearning();
  for (let i = 0; i < 100; i++) ask(`wpad.ward-${i}.hospital.example`, 30, { rcode: 3 });
  for (let i = 0; i < 100; i++) ask(`printer-${i}.lan`, 14, { rcode: 3 });
  expect(bench.findings).toEqual([]);
  for (let i = 0; i < 35; i++) ask(`kq3vz${i}hd.example`, 16, { rcode: 3 });
  expect(bench.severities()).toEqual([3]);
});

it('tells a tunnel in pings from pings', () => {
  const ping = (shape: { origBytes: number; respBytes: number }, packets: number): void => {
    const flow = bench.flow(device, resolver, { proto: 'icmp', origPort: 8, port: 0, ...shape });
    bench.end({ ...flow, origPkts: packets, respPkts: packets });
  };
  ping({ origBytes: 6000, respBytes: 6000 }, 100);
  ping({ origBytes: 1_472_000, respBytes: 1_472_000 }, 1000);
  expect(bench.findings).toEqual([]);
  ping({ origBytes: 90_000, respBytes: 120_000 }, 300);
  expect(bench.severities()).toEqual([3]);
});

it('survives any names', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ name: fc.string({ maxLength: 80 }), length: fc.nat(300), rcode: fc.constantFrom(0, 3) }), {
        maxLength: 100,
      }),
      (names) => {
        for (const { name, length, rcode } of names) ask(name, length, { rcode });
        expect(bench.failures).toEqual([]);
      },
    ),
    { seed: 3, numRuns: 50 },
  );
});
