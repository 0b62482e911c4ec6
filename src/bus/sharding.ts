import { createFrameBatch } from '../kernel/frames.ts';
import type { FrameBatch } from '../kernel/frames.ts';

/** Fixed: partitions come and go, shards stay. */
export const SHARDS = 64;

/**
 * What makes a shard.
 * `segment`: a VLAN.
 * `endpoint`: each device that a frame touches, at most two; on an `access` tap a MAC within a VLAN, on a `routed`
 * one an IP within a VLAN. ARP, DHCP and neighbour discovery go to the shard of their VLAN as well.
 */
type ShardBy = 'segment' | 'endpoint';
type Tap = 'access' | 'routed';

const ETHERNET = 1;
const ETHERTYPE_IP4 = 0x0800;
const ETHERTYPE_IP6 = 0x86dd;
const ETHERTYPE_ARP = 0x0806;
const UDP = 17;
const ICMP6 = 58;

/** FNV-1a (RFC 9923) over the VLAN and some bytes; the final mix spreads its weak low bits. */
function shardOf(vlan: number, bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5;
  hash = Math.imul(hash ^ (vlan & 255), 0x01000193);
  hash = Math.imul(hash ^ (vlan >>> 8), 0x01000193);
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x45d9f3b);
  hash ^= hash >>> 15;
  return (hash >>> 0) % SHARDS;
}

/** The partition of a shard. */
function partitionOf(shard: number, partitions: number): number {
  return shard % partitions;
}

/**
 * Finds the shards of a frame: writes them to `out` without repetition and returns how many there are, 1 to 3.
 * What cannot be read (another link type, cut short) goes to shard 0, so that it is seen and counted somewhere.
 * Group addresses are nobody's endpoint.
 */
export function shardsOfFrame(batch: FrameBatch, row: number, by: ShardBy, tap: Tap, out: Uint8Array): number {
  const { bytes, view } = batch;
  const start = batch.offset[row]!;
  const end = start + batch.capLen[row]!;
  if (batch.linkType[row] !== ETHERNET || end - start < 14) {
    out[0] = 0;
    return 1;
  }
  let at = start + 12;
  let type = view.getUint16(at);
  let vlan = 0;
  // The innermost tag is the segment.
  while ((type === 0x8100 || type === 0x88a8 || type === 0x9100) && at + 6 <= end) {
    vlan = view.getUint16(at + 2) & 0xfff;
    at += 4;
    type = view.getUint16(at);
  }
  at += 2;
  const segment = shardOf(vlan, bytes, 0, 0);
  if (by === 'segment') {
    out[0] = segment;
    return 1;
  }
  let count = 0;
  const isIp4 = type === ETHERTYPE_IP4 && at + 20 <= end;
  const isIp6 = type === ETHERTYPE_IP6 && at + 40 <= end;
  if (tap === 'routed' && (isIp4 || isIp6)) {
    const size = isIp4 ? 4 : 16;
    const source = at + (isIp4 ? 12 : 8);
    out[count++] = shardOf(vlan, bytes, source, source + size);
    const first = bytes[source + size]!;
    const isGroup = isIp4 ? first >= 224 : first === 0xff;
    if (!isGroup) count = add(out, count, shardOf(vlan, bytes, source + size, source + 2 * size));
  } else {
    out[count++] = shardOf(vlan, bytes, start + 6, start + 12);
    if ((bytes[start]! & 1) === 0) count = add(out, count, shardOf(vlan, bytes, start, start + 6));
  }
  return isOfSegment(view, bytes, at, end, type) ? add(out, count, segment) : count;
}

function add(out: Uint8Array, count: number, shard: number): number {
  for (let i = 0; i < count; i++) if (out[i] === shard) return count;
  out[count] = shard;
  return count + 1;
}

/** ARP, DHCP (both versions) and neighbour discovery (RFC 4861): what binds addresses. */
function isOfSegment(view: DataView, bytes: Uint8Array, at: number, end: number, type: number): boolean {
  if (type === ETHERTYPE_ARP) return true;
  let next: number;
  let payload: number;
  if (type === ETHERTYPE_IP4 && at + 20 <= end) {
    // Ports stand in the first fragment alone.
    if ((view.getUint16(at + 6) & 0x1fff) !== 0) return false;
    next = bytes[at + 9]!;
    payload = at + (bytes[at]! & 15) * 4;
  } else if (type === ETHERTYPE_IP6 && at + 40 <= end) {
    next = bytes[at + 6]!;
    payload = at + 40;
  } else return false;
  if (payload + 4 > end) return false;
  if (next === ICMP6) return bytes[payload]! >= 133 && bytes[payload]! <= 137;
  if (next !== UDP) return false;
  const port = view.getUint16(payload + 2);
  return port === 67 || port === 68 || port === 546 || port === 547;
}

/**
 * Divides batches among partitions, in their order. A frame goes to each partition that one of its shards lies on,
 * once.
 */
export function createSharding(by: ShardBy, tap: Tap, partitions: number) {
  const shards = new Uint8Array(4);
  const rows: number[][] = Array.from({ length: partitions }, () => []);
  return (batch: FrameBatch): { partition: number; batch: FrameBatch }[] => {
    for (const of of rows) of.length = 0;
    for (let row = 0; row < batch.count; row++) {
      const count = shardsOfFrame(batch, row, by, tap, shards);
      for (let i = 0; i < count; i++) {
        const of = rows[partitionOf(shards[i]!, partitions)]!;
        if (of[of.length - 1] !== row) of.push(row);
      }
    }
    return rows.flatMap((of, partition) => (of.length === 0 ? [] : [{ partition, batch: pick(batch, of) }]));
  };
}

/** Some rows of a batch, over the same bytes. */
function pick(batch: FrameBatch, rows: readonly number[]): FrameBatch {
  if (rows.length === batch.count) return batch;
  const out = createFrameBatch(rows.length, batch.bytes);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    out.offset[i] = batch.offset[row]!;
    out.capLen[i] = batch.capLen[row]!;
    out.wireLen[i] = batch.wireLen[row]!;
    out.tsUs[i] = batch.tsUs[row]!;
    out.linkType[i] = batch.linkType[row]!;
  }
  out.count = rows.length;
  out.origin = batch.origin;
  out.firstFrame = batch.firstFrame;
  return out;
}
