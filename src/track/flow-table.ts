import { WardwatchError } from '../kernel/errors.ts';

/**
 * The flow table: records of fixed size in two typed arrays, found through an open-addressing hash over the
 * canonical 5-tuple with its segment, expired by a wheel of one-second buckets. Nothing is allocated after
 * creation. A packet touches most of its flow's fields, so a flow's fields lie together (three cache lines)
 * instead of in a column each.
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

/** Words of 32 bits a flow's record; its first eight are the addresses. */
export const FLOW_WORDS = 32;
const FLOATS = 8;
const META = 9;
const HASH = 10;
/** Above the number of any segment. */
const NO_META = 0xffff_ffff;
const NEXT = 11;
const PREV = 12;
const BUCKET = 27;
const HISTORY = 112;

/** Where the tracker finds the fields in a record: for the first byte, half, word or float; the responder's is the next. */
export const RECORD = {
  FLAGS: 60,
  ORIG_IS_HIGH: 61,
  STATE: 62,
  SHOWN: 48,
  PACKETS: 13,
  MAC: 16,
  SEQ: 22,
  LAST: 1,
  BYTES: 2,
  IP_BYTES: 4,
} as const;

/*
 * A record in words (128 bytes, two cache lines) and floats (64 bytes, one cache line):
 *
 *   words  0-7  addresses: low endpoint, high endpoint (IPv4 in words 3 and 7)
 *          8    ports          9  protocol, version, segment      10  hash    11, 12  wheel: next, previous
 *         13,14 packets each way                                  15  flags, origIsHigh, both TCP states (bytes)
 *         16-19 MAC addresses of both ends, in halves          20,21  devices    22,23  sequence numbers
 *         24    history letters seen (2 x 16 bits)                25  service, time-out (2 x 16 bits)
 *         26    length of the history (byte)                      27  bucket of the wheel
 *         28-31 history (16 bytes)
 *   floats 0-6  start, last, payload bytes each way, IP bytes each way, missed bytes
 */
export class FlowTable {
  readonly capacity: number;
  count = 0;
  /** Flows that had to make room. */
  evictions = 0;
  /** The records' words: the addresses of a flow begin at `slot * FLOW_WORDS`. */
  readonly words: Uint32Array;
  /** The same records in halves of words and in bytes; the second array, of floats. For the tracker's short way. */
  readonly halves: Uint16Array;
  readonly octets: Uint8Array;
  readonly floats: Float64Array;
  readonly #i32: Int32Array;
  readonly #hash: Int32Array;
  readonly #mask: number;
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #bucket = new Int32Array(WHEEL).fill(NONE);
  /** Where {@link FlowTable.fetch} leaves what it read, or the engine would see that nobody wants it. */
  readonly #fetched = new Uint8Array(1);
  #second = NONE;

  constructor(capacity: number) {
    this.capacity = capacity;
    const records = new ArrayBuffer(capacity * FLOW_WORDS * 4);
    this.words = new Uint32Array(records);
    this.#i32 = new Int32Array(records);
    this.halves = new Uint16Array(records);
    this.octets = new Uint8Array(records);
    this.floats = new Float64Array(capacity * FLOATS);
    let buckets = 1;
    while (buckets < capacity * 2) buckets *= 2;
    this.#mask = buckets - 1;
    this.#hash = new Int32Array(buckets);
    this.#free = new Int32Array(capacity);
    for (let i = 0; i < capacity; i++) this.#free[i] = capacity - 1 - i;
    this.#freeCount = capacity;
  }

  /**
   * The flows, with the order in which slots are taken and flows expire. Lent: to be written at once.
   *
   * @cold with every snapshot
   */
  save(): unknown {
    const used = this.usedSlots;
    return {
      used,
      words: this.words.subarray(0, used * FLOW_WORDS),
      floats: this.floats.subarray(0, used * FLOATS),
      free: this.#free.subarray(this.capacity - used, this.#freeCount),
      bucket: this.#bucket,
      second: this.#second,
      evictions: this.evictions,
    };
  }

