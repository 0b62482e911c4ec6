import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadClasses } from '../../src/identity/classes.ts';
import { exportAcl } from '../../src/identity/profiles-acl.ts';
import { checkMud, exportMud, importMud } from '../../src/identity/profiles-mud.ts';
import { loadProfiles } from '../../src/identity/profiles.ts';

const { profiles } = loadProfiles(new Set(loadClasses().keys()));
const declared = profiles.filter((profile) => (profile.behaviour ?? []).length > 0);
const alaris = profiles.find((profile) => profile.id === 'infusion-pump/bd-alaris-pcu')!;
const options = { mudUrl: 'https://mud.example.com/pump.json', lastUpdate: '2026-01-02T03:04:05Z' };

/** As a draft of RFC 8520 had it, and as older tools still write it: other names, nested layers, `permit`. */
const draft = {
  'ietf-mud:mud': {
    'mud-version': 1,
    'mud-url': 'https://mud.example.com/lightbulb.json',
    'last-update': '2017-10-14T15:08:12+02:00',
    'is-supported': true,
    systeminfo: 'The BMS Example Light Bulb',
    'from-device-policy': { 'access-lists': { 'access-list': [{ name: 'mud-1-v4fr' }] } },
    'to-device-policy': { 'access-lists': { 'access-list': [{ name: 'mud-1-v4to' }] } },
  },
  'ietf-access-control-list:access-lists': {
    acl: [
      {
        name: 'mud-1-v4to',
        type: 'ipv4-acl-type',
        'access-list-entries': {
          ace: [
            {
              'rule-name': 'cl0-todev',
              matches: {
                l3: { ipv4: { 'ietf-acldns:src-dnsname': 'test.example.com', protocol: 6 } },
                l4: {
                  tcp: {
                    'ietf-mud:direction-initiated': 'from-device',
                    'source-port-range-or-operator': { operator: 'eq', port: 443 },
                  },
                },
              },
              actions: { permit: [null] },
            },
          ],
        },
      },
    ],
  },
};

describe('MUD files', () => {
  it.each(declared.map((profile) => [profile.id, profile] as const))(
    'of %s are right by the YANG modules',
    (_id, profile) => {
      expect(checkMud(exportMud(profile, options))).toEqual([]);
    },
  );

  it('have both roots side by side, and final names only', () => {
    const mud = exportMud(alaris, options);
    expect(Object.keys(mud)).toEqual(['ietf-mud:mud', 'ietf-access-control-list:acls']);
    expect(JSON.stringify(mud)).not.toContain('access-lists":{"acl');
  });

  it('say which way a connection is opened, with the port on the side of the server', () => {
    const acls = exportMud(alaris, options)['ietf-access-control-list:acls'] as {
      acl: { name: string; aces: { ace: { name: string; matches: unknown; actions: unknown }[] } }[];
    };
    const [from, to] = acls.acl;
    expect(from!.aces.ace[0]).toEqual({
      name: 'fr0-alaris',
      matches: {
        'ietf-mud:mud': { controller: 'https://mud.example.com/class/pump-server' },
        ipv4: { protocol: 6 },
        tcp: { 'destination-port': { operator: 'eq', port: 3613 }, 'ietf-mud:direction-initiated': 'from-device' },
      },
      actions: { forwarding: 'accept' },
    });
    expect(to!.aces.ace[0]!.matches).toMatchObject({ tcp: { 'source-port': { operator: 'eq', port: 3613 } } });
    expect(from!.aces.ace[1]!.matches).toMatchObject({ 'ietf-mud:mud': { controller: 'urn:ietf:params:mud:dns' } });
  });

  it('come back as the behaviour that they were written from', () => {
    const back = importMud(JSON.parse(JSON.stringify(exportMud(alaris, options))));
    expect(back.notes).toEqual([]);
    expect(back.vendor).toBe('BD');
    expect(back.behaviour.map((b) => [b.does, b.ports, b.peers])).toEqual([
      ['uses', ['tcp/3613'], ['pump-server']],
      ['uses', ['udp/53'], undefined],
      ['uses', ['udp/67'], ['server']],
    ]);
  });

  it('are read with the names of the drafts, which is said', () => {
    const mud = importMud(draft);
    expect(mud.behaviour).toEqual([{ does: 'uses', protocol: 'tcp', ports: ['tcp/443'], hosts: ['test.example.com'] }]);
    expect(mud.notes[0]).toBe(
      "ietf-access-control-list:access-lists is a draft's name for ietf-access-control-list:acls",
    );
  });

  it('are read where one root stands inside of the other, which is said', () => {
    const right = exportMud(alaris, options);
    const { 'ietf-access-control-list:acls': acls, 'ietf-mud:mud': mud } = right;
    const nested = { 'ietf-mud:mud': { ...(mud as object), 'ietf-access-control-list:acls': acls } };
    const read = importMud(nested);
    expect(read.behaviour).toHaveLength(3);
    expect(read.notes.join()).toContain('side by side');
  });

  it('that miss what is mandatory are told so', () => {
    expect(checkMud({ 'ietf-mud:mud': { 'mud-version': 2, 'cache-validity': 0 } })).toEqual([
      'mud-version must be 1',
      'mud-url must be an https URL',
      'last-update must be a date and time of RFC 3339',
      'is-supported must be true or false',
      'cache-validity must be an integer from 1 to 168 hours',
    ]);
    expect(() => importMud([])).toThrow(/no MUD file/);
  });

  it('never throw anything but what a person can read', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (mud, acls) => {
        importMud({ 'ietf-mud:mud': { 'from-device-policy': mud }, 'ietf-access-control-list:acls': { acl: [acls] } });
        checkMud(mud);
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});

describe('access lists', () => {
  const input = (deny: boolean) => ({
    profile: alaris,
    addresses: ['10.1.2.3'],
    addressesOf: (cls: string) => (cls === 'pump-server' ? ['10.9.0.1'] : []),
    deny,
  });

  it('for nftables', () => {
    const list = exportAcl('nftables', input(false));
    expect(list).toContain('set class_pump_server { type ipv4_addr; elements = { 10.9.0.1 } }');
    expect(list).toContain('ip saddr @device ip daddr @class_pump_server tcp dport 3613 accept comment "alaris"');
    expect(list).not.toContain('drop');
  });

  it('for Cisco', () => {
    const list = exportAcl('cisco', input(true));
    expect(list).toContain(' permit tcp host 10.1.2.3 host 10.9.0.1 eq 3613\n');
    expect(list).toContain(' deny ip host 10.1.2.3 any log\n permit ip any any\n');
  });

  it('as JSON', () => {
    const list = JSON.parse(exportAcl('json', input(true))) as { undeclared: string; rules: unknown[] };
    expect(list.undeclared).toBe('drop');
    expect(list.rules[0]).toEqual({
      direction: 'from-device',
      protocol: 'alaris',
      transport: 'tcp',
      port: 3613,
      peer: 'pump-server',
      peer_addresses: ['10.9.0.1'],
    });
  });

  it('drop nothing unless asked to', () => {
    for (const profile of declared)
      for (const format of ['nftables', 'cisco'] as const)
        expect(exportAcl(format, { ...input(false), profile })).not.toMatch(/\b(drop|deny)\b/);
  });
});
