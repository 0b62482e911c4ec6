/** What the devices of a site do all day, class by class. */
import { latin } from './bytes.ts';
import * as clinical from './clinical-messages.ts';
import { Connection } from './network.ts';
import * as messages from './network-messages.ts';
import type { TlsStack } from './network-messages.ts';
import * as act from './exchanges.ts';
import { STACKS, between, exponential, pick } from './exchanges.ts';
import type { Device, Site } from './site.ts';
import type { Script } from './timeline.ts';

/** Periods below a minute are thinned out: a site of hundreds would otherwise send thousands of frames a second. */
function fast(site: Site, seconds: number): number {
  return seconds * site.thin;
}

function jittered(device: Device, seconds: number, share = 0.04): number {
  return seconds * (1 + share * (2 * device.random.double() - 1));
}

/** Waits until people do something: `perDay` times a day if they were busy all day (a thinned Poisson process). */
function* byPeople(site: Site, device: Device, kind: 'ward' | 'office', perDay: number): Script {
  do yield exponential(device, 86_400 / perDay);
  while (device.random.double() > site.busy(kind));
}

/** Whether all of them are switched on at this moment: it changes while a script waits. */
function on(...hosts: readonly Device[]): boolean {
  return hosts.every((h) => !h.off);
}

/** Starts everything that a device does by itself. */
export function startDevice(site: Site, device: Device, joining = false): void {
  const { timeline } = site;
  const later = (seconds: number): number => timeline.nowUs + between(device, 0, seconds) * 1e6;
  const has = (protocol: string): boolean => device.make.protocols.includes(protocol);
  if (device.make.dhcp !== undefined) {
    if (joining) timeline.start(act.dhcpBoot(site, device));
    timeline.start(leases(site, device), later(act.LEASE_S / 2));
  }
  const soon = joining ? 5 : 120;
  const start = (script: Script): void => timeline.start(script, later(soon));
  if (has('NTP')) start(clock(site, device));
  switch (device.make.type) {
    case 'patient-monitor':
      if (has('IntelliVue')) start(exported(site, device));
      else start(hl7Feed(site, device, () => device.block.servers.engine, 60));
      break;
    case 'central-station':
      start(hl7Feed(site, device, () => device.block.servers.engine, 20));
      break;
    case 'infusion-pump':
      start(pump(site, device));
      start(powerCycles(site, device, 14 * 3600, 4 * 3600));
      break;
    case 'ventilator':
      start(reportsOverTls(site, device, () => device.block.servers.gateway, 6464, 5));
      break;
    case 'ct':
    case 'ultrasound':
    case 'xray':
      start(modality(site, device));
      if (device.make.type === 'ultrasound') start(powerCycles(site, device, 5 * 3600, 2 * 3600));
      break;
    case 'imaging-workstation':
      start(reader(site, device));
      start(browsing(site, device, 30));
      break;
    case 'lab-analyzer':
      start(analyser(site, device));
      break;
    case 'lis':
      start(hl7Feed(site, device, () => device.block.servers.engine, 90));
      break;
    case 'pump-server':
      start(hl7Feed(site, device, () => device.block.servers.engine, 45));
      break;
    case 'sdc-gateway':
      start(hl7Feed(site, device, () => device.block.servers.engine, 30));
      break;
    case 'ehr':
      start(admissions(site, device));
      break;
    case 'workstation':
    case 'laptop':
      start(browsing(site, device, 110));
      start(records(site, device));
      start(documents(site, device));
      start(printing(site, device));
      if (device.random.double() < 0.5 || device.make.type === 'laptop') start(officeHours(site, device));
      break;
    case 'voip-phone':
      start(telephone(site, device));
      start(calls(site, device));
      break;
    case 'ip-camera':
      start(camera(site, device));
      break;
    case 'bacnet-controller':
      start(bacnetPolls(site, device));
      break;
    case 'medical-gas-panel':
    case 'ups':
      start(modbusPolls(site, device));
      break;
    case 'switch':
      start(neighbours(site, device));
      start(switchLog(site, device));
      break;
  }
  if (has('SNMP')) start(snmpPolls(site, device));
}

