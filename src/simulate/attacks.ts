/** Attacks as they look on the wire. There is no malware and no exploit in them. */
import type { Prng } from '../lib/prng.ts';
import { Bytes, latin } from './bytes.ts';
import * as clinical from './clinical-messages.ts';
import type { Plan, Technique } from './events.ts';
import * as act from './exchanges.ts';
import { STACKS, tlsOpen } from './exchanges.ts';
import { BROADCAST, Connection, TCP } from './network.ts';
import type { Host } from './network.ts';
import * as messages from './network-messages.ts';
import type { Device, Site } from './site.ts';

function technique(id: string, name: string, enterprise: string | null): Technique {
  return { matrix: 'ATT&CK for ICS', id, name, enterprise_id: enterprise };
}

const DISCOVERY = technique('T0846', 'Remote System Discovery', 'T1046');
const COMMAND = technique('T0869', 'Standard Application Layer Protocol', 'T1071.001');
const THEFT = technique('T0882', 'Theft of Operational Information', 'T1048.002');

/** A device of the type that is on; any that is on where there is none of the type. */
function anyOf(site: Site, random: Prng, type: string, model?: string): Device {
  const on = site.devices.filter((d) => !d.off && d !== site.router);
  const fit = on.filter((d) => d.make.type === type && (model === undefined || d.make.model === model));
  const from = fit.length > 0 ? fit : on;
  return from[random.int(from.length)]!;
}

/** A connection attempt: refused by a host, unanswered by an address that nobody has. */
function probe(site: Site, from: Host, to: Host, port: number): void {
  const exists = site.devices.some((d) => d.ip === to.ip && !d.off);
  const c = new Connection(site.network, from, { ...to, off: !exists }, port);
  if (exists) c.refused();
  else {
    const at = site.network.resolve(site.timeline.nowUs, from, { ...to, off: true });
    if (to.vlan !== from.vlan)
      site.network.tcp(
        at,
        from,
        to,
        [site.network.ephemeral(), port],
        site.network.random.uint32(),
        0,
        TCP.syn,
        undefined,
      );
  }
}

/** An address near that of another device; who has it, if anybody. */
function neighbour(site: Site, near: Device, random: Prng): Host {
  const ip = near.ip.replace(/\d+$/, String(2 + random.int(250)));
  return (
    site.devices.find((d) => d.ip === ip) ?? {
      name: ip,
      mac: BROADCAST,
      vlan: near.vlan,
      ip,
      ttl: 64,
      off: true,
      clockSkewS: 0,
    }
  );
}

function horizontal(kind: string, description: string, targets: number, pauseS: number): Plan {
  return {
    kind,
    technique: DISCOVERY,
    description,
    *run(site, random, tell) {
      const attacker = anyOf(site, random, 'workstation');
      tell.attacker(attacker);
      tell.filter(`ip.src==${attacker.ip} && tcp.dstport==445 && tcp.flags.syn==1 && tcp.flags.ack==0`);
      tell.detail('targets', targets);
      for (let i = 0; i < targets; i++) {
        const near = site.devices[random.int(site.devices.length)]!;
        const to = neighbour(site, near, random);
        if ('id' in to && i < 40) tell.victim(to);
        probe(site, attacker, to, 445);
        yield pauseS * (0.5 + random.double());
      }
    },
  };
}

function beacon(jitter: number): Plan {
  return {
    kind: `beacon_${jitter}`,
    technique: COMMAND,
    description: `a workstation calls an outside host about every minute with ${jitter} % of jitter`,
    *run(site, random, tell) {
      const attacker = anyOf(site, random, 'workstation');
      const host = site.outsideHost(`sync-${jitter}.command.example`);
      tell.attacker(attacker);
      tell.victim(host);
      tell.filter(`ip.addr==${attacker.ip} && ip.addr==${host.ip}`);
      tell.detail('period_s', 60);
      yield act.lookUp(site, attacker, host.name, host.ip);
      for (let i = 0; i < 120; i++) {
        const started = site.timeline.nowUs;
        yield* act.tlsVisit(site, attacker, host, 443, STACKS.embedded, host.name, 180, 90);
        const period = 60 * (1 + (jitter / 100) * (2 * random.double() - 1));
        yield Math.max(0.5, period - (site.timeline.nowUs - started) / 1e6);
      }
    },
  };
}

