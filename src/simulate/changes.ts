/** Legitimate changes of a site: nothing of it is an attack, and nothing should wake anybody. */
import type { Prng } from '../lib/prng.ts';
import { startDevice, visitOutside } from './behaviour.ts';
import { ENDPOINTS } from './catalogue.ts';
import * as clinical from './clinical-messages.ts';
import type { Plan } from './events.ts';
import * as act from './exchanges.ts';
import { STACKS, between } from './exchanges.ts';
import { Connection } from './network.ts';
import * as messages from './network-messages.ts';
import type { Device, Site } from './site.ts';

function anyOf(site: Site, random: Prng, type: string, model?: string): Device | undefined {
  const found = site.devices.filter(
    (d) => d.make.type === type && !d.off && (model === undefined || d.make.model === model),
  );
  return found[random.int(Math.max(1, found.length))];
}

function makeOf(type: string): (typeof ENDPOINTS)[number]['make'] {
  return ENDPOINTS.find((e) => e.make.type === type)!.make;
}

export const CHANGES: readonly Plan[] = [
  {
    kind: 'firmware_update',
    technique: null,
    description: 'a pump fetches firmware from its pump server, then restarts',
    *run(site, random, tell) {
      const device = anyOf(site, random, 'infusion-pump', 'Infusomat Space');
      if (device === undefined) return;
      const server = device.block.servers.pumps;
      tell.victim(device, server);
      tell.filter(`ip.addr==${device.ip} && ip.addr==${server.ip} && tcp.port==80`);
      const c = new Connection(site.network, device, server, 80);
      if (c.open()) {
        const size = 1_500_000 + random.int(1_000_000);
        tell.detail('bytes', size);
        c.ask(messages.httpRequest('GET', server.name, '/firmware/space-2.2.bin', 'SpaceCom/2.1'));
        c.answer(messages.httpResponse('OnlineSuite', 'application/octet-stream', 0).subarray(0, 20));
        yield* c.bulk(false, size, (n) => messages.randomBytes(random, n), 1e6);
        c.close();
      }
      yield 20;
      device.off = true;
      yield between(device, 40, 90);
      device.off = false;
      yield* act.dhcpBoot(site, device);
    },
  },
  {
    kind: 'device_moves_network',
    technique: null,
    description: 'a pump is carried to another department and comes up in its network',
    *run(site, random, tell) {
      const device = anyOf(site, random, 'infusion-pump');
      if (device === undefined) return;
      tell.victim(device);
      device.off = true;
      yield between(device, 300, 1200);
      const place = site.place(device.block, 'imaging');
      device.vlan = place.vlan;
      device.ip = place.ip;
      device.addresses.push({ ...place, fromS: site.timeline.nowUs / 1e6 });
      tell.detail('ip', place.ip);
      tell.filter(`eth.addr==${device.mac}`);
      device.off = false;
      yield* act.dhcpBoot(site, device);
    },
  },
  {
    kind: 'new_laptop',
    technique: null,
    description: 'a new laptop is handed to a member of the staff and stays',
    *run(site, _random, tell) {
      const device = site.join(makeOf('laptop'), site.blocks[0]!);
      tell.victim(device);
      tell.detail('persists', 1);
      tell.filter(`eth.addr==${device.mac}`);
      startDevice(site, device, true);
      yield 3600;
    },
  },
  {
    kind: 'archive_move',
    technique: null,
    description: 'the image archive moves to another host: studies are copied, then all modalities store there',
    *run(site, random, tell) {
      const block = site.blocks[0]!;
      const { pacs, pacsSpare } = block.servers;
      tell.victim(pacs, pacsSpare);
      tell.filter(`ip.addr==${pacsSpare.ip} && tcp.port==104`);
      for (let i = 0; i < 6; i++) {
        yield* act.dicomAssociation(site, pacs, pacsSpare, 104, [clinical.SOP.ct], (c) =>
          act.store(pacs, c, clinical.SOP.ct, `SIM${random.int(1000)}`, act.studyUid(site, pacs), 8, 30_000),
        );
        yield 30;
      }
      block.archive = pacsSpare;
      tell.detail('persists', 1);
      yield 1800;
    },
  },
  {
    kind: 'new_modality_joins',
    technique: null,
    description: 'a new ultrasound system of a known model is connected and works from now on',
    *run(site, _random, tell) {
      const device = site.join(makeOf('ultrasound'), site.blocks[0]!);
      tell.victim(device);
      tell.detail('persists', 1);
      tell.filter(`eth.addr==${device.mac}`);
      startDevice(site, device, true);
      yield 3600;
    },
  },
  {
    kind: 'clock_shift',
    technique: null,
    description: 'the clock of a monitor jumps by an hour',
    *run(site, random, tell) {
      const device = anyOf(site, random, 'patient-monitor', 'CARESCAPE B650');
      if (device === undefined) return;
      tell.victim(device);
      tell.filter(`ip.addr==${device.ip} && hl7`);
      device.clockSkewS += 3600;
      tell.detail('seconds', 3600);
      yield 3600;
    },
  },
  {
    kind: 'switch_reboot',
    technique: null,
    description:
      'the switch of a ward restarts; all that hangs on it is away for minutes and asks for its address anew',
    *run(site, _random, tell) {
      const central = site.devices.find((d) => d.make.type === 'central-station');
      if (central === undefined) return;
      const cut = site.devices.filter((d) => d.vlan === central.vlan && !d.off);
      tell.victim(...cut);
      tell.filter(`vlan.id==${central.vlan}`);
      for (const device of cut) device.off = true;
      yield 150;
      for (const device of cut) {
        device.off = false;
        site.timeline.start(act.dhcpBoot(site, device), site.timeline.nowUs + between(device, 0, 20) * 1e6);
      }
      yield 30;
    },
  },
  {
    kind: 'maintenance_session',
    technique: null,
    description: "a technician's laptop reads the service pages of a scanner, which then reports to its maker",
    *run(site, random, tell) {
      const device = anyOf(site, random, 'ct');
      const laptop = anyOf(site, random, 'laptop') ?? anyOf(site, random, 'workstation');
      if (device === undefined || laptop === undefined) return;
      tell.victim(device, laptop);
      tell.filter(`ip.addr==${device.ip} && (ip.addr==${laptop.ip} || tcp.port==443)`);
      for (let i = 0; i < 12; i++) {
        yield* act.tlsVisit(site, laptop, device, 443, STACKS.browser, undefined, 700, 20_000 + random.int(60_000));
        yield between(laptop, 20, 120);
      }
      yield* visitOutside(site, device, 'remote.imaging-vendor.example', STACKS.openssl, 30_000, 8000);
    },
  },
  {
    kind: 'large_study',
    technique: null,
    description: 'a scanner stores an unusually large study',
    *run(site, random, tell) {
      const device = anyOf(site, random, 'ct');
      if (device === undefined) return;
      const archive = device.block.archive;
      tell.victim(device, archive);
      tell.filter(`ip.addr==${device.ip} && ip.addr==${archive.ip}`);
      tell.detail('images', 240);
      yield* act.dicomAssociation(site, device, archive, 104, [clinical.SOP.ct], (c) =>
        act.store(device, c, clinical.SOP.ct, `SIM${random.int(1000)}`, act.studyUid(site, device), 240, 24_000),
      );
    },
  },
];