  /**
   * Into an empty table.
   * @throws WardwatchError WW_MODEL where the flows are more than it can hold
   */
  restore(saved: unknown): void {
    const { used, words, floats, free, bucket, second, evictions } = saved as {
      used: number;
      words: Uint32Array;
      floats: Float64Array;
      free: Int32Array;
      bucket: Int32Array;
      second: number;
      evictions: number;
    };
    if (used > this.capacity)
      throw new WardwatchError(
        'WW_MODEL',
        `the stored state has room for more flows than this detector (${used} > ${this.capacity})`,
        'set hotPath.track.max_flows at least as high as before',
      );
    this.words.set(words);
    this.floats.set(floats);
    const untouched = this.capacity - used;
    this.#free.set(free, untouched);
    this.#freeCount = untouched + free.length;
    this.count = this.capacity - this.#freeCount;
    this.#bucket.set(bucket);
    this.#second = second;
    this.evictions = evictions;
    const isFree = new Uint8Array(used);
    for (const slot of free) isFree[slot] = 1;
    for (let slot = 0; slot < used; slot++) {
      if (isFree[slot] === 1) continue;
      let b = this.#i32[slot * FLOW_WORDS + HASH]! & this.#mask;
      while (this.#hash[b] !== EMPTY) b = (b + 1) & this.#mask;
      this.#hash[b] = slot + 1;
    }
  }

  /** Slots from this one on were never used: they lie untouched at the bottom of the free list. */
  get usedSlots(): number {
    let untouched = 0;
    while (untouched < this.#freeCount && this.#free[untouched] === this.capacity - 1 - untouched) untouched++;
    return this.capacity - untouched;
  }

  /** Bytes of memory that the table holds, whatever is in it. */
  get bytes(): number {
    return this.words.byteLength + this.floats.byteLength + this.#hash.byteLength + this.#free.byteLength;
  }

  /** Event time of the first packet. */
  startUs(slot: number): number {
    return this.floats[slot * 8]!;
  }
  setStartUs(slot: number, value: number): void {
    this.floats[slot * 8] = value;
  }
  /** Event time of the last packet. */
  lastUs(slot: number): number {
    return this.floats[slot * 8 + 1]!;
  }
  setLastUs(slot: number, value: number): void {
    this.floats[slot * 8 + 1] = value;
  }
  /** Payload bytes; TCP: by sequence numbers, so that retransmissions do not count. */
  origBytes(slot: number): number {
    return this.floats[slot * 8 + 2]!;
  }
  setOrigBytes(slot: number, value: number): void {
    this.floats[slot * 8 + 2] = value;
  }
  addOrigBytes(slot: number, n: number): void {
    this.floats[slot * 8 + 2]! += n;
  }
  respBytes(slot: number): number {
    return this.floats[slot * 8 + 3]!;
  }
  setRespBytes(slot: number, value: number): void {
    this.floats[slot * 8 + 3] = value;
  }
  addRespBytes(slot: number, n: number): void {
    this.floats[slot * 8 + 3]! += n;
  }
  origIpBytes(slot: number): number {
    return this.floats[slot * 8 + 4]!;
  }
  setOrigIpBytes(slot: number, value: number): void {
    this.floats[slot * 8 + 4] = value;
  }
  addOrigIpBytes(slot: number, n: number): void {
    this.floats[slot * 8 + 4]! += n;
  }
  respIpBytes(slot: number): number {
    return this.floats[slot * 8 + 5]!;
  }
  setRespIpBytes(slot: number, value: number): void {
    this.floats[slot * 8 + 5] = value;
  }
  addRespIpBytes(slot: number, n: number): void {
    this.floats[slot * 8 + 5]! += n;
  }
  missedBytes(slot: number): number {
    return this.floats[slot * 8 + 6]!;
  }
  setMissedBytes(slot: number, value: number): void {
    this.floats[slot * 8 + 6] = value;
  }
  addMissedBytes(slot: number, n: number): void {
    this.floats[slot * 8 + 6]! += n;
  }
  /** Low port << 16 | high port. */
  ports(slot: number): number {
    return this.words[slot * 32 + 8]!;
  }
  setPorts(slot: number, value: number): void {
    this.words[slot * 32 + 8] = value;
  }
  /** IP protocol | v6 << 8 | segment << 9. */
  meta(slot: number): number {
    return this.words[slot * 32 + 9]!;
  }
  setMeta(slot: number, value: number): void {
    this.words[slot * 32 + 9] = value;
  }
  origPkts(slot: number): number {
    return this.words[slot * 32 + 13]!;
  }
  addOrigPkts(slot: number, n: number): void {
    this.words[slot * 32 + 13]! += n;
  }
  respPkts(slot: number): number {
    return this.words[slot * 32 + 14]!;
  }
  addRespPkts(slot: number, n: number): void {
    this.words[slot * 32 + 14]! += n;
  }
  /** See {@link FLOW_FLAG}. */
  flags(slot: number): number {
    return this.octets[slot * 128 + 60]!;
  }
  setFlags(slot: number, value: number): void {
    this.octets[slot * 128 + 60] = value;
  }
  /** 1 where the originator is the high endpoint. */
  origIsHigh(slot: number): number {
    return this.octets[slot * 128 + 61]!;
  }
  setOrigIsHigh(slot: number, value: number): void {
    this.octets[slot * 128 + 61] = value;
  }
  /** See {@link TCP_STATE}. */
  origState(slot: number): number {
    return this.octets[slot * 128 + 62]!;
  }
  setOrigState(slot: number, value: number): void {
    this.octets[slot * 128 + 62] = value;
  }
  respState(slot: number): number {
    return this.octets[slot * 128 + 63]!;
  }
  setRespState(slot: number, value: number): void {
    this.octets[slot * 128 + 63] = value;
  }
  origOui(slot: number): number {
    return this.words[slot * 32 + 16]!;
  }
  setOrigOui(slot: number, value: number): void {
    this.words[slot * 32 + 16] = value;
  }
  origNic(slot: number): number {
    return this.words[slot * 32 + 17]!;
  }
  setOrigNic(slot: number, value: number): void {
    this.words[slot * 32 + 17] = value;
  }
  respOui(slot: number): number {
    return this.words[slot * 32 + 18]!;
  }
  setRespOui(slot: number, value: number): void {
    this.words[slot * 32 + 18] = value;
  }
  respNic(slot: number): number {
    return this.words[slot * 32 + 19]!;
  }
  setRespNic(slot: number, value: number): void {
    this.words[slot * 32 + 19] = value;
  }
  /** Slots of the device table, -1 where an endpoint is no monitored device. */
  origDevice(slot: number): number {
    return this.#i32[slot * 32 + 20]!;
  }
  setOrigDevice(slot: number, value: number): void {
    this.#i32[slot * 32 + 20] = value;
  }
  respDevice(slot: number): number {
    return this.#i32[slot * 32 + 21]!;
  }
  setRespDevice(slot: number, value: number): void {
    this.#i32[slot * 32 + 21] = value;
  }
  /** Index + 1 into the service names; 0 = unknown. */
  service(slot: number): number {
    return this.halves[slot * 64 + 50]!;
  }
  setService(slot: number, value: number): void {
    this.halves[slot * 64 + 50] = value;
  }
  /** Seconds of silence after which the flow ends. */
  timeoutS(slot: number): number {
    return this.halves[slot * 64 + 51]!;
  }
  setTimeoutS(slot: number, value: number): void {
    this.halves[slot * 64 + 51] = value;
  }
  historyLen(slot: number): number {
    return this.octets[slot * 128 + 104]!;
  }
  setHistoryLen(slot: number, value: number): void {
    this.octets[slot * 128 + 104] = value;
  }
  /** Next expected sequence number of a direction (highest seen). */
  seq(slot: number, fromOrig: boolean): number {
    return this.words[slot * 32 + (fromOrig ? 22 : 23)]!;
  }
  setSeq(slot: number, fromOrig: boolean, value: number): void {
    this.words[slot * 32 + (fromOrig ? 22 : 23)] = value;
  }
  /** Notes that a direction has shown a history letter (a bit); true when it had before. */
  hasShown(slot: number, fromOrig: boolean, bit: number): boolean {
    const at = slot * 64 + (fromOrig ? 48 : 49);
    const seen = this.halves[at]!;
    this.halves[at] = seen | bit;
    return (seen & bit) !== 0;
  }
  historyAt(slot: number, i: number): number {
    return this.octets[slot * 128 + HISTORY + i]!;
  }
  setHistory(slot: number, i: number, code: number): void {
    this.octets[slot * 128 + HISTORY + i] = code;
  }

  /**
   * For each of the first `n` hashes the slot of a flow with that hash, or -1: to be checked by
   * {@link FlowTable.holds} when its packet's turn comes. Reads what the tracker will need of each record, one
   * packet independent of the other, so that the processor fetches many of them from memory at the same time.
   */
  fetch(hashes: Int32Array, slots: Int32Array, n: number): void {
    const table = this.#hash;
    const mask = this.#mask;
    const i32 = this.#i32;
    const floats = this.floats;
    for (let k = 0; k < n; k++) slots[k] = table[hashes[k]! & mask]!;
    let read = 0;
    for (let k = 0; k < n; k++) {
      const hash = hashes[k]!;
      let entry = slots[k]!;
      let b = hash & mask;
      while (entry !== EMPTY && i32[(entry - 1) * FLOW_WORDS + HASH] !== hash) {
        b = (b + 1) & mask;
        entry = table[b]!;
      }
      slots[k] = entry - 1;
      if (entry === EMPTY) continue;
      read += i32[(entry - 1) * FLOW_WORDS + 16]! & 1;
      if (floats[(entry - 1) * FLOATS + 1]! > 0) read++;
    }
    this.#fetched[0] = read;
  }

  /** True where `slot`, found earlier, is (still, or again) the flow with this key. */
  holds(slot: number, words: Uint32Array, low: number, high: number, ports: number, meta: number): boolean {
    const addr = this.words;
    const a = slot * FLOW_WORDS;
    return (
      addr[a + 3] === words[low + 3] &&
      addr[a + 7] === words[high + 3] &&
      addr[a + 8] === ports &&
      addr[a + META] === meta &&
      ((meta & 256) === 0 ||
        (addr[a] === words[low] &&
          addr[a + 1] === words[low + 1] &&
          addr[a + 2] === words[low + 2] &&
          addr[a + 4] === words[high] &&
          addr[a + 5] === words[high + 1] &&
          addr[a + 6] === words[high + 2]))
    );
  }

  /**
   * Slot of the flow, or -1. `words`/`low`/`high` say where the canonical endpoints' address words are;
   * `hash` must come from {@link flowHash} over the same.
   */
  lookUp(hash: number, words: Uint32Array, low: number, high: number, ports: number, meta: number): number {
    const table = this.#hash;
    const mask = this.#mask;
    for (let b = hash & mask; ; b = (b + 1) & mask) {
      const entry = table[b]!;
      if (entry === EMPTY) return NONE;
      const slot = entry - 1;
      if (this.#i32[slot * FLOW_WORDS + HASH] !== hash) continue;
      if (this.holds(slot, words, low, high, ports, meta)) return slot;
    }
  }

  /** Takes a free slot for a flow that {@link FlowTable.lookUp} did not find, or -1 when full. Its record is zeroed. */
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
    const a = slot * FLOW_WORDS;
    for (let w = 0; w < 4; w++) {
      this.words[a + w] = words[low + w]!;
      this.words[a + 4 + w] = words[high + w]!;
    }
    for (let w = 8; w < FLOW_WORDS; w++) this.words[a + w] = 0;
    this.words[a + 8] = ports;
    this.words[a + 9] = meta;
    this.#i32[a + HASH] = hash;
    this.#i32[a + BUCKET] = NONE;
    const f = slot * FLOATS;
    this.floats[f] = nowUs;
    this.floats[f + 1] = nowUs;
    for (let i = 2; i < FLOATS; i++) this.floats[f + i] = 0;
    this.setOrigDevice(slot, NONE);
    this.setRespDevice(slot, NONE);
    this.setTimeoutS(slot, timeoutS);
    let b = hash & this.#mask;
    while (this.#hash[b] !== EMPTY) b = (b + 1) & this.#mask;
    this.#hash[b] = slot + 1;
    this.#link(slot, Math.floor(nowUs / 1e6) + timeoutS);
    return slot;
  }

  remove(slot: number): void {
    const table = this.#hash;
    const mask = this.#mask;
    let b = this.#i32[slot * FLOW_WORDS + HASH]! & mask;
    while (table[b] !== slot + 1) b = (b + 1) & mask;
    // Backward-shift deletion keeps probe sequences whole without tombstones.
    let hole = b;
    for (let j = (b + 1) & mask; table[j] !== EMPTY; j = (j + 1) & mask) {
      const home = this.#i32[(table[j]! - 1) * FLOW_WORDS + HASH]! & mask;
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        table[hole] = table[j]!;
        hole = j;
      }
    }
    table[hole] = EMPTY;
    this.#unlink(slot);
    // What `fetch` found before must not take the freed record for a flow.
    this.words[slot * FLOW_WORDS + META] = NO_META;
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
        const next = this.#i32[slot * FLOW_WORDS + NEXT]!;
        const due = Math.floor(this.lastUs(slot) / 1e6) + this.timeoutS(slot);
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
    this.#link(slot, Math.floor(this.lastUs(slot) / 1e6) + this.timeoutS(slot));
  }

  #link(slot: number, dueSecond: number): void {
    // A time-out longer than the wheel comes up early and is linked again.
    const base = this.#second === NONE ? dueSecond - WHEEL : this.#second;
    const at = Math.min(Math.max(dueSecond, base + 1), base + WHEEL - 1) % WHEEL;
    const head = this.#bucket[at]!;
    const record = slot * FLOW_WORDS;
    this.#i32[record + NEXT] = head;
    this.#i32[record + PREV] = NONE;
    if (head !== NONE) this.#i32[head * FLOW_WORDS + PREV] = slot;
    this.#bucket[at] = slot;
    this.#i32[record + BUCKET] = at;
  }

  #unlink(slot: number): void {
    const record = slot * FLOW_WORDS;
    const at = this.#i32[record + BUCKET]!;
    if (at === NONE) return;
    const next = this.#i32[record + NEXT]!;
    const prev = this.#i32[record + PREV]!;
    if (prev === NONE) this.#bucket[at] = next;
    else this.#i32[prev * FLOW_WORDS + NEXT] = next;
    if (next !== NONE) this.#i32[next * FLOW_WORDS + PREV] = prev;
    this.#i32[record + BUCKET] = NONE;
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
