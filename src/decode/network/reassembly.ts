/**
 * Puts IP fragments together (RFC 791 section 3.2, RFC 8200 section 4.5). Bounded: a fixed number of
 * datagrams, 64 KiB each, {@link FragmentTable.timeoutUs} of event time. The first copy of a byte wins;
 * overlaps are reported, since a benign stack does not send them.
 */
const MAX_DATAGRAM = 65535;
const MAX_FRAGMENTS = 128;

/** A larger buffer that begins with the bytes of the former one. */
function createBuffer(former: Uint8Array, size: number): Uint8Array {
  const buffer = new Uint8Array(size);
  buffer.set(former);
  return buffer;
}

/** @cold once a fragment */
function copyInto(target: Uint8Array, at: number, source: Uint8Array, from: number, to: number): void {
  target.set(source.subarray(from, to), at);
}

interface Slot {
  used: boolean;
  startedUs: number;
  vlan: number;
  vni: number;
  proto: number;
  id: number;
  readonly address: Uint32Array;
  bytes: Uint8Array;
  /** Start and end of each piece, unordered. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  pieces: number;
  /** Length of the whole, known from the last fragment; 0 until then. */
  total: number;
  have: number;
}

export const PENDING = -1;
export const REFUSED = -2;

export interface FragmentCounters {
  completed: number;
  timedOut: number;
  overlaps: number;
  tooLong: number;
  tableFull: number;
}

export class FragmentTable {
  readonly counters: FragmentCounters = { completed: 0, timedOut: 0, overlaps: 0, tooLong: 0, tableFull: 0 };
  readonly timeoutUs = 30_000_000;
  /** The datagram that {@link FragmentTable.add} has just completed. */
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;
  #slots: Slot[] = [];
  #active = 0;
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Datagrams that wait for their missing fragments. */
  get pending(): number {
    return this.#active;
  }

  /**
   * Adds a fragment. Returns the length of the datagram when it is complete (its bytes are in
   * {@link FragmentTable.bytes} until the next call), {@link PENDING}, or {@link REFUSED}.
   * `more` = the more-fragments flag; `words`/`at` = the eight address words of the row.
   */
  add(
    source: Uint8Array,
    from: number,
    to: number,
    fragmentOffset: number,
    more: boolean,
    id: number,
    proto: number,
    vlan: number,
    vni: number,
    words: Uint32Array,
    at: number,
    tsUs: number,
  ): number {
    const end = fragmentOffset + (to - from);
    if (end > MAX_DATAGRAM) {
      this.counters.tooLong++;
      return REFUSED;
    }
    const slot = this.#find(id, proto, vlan, vni, words, at, tsUs);
    if (slot === undefined) {
      this.counters.tableFull++;
      return REFUSED;
    }
    if (slot.pieces >= MAX_FRAGMENTS || (slot.total !== 0 && (end > slot.total || (!more && end !== slot.total)))) {
      this.counters.tooLong++;
      this.#release(slot);
      return REFUSED;
    }
    for (let i = 0; i < slot.pieces; i++) {
      if (fragmentOffset < slot.ends[i]! && end > slot.starts[i]!) {
        if (fragmentOffset === slot.starts[i]! && end === slot.ends[i]!) return PENDING;
        this.counters.overlaps++;
        this.#release(slot);
        return REFUSED;
      }
    }
    if (slot.bytes.length < end) {
      slot.bytes = createBuffer(slot.bytes, Math.min(MAX_DATAGRAM, Math.max(2048, end * 2)));
    }
    copyInto(slot.bytes, fragmentOffset, source, from, to);
    slot.starts[slot.pieces] = fragmentOffset;
    slot.ends[slot.pieces] = end;
    slot.pieces++;
    slot.have += end - fragmentOffset;
    if (!more) slot.total = end;
    if (slot.total === 0 || slot.have < slot.total) return PENDING;
    this.counters.completed++;
    // The bytes are handed out until the next call: the slot takes the buffer that was handed out before.
    const before = this.bytes;
    this.bytes = slot.bytes;
    this.length = slot.total;
    slot.bytes = before;
    this.#release(slot);
    return this.length;
  }

  #find(
    id: number,
    proto: number,
    vlan: number,
    vni: number,
    words: Uint32Array,
    at: number,
    tsUs: number,
  ): Slot | undefined {
    let free: Slot | undefined;
    for (let s = 0; s < this.#slots.length; s++) {
      const slot = this.#slots[s]!;
      if (slot.used && tsUs - slot.startedUs > this.timeoutUs) {
        this.counters.timedOut++;
        this.#release(slot);
      }
      if (!slot.used) {
        free ??= slot;
        continue;
      }
      if (slot.id !== id || slot.proto !== proto || slot.vlan !== vlan || slot.vni !== vni) continue;
      let same = true;
      for (let w = 0; w < 8; w++) if (slot.address[w] !== words[at + w]) same = false;
      if (same) return slot;
    }
    if (free === undefined) {
      if (this.#active >= this.#capacity) return undefined;
      free = {
        used: false,
        startedUs: 0,
        vlan: 0,
        vni: 0,
        proto: 0,
        id: 0,
        address: new Uint32Array(8),
        bytes: new Uint8Array(0),
        starts: new Uint32Array(MAX_FRAGMENTS),
        ends: new Uint32Array(MAX_FRAGMENTS),
        pieces: 0,
        total: 0,
        have: 0,
      };
      this.#slots.push(free);
    }
    free.used = true;
    free.startedUs = tsUs;
    free.vlan = vlan;
    free.vni = vni;
    free.proto = proto;
    free.id = id;
    for (let w = 0; w < 8; w++) free.address[w] = words[at + w]!;
    free.pieces = 0;
    free.total = 0;
    free.have = 0;
    this.#active++;
    return free;
  }

  #release(slot: Slot): void {
    slot.used = false;
    this.#active--;
  }
}
