import type { Prng } from '../lib/prng.ts';
import { Bytes } from './bytes.ts';
import type { Script, Timeline } from './timeline.ts';

/** An end point. Whatever is outside the site has VLAN 0 and is reached by the gateway. */
export interface Host {
  readonly name: string;
  readonly mac: string;
  /** Changes when the device moves to another network. */
  vlan: number;
  ip: string;
  /** Hop limit with which it sends. */
  readonly ttl: number;
  /** Switched off or unplugged: it neither sends nor answers. */
  off: boolean;
  /** Correct clock + this many seconds: what it writes into its messages. */
  clockSkewS: number;
}

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
/** How many frames somebody wrote, and when the first and the last: epoch microseconds. */
export interface Tally {
  frames: number;
  firstUs: number;
  lastUs: number;
}

const MSS = 1460;
/** How long a resolved address is believed, microseconds. */
const ARP_BELIEVED_US = 1_500e6;
export const TCP = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

const parsed = new Map<string, Uint8Array>();

function parse(text: string, separator: string, radix: number): Uint8Array {
  let bytes = parsed.get(text);
  if (bytes === undefined) {
    bytes = Uint8Array.from(text.split(separator), (part) => parseInt(part, radix));
    // Addresses of scans are many and used once.
    if (parsed.size > 300_000) parsed.clear();
    parsed.set(text, bytes);
  }
  return bytes;
}

export const macBytes = (mac: string): Uint8Array => parse(mac, ':', 16);
export const ipBytes = (ip: string): Uint8Array => parse(ip, '.', 10);

/** Sum of 16-bit words for the Internet checksum (RFC 1071), not folded. */
function sum16(bytes: Uint8Array, from: number, to: number, start: number): number {
  let sum = start;
  let i = from;
  for (; i + 1 < to; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  if (i < to) sum += bytes[i]! << 8;
  return sum;
}

function fold(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s & 0xffff) + Math.floor(s / 65_536);
  return ~s & 0xffff;
}

/** Address of the router in a network: one below the first host. */
export function gatewayIp(ip: string): string {
  return `${ip.slice(0, ip.lastIndexOf('.'))}.1`;
}

/**
 * The switch and router of the site: puts packets into frames and shows every frame that a mirror of all
 * VLANs shows; a routed packet is seen in both networks, its hop limit one lower in the second.
 */
export class Network {
  readonly timeline: Timeline;
  readonly gatewayMac: string;
  readonly random: Prng;
  /** Share of TCP segments that have to be sent again. */
  readonly #lossShare: number;
  readonly #believed = new Map<string, number>();
  #ipId = 1;
  #port = 0;
  /** Frames are counted here while a labelled event writes them. */
  tally: Tally | undefined;

  constructor(timeline: Timeline, gatewayMac: string, random: Prng, lossShare: number) {
    this.timeline = timeline;
    this.gatewayMac = gatewayMac;
    this.random = random;
    this.#lossShare = lossShare;
  }

  /** A port for a new connection, from the dynamic range of RFC 6335. */
  ephemeral(): number {
    this.#port = (this.#port + 1 + this.random.int(7)) % 16_000;
    return 49_152 + this.#port;
  }

  lost(): boolean {
    return this.random.double() < this.#lossShare;
  }

  /** @param payload bytes after the Ethernet type */
  ethernet(atUs: number, vlan: number, from: string, to: string, type: number, payload: Uint8Array): void {
    const frame = new Uint8Array(Math.max(64, 18 + payload.length));
    frame.set(macBytes(to), 0);
    frame.set(macBytes(from), 6);
    frame[12] = 0x81;
    frame[14] = vlan >> 8;
    frame[15] = vlan & 255;
    frame[16] = type >> 8;
    frame[17] = type & 255;
    frame.set(payload, 18);
    const tally = this.tally;
    if (tally !== undefined) {
      tally.frames++;
      tally.firstUs = Math.min(tally.firstUs, Math.floor(atUs));
      tally.lastUs = Math.max(tally.lastUs, Math.floor(atUs));
    }
    this.timeline.frame(atUs, frame);
  }