function* leases(site: Site, device: Device): Script {
  for (;;) {
    act.dhcpRenew(site, device);
    yield jittered(device, act.LEASE_S / 2, 0.02);
  }
}

function* clock(site: Site, device: Device): Script {
  for (;;) {
    if (!device.off) act.askTime(site, device);
    yield jittered(device, 1024);
  }
}

/** On for a while, off for a while, as what is carried from bed to bed. */
function* powerCycles(site: Site, device: Device, onS: number, offS: number): Script {
  for (;;) {
    yield exponential(device, onS);
    if (device.off) continue;
    device.off = true;
    yield exponential(device, offS) + 60;
    device.off = false;
    yield* act.dhcpBoot(site, device);
  }
}

/** Shut down when the day is over, on again in the morning. */
function* officeHours(site: Site, device: Device): Script {
  for (;;) {
    yield between(device, 600, 2400);
    const quiet = site.busy('office') < 0.1;
    if (quiet === device.off) continue;
    device.off = quiet;
    if (!quiet) yield* act.dhcpBoot(site, device);
  }
}

// ---- wards ----

/** The central station of the network, which listens to its monitors. */
function centralOf(device: Device): Device | undefined {
  return device.block.devices.find((d) => d.make.type === 'central-station' && d.vlan === device.vlan);
}

/** A monitor whose data the central station polls. */
function* exported(site: Site, monitor: Device): Script {
  const port = 30_000 + monitor.random.int(20_000);
  let associated = false;
  for (let n = 2; ; n++) {
    const central = centralOf(monitor);
    if (monitor.off || central === undefined || central.off) {
      associated = false;
      yield jittered(monitor, fast(site, 10), 0.3);
      continue;
    }
    if (!associated) {
      act.ivAnnounce(site, monitor);
      yield between(monitor, 0.2, 2);
      yield* act.ivAssociate(site, central, monitor, port);
      associated = true;
    }
    act.ivPollOnce(site, central, monitor, port, n);
    yield jittered(monitor, fast(site, 1));
  }
}

/** Results over one connection that stays open for hours. */
function* hl7Feed(site: Site, from: Device, target: () => Device, period: number): Script {
  const each = period < 60 ? Math.max(period, fast(site, period / 4)) : period;
  for (;;) {
    const to = target();
    const c = new Connection(site.network, from, to, 2575);
    if (from.off || !c.open()) {
      yield jittered(from, 120, 0.3);
      continue;
    }
    yield c.wait(0.01);
    const untilUs = site.timeline.nowUs + between(from, 10, 30) * 3600e6;
    while (site.timeline.nowUs < untilUs && on(from, to)) {
      const patient = act.patientOf(from);
      const values = [60 + from.random.int(40), 92 + from.random.int(8), 10 + from.random.int(12)];
      act.hl7Exchange(site, c, from, to, 'ORU^R01', (us) => clinical.vitals(patient, us, values));
      yield c.wait(jittered(from, each, 0.15));
    }
    if (on(from)) c.close();
    yield between(from, 1, 5);
  }
}

function* pump(site: Site, device: Device): Script {
  const server = device.block.servers.pumps;
  const clear = device.make.protocols.includes('HTTP');
  for (let n = 0; ; n++) {
    yield jittered(device, Math.max(60, fast(site, 8)), 0.3);
    if (device.off) continue;
    if (!clear) {
      yield* act.tlsVisit(site, device, server, 443, STACKS.embedded, undefined, 350 + device.random.int(120), 180);
      continue;
    }
    const c = new Connection(site.network, device, server, 80);
    if (!c.open()) continue;
    const body = `{"device":"${device.id}","sequence":${n},"state":"infusing","rate":${(1 + device.random.int(300)) / 10}}`;
    c.ask(messages.httpRequest('POST', server.name, '/api/status', 'SpaceCom/2.1', body));
    c.answer(messages.httpResponse('OnlineSuite', 'application/json', 24));
    yield c.wait();
    c.close();
  }
}

