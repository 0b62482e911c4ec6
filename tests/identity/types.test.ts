import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Device } from '../../src/identity/device.ts';
import { crossValidate, leaveOutTypes } from '../../src/identity/types/evaluate.ts';
import { featuresOf } from '../../src/identity/types/features.ts';
import { readTypeModel, trainTypes } from '../../src/identity/types/model.ts';
import type { TypeExample } from '../../src/identity/types/model.ts';

const device = (evidence: [string, string][]): Device => {
  const made = new Device(0, '0/aa:bb:cc:12:34:56', 1, 0xaabbcc, 0x123456, 'aa:bb:cc:12:34:56', 0, '0', 1_000_000);
  for (const [source, value] of evidence) made.addEvidence(source, value, 1_000_000);
  return made;
};
/** Three kinds that share half of what they do; each capture has a name of the day of its own. */
const examples: TypeExample[] = ['camera', 'plug', 'scale'].flatMap((name, kind) =>
  Array.from({ length: 8 }, (_, i) => ({
    type: { name, class: kind === 0 ? 'ip-camera' : 'smart-home' },
    features: ['uses dns', 'uses ntp', `dhcp.parameters=1,${kind}`, `dns.query=${name}.example`, `dns.query=day${i}`],
  })),
);

describe('features of a device', () => {
  it('hide the address in every spelling, UUIDs and numbers of one piece', () => {
    const features = featuresOf(
      device([
        ['dhcp.hostname', 'CAM-AABBCC123456'],
        ['mdns.hostname', 'cam_123456.local'],
        ['ssdp.type', 'uuid:2f402f80-da50-11e1-9b23-0017882476ff'],
        ['lldp.serial', 'SN 4711'],
        ['http.host', 'pump-3456.local'],
      ]),
    );
    expect(features).toEqual([
      'dhcp.hostname=cam-#',
      'http.host=pump-#.local',
      'mdns.hostname=cam_#.local',
      'ssdp.type=uuid:#',
    ]);
  });

  it('end with the first ten minutes, and lists have no order', () => {
    const one = device([['mdns.services', '_http._tcp _hap._tcp']]);
    one.addEvidence('dhcp.hostname', 'late', 1_000_000 + 601_000_000);
    expect(featuresOf(one)).toEqual(featuresOf(device([['mdns.services', '_hap._tcp _http._tcp']])));
  });
});

describe('learned types', () => {
  const model = trainTypes(examples);

  it('are known again, with a confidence that few examples hold down', () => {
    const answer = model.classify(['uses dns', 'uses ntp', 'dhcp.parameters=1,0', 'dns.query=camera.example']);
    expect(answer?.type).toEqual({ name: 'camera', class: 'ip-camera' });
    expect(answer?.confidence).toBeGreaterThan(0.7);
    expect(answer?.confidence).toBeLessThanOrEqual(0.9);
  });

  it('are unknown where a device is like none, says nothing, or names itself otherwise', () => {
    expect(model.classify(['uses dns', 'dhcp.parameters=9'])).toBeUndefined();
    expect(model.classify([])).toBeUndefined();
    const named = trainTypes(
      examples.map((example) => ({
        ...example,
        features: [...example.features, `dhcp.hostname=${example.type.name}`],
      })),
    );
    const like = [...examples[0]!.features];
    expect(named.classify([...like, 'dhcp.hostname=camera'])?.type.name).toBe('camera');
    expect(named.classify([...like, 'dhcp.hostname=other'])).toBeUndefined();
  });

  it('name both where two are alike', () => {
    const twins = trainTypes(
      ['a', 'b', 'c'].flatMap((name) =>
        Array.from({ length: 5 }, () => ({ type: { name }, features: ['uses dns', name === 'c' ? 'x=c' : 'x=ab'] })),
      ),
    );
    const answer = twins.classify(['uses dns', 'x=ab']);
    expect([answer?.type.name, answer?.runnerUp?.type.name].sort()).toEqual(['a', 'b']);
    expect(answer?.confidence).toBeLessThan(0.6);
  });

  it('come back from their file the same, whatever the order of the examples', () => {
    const file = model.toFile();
    const again = readTypeModel(file, 'x');
    expect(again.toFile()).toBe(file);
    expect(trainTypes([...examples].reverse()).toFile()).toBe(file);
    for (const example of examples) expect(again.classify(example.features)).toEqual(model.classify(example.features));
  });

  it('refuse a file that was changed, cut or is none', () => {
    const file = model.toFile();
    fc.assert(
      fc.property(fc.nat(file.length - 2), (at) => {
        const changed = file.slice(0, at) + (file[at] === 'x' ? 'y' : 'x') + file.slice(at + 1);
        expect(() => readTypeModel(changed, 'x')).toThrow();
        expect(() => readTypeModel(file.slice(0, at), 'x')).toThrow();
      }),
      { seed: 6, numRuns: 300 },
    );
    expect(() => readTypeModel(file.replace('"version":1', '"version":2'), 'x')).toThrow(/version 2/);
  });

  it('are judged on what was left out', () => {
    const trials = crossValidate(examples, 4, 1);
    expect(trials).toHaveLength(examples.length);
    expect(trials.filter((trial) => trial.answer?.type.name === trial.type)).toHaveLength(examples.length);
    expect(leaveOutTypes(examples).filter((trial) => trial.answer !== undefined)).toEqual([]);
  });

  it('need two types', () => {
    expect(() => trainTypes(examples.slice(0, 8))).toThrow(/examples of 1 types/);
  });
});