function exfiltration(kind: string, bytes: number, bytesPerSecond: number): Plan {
  return {
    kind,
    technique: THEFT,
    description: `${bytes / 1e6} MB are uploaded to an outside host at ${bytesPerSecond / 1000} kB/s`,
    *run(site, random, tell) {
      const attacker = anyOf(site, random, 'workstation');
      const host = site.outsideHost(`${kind.replace('_', '-')}.drop.example`);
      tell.attacker(attacker);
      tell.victim(host);
      tell.filter(`ip.addr==${attacker.ip} && ip.addr==${host.ip}`);
      tell.detail('bytes', bytes);
      tell.detail('bytes_per_s', bytesPerSecond);
      yield act.lookUp(site, attacker, host.name, host.ip);
      const c = new Connection(site.network, attacker, host, 443);
      yield* tlsOpen(attacker, c, STACKS.openssl, host.name);
      yield* c.bulk(true, bytes, (n) => messages.tlsData(random, n), bytesPerSecond);
      c.close();
    },
  };
}

/** Tells `victim` that `claims` is at the rogue's hardware address. */
function claim(site: Site, rogue: Host, victim: Host, claims: string): void {
  const { network, timeline } = site;
  network.arp(timeline.nowUs, victim.vlan, rogue.mac, 2, [rogue.mac, claims], [victim.mac, victim.ip], victim.mac);
}

