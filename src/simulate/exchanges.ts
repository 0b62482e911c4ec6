/** What devices do together once: scripts that behaviour, changes and attacks are made of. */
import * as clinical from './clinical-messages.ts';
import type { Hl7Party } from './clinical-messages.ts';
import { latin } from './bytes.ts';
import { BROADCAST, Connection, gatewayIp, ipBytes, macBytes } from './network.ts';
import type { Host } from './network.ts';
import * as messages from './network-messages.ts';
import type { SmbSession, TlsStack } from './network-messages.ts';
import type { Device, Site } from './site.ts';
import type { Script } from './timeline.ts';

export const LEASE_S = 28_800;

export function gatewayOf(site: Site, ip: string, vlan: number): Host {
  return { name: 'gw', mac: site.network.gatewayMac, vlan, ip: gatewayIp(ip), ttl: 255, off: false, clockSkewS: 0 };
}

/** Between `from` and `to`, uniformly. */
export function between(device: Device, from: number, to: number): number {
  return from + (to - from) * device.random.double();
}

/** A waiting time whose mean is `mean`: events that know nothing of each other. */
export function exponential(device: Device, mean: number): number {
  return Math.min(mean * 6, -mean * Math.log(1 - device.random.double()));
}

export function pick<T>(device: Device, list: readonly T[]): T {
  return list[device.random.int(list.length)]!;
}

/** Asks for an address through the relay of the router: DISCOVER to ACK, then tells everybody. */
export function* dhcpBoot(site: Site, device: Device): Script {
  const client = device.make.dhcp;
  const net = site.network;
  if (client !== undefined) {
    const server = device.block.servers.infrastructure;
    const xid = device.random.uint32();
    const relay = gatewayIp(device.ip);
    const here = gatewayOf(site, device.ip, device.vlan);
    const there = { ...here, vlan: server.vlan };
    const lease = { seconds: LEASE_S, router: relay, dns: server.ip };
    const steps = [
      [1, 2],
      [3, 5],
    ] as const;
    for (const [asked, answered] of steps) {
      const ask = {
        op: 1 as const,
        type: asked,
        xid,
        mac: device.mac,
        hostname: device.name,
        client,
        ...(asked === 3 ? { requested: device.ip, server: server.ip } : {}),
      };
      const answer = {
        op: 2 as const,
        type: answered,
        xid,
        mac: device.mac,
        yiaddr: device.ip,
        server: server.ip,
        lease,
      };
      const at = site.timeline.nowUs;
      net.ipToMany(
        at,
        device,
        '0.0.0.0',
        '255.255.255.255',
        17,
        net.datagram('0.0.0.0', '255.255.255.255', 68, 67, messages.dhcp(ask)),
      );
      net.udp(at + 300, there, server, 67, 67, messages.dhcp({ ...ask, relay }));
      net.udp(at + 1200, server, there, 67, 67, messages.dhcp({ ...answer, relay }));
      net.udp(at + 1500, here, device, 67, 68, messages.dhcp({ ...answer, relay }));
      yield between(device, 0.01, 0.2);
    }
  }
  // Gratuitous request (RFC 5227): nobody else shall have this address.
  net.arp(
    site.timeline.nowUs,
    device.vlan,
    device.mac,
    1,
    [device.mac, device.ip],
    ['00:00:00:00:00:00', device.ip],
    BROADCAST,
  );
}

export function dhcpRenew(site: Site, device: Device): void {
  const client = device.make.dhcp;
  if (client === undefined || device.off) return;
  const server = device.block.servers.infrastructure;
  const xid = device.random.uint32();
  const common = { xid, mac: device.mac, ciaddr: device.ip };
  const at = site.network.udp(
    site.timeline.nowUs,
    device,
    server,
    68,
    67,
    messages.dhcp({ ...common, op: 1, type: 3, hostname: device.name, client }),
  );
  const lease = { seconds: LEASE_S, router: gatewayIp(device.ip), dns: server.ip };
  site.network.udp(
    at + 900,
    server,
    device,
    67,
    68,
    messages.dhcp({ ...common, op: 2, type: 5, yiaddr: device.ip, server: server.ip, lease }),
  );
}

