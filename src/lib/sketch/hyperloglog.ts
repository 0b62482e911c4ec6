/**
 * Many small counters of distinct values side by side: HyperLogLog (Flajolet, Fusy, Gandouet, Meunier, 2007) with
 * one byte a register, all registers in one array. Estimated after Ertl, "New cardinality estimation algorithms for
 * HyperLogLog sketches" (2017), section 4: unlike the original without a jump between few and many values. Nothing is
 * allocated after creation.
 */
export interface DistinctCounters {
  readonly slots: number;
  /** Registers of slot `s` at `[s * registers, (s + 1) * registers)`: for storing and restoring state. */
  readonly registers: Uint8Array;
  /**
   * Counts a value by its 32-bit hash, which must be evenly mixed (a keyed hash where the values come from the network,
   * or a sender can choose them so that they are not counted). True where the estimate may have changed.
   */
  add(slot: number, hash: number): boolean;
  /** Number of distinct hashes added, about, at most 2^32; 0 for an empty slot. */
  estimate(slot: number): number;
  /** Takes over what was added to slot `from` of another set of the same precision, as if it had been added here. */
  merge(slot: number, other: DistinctCounters, from: number): void;
  reset(slot: number): void;
}

/**
 * `slots` counters of `2^precision` registers each (precision 4 to 12). The standard error is 1.04 / sqrt(2^precision):
 * 13 % at precision 6, 64 bytes; 3 % at precision 10. RangeError where an argument is out of bounds.
 */
export function createDistinctCounters(slots: number, precision: number): DistinctCounters {
  if (!Number.isInteger(precision) || precision < 4 || precision > 12)
    throw new RangeError('precision must be 4 to 12');
  if (!Number.isInteger(slots) || slots < 1) throw new RangeError('slots must be a positive integer');
  const perSlot = 1 << precision;
  const restBits = 32 - precision;
  const registers = new Uint8Array(slots * perSlot);
  /** Number of registers by rank. */
  const ranks = new Uint32Array(restBits + 2);

  return {
    slots,
    registers,

    add(slot, hash) {
      const at = slot * perSlot + (hash >>> restBits);
      // Rank: position of the first set bit of the rest, restBits + 1 where none is set.
      const rank = Math.min(Math.clz32(hash << precision), restBits) + 1;
      if (rank <= registers[at]!) return false;
      registers[at] = rank;
      return true;
    },

    estimate(slot) {
      const from = slot * perSlot;
      ranks.fill(0);
      for (let i = from; i < from + perSlot; i++) {
        const rank = registers[i]!;
        ranks[rank] = ranks[rank]! + 1;
      }
      let z = perSlot * tau(1 - ranks[restBits + 1]! / perSlot);
      for (let rank = restBits; rank >= 1; rank--) z = (z + ranks[rank]!) / 2;
      z += perSlot * sigma(ranks[0]! / perSlot);
      return Math.min((perSlot * perSlot) / (2 * Math.LN2 * z), 4294967296);
    },

    merge(slot, other, from) {
      if (other.registers.length !== other.slots * perSlot) throw new RangeError('the precision differs');
      const to = slot * perSlot;
      const start = from * perSlot;
      for (let i = 0; i < perSlot; i++) {
        const rank = other.registers[start + i]!;
        if (rank > registers[to + i]!) registers[to + i] = rank;
      }
    },

    reset(slot) {
      registers.fill(0, slot * perSlot, (slot + 1) * perSlot);
    },
  };
}

/** Ertl's sigma, x + sum of x^(2^k) 2^(k-1): corrects for registers that are still empty. */
function sigma(x: number): number {
  if (x === 1) return Infinity;
  let sum = x;
  let previous: number;
  let power = x;
  let weight = 1;
  do {
    previous = sum;
    power *= power;
    sum += power * weight;
    weight *= 2;
  } while (sum !== previous);
  return sum;
}

/** Ertl's tau, (1 - x - sum of (1 - x^(2^-k))^2 2^-k) / 3: corrects for registers that are full. */
function tau(x: number): number {
  if (x === 0 || x === 1) return 0;
  let sum = 1 - x;
  let previous: number;
  let root = x;
  let weight = 1;
  do {
    previous = sum;
    root = Math.sqrt(root);
    weight /= 2;
    sum -= (1 - root) * (1 - root) * weight;
  } while (sum !== previous);
  return sum / 3;
}
