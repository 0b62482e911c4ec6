const TWO_32 = 4_294_967_296;

/** How the 64-bit time stamps of one pcapng interface become microseconds. */
export interface TickScale {
  readonly kind: 'multiply' | 'thousandth' | 'divide' | 'binary';
  /** Microseconds a tick (multiply), ticks a microsecond (divide), or bits behind the binary point (binary). */
  readonly factor: number;
  /** Microseconds to add (if_tsoffset). */
  readonly offsetUs: number;
}

/**
 * @param resolution if_tsresol: negative power of ten, or of two where the highest bit is set (6 by default)
 * @param offsetSeconds if_tsoffset
 */
export function tickScale(resolution: number, offsetSeconds: number): TickScale {
  const offsetUs = offsetSeconds * 1e6;
  const exponent = resolution & 0x7f;
  if ((resolution & 0x80) !== 0) return { kind: 'binary', factor: exponent, offsetUs };
  if (exponent <= 6) return { kind: 'multiply', factor: 10 ** (6 - exponent), offsetUs };
  if (exponent === 9) return { kind: 'thousandth', factor: 1000, offsetUs };
  return { kind: 'divide', factor: 10 ** (exponent - 6), offsetUs };
}

/** `floor((high * 2^32 + low) / divisor)` without losing the low bits of a number that a double cannot hold. */
function divideTicks(high: number, low: number, divisor: number): number {
  // Beyond this the remainder times 2^16 leaves the exact integers; the quotient is then so small that
  // the error of the plain division is far below a microsecond.
  if (divisor > 2 ** 36) return Math.floor((high * TWO_32 + low) / divisor);
  const highQuotient = Math.floor(high / divisor);
  const first = (high - highQuotient * divisor) * 65_536 + (low >>> 16);
  const firstQuotient = Math.floor(first / divisor);
  const second = (first - firstQuotient * divisor) * 65_536 + (low & 0xffff);
  return highQuotient * TWO_32 + firstQuotient * 65_536 + Math.floor(second / divisor);
}

/** Exact `floor(ticks * 10^6 / 2^bits)`. */
function binaryTicks(high: number, low: number, bits: number): number {
  if (bits <= 32) {
    const unit = 2 ** bits;
    const lowSeconds = Math.floor(low / unit);
    const fraction = low - lowSeconds * unit;
    return (high * (TWO_32 / unit) + lowSeconds) * 1e6 + Math.floor((fraction * 1e6) / unit);
  }
  const unit = 2 ** (bits - 32);
  const seconds = Math.floor(high / unit);
  const fraction = high - seconds * unit;
  return seconds * 1e6 + Math.floor((fraction * 1e6 + Math.floor((low * 1e6) / TWO_32)) / unit);
}

/**
 * Epoch microseconds, rounded down, of the time stamp `high * 2^32 + low`. A value outside 1970 to 2255 (what
 * an exact integer holds) becomes the nearest one inside.
 */
export function ticksToUs(scale: TickScale, high: number, low: number): number {
  let us: number;
  switch (scale.kind) {
    case 'multiply':
      us = (high * TWO_32 + low) * scale.factor;
      break;
    case 'thousandth':
      // 2^32 = 4294967 * 1000 + 296
      us = high * 4_294_967 + Math.floor((high * 296 + low) / 1000);
      break;
    case 'divide':
      us = divideTicks(high, low, scale.factor);
      break;
    case 'binary':
      us = binaryTicks(high, low, scale.factor);
      break;
  }
  us += scale.offsetUs;
  if (us < 0) return 0;
  return us > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : us;
}
