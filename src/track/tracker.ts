import { LAYER } from '../decode/packets.ts';
import type { PacketColumns } from '../decode/packets.ts';
import type { TrackConfig } from './config.ts';
import { FLOW_FLAG, FLOW_WORDS, FlowTable, HISTORY_BYTES, RECORD, TCP_STATE, flowHash } from './flow-table.ts';

const { FLAGS, ORIG_IS_HIGH, STATE, PACKETS, MAC, SEQ, SHOWN, LAST, BYTES, IP_BYTES } = RECORD;
import { SegmentTable } from './segments.ts';

const NONE = -1;
/** Rows that {@link Tracker.prepare} looks up at once: enough to hide the memory, few enough to stay in the cache. */
export const BLOCK_ROWS = 128;
const UNPREPARED = 0;
const SRC_IS_LOW = 1;
const SRC_IS_HIGH = 2;
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

/** History letters (Zeek's conn.log), upper case from the originator: bit and lower-case code. */
const H = {
  syn: [1, 0x73],
  synAck: [2, 0x68],
  ack: [4, 0x61],
  data: [8, 0x64],
  fin: [16, 0x66],
  rst: [32, 0x72],
  retransmit: [64, 0x74],
  gap: [128, 0x67],
  zeroWindow: [256, 0x77],
  odd: [512, 0x71],
  flip: [1024, 0x5e],
} as const;

/** Bits of the two letters that most packets bring. */
const ACK_SHOWN = H.ack[0];
const DATA_SHOWN = H.data[0];

/** Told of the rare moments in a flow's life. The slot's columns are valid during the call. */
export interface FlowListener {
  /** First packet of a flow. Columns of addresses, ports, role and MACs are set, counters are still zero. */
  flowStarted(slot: number, nowUs: number): void;
  /** TCP: handshake answered or data seen both ways; others: the responder's first packet. */
  flowEstablished(slot: number, nowUs: number): void;
  /** Before the slot is freed. */
  flowEnded(slot: number, nowUs: number): void;
  /**
   * Device slot (or -1) of an endpoint: called when the MAC address of a flow's side is new or changed.
   * Only a `sender` makes a device known; a destination may not exist.
   */
  deviceOf(
    oui: number,
    nic: number,
    hasMac: boolean,
    segment: number,
    words: Uint32Array,
    at: number,
    v6: boolean,
    sender: boolean,
    nowUs: number,
  ): number;
  /** A packet of the flow came from another MAC address than the one before in this direction. */
  flowMoved(slot: number, direction: number, nowUs: number): void;
}

/** ICMP types that belong together, so that request and answer are one flow (as Zeek and Community ID map them). */
const ICMP4_PAIR = new Int16Array(256).fill(-1);
const ICMP6_PAIR = new Int16Array(256).fill(-1);
for (const [a, b] of [
  [8, 0],
  [13, 14],
  [15, 16],
  [17, 18],
  [10, 9],
] as const) {
  ICMP4_PAIR[a] = b;
  ICMP4_PAIR[b] = a;
}
for (const [a, b] of [
  [128, 129],
  [133, 134],
  [135, 136],
  [130, 131],
  [139, 140],
  [144, 145],
] as const) {
  ICMP6_PAIR[a] = b;
  ICMP6_PAIR[b] = a;
}

/**
 * Assigns packets to flows and keeps the flows' books: bytes, packets, TCP states, history, time-outs.
 * After {@link Tracker.track}, `direction`, `srcDevice` and `dstDevice` describe the packet.
 */
