/**
 * Drives one dissector the way the decoder does, with every rule of the contract checked on the way:
 * declared kinds, fields and events, one open observation, nothing read outside the payload.
 */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { EXCLUDE, ORIG } from '../../src/decode/dissector.ts';
import type { Dissector, Payload } from '../../src/decode/dissector.ts';
import type { ObservationKind, ObservationSink } from '../../src/decode/observation.ts';

export interface Seen {
  kind: string;
  fields: Record<string, string | number>;
}

/** One payload of a stream (TCP segment in order, or a datagram). */
export interface Piece {
  bytes: Uint8Array;
  direction?: number;
  tsUs?: number;
  cut?: boolean;
  multicast?: boolean;
  /** Bytes of this direction were lost before this piece. */
  gapBefore?: boolean;
}

export interface FlowShape {
  ipProto?: number;
  origPort?: number;
  respPort?: number;
  /** The start of the connection was not captured. */
  midStream?: boolean;
}

export interface Outcome {
  /** What the probe said last. */
  verdict: 'yes' | 'no' | 'more';
  excluded: boolean;
  seen: Seen[];
  events: string[];
}

const MOST_PROBES = 8;
const tokenOf = (bytes: Uint8Array): string => `#${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`;

/** A token as the recorder writes it, to compare with. */
export function expectedToken(content: string | Uint8Array): string {
  return tokenOf(typeof content === 'string' ? Buffer.from(content, 'latin1') : content);
}

interface Recorder extends ObservationSink {
  seen: Seen[];
  events: string[];
  /** No observation is open. */
  idle(): boolean;
}

function createRecorder(dissector: Dissector): Recorder {
  const seen: Seen[] = [];
  const events: string[] = [];
  let open: ObservationKind | undefined;
  let fields: Record<string, string | number> = {};
  const slot = (index: number, type: string): string => {
    if (open === undefined) throw new Error('field set while no observation is open');
    const field = open.fields[index];
    if (field === undefined) throw new Error(`${open.kind} has no field ${index}`);
    if (field.type !== type) throw new Error(`${open.kind}.${field.name} is ${field.type}, set as ${type}`);
    return field.name;
  };
  return {
    seen,
    events,
    idle: () => open === undefined,
    begin(kind) {
      if (open !== undefined) throw new Error(`${kind.kind} begun while ${open.kind} is open`);
      if (!dissector.observations.includes(kind)) throw new Error(`${kind.kind} is not declared`);
      open = kind;
      fields = {};
    },
    text(index, bytes, start, end) {
      const name = slot(index, 'text');
      if (!(start >= 0 && end <= bytes.length)) throw new Error(`${name}: range outside the bytes`);
      if (end <= start) return;
      const word = new TextDecoder('utf-8').decode(bytes.subarray(start, Math.min(end, start + 128)));

      fields[name] = word.replace(/[\u0000-\u001f\u007f]/g, '\ufffd');
    },
    string(index, value) {
      const name = slot(index, 'text');
      if (value !== '') fields[name] = value.slice(0, 128);
    },
    number(index, value) {
      const name = slot(index, 'number');
      if (!Number.isFinite(value)) throw new Error(`${name} is not a finite number`);
      fields[name] = value;
    },
    token(index, bytes, start, end) {
      const name = slot(index, 'token');
      if (!(start >= 0 && end <= bytes.length)) throw new Error(`${name}: range outside the bytes`);
      if (end > start) fields[name] = tokenOf(bytes.subarray(start, end));
    },
    end() {
      if (open === undefined) throw new Error('end without begin');
      seen.push({ kind: open.kind, fields });
      open = undefined;
    },
    event(name) {
      if (!dissector.events.includes(name)) throw new Error(`event ${name} is not declared`);
      events.push(name);
    },
  };
}

/** Where the bytes lie in the decoder's buffer: what surrounds them must make no difference. */
type Surroundings = { before: number; after: number; fill: number };

