import { LAYER } from '../decode/packets.ts';
import type { PacketColumns } from '../decode/packets.ts';
import type { Dissector, Payload } from '../decode/dissector.ts';
import type { ObservationSink } from '../decode/observation.ts';
import type { TrackConfig } from './config.ts';
import { FLOW_FLAG } from './flow-table.ts';
import type { Tracker } from './tracker.ts';

/** Payloads after which a flow that nobody has recognised is left alone. */
const MAX_TRIES = 4;
const PROBE_BYTES = 2048;
const DEFAULT_RETAIN = 4096;
const EMPTY = new Uint8Array(0);
const NOBODY: readonly Dissector[] = [];

interface Segment {
  seq: number;
  bytes: Uint8Array;
}

/** One direction of a dissected flow. */
interface Direction {
  /** Sequence number of the next byte to deliver, as a signed number (it stays a small integer); valid once `started`. */
  nextSeq: number;
  started: boolean;
  /** Bytes of the stream to pass over unseen. */
  skip: number;
  kept: Uint8Array;
  keptLen: number;
  waiting: Segment[];
  waitingBytes: number;
}

interface AppFlow {
  dissector: Dissector | undefined;
  state: unknown;
  /** Which dissectors may still match, while none has. */
  candidates: readonly Dissector[];
  tries: number;
  orig: Direction;
  resp: Direction;
}

/** What is stored of a flow that is being dissected: never a byte of what was said in it. */
interface StoredStream {
  slot: number;
  /** Names of the dissector, or of those that may still match. */
  dissector: string | undefined;
  candidates: string[];
  tries: number;
  /**
   * How it goes on. `rest`: it stood between two messages, and `state` tells where. `rewind`: it stood inside
   * of one; its packets are read once more from the flow's start. `gap`: it did so too, and began too long ago
   * for that: it goes on as if bytes had been lost.
   */
  how: 'rest' | 'rewind' | 'gap';
  state: object | undefined;
  directions: Pick<Direction, 'nextSeq' | 'started' | 'skip'>[];
}

interface StoredStreams {
  readonly services: readonly string[];
  readonly flows: readonly StoredStream[];
  /** Slots of flows that nobody reads. */
  readonly left: Int32Array;
  readonly counters: StreamCounters;
}

export interface StreamCounters {
  /** Flows by what became of them. */
  recognised: number;
  unrecognised: number;
  excludedLater: number;
  gapBytes: number;
  /** Bytes dropped because a message was longer than its dissector retains, or memory was used up. */
  overlongBytes: number;
  heldBytes: number;
}

/**
 * Brings payloads to dissectors: decides by content which protocol a flow speaks, puts TCP segments in
 * order, keeps what a dissector has not finished with, and tells it of holes. Bounded per direction and in
 * total; when in doubt a hole is given up rather than memory.
 */
export class Streams {
  readonly counters: StreamCounters = {
    recognised: 0,
    unrecognised: 0,
    excludedLater: 0,
    gapBytes: 0,
    overlongBytes: 0,
    heldBytes: 0,
  };
  readonly services: readonly string[];
  readonly #tcp: readonly Dissector[];
  readonly #udp: readonly Dissector[];
  readonly #l2: readonly Dissector[];
  readonly #l2State = new Map<Dissector, unknown>();
  readonly #all: readonly Dissector[];
  readonly #byPort = new Map<number, Dissector[]>();
  readonly #orders = new Map<number, readonly Dissector[]>();
  readonly #config: TrackConfig;
  readonly #tracker: Tracker;
  readonly #out: ObservationSink;
  /** Per flow slot: 0 = nothing known, -1 = left alone, else index + 1 into `#flows`. */
  readonly #index: Int32Array;
  /** 1 where a flow has held segments back: an acknowledgement then has to be looked at. */
  readonly #waits: Uint8Array;
  readonly #flows: AppFlow[] = [];
  readonly #free: number[] = [];
  readonly #payload: Payload;
  /** Where {@link Streams.prepare} leaves what it read, or the engine would see that nobody wants it. */
  readonly #read = new Uint8Array(1);
  /** After a restart, by slot: flows whose packets are read once more, and how far they had come. */
  readonly #rewinding = new Map<number, StoredStream>();
  #countersBefore: StreamCounters | undefined;