function* reportsOverTls(site: Site, device: Device, target: () => Device, port: number, period: number): Script {
  for (;;) {
    const to = target();
    const c = new Connection(site.network, device, to, port);
    if (!device.off) yield* act.tlsOpen(device, c, STACKS.openssl);
    if (!c.isOpen) {
      yield jittered(device, 60);
      continue;
    }
    const untilUs = site.timeline.nowUs + between(device, 6, 24) * 3600e6;
    while (site.timeline.nowUs < untilUs && !device.off && !to.off) {
      c.ask(messages.tlsData(device.random, 600 + device.random.int(400))).answer(messages.tlsData(to.random, 90));
      yield c.wait(jittered(device, fast(site, period), 0.1));
    }
    c.close();
    yield between(device, 1, 4);
  }
}

function* admissions(site: Site, device: Device): Script {
  const engine = device.block.servers.engine;
  const kinds = ['ADT^A01', 'ADT^A08', 'ADT^A08', 'ADT^A03', 'ORM^O01'];
  for (;;) {
    const c = new Connection(site.network, device, engine, 2575);
    if (!c.open()) {
      yield 60;
      continue;
    }
    for (let i = 0; i < 2000 && !engine.off && !device.off; i++) {
      yield c.wait();
      yield* byPeople(site, device, 'ward', 600);
      const patient = act.patientOf(device);
      act.hl7Exchange(site, c, device, engine, pick(device, kinds), () => [
        `PID|||${patient}^^^SIM^MR||Simulated^${patient}`,
        'PV1||I|W1',
      ]);
    }
    yield c.wait();
    c.close();
  }
}

// ---- images and laboratory ----

const OBJECT: Record<string, { sop: string; images: number; size: number; perDay: number }> = {
  ct: { sop: clinical.SOP.ct, images: 24, size: 24_000, perDay: 20 },
  ultrasound: { sop: clinical.SOP.us, images: 10, size: 36_000, perDay: 14 },
  xray: { sop: clinical.SOP.xray, images: 2, size: 160_000, perDay: 26 },
};

function* modality(site: Site, device: Device): Script {
  const kind = OBJECT[device.make.type]!;
  for (;;) {
    yield* byPeople(site, device, 'ward', kind.perDay);
    if (device.off) continue;
    const study = act.studyUid(site, device);
    const patient = act.patientOf(device);
    const archive = device.block.archive;
    if (device.random.double() < 0.3) {
      yield* act.dicomAssociation(site, device, archive, 104, [clinical.SOP.echo], function* (c) {
        c.ask(clinical.echoRequest(1)).answer(clinical.response(1, clinical.SOP.echo, 0x8030, 1, 0));
        yield c.wait();
      });
    }
    yield* act.dicomAssociation(site, device, archive, 104, [clinical.SOP.worklist], (c) =>
      act.find(device, c, 1, clinical.SOP.worklist, '', 1 + device.random.int(6), study),
    );
    yield between(device, 120, 900);
    const images = Math.max(1, Math.round(kind.images * between(device, 0.4, 1.8)));
    yield* act.dicomAssociation(site, device, archive, 104, [kind.sop], (c) =>
      act.store(device, c, kind.sop, patient, study, images, kind.size),
    );
  }
}

/** A radiologist: looks for a study, has it sent, reads. */
function* reader(site: Site, device: Device): Script {
  for (;;) {
    yield* byPeople(site, device, 'office', 40);
    if (device.off) continue;
    const archive = device.block.archive;
    const study = act.studyUid(site, device);
    const patient = act.patientOf(device);
    const { sop, images, size } = pick(device, Object.values(OBJECT));
    yield* act.dicomAssociation(site, device, archive, 104, [clinical.SOP.find, clinical.SOP.move], function* (c) {
      yield* act.find(device, c, 1, clinical.SOP.find, patient, 1 + device.random.int(3), study);
      c.ask(clinical.moveRequest(3, 2, act.aeTitle(device))).ask(clinical.identifier(3, patient, study, true));
      yield c.wait();
      yield* act.dicomAssociation(site, archive, device, 11_112, [sop], (back) =>
        act.store(archive, back, sop, patient, study, Math.min(12, images), size),
      );
      c.answer(clinical.response(3, clinical.SOP.move, 0x8021, 2, 0));
      yield c.wait();
    });
  }
}

