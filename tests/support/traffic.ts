/**
 * Synthetic traffic of a small clinical segment, as frames of correct Ethernet, VLAN, ARP, IPv4, TCP, UDP and
 * ICMP with checksums, in event time and from a seed: the same frames on every machine.
 */
import { readdirSync } from 'node:fs';
import { createFrameBatch } from '../../src/kernel/frames.ts';
import type { FrameBatch } from '../../src/kernel/frames.ts';
import { loadConfig } from '../../src/config/index.ts';
import { buildHotPath } from '../../src/app/build.ts';

const ETHERNET = 1;
const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const ALL_NODES = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

export interface Host {
  readonly name: string;
  readonly mac: string;
  readonly ip: string;
  /** Hop limit with which it sends. */
  readonly ttl: number;
}

interface Frame {
  readonly tsUs: number;
  readonly order: number;
  readonly bytes: Uint8Array;
}

/** What one side says in a conversation. */
export interface Turn {
  readonly fromClient: boolean;
  readonly data: Uint8Array | string | number;
  /** Pause before it. */
  readonly afterMs?: number;
}

export interface TcpOptions {
  readonly outcome?: 'ok' | 'refused' | 'unanswered' | 'dropped';
  readonly turns?: readonly Turn[];
  /** The connection stays open. */
  readonly open?: boolean;
}

