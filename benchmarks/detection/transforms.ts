/**
 * Changes to captures that must not change what is detected: other addresses and makers, another epoch, another
 * pace, no VLAN tags, frames lost by the mirror. Works on Ethernet frames with IPv4.
 */
import { createFrameBatch } from '../../src/kernel/frames.ts';
import type { FrameBatch } from '../../src/kernel/frames.ts';

export interface Transform {
  readonly name: string;
  /** A new batch; the given one is not touched. */
  apply(batch: FrameBatch): FrameBatch;
  /** How ground truth moves along. */
  mac(text: string): string;
  ip(text: string): string;
  /** Epoch seconds. */
  time(seconds: number): number;
}

const identity = {
  mac: (text: string): string => text,
  ip: (text: string): string => text,
  time: (seconds: number): number => seconds,
};

/** Copies a batch, dropping or rewriting frames as `edit` says (false = drop; a number = new length). */
function copy(
  batch: FrameBatch,
  edit: (bytes: Uint8Array, length: number, index: number) => number | false,
  time: (us: number) => number,
): FrameBatch {
  let total = 0;
  for (let i = 0; i < batch.count; i++) total += batch.capLen[i]!;
  const out = createFrameBatch(Math.max(1, batch.count), new Uint8Array(total));
  let at = 0;
  let n = 0;
  for (let i = 0; i < batch.count; i++) {
    const length = batch.capLen[i]!;
    const start = batch.offset[i]!;
    const frame = batch.bytes.slice(start, start + length);
    const kept = edit(frame, length, batch.firstFrame + i);
    if (kept === false) continue;
    out.bytes.set(frame.subarray(0, kept), at);
    out.offset[n] = at;
    out.capLen[n] = kept;
    out.wireLen[n] = batch.wireLen[i]! - (length - kept);
    out.tsUs[n] = time(batch.tsUs[i]!);
    out.linkType[n] = batch.linkType[i]!;
    at += kept;
    n++;
  }
  out.count = n;
  out.origin = batch.origin;
  out.firstFrame = batch.firstFrame;
  return out;
}

const same = (us: number): number => us;

/** Another pace: periods, gaps and attacks alike. */
export function stretched(factor: number): Transform {
  return {
    ...identity,
    name: `time x ${factor}`,
    apply: (batch) =>
      copy(
        batch,
        (_b, length) => length,
        (us) => Math.floor(us * factor),
      ),
    time: (seconds) => seconds * factor,
  };
}

export function shifted(seconds: number): Transform {
  return {
    ...identity,
    name: `epoch ${seconds > 0 ? '+' : ''}${seconds} s`,
    apply: (batch) =>
      copy(
        batch,
        (_b, length) => length,
        (us) => us + seconds * 1e6,
      ),
    time: (s) => s + seconds,
  };
}

/** Drops the 802.1Q tag. */
export function untagged(): Transform {
  return {
    ...identity,
    name: 'no VLAN tag',
    apply: (batch) =>
      copy(
        batch,
        (b, length) => {
          if (length < 18 || b[12] !== 0x81 || b[13] !== 0x00) return length;
          b.copyWithin(12, 16);
          return length - 4;
        },
        same,
      ),
  };
}

/** The mirror loses every `n`-th frame or so, in a fixed pattern. */
export function lossy(percent: number): Transform {
  return {
    ...identity,
    name: `${percent} % of the frames lost`,
    apply: (batch) =>
      copy(
        batch,
        (_b, length, index) => {
          const h = Math.imul(index ^ (index >>> 15), 0x2c1b3c6d) >>> 0;
          return h % 1000 < percent * 10 ? false : length;
        },
        same,
      ),
  };
}

/** Other makers (first bytes of the MAC address) and another network in place of `from` (two bytes). */
export function readdressed(from: readonly [number, number], to: readonly [number, number]): Transform {
  const rewriteMac = (b: Uint8Array, o: number): void => {
    if ((b[o]! & 1) === 1 || (b[o] === 0 && b[o + 1] === 0 && b[o + 2] === 0)) return;
    // Every maker becomes another one, the same for all its devices; still globally unique addresses.
    const h = Math.imul(((b[o]! << 16) | (b[o + 1]! << 8) | b[o + 2]!) ^ 0x5bd1e9, 0x9e3779b1) >>> 0;
    b[o] = (h >>> 24) & 0xfc;
    b[o + 1] = (h >>> 16) & 255;
    b[o + 2] = (h >>> 8) & 255;
    b[o + 5] = b[o + 5]! ^ 0x5a;
  };
  const rewriteIp = (b: Uint8Array, o: number): void => {
    if (b[o] === from[0] && b[o + 1] === from[1]) {
      b[o] = to[0];
      b[o + 1] = to[1];
    }
  };
  const edit = (b: Uint8Array, length: number): number => {
    if (length < 34) return length;
    rewriteMac(b, 0);
    rewriteMac(b, 6);
    const o = b[12] === 0x81 && b[13] === 0 ? 18 : 14;
    const type = (b[o - 2]! << 8) | b[o - 1]!;
    if (type === 0x0806 && length >= o + 28) {
      rewriteMac(b, o + 8);
      rewriteIp(b, o + 14);
      rewriteMac(b, o + 18);
      rewriteIp(b, o + 24);
    } else if (type === 0x0800) {
      rewriteIp(b, o + 12);
      rewriteIp(b, o + 16);
      const l4 = o + (b[o]! & 15) * 4;
      const udp = b[o + 9] === 17 && length >= l4 + 8;
      const port = udp ? (b[l4 + 2]! << 8) | b[l4 + 3]! : 0;
      const d = l4 + 8;
      if ((port === 67 || port === 68) && length >= d + 240) {
        for (const at of [12, 16, 20, 24]) rewriteIp(b, d + at);
        rewriteMac(b, d + 28);
        for (let p = d + 240; p + 1 < length && b[p] !== 255; p += b[p] === 0 ? 1 : 2 + b[p + 1]!) {
          const code = b[p]!;
          if ([3, 6, 50, 54].includes(code) && p + 6 <= length) rewriteIp(b, p + 2);
          if (code === 61 && b[p + 1] === 7 && p + 9 <= length) rewriteMac(b, p + 3);
        }
      }
    }
    return length;
  };
  return {
    ...identity,
    name: 'other addresses and makers',
    apply: (batch) => copy(batch, edit, same),
    mac: (text) => {
      const b = Uint8Array.from(text.split(':').map((x) => Number.parseInt(x, 16)));
      rewriteMac(b, 0);
      return [...b].map((x) => x.toString(16).padStart(2, '0')).join(':');
    },
    ip: (text) => {
      const b = Uint8Array.from(text.split('.').map(Number));
      rewriteIp(b, 0);
      return b.join('.');
    },
  };
}

export const unchanged: Transform = { ...identity, name: 'as recorded', apply: (batch) => batch };
