/**
 * The last values of many series side by side, with exact quantiles over them. Nothing is allocated after creation.
 */
export interface RecentValues {
  readonly slots: number;
  readonly capacity: number;
  /** Adds a value, in the place of the oldest once there are `capacity`. A NaN or infinity is not taken: false. */
  push(slot: number, value: number): boolean;
  /** Number of values held. */
  size(slot: number): number;
  /** Quantile `p` (0 to 1), interpolated (Hyndman and Fan's type 7); NaN for an empty slot. */
  quantile(slot: number, p: number): number;
  median(slot: number): number;
  /** Median absolute deviation from the median, unscaled: times 1.4826 it estimates a normal distribution's sd. */
  mad(slot: number): number;
  reset(slot: number): void;
}

/** `slots` series of at most `capacity` values each; RangeError where an argument is no positive integer. */
export function createRecentValues(slots: number, capacity: number): RecentValues {
  if (!Number.isInteger(slots) || slots < 1) throw new RangeError('slots must be a positive integer');
  if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError('capacity must be a positive integer');
  /** Per slot in the order of arrival, from `next` on the oldest. */
  const arrived = new Float64Array(slots * capacity);
  /** Per slot the same values in ascending order. */
  const sorted = new Float64Array(slots * capacity);
  const next = new Uint32Array(slots);
  const sizes = new Uint32Array(slots);

  /** First place in the slot's ascending values whose value is not below `value`. */
  const placeOf = (base: number, size: number, value: number): number => {
    let low = 0;
    let high = size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[base + middle]! < value) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  const quantile = (slot: number, p: number): number => {
    const size = sizes[slot]!;
    if (size === 0) return NaN;
    const base = slot * capacity;
    const position = (size - 1) * p;
    const below = Math.floor(position);
    const low = sorted[base + below]!;
    const high = sorted[base + Math.min(below + 1, size - 1)]!;
    const part = position - below;
    // As a weighted mean: the difference of two large values would overflow.
    return low === high ? low : low * (1 - part) + high * part;
  };

  /** The `k`-th smallest distance from `centre`: the two sides of the centre are merged, both ascending in distance. */
  const distanceAt = (base: number, size: number, centre: number, k: number): number => {
    let right = placeOf(base, size, centre);
    let left = right - 1;
    let distance = 0;
    for (let i = 0; i <= k; i++) {
      const toLeft = left >= 0 ? centre - sorted[base + left]! : Infinity;
      const toRight = right < size ? sorted[base + right]! - centre : Infinity;
      if (toLeft < toRight) {
        distance = toLeft;
        left--;
      } else {
        distance = toRight;
        right++;
      }
    }
    return distance;
  };

  return {
    slots,
    capacity,

    push(slot, value) {
      if (value - value !== 0) return false;
      const base = slot * capacity;
      let size = sizes[slot]!;
      const at = base + next[slot]!;
      if (size === capacity) {
        const gone = placeOf(base, size, arrived[at]!);
        sorted.copyWithin(base + gone, base + gone + 1, base + size);
        size--;
      }
      const place = placeOf(base, size, value);
      sorted.copyWithin(base + place + 1, base + place, base + size);
      sorted[base + place] = value;
      arrived[at] = value;
      sizes[slot] = size + 1;
      next[slot] = next[slot]! + 1 === capacity ? 0 : next[slot]! + 1;
      return true;
    },

    size: (slot) => sizes[slot]!,
    quantile,
    median: (slot) => quantile(slot, 0.5),

    mad(slot) {
      const size = sizes[slot]!;
      if (size === 0) return NaN;
      const base = slot * capacity;
      const centre = quantile(slot, 0.5);
      const upper = distanceAt(base, size, centre, size >>> 1);
      if (size % 2 === 1) return upper;
      return (distanceAt(base, size, centre, (size >>> 1) - 1) + upper) / 2;
    },

    reset(slot) {
      sizes[slot] = 0;
      next[slot] = 0;
    },
  };
}