/** Looks a name up. @returns seconds until the answer is there */
export function lookUp(site: Site, device: Device, name: string, ip: string): number {
  const net = site.network;
  const id = device.random.int(65_536);
  const port = net.ephemeral();
  const server = device.block.servers.infrastructure;
  const at = net.udp(site.timeline.nowUs, device, server, port, 53, messages.dns(id, name));
  const after = 400 + device.random.int(12_000);
  net.udp(at + after, server, device, 53, port, messages.dns(id, name, ip));
  return (at + after - site.timeline.nowUs) / 1e6 + 0.001;
}

export function askTime(site: Site, device: Device): void {
  const server = device.block.servers.infrastructure;
  const port = site.network.ephemeral();
  const seconds = site.timeline.nowUs / 1e6;
  const at = site.network.udp(
    site.timeline.nowUs,
    device,
    server,
    port,
    123,
    messages.ntp(false, seconds + device.clockSkewS),
  );
  if (!server.off) site.network.udp(at + 300, server, device, 123, port, messages.ntp(true, seconds));
}

/** TLS stacks as they say hello: of a browser, of OpenSSL in a device, of a small device library. */
export const STACKS: Record<'browser' | 'openssl' | 'embedded', TlsStack> = {
  browser: {
    ciphers: [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d],
    groups: [29, 23, 24],
    signatures: [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
    alpn: ['h2', 'http/1.1'],
  },
  openssl: {
    ciphers: [0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f, 0xc02b, 0xc02f, 0x009e, 0x00ff],
    groups: [29, 23, 30, 25, 24],
    signatures: [0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601],
    alpn: [],
  },
  embedded: {
    ciphers: [0x1301, 0x1302, 0xc02f, 0xc030],
    groups: [29, 23],
    signatures: [0x0403, 0x0804, 0x0401],
    alpn: [],
  },
};

/** Opens a TLS connection. Nothing else happens when the server does not answer. */
export function* tlsOpen(device: Device, connection: Connection, stack: TlsStack, serverName?: string): Script {
  if (!connection.open()) return;
  const random = device.random;
  connection.ask(messages.clientHello(random, stack, serverName));
  connection.answer(messages.serverHello(random, stack.ciphers[0]!));
  connection.ask(messages.clientFinished(random));
  yield connection.wait();
}

/** One visit over TLS: `up` and `down` bytes of application data, then the end. */
export function* tlsVisit(
  site: Site,
  device: Device,
  to: Host,
  port: number,
  stack: TlsStack,
  name: string | undefined,
  up: number,
  down: number,
): Script {
  if (device.off) return;
  const c = new Connection(site.network, device, to, port);
  yield* tlsOpen(device, c, stack, name);
  if (!c.isOpen) return;
  c.ask(messages.tlsData(device.random, up));
  if (up > 40_000) yield c.wait();
  c.answer(messages.tlsData(device.random, Math.min(down, 40_000)));
  yield c.wait(between(device, 0.05, 1.5));
  if (down > 40_000) yield* c.bulk(false, down - 40_000, (n) => messages.tlsData(device.random, n));
  c.close();
}

export function party(device: Device): Hl7Party {
  return { app: device.name.toUpperCase(), facility: 'SITE' };
}

/** One message and its acknowledgement. */
export function hl7Exchange(
  site: Site,
  c: Connection,
  from: Device,
  to: Device,
  type: string,
  segments: (timeUs: number) => string[],
): void {
  const timeUs = site.timeline.nowUs + from.clockSkewS * 1e6;
  const controlId = `${from.id}-${Math.floor(site.timeline.nowUs / 1000)}-${site.messages++ % 1000}`;
  const said = segments(timeUs);
  c.ask(clinical.hl7Message(type, party(from), party(to), controlId, timeUs, said));
  c.answer(clinical.hl7Ack(party(to), party(from), controlId, site.timeline.nowUs + to.clockSkewS * 1e6));
  site.overheard.push({ from, to, type, controlId, segments: said });
  if (site.overheard.length > 64) site.overheard.shift();
}

export function aeTitle(device: Device): string {
  return device.name
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '_')
    .slice(0, 16);
}