function* analyser(site: Site, device: Device): Script {
  const lis = device.block.servers.lis;
  for (;;) {
    yield* byPeople(site, device, 'ward', 160);
    const c = new Connection(site.network, device, lis, 4000);
    if (device.off || !c.open()) continue;
    const sample = device.random.int(1_000_000);
    const records = [
      `H|\\^&|||${device.name}|||||LIS||P|1|${clinical.hl7Time(site.timeline.nowUs)}`,
      'P|1',
      `O|1|S${sample}||^^^PANEL|R`,
      `R|1|^^^GLU|${50 + device.random.int(120)}|mg/dL||N||F`,
      `R|2|^^^NA|${130 + device.random.int(16)}|mmol/L||N||F`,
      'L|1|N',
    ];
    c.ask(clinical.ENQ).answer(clinical.ACK);
    for (const [i, record] of records.entries()) {
      c.ask(clinical.astmFrame(i + 1, record)).answer(clinical.ACK);
      yield c.wait();
    }
    c.ask(clinical.EOT);
    yield c.wait();
    c.close();
  }
}

// ---- offices ----

const SITES = Array.from({ length: 60 }, (_, i) => `www${i}.web-${i % 23}.example`);
const UPDATES = ['update.os-vendor.example', 'telemetry.os-vendor.example', 'definitions.av-vendor.example'];

export function* visitOutside(
  site: Site,
  device: Device,
  name: string,
  stack: TlsStack,
  up: number,
  down: number,
): Script {
  const host = site.outsideHost(name);
  yield act.lookUp(site, device, name, host.ip);
  yield* act.tlsVisit(site, device, host, 443, stack, name, up, down);
}

function* browsing(site: Site, device: Device, perDay: number): Script {
  for (;;) {
    yield* byPeople(site, device, 'office', perDay);
    if (device.off) continue;
    const r = device.random;
    // Few places are visited often, many seldom; now and then one that nobody here has seen before.
    const rank = Math.floor(SITES.length * r.double() ** 3);
    const draw = r.double();
    const name =
      draw < 0.004 ? `www.once-${r.int(1_000_000)}.example` : draw < 0.15 ? pick(device, UPDATES) : SITES[rank]!;
    yield* visitOutside(
      site,
      device,
      name,
      STACKS.browser,
      600 + r.int(2500),
      3000 + Math.floor(exponential(device, 30_000)),
    );
  }
}

function* records(site: Site, device: Device): Script {
  const server = device.block.servers.records;
  for (;;) {
    yield* byPeople(site, device, 'ward', 240);
    if (device.off) continue;
    if (device.random.double() < 0.2) yield act.lookUp(site, device, 'records.site.example', server.ip);
    yield* act.tlsVisit(
      site,
      device,
      server,
      443,
      STACKS.browser,
      'records.site.example',
      900,
      2000 + Math.floor(exponential(device, 9000)),
    );
  }
}

function* documents(site: Site, device: Device): Script {
  const server = device.block.servers.files;
  for (;;) {
    yield* byPeople(site, device, 'office', 16);
    const share = yield* act.smbOpen(site, device, server, 'documents');
    if (share === undefined) continue;
    const files = 1 + device.random.int(6);
    for (let i = 0; i < files && !device.off; i++) {
      const write = device.random.double() < 0.3;
      yield* act.smbFile(
        device,
        share,
        `ward\\plan-${device.random.int(400)}.docx`,
        4000 + Math.floor(exponential(device, 40_000)),
        { read: !write, write },
      );
      yield between(device, 2, 60);
    }
    share.c.close();
  }
}

function* printing(site: Site, device: Device): Script {
  const printers = device.block.devices.filter((d) => d.make.type === 'printer');
  if (printers.length === 0) return;
  const own = pick(device, printers);
  for (;;) {
    yield* byPeople(site, device, 'office', 9);
    const c = new Connection(site.network, device, own, 9100);
    if (device.off || !c.open()) continue;
    c.ask(latin('\x1b%-12345X@PJL JOB\r\n@PJL ENTER LANGUAGE=PCL\r\n'));
    yield* c.bulk(
      true,
      8000 + Math.floor(exponential(device, 50_000)),
      (n) => messages.randomBytes(device.random, n),
      3e6,
    );
    c.close();
  }
}

