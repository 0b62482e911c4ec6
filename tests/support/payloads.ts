/**
 * A small reader of captures for tests of dissectors, independent of the product's own decoder: classic
 * pcap and pcapng, gzip, Ethernet with tags, IPv4 and IPv6, UDP, TCP put in order by sequence number.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { dissectOnce } from './dissect.ts';
import type { Outcome, Piece, Seen } from './dissect.ts';
import type { Dissector } from '../../src/decode/dissector.ts';

export interface Flow {
  ipProto: number;
  origIp: string;
  origPort: number;
  respIp: string;
  respPort: number;
  midStream: boolean;
  pieces: Piece[];
}

interface Frame {
  tsUs: number;
  link: number;
  bytes: Buffer;
  cut: boolean;
}

function* framesOf(file: string): Generator<Frame> {
  let all: Buffer = readFileSync(file);
  if (all[0] === 0x1f && all[1] === 0x8b) all = gunzipSync(all);
  const magic = all.readUInt32LE(0);
  if (magic === 0x0a0d0d0a) yield* pcapng(all);
  else yield* classic(all, magic === 0xa1b2c3d4 || magic === 0xa1b23c4d);
}

function* classic(all: Buffer, le: boolean): Generator<Frame> {
  const u32 = (at: number): number => (le ? all.readUInt32LE(at) : all.readUInt32BE(at));
  const scale = u32(0) === 0xa1b23c4d ? 1000 : 1;
  const link = u32(20) & 0xffff;
  for (let at = 24; at + 16 <= all.length;) {
    const cap = u32(at + 8);
    const bytes = all.subarray(at + 16, at + 16 + cap);
    yield { tsUs: u32(at) * 1e6 + Math.floor(u32(at + 4) / scale), link, bytes, cut: u32(at + 12) > bytes.length };
    at += 16 + cap;
  }
}

function* pcapng(all: Buffer): Generator<Frame> {
  let le = true;
  const u32 = (at: number): number => (le ? all.readUInt32LE(at) : all.readUInt32BE(at));
  const u16 = (at: number): number => (le ? all.readUInt16LE(at) : all.readUInt16BE(at));
  let links: { link: number; perSecond: number }[] = [];
  for (let at = 0; at + 12 <= all.length;) {
    const type = all.readUInt32LE(at);
    if (type === 0x0a0d0d0a) {
      le = all.readUInt32LE(at + 8) === 0x1a2b3c4d;
      links = [];
    }
    const length = u32(at + 4);
    if (length < 12 || at + length > all.length) return;
    const kind = u32(at);
    if (kind === 1) {
      let perSecond = 1e6;
      for (let o = at + 16; o + 4 <= at + length - 4; o += 4 + ((u16(o + 2) + 3) & ~3)) {
        if (u16(o) === 9) perSecond = all[o + 4]! & 0x80 ? 2 ** (all[o + 4]! & 0x7f) : 10 ** all[o + 4]!;
      }
      links.push({ link: u16(at + 8), perSecond });
    } else if (kind === 6) {
      const from = links[u32(at + 8)] ?? { link: 1, perSecond: 1e6 };
      const cap = u32(at + 20);
      const ticks = u32(at + 12) * 2 ** 32 + u32(at + 16);
      const tsUs = Math.floor((ticks / from.perSecond) * 1e6);
      yield { tsUs, link: from.link, bytes: all.subarray(at + 28, at + 28 + cap), cut: u32(at + 24) > cap };
    } else if (kind === 3) {
      const cap = Math.min(u32(at + 8), length - 16);
      yield { tsUs: 0, link: links[0]?.link ?? 1, bytes: all.subarray(at + 12, at + 12 + cap), cut: u32(at + 8) > cap };
    }
    at += length;
  }
}

interface Half {
  next: number | undefined;
  waiting: { seq: number; piece: Piece }[];
}

/**
 * The flows of a capture in order of first appearance, each with its payloads in order of the stream.
 * Payloads of LLDP and CDP come as flows with `ipProto` 0: the bytes after the Ethernet type or SNAP header.
 */
