import { describe, expect, it } from 'vitest';
import { Value } from 'typebox/value';
import { identityConfig } from '../../src/identity/config.ts';
import type { IdentityConfig } from '../../src/identity/config.ts';
import { DeviceTable } from '../../src/identity/device-table.ts';
import type { BindingChange } from '../../src/identity/device-table.ts';
import type { Device } from '../../src/identity/device.ts';
import { assessRisk } from '../../src/identity/risk.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { SegmentTable } from '../../src/track/segments.ts';

const S = 1_000_000;

function site(changes: Partial<IdentityConfig> = {}) {
  const told: BindingChange[] = [];
  const segments = new SegmentTable();
  const config = Value.Default(identityConfig, { max_devices: 64, ...changes }) as IdentityConfig;
  const table = new DeviceTable(config, segments, {
    deviceAppeared: () => undefined,
    deviceForgotten: () => undefined,
    bindingChanged: (change) => void told.push({ ...change }),
  });
  return { table, told, vlan: (id: number) => segments.id(id, 0) };
}

function words(ip: string): Uint32Array {
  const [a = 0, b = 0, c = 0, d = 0] = ip.split('.').map(Number);
  return Uint32Array.of(0, 0, 0xffff, ((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
}
const V6 = Uint32Array.of(0xfe800000, 0, 0, 7);
const current = (device: Device): string[] =>
  [...device.addresses.values()].filter((use) => use.endedUs === 0).map((use) => use.ip);

describe('devices of an access tap', () => {
  it('are a hardware address within a VLAN: the same one in two VLANs is two', () => {
    const { table, vlan } = site();
    const a = table.sender(0x001a2b, 1, vlan(10), S);
    expect(table.sender(0x001a2b, 1, vlan(20), S)).not.toBe(a);
    expect(table.sender(0x001a2b, 1, vlan(10), S)).toBe(a);
  });

  it('have several addresses at once: dual stack and several networks', () => {
    const { table, vlan } = site();
    const device = table.sender(0x001a2b, 1, vlan(10), S)!;
    table.claim(device, words('10.0.0.5'), 0, false, 'arp', S);
    table.claim(device, words('10.9.0.5'), 0, false, 'arp', S);
    table.sent(device, V6, 0, true, S);
    expect(current(device)).toHaveLength(3);
    expect(device.ip).toMatch(/^10\./);
    expect(device.isGateway).toBe(false);
  });

  it('lose an address that DHCP gives to another one, and the time with it is kept', () => {
    const { table, told, vlan } = site();
    const first = table.sender(0x001a2b, 1, vlan(10), S)!;
    const second = table.sender(0x001a2b, 2, vlan(10), S)!;
    table.leased(first.mac, words('10.0.0.5'), 0, vlan(10), S);
    table.leased(second.mac, words('10.0.0.5'), 0, vlan(10), 100 * S);
    expect(current(first)).toEqual([]);
    expect(first.ip).toBe('');
    expect(current(second)).toEqual(['10.0.0.5']);
    expect(told).toMatchObject([{ ip: '10.0.0.5', before: first, after: second, source: 'dhcp' }]);
    expect(first.takeAddresses()).toMatchObject([{ ip: '10.0.0.5', firstUs: S, lastUs: S }]);
    // It comes back to the first: another time begins, the one before is not lost.
    table.leased(first.mac, words('10.0.0.5'), 0, vlan(10), 200 * S);
    expect(first.takeAddresses()).toMatchObject([{ ip: '10.0.0.5', firstUs: 200 * S, lastUs: 200 * S }]);
    expect(current(second)).toEqual([]);
  });

  it('are known to have made-up addresses', () => {
    const { table, vlan } = site();
    expect(table.sender(0x02aabb, 1, vlan(10), S)!.hasRandomMac).toBe(true);
    expect(table.sender(0x001a2b, 1, vlan(10), S)!.hasRandomMac).toBe(false);
  });

  it('are gateways where they send from many addresses, or from public ones (NAT, routers)', () => {
    const { table, vlan } = site();
    const router = table.sender(0x001a2b, 9, vlan(10), S)!;
    table.claim(router, words('10.0.0.1'), 0, false, 'arp', S);
    for (let i = 0; i < 4; i++) table.sent(router, words(`10.7.0.${i + 1}`), 0, false, S);
    expect(router.isGateway).toBe(true);
    expect(current(router)).toEqual(['10.0.0.1']);
    const uplink = table.sender(0x001a2b, 10, vlan(10), S)!;
    table.sent(uplink, words('203.0.113.7'), 0, false, S);
    expect(uplink.isGateway).toBe(true);
  });
});

describe('devices of a routed tap', () => {
  const routed = () => site({ tap: 'routed' });
  const at = (t: DeviceTable, ip: string, segment: number, nowUs = S) =>
    t.byIp(words(ip), 0, false, segment, true, nowUs);

  it('are an address within a VLAN', () => {
    const { table, vlan } = routed();
    expect(at(table, '10.0.0.5', vlan(10))).toBe(at(table, '10.0.0.5', vlan(10)));
    expect(at(table, '10.0.0.5', vlan(20))).not.toBe(at(table, '10.0.0.5', vlan(10)));
    expect(at(table, '203.0.113.5', vlan(10))).toBeUndefined();
  });

  it('follow the lease: another hardware address behind an address is another device', () => {
    const { table, told, vlan } = routed();
    const before = at(table, '10.0.0.5', vlan(10))!;
    table.leased('00:1a:2b:00:00:01', words('10.0.0.5'), 0, vlan(10), S);
    expect(at(table, '10.0.0.5', vlan(10))).toBe(before);
    table.leased('00:1a:2b:00:00:02', words('10.0.0.5'), 0, vlan(10), 100 * S);
    const after = at(table, '10.0.0.5', vlan(10))!;
    expect(after).not.toBe(before);
    expect(told).toMatchObject([{ ip: '10.0.0.5', before, after, source: 'dhcp' }]);
    // The first one is the same device under its new address.
    table.leased('00:1a:2b:00:00:01', words('10.0.0.6'), 0, vlan(10), 101 * S);
    expect(at(table, '10.0.0.6', vlan(10))).toBe(before);
    expect(current(before)).toEqual(['10.0.0.6']);
  });

  it('are told apart by their leases after a restart as well', () => {
    const { table, vlan } = routed();
    const first = at(table, '10.0.0.5', vlan(10))!;
    table.leased('00:1a:2b:00:00:01', words('10.0.0.5'), 0, vlan(10), S);
    const next = routed();
    const segment = next.vlan(10);
    next.table.restore(table.save());
    // The same hardware address is the same device at its new address, another one is another at the old.
    next.table.leased('00:1a:2b:00:00:01', words('10.0.0.6'), 0, segment, 2 * S);
    expect(at(next.table, '10.0.0.6', segment)).toBe(first);
    next.table.leased('00:1a:2b:00:00:02', words('10.0.0.5'), 0, segment, 3 * S);
    expect(at(next.table, '10.0.0.5', segment)).not.toBe(first);
  });
});

describe('risk', () => {
  const classes = loadClasses();
  const facts = (type: string, over: object = {}) => ({
    known: classes.get(type),
    criticality: undefined,
    os: '',
    osVersion: '',
    channels: [],
    alertSeverity: 0,
    nowUs: Date.UTC(2026, 0, 1) * 1000,
    ...over,
  });

  it('grows with what a fault may do and with each weakness, and says why', () => {
    const printer = assessRisk(facts('printer')).score;
    const pump = assessRisk(facts('infusion-pump')).score;
    const alerted = assessRisk(facts('infusion-pump', { alertSeverity: 5, os: 'Windows', osVersion: '5.1.2600' }));
    expect(pump).toBeGreaterThan(printer);
    expect(alerted.score).toBeGreaterThan(pump);
    expect(alerted.parts.map((part) => part.part)).toEqual(
      expect.arrayContaining(['old-os', 'alerts', 'life-support']),
    );
    expect(
      assessRisk(facts('pacs', { os: 'Windows', osVersion: '10.0.7' })).parts.map((part) => part.part),
    ).not.toContain('old-os');
    expect(alerted.score).toBeLessThanOrEqual(100);
  });
});