/** By group name, as on the command line. */
export const ATTACKS: Readonly<Record<string, readonly Plan[]>> = {
  scan: [
    horizontal('scan_horizontal', 'a workstation tries many addresses on one port', 120, 0.4),
    {
      kind: 'scan_vertical',
      technique: DISCOVERY,
      description: 'a workstation tries many ports of one server',
      *run(site, random, tell) {
        const attacker = anyOf(site, random, 'workstation');
        const victim = site.blocks[0]!.servers.lis;
        tell.attacker(attacker);
        tell.victim(victim);
        tell.filter(`ip.addr==${attacker.ip} && ip.addr==${victim.ip}`);
        for (let port = 1; port <= 1000; port += 1 + random.int(6)) {
          probe(site, attacker, victim, port);
          yield 0.02 + 0.1 * random.double();
        }
      },
    },
    horizontal('scan_slow', 'a workstation tries an address every minute or so', 90, 60),
  ],
  'arp-spoof': [
    {
      kind: 'arp_spoof',
      technique: technique('T0830', 'Adversary-in-the-Middle', 'T1557.002'),
      description: 'an unknown host puts itself between a monitor and the central station',
      *run(site, random, tell) {
        const central = anyOf(site, random, 'central-station');
        const monitor =
          site.devices.find((d) => d.make.type === 'patient-monitor' && d.vlan === central.vlan) ?? central;
        const rogue = site.rogue('rogue-arp', central, random);
        tell.attacker(rogue, true);
        tell.victim(monitor, central);
        tell.filter(`arp.opcode==2 && arp.src.hw_mac==${rogue.mac}`);
        for (let i = 0; i < 90; i++) {
          claim(site, rogue, central, monitor.ip);
          claim(site, rogue, monitor, central.ip);
          yield 1;
        }
      },
    },
  ],
  'rogue-dhcp': [
    {
      kind: 'rogue_dhcp',
      technique: technique('T0830', 'Adversary-in-the-Middle', 'T1557.003'),
      description: 'an unknown host answers the requests of a pump for an address and names itself as router',
      *run(site, random, tell) {
        const victim = anyOf(site, random, 'infusion-pump');
        const rogue = site.rogue('rogue-dhcp', victim, random);
        const client = victim.make.dhcp;
        if (client === undefined) return;
        tell.attacker(rogue, true);
        tell.victim(victim);
        tell.filter(`dhcp && eth.src==${rogue.mac}`);
        const net = site.network;
        for (let i = 0; i < 3; i++) {
          const xid = random.uint32();
          const at = site.timeline.nowUs;
          const ask = messages.dhcp({ op: 1, type: 1, xid, mac: victim.mac, hostname: victim.name, client });
          net.ipToMany(
            at,
            victim,
            '0.0.0.0',
            '255.255.255.255',
            17,
            net.datagram('0.0.0.0', '255.255.255.255', 68, 67, ask),
          );
          const lease = { seconds: 600, router: rogue.ip, dns: rogue.ip };
          const offer = messages.dhcp({
            op: 2,
            type: 2,
            xid,
            mac: victim.mac,
            yiaddr: victim.ip,
            server: rogue.ip,
            lease,
          });
          net.udp(at + 700, rogue, victim, 67, 68, offer);
          yield 5;
        }
        yield* act.dhcpBoot(site, victim);
      },
    },
  ],
  'brute-force': [
    {
      kind: 'brute_smb',
      technique: technique('T0812', 'Default Credentials', 'T1110.001'),
      description: 'a workstation tries passwords at the file server',
      *run(site, random, tell) {
        const attacker = anyOf(site, random, 'workstation');
        const victim = attacker.block.servers.files;
        tell.attacker(attacker);
        tell.victim(victim);
        tell.filter(`ip.addr==${attacker.ip} && ip.addr==${victim.ip} && tcp.port==445`);
        tell.detail('attempts', 60);
        for (let i = 0; i < 60; i++) {
          yield* act.smbOpen(site, attacker, victim, 'documents', false);
          yield 0.2 + random.double();
        }
      },
    },
  ],
  beacon: [beacon(0), beacon(25), beacon(50)],
  exfiltration: [
    exfiltration('exfil_fast', 20e6, 4e6),
    exfiltration('exfil_medium', 20e6, 150e3),
    exfiltration('exfil_slow', 8e6, 4e3),
  ],
  ransomware: [
    {
      kind: 'smb_encryption',
      technique: technique('T0809', 'Data Destruction', 'T1486'),
      description: 'files of a share are read, overwritten with random bytes and renamed',
      *run(site, random, tell) {
        const attacker = anyOf(site, random, 'workstation');
        const victim = attacker.block.servers.files;
        tell.attacker(attacker);
        tell.victim(victim);
        tell.filter(`ip.addr==${attacker.ip} && ip.addr==${victim.ip} && tcp.port==445`);
        const share = yield* act.smbOpen(site, attacker, victim, 'documents');
        if (share === undefined) return;
        tell.detail('files', 80);
        for (let i = 0; i < 80; i++) {
          const name = `ward\\plan-${i}.docx`;
          yield* act.smbFile(attacker, share, name, 10_000 + random.int(60_000), {
            read: true,
            write: true,
            rename: `${name}.locked`,
          });
        }
        share.c.close();
      },
    },
  ],
  'rogue-controller': [
    {
      kind: 'modbus_write',
      technique: technique('T0855', 'Unauthorized Command Message', null),
      description: 'a workstation writes registers of the gas alarm panel',
      *run(site, random, tell) {
        const attacker = anyOf(site, random, 'workstation');
        const victim = anyOf(site, random, 'medical-gas-panel');
        tell.attacker(attacker);
        tell.victim(victim);
        tell.filter(`ip.addr==${attacker.ip} && ip.addr==${victim.ip} && tcp.port==502`);
        const c = new Connection(site.network, attacker, victim, 502);
        if (!c.open()) return;
        for (let i = 1; i <= 15; i++) {
          const write = messages.modbusWrite(i, random.int(4), random.int(1000));
          c.ask(write).answer(write);
          yield c.wait(1 + random.double());
        }
        c.close();
      },
    },
    {
      kind: 'monitor_setting',
      technique: technique('T0836', 'Modify Parameter', null),
      description: 'a workstation associates with a patient monitor and changes alarm settings',
      *run(site, random, tell) {
        const attacker = anyOf(site, random, 'workstation');
        const victim = anyOf(site, random, 'patient-monitor', 'IntelliVue MX750');
        tell.attacker(attacker);
        tell.victim(victim);
        tell.filter(`ip.addr==${attacker.ip} && ip.addr==${victim.ip} && udp.port==24105`);
        const port = site.network.ephemeral();
        yield* act.ivAssociate(site, attacker, victim, port);
        for (let i = 2; i < 12; i++) {
          act.ivPollOnce(site, attacker, victim, port, i);
          yield 1;
          site.network.udp(
            site.timeline.nowUs,
            attacker,
            victim,
            port,
            act.IV_PORT,
            clinical.ivSet(i, random.int(200)),
          );
          yield 1;
        }
      },
    },
  ],
  'hl7-replay': [
    {
      kind: 'hl7_replay',
      technique: technique('T0856', 'Spoof Reporting Message', 'T1565.002'),
      description: 'results that were sent before are sent again from a workstation, with altered values',
      *run(site, random, tell) {
        const attacker = anyOf(site, random, 'workstation');
        const heard = site.overheard.filter((m) => m.type === 'ORU^R01').slice(-12);
        const victim = heard[0]?.to ?? attacker.block.servers.engine;
        tell.attacker(attacker);
        tell.victim(victim);
        tell.filter(`ip.addr==${attacker.ip} && ip.addr==${victim.ip} && tcp.port==2575`);
        tell.detail('messages', heard.length);
        const c = new Connection(site.network, attacker, victim, 2575);
        if (!c.open()) return;
        for (const { from, type, controlId, segments } of heard) {
          const altered = segments.map((s) =>
            s.startsWith('OBX') ? s.replace(/\|\|\d+\|/, `||${150 + random.int(80)}|`) : s,
          );
          c.ask(clinical.hl7Message(type, act.party(from), act.party(victim), controlId, site.timeline.nowUs, altered));
          c.answer(clinical.hl7Ack(act.party(victim), act.party(from), controlId, site.timeline.nowUs));
          yield c.wait(2 + random.double());
        }
        c.close();
      },
    },
  ],
  'device-silent': [
    {
      kind: 'device_silent',
      technique: technique('T0815', 'Denial of View', 'T1489'),
      description: 'a ventilator falls silent for an hour',
      *run(site, random, tell) {
        const victim = anyOf(site, random, 'ventilator');
        tell.victim(victim);
        tell.filter(`eth.src==${victim.mac}`);
        victim.off = true;
        yield 3600;
        victim.off = false;
      },
    },
  ],
  flood: [
    {
      kind: 'udp_flood',
      technique: technique('T0814', 'Denial of Service', 'T1498.001'),
      description: "a workstation floods a monitor's data export port",
      *run(site, random, tell) {
        const attacker = anyOf(site, random, 'workstation');
        const victim = anyOf(site, random, 'patient-monitor');
        tell.attacker(attacker);
        tell.victim(victim);
        tell.filter(`ip.src==${attacker.ip} && ip.dst==${victim.ip} && udp.dstport==24105`);
        tell.detail('packets', 12_000);
        const port = site.network.ephemeral();
        const filler = new Bytes().zeros(120).done();
        for (let i = 0; i < 12_000; i++) {
          site.network.udp(site.timeline.nowUs, attacker, victim, port, act.IV_PORT, filler);
          yield 0.0015 + 0.001 * random.double();
        }
      },
    },
  ],
  botnet: [
    {
      kind: 'telnet_botnet',
      technique: technique('T0846', 'Remote System Discovery', 'T1595.001'),
      description:
        'a camera tries Telnet at many addresses inside and outside, and default passwords where it is let in',
      *run(site, random, tell) {
        const attacker = anyOf(site, random, 'ip-camera');
        tell.attacker(attacker);
        tell.filter(`eth.src==${attacker.mac} && tcp.dstport in {23,2323} && tcp.flags.syn==1 && tcp.flags.ack==0`);
        for (let i = 0; i < 400; i++) {
          const port = random.int(10) === 0 ? 2323 : 23;
          if (random.int(3) === 0) probe(site, attacker, neighbour(site, attacker, random), port);
          else probe(site, attacker, site.outsideHost(`h${random.uint32()}.internet.example`), port);
          yield 0.05 + 0.2 * random.double();
        }
        const victim = anyOf(site, random, 'switch');
        tell.victim(victim);
        for (const password of ['admin', 'root', '1234', 'xc3511', 'vizxv', 'default']) {
          const c = new Connection(site.network, attacker, victim, 23);
          if (!c.open()) return;
          c.answer(latin('\r\nUser Access Verification\r\n\r\nUsername: '))
            .ask(latin('root\r\n'))
            .answer(latin('Password: '));
          c.ask(latin(`${password}\r\n`)).answer(latin('\r\n% Login invalid\r\n'));
          yield c.wait(0.5);
          c.close();
        }
      },
    },
  ],
};