export class Tracker {
  readonly flows: FlowTable;
  readonly segments = new SegmentTable();
  /** 0 = from the originator, 1 = from the responder. */
  direction = 0;
  /** Event time of the packet, epoch microseconds: a number in an array, since one that is handed on is allocated. */
  readonly clock = new Float64Array(1);
  readonly #config: TrackConfig;
  readonly #listener: FlowListener;
  readonly #serverPorts: Uint8Array;
  /** First row of the block that was prepared, and what is known of its packets' flows. */
  #from = 0;
  readonly #orders = new Uint8Array(BLOCK_ROWS);
  readonly #hashes = new Int32Array(BLOCK_ROWS);
  readonly #metas = new Uint32Array(BLOCK_ROWS);
  readonly #ports = new Uint32Array(BLOCK_ROWS);
  /** What {@link Tracker.prepare} found, for the first `preparedCount` packets of the block: a slot or -1. */
  readonly preparedSlots = new Int32Array(BLOCK_ROWS);
  preparedCount = 0;
  #srcIsHigh = false;

  constructor(config: TrackConfig, listener: FlowListener, serverPorts: readonly number[] = []) {
    this.#config = config;
    this.#listener = listener;
    this.flows = new FlowTable(config.max_flows);
    // Which side of a flow picked up midway is the server: ports that services are known to use.
    this.#serverPorts = new Uint8Array(65_536);
    this.#serverPorts.fill(1, 1, 1024);
    for (const port of serverPorts) this.#serverPorts[port] = 1;
  }

  /** Ends flows whose silence has lasted long enough. Called when event time enters a new second. */
  expire(nowUs: number): void {
    for (let slot = this.flows.nextExpired(nowUs); slot !== NONE; slot = this.flows.nextExpired(nowUs)) {
      this.#end(slot, nowUs);
    }
  }

  endAll(nowUs: number): void {
    for (let slot = this.flows.any(); slot !== NONE; slot = this.flows.any()) this.#end(slot, nowUs);
  }