function place(content: Uint8Array, at: Surroundings, payload: Payload): void {
  const bytes = new Uint8Array(at.before + content.length + at.after).fill(at.fill);
  bytes.set(content, at.before);
  payload.bytes = bytes;
  payload.view = new DataView(bytes.buffer);
  payload.start = at.before;
  payload.end = at.before + content.length;
}

function drive(dissector: Dissector, pieces: readonly Piece[], shape: FlowShape, at: Surroundings): Outcome {
  const sink = createRecorder(dissector);
  const tcp = (shape.ipProto ?? (dissector.transport[0] === 'tcp' ? 6 : 17)) === 6;
  const retain = dissector.retain ?? 4096;
  const outcome: Outcome = { verdict: 'more', excluded: false, seen: sink.seen, events: sink.events };
  const held: [Uint8Array, Uint8Array] = [new Uint8Array(0), new Uint8Array(0)];
  const skip: [number, number] = [0, 0];
  const seenBefore: [boolean, boolean] = [shape.midStream ?? false, shape.midStream ?? false];
  const payload: Payload = {
    bytes: new Uint8Array(0),
    view: new DataView(new ArrayBuffer(0)),
    start: 0,
    end: 0,
    direction: ORIG,
    tsUs: 0,
    ipProto: shape.ipProto ?? (tcp ? 6 : dissector.transport.includes('udp') ? 17 : 0),
    origPort: shape.origPort ?? 40000,
    respPort: shape.respPort ?? dissector.ports[0] ?? 0,
    cut: false,
    first: false,
    multicast: false,
  };
  let state: unknown;
  let probes = 0;
  for (const piece of pieces) {
    const d = (piece.direction ?? ORIG) as 0 | 1;
    payload.direction = d;
    payload.tsUs = piece.tsUs ?? 1_700_000_000_000_000;
    payload.cut = piece.cut ?? false;
    payload.multicast = piece.multicast ?? false;
    payload.first = !seenBefore[d];
    seenBefore[d] = true;
    if (piece.gapBefore === true) {
      held[d] = new Uint8Array(0);
      skip[d] = 0;
      if (outcome.verdict === 'yes') dissector.gap?.(state, d);
    }
    let content = piece.bytes;
    if (tcp) {
      if (skip[d] > 0) {
        const n = Math.min(skip[d], content.length);
        skip[d] -= n;
        content = content.subarray(n);
      }
      if (content.length === 0) continue;
      if (held[d].length > 0) content = Buffer.concat([held[d], content]);
    }
    place(content, at, payload);
    if (outcome.verdict !== 'yes') {
      outcome.verdict = dissector.probe(payload);
      if (outcome.verdict === 'no') return outcome;
      if (outcome.verdict === 'more') {
        if (tcp) held[d] = content.slice(0, retain);
        if (++probes >= MOST_PROBES && pieces.length < 64) return outcome;
        continue;
      }
      state = dissector.open();
    }
    const done = dissector.read(state, payload, sink);
    if (!sink.idle()) throw new Error('read left an observation open');
    if (done === EXCLUDE) {
      outcome.excluded = true;
      return outcome;
    }
    if (!Number.isSafeInteger(done) || done < 0) throw new Error(`read returned ${done}`);
    if (!tcp) continue;
    const length = content.length;
    if (done >= length) {
      skip[d] = done - length;
      held[d] = new Uint8Array(0);
    } else if (length - done > retain) {
      held[d] = new Uint8Array(0);
      dissector.gap?.(state, d);
    } else {
      held[d] = content.slice(done);
    }
    if (piece.cut === true) {
      held[d] = new Uint8Array(0);
      dissector.gap?.(state, d);
    }
  }
  return outcome;
}

const TIGHT: Surroundings = { before: 0, after: 0, fill: 0 };
const POISONED: readonly Surroundings[] = [
  { before: 7, after: 96, fill: 0x41 },
  { before: 33, after: 64, fill: 0x0d },
  { before: 2, after: 300, fill: 0xff },
];