  constructor(dissectors: readonly Dissector[], config: TrackConfig, tracker: Tracker, out: ObservationSink) {
    this.#all = dissectors;
    this.services = dissectors.map((d) => d.name);
    this.#tcp = dissectors.filter((d) => d.transport.includes('tcp'));
    this.#udp = dissectors.filter((d) => d.transport.includes('udp'));
    this.#l2 = dissectors.filter((d) => d.transport.includes('l2'));
    for (const d of dissectors)
      for (const port of d.ports) {
        const known = this.#byPort.get(port);
        if (known) known.push(d);
        else this.#byPort.set(port, [d]);
      }
    this.#config = config;
    this.#tracker = tracker;
    this.#out = out;
    this.#index = new Int32Array(config.max_flows);
    this.#waits = new Uint8Array(config.max_flows);
    this.#payload = {
      bytes: EMPTY,
      view: new DataView(EMPTY.buffer),
      start: 0,
      end: 0,
      direction: 0,
      tsUs: 0,
      ipProto: 0,
      origPort: 0,
      respPort: 0,
      cut: false,
      first: false,
      multicast: false,
    };
  }

  /**
   * Reads what is known of the flows of the block of packets that the tracker has just prepared, one independent
   * of the other, so that the processor fetches many of them from memory at the same time. Changes nothing.
   */
  prepare(): void {
    const { preparedSlots, preparedCount } = this.#tracker;
    let read = 0;
    for (let k = 0; k < preparedCount; k++) {
      const slot = preparedSlots[k]!;
      if (slot < 0) continue;
      const index = this.#index[slot]!;
      if (index <= 0) continue;
      const flow = this.#flows[index - 1]!;
      if (flow.orig.started) read++;
      if (flow.resp.started) read++;
    }
    this.#read[0] = read;
  }

  /** A packet with payload that `tracker.track` has just put on flow `slot`. */
  packet(p: PacketColumns, i: number, bytes: Uint8Array, view: DataView, slot: number): void {
    const index = this.#index[slot]!;
    if (index < 0) return;
    const layer = p.layer[i]!;
    if (layer === LAYER.udp) this.#datagram(p, i, bytes, view, slot, index);
    else if (layer === LAYER.tcp) this.#segment(p, i, bytes, view, slot, index);
  }

  /** A frame of a layer 2 protocol (LLDP, CDP). */
  control(p: PacketColumns, i: number, bytes: Uint8Array, view: DataView): void {
    const payload = this.#payload;
    payload.bytes = bytes;
    payload.view = view;
    payload.start = p.payOff[i]!;
    payload.end = payload.start + p.payLen[i]!;
    payload.direction = 0;
    payload.tsUs = this.#tracker.clock[0]!;
    payload.ipProto = 0;
    payload.origPort = p.etherType[i]!;
    payload.respPort = p.etherType[i]!;
    payload.cut = p.payWire[i]! > p.payLen[i]!;
    payload.first = true;
    payload.multicast = true;
    for (let d = 0; d < this.#l2.length; d++) {
      const dissector = this.#l2[d]!;
      if (dissector.probe(payload) !== 'yes') continue;
      let state = this.#l2State.get(dissector);
      if (state === undefined) {
        state = dissector.open();
        this.#l2State.set(dissector, state);
      }
      dissector.read(state, payload, this.#out);
      return;
    }
  }

  /** The flow is over: what it held is released. */
  close(slot: number): void {
    const index = this.#index[slot]!;
    this.#index[slot] = 0;
    if (index > 0) {
      this.#waits[slot] = 0;
      this.#release(index - 1);
    }
  }

  /**
   * What is known of the flows, without any payload. Flows that stand inside of a message are to be read once
   * more from their start where that is not before `rewindFromUs`.
   *
   * @cold with every snapshot
   */
  save(rewindFromUs: number): { state: unknown; earliestUs: number } {
    const flows: StoredStream[] = [];
    const left: number[] = [];
    let earliestUs = Infinity;
    for (let slot = 0; slot < this.#index.length; slot++) {
      const index = this.#index[slot]!;
      if (index === 0) continue;
      if (index < 0) {
        left.push(slot);
        continue;
      }
      const flow = this.#flows[index - 1]!;
      const state = stateAtRest(flow);
      const startUs = this.#tracker.flows.startUs(slot);
      const how = state !== undefined ? 'rest' : startUs >= rewindFromUs ? 'rewind' : 'gap';
      if (how === 'rewind') earliestUs = Math.min(earliestUs, startUs);
      flows.push({
        slot,
        dissector: flow.dissector?.name,
        candidates: flow.candidates.map((d) => d.name),
        tries: flow.tries,
        how,
        state: state?.value,
        directions: bothOf(flow).map(({ nextSeq, started, skip }) => ({ nextSeq, started, skip })),
      });
    }
    const state: StoredStreams = {
      services: this.services,
      flows,
      left: Int32Array.from(left),
      counters: { ...this.counters },
    };
    return { state, earliestUs };
  }

  /**
   * Flows that stand inside of a message and began before `us`: what {@link Streams.save} would have to treat as
   * interrupted. Whoever can wait for a better moment does.
   *
   * @cold before every snapshot
   */
  interruptedBefore(us: number): number {
    let n = 0;
    for (let slot = 0; slot < this.#index.length; slot++) {
      const index = this.#index[slot]!;
      if (index <= 0 || this.#tracker.flows.startUs(slot) >= us) continue;
      if (stateAtRest(this.#flows[index - 1]!) === undefined) n++;
    }
    return n;
  }

  /**
   * Into streams that have seen nothing, after the tracker was restored. Flows to be read once more wait for
   * {@link Streams.packet} until {@link Streams.endRewind}; {@link Streams.isRewinding} tells which.
   *
   * @cold after a restart
   */
  restore(saved: unknown): void {
    const { services, flows, left, counters } = saved as StoredStreams;
    const table = this.#tracker.flows;
    const { usedSlots } = table;
    for (let slot = 0; slot < usedSlots; slot++) {
      const name = services[table.service(slot) - 1];
      table.setService(slot, name === undefined ? 0 : this.services.indexOf(name) + 1);
    }
    for (const slot of left) this.#index[slot] = -1;
    for (const stored of flows)
      if (stored.how === 'rewind') this.#rewinding.set(stored.slot, stored);
      else this.#resume(stored);
    this.#countersBefore = counters;
  }

  /** True while packets of this flow from before the restart are wanted. */
  isRewinding(slot: number): boolean {
    return this.#rewinding.has(slot);
  }

  /**
   * The last packet from before the restart has been read. Returns how many flows go on as after a loss.
   *
   * @cold after a restart
   */
  endRewind(): number {
    let lost = 0;
    for (const [slot, stored] of this.#rewinding) {
      const index = this.#index[slot]!;
      const flow = index > 0 ? this.#flows[index - 1]! : undefined;
      const isWhole = stored.directions.every(
        (d, i) =>
          flow !== undefined && bothOf(flow)[i]!.nextSeq === d.nextSeq && bothOf(flow)[i]!.started === d.started,
      );
      if (isWhole && flow?.dissector?.name === stored.dissector) continue;
      this.close(slot);
      this.#resume({ ...stored, how: 'gap' });
      lost++;
    }
    this.#rewinding.clear();
    if (this.#countersBefore !== undefined) {
      const { heldBytes } = this.counters;
      Object.assign(this.counters, this.#countersBefore, { heldBytes });
      this.#countersBefore = undefined;
    }
    return lost;
  }

  /** @cold after a restart */
  #resume(stored: StoredStream): void {
    const named = (name: string): Dissector | undefined => this.#all[this.services.indexOf(name)];
    const dissector = stored.dissector === undefined ? undefined : named(stored.dissector);
    if (stored.dissector !== undefined && dissector === undefined) {
      this.#index[stored.slot] = -1;
      return;
    }
    const flow = this.#take(stored.slot);
    flow.dissector = dissector;
    flow.candidates = stored.candidates.map(named).filter((d) => d !== undefined);
    flow.tries = stored.tries;
    for (const [i, { nextSeq, started, skip }] of stored.directions.entries())
      Object.assign(bothOf(flow)[i]!, { nextSeq, started, skip: stored.how === 'gap' ? 0 : skip });
    if (dissector === undefined) return;
    flow.state =
      stored.how === 'rest' && stored.state !== undefined && dissector.resume !== undefined
        ? dissector.resume(stored.state)
        : stored.how === 'rest'
          ? stored.state
          : dissector.open();
    if (stored.how === 'gap') for (const i of [0, 1]) dissector.gap?.(flow.state, i);
  }

  #datagram(p: PacketColumns, i: number, bytes: Uint8Array, view: DataView, slot: number, index: number): void {
    const payload = this.#payload;
    payload.bytes = bytes;
    payload.view = view;
    payload.start = p.payOff[i]!;
    payload.end = payload.start + p.payLen[i]!;
    if (payload.end === payload.start) return;
    this.#describe(slot, p.payWire[i]! > p.payLen[i]!, 17);
    const flow = index === 0 ? this.#open(slot, this.#udp) : this.#flows[index - 1]!;
    const direction = this.#tracker.direction === 0 ? flow.orig : flow.resp;
    payload.first = !direction.started;
    direction.started = true;
    if (flow.dissector === undefined && !this.#probe(flow, slot)) {
      if (++flow.tries >= MAX_TRIES || flow.candidates.length === 0) this.#giveUp(slot);
      return;
    }
    if (flow.dissector!.read(flow.state, payload, this.#out) < 0) this.#exclude(slot);
  }

  #segment(p: PacketColumns, i: number, bytes: Uint8Array, view: DataView, slot: number, index: number): void {
    const have = p.payLen[i]!;
    const wire = p.payWire[i]!;
    if (wire === 0 || (p.tcpFlags[i]! & 2) !== 0) {
      if (index > 0 && this.#waits[slot] === 1) this.#acknowledged(slot, this.#flows[index - 1]!, p.tcpAck[i]!);
      return;
    }
    const flow = index === 0 ? this.#open(slot, this.#tcp) : this.#flows[index - 1]!;
    const direction = this.#tracker.direction === 0 ? 0 : 1;
    const d = direction === 0 ? flow.orig : flow.resp;
    const seq = p.tcpSeq[i]!;
    if (!d.started) {
      d.started = true;
      d.nextSeq = seq | 0;
      this.#payload.first = (this.#tracker.flows.flags(slot) & FLOW_FLAG.fromStart) !== 0;
    } else this.#payload.first = false;
    let from = p.payOff[i]!;
    const to = from + have;
    let delta = (seq - d.nextSeq) | 0;
    if (delta > 0) {
      // Keep-alives and broken numbers aside, a hole: wait for what is missing as long as memory allows.
      if (delta > 1 << 24 || !this.#hold(d, seq, bytes, from, to)) {
        this.#drain(slot, flow, direction, true);
        if (this.#index[slot]! <= 0) return;
        delta = (seq - d.nextSeq) | 0;
        if (delta > 0) this.#gap(slot, flow, direction, delta > 1 << 24 ? 0 : delta);
        d.nextSeq = seq | 0;
        delta = 0;
      } else {
        this.#waits[slot] = 1;
        return;
      }
    }
    if (delta < 0) {
      if (delta + wire <= 0) return;
      from -= delta;
      if (from > to) from = to;
    }
    d.nextSeq = (seq + wire) | 0;
    this.#deliver(slot, flow, direction, bytes, view, from, to, wire - have);
    if (d.waiting.length > 0 && this.#index[slot]! > 0) this.#drain(slot, flow, direction, false);
  }

  /** The peer has acknowledged beyond a hole: those bytes were received, only the mirror missed them. */
  #acknowledged(slot: number, flow: AppFlow, ack: number): void {
    const direction = this.#tracker.direction === 0 ? 1 : 0;
    const d = direction === 0 ? flow.orig : flow.resp;
    if (d.waiting.length === 0) return;
    const first = d.waiting[0]!;
    if (((ack - first.seq) | 0) > 0) this.#drain(slot, flow, direction, true);
  }

  #hold(d: Direction, seq: number, bytes: Uint8Array, from: number, to: number): boolean {
    const n = to - from;
    if (n === 0) return true;
    if (d.waitingBytes + n > this.#config.max_out_of_order_bytes || d.waiting.length >= 64) return false;
    if (this.counters.heldBytes + n > this.#config.max_stream_bytes) return false;
    let at = d.waiting.length;
    while (at > 0 && ((d.waiting[at - 1]!.seq - seq) | 0) > 0) at--;
    if (at > 0 && d.waiting[at - 1]!.seq === seq && d.waiting[at - 1]!.bytes.length >= n) return true;
    d.waiting.splice(at, 0, { seq, bytes: bytes.slice(from, to) });
    d.waitingBytes += n;
    this.counters.heldBytes += n;
    return true;
  }

  /** Delivers held segments that are in order now; with `giveUp` holes between them are declared lost. */
  #drain(slot: number, flow: AppFlow, direction: number, giveUp: boolean): void {
    const d = direction === 0 ? flow.orig : flow.resp;
    while (d.waiting.length > 0) {
      const segment = d.waiting[0]!;
      const delta = (segment.seq - d.nextSeq) | 0;
      if (delta > 0 && !giveUp) return;
      d.waiting.shift();
      d.waitingBytes -= segment.bytes.length;
      this.counters.heldBytes -= segment.bytes.length;
      if (delta > 0) {
        this.#gap(slot, flow, direction, delta);
        d.nextSeq = segment.seq | 0;
      }
      const skip = delta < 0 ? -delta : 0;
      if (skip >= segment.bytes.length) continue;
      d.nextSeq = (segment.seq + segment.bytes.length) | 0;
      const view = new DataView(segment.bytes.buffer);
      this.#deliver(slot, flow, direction, segment.bytes, view, skip, segment.bytes.length, 0);
      if (this.#index[slot]! <= 0) return;
    }
  }

  #gap(slot: number, flow: AppFlow, direction: number, lost: number): void {
    this.counters.gapBytes += lost;
    this.#tracker.missed(slot, direction === 0, lost);
    this.#passOver(flow, direction, lost);
  }

  /** Bytes that a dissector will not get: lost by the mirror, or cut off by the capture (which is no loss of frames). */
  #passOver(flow: AppFlow, direction: number, lost: number): void {
    const d = direction === 0 ? flow.orig : flow.resp;
    if (d.skip >= lost && lost > 0) {
      d.skip -= lost;
      return;
    }
    d.skip = 0;
    this.#drop(d);
    if (flow.dissector !== undefined) flow.dissector.gap?.(flow.state, direction);
  }

  #deliver(
    slot: number,
    flow: AppFlow,
    direction: number,
    bytes: Uint8Array,
    view: DataView,
    from: number,
    to: number,
    missing: number,
  ): void {
    const d = direction === 0 ? flow.orig : flow.resp;
    if (d.skip > 0) {
      const n = to - from;
      if (d.skip >= n + missing) {
        d.skip -= n + missing;
        return;
      }
      from += Math.min(d.skip, n);
      d.skip = 0;
    }
    const payload = this.#payload;
    if (from < to) {
      if (d.keptLen > 0) {
        if (!this.#keep(d, bytes, from, to)) {
          this.counters.overlongBytes += d.keptLen + to - from;
          this.#drop(d);
          if (flow.dissector !== undefined) flow.dissector.gap?.(flow.state, direction);
          return;
        }
        payload.bytes = d.kept;
        payload.view = new DataView(d.kept.buffer);
        payload.start = 0;
        payload.end = d.keptLen;
      } else {
        payload.bytes = bytes;
        payload.view = view;
        payload.start = from;
        payload.end = to;
      }
      this.#describe(slot, missing > 0, 6);
      payload.direction = direction;
      if (flow.dissector === undefined) {
        if (!this.#probe(flow, slot)) {
          if (++flow.tries >= MAX_TRIES || flow.candidates.length === 0) this.#giveUp(slot);
          else if (d.keptLen === 0 && !this.#keep(d, bytes, from, to)) this.#giveUp(slot);
          else if (d.keptLen > PROBE_BYTES) this.#giveUp(slot);
          return;
        }
      }
      const dissector = flow.dissector!;
      const length = payload.end - payload.start;
      const done = dissector.read(flow.state, payload, this.#out);
      if (done < 0) {
        this.#exclude(slot);
        return;
      }
      if (done >= length) {
        this.#drop(d);
        d.skip = done - length;
      } else {
        const retain = dissector.retain ?? DEFAULT_RETAIN;
        if (length - done > retain) {
          this.counters.overlongBytes += length - done;
          this.#drop(d);
          dissector.gap?.(flow.state, direction);
        } else if (d.keptLen > 0) {
          d.kept.copyWithin(0, done, d.keptLen);
          d.keptLen -= done;
        } else if (!this.#keep(d, bytes, from + done, to)) dissector.gap?.(flow.state, direction);
      }
    }
    if (missing > 0) this.#passOver(flow, direction, missing);
  }

  /** Appends to the kept bytes; false when that would be more than any dissector retains. */
  #keep(d: Direction, bytes: Uint8Array, from: number, to: number): boolean {
    const need = d.keptLen + to - from;
    if (need > 65_536 + 65_535) return false;
    if (d.kept.length < need) {
      let size = Math.max(512, d.kept.length);
      while (size < need) size *= 2;
      if (this.counters.heldBytes + size - d.kept.length > this.#config.max_stream_bytes) return false;
      this.counters.heldBytes += size - d.kept.length;
      const grown = new Uint8Array(size);
      grown.set(d.kept.subarray(0, d.keptLen));
      d.kept = grown;
    }
    if (to - from >= 64) copyInto(d.kept, d.keptLen, bytes, from, to);
    else for (let i = from, o = d.keptLen; i < to; i++, o++) d.kept[o] = bytes[i]!;
    d.keptLen = need;
    return true;
  }

  #drop(d: Direction): void {
    d.keptLen = 0;
    if (d.kept.length > 8192) {
      this.counters.heldBytes -= d.kept.length;
      d.kept = EMPTY;
    }
  }

  #describe(slot: number, cut: boolean, ipProto: number): void {
    const payload = this.#payload;
    const flows = this.#tracker.flows;
    const ports = flows.ports(slot);
    const origIsHigh = flows.origIsHigh(slot) === 1;
    payload.direction = this.#tracker.direction;
    payload.tsUs = this.#tracker.clock[0]!;
    payload.ipProto = ipProto;
    payload.origPort = origIsHigh ? ports & 0xffff : ports >>> 16;
    payload.respPort = origIsHigh ? ports >>> 16 : ports & 0xffff;
    payload.cut = cut;
    payload.multicast = (flows.flags(slot) & FLOW_FLAG.multicast) !== 0;
  }

  #open(slot: number, all: readonly Dissector[]): AppFlow {
    const flow = this.#take(slot);
    const ports = this.#tracker.flows.ports(slot);
    flow.candidates = this.#order(all, ports & 0xffff, ports >>> 16);
    return flow;
  }

  #take(slot: number): AppFlow {
    let at = this.#free.pop();
    if (at === undefined) {
      at = this.#flows.length;
      this.#flows.push({
        dissector: undefined,
        state: undefined,
        candidates: NOBODY,
        tries: 0,
        orig: newDirection(),
        resp: newDirection(),
      });
    }
    this.#index[slot] = at + 1;
    return this.#flows[at]!;
  }

  /** Customary users of the two ports are asked first: only the order, content decides. Lists are shared. */
  #order(all: readonly Dissector[], portA: number, portB: number): readonly Dissector[] {
    const hintA = this.#byPort.get(portA);
    const hintB = this.#byPort.get(portB);
    const key =
      (hintA === undefined ? 0 : portA) * 131_072 + (hintB === undefined ? 0 : portB) * 2 + (all === this.#tcp ? 1 : 0);
    let order = this.#orders.get(key);
    if (order === undefined) {
      order = [...new Set([...(hintA ?? []), ...(hintB ?? []), ...all])].filter((d) => all.includes(d));
      if (this.#orders.size < 4096) this.#orders.set(key, order);
    }
    return order;
  }

  #probe(flow: AppFlow, slot: number): boolean {
    const candidates = flow.candidates;
    let kept: Dissector[] | undefined;
    for (let c = 0; c < candidates.length; c++) {
      const dissector = candidates[c]!;
      const verdict = dissector.probe(this.#payload);
      if (verdict === 'yes') {
        flow.dissector = dissector;
        flow.state = dissector.open();
        flow.candidates = NOBODY;
        this.#tracker.flows.setService(slot, this.#all.indexOf(dissector) + 1);
        this.counters.recognised++;
        return true;
      }
      if (verdict === 'more') (kept ??= []).push(dissector);
    }
    // A direction that nobody knows does not speak for the other one: all are asked again there, once.
    if (kept !== undefined || flow.tries > 0) flow.candidates = kept ?? NOBODY;
    return false;
  }

  /** Nobody reads this flow any more: what it held is released, its packets are passed by. */
  #leave(slot: number): void {
    const index = this.#index[slot]!;
    this.#index[slot] = -1;
    this.#release(index - 1);
  }

  #giveUp(slot: number): void {
    this.counters.unrecognised++;
    this.#leave(slot);
  }

  #exclude(slot: number): void {
    this.counters.excludedLater++;
    this.#leave(slot);
  }

  #release(at: number): void {
    const flow = this.#flows[at]!;
    flow.dissector = undefined;
    flow.state = undefined;
    flow.candidates = NOBODY;
    flow.tries = 0;
    this.#clear(flow.orig);
    this.#clear(flow.resp);
    this.#free.push(at);
  }

  #clear(d: Direction): void {
    if (!d.started && d.kept === EMPTY) return;
    this.counters.heldBytes -= d.waitingBytes + d.kept.length;
    d.kept = EMPTY;
    d.keptLen = 0;
    d.skip = 0;
    d.started = false;
    d.nextSeq = 0;
    d.waiting.length = 0;
    d.waitingBytes = 0;
  }
}