/** An association with what is done in it. */
export function* dicomAssociation(
  site: Site,
  from: Device,
  to: Device,
  port: number,
  syntaxes: readonly string[],
  within: (c: Connection) => Script,
): Script {
  if (from.off) return;
  const c = new Connection(site.network, from, to, port);
  if (!c.open()) return;
  c.ask(clinical.associate(aeTitle(to), aeTitle(from), syntaxes, false));
  c.answer(clinical.associate(aeTitle(to), aeTitle(from), syntaxes, true));
  yield c.wait();
  yield* within(c);
  c.ask(clinical.releaseRequest()).answer(clinical.releaseResponse());
  yield c.wait();
  c.close();
}

/** Images of one study. */
export function* store(
  from: Device,
  c: Connection,
  sop: string,
  patient: string,
  study: string,
  images: number,
  size: number,
): Script {
  for (let i = 0; i < images && !from.off; i++) {
    const instance = `${study}.${i + 1}`;
    const left = size + from.random.int(Math.max(1, size >> 2)) * 2;
    c.ask(clinical.storeRequest(1, sop, instance, i + 1));
    c.ask(clinical.imageHeader(1, sop, instance, patient, study, left));
    let sent = 0;
    while (sent < left) {
      const n = Math.min(clinical.IMAGE_PIECE, left - sent);
      sent += n;
      c.ask(clinical.imagePart(1, messages.randomBytes(from.random, n), sent === left));
      yield c.wait();
    }
    c.answer(clinical.response(1, sop, 0x8001, i + 1, 0));
    yield c.wait(between(from, 0.02, 0.2));
  }
}

export function* find(
  from: Device,
  c: Connection,
  context: number,
  sop: string,
  patient: string,
  answers: number,
  study: string,
): Script {
  c.ask(clinical.findRequest(context, sop, 1)).ask(
    clinical.identifier(context, patient, '', sop === clinical.SOP.find),
  );
  for (let i = 0; i < answers; i++) {
    c.answer(clinical.response(context, sop, 0x8020, 1, 0xff00, true));
    c.answer(clinical.identifier(context, `SIM${from.random.int(100_000)}`, `${study}${i}`, sop === clinical.SOP.find));
    yield c.wait();
  }
  c.answer(clinical.response(context, sop, 0x8020, 1, 0));
  yield c.wait();
}

export function studyUid(site: Site, device: Device): string {
  return `1.2.826.0.1.3680043.10.1437.${Math.floor(site.timeline.nowUs / 1e6)}.${device.random.int(100_000)}`;
}

export function patientOf(device: Device): string {
  return `SIM${String(device.random.int(1_000_000)).padStart(6, '0')}`;
}

// ---- SMB ----

export interface Share {
  readonly c: Connection;
  readonly s: SmbSession;
}

/** Logs in and connects to a share. */
export function* smbOpen(
  site: Site,
  device: Device,
  server: Device,
  share: string,
  accepted = true,
): Generator<number, Share | undefined, void> {
  const c = new Connection(site.network, device, server, 445);
  if (device.off || !c.open()) return undefined;
  const r = device.random;
  const s: SmbSession = { message: -1, session: 0, tree: 0 };
  c.ask(messages.smbNegotiate(s, r)).answer(messages.smbNegotiated(s, r)).ask(messages.smbSetup1(s));
  s.session = 1 + r.int(0x7fffffff);
  c.answer(messages.smbChallenge(s, r));
  c.ask(messages.smbSetup2(s, r, device.name.toLowerCase())).answer(messages.smbSetUp(s, accepted));
  yield c.wait();
  if (!accepted) {
    c.close();
    return undefined;
  }
  c.ask(messages.smbTree(s, `\\\\${server.name}\\${share}`));
  s.tree = 1 + r.int(0xffff);
  c.answer(messages.smbTreeDone(s));
  yield c.wait();
  return { c, s };
}