export function flowsOf(file: string): Flow[] {
  const flows = new Map<string, { flow: Flow; key: string; halves: [Half, Half] }>();
  const open = (key: string, make: () => Flow): { flow: Flow; key: string; halves: [Half, Half] } => {
    let known = flows.get(key);
    if (known === undefined) {
      const half = (): Half => ({ next: undefined, waiting: [] });
      known = { flow: make(), key, halves: [half(), half()] };
      flows.set(key, known);
    }
    return known;
  };
  for (const frame of framesOf(file)) {
    const b = frame.bytes;
    let at = 0;
    let ether = 0;
    let multicast = false;
    if (frame.link === 1) {
      if (b.length < 14) continue;
      multicast = (b[0]! & 1) === 1;
      at = 12;
      ether = b.readUInt16BE(at);
      while ((ether === 0x8100 || ether === 0x88a8) && at + 6 <= b.length) {
        at += 4;
        ether = b.readUInt16BE(at);
      }
      at += 2;
      if (ether < 1536 && at + 8 <= b.length && b.readUIntBE(at, 3) === 0xaaaa03) {
        const cisco = b.readUIntBE(at + 3, 3) === 0x00000c;
        const end = Math.min(b.length, at + ether);
        ether = cisco ? 0x10000 | b.readUInt16BE(at + 6) : b.readUInt16BE(at + 6);
        at += 8;
        if (ether === 0x12000) {
          const key = `l2 ${b.subarray(6, 12).toString('hex')} ${ether}`;
          open(key, () => layer2(b)).flow.pieces.push({
            bytes: b.subarray(at, end),
            tsUs: frame.tsUs,
            multicast: true,
          });
        }
      }
      if (ether === 0x88cc) {
        const key = `l2 ${b.subarray(6, 12).toString('hex')} ${ether}`;
        open(key, () => layer2(b)).flow.pieces.push({ bytes: b.subarray(at), tsUs: frame.tsUs, multicast: true });
      }
    } else if (frame.link === 0) {
      ether = b.length > 4 && b[4]! >> 4 === 6 ? 0x86dd : 0x0800;
      at = 4;
    } else if (frame.link === 113) {
      if (b.length < 16) continue;
      ether = b.readUInt16BE(14);
      at = 16;
    } else if (frame.link === 276) {
      if (b.length < 20) continue;
      ether = b.readUInt16BE(0);
      at = 20;
    } else {
      ether = b.length > 0 && b[0]! >> 4 === 6 ? 0x86dd : 0x0800;
    }
    let proto: number;
    let src: string;
    let dst: string;
    let end: number;
    if (ether === 0x0800 && at + 20 <= b.length && b[at]! >> 4 === 4) {
      const ihl = (b[at]! & 15) * 4;
      end = at + b.readUInt16BE(at + 2);
      if (b.readUInt16BE(at + 2) === 0) end = b.length;
      proto = b[at + 9]!;
      if ((b.readUInt16BE(at + 6) & 0x3fff) !== 0) continue;
      src = b.subarray(at + 12, at + 16).join('.');
      dst = b.subarray(at + 16, at + 20).join('.');
      at += ihl;
    } else if (ether === 0x86dd && at + 40 <= b.length) {
      end = at + 40 + b.readUInt16BE(at + 4);
      proto = b[at + 6]!;
      src = b.subarray(at + 8, at + 24).toString('hex');
      dst = b.subarray(at + 24, at + 40).toString('hex');
      at += 40;
      while ((proto === 0 || proto === 60 || proto === 43) && at + 8 <= b.length) {
        proto = b[at]!;
        at += (b[at + 1]! + 1) * 8;
      }
    } else continue;
    const cut = end > b.length;
    end = Math.min(end, b.length);
    if (proto !== 6 && proto !== 17) continue;
    if (at + 8 > end) continue;
    const sport = b.readUInt16BE(at);
    const dport = b.readUInt16BE(at + 2);
    const forward = `${proto} ${src} ${sport} ${dst} ${dport}`;
    const backward = `${proto} ${dst} ${dport} ${src} ${sport}`;
    const isBack = !flows.has(forward) && flows.has(backward);
    const synAck = proto === 6 && at + 20 <= end && (b[at + 13]! & 0x12) === 0x12;
    const known = open(isBack || (synAck && !flows.has(forward)) ? backward : forward, () => ({
      ipProto: proto,
      origIp: synAck ? dst : src,
      origPort: synAck ? dport : sport,
      respIp: synAck ? src : dst,
      respPort: synAck ? sport : dport,
      midStream: proto === 6 && at + 20 <= end && (b[at + 13]! & 0x02) === 0,
      pieces: [],
    }));
    const direction = known.key === forward ? 0 : 1;
    if (proto === 17) {
      const stop = Math.min(end, at + Math.max(8, b.readUInt16BE(at + 4)));
      known.flow.pieces.push({ bytes: b.subarray(at + 8, stop), direction, tsUs: frame.tsUs, cut, multicast });
      continue;
    }
    if (at + 20 > end) continue;
    const half = known.halves[direction];
    const seq = b.readUInt32BE(at + 4);
    const flags = b[at + 13]!;
    const data = b.subarray(Math.min(end, at + (b[at + 12]! >> 4) * 4), end);
    if ((flags & 2) !== 0) half.next = (seq + 1) >>> 0;
    if (data.length === 0) continue;
    const first = (flags & 2) !== 0 ? (seq + 1) >>> 0 : seq;
    half.next ??= first;
    half.waiting.push({ seq: first, piece: { bytes: data, direction, tsUs: frame.tsUs, cut } });
    settle(half, known.flow, 32);
  }
  for (const { flow, halves } of flows.values()) for (const half of halves) settle(half, flow, 0);
  return [...flows.values()].map(({ flow }) => flow);
}