function* telephone(site: Site, device: Device): Script {
  const server = device.block.servers.calls;
  const call = `r${device.id}`;
  for (let n = 1; ; n++) {
    yield jittered(device, 600, 0.1);
    if (device.off) continue;
    const uri = `${device.name}@${device.ip}`;
    const ask = messages.sip(`REGISTER sip:${server.ip} SIP/2.0`, uri, uri, call, n, 'REGISTER');
    act.pollUdp(site, device, server, 5060, 5060, ask, messages.sip('SIP/2.0 200 OK', uri, uri, call, n, 'REGISTER'));
  }
}

function* calls(site: Site, device: Device): Script {
  const phones = device.block.devices.filter((d) => d.make.type === 'voip-phone' && d !== device);
  const server = device.block.servers.calls;
  const voice = new Uint8Array(160).fill(0xff);
  for (let n = 1; phones.length > 0; n++) {
    yield* byPeople(site, device, 'office', 12);
    const other = pick(device, phones);
    if (device.off || other.off) continue;
    const from = `${device.name}@${device.ip}`;
    const to = `${other.name}@${other.ip}`;
    const call = `c${device.id}-${n}`;
    const port = 16_384 + 2 * device.random.int(8000);
    const say = (a: Device, b: Device, first: string, method: string, body = ''): void =>
      void site.network.udp(
        site.timeline.nowUs,
        a,
        b,
        5060,
        5060,
        messages.sip(first, from, to, call, n, method, body),
      );
    say(device, server, `INVITE sip:${to} SIP/2.0`, 'INVITE', messages.sdp(device.ip, port));
    yield 0.01;
    say(server, other, `INVITE sip:${to} SIP/2.0`, 'INVITE', messages.sdp(device.ip, port));
    yield between(device, 2, 9);
    say(other, server, 'SIP/2.0 200 OK', 'INVITE', messages.sdp(other.ip, port));
    yield 0.01;
    say(server, device, 'SIP/2.0 200 OK', 'INVITE', messages.sdp(other.ip, port));
    yield 0.02;
    say(device, server, `ACK sip:${to} SIP/2.0`, 'ACK');
    const pace = fast(site, 0.02);
    const seconds = between(device, 20, 180);
    for (let k = 0; k * pace < seconds && on(device, other); k++) {
      const at = site.timeline.nowUs;
      site.network.udp(at, device, other, port, port, messages.rtp(0, k, k * 160, n, voice));
      site.network.udp(at + 400, other, device, port, port, messages.rtp(0, k, k * 160, n + 1, voice));
      yield pace;
    }
    say(device, server, `BYE sip:${to} SIP/2.0`, 'BYE');
    yield 0.02;
    say(server, device, 'SIP/2.0 200 OK', 'BYE');
  }
}

// ---- building ----

function* camera(site: Site, device: Device): Script {
  const recorder = device.block.servers.recorder;
  const port = 50_000 + 2 * device.random.int(2000);
  const url = `rtsp://${device.ip}/axis-media/media.amp`;
  for (;;) {
    const c = new Connection(site.network, recorder, device, 554);
    if (device.off || !c.open()) {
      yield jittered(device, 60);
      continue;
    }
    const ask = (n: number, first: string, lines: string[], answer: string[], body = ''): void => {
      c.ask(messages.rtsp(`${first} RTSP/1.0`, n, lines)).answer(messages.rtsp('RTSP/1.0 200 OK', n, answer, body));
    };
    ask(1, `OPTIONS ${url}`, [], ['Public: OPTIONS, DESCRIBE, SETUP, PLAY']);
    ask(
      2,
      `DESCRIBE ${url}`,
      ['Accept: application/sdp'],
      [],
      messages.sdp(device.ip, 0).replace('audio 0 RTP/AVP 0', 'video 0 RTP/AVP 96'),
    );
    ask(
      3,
      `SETUP ${url}`,
      [`Transport: RTP/AVP;unicast;client_port=${port}-${port + 1}`],
      [`Transport: RTP/AVP;unicast;client_port=${port}-${port + 1};server_port=5000-5001`, 'Session: 1'],
    );
    ask(4, `PLAY ${url}`, ['Session: 1'], ['Session: 1']);
    yield c.wait();
    const untilUs = site.timeline.nowUs + between(device, 20, 40) * 3600e6;
    const pace = fast(site, 0.25);
    let keepUs = site.timeline.nowUs;
    for (let k = 0; site.timeline.nowUs < untilUs && on(device); k++) {
      const picture = messages.rtp(
        96,
        k,
        k * 22_500,
        77,
        messages.randomBytes(device.random, 900 + device.random.int(400)),
      );
      site.network.udp(site.timeline.nowUs, device, recorder, 5000, port, picture);
      if (site.timeline.nowUs > keepUs + 55e6) {
        keepUs = site.timeline.nowUs;
        ask(5 + k, `OPTIONS ${url}`, ['Session: 1'], ['Session: 1']);
        yield c.wait();
      }
      yield jittered(device, pace, 0.02);
    }
    c.close();
    yield 2;
  }
}

