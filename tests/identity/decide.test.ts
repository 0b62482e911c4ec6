import { describe, expect, it } from 'vitest';
import { loadClasses } from '../../src/identity/classes.ts';
import { createDecider, introduce } from '../../src/identity/decide.ts';
import { Device } from '../../src/identity/device.ts';
import { loadKnowledge } from '../../src/identity/load.ts';
import { deviceOf } from '../../src/identity/profiles-test.ts';
import { MAX_PEERS, Roles } from '../../src/identity/roles.ts';

const knowledge = loadKnowledge(loadClasses());
const noMakers = createDecider(knowledge, { vendor: () => '' });

function unknown(n: number): Device {
  return new Device(n, `7/${n}`, 1000 + n, 0, n, `00:00:00:00:00:0${n}`, 7, '7', 0);
}

describe('what a device is', () => {
  it('is unknown where nothing is known', () => {
    const device = deviceOf([{ source: 'syslog.app', value: 'cron' }], knowledge);
    expect(device.type).toBe('unknown');
    expect(device.fields['type']).toBeUndefined();
  });

  it('is surer with more evidence of different kinds, not with more of the same', () => {
    const confidence = (signs: Parameters<typeof deviceOf>[0]): number =>
      deviceOf(signs, knowledge).fields['type']?.confidence ?? 0;
    const astm = confidence([{ uses: 'astm' }]);
    expect(confidence([{ uses: 'astm' }, { source: 'oui', value: 'Sysmex Corporation' }])).toBeGreaterThan(astm);
    const named = confidence([{ source: 'dhcp.hostname', value: 'pump-1' }]);
    const twice = confidence([
      { source: 'dhcp.hostname', value: 'pump-1' },
      { source: 'dns.name', value: 'pump-1.example.org' },
    ]);
    expect(twice).toBe(named);
  });

  it('shows contradictions: the runner-up, and less confidence', () => {
    const alone = deviceOf([{ serves: 'modbus' }, { source: 'oui', value: 'Rockwell Automation' }], knowledge);
    const torn = deviceOf(
      [
        { serves: 'modbus' },
        { source: 'oui', value: 'Rockwell Automation' },
        { source: 'dhcp.hostname', value: 'medgas-1' },
      ],
      knowledge,
    );
    expect(torn.fields['type']?.runner_up).toBeDefined();
    expect(torn.fields['type']!.confidence).toBeLessThan(alone.fields['type']!.confidence);
  });

  it('says why', () => {
    const evidence = deviceOf([{ serves: 'dicom-store', peers: 3 }], knowledge).fields['type']?.evidence ?? [];
    expect(evidence[0]).toMatchObject({ source: 'role', value: 'serves dicom-store (3 partners)' });
  });

  it('is no surer than 0.6 by made-up evidence', () => {
    const device = deviceOf(
      [
        { source: 'oui', value: 'Baxter International Inc' },
        { source: 'dhcp.hostname', value: 'spectrum-7' },
      ],
      knowledge,
    );
    expect(device.model).toBe('Sigma Spectrum');
    expect(device.fields['model']!.confidence).toBeLessThanOrEqual(0.6);
  });

  it('gives each maker one name, and does not take the maker of a network module for it', () => {
    expect(
      deviceOf([{ source: 'oui', value: 'Philips Medical Systems - Cardiac and Monitoring Systems (CM' }], knowledge)
        .vendor,
    ).toBe('Philips');
    expect(deviceOf([{ source: 'oui', value: 'AMERICAN POWER CONVERSION CORP' }], knowledge).vendor).toBe('APC');
    expect(
      deviceOf([{ source: 'oui', value: 'Murata Manufacturing Co., Ltd.' }], knowledge).fields['vendor_name']!
        .confidence,
    ).toBe(0.3);
  });

  it('takes model and firmware out of what the device says', () => {
    const device = deviceOf(
      [
        { source: 'oui', value: 'Axis Communications AB' },
        { source: 'dhcp.vendor_class', value: 'AXIS,Network Camera,M1065-LW,9.80.3' },
      ],
      knowledge,
    );
    expect([device.type, device.vendor, device.model, device.fields['firmware']?.value]).toEqual([
      'ip-camera',
      'Axis',
      'M1065-LW',
      '9.80.3',
    ]);
  });

  it('reads the system of an NTLM login, and does not believe the one that Samba tells', () => {
    expect(deviceOf([{ source: 'ntlm.os_version', value: '5.1.2600' }], knowledge).fields['os_version']?.value).toBe(
      'XP',
    );
    expect(deviceOf([{ source: 'ntlm.os_version', value: '6.1.0' }], knowledge).fields['os']).toBeUndefined();
  });

  it('tells its partners what it is', () => {
    const server = unknown(1);
    for (const n of [2, 3]) {
      const pump = unknown(n);
      introduce(pump, server, 0);
      pump.roles.note('uses alaris', 1, 0);
      noMakers.decide(pump);
      expect(pump.type).toBe('infusion-pump');
    }
    expect(server.undecided).toBe(true);
    server.roles.note('serves tls', 2, 0);
    noMakers.decide(server);
    expect(server.type).toBe('pump-server');
  });

  it('is the same for the same evidence in any order', () => {
    const signs = [
      { source: 'oui', value: 'Zebra Technologies Inc' },
      { serves: 'raw-print' as const, peers: 2 },
      { source: 'dhcp.hostname', value: 'zebra-3' },
      { source: 'snmp.sysdescr', value: 'Zebra ZTC ZD620' },
    ];
    const { fields } = deviceOf(signs, knowledge);
    expect(deviceOf([...signs].reverse(), knowledge).fields).toEqual(fields);
  });

  it('lets a gateway not be taken for those behind it', () => {
    const device = deviceOf(
      [
        { source: 'network.role', value: 'gateway' },
        { uses: 'dicom-store' },
        { source: 'dicom.sends', value: 'CTImageStorage' },
      ],
      knowledge,
    );
    expect(device.type).toBe('router');
  });
});

describe('roles', () => {
  it('are bounded', () => {
    const roles = new Roles();
    for (let peer = 0; peer < 100; peer++) roles.note('serves http', peer, 0);
    expect(roles.uses.get('serves http')!.peers).toHaveLength(MAX_PEERS);
    for (let n = 0; n < 100; n++) roles.note(`client class-${n}`, 1, 0);
    expect(roles.uses.size).toBeLessThanOrEqual(48);
  });
});
