/** Frames by hand, for tests: a small writer of headers that shares nothing with the decoder. */
import { createFrameBatch } from '../../src/kernel/frames.ts';
import type { FrameBatch } from '../../src/kernel/frames.ts';

export interface FrameSpec {
  readonly bytes: Uint8Array;
  readonly tsUs: number;
  readonly wireLen?: number;
  readonly linkType?: number;
}

export function batchOf(frames: readonly FrameSpec[]): FrameBatch {
  const total = frames.reduce((n, f) => n + f.bytes.length, 0);
  const batch = createFrameBatch(Math.max(1, frames.length), new Uint8Array(total));
  let at = 0;
  frames.forEach((f, i) => {
    batch.bytes.set(f.bytes, at);
    batch.offset[i] = at;
    batch.capLen[i] = f.bytes.length;
    batch.wireLen[i] = f.wireLen ?? f.bytes.length;
    batch.tsUs[i] = f.tsUs;
    batch.linkType[i] = f.linkType ?? 1;
    at += f.bytes.length;
  });
  batch.count = frames.length;
  batch.origin = 'by hand';
  return batch;
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s+/g, ''), 'hex'));
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

export const mac = (text: string): Uint8Array => hex(text.replaceAll(':', ''));
const u16 = (n: number): Uint8Array => Uint8Array.of((n >> 8) & 255, n & 255);
const u32 = (n: number): Uint8Array => concat(u16((n >>> 16) & 0xffff), u16(n & 0xffff));
const ip4 = (text: string): Uint8Array => Uint8Array.from(text.split('.').map(Number));

export function ethernet(src: string, dst: string, type: number, payload: Uint8Array, ...vlans: number[]): Uint8Array {
  const tags = vlans.map((v) => concat(u16(0x8100), u16(v)));
  return concat(mac(dst), mac(src), ...tags, u16(type), payload);
}

export function ipv4(
  src: string,
  dst: string,
  proto: number,
  payload: Uint8Array,
  options: { id?: number; fragment?: number; ttl?: number; total?: number } = {},
): Uint8Array {
  return concat(
    Uint8Array.of(0x45, 0),
    u16(options.total ?? 20 + payload.length),
    u16(options.id ?? 1),
    u16(options.fragment ?? 0),
    Uint8Array.of(options.ttl ?? 64, proto, 0, 0),
    ip4(src),
    ip4(dst),
    payload,
  );
}

/** Groups written out in full: `2001:db8:0:0:0:0:0:1`. */
export function ipv6(src: string, dst: string, next: number, payload: Uint8Array): Uint8Array {
  const address = (text: string): Uint8Array => concat(...text.split(':').map((g) => u16(Number.parseInt(g, 16))));
  return concat(hex('60000000'), u16(payload.length), Uint8Array.of(next, 64), address(src), address(dst), payload);
}

export function udp(srcPort: number, dstPort: number, payload: Uint8Array): Uint8Array {
  return concat(u16(srcPort), u16(dstPort), u16(8 + payload.length), u16(0), payload);
}

export const FLAGS = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export function tcp(
  srcPort: number,
  dstPort: number,
  flags: number,
  seq: number,
  ack: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  return concat(
    u16(srcPort),
    u16(dstPort),
    u32(seq),
    u32(ack),
    Uint8Array.of(0x50, flags),
    u16(64_240),
    u16(0),
    u16(0),
    payload,
  );
}

export function arp(
  operation: 1 | 2,
  senderMac: string,
  senderIp: string,
  targetMac: string,
  targetIp: string,
): Uint8Array {
  return concat(hex('0001 0800 06 04'), u16(operation), mac(senderMac), ip4(senderIp), mac(targetMac), ip4(targetIp));
}
