import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Chunk } from './conversation.ts';

/** Payloads of one conversation out of a capture, in order; TCP in sequence, with gaps marked. */
export interface Stream {
  transport: 'tcp' | 'udp';
  orig: string;
  resp: string;
  origPort: number;
  respPort: number;
  /** The SYN was seen (always true for UDP). */
  fromStart: boolean;
  chunks: Chunk[];
}

interface Half {
  next: number;
  waiting: Map<number, Uint8Array>;
  gap: boolean;
}

/**
 * Reads a classic pcap or pcapng file (gzip too) just well enough for the dissectors' tests, independent of
 * the product's own reader and tracker: Ethernet, VLAN tags, PPPoE, raw IP, loopback, Linux cooked; IPv4 without
 * fragments, IPv6 without extension headers. Tunnels are not opened.
 */
export function readStreams(path: string): Stream[] {
  let file: Uint8Array = readFileSync(path);
  if (file[0] === 0x1f && file[1] === 0x8b) file = gunzipSync(file);
  const streams = new Map<string, Stream & { halves: [Half, Half] }>();
  const order: (Stream & { halves: [Half, Half] })[] = [];
  for (const { linkType, frame } of frames(file)) {
    const ip = ipStart(frame, linkType);
    if (ip < 0) continue;
    take(frame, ip, streams, order);
  }
  for (const stream of order) {
    if (stream.transport === 'tcp') for (const d of [0, 1]) flushAll(stream, d);
  }
  return order.map(({ transport, orig, resp, origPort, respPort, fromStart, chunks }) => ({
    transport,
    orig,
    resp,
    origPort,
    respPort,
    fromStart,
    chunks,
  }));
}

function* frames(file: Uint8Array): Generator<{ linkType: number; frame: Uint8Array }> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const magic = view.getUint32(0, false);
  if (magic === 0x0a0d0d0a) {
    let little = true;
    let linkTypes: number[] = [];
    for (let at = 0; at + 12 <= file.length;) {
      const type = view.getUint32(at, little);
      if (view.getUint32(at, false) === 0x0a0d0d0a) {
        little = view.getUint32(at + 8, true) === 0x1a2b3c4d;
        linkTypes = [];
      }
      const length = view.getUint32(at + 4, little);
      if (length < 12 || at + length > file.length) return;
      if (type === 1) linkTypes.push(view.getUint16(at + 8, little));
      if (type === 6) {
        const captured = view.getUint32(at + 20, little);
        const linkType = linkTypes[view.getUint32(at + 8, little)] ?? 1;
        yield { linkType, frame: file.subarray(at + 28, at + 28 + captured) };
      }
      at += length;
    }
    return;
  }
  const little = magic === 0xd4c3b2a1 || magic === 0x4d3cb2a1;
  const linkType = view.getUint32(20, little) & 0xffff;
  for (let at = 24; at + 16 <= file.length;) {
    const captured = view.getUint32(at + 8, little);
    if (at + 16 + captured > file.length) return;
    yield { linkType, frame: file.subarray(at + 16, at + 16 + captured) };
    at += 16 + captured;
  }
}

