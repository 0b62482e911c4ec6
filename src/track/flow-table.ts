/**
 * The flow table: columns indexed by slot, found through an open-addressing hash over the canonical
 * 5-tuple with its segment, expired by a wheel of one-second buckets. Nothing is allocated after creation.
 *
 * Canonical order: the endpoint with the smaller address (then port) is "low". A column named `orig…` or
 * `resp…` is by role; `origIsHigh` tells which of the two the originator is.
 */
const WHEEL = 512;
const NONE = -1;
const EMPTY = 0;

/** Endpoint states of TCP as Zeek has them. */
export const TCP_STATE = {
  inactive: 0,
  synSent: 1,
  synAckSent: 2,
  partial: 3,
  established: 4,
  closed: 5,
  reset: 6,
} as const;

export const FLOW_FLAG = {
  /** The first packet seen was the start: TCP SYN, or any for the rest. */
  fromStart: 1,
  flipped: 2,
  /** The responder has answered. */
  answered: 4,
  /** TCP: the handshake was seen, or data in both directions. */
  established: 8,
  multicast: 16,
  /** Address family of the key. */
  v6: 32,
} as const;

export const HISTORY_BYTES = 16;

export class FlowTable {
  readonly capacity: number;
  count = 0;
  /** Flows that had to make room. */
  evictions = 0;

  /** Eight address words a slot: low endpoint, high endpoint. IPv4 in words 3 and 7. */
  readonly addr: Uint32Array;
  /** Low port << 16 | high port. */
  readonly ports: Uint32Array;
  /** IP protocol | v6 << 8 | segment << 9. */
  readonly meta: Uint32Array;
  readonly origIsHigh: Uint8Array;
  readonly flags: Uint8Array;
  readonly startUs: Float64Array;
  readonly lastUs: Float64Array;
  readonly origPkts: Uint32Array;
  readonly respPkts: Uint32Array;
  /** Payload bytes; TCP: by sequence numbers, so that retransmissions do not count. */
  readonly origBytes: Float64Array;
  readonly respBytes: Float64Array;
  readonly origIpBytes: Float64Array;
  readonly respIpBytes: Float64Array;
  readonly missedBytes: Float64Array;
  readonly origOui: Uint32Array;
  readonly origNic: Uint32Array;
  readonly respOui: Uint32Array;
  readonly respNic: Uint32Array;
  /** Slots of the device table, -1 where an endpoint is no monitored device. */
  readonly origDevice: Int32Array;
  readonly respDevice: Int32Array;
  readonly origState: Uint8Array;
  readonly respState: Uint8Array;
  /** Next expected sequence number of each direction (highest seen). */
  readonly origSeq: Uint32Array;
  readonly respSeq: Uint32Array;
  /** Which history letters each direction has shown. */
  readonly origSeen: Uint16Array;
  readonly respSeen: Uint16Array;
  readonly history: Uint8Array;
  readonly historyLen: Uint8Array;
  /** Index + 1 into the service names; 0 = unknown. */
  readonly service: Uint16Array;
  /** Seconds of silence after which the flow ends. */
  readonly timeoutS: Uint16Array;