function* bacnetPolls(site: Site, device: Device): Script {
  const server = device.block.servers.building;
  const instance = device.random.int(40);
  let warm = false;
  for (let n = 0; ; n++) {
    yield jittered(device, Math.max(30, fast(site, 5)), 0.1);
    const value = 19 + device.random.int(40) / 10;
    act.pollUdp(
      site,
      server,
      device,
      47_808,
      47_808,
      messages.bacnetRead(n, instance),
      messages.bacnetValue(n, instance, value),
    );
    // Setpoints follow the offices' hours: two writes a day, by the building server.
    const wanted = site.busy('office') >= 0.3;
    if (wanted !== warm) {
      warm = wanted;
      yield between(device, 1, 120);
      act.pollUdp(
        site,
        server,
        device,
        47_808,
        47_808,
        messages.bacnetWrite(n, instance, warm ? 21.5 : 18),
        messages.bacnetDone(n),
      );
    }
  }
}

function* modbusPolls(site: Site, device: Device): Script {
  const server = device.block.servers.building;
  for (;;) {
    const c = new Connection(site.network, server, device, 502);
    if (!c.open()) {
      yield 60;
      continue;
    }
    const untilUs = site.timeline.nowUs + between(device, 12, 36) * 3600e6;
    for (let n = 1; site.timeline.nowUs < untilUs && !device.off; n++) {
      const values = [400 + device.random.int(20), 230 + device.random.int(4), device.random.int(2)];
      c.ask(messages.modbusRead(n, 0, 3)).answer(messages.modbusValues(n, values));
      yield c.wait(jittered(device, Math.max(20, fast(site, 2)), 0.05));
    }
    c.close();
    yield 3;
  }
}

function* snmpPolls(site: Site, device: Device): Script {
  const manager = device.block.servers.infrastructure;
  if (manager === device) return;
  const port = 40_000 + device.random.int(9000);
  for (let n = 1; ; n++) {
    yield jittered(device, 300, 0.02);
    if (device.off) continue;
    const values = [Math.floor((site.timeline.nowUs - site.startUs) / 10_000), n * 7919, n * 6007];
    act.pollUdp(
      site,
      manager,
      device,
      port,
      161,
      messages.snmp('site-read', n, undefined),
      messages.snmp('site-read', n, values),
    );
  }
}

function* neighbours(site: Site, device: Device): Script {
  for (;;) {
    if (!device.off) {
      const body = messages.lldp(device.mac, device.name, 'Cisco IOS Software, C2960X');
      site.network.ethernet(site.timeline.nowUs, device.vlan, device.mac, '01:80:c2:00:00:0e', 0x88cc, body);
    }
    yield jittered(device, Math.max(30, fast(site, 3)), 0.01);
  }
}

function* switchLog(site: Site, device: Device): Script {
  for (;;) {
    yield exponential(device, 1800);
    const text = `${device.name} - - - %LINEPROTO-5-UPDOWN: Line protocol on Interface Gi0/${1 + device.random.int(47)}, changed state to up`;
    site.network.udp(
      site.timeline.nowUs,
      device,
      device.block.servers.infrastructure,
      514,
      514,
      messages.syslog(189, site.timeline.nowUs, device.name, text),
    );
  }
}