function ipStart(frame: Uint8Array, linkType: number): number {
  const u16 = (at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  if (linkType === 101 || linkType === 12 || linkType === 228) return 0;
  if (linkType === 0) return 4;
  if (linkType === 113) return 16;
  if (linkType === 276) return 20;
  if (linkType !== 1) return -1;
  let at = 12;
  while (u16(at) === 0x8100 || u16(at) === 0x88a8) at += 4;
  if (u16(at) === 0x8864) return at + 10;
  return u16(at) === 0x0800 || u16(at) === 0x86dd ? at + 2 : -1;
}

function take(
  frame: Uint8Array,
  ip: number,
  streams: Map<string, Stream & { halves: [Half, Half] }>,
  order: (Stream & { halves: [Half, Half] })[],
): void {
  const u16 = (at: number): number => ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  const version = (frame[ip] ?? 0) >> 4;
  let proto: number;
  let l4: number;
  let end: number;
  let src: string;
  let dst: string;
  if (version === 4) {
    const header = (frame[ip]! & 15) * 4;
    if ((u16(ip + 6) & 0x3fff) !== 0) return;
    proto = frame[ip + 9] ?? 0;
    l4 = ip + header;
    end = Math.min(frame.length, u16(ip + 2) === 0 ? frame.length : ip + u16(ip + 2));
    src = frame.subarray(ip + 12, ip + 16).join('.');
    dst = frame.subarray(ip + 16, ip + 20).join('.');
  } else if (version === 6) {
    proto = frame[ip + 6] ?? 0;
    l4 = ip + 40;
    end = Math.min(frame.length, l4 + u16(ip + 4));
    src = Buffer.from(frame.subarray(ip + 8, ip + 24)).toString('hex');
    dst = Buffer.from(frame.subarray(ip + 24, ip + 40)).toString('hex');
  } else return;
  if (proto !== 6 && proto !== 17) return;
  const sport = u16(l4);
  const dport = u16(l4 + 2);
  const forward = `${proto} ${src} ${sport} ${dst} ${dport}`;
  const backward = `${proto} ${dst} ${dport} ${src} ${sport}`;
  const data = l4 + (proto === 6 ? ((frame[l4 + 12] ?? 0) >> 4) * 4 : 8);
  const flags = proto === 6 ? (frame[l4 + 13] ?? 0) : 0;
  const syn = (flags & 2) !== 0;
  let stream = streams.get(forward) ?? streams.get(backward);
  let direction = streams.has(forward) ? 0 : 1;
  if (!stream || (syn && (flags & 16) === 0 && stream.chunks.length > 0 && direction === 0)) {
    const answering = syn && (flags & 16) !== 0;
    const make = (key: string, o: string, op: number, r: string, rp: number): Stream & { halves: [Half, Half] } => {
      const half = (): Half => ({ next: -1, waiting: new Map(), gap: false });
      const made = {
        transport: proto === 6 ? ('tcp' as const) : ('udp' as const),
        orig: o,
        resp: r,
        origPort: op,
        respPort: rp,
        fromStart: proto === 17 || syn,
        chunks: [],
        halves: [half(), half()] as [Half, Half],
      };
      streams.set(key, made);
      order.push(made);
      return made;
    };
    const swap = answering || (!syn && proto === 6 && sport < dport);
    stream = swap ? make(backward, dst, dport, src, sport) : make(forward, src, sport, dst, dport);
    direction = swap ? 1 : 0;
  }
  if (proto === 17) {
    if (end > data) stream.chunks.push({ direction, bytes: frame.slice(data, end) });
    return;
  }
  const half = stream.halves[direction as 0 | 1];
  let seq = (u16(l4 + 4) * 65536 + u16(l4 + 6)) >>> 0;
  if (syn) {
    half.next = (seq + 1) >>> 0;
    seq = half.next;
  }
  if (end <= data) return;
  if (half.next < 0) half.next = seq;
  let bytes = frame.slice(data, end);
  const behind = (half.next - seq) | 0;
  if (behind > 0) {
    if (behind >= bytes.length) return;
    bytes = bytes.subarray(behind);
    seq = half.next;
  }
  if (seq !== half.next) {
    half.waiting.set(seq, bytes);
    if (half.waiting.size > 64) flushAll(stream, direction);
    return;
  }
  push(stream, direction, bytes);
  drain(stream, direction);
}

function push(stream: Stream & { halves: [Half, Half] }, direction: number, bytes: Uint8Array): void {
  const half = stream.halves[direction as 0 | 1];
  stream.chunks.push({ direction, bytes, ...(half.gap ? { gap: true } : {}) });
  half.gap = false;
  half.next = (half.next + bytes.length) >>> 0;
}

function drain(stream: Stream & { halves: [Half, Half] }, direction: number): void {
  const half = stream.halves[direction as 0 | 1];
  for (;;) {
    let found = false;
    for (const [seq, bytes] of half.waiting) {
      const behind = (half.next - seq) | 0;
      if (behind < 0) continue;
      half.waiting.delete(seq);
      if (behind < bytes.length) push(stream, direction, bytes.subarray(behind));
      found = true;
      break;
    }
    if (!found) return;
  }
}

function flushAll(stream: Stream & { halves: [Half, Half] }, direction: number): void {
  const half = stream.halves[direction as 0 | 1];
  while (half.waiting.size > 0) {
    let nearest = -1;
    for (const seq of half.waiting.keys()) {
      if (nearest < 0 || ((seq - nearest) | 0) < 0) nearest = seq;
    }
    half.next = nearest;
    half.gap = true;
    drain(stream, direction);
  }
}

/** The first conversation of a capture with payload towards this port. */
export function streamTo(path: string, respPort: number): Stream {
  const found = readStreams(path).find((stream) => stream.respPort === respPort && stream.chunks.length > 0);
  if (found === undefined) throw new Error(`no conversation towards port ${respPort}`);
  return found;
}
