import { FEATURE_COUNT, F } from './catalogue.ts';

/**
 * Counters of the running windows, one row a device, in columns. The 10 s row is counted into by every
 * packet; at its close it is folded into the 60 s row. Distinct counts use linear counting (Whang 1990) over
 * 256 bits: exact enough to about 500, saturating at about 1,400, which is all that a judgement needs.
 */
const DISTINCT_BITS = 256;
const DISTINCT_WORDS = DISTINCT_BITS / 32;
const DISTINCT = 3;
const PEERS_OUT = 0;
const PEERS_IN = 1;
const SERVICES_OUT = 2;

export class WindowCounters {
  readonly values: Float64Array;
  readonly #bits: Uint32Array;
  /** Devices with anything in their row, in the order in which they spoke. */
  readonly active: Int32Array;
  activeCount = 0;
  readonly #isActive: Uint8Array;

  constructor(maxDevices: number) {
    this.values = new Float64Array(maxDevices * FEATURE_COUNT);
    this.#bits = new Uint32Array(maxDevices * DISTINCT * DISTINCT_WORDS);
    this.active = new Int32Array(maxDevices);
    this.#isActive = new Uint8Array(maxDevices);
  }

  touch(slot: number): void {
    if (this.#isActive[slot] === 1) return;
    this.#isActive[slot] = 1;
    this.active[this.activeCount++] = slot;
  }

  /** A frame sent by the device. */
  sent(slot: number, wireBytes: number, payload: number, group: boolean, external: boolean): void {
    const o = slot * FEATURE_COUNT;
    this.touch(slot);
    this.values[o + F.packets_out]!++;
    this.values[o + F.bytes_out]! += wireBytes;
    this.values[o + F.payload_out]! += payload;
    if (group) this.values[o + F.broadcast_out]!++;
    if (external) this.values[o + F.external_out]! += payload;
  }

  /** A frame addressed to the device. */
  received(slot: number, wireBytes: number, payload: number): void {
    const o = slot * FEATURE_COUNT;
    this.touch(slot);
    this.values[o + F.packets_in]!++;
    this.values[o + F.bytes_in]! += wireBytes;
    this.values[o + F.payload_in]! += payload;
  }

  add(slot: number, feature: number, n: number): void {
    this.touch(slot);
    this.values[slot * FEATURE_COUNT + feature]! += n;
  }

  /** The device began a flow to a peer and a service there (hashes). */
  began(slot: number, peer: number, service: number): void {
    this.add(slot, F.flows_out, 1);
    this.#mark(slot, PEERS_OUT, peer);
    this.#mark(slot, SERVICES_OUT, service);
  }

  /** Somebody began a flow to the device. */
  wasContacted(slot: number, peer: number): void {
    this.add(slot, F.flows_in, 1);
    this.#mark(slot, PEERS_IN, peer);
  }

  /** Fills the distinct and derived columns of a row before it is read. */
  finish(slot: number): void {
    const o = slot * FEATURE_COUNT;
    const v = this.values;
    v[o + F.peers_out] = this.#distinct(slot, PEERS_OUT);
    v[o + F.peers_in] = this.#distinct(slot, PEERS_IN);
    v[o + F.services_out] = this.#distinct(slot, SERVICES_OUT);
    const out = v[o + F.bytes_out]!;
    const into = v[o + F.bytes_in]!;
    v[o + F.mean_size_out] = v[o + F.packets_out]! > 0 ? out / v[o + F.packets_out]! : 0;
    v[o + F.out_share] = out + into > 0 ? out / (out + into) : 0;
  }

  /** Adds this row to the same device's row of a longer window. */
  foldInto(longer: WindowCounters, slot: number): void {
    longer.touch(slot);
    const o = slot * FEATURE_COUNT;
    for (let f = 0; f < FEATURE_COUNT; f++) longer.values[o + f]! += this.values[o + f]!;
    const b = slot * DISTINCT * DISTINCT_WORDS;
    for (let w = 0; w < DISTINCT * DISTINCT_WORDS; w++) longer.#bits[b + w]! |= this.#bits[b + w]!;
  }

  clear(slot: number): void {
    this.values.fill(0, slot * FEATURE_COUNT, (slot + 1) * FEATURE_COUNT);
    const b = slot * DISTINCT * DISTINCT_WORDS;
    this.#bits.fill(0, b, b + DISTINCT * DISTINCT_WORDS);
    this.#isActive[slot] = 0;
  }

  clearAll(): void {
    for (let i = 0; i < this.activeCount; i++) this.clear(this.active[i]!);
    this.activeCount = 0;
  }

  /** The rows of the active devices. */
  save(): unknown {
    const n = this.activeCount;
    const width = DISTINCT * DISTINCT_WORDS;
    const values = new Float64Array(n * FEATURE_COUNT);
    const bits = new Uint32Array(n * width);
    const isActive = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      const slot = this.active[i]!;
      values.set(this.values.subarray(slot * FEATURE_COUNT, (slot + 1) * FEATURE_COUNT), i * FEATURE_COUNT);
      bits.set(this.#bits.subarray(slot * width, (slot + 1) * width), i * width);
      isActive[i] = this.#isActive[slot]!;
    }
    return { active: this.active.subarray(0, n), values, bits, isActive };
  }

  /** Into counters that are all zero. */
  restore(saved: unknown): void {
    const { active, values, bits, isActive } = saved as {
      active: Int32Array;
      values: Float64Array;
      bits: Uint32Array;
      isActive: Uint8Array;
    };
    const width = DISTINCT * DISTINCT_WORDS;
    this.active.set(active);
    this.activeCount = active.length;
    for (let i = 0; i < active.length; i++) {
      const slot = active[i]!;
      this.values.set(values.subarray(i * FEATURE_COUNT, (i + 1) * FEATURE_COUNT), slot * FEATURE_COUNT);
      this.#bits.set(bits.subarray(i * width, (i + 1) * width), slot * width);
      this.#isActive[slot] = isActive[i]!;
    }
  }

  #mark(slot: number, which: number, hash: number): void {
    const low = (hash % 4_294_967_296) | 0;
    let h = Math.imul(low ^ (low >>> 16), 0x7feb352d);
    h ^= h >>> 15;
    const bit = h & (DISTINCT_BITS - 1);
    this.#bits[(slot * DISTINCT + which) * DISTINCT_WORDS + (bit >>> 5)]! |= 1 << (bit & 31);
  }

  #distinct(slot: number, which: number): number {
    let zeros = DISTINCT_BITS;
    const o = (slot * DISTINCT + which) * DISTINCT_WORDS;
    for (let w = 0; w < DISTINCT_WORDS; w++) zeros -= popcount(this.#bits[o + w]!);
    if (zeros === DISTINCT_BITS) return 0;
    return Math.round(-DISTINCT_BITS * Math.log(Math.max(zeros, 0.5) / DISTINCT_BITS));
  }
}

function popcount(x: number): number {
  x -= (x >>> 1) & 0x55555555;
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
