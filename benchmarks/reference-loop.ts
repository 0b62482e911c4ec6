/**
 * What plain code can do on this machine: reads a classic little-endian pcap of Ethernet frames, takes the
 * 5-tuple of IPv4 packets and counts them in a hash of typed arrays. No VLAN stacks, no tunnels, no IPv6, no
 * time-outs, no checks beyond lengths. The hot path is measured as a ratio to it, run in the same minute, so
 * that figures of different machines can be compared.
 *
 *   node benchmarks/reference-loop.ts FILE
 *
 * Reads the file four times; the figure is the slope over all but the first, as `wardwatch bench` has it.
 */
import { closeSync, openSync, readSync } from 'node:fs';

const file = process.argv[2];
if (file === undefined) throw new Error('name a capture file');
const TIMES = 4;
const FILE = file;
let descriptor = -1;
const CHUNK = 1 << 20;
const bytes = new Uint8Array(CHUNK);
const view = new DataView(bytes.buffer);
const SLOTS = 1 << 20;
const keys = new Uint32Array(SLOTS * 4);
const used = new Uint8Array(SLOTS);
const counts = new Float64Array(SLOTS * 2);
let have = 0;
let at = 0;
/** The file has been read to its end. */
const state = { ended: false };
let packets = 0;
let flows = 0;

function more(): void {
  bytes.copyWithin(0, at, have);
  have -= at;
  at = 0;
  const n = readSync(descriptor, bytes, have, CHUNK - have, null);
  if (n === 0) state.ended = true;
  have += n;
}

function count(a: number, b: number, ports: number, proto: number, length: number): void {
  let h = Math.imul(a ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(ports, 0xc2b2ae35) ^ proto, 0x9e3779b1);
  h = (h ^ (h >>> 15)) & (SLOTS - 1);
  for (;;) {
    const k = h * 4;
    if (used[h] === 0) {
      used[h] = 1;
      flows++;
      keys[k] = a;
      keys[k + 1] = b;
      keys[k + 2] = ports;
      keys[k + 3] = proto;
    } else if (keys[k] !== a || keys[k + 1] !== b || keys[k + 2] !== ports || keys[k + 3] !== proto) {
      h = (h + 1) & (SLOTS - 1);
      continue;
    }
    counts[h * 2]!++;
    counts[h * 2 + 1]! += length;
    return;
  }
}

function reopen(): void {
  descriptor = openSync(FILE, 'r');
  have = 0;
  at = 0;
  state.ended = false;
  packets = 0;
  flows = 0;
  used.fill(0);
}

function pass(): void {
  reopen();
  more();
  at = 24;
  for (;;) {
    if (have - at < 16) {
      if (state.ended) break;
      more();
      if (have - at < 16) break;
    }
    const captured = view.getUint32(at + 8, true);
    if (have - at < 16 + captured) {
      if (state.ended || captured > CHUNK - 16) break;
      more();
      if (have - at < 16 + captured) break;
    }
    const length = view.getUint32(at + 12, true);
    let o = at + 16;
    const end = o + captured;
    at = end;
    packets++;
    if (captured < 34) continue;
    let type = view.getUint16(o + 12);
    o += 14;
    if (type === 0x8100 && o + 24 <= end) {
      type = view.getUint16(o + 2);
      o += 4;
    }
    if (type !== 0x0800) continue;
    const l4 = o + (bytes[o]! & 15) * 4;
    let a = view.getUint32(o + 12);
    let b = view.getUint32(o + 16);
    let p = l4 + 4 <= end ? view.getUint16(l4) : 0;
    let q = l4 + 4 <= end ? view.getUint16(l4 + 2) : 0;
    if (a > b || (a === b && p > q)) {
      [a, b] = [b, a];
      [p, q] = [q, p];
    }
    count(a, b, ((p << 16) | q) >>> 0, bytes[o + 9]!, length);
  }
  closeSync(descriptor);
}

pass();
const before = process.cpuUsage();
for (let time = 1; time < TIMES; time++) pass();
const cpu = process.cpuUsage(before);
const seconds = (cpu.user + cpu.system) / 1e6 / (TIMES - 1);
process.stdout.write(
  `${JSON.stringify({ packets, flows, cpu_seconds: seconds, packets_per_cpu_second: Math.round(packets / seconds) })}\n`,
);