  readonly #hash: Int32Array;
  readonly #hashOf: Int32Array;
  readonly #mask: number;
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #bucket = new Int32Array(WHEEL).fill(NONE);
  readonly #next: Int32Array;
  readonly #prev: Int32Array;
  readonly #bucketOf: Int16Array;
  #second = NONE;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.addr = new Uint32Array(capacity * 8);
    const u8 = () => new Uint8Array(capacity);
    const u16 = () => new Uint16Array(capacity);
    const u32 = () => new Uint32Array(capacity);
    const f64 = () => new Float64Array(capacity);
    this.ports = u32();
    this.meta = u32();
    this.origIsHigh = u8();
    this.flags = u8();
    this.startUs = f64();
    this.lastUs = f64();
    this.origPkts = u32();
    this.respPkts = u32();
    this.origBytes = f64();
    this.respBytes = f64();
    this.origIpBytes = f64();
    this.respIpBytes = f64();
    this.missedBytes = f64();
    this.origOui = u32();
    this.origNic = u32();
    this.respOui = u32();
    this.respNic = u32();
    this.origDevice = new Int32Array(capacity);
    this.respDevice = new Int32Array(capacity);
    this.origState = u8();
    this.respState = u8();
    this.origSeq = u32();
    this.respSeq = u32();
    this.origSeen = u16();
    this.respSeen = u16();
    this.history = new Uint8Array(capacity * HISTORY_BYTES);
    this.historyLen = u8();
    this.service = u16();
    this.timeoutS = u16();
    let buckets = 1;
    while (buckets < capacity * 2) buckets *= 2;
    this.#mask = buckets - 1;
    this.#hash = new Int32Array(buckets);
    this.#hashOf = new Int32Array(capacity);
    this.#free = new Int32Array(capacity);
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i;
    this.#freeCount = capacity;
    this.#next = new Int32Array(capacity).fill(NONE);
    this.#prev = new Int32Array(capacity).fill(NONE);
    this.#bucketOf = new Int16Array(capacity).fill(NONE);
  }

  /** Bytes of memory that the table holds, whatever is in it. */
  get bytes(): number {
    return this.capacity * (32 + 4 * 16 + 8 * 7 + 2 * 4 + 6 + HISTORY_BYTES + 4 * 4 + 2) + this.#hash.byteLength;
  }

  /**
   * Slot of the flow, or -1. `words`/`low`/`high` say where the canonical endpoints' address words are;
   * `hash` must come from {@link flowHash} over the same.
   */
  find(hash: number, words: Uint32Array, low: number, high: number, ports: number, meta: number): number {
    const table = this.#hash;
    const mask = this.#mask;
    const addr = this.addr;
    for (let b = hash & mask; ; b = (b + 1) & mask) {
      const entry = table[b]!;
      if (entry === EMPTY) return NONE;
      const slot = entry - 1;
      if (this.#hashOf[slot] !== hash) continue;
      const a = slot * 8;
      if (
        addr[a + 3] === words[low + 3] &&
        addr[a + 7] === words[high + 3] &&
        this.ports[slot] === ports &&
        this.meta[slot] === meta &&
        ((meta & 256) === 0 ||
          (addr[a] === words[low] &&
            addr[a + 1] === words[low + 1] &&
            addr[a + 2] === words[low + 2] &&
            addr[a + 4] === words[high] &&
            addr[a + 5] === words[high + 1] &&
            addr[a + 6] === words[high + 2]))
      )
        return slot;
    }
  }

  /** Takes a free slot for a flow that {@link FlowTable.find} did not find, or -1 when full. Its columns are zeroed. */
  insert(
    hash: number,
    words: Uint32Array,
    low: number,
    high: number,
    ports: number,
    meta: number,
    nowUs: number,
    timeoutS: number,
  ): number {
    if (this.#freeCount === 0) return NONE;
    const slot = this.#free[--this.#freeCount]!;
    this.count++;
    const a = slot * 8;
    for (let w = 0; w < 4; w++) {
      this.addr[a + w] = words[low + w]!;
      this.addr[a + 4 + w] = words[high + w]!;
    }
    this.ports[slot] = ports;
    this.meta[slot] = meta;
    this.origIsHigh[slot] = 0;
    this.flags[slot] = 0;
    this.startUs[slot] = nowUs;
    this.lastUs[slot] = nowUs;
    this.origPkts[slot] = 0;
    this.respPkts[slot] = 0;
    this.origBytes[slot] = 0;
    this.respBytes[slot] = 0;
    this.origIpBytes[slot] = 0;
    this.respIpBytes[slot] = 0;
    this.missedBytes[slot] = 0;
    this.origOui[slot] = 0;
    this.origNic[slot] = 0;
    this.respOui[slot] = 0;
    this.respNic[slot] = 0;
    this.origDevice[slot] = NONE;
    this.respDevice[slot] = NONE;
    this.origState[slot] = 0;
    this.respState[slot] = 0;
    this.origSeq[slot] = 0;
    this.respSeq[slot] = 0;
    this.origSeen[slot] = 0;
    this.respSeen[slot] = 0;
    this.historyLen[slot] = 0;
    this.service[slot] = 0;
    this.timeoutS[slot] = timeoutS;
    this.#hashOf[slot] = hash;
    let b = hash & this.#mask;
    while (this.#hash[b] !== EMPTY) b = (b + 1) & this.#mask;
    this.#hash[b] = slot + 1;
    this.#link(slot, Math.floor(nowUs / 1e6) + timeoutS);
    return slot;
  }

  remove(slot: number): void {
    const table = this.#hash;
    const mask = this.#mask;
    let b = this.#hashOf[slot]! & mask;
    while (table[b] !== slot + 1) b = (b + 1) & mask;
    // Backward-shift deletion keeps probe sequences whole without tombstones.
    let hole = b;
    for (let j = (b + 1) & mask; table[j] !== EMPTY; j = (j + 1) & mask) {
      const home = this.#hashOf[table[j]! - 1]! & mask;
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        table[hole] = table[j]!;
        hole = j;
      }
    }
    table[hole] = EMPTY;
    this.#unlink(slot);
    this.#free[this.#freeCount++] = slot;
    this.count--;
    // With nothing left to expire the wheel may start anywhere: event time can have been set back.
    if (this.count === 0) this.#second = NONE;
  }

  /**
   * The next flow whose silence has lasted its time-out at `nowUs`, or -1 when there is none left. The
   * caller ends and removes it before it asks again.
   */
  nextExpired(nowUs: number): number {
    const now = Math.floor(nowUs / 1e6);
    if (this.#second === NONE) this.#second = now;
    if (now - this.#second > WHEEL) this.#second = now - WHEEL;
    while (this.#second <= now) {
      const bucket = this.#second % WHEEL;
      let slot = this.#bucket[bucket]!;
      while (slot !== NONE) {
        const next = this.#next[slot]!;
        const due = Math.floor(this.lastUs[slot]! / 1e6) + this.timeoutS[slot]!;
        if (due <= now) return slot;
        // Never the same bucket: a time-out is linked at most one second less than a whole turn ahead.
        this.#unlink(slot);
        this.#link(slot, due);
        slot = next;
      }
      if (this.#second === now) return NONE;
      this.#second++;
    }
    return NONE;
  }

  /** The flow that would expire first, to make room. Undefined only when the table is empty. */
  nearestToExpiry(): number {
    for (let i = 0; i < WHEEL; i++) {
      const slot = this.#bucket[(Math.max(this.#second, 0) + i) % WHEEL]!;
      if (slot !== NONE) return slot;
    }
    return NONE;
  }

  /** Any flow in use, or -1: for ending all of them. */
  any(): number {
    return this.count === 0 ? NONE : this.nearestToExpiry();
  }

  /** Moves the flow to the bucket of its present time-out (after `timeoutS` became shorter). */
  reschedule(slot: number): void {
    this.#unlink(slot);
    this.#link(slot, Math.floor(this.lastUs[slot]! / 1e6) + this.timeoutS[slot]!);
  }

  #link(slot: number, dueSecond: number): void {
    // A time-out longer than the wheel comes up early and is linked again.
    const base = this.#second === NONE ? dueSecond - WHEEL : this.#second;
    const at = Math.min(Math.max(dueSecond, base + 1), base + WHEEL - 1) % WHEEL;
    const head = this.#bucket[at]!;
    this.#next[slot] = head;
    this.#prev[slot] = NONE;
    if (head !== NONE) this.#prev[head] = slot;
    this.#bucket[at] = slot;
    this.#bucketOf[slot] = at;
  }

  #unlink(slot: number): void {
    const at = this.#bucketOf[slot]!;
    if (at === NONE) return;
    const next = this.#next[slot]!;
    const prev = this.#prev[slot]!;
    if (prev === NONE) this.#bucket[at] = next;
    else this.#next[prev] = next;
    if (next !== NONE) this.#prev[next] = prev;
    this.#bucketOf[slot] = NONE;
  }
}

/** Hash of the canonical key; a 32-bit integer. */
export function flowHash(words: Uint32Array, low: number, high: number, ports: number, meta: number): number {
  let h = Math.imul(words[low + 3]! ^ Math.imul(ports, 0x85ebca6b), 0x9e3779b1);
  h ^= h >>> 15;
  h = Math.imul(h ^ words[high + 3]! ^ Math.imul(meta, 0xc2b2ae35), 0x27d4eb2f);
  if ((meta & 256) !== 0) {
    for (let w = 0; w < 3; w++) {
      h ^= h >>> 15;
      h = Math.imul(h ^ words[low + w]! ^ Math.imul(words[high + w]!, 0x165667b1), 0x9e3779b1);
    }
  }
  return h ^ (h >>> 13);
}