/** Opens, reads or writes, perhaps renames, and closes one file. */
export function* smbFile(
  device: Device,
  { c, s }: Share,
  name: string,
  size: number,
  how: { read?: boolean; write?: boolean; rename?: string },
): Script {
  const r = device.random;
  const file = 1 + r.int(0x7fffffff);
  c.ask(messages.smbCreate(s, name, how.write === true)).answer(messages.smbCreated(s, file, size));
  const piece = 32_768;
  if (how.read === true)
    for (let at = 0; at < size; at += piece) {
      const n = Math.min(piece, size - at);
      c.ask(messages.smbRead(s, file, at, n)).answer(messages.smbReadDone(s, textBytes(device, n)));
      yield c.wait();
    }
  if (how.write === true)
    for (let at = 0; at < size; at += piece) {
      const n = Math.min(piece, size - at);
      const data = how.rename === undefined ? textBytes(device, n) : messages.randomBytes(r, n);
      c.ask(messages.smbWrite(s, file, at, data)).answer(messages.smbWritten(s, n));
      yield c.wait();
    }
  if (how.rename !== undefined) c.ask(messages.smbRename(s, file, how.rename)).answer(messages.smbRenamed(s));
  c.ask(messages.smbClose(s, file)).answer(messages.smbClosed(s));
  yield c.wait();
}

const PROSE = latin('Shift plan, supplies, protocol of the meeting; nothing about any person. '.repeat(600));

/** Bytes as in a document: little entropy. */
function textBytes(device: Device, n: number): Uint8Array {
  const at = device.random.int(PROSE.length - 32_768);
  return PROSE.subarray(at, at + n);
}

// ---- data export of monitors ----

export const IV_PORT = 24_105;

export function ivAnnounce(site: Site, monitor: Device): void {
  site.network.udpToMany(
    site.timeline.nowUs,
    monitor,
    '255.255.255.255',
    IV_PORT,
    24_005,
    clinical.ivConnect(macBytes(monitor.mac), ipBytes(monitor.ip)),
  );
}

/** Associates with a monitor; the monitor then says what it is. */
export function* ivAssociate(site: Site, client: Host, monitor: Device, port: number): Script {
  const net = site.network;
  let at = net.udp(site.timeline.nowUs, client, monitor, port, IV_PORT, clinical.ivAssociation('request'));
  if (monitor.off) return;
  at = net.udp(at + 2000, monitor, client, IV_PORT, port, clinical.ivAssociation('accept'));
  const { vendor, model, software } = monitor.make;
  at = net.udp(
    at + 3000,
    monitor,
    client,
    IV_PORT,
    port,
    clinical.ivMdsCreate(1, vendor, model, `DE${monitor.id}`, software ?? ''),
  );
  net.udp(at + 1000, client, monitor, port, IV_PORT, clinical.ivMdsCreateResult(1));
  yield 0.05;
}

export function ivPollOnce(site: Site, client: Host, monitor: Device, port: number, n: number): void {
  const net = site.network;
  const at = net.udp(site.timeline.nowUs, client, monitor, port, IV_PORT, clinical.ivPoll(n & 0xffff));
  if (monitor.off) return;
  const r = monitor.random;
  const values = [60 + r.int(40), 92 + r.int(8), 10 + r.int(12), 100 + r.int(50), 60 + r.int(30)];
  net.udp(
    at + 1500 + r.int(4000),
    monitor,
    client,
    IV_PORT,
    port,
    clinical.ivPollResult(n & 0xffff, Math.floor(site.timeline.nowUs / 1e6), values),
  );
}

/** A poll by UDP and its answer. */
export function pollUdp(
  site: Site,
  from: Device,
  to: Device,
  sourcePort: number,
  port: number,
  ask: Uint8Array,
  answer: Uint8Array,
): void {
  const at = site.network.udp(site.timeline.nowUs, from, to, sourcePort, port, ask);
  site.network.udp(at + 1000 + to.random.int(6000), to, from, port, sourcePort, answer);
}