  #end(slot: number, nowUs: number): void {
    this.#listener.flowEnded(slot, nowUs);
    this.flows.remove(slot);
  }

  /**
   * Looks up the flows of rows `from` to `to - 1` (at most {@link BLOCK_ROWS}) all at once; to be called before
   * {@link Tracker.track} is called for these rows. Changes nothing: what it found is checked again there.
   */
  prepare(p: PacketColumns, from: number, to: number): void {
    this.#from = from;
    this.preparedCount = to - from;
    const { layer, ip, ipVersion, ipProto, srcPort, dstPort, vlan, vni } = p;
    const hashes = this.#hashes;
    const metas = this.#metas;
    const ports = this.#ports;
    const orders = this.#orders;
    for (let i = from, k = 0; i < to; i++, k++) {
      orders[k] = UNPREPARED;
      hashes[k] = 0;
      if (layer[i] !== LAYER.tcp && layer[i] !== LAYER.udp) continue;
      const segment = this.segments.known(vlan[i]!, vni[i]!);
      if (segment < 0) continue;
      const v6 = ipVersion[i] === 6;
      const src = i * 8;
      const dst = src + 4;
      let order = 0;
      if (v6) for (let w = 0; w < 3 && order === 0; w++) order = ip[src + w]! - ip[dst + w]!;
      if (order === 0) order = ip[src + 3]! - ip[dst + 3]!;
      const a = srcPort[i]!;
      const b = dstPort[i]!;
      if (order === 0) order = a - b;
      const meta = (ipProto[i]! | (v6 ? 256 : 0) | (segment << 9)) >>> 0;
      const both = order > 0 ? ((b << 16) | a) >>> 0 : ((a << 16) | b) >>> 0;
      orders[k] = order > 0 ? SRC_IS_HIGH : SRC_IS_LOW;
      metas[k] = meta;
      ports[k] = both;
      hashes[k] = order > 0 ? flowHash(ip, dst, src, both, meta) : flowHash(ip, src, dst, both, meta);
    }
    this.flows.fetch(hashes, this.preparedSlots, to - from);
  }

  /**
   * Slot of the packet's flow, or -1 where the packet belongs to none. Event time is that of
   * {@link Tracker.clock}, which never goes backwards.
   */
  track(p: PacketColumns, i: number): number {
    const layer = p.layer[i]!;
    const k = i - this.#from;
    const order = this.#orders[k]!;
    const flows = this.flows;
    const src = i * 8;
    let slot = NONE;
    let srcIsHigh = false;
    let meta = 0;
    if (order === UNPREPARED) {
      slot = this.#trackOther(p, i);
      if (slot === NONE) return NONE;
      meta = flows.meta(slot);
      srcIsHigh = this.#srcIsHigh;
    } else {
      srcIsHigh = order === SRC_IS_HIGH;
      meta = this.#metas[k]!;
      const ports = this.#ports[k]!;
      const low = srcIsHigh ? src + 4 : src;
      const high = srcIsHigh ? src : src + 4;
      slot = this.preparedSlots[k]!;
      if (slot === NONE || !flows.holds(slot, p.ip, low, high, ports, meta))
        slot = flows.lookUp(this.#hashes[k]!, p.ip, low, high, ports, meta);
      if (slot === NONE || (layer === LAYER.tcp && (p.tcpFlags[i]! & (SYN | ACK | RST)) === SYN)) {
        slot = this.#begin(
          p,
          i,
          slot,
          this.#hashes[k]!,
          low,
          high,
          ports,
          meta,
          srcIsHigh,
          p.srcPort[i]!,
          p.dstPort[i]!,
        );
        if (slot === NONE) return NONE;
      }
    }
    const { words, halves, octets, floats } = flows;
    const bytesAt = slot * 128;
    const fromOrig = (octets[bytesAt + ORIG_IS_HIGH] === 1) === srcIsHigh;
    const side = fromOrig ? 0 : 1;
    this.direction = side;
    const at = slot * FLOW_WORDS;
    const floatsAt = slot * 8;
    floats[floatsAt + LAST] = this.clock[0]!;
    const mac = at + MAC + side * 2;
    const packets = at + PACKETS + side;
    if (words[mac] !== p.srcOui[i] || words[mac + 1] !== p.srcNic[i] || (side === 1 && words[packets] === 0))
      this.#move(p, i, slot, side, meta >>> 9, (meta & 256) !== 0, this.clock[0]!);
    words[packets]!++;
    floats[floatsAt + IP_BYTES + side]! += p.ipLen[i]!;
    const shown = halves[slot * 64 + SHOWN + side]!;
    const flowFlags = octets[bytesAt + FLAGS]!;
    const wire = p.payWire[i]!;
    if (layer === LAYER.tcp) {
      const flags = p.tcpFlags[i]!;
      // Between handshake and end, in order, nothing seen for the first time: only the counters change.
      if (
        (flags & (SYN | FIN | RST)) === 0 &&
        octets[bytesAt + STATE + side]! > TCP_STATE.synAckSent &&
        p.tcpWindow[i] !== 0 &&
        (fromOrig || (flowFlags & FLOW_FLAG.answered) !== 0)
      ) {
        if (wire === 0 || p.event[i] !== 0) {
          if ((shown & ACK_SHOWN) !== 0) return slot;
        } else if (
          (shown & DATA_SHOWN) !== 0 &&
          words[at + SEQ + side] === p.tcpSeq[i] &&
          (flowFlags & FLOW_FLAG.established) !== 0
        ) {
          floats[floatsAt + BYTES + side]! += wire;
          words[at + SEQ + side] = words[at + SEQ + side]! + wire;
          return slot;
        }
      }
      this.#tcp(p, i, slot, flags, fromOrig, this.clock[0]!);
      return slot;
    }
    floats[floatsAt + BYTES + side]! += wire;
    if ((shown & DATA_SHOWN) === 0) this.#letter(slot, fromOrig, H.data);
    if (!fromOrig && (flowFlags & FLOW_FLAG.answered) === 0) {
      flows.setFlags(slot, flows.flags(slot) | (FLOW_FLAG.answered | FLOW_FLAG.established));
      this.#listener.flowEstablished(slot, this.clock[0]!);
    }
    return slot;
  }

  /** The flow of a packet that was not prepared: neither TCP nor UDP, or the first of its segment. */
  #trackOther(p: PacketColumns, i: number): number {
    const layer = p.layer[i]!;
    if (layer < LAYER.network || layer === LAYER.fragment || layer === LAYER.control) return NONE;
    if (layer === LAYER.network && p.event[i] !== 0) return NONE;
    const src = i * 8;
    const dst = src + 4;
    const words = p.ip;
    const v6 = p.ipVersion[i] === 6;
    let srcPort = 0;
    let dstPort = 0;
    if (layer === LAYER.tcp || layer === LAYER.udp || layer === LAYER.sctp) {
      srcPort = p.srcPort[i]!;
      dstPort = p.dstPort[i]!;
    } else if (layer === LAYER.icmp) {
      const type = p.srcPort[i]! & 255;
      const pair = v6 ? ICMP6_PAIR[type]! : ICMP4_PAIR[type]!;
      srcPort = type;
      dstPort = pair >= 0 ? pair : p.dstPort[i]!;
    }
    let order = 0;
    for (let w = v6 ? 0 : 3; w < 4 && order === 0; w++) order = words[src + w]! - words[dst + w]!;
    if (order === 0) order = srcPort - dstPort;
    // Unpaired ICMP has a type and a code, no two ends: it stays as it was sent (so does Community ID).
    const oneWayIcmp = layer === LAYER.icmp && (v6 ? ICMP6_PAIR[srcPort]! : ICMP4_PAIR[srcPort]!) < 0;
    const srcIsHigh = order > 0 && !oneWayIcmp;
    this.#srcIsHigh = srcIsHigh;
    const low = srcIsHigh ? dst : src;
    const high = srcIsHigh ? src : dst;
    const ports = srcIsHigh ? ((dstPort << 16) | srcPort) >>> 0 : ((srcPort << 16) | dstPort) >>> 0;
    const segment = this.segments.id(p.vlan[i]!, p.vni[i]!);
    const meta = (p.ipProto[i]! | (v6 ? 256 : 0) | (segment << 9)) >>> 0;
    const hash = flowHash(words, low, high, ports, meta);
    const slot = this.flows.lookUp(hash, words, low, high, ports, meta);
    return this.#begin(p, i, slot, hash, low, high, ports, meta, srcIsHigh, srcPort, dstPort);
  }

  /** A new flow where there is none, or where its ports are used again (RFC 9293 3.6.1). */
  #begin(
    p: PacketColumns,
    i: number,
    known: number,
    hash: number,
    low: number,
    high: number,
    ports: number,
    meta: number,
    srcIsHigh: boolean,
    srcPort: number,
    dstPort: number,
  ): number {
    const layer = p.layer[i]!;
    const tcpFlags = layer === LAYER.tcp ? p.tcpFlags[i]! : 0;
    const nowUs = this.clock[0]!;
    if (known !== NONE) {
      if (layer !== LAYER.tcp || (tcpFlags & (SYN | ACK | RST)) !== SYN || !this.#isOver(known)) return known;
      this.#end(known, nowUs);
    }
    return this.#start(p, i, hash, low, high, ports, meta, srcIsHigh, layer, tcpFlags, srcPort, dstPort, nowUs);
  }

  /** @cold with every snapshot */
  save(): unknown {
    return { flows: this.flows.save(), segments: this.segments.save() };
  }

  restore(saved: unknown): void {
    const { flows, segments } = saved as { flows: unknown; segments: unknown };
    this.flows.restore(flows);
    this.segments.restore(segments);
  }

  /**
   * Slot of a flow that is known already, for a TCP or UDP packet that was counted before; -1 for all others.
   * Sets `direction`, changes nothing else.
   *
   * @cold after a restart
   */
  recall(p: PacketColumns, i: number): number {
    const layer = p.layer[i]!;
    if (layer !== LAYER.tcp && layer !== LAYER.udp) return NONE;
    const src = i * 8;
    const dst = src + 4;
    const words = p.ip;
    const v6 = p.ipVersion[i] === 6;
    const srcPort = p.srcPort[i]!;
    const dstPort = p.dstPort[i]!;
    let order = 0;
    for (let w = v6 ? 0 : 3; w < 4 && order === 0; w++) order = words[src + w]! - words[dst + w]!;
    if (order === 0) order = srcPort - dstPort;
    const srcIsHigh = order > 0;
    const low = srcIsHigh ? dst : src;
    const high = srcIsHigh ? src : dst;
    const ports = srcIsHigh ? ((dstPort << 16) | srcPort) >>> 0 : ((srcPort << 16) | dstPort) >>> 0;
    const segment = this.segments.id(p.vlan[i]!, p.vni[i]!);
    const meta = (p.ipProto[i]! | (v6 ? 256 : 0) | (segment << 9)) >>> 0;
    const slot = this.flows.lookUp(flowHash(words, low, high, ports, meta), words, low, high, ports, meta);
    if (slot !== NONE) this.direction = (this.flows.origIsHigh(slot) === 1) === srcIsHigh ? 0 : 1;
    return slot;
  }

  #isOver(slot: number): boolean {
    const o = this.flows.origState(slot);
    const r = this.flows.respState(slot);
    return o >= TCP_STATE.closed || r >= TCP_STATE.closed;
  }

  #start(
    p: PacketColumns,
    i: number,
    hash: number,
    low: number,
    high: number,
    ports: number,
    meta: number,
    srcIsHigh: boolean,
    layer: number,
    tcpFlags: number,
    srcPort: number,
    dstPort: number,
    nowUs: number,
  ): number {
    const flows = this.flows;
    const timeout =
      layer === LAYER.tcp
        ? (tcpFlags & (SYN | ACK)) === SYN
          ? this.#config.tcp_attempt_s
          : this.#config.tcp_inactive_s
        : layer === LAYER.udp
          ? this.#config.udp_inactive_s
          : this.#config.icmp_inactive_s;
    let slot = flows.insert(hash, p.ip, low, high, ports, meta, nowUs, timeout);
    if (slot === NONE) {
      const victim = flows.nearestToExpiry();
      if (victim === NONE) return NONE;
      flows.evictions++;
      this.#end(victim, nowUs);
      slot = flows.insert(hash, p.ip, low, high, ports, meta, nowUs, timeout);
      if (slot === NONE) return NONE;
    }
    let flags = (meta & 256) !== 0 ? FLOW_FLAG.v6 : 0;
    const dstWord = p.ip[i * 8 + 7]!;
    const multicast =
      (p.hasMac[i] === 1 && (p.dstOui[i]! & 0x010000) !== 0) ||
      (p.ipVersion[i] === 4 ? dstWord >>> 28 === 14 || dstWord === 0xffffffff : p.ip[i * 8 + 4]! >>> 24 === 0xff);
    if (multicast) flags |= FLOW_FLAG.multicast;
    let flip = false;
    if (layer === LAYER.tcp) {
      if ((tcpFlags & (SYN | ACK)) === SYN) flags |= FLOW_FLAG.fromStart;
      else if ((tcpFlags & (SYN | ACK)) === (SYN | ACK)) flip = true;
      else flip = this.#serverPorts[srcPort] === 1 && this.#serverPorts[dstPort] === 0;
    } else {
      flags |= FLOW_FLAG.fromStart;
      if (layer === LAYER.udp && !multicast)
        flip = this.#serverPorts[srcPort] === 1 && this.#serverPorts[dstPort] === 0;
    }
    if (flip) flags |= FLOW_FLAG.flipped;
    flows.setFlags(slot, flags);
    const origIsHigh = srcIsHigh !== flip;
    flows.setOrigIsHigh(slot, origIsHigh ? 1 : 0);
    // Both sides get an address right away; the other side's MAC is corrected by its own first packet.
    const segment = meta >>> 9;
    const v6 = (meta & 256) !== 0;
    const hasMac = p.hasMac[i] === 1;
    const src = i * 8;
    const srcDevice = this.#listener.deviceOf(p.srcOui[i]!, p.srcNic[i]!, hasMac, segment, p.ip, src, v6, true, nowUs);
    const dstDevice = multicast
      ? NONE
      : this.#listener.deviceOf(p.dstOui[i]!, p.dstNic[i]!, hasMac, segment, p.ip, src + 4, v6, false, nowUs);
    if (flip) {
      flows.setOrigOui(slot, p.dstOui[i]!);
      flows.setOrigNic(slot, p.dstNic[i]!);
      flows.setRespOui(slot, p.srcOui[i]!);
      flows.setRespNic(slot, p.srcNic[i]!);
      flows.setOrigDevice(slot, dstDevice);
      flows.setRespDevice(slot, srcDevice);
      this.#letter(slot, true, H.flip);
    } else {
      flows.setOrigOui(slot, p.srcOui[i]!);
      flows.setOrigNic(slot, p.srcNic[i]!);
      flows.setRespOui(slot, p.dstOui[i]!);
      flows.setRespNic(slot, p.dstNic[i]!);
      flows.setOrigDevice(slot, srcDevice);
      flows.setRespDevice(slot, dstDevice);
    }
    this.#listener.flowStarted(slot, nowUs);
    return slot;
  }

  #move(
    p: PacketColumns,
    i: number,
    slot: number,
    direction: number,
    segment: number,
    v6: boolean,
    nowUs: number,
  ): void {
    const flows = this.flows;
    const device = this.#listener.deviceOf(
      p.srcOui[i]!,
      p.srcNic[i]!,
      p.hasMac[i] === 1,
      segment,
      p.ip,
      i * 8,
      v6,
      true,
      nowUs,
    );
    const first = direction === 0 ? flows.origPkts(slot) === 0 : flows.respPkts(slot) === 0;
    if (direction === 0) {
      flows.setOrigOui(slot, p.srcOui[i]!);
      flows.setOrigNic(slot, p.srcNic[i]!);
      flows.setOrigDevice(slot, device);
    } else {
      flows.setRespOui(slot, p.srcOui[i]!);
      flows.setRespNic(slot, p.srcNic[i]!);
      flows.setRespDevice(slot, device);
    }
    if (!first) this.#listener.flowMoved(slot, direction, nowUs);
  }

  #tcp(p: PacketColumns, i: number, slot: number, flags: number, fromOrig: boolean, nowUs: number): void {
    const flows = this.flows;
    const len = p.payWire[i]!;
    const seq = p.tcpSeq[i]!;
    const myState = fromOrig ? flows.origState(slot) : flows.respState(slot);
    const peerState = fromOrig ? flows.respState(slot) : flows.origState(slot);
    let state = myState;
    if ((flags & SYN) !== 0) {
      if ((flags & (FIN | RST)) !== 0) this.#letter(slot, fromOrig, H.odd);
      if ((flags & ACK) === 0) {
        this.#letter(slot, fromOrig, H.syn);
        if (state === TCP_STATE.inactive) state = TCP_STATE.synSent;
      } else {
        this.#letter(slot, fromOrig, H.synAck);
        if (peerState === TCP_STATE.synSent) {
          state = TCP_STATE.established;
          if (fromOrig) flows.setRespState(slot, TCP_STATE.established);
          else flows.setOrigState(slot, TCP_STATE.established);
          this.#establish(slot, nowUs);
        } else if (state === TCP_STATE.inactive) state = TCP_STATE.synAckSent;
      }
      // Everything before the SYN is unknown, everything after it counts from here.
      if (myState === TCP_STATE.inactive) flows.setSeq(slot, fromOrig, (seq + 1) >>> 0);
    } else {
      if (state === TCP_STATE.inactive) {
        if ((flags & RST) === 0) state = TCP_STATE.partial;
        if (len > 0 || (flags & RST) === 0) flows.setSeq(slot, fromOrig, seq);
      } else if (state === TCP_STATE.synSent && (flags & (ACK | RST)) === ACK) state = TCP_STATE.established;
    }
    if (!fromOrig && (flows.flags(slot) & FLOW_FLAG.answered) === 0) {
      flows.setFlags(slot, flows.flags(slot) | FLOW_FLAG.answered);
      if (flows.timeoutS(slot) === this.#config.tcp_attempt_s) flows.setTimeoutS(slot, this.#config.tcp_inactive_s);
    }
    if (p.tcpWindow[i] === 0 && (flags & (RST | SYN | FIN)) === 0) this.#letter(slot, fromOrig, H.zeroWindow);
    if (len > 0 && (flags & SYN) === 0 && p.event[i] === 0) {
      this.#letter(slot, fromOrig, H.data);
      const expected = flows.seq(slot, fromOrig);
      const ahead = (seq - expected) | 0;
      const newBytes = (seq + len - expected) | 0;
      if (newBytes > 0) {
        // A jump by more than a window is a broken number, not a hole: start counting again there.
        if (ahead > 1 << 24) {
          if (fromOrig) flows.addOrigBytes(slot, len);
          else flows.addRespBytes(slot, len);
        } else if (fromOrig) flows.addOrigBytes(slot, newBytes);
        else flows.addRespBytes(slot, newBytes);
        flows.setSeq(slot, fromOrig, (seq + len) >>> 0);
        if (ahead < 0) this.#letter(slot, fromOrig, H.retransmit);
      } else this.#letter(slot, fromOrig, H.retransmit);
      if ((flows.flags(slot) & FLOW_FLAG.established) === 0 && flows.origBytes(slot) > 0 && flows.respBytes(slot) > 0)
        this.#establish(slot, nowUs);
    } else if ((flags & (SYN | FIN | RST)) === 0) this.#letter(slot, fromOrig, H.ack);
    if ((flags & FIN) !== 0) {
      this.#letter(slot, fromOrig, H.fin);
      if (state !== TCP_STATE.reset) state = TCP_STATE.closed;
    }
    if ((flags & RST) !== 0) {
      this.#letter(slot, fromOrig, H.rst);
      state = TCP_STATE.reset;
    }
    if (state !== myState) {
      if (fromOrig) flows.setOrigState(slot, state);
      else flows.setRespState(slot, state);
      const other = fromOrig ? flows.respState(slot) : flows.origState(slot);
      if (state === TCP_STATE.reset || (state === TCP_STATE.closed && other >= TCP_STATE.closed)) {
        flows.setTimeoutS(slot, state === TCP_STATE.reset ? 1 : this.#config.tcp_close_s);
        flows.reschedule(slot);
      }
    }
  }

  #establish(slot: number, nowUs: number): void {
    if ((this.flows.flags(slot) & FLOW_FLAG.established) !== 0) return;
    this.flows.setFlags(slot, this.flows.flags(slot) | FLOW_FLAG.established);
    this.#listener.flowEstablished(slot, nowUs);
  }

  #letter(slot: number, fromOrig: boolean, letter: readonly [number, number]): void {
    const flows = this.flows;
    if (flows.hasShown(slot, fromOrig, letter[0])) return;
    const n = flows.historyLen(slot);
    if (n >= HISTORY_BYTES) return;
    flows.setHistory(slot, n, fromOrig && letter[1] !== 0x5e ? letter[1] - 32 : letter[1]);
    flows.setHistoryLen(slot, n + 1);
  }

  /** Notes missing bytes of a direction; called by the stream reassembler when it gives up a hole. */
  missed(slot: number, fromOrig: boolean, n: number): void {
    this.flows.addMissedBytes(slot, n);
    this.#letter(slot, fromOrig, H.gap);
  }
}