/**
 * Where the flow stands, wrapped; undefined where that cannot be told without bytes of its payload.
 *
 * @cold with every snapshot
 */
function stateAtRest(flow: AppFlow): { value: object | undefined } | undefined {
  for (const d of bothOf(flow)) if (d.keptLen > 0 || d.waiting.length > 0) return undefined;
  const { dissector, state } = flow;
  if (dissector === undefined || state === undefined || state === null) return { value: undefined };
  if (dissector.rest !== undefined) {
    const value = dissector.rest(state);
    return value === undefined ? undefined : { value };
  }
  return isBare(state, 0) ? { value: state } : undefined;
}

/**
 * Numbers and booleans in plain objects: what cannot carry text.
 *
 * @cold with every snapshot
 */
function isBare(value: unknown, depth: number): boolean {
  if (value === undefined || value === null || typeof value === 'number' || typeof value === 'boolean') return true;
  if (typeof value !== 'object' || depth > 3 || Object.getPrototypeOf(value) !== Object.prototype) return false;
  for (const part of Object.values(value)) if (!isBare(part, depth + 1)) return false;
  return true;
}

/** @cold with every snapshot */
function bothOf(flow: AppFlow): [Direction, Direction] {
  return [flow.orig, flow.resp];
}

/** @cold once a piece of a message that does not come whole */
function copyInto(target: Uint8Array, at: number, source: Uint8Array, from: number, to: number): void {
  target.set(source.subarray(from, to), at);
}

/** @cold once a slot of the pool, which is used again */
function newDirection(): Direction {
  return { nextSeq: 0, started: false, skip: 0, kept: EMPTY, keptLen: 0, waiting: [], waitingBytes: 0 };
}