/**
 * Feeds the pieces to the dissector in several surroundings and expects the same outcome in each: a
 * byte read outside the payload shows as a difference or as an exception.
 */
export function dissect(dissector: Dissector, pieces: readonly Piece[], shape: FlowShape = {}): Outcome {
  const outcome = drive(dissector, pieces, shape, TIGHT);
  for (const at of POISONED) expect(drive(dissector, pieces, shape, at)).toEqual(outcome);
  return outcome;
}

/** The same without the repeated runs, for long captures. */
export function dissectOnce(dissector: Dissector, pieces: readonly Piece[], shape: FlowShape = {}): Outcome {
  return drive(dissector, pieces, shape, TIGHT);
}

/** The stream cut in two at every point, and into single bytes: the outcome must be that of the whole. */
export function expectSplitInvariant(dissector: Dissector, stream: Uint8Array, shape: FlowShape = {}, step = 1): void {
  const whole = dissectOnce(dissector, [{ bytes: stream }], shape);
  for (let i = 1; i < stream.length; i += step) {
    const parts = dissectOnce(dissector, [{ bytes: stream.subarray(0, i) }, { bytes: stream.subarray(i) }], shape);
    expect({ at: i, ...parts }).toEqual({ at: i, ...whole });
  }
  const single = Array.from(stream, (byte) => ({ bytes: Uint8Array.of(byte) }));
  if (single.length >= 64) expect(dissectOnce(dissector, single, shape)).toEqual(whole);
}

/** Numbers in [0, 1) from a seed (mulberry32): the same on every machine. */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Cuts, flips, inserts, repeats and drops bytes of good samples, feeds them in one or more pieces and in
 * both directions, with gaps and cut frames, also without asking the probe first. Nothing may throw and
 * the surroundings may make no difference.
 */
export function fuzzDissector(
  dissector: Dissector,
  samples: readonly Uint8Array[],
  shape: FlowShape = {},
  rounds = 400,
): void {
  const random = seeded(0x57a6d);
  const upTo = (n: number): number => Math.floor(random() * n);
  const forced: Dissector = { ...dissector, probe: () => 'yes' };
  for (let round = 0; round < rounds; round++) {
    const sample = samples[round % samples.length]!;
    let bytes: Uint8Array = sample.slice();
    for (let n = upTo(4); n >= 0 && bytes.length > 0; n--) {
      const at = upTo(bytes.length);
      switch (upTo(6)) {
        case 0:
          bytes[at] = upTo(256);
          break;
        case 1:
          bytes[at] = [0, 0xff, 0x7f, 0x80, 0x0d, 0x1c][upTo(6)]!;
          break;
        case 2:
          bytes = bytes.slice(0, at);
          break;
        case 3:
          bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + upTo(8)))]);
          break;
        case 4:
          bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(0, upTo(64)), bytes.subarray(at)]);
          break;
        default:
          bytes = bytes.slice(at);
      }
    }
    const pieces: Piece[] = [];
    for (let at = 0; at < bytes.length || pieces.length === 0;) {
      const end = random() < 0.5 ? bytes.length : Math.min(bytes.length, at + 1 + upTo(bytes.length));
      pieces.push({
        bytes: bytes.subarray(at, end),
        direction: upTo(8) === 0 ? 1 : round & 1,
        cut: upTo(16) === 0,
        gapBefore: upTo(16) === 0,
      });
      at = Math.max(end, at + 1);
    }
    for (const use of [dissector, forced]) dissect(use, pieces, shape);
  }
}

/** All texts of an outcome, for looking for what must not be there. */
export function textsOf(outcome: Outcome): string {
  return [...outcome.seen.flatMap((one) => Object.values(one.fields)), ...outcome.events].join('\n');
}

/** Concatenates bytes, hex is given as `hex('0b4d')`, texts as latin1. */
export function bytesOf(...parts: (string | Uint8Array | number[])[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from(part)))),
  );
}

export function hex(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits.replace(/[\s:]/g, ''), 'hex'));
}