  arp(
    atUs: number,
    vlan: number,
    fromMac: string,
    op: 1 | 2,
    sender: [string, string],
    target: [string, string],
    to: string,
  ): void {
    const p = new Bytes().u16(1, 0x0800).u8(6, 4).u16(op);
    p.put(macBytes(sender[0])).put(ipBytes(sender[1])).put(macBytes(target[0])).put(ipBytes(target[1]));
    this.ethernet(atUs, vlan, fromMac, to, 0x0806, p.done());
  }

  /** Asks for the hardware address of the next hop where it is not known any more. @returns when it is known */
  resolve(atUs: number, from: Host, to: Host): number {
    if (from.vlan === 0) return atUs;
    const direct = from.vlan === to.vlan;
    const ip = direct ? to.ip : gatewayIp(from.ip);
    const key = `${from.mac}>${ip}`;
    if ((this.#believed.get(key) ?? 0) > atUs) return atUs;
    if (this.#believed.size > 400_000) this.#believed.clear();
    const mac = direct ? to.mac : this.gatewayMac;
    this.arp(atUs, from.vlan, from.mac, 1, [from.mac, from.ip], ['00:00:00:00:00:00', ip], BROADCAST);
    if (direct && to.off) return atUs + 400;
    this.arp(atUs + 150, from.vlan, mac, 2, [mac, ip], [from.mac, from.ip], from.mac);
    const until = atUs + ARP_BELIEVED_US * (0.7 + 0.6 * this.random.double());
    this.#believed.set(key, until);
    if (direct) this.#believed.set(`${to.mac}>${from.ip}`, until);
    return atUs + 400;
  }

  forget(host: Host): void {
    for (const key of this.#believed.keys())
      if (key.startsWith(host.mac) || key.endsWith(`>${host.ip}`)) this.#believed.delete(key);
  }

  /** An IPv4 packet from one end to the other, `segment` being what follows the IP header, its checksum set. */
  ip(atUs: number, from: Host, to: Host, protocol: number, segment: Uint8Array): void {
    const p = new Uint8Array(20 + segment.length);
    const id = this.#ipId++ & 0xffff;
    p[0] = 0x45;
    p[2] = p.length >> 8;
    p[3] = p.length & 255;
    p[4] = id >> 8;
    p[5] = id & 255;
    p[6] = 0x40;
    p[9] = protocol;
    p.set(ipBytes(from.ip), 12);
    p.set(ipBytes(to.ip), 16);
    p.set(segment, 20);
    const hops = from.vlan === 0 ? 11 : 0;
    const header = (ttl: number): void => {
      p[8] = ttl;
      p[10] = 0;
      p[11] = 0;
      const sum = fold(sum16(p, 0, 20, 0));
      p[10] = sum >> 8;
      p[11] = sum & 255;
    };
    header(from.ttl - hops);
    if (from.vlan === to.vlan) {
      this.ethernet(atUs, from.vlan, from.mac, to.mac, 0x0800, p);
      return;
    }
    if (from.vlan !== 0) this.ethernet(atUs, from.vlan, from.mac, this.gatewayMac, 0x0800, p);
    if (to.vlan === 0) return;
    header(from.ttl - hops - 1);
    this.ethernet(atUs + 20, to.vlan, this.gatewayMac, to.mac, 0x0800, p);
  }

  /** IPv4 to everybody or to a group within the sender's network. */
  ipToMany(atUs: number, from: Host, fromIp: string, toIp: string, protocol: number, segment: Uint8Array): void {
    const target = ipBytes(toIp);
    const mac =
      target[0]! >= 224 && target[0]! < 240
        ? `01:00:5e:${[target[1]! & 127, target[2]!, target[3]!].map((b) => b.toString(16).padStart(2, '0')).join(':')}`
        : BROADCAST;
    const p = new Bytes()
      .u8(0x45, 0)
      .u16(20 + segment.length, this.#ipId++ & 0xffff, 0)
      .u8(mac === BROADCAST ? from.ttl : 1, protocol);
    p.u16(0).put(ipBytes(fromIp)).put(target);
    p.setU16(10, fold(sum16(p.done(), 0, 20, 0)));
    this.ethernet(atUs, from.vlan, from.mac, mac, 0x0800, p.put(segment).done());
  }

  datagram(fromIp: string, toIp: string, fromPort: number, toPort: number, data: Uint8Array): Uint8Array {
    const b = new Uint8Array(8 + data.length);
    b[0] = fromPort >> 8;
    b[1] = fromPort & 255;
    b[2] = toPort >> 8;
    b[3] = toPort & 255;
    b[4] = b.length >> 8;
    b[5] = b.length & 255;
    b.set(data, 8);
    const sum = transportChecksum(b, fromIp, toIp, 17) || 0xffff;
    b[6] = sum >> 8;
    b[7] = sum & 255;
    return b;
  }

  udp(atUs: number, from: Host, to: Host, fromPort: number, toPort: number, data: Uint8Array): number {
    if (from.off) return atUs;
    const at = this.resolve(atUs, from, to);
    this.ip(at, from, to, 17, this.datagram(from.ip, to.ip, fromPort, toPort, data));
    return at + 100;
  }

  udpToMany(atUs: number, from: Host, toIp: string, fromPort: number, toPort: number, data: Uint8Array): void {
    if (!from.off) this.ipToMany(atUs, from, from.ip, toIp, 17, this.datagram(from.ip, toIp, fromPort, toPort, data));
  }

  tcp(
    atUs: number,
    from: Host,
    to: Host,
    ports: [number, number],
    seq: number,
    ack: number,
    flags: number,
    data: Uint8Array | undefined,
  ): void {
    const syn = (flags & TCP.syn) !== 0;
    const size = syn ? 32 : 20;
    const b = new Uint8Array(size + (data?.length ?? 0));
    const view = new DataView(b.buffer);
    view.setUint16(0, ports[0]);
    view.setUint16(2, ports[1]);
    view.setUint32(4, seq >>> 0);
    view.setUint32(8, ack >>> 0);
    b[12] = (size / 4) << 4;
    b[13] = flags;
    view.setUint16(14, (flags & TCP.rst) !== 0 ? 0 : from.ttl === 128 ? 64_240 : 29_200);
    // Maximum segment size, window scale, selective acknowledgement: in the order of the two usual stacks.
    if (syn)
      b.set(from.ttl === 128 ? [2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2] : [2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7], 20);
    if (data !== undefined) b.set(data, size);
    view.setUint16(16, transportChecksum(b, from.ip, to.ip, 6));
    this.ip(atUs, from, to, 6, b);
  }
}

function transportChecksum(segment: Uint8Array, fromIp: string, toIp: string, protocol: number): number {
  const pseudo = sum16(ipBytes(toIp), 0, 4, sum16(ipBytes(fromIp), 0, 4, protocol + segment.length));
  return fold(sum16(segment, 0, segment.length, pseudo));
}

/**
 * A TCP connection. What is said is written as frames ahead of the present by the time it takes; `wait` gives
 * the seconds until the present has caught up, for the script to yield.
 */
export class Connection {
  readonly client: Host;
  readonly server: Host;
  readonly #net: Network;
  readonly #ports: [number, number];
  readonly #back: [number, number];
  #clientSeq: number;
  #serverSeq: number;
  /** Something was received that is not acknowledged yet: by the client, by the server. */
  #owes = [false, false];
  #atUs: number;
  isOpen = false;
  readonly #rttUs: number;

  constructor(net: Network, client: Host, server: Host, port: number, sourcePort = net.ephemeral()) {
    this.#net = net;
    this.client = client;
    this.server = server;
    this.#ports = [sourcePort, port];
    this.#back = [port, sourcePort];
    this.#clientSeq = net.random.uint32();
    this.#serverSeq = net.random.uint32();
    this.#atUs = net.timeline.nowUs;
    this.#rttUs = server.vlan === 0 || client.vlan === 0 ? 18_000 + net.random.int(20_000) : 250 + net.random.int(400);
  }

  /** Shakes hands. @returns whether the server answered */
  open(): boolean {
    const net = this.#net;
    if (this.client.off) return false;
    this.#atUs = net.resolve(net.timeline.nowUs, this.client, this.server);
    this.#segment(0, TCP.syn, undefined);
    if (this.server.off) {
      this.#atUs += 1e6;
      this.#segment(0, TCP.syn, undefined);
      return false;
    }
    this.#clientSeq++;
    this.#atUs += this.#rttUs;
    net.resolve(this.#atUs, this.server, this.client);
    this.#segment(1, TCP.syn | TCP.ack, undefined);
    this.#serverSeq++;
    this.#atUs += 120;
    this.#segment(0, TCP.ack, undefined);
    this.isOpen = true;
    return true;
  }

  /** The server has nobody listening. */
  refused(): void {
    this.#atUs = this.#net.resolve(this.#net.timeline.nowUs, this.client, this.server);
    this.#segment(0, TCP.syn, undefined);
    this.#clientSeq++;
    this.#atUs += this.#rttUs;
    this.#net.tcp(this.#atUs, this.server, this.client, this.#back, 0, this.#clientSeq, TCP.rst | TCP.ack, undefined);
  }

  /** Seconds until everything said so far has been sent, and `more`. */
  wait(more = 0): number {
    this.#settle();
    return Math.max(0, this.#atUs - this.#net.timeline.nowUs) / 1e6 + more;
  }

  ask(data: Uint8Array): this {
    return this.#say(0, data);
  }

  answer(data: Uint8Array): this {
    this.#atUs += this.#rttUs + this.#net.random.int(3000);
    return this.#say(1, data);
  }

  /** Many bytes in one direction, in pieces, so that the script can let time pass: yields the seconds to wait. */
  *bulk(fromClient: boolean, size: number, make: (n: number) => Uint8Array, bytesPerSecond = 8e6): Script {
    for (let left = size; left > 0;) {
      const n = Math.min(left, 46_720);
      this.#say(fromClient ? 0 : 1, make(n));
      this.#atUs += (n / bytesPerSecond) * 1e6;
      left -= n;
      yield this.wait();
    }
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#catchUp();
    this.#segment(0, TCP.fin | TCP.ack, undefined);
    this.#clientSeq++;
    this.#atUs += this.#rttUs;
    if (this.server.off) return;
    this.#segment(1, TCP.fin | TCP.ack, undefined);
    this.#serverSeq++;
    this.#atUs += 100;
    this.#segment(0, TCP.ack, undefined);
  }

  reset(fromClient = true): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#catchUp();
    this.#segment(fromClient ? 0 : 1, TCP.rst | TCP.ack, undefined);
  }

  #catchUp(): void {
    if (this.#atUs < this.#net.timeline.nowUs) this.#atUs = this.#net.timeline.nowUs;
  }

  #segment(side: 0 | 1, flags: number, data: Uint8Array | undefined): void {
    const [from, to] = side === 0 ? [this.client, this.server] : [this.server, this.client];
    if (from.off) return;
    const seq = side === 0 ? this.#clientSeq : this.#serverSeq;
    const ack = (flags & TCP.ack) === 0 ? 0 : side === 0 ? this.#serverSeq : this.#clientSeq;
    this.#net.tcp(this.#atUs, from, to, side === 0 ? this.#ports : this.#back, seq, ack, flags, data);
    this.#owes[side] = false;
  }

  #say(side: 0 | 1, data: Uint8Array): this {
    if (!this.isOpen || data.length === 0) return this;
    this.#catchUp();
    const other = side === 0 ? 1 : 0;
    let unacknowledged = 0;
    for (let at = 0; at < data.length; at += MSS) {
      const part = data.subarray(at, at + MSS);
      const last = at + MSS >= data.length;
      const flags = TCP.ack | (last ? TCP.psh : 0);
      this.#segment(side, flags, part);
      if (this.#net.lost()) {
        this.#atUs += 200_000 + this.#net.random.int(100_000);
        this.#segment(side, flags, part);
      }
      if (side === 0) this.#clientSeq += part.length;
      else this.#serverSeq += part.length;
      this.#owes[other] = true;
      this.#atUs += 15;
      if (++unacknowledged === 2 && !last) {
        unacknowledged = 0;
        this.#segment(other, TCP.ack, undefined);
      }
    }
    return this;
  }

  /** Acknowledgements that no answer carried. */
  #settle(): void {
    if (!this.isOpen) return;
    for (const side of [0, 1] as const) {
      if (!this.#owes[side]) continue;
      this.#catchUp();
      this.#atUs += 40_000;
      this.#segment(side, TCP.ack, undefined);
    }
  }
}