function layer2(b: Buffer): Flow {
  const mac = b.subarray(6, 12).toString('hex');
  return { ipProto: 0, origIp: mac, origPort: 0, respIp: '', respPort: 0, midStream: false, pieces: [] };
}

function settle(half: Half, flow: Flow, patience: number): void {
  while (half.waiting.length > 0) {
    const index = half.waiting.findIndex(({ seq }) => ((seq - half.next!) | 0) <= 0);
    if (index < 0) {
      if (half.waiting.length <= patience) return;
      half.waiting.sort((x, y) => (x.seq - y.seq) | 0);
      half.next = half.waiting[0]!.seq;
      half.waiting[0]!.piece.gapBefore = true;
      continue;
    }
    const { seq, piece } = half.waiting.splice(index, 1)[0]!;
    const skip = (half.next! - seq) >>> 0;
    if (skip >= piece.bytes.length) continue;
    piece.bytes = piece.bytes.subarray(skip);
    half.next = (half.next! + piece.bytes.length) >>> 0;
    flow.pieces.push(piece);
  }
}

export interface FlowOutcome extends Outcome {
  flow: Flow;
}

/** Every flow of the capture that has the transport of the dissector and that its probe accepts. */
export function dissectCapture(dissector: Dissector, file: string): FlowOutcome[] {
  const found: FlowOutcome[] = [];
  for (const flow of flowsOf(file)) {
    const outcome = dissectFlow(dissector, flow);
    if (outcome?.verdict === 'yes') found.push({ ...outcome, flow });
  }
  return found;
}

/** Undefined where the flow has another transport. */
export function dissectFlow(dissector: Dissector, flow: Flow): Outcome | undefined {
  const transport = flow.ipProto === 6 ? 'tcp' : flow.ipProto === 17 ? 'udp' : 'l2';
  if (!dissector.transport.includes(transport)) return undefined;
  return dissectOnce(dissector, flow.pieces, flow);
}

/** The observations of all flows, in order of flows. */
export function seenIn(dissector: Dissector, file: string): Seen[] {
  return dissectCapture(dissector, file).flatMap((outcome) => outcome.seen);
}

/** How often each value of a field occurs, for comparison with a table. */
export function tally(seen: readonly Seen[], kind: string, field: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of seen) {
    if (one.kind !== kind) continue;
    const value = String(one.fields[field] ?? '');
    counts[value] = (counts[value] ?? 0) + 1;
  }
  return counts;
}

/** First payloads of the flows that the probe accepts, each direction joined where it is a stream: samples to mutate. */
export function samplesIn(dissector: Dissector, file: string, most = 12, bytes = 1500): Uint8Array[] {
  const samples: Uint8Array[] = [];
  for (const { flow } of dissectCapture(dissector, file)) {
    if (flow.ipProto === 6) {
      for (const direction of [0, 1]) {
        const parts = flow.pieces.filter((piece) => piece.direction === direction).map((piece) => piece.bytes);
        if (parts.length > 0) samples.push(new Uint8Array(Buffer.concat(parts)).slice(0, bytes));
      }
    } else for (const piece of flow.pieces.slice(0, 4)) samples.push(new Uint8Array(piece.bytes).slice(0, bytes));
    if (samples.length >= most) break;
  }
  return samples;
}

/** Number of observations by kind. */
export function kindsIn(seen: readonly Seen[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of seen) counts[one.kind] = (counts[one.kind] ?? 0) + 1;
  return counts;
}
