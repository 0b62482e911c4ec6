import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect } from 'vitest';
import { EXCLUDE } from '../../src/decode/dissector.ts';
import type { Dissector, Payload } from '../../src/decode/dissector.ts';
import type { ObservationKind, ObservationSink } from '../../src/decode/observation.ts';

/** One payload of a conversation: direction 0 is the originator. */
export interface Chunk {
  direction: number;
  bytes: Uint8Array;
  /** Bytes were lost before this one. */
  gap?: boolean;
}

export interface Seen {
  kind: string;
  direction: number;
  fields: Record<string, string | number>;
}

export interface Dissected {
  /** The dissector took the flow. */
  taken: boolean;
  /** It gave the flow up again. */
  excluded: boolean;
  seen: Seen[];
  events: string[];
}

export interface FlowOptions {
  transport?: 'tcp' | 'udp';
  origPort?: number;
  respPort?: number;
  /** The start of the connection was not seen. */
  midStream?: boolean;
  /** Value of the bytes around the payload, which a dissector must not read. */
  poison?: number;
}

const MARGIN = 16;

/** Writes what a dissector says into plain objects and checks that it keeps the sink's rules. */
class Collector implements ObservationSink {
  readonly seen: Seen[] = [];
  readonly events: string[] = [];
  direction = 0;
  #dissector: Dissector;
  #open: { kind: ObservationKind; fields: Record<string, string | number> } | undefined;
  constructor(dissector: Dissector) {
    this.#dissector = dissector;
  }
  begin(kind: ObservationKind): void {
    if (this.#open) throw new Error(`begin(${kind.kind}) while ${this.#open.kind.kind} is open`);
    if (!this.#dissector.observations.includes(kind)) throw new Error(`${kind.kind} is not declared`);
    this.#open = { kind, fields: {} };
  }
  #set(index: number, type: string, value: string | number): void {
    if (!this.#open) throw new Error('no observation is open');
    const spec = this.#open.kind.fields[index];
    if (!spec || spec.type !== type) throw new Error(`field ${index} of ${this.#open.kind.kind} is no ${type}`);
    this.#open.fields[spec.name] = value;
  }
  text(field: number, bytes: Uint8Array, start: number, end: number): void {
    this.#range(bytes, start, end);
    if (end > start)
      this.#set(field, 'text', new TextDecoder().decode(bytes.subarray(start, Math.min(end, start + 128))));
  }
  string(field: number, value: string): void {
    this.#set(field, 'text', value);
  }
  number(field: number, value: number): void {
    if (!Number.isFinite(value)) throw new Error('a number field is no number');
    this.#set(field, 'number', value);
  }
  token(field: number, bytes: Uint8Array, start: number, end: number): void {
    this.#range(bytes, start, end);
    const digest = createHash('sha256').update(bytes.subarray(start, end)).digest('hex');
    if (end > start) this.#set(field, 'token', `token:${digest.slice(0, 12)}`);
  }
  end(): void {
    if (!this.#open) throw new Error('end() with nothing open');
    this.seen.push({ kind: this.#open.kind.kind, direction: this.direction, fields: this.#open.fields });
    this.#open = undefined;
  }
  event(name: string): void {
    if (!this.#dissector.events.includes(name)) throw new Error(`event ${name} is not declared`);
    this.events.push(name);
  }
  close(): void {
    if (this.#open) throw new Error(`${this.#open.kind.kind} was left open`);
  }
  #range(bytes: Uint8Array, start: number, end: number): void {
    if (start < 0 || end < start || end > bytes.length) throw new Error(`range ${start}..${end} is outside the bytes`);
  }
}

/**
 * Offers a conversation to one dissector as the tracker does: asks its probe until it takes the flow, keeps
 * what it leaves, skips what it says, resynchronises beyond `retain`.
 */
export function dissect<S>(dissector: Dissector<S>, chunks: readonly Chunk[], options: FlowOptions = {}): Dissected {
  const sink = new Collector(dissector);
  const poison = options.poison ?? 0;
  const tcp = (options.transport ?? 'tcp') === 'tcp';
  const retain = dissector.retain ?? 4096;
  const offer = (bytes: Uint8Array, direction: number, first: boolean): Payload => {
    const arena = new Uint8Array(bytes.length + 2 * MARGIN).fill(poison);
    arena.set(bytes, MARGIN);
    return {
      bytes: arena,
      view: new DataView(arena.buffer),
      start: MARGIN,
      end: MARGIN + bytes.length,
      direction,
      tsUs: 1_700_000_000_000_000,
      ipProto: tcp ? 6 : 17,
      origPort: options.origPort ?? 49152,
      respPort: options.respPort ?? 65000,
      cut: false,
      first,
      multicast: false,
    };
  };
  const state = dissector.open();
  const kept = [new Uint8Array(), new Uint8Array()];
  const skip = [0, 0];
  const started = [false, false];
  const undecided: Chunk[] = [];
  const result: Dissected = { taken: false, excluded: false, seen: sink.seen, events: sink.events };

  const read = (chunk: Chunk): void => {
    const d = chunk.direction;
    let bytes = chunk.bytes;
    if (chunk.gap) {
      kept[d] = new Uint8Array();
      skip[d] = 0;
      dissector.gap?.(state, d);
    }
    if (tcp && skip[d]! > 0) {
      const n = Math.min(skip[d]!, bytes.length);
      skip[d]! -= n;
      bytes = bytes.subarray(n);
      if (bytes.length === 0) return;
    }
    const whole = tcp ? concat(kept[d]!, bytes) : bytes;
    sink.direction = d;
    const done = dissector.read(state, offer(whole, d, false), sink);
    sink.close();
    if (done === EXCLUDE) {
      result.excluded = true;
      return;
    }
    if (!Number.isInteger(done) || done < 0) throw new Error(`read returned ${done}`);
    if (!tcp) return;
    if (done > whole.length) {
      skip[d] = done - whole.length;
      kept[d] = new Uint8Array();
      return;
    }
    kept[d] = whole.slice(done);
    if (kept[d].length > retain) {
      kept[d] = new Uint8Array();
      dissector.gap?.(state, d);
    }
  };

  for (const chunk of chunks) {
    if (result.excluded) break;
    if (result.taken) {
      read(chunk);
      continue;
    }
    undecided.push(chunk);
    const d = chunk.direction;
    const seenSoFar = tcp ? concat(...undecided.filter((c) => c.direction === d).map((c) => c.bytes)) : chunk.bytes;
    const verdict = dissector.probe(offer(seenSoFar, d, !options.midStream && !started[d]));
    if (!tcp) started[d] = true;
    if (verdict === 'no') break;
    if (verdict === 'yes') {
      result.taken = true;
      undecided.every((waiting) => {
        read(waiting);
        return !result.excluded;
      });
    }
  }
  return result;
}

export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The same conversation in other pieces: each chunk cut every `size` bytes. */
export function inPieces(chunks: readonly Chunk[], size: number): Chunk[] {
  const out: Chunk[] = [];
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.bytes.length; i += size) {
      out.push({ ...chunk, bytes: chunk.bytes.subarray(i, i + size), gap: (chunk.gap ?? false) && i === 0 });
    }
  }
  return out;
}

/** Fails where the way in which a stream is cut into segments changes what is observed. */
export function expectSplitInvariant<S>(
  dissector: Dissector<S>,
  chunks: readonly Chunk[],
  options: FlowOptions = {},
): void {
  const whole = dissect(dissector, chunks, options);
  expect(whole.taken).toBe(true);
  for (const size of [1, 2, 3, 7, 64, 501, 1460]) {
    expect(dissect(dissector, inPieces(chunks, size), options), `in pieces of ${size}`).toEqual(whole);
  }
  for (let which = 0; which < chunks.length; which++) {
    const chunk = chunks[which]!;
    const step = Math.max(1, Math.floor(chunk.bytes.length / 60));
    for (let at = 1; at < chunk.bytes.length; at += step) {
      const parts = [
        { ...chunk, bytes: chunk.bytes.subarray(0, at) },
        { ...chunk, bytes: chunk.bytes.subarray(at), gap: false },
      ];
      const split = [...chunks.slice(0, which), ...parts, ...chunks.slice(which + 1)];
      expect(dissect(dissector, split, options), `chunk ${which} split at ${at}`).toEqual(whole);
    }
  }
}

/**
 * Damages the conversation in seeded ways (bytes changed, cut, swapped, gaps) and fails where the dissector
 * throws, breaks the sink's rules or lets bytes outside the payload decide anything.
 */
export function expectHardened<S>(
  dissector: Dissector<S>,
  chunks: readonly Chunk[],
  options: FlowOptions = {},
  runs = 200,
): void {
  const damage = fc.record({
    edits: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
    cutAt: fc.option(fc.nat()),
    drop: fc.option(fc.nat()),
    pieces: fc.integer({ min: 1, max: 2000 }),
    midStream: fc.boolean(),
  });
  const total = chunks.reduce((n, chunk) => n + chunk.bytes.length, 0);
  fc.assert(
    fc.property(damage, ({ edits, cutAt, drop, pieces, midStream }) => {
      let damaged = chunks.map((chunk) => ({ ...chunk, bytes: chunk.bytes.slice() }));
      for (const [where, value] of edits) {
        let at = where % total;
        for (const chunk of damaged) {
          if (at < chunk.bytes.length) {
            chunk.bytes[at] = value;
            break;
          }
          at -= chunk.bytes.length;
        }
      }
      if ((options.transport ?? 'tcp') === 'tcp') damaged = inPieces(damaged, pieces) as typeof damaged;
      if (drop !== null && damaged.length > 1) {
        const at = drop % damaged.length;
        const next = damaged.slice(at + 1).find((chunk) => chunk.direction === damaged[at]!.direction);
        if (next) next.gap = true;
        damaged.splice(at, 1);
      }
      if (cutAt !== null) {
        const last = damaged[cutAt % damaged.length]!;
        last.bytes = last.bytes.subarray(0, cutAt % (last.bytes.length + 1));
      }
      const one = dissect(dissector, damaged, { ...options, midStream, poison: 0x00 });
      const two = dissect(dissector, damaged, { ...options, midStream, poison: 0x41 });
      const three = dissect(dissector, damaged, { ...options, midStream, poison: 0xff });
      expect(two).toEqual(one);
      expect(three).toEqual(one);
    }),
    { seed: 20261121, numRuns: runs },
  );
  // Bytes that never were this protocol, offered behind its own beginning and alone.
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(1), (noise, direction) => {
      const one = dissect(dissector, [{ direction, bytes: noise }], { ...options, poison: 0 });
      expect(dissect(dissector, [{ direction, bytes: noise }], { ...options, poison: 0xff })).toEqual(one);
      const behind = [...chunks.slice(0, 1), { direction, bytes: noise }];
      const two = dissect(dissector, behind, { ...options, poison: 0 });
      expect(dissect(dissector, behind, { ...options, poison: 0xff })).toEqual(two);
    }),
    { seed: 20261122, numRuns: runs },
  );
}

/** Fails where one of these words is anywhere in what left the dissector (also as UTF-16 or in another case). */
export function expectNothingOf(result: Dissected, words: readonly string[]): void {
  const said = JSON.stringify([result.seen, result.events]).toLowerCase();
  for (const word of words) expect(said, `the word ${word} left the decoder`).not.toContain(word.toLowerCase());
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** A chunk from the originator (text as Latin-1). */
export function orig(content: string | Uint8Array): Chunk {
  return { direction: 0, bytes: typeof content === 'string' ? bytesOf(content) : content };
}

/** A chunk from the responder. */
export function resp(content: string | Uint8Array): Chunk {
  return { direction: 1, bytes: typeof content === 'string' ? bytesOf(content) : content };
}
