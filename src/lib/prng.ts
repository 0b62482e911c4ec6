/**
 * Seeded pseudo-random numbers, the same on every machine: xoshiro128** 1.1 (Blackman and Vigna, "Scrambled linear
 * pseudorandom number generators", 2021), its state filled by splitmix32. Only 32-bit integer arithmetic is used.
 * Not for secrets.
 */
export interface Prng {
  /** The next 32 random bits, 0 to 2^32 - 1. */
  uint32(): number;
  /** Uniform in [0, 1) with 53 random bits. */
  double(): number;
  /** Uniform integer in [0, bound), without modulo bias; `bound` is an integer from 1 to 2^32. */
  int(bound: number): number;
  /**
   * Fills `out` with distinct integers of [0, population) in random order, every subset and order alike;
   * `out` may hold at most `population` values (RangeError otherwise).
   */
  sample(population: number, out: Int32Array): void;
}

export function createPrng(seed: number): Prng {
  let mix = seed >>> 0;
  const splitmix32 = (): number => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix ^ (mix >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let s0 = splitmix32();
  let s1 = splitmix32();
  let s2 = splitmix32();
  // The all-zero state would repeat for ever.
  let s3 = splitmix32() | 1;

  const uint32 = (): number => {
    const x = Math.imul(s1, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9);
    const t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = (s3 << 11) | (s3 >>> 21);
    return result >>> 0;
  };

  const double = (): number => {
    const high = uint32() >>> 5;
    const low = uint32() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  };

  const int = (bound: number): number => {
    if (!Number.isInteger(bound) || bound < 1 || bound > 4294967296) {
      throw new RangeError('bound must be an integer from 1 to 2^32');
    }
    // Values at or above the largest multiple of `bound` are drawn again.
    const limit = 4294967296 - (4294967296 % bound);
    let value = uint32();
    while (value >= limit) value = uint32();
    return value % bound;
  };

  const sample = (population: number, out: Int32Array): void => {
    const wanted = out.length;
    if (!Number.isInteger(population) || population > 2147483647 || wanted > population) {
      throw new RangeError('a sample cannot be larger than its population');
    }
    // Floyd's method: `wanted` draws and memory for `wanted`, whatever the population.
    const taken = new Set<number>();
    for (let i = 0; i < wanted; i++) {
      const top = population - wanted + i;
      const draw = int(top + 1);
      const value = taken.has(draw) ? top : draw;
      taken.add(value);
      out[i] = value;
    }
    // Floyd's order is not uniform, only its set is: shuffle.
    for (let i = wanted - 1; i > 0; i--) {
      const k = int(i + 1);
      const held = out[i]!;
      out[i] = out[k]!;
      out[k] = held;
    }
  };

  return { uint32, double, int, sample };
}