/** A seeded generator of numbers in [0, 1) (mulberry32). */
function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export class Traffic {
  readonly random: () => number;
  /** Address by which everything outside the segment is reached. */
  gateway: Host | undefined;
  readonly #vlan: number;
  readonly #frames: Frame[] = [];
  #order = 0;
  #port = 40_000;
  #ipId = 1;

  constructor(seed = 1, vlan = 100) {
    this.random = seeded(seed);
    this.#vlan = vlan;
  }

  /** `at` seconds are seconds since 2026-01-05T08:00:00Z. */
  static readonly startUs = Date.UTC(2026, 0, 5, 8) * 1000;

  ephemeral(): number {
    this.#port = this.#port >= 60_000 ? 40_000 : this.#port + 1;
    return this.#port;
  }

  /** Calls `act` about every `seconds` with the share `jitter` of random variation, from `from` to before `to`. */
  every(seconds: number, from: number, to: number, act: (at: number) => void, jitter = 0.04): void {
    for (let at = from + this.random() * seconds; at < to; at += seconds * (1 + jitter * (2 * this.random() - 1)))
      act(at);
  }

  ethernet(at: number, from: string, to: string, etherType: number, payload: Uint8Array): void {
    const tagged = this.#vlan > 0 ? 4 : 0;
    const bytes = new Uint8Array(Math.max(60, 14 + tagged + payload.length));
    bytes.set(macBytes(to), 0);
    bytes.set(macBytes(from), 6);
    const view = new DataView(bytes.buffer);
    if (tagged > 0) {
      view.setUint16(12, 0x8100);
      view.setUint16(14, this.#vlan);
    }
    view.setUint16(12 + tagged, etherType);
    bytes.set(payload, 14 + tagged);
    this.#frames.push({ tsUs: Math.round(Traffic.startUs + at * 1e6), order: this.#order++, bytes });
  }

  /** ARP; `to` is asked or told, undefined for everybody. */
  arp(at: number, from: Host, isRequest: boolean, senderIp: string, targetIp: string, to?: Host): void {
    const p = new Uint8Array(28);
    const view = new DataView(p.buffer);
    view.setUint16(0, 1);
    view.setUint16(2, 0x0800);
    p[4] = 6;
    p[5] = 4;
    view.setUint16(6, isRequest ? 1 : 2);
    p.set(macBytes(from.mac), 8);
    p.set(ipBytes(senderIp), 14);
    if (to !== undefined) p.set(macBytes(to.mac), 18);
    p.set(ipBytes(targetIp), 24);
    this.ethernet(at, from.mac, to === undefined ? BROADCAST : to.mac, 0x0806, p);
  }

  ip(at: number, from: Host, toIp: string, toMac: string, proto: number, payload: Uint8Array): void {
    const p = new Uint8Array(20 + payload.length);
    const view = new DataView(p.buffer);
    p[0] = 0x45;
    view.setUint16(2, p.length);
    view.setUint16(4, this.#ipId++ & 0xffff);
    p[8] = from.ttl;
    p[9] = proto;
    p.set(ipBytes(from.ip), 12);
    p.set(ipBytes(toIp), 16);
    view.setUint16(10, checksum(p.subarray(0, 20), 0));
    p.set(payload, 20);
    const pseudo = sum16(p.subarray(12, 20), 0) + proto + payload.length;
    const field = proto === 6 ? 16 : proto === 17 ? 6 : proto === 1 ? 2 : -1;
    if (field >= 0) view.setUint16(20 + field, checksum(p.subarray(20), proto === 1 ? 0 : pseudo) || 0xffff);
    this.ethernet(at, from.mac, toMac, 0x0800, p);
  }

  udp(at: number, from: Host, to: Host, fromPort: number, toPort: number, data: Uint8Array | string | number): void {
    const payload = bytesOf(data);
    const p = new Uint8Array(8 + payload.length);
    const view = new DataView(p.buffer);
    view.setUint16(0, fromPort);
    view.setUint16(2, toPort);
    view.setUint16(4, p.length);
    p.set(payload, 8);
    this.ip(at, from, to.ip, to.mac, 17, p);
  }

  ping(at: number, from: Host, to: Host, answered = true): void {
    for (const [sender, receiver, type] of [
      [from, to, 8],
      [to, from, 0],
    ] as const) {
      if (type === 0 && !answered) break;
      const p = new Uint8Array(40);
      p[0] = type;
      p[5] = 1;
      this.ip(at + (type === 0 ? 0.002 : 0), sender, receiver.ip, receiver.mac, 1, p);
    }
  }

  /** One ICMP message of a type and 32 bytes. */
  icmp(at: number, from: Host, to: Host, type: number): void {
    const p = new Uint8Array(40);
    p[0] = type;
    this.ip(at, from, to.ip, to.mac, 1, p);
  }

  /** IPv6 from the link-local address made of the sender's IPv4 address; `to` undefined: all nodes. */
  ip6(at: number, from: Host, fromIp: Uint8Array, to: Host | undefined, proto: number, payload: Uint8Array): void {
    const p = new Uint8Array(40 + payload.length);
    const view = new DataView(p.buffer);
    p[0] = 0x60;
    view.setUint16(4, payload.length);
    p[6] = proto;
    p[7] = 255;
    p.set(fromIp, 8);
    p.set(to === undefined ? ALL_NODES : linkLocal(to), 24);
    p.set(payload, 40);
    const pseudo = sum16(p.subarray(8, 40), 0) + proto + payload.length;
    view.setUint16(40 + (proto === 58 ? 2 : 6), checksum(p.subarray(40), pseudo) || 0xffff);
    this.ethernet(at, from.mac, to === undefined ? '33:33:00:00:00:01' : to.mac, 0x86dd, p);
  }

  /** Neighbour discovery (RFC 4861): of 134 a router's lifetime, of 136 the address of `claims` with the own hardware address. */
  icmp6(at: number, from: Host, to: Host | undefined, type: number, claims: Host = from): void {
    const p = new Uint8Array(type === 134 ? 24 : 32);
    p[0] = type;
    if (type === 134) {
      p[4] = 64;
      p[6] = 7;
      p.set([1, 1, ...macBytes(from.mac)], 16);
    } else {
      // Override; solicited where it goes to one host.
      if (type === 136) p[4] = to === undefined ? 0x20 : 0x60;
      p.set(linkLocal(claims), 8);
      p.set([type === 136 ? 2 : 1, 1, ...macBytes(from.mac)], 24);
    }
    this.ip6(at, from, linkLocal(type === 136 ? claims : from), to, 58, p);
  }

  /** A DHCPv6 message (RFC 8415) with both identifiers, made of hardware addresses. */
  dhcpv6(at: number, type: string, from: Host, to: Host | undefined): void {
    const code = { SOLICIT: 1, ADVERTISE: 2, REQUEST: 3, REPLY: 7, RECONFIGURE: 10 }[type] ?? 1;
    const answers = code === 2 || code === 7 || code === 10;
    const id = (option: number, host: Host): number[] => [0, option, 0, 10, 0, 3, 0, 1, ...macBytes(host.mac)];
    const client = answers ? (to ?? from) : from;
    const options = [
      ...id(1, client),
      ...(answers ? id(2, from) : []),
      ...(answers ? [0, 23, 0, 16, ...linkLocal(from)] : []),
    ];
    const p = new Uint8Array(8 + 4 + options.length);
    const view = new DataView(p.buffer);
    view.setUint16(0, answers ? 547 : 546);
    view.setUint16(2, answers ? 546 : 547);
    view.setUint16(4, p.length);
    p.set([code, 0x12, 0x34, 0x56, ...options], 8);
    this.ip6(at, from, linkLocal(from), to, 17, p);
  }

  /** A TCP conversation from its SYN on; gives the time at which it is over. */
  tcp(at: number, client: Host, server: Host, port: number, options: TcpOptions = {}): number {
    const { outcome = 'ok', turns = [], open = false } = options;
    const clientPort = this.ephemeral();
    let clientSeq = Math.floor(this.random() * 0xffffffff);
    let serverSeq = Math.floor(this.random() * 0xffffffff);
    let now = at;
    const step = 0.0005;
    const send = (fromClient: boolean, flags: number, data: Uint8Array = new Uint8Array(0)): void => {
      const p = new Uint8Array(20 + data.length);
      const view = new DataView(p.buffer);
      view.setUint16(0, fromClient ? clientPort : port);
      view.setUint16(2, fromClient ? port : clientPort);
      view.setUint32(4, (fromClient ? clientSeq : serverSeq) >>> 0);
      if ((flags & 16) !== 0) view.setUint32(8, (fromClient ? serverSeq : clientSeq) >>> 0);
      p[12] = 0x50;
      p[13] = flags;
      view.setUint16(14, 64_240);
      p.set(data, 20);
      const from = fromClient ? client : server;
      const to = fromClient ? server : client;
      this.ip(now, from, to.ip, to.mac, 6, p);
      const advance = data.length + ((flags & 3) !== 0 ? 1 : 0);
      if (fromClient) clientSeq = (clientSeq + advance) >>> 0;
      else serverSeq = (serverSeq + advance) >>> 0;
      now += step;
    };
    send(true, 2);
    if (outcome === 'unanswered') return now;
    if (outcome === 'refused') {
      send(false, 20);
      return now;
    }
    send(false, 18);
    if (outcome === 'dropped') {
      send(true, 4);
      return now;
    }
    send(true, 16);
    for (const turn of turns) {
      now += (turn.afterMs ?? 1) / 1000;
      const data = bytesOf(turn.data);
      for (let i = 0; i < data.length; i += 1400) {
        send(turn.fromClient, 24, data.subarray(i, i + 1400));
        if ((i / 1400) % 2 === 1 || i + 1400 >= data.length) send(!turn.fromClient, 16);
      }
    }
    if (!open) {
      send(true, 17);
      send(false, 17);
      send(true, 16);
    }
    return now;
  }

  /** A question and its answer over UDP. */
  ask(
    at: number,
    client: Host,
    server: Host,
    port: number,
    question: number | Uint8Array,
    answer: number | Uint8Array,
  ): void {
    const from = this.ephemeral();
    this.udp(at, client, server, from, port, question);
    if (bytesOf(answer).length > 0) this.udp(at + 0.001, server, client, port, from, answer);
  }

  /** DNS query for an A record and its answer; without an address there is no such name. */
  dns(at: number, client: Host, server: Host, name: string, address = ''): void {
    const labels = name.split('.').flatMap((l) => [l.length, ...Buffer.from(l, 'latin1')]);
    const id = Math.floor(this.random() * 65_536);
    const question = [...labels, 0, 0, 1, 0, 1];
    const head = (flags: number, answers: number, code = 0x80): number[] => [
      id >> 8,
      id & 255,
      flags,
      flags === 1 ? 0 : code,
      0,
      1,
      0,
      answers,
      0,
      0,
      0,
      0,
    ];
    const answer = address === '' ? [] : [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...ipBytes(address)];
    this.ask(
      at,
      client,
      server,
      53,
      Uint8Array.from([...head(1, 0), ...question]),
      address === ''
        ? Uint8Array.from([...head(0x81, 0, 0x83), ...question])
        : Uint8Array.from([...head(0x81, 1), ...question, ...answer]),
    );
  }

  /** A DHCP message of a client, or of a server to it. */
  dhcp(
    at: number,
    type: 'DISCOVER' | 'OFFER' | 'REQUEST' | 'ACK' | 'RELEASE',
    client: Host,
    server: Host,
    traits: {
      hostname?: string;
      vendorClass?: string;
      parameters?: readonly number[];
      clientMac?: string;
      router?: string;
      ip?: string;
    } = {},
  ): void {
    const fromClient = type === 'DISCOVER' || type === 'REQUEST' || type === 'RELEASE';
    const code = { DISCOVER: 1, OFFER: 2, REQUEST: 3, ACK: 5, RELEASE: 7 }[type];
    const text = (option: number, value: string | undefined): number[] =>
      value === undefined ? [] : [option, value.length, ...Buffer.from(value, 'latin1')];
    const options = [
      53,
      1,
      code,
      ...(fromClient
        ? []
        : [54, 4, ...ipBytes(server.ip), 51, 4, 0, 0, 14, 16, 3, 4, ...ipBytes(traits.router ?? server.ip)]),
      ...(fromClient ? text(12, traits.hostname) : []),
      ...(fromClient ? text(60, traits.vendorClass) : []),
      ...(fromClient && traits.parameters !== undefined ? [55, traits.parameters.length, ...traits.parameters] : []),
      255,
    ];
    const p = new Uint8Array(240 + options.length);
    const view = new DataView(p.buffer);
    p[0] = fromClient ? 1 : 2;
    p[1] = 1;
    p[2] = 6;
    view.setUint32(4, 0x1234);
    if (!fromClient) p.set(ipBytes(traits.ip ?? client.ip), 16);
    p.set(macBytes(traits.clientMac ?? client.mac), 28);
    view.setUint32(236, 0x63825363);
    p.set(options, 240);
    const nobody: Host = { ...client, ip: '0.0.0.0' };
    const everybody: Host = { name: '', mac: BROADCAST, ip: '255.255.255.255', ttl: 64 };
    if (fromClient) this.udp(at, nobody, everybody, 68, 67, p);
    else this.udp(at, server, everybody, 67, 68, p);
  }

  /** HL7 v2 over MLLP with its acknowledgement, on a connection of its own. */
  hl7(at: number, sender: Host, engine: Host, application: string, control: string, value: number): void {
    const message = `\x0bMSH|^~\\&|${application}|WARD|ENGINE|HOSP|20260105080000||ORU^R01|${control}|P|2.6\rPID|1||X\rOBR|1\rOBX|1|NM|HR||${value}|bpm\r\x1c\r`;
    const ack = `\x0bMSH|^~\\&|ENGINE|HOSP|${application}|WARD|20260105080000||ACK^R01|A${control}|P|2.6\rMSA|AA|${control}\r\x1c\r`;
    this.tcp(at, sender, engine, 2575, {
      turns: [
        { fromClient: true, data: message },
        { fromClient: false, data: ack },
      ],
    });
  }

  /** Frames sent by the hosts (all when `macs` is empty) in the interval are taken out: they are off, or not mirrored. */
  silence(macs: readonly string[], from: number, to: number): void {
    const low = Traffic.startUs + from * 1e6;
    const high = Traffic.startUs + to * 1e6;
    const off = new Set(macs);
    const kept = this.#frames.filter(
      (f) => f.tsUs < low || f.tsUs >= high || !(off.size === 0 || off.has(macText(f.bytes, 6))),
    );
    this.#frames.length = 0;
    this.#frames.push(...kept);
  }

  /** All frames in the order of time. */
  batches(size = 512): FrameBatch[] {
    const frames = [...this.#frames].sort((a, b) => a.tsUs - b.tsUs || a.order - b.order);
    const batches: FrameBatch[] = [];
    for (let from = 0; from < frames.length; from += size) {
      const part = frames.slice(from, from + size);
      const batch = createFrameBatch(part.length, new Uint8Array(part.reduce((n, f) => n + f.bytes.length, 0)));
      let at = 0;
      part.forEach((frame, i) => {
        batch.bytes.set(frame.bytes, at);
        batch.offset[i] = at;
        batch.capLen[i] = frame.bytes.length;
        batch.wireLen[i] = frame.bytes.length;
        batch.tsUs[i] = frame.tsUs;
        batch.linkType[i] = ETHERNET;
        at += frame.bytes.length;
      });
      batch.count = part.length;
      batch.origin = 'synthetic';
      batch.firstFrame = from;
      batches.push(batch);
    }
    return batches;
  }
}

export interface AlertSeen {
  readonly severity: number;
  readonly detector: string;
  readonly detectors: readonly string[];
  readonly title: string;
  readonly message: string;
  readonly device: { readonly mac: string; readonly ip: string };
  /** Seconds since {@link Traffic.startUs}. */
  readonly at: number;
  readonly ocsf: Record<string, unknown>;
}

export interface RunOptions {
  /** Only these detectors; all when absent. */
  readonly only?: readonly string[];
  /** Learning is closed here, seconds; never when absent. */
  readonly learnUntil?: number;
  /** Settings under `detection`. */
  readonly detection?: Partial<{
    disabled: string[];
    folder: string;
    detectors: Record<string, Record<string, number>>;
  }>;
}

export interface RunOutcome {
  /** Alerts that were raised after learning, in the order of time. */
  readonly alerts: readonly AlertSeen[];
  /** Detectors that failed, with the reason. */
  readonly failures: ReadonlyMap<string, string>;
  readonly running: readonly string[];
}

/** Takes the frames through the real hot path and gives the alerts. */
export async function runDetectors(batches: readonly FrameBatch[], options: RunOptions = {}): Promise<RunOutcome> {
  const { config } = loadConfig({ env: {} });
  const others = options.only === undefined ? [] : builtIn().filter((id) => !options.only!.includes(id));
  const disabled = [...(options.detection?.disabled ?? []), ...others];
  const settings = { ...config.detection, ...options.detection, disabled };
  const alerts = new Map<string, AlertSeen>();
  const failures = new Map<string, string>();
  const { hotPath, detectors } = await buildHotPath({
    config: { ...config, detection: settings },
    seed: 1,
    stage: 'all',
    productVersion: '0',
    output: {
      alert: (row) => {
        alerts.set(row.uid, {
          severity: row.severity_id,
          detector: row.detector,
          detectors: row.detectors,
          title: row.title,
          message: row.message,
          device: { mac: row.device_mac, ip: row.device_ip },
          at: (row.time * 1000 - Traffic.startUs) / 1e6,
          ocsf: JSON.parse(row.ocsf) as Record<string, unknown>,
        });
      },
    },
    onDetectorFailure: (id, reason) => failures.set(id, reason),
  });
  for (const { id, reason } of detectors.rejected) failures.set(id, reason);
  const closeUs = options.learnUntil === undefined ? Infinity : Traffic.startUs + options.learnUntil * 1e6;
  let learning = options.learnUntil !== undefined;
  for (const batch of batches) {
    if (learning && batch.count > 0 && batch.tsUs[0]! >= closeUs) {
      hotPath.closeLearning();
      alerts.clear();
      learning = false;
    }
    hotPath.process(batch);
  }
  hotPath.finish();
  return {
    alerts: [...alerts.values()].sort((a, b) => a.at - b.at),
    failures,
    running: detectors.loaded.map((d) => d.definition.id),
  };
}

/** Ids of the product's own detectors: the names of their folders. */
export function builtIn(): string[] {
  return readdirSync(new URL('../../detectors/', import.meta.url), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

function macBytes(mac: string): number[] {
  return mac.split(':').map((part) => Number.parseInt(part, 16));
}

function macText(bytes: Uint8Array, at: number): string {
  return [...bytes.subarray(at, at + 6)].map((b) => b.toString(16).padStart(2, '0')).join(':');
}

function ipBytes(ip: string): number[] {
  return ip.split('.').map(Number);
}

/** fe80:: and the IPv4 address in the last four bytes. */
function linkLocal(host: Host): Uint8Array {
  const address = new Uint8Array(16);
  address.set([0xfe, 0x80]);
  address.set(ipBytes(host.ip), 12);
  return address;
}

function bytesOf(data: Uint8Array | string | number): Uint8Array {
  if (typeof data === 'string') return new Uint8Array(Buffer.from(data, 'latin1'));
  return typeof data === 'number' ? new Uint8Array(data).fill(0x2e) : data;
}

function sum16(bytes: Uint8Array, start: number): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  return sum;
}

/** Internet checksum (RFC 1071). */
function checksum(bytes: Uint8Array, start: number): number {
  let sum = sum16(bytes, start);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65_536);
  return ~sum & 0xffff;
}
