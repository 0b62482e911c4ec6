import { LAYER } from '../decode/packets.ts';
import type { PacketColumns } from '../decode/packets.ts';
import { createFrameBatch } from '../kernel/frames.ts';
import type { FrameBatch } from '../kernel/frames.ts';

/** Of each frame at most so much is kept, which holds the headers of any usual packet. */
const SLOT_BYTES = 128;
const ETHERNET_BYTES = 14;

export interface EvidenceLimits {
  /** Frames that are remembered; of older ones there is no evidence. */
  readonly frames: number;
  /** Keep what headers carry as well, up to 128 bytes a frame. Off, a frame ends where its payload begins. */
  readonly payload: boolean;
  /** Most frames of one alert. */
  readonly framesPerAlert: number;
}

/**
 * The newest frames of all, cut to their headers, so that an alert can show the packets around it. A ring of fixed
 * size: what it costs is known before, and keeping a frame allocates nothing.
 */
export class EvidenceRing {
  readonly #limits: EvidenceLimits;
  readonly #bytes: Uint8Array;
  readonly #tsUs: Float64Array;
  readonly #capLen: Uint16Array;
  readonly #wireLen: Uint32Array;
  readonly #linkType: Uint16Array;
  /** Slots of the devices that sent and received it; -1 for none. */
  readonly #src: Int32Array;
  readonly #dst: Int32Array;
  #next = 0;
  #count = 0;

  constructor(limits: EvidenceLimits) {
    this.#limits = limits;
    const n = limits.frames;
    this.#bytes = new Uint8Array(n * SLOT_BYTES);
    this.#tsUs = new Float64Array(n);
    this.#capLen = new Uint16Array(n);
    this.#wireLen = new Uint32Array(n);
    this.#linkType = new Uint16Array(n);
    this.#src = new Int32Array(n);
    this.#dst = new Int32Array(n);
  }

  /** Remembers frame `i` of a batch that was decoded into `p`. */
  keep(batch: FrameBatch, p: PacketColumns, i: number, src: number, dst: number): void {
    const at = this.#next;
    const start = batch.offset[i]!;
    let length = Math.min(batch.capLen[i]!, SLOT_BYTES);
    if (!this.#limits.payload) length = Math.min(length, headerBytes(p, i, start));
    const to = at * SLOT_BYTES;
    const { bytes } = batch;
    const own = this.#bytes;
    for (let b = 0; b < length; b++) own[to + b] = bytes[start + b]!;
    this.#tsUs[at] = batch.tsUs[i]!;
    this.#capLen[at] = length;
    this.#wireLen[at] = batch.wireLen[i]!;
    this.#linkType[at] = batch.linkType[i]!;
    this.#src[at] = src;
    this.#dst[at] = dst;
    this.#next = at + 1 === this.#limits.frames ? 0 : at + 1;
    if (this.#count < this.#limits.frames) this.#count++;
  }

  /**
   * Frames that any of the devices sent or received between two times, epoch microseconds; of too many the first
   * and the last ones. Undefined where none is remembered.
   */
  slice(devices: ReadonlySet<number>, fromUs: number, toUs: number): FrameBatch | undefined {
    const found: number[] = [];
    for (let back = this.#count; back > 0; back--) {
      const at = (this.#next - back + this.#limits.frames) % this.#limits.frames;
      const ts = this.#tsUs[at]!;
      if (ts >= fromUs && ts <= toUs && (devices.has(this.#src[at]!) || devices.has(this.#dst[at]!))) found.push(at);
    }
    if (found.length === 0) return undefined;
    const most = this.#limits.framesPerAlert;
    const half = Math.floor(most / 2);
    const chosen = found.length <= most ? found : [...found.slice(0, half), ...found.slice(-half)];
    const batch = createFrameBatch(chosen.length, new Uint8Array(chosen.length * SLOT_BYTES));
    let end = 0;
    chosen.forEach((at, i) => {
      const length = this.#capLen[at]!;
      batch.bytes.set(this.#bytes.subarray(at * SLOT_BYTES, at * SLOT_BYTES + length), end);
      batch.offset[i] = end;
      batch.capLen[i] = length;
      batch.wireLen[i] = this.#wireLen[at]!;
      batch.tsUs[i] = this.#tsUs[at]!;
      batch.linkType[i] = this.#linkType[at]!;
      end += length;
    });
    batch.count = chosen.length;
    return batch;
  }
}

/** Where a frame's headers end: nothing behind it is kept. */
function headerBytes(p: PacketColumns, i: number, start: number): number {
  const layer = p.layer[i]!;
  if (layer === LAYER.arp) return p.l4Off[i]! + 28 - start;
  const hasPayload = layer === LAYER.tcp || layer === LAYER.udp || layer === LAYER.sctp || layer === LAYER.icmp;
  // Put together from fragments, its offsets lie elsewhere; of what is not understood the addresses are enough.
  if (!hasPayload || p.reassembled[i] === 1) return ETHERNET_BYTES;
  return Math.max(ETHERNET_BYTES, p.payOff[i]! - start);
}
