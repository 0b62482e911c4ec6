import type { FrameBatch } from '../../kernel/frames.ts';
import {
  BLOCK,
  BYTE_ORDER_MAGIC,
  type ClassicFormat,
  formatOf,
  MAX_BLOCK_BYTES,
  MAX_FRAME_BYTES,
  MAX_HOLD_BYTES,
  OPTION,
} from './format.ts';
import { type TickScale, ticksToUs, tickScale } from './ticks.ts';

const CLASSIC_HEADER_BYTES = 24;
const MAX_INTERFACES = 4096;
const MAX_NOTES = 20;

interface CaptureInterface {
  readonly linkType: number;
  readonly snapLen: number;
  readonly scale: TickScale;
  /** Frames that the statistics blocks of this section say were lost at this interface. */
  lost: number;
}

/**
 * Reads a capture piece by piece: classic pcap (microseconds, nanoseconds, both byte orders, Kuznetzov's
 * variant) and pcapng (several sections, byte orders, interfaces and link types).
 *
 * It keeps no bytes. `read` takes whole records only; the caller puts what was not consumed (never more
 * than {@link MAX_HOLD_BYTES}) in front of the next bytes. Nothing throws: where the structure of the
 * capture is lost, reading ends and `ended`, `damaged` and `notes` say so.
 */
export interface CaptureParser {
  /**
   * Reads from `batch.bytes[from..to)` and describes the frames found, in place, in the rows of the batch
   * from `batch.count` on, until no whole record or no free row is left.
   * @returns position of the first byte that was not consumed
   */
  read(batch: FrameBatch, from: number, to: number): number;
  /** The file header was whole and is known: the input is a capture. */
  readonly headerSeen: boolean;
  /** Nothing more can be read, whatever follows. */
  readonly ended: boolean;
  /** The input must go on: `read` stopped inside a block that it skips. */
  readonly skipping: boolean;
  /** A length, a byte order or a trailer was wrong and reading ended there. */
  readonly damaged: boolean;
  /** Frames lost according to the interface statistics of all sections. */
  readonly framesLost: number;
  /** Plain sentences about oddities, at most 20. */
  notes(): string[];
}

export function createCaptureParser(): CaptureParser {
  let format: ClassicFormat | 'pcapng' | undefined;
  let headerSeen = false;
  let ended = false;
  let damaged = false;
  let skip = 0;
  let framesLost = 0;
  const notes: string[] = [];

  let littleEndian = false;
  let classicLinkType = 0;
  let longestAllowed = MAX_FRAME_BYTES;

  let interfaces: CaptureInterface[] = [];
  let lastUs = 0;
  let framesWithoutTime = 0;
  let unusableBlocks = 0;
  let framesBeyondSnapLen = 0;

  function note(sentence: string): void {
    if (notes.length < MAX_NOTES && !notes.includes(sentence)) notes.push(sentence);
  }

  function stopAtDamage(sentence: string): void {
    ended = true;
    damaged = true;
    note(sentence);
  }

  function readClassicHeader(view: DataView, from: number, found: ClassicFormat): void {
    littleEndian = found.littleEndian;
    const major = view.getUint16(from + 4, littleEndian);
    const minor = view.getUint16(from + 6, littleEndian);
    if (major !== 2 || minor < 3) note(`The pcap header says version ${major}.${minor}; it was read as 2.4.`);
    const snapLen = view.getUint32(from + 16, littleEndian);
    longestAllowed = snapLen > 0 && snapLen < MAX_FRAME_BYTES ? snapLen : MAX_FRAME_BYTES;
    // The upper bits say how long a frame check sequence is; the number itself is the lower half.
    classicLinkType = view.getUint32(from + 20, littleEndian) & 0xffff;
    headerSeen = true;
  }

  function readClassic(batch: FrameBatch, from: number, to: number, found: ClassicFormat): number {
    const { view, offset, capLen, wireLen, tsUs, linkType } = batch;
    const capacity = offset.length;
    const header = found.recordHeaderBytes;
    const nanoseconds = found.nanoseconds;
    const little = littleEndian;
    const frameLinkType = classicLinkType;
    const snapLen = longestAllowed;
    let beyond = 0;
    let row = batch.count;
    let at = from;
    while (row < capacity && to - at >= header) {
      const length = view.getUint32(at + 8, little);
      if (length > snapLen) {
        if (length > MAX_FRAME_BYTES) {
          stopAtDamage(`A record claims ${length} bytes, more than a frame can have: reading ended there.`);
          break;
        }
        beyond++;
      }
      const start = at + header;
      const next = start + length;
      if (next > to) break;
      const fraction = view.getUint32(at + 4, little);
      offset[row] = start;
      capLen[row] = length;
      wireLen[row] = view.getUint32(at + 12, little);
      tsUs[row] = view.getUint32(at, little) * 1e6 + (nanoseconds ? Math.floor(fraction / 1000) : fraction);
      linkType[row] = frameLinkType;
      row++;
      at = next;
    }
    framesBeyondSnapLen += beyond;
    batch.count = row;
    return at;
  }

  /** `undefined`: the block does not say which byte order the section has. */
  function sectionByteOrder(view: DataView, at: number): boolean | undefined {
    const magic = view.getUint32(at + 8, true);
    if (magic === BYTE_ORDER_MAGIC) return true;
    return view.getUint32(at + 8, false) === BYTE_ORDER_MAGIC ? false : undefined;
  }

  function readSection(view: DataView, at: number, total: number): void {
    if (total < 28) {
      stopAtDamage('A section header is shorter than it can be: reading ended there.');
      return;
    }
    const major = view.getUint16(at + 12, littleEndian);
    if (major !== 1) {
      stopAtDamage(`A section has pcapng version ${major}, which is not known: reading ended there.`);
      return;
    }
    interfaces = [];
    headerSeen = true;
  }

  /** Position of the option with this code and at least this length among those between `at` and `end`, or -1. */
  function findOption(view: DataView, at: number, end: number, code: number, length: number): number {
    let position = at;
    while (end - position >= 4) {
      const found = view.getUint16(position, littleEndian);
      const size = view.getUint16(position + 2, littleEndian);
      if (found === OPTION.end || size > end - position - 4) return -1;
      if (found === code && size >= length) return position + 4;
      position += 4 + ((size + 3) & ~3);
    }
    return -1;
  }

  function readUint64(view: DataView, at: number): number {
    const high = view.getUint32(littleEndian ? at + 4 : at, littleEndian);
    const low = view.getUint32(littleEndian ? at : at + 4, littleEndian);
    return high * 4_294_967_296 + low;
  }

  function readInterface(view: DataView, at: number, end: number): void {
    if (end - at < 16) {
      unusableBlocks++;
      return;
    }
    if (interfaces.length >= MAX_INTERFACES) {
      note(`A section describes more than ${MAX_INTERFACES} interfaces: frames of the later ones were left out.`);
      return;
    }
    const resolutionAt = findOption(view, at + 16, end, OPTION.interfaceTsResol, 1);
    const offsetAt = findOption(view, at + 16, end, OPTION.interfaceTsOffset, 8);
    let offsetSeconds = 0;
    if (offsetAt >= 0) {
      const high = view.getInt32(littleEndian ? offsetAt + 4 : offsetAt, littleEndian);
      const low = view.getUint32(littleEndian ? offsetAt : offsetAt + 4, littleEndian);
      offsetSeconds = high * 4_294_967_296 + low;
    }
    interfaces.push({
      linkType: view.getUint16(at + 8, littleEndian),
      snapLen: view.getUint32(at + 12, littleEndian),
      scale: tickScale(resolutionAt >= 0 ? view.getUint8(resolutionAt) : 6, offsetSeconds),
      lost: 0,
    });
  }

  function readStatistics(view: DataView, at: number, end: number): void {
    const found = end - at >= 20 ? interfaces[view.getUint32(at + 8, littleEndian)] : undefined;
    if (found === undefined) {
      unusableBlocks++;
      return;
    }
    const byInterface = findOption(view, at + 20, end, OPTION.statisticsIfDrop, 8);
    const bySystem = findOption(view, at + 20, end, OPTION.statisticsOsDrop, 8);
    const lost =
      (byInterface >= 0 ? readUint64(view, byInterface) : 0) + (bySystem >= 0 ? readUint64(view, bySystem) : 0);
    // Each block counts from the beginning of the capture: a later one replaces, it does not add.
    if (lost > found.lost) {
      framesLost = Math.min(framesLost + lost - found.lost, Number.MAX_SAFE_INTEGER);
      found.lost = lost;
    }
  }

  function readPackets(batch: FrameBatch, from: number, to: number): number {
    const { view, offset, capLen, wireLen, tsUs, linkType } = batch;
    const capacity = offset.length;
    let row = batch.count;
    let at = from;
    while (row < capacity) {
      if (skip > 0) {
        const step = Math.min(skip, to - at);
        skip -= step;
        at += step;
      }
      if (to - at < 12) break;
      const type = view.getUint32(at, littleEndian);
      if (type === BLOCK.section) {
        const order = sectionByteOrder(view, at);
        if (order === undefined) {
          stopAtDamage('A section header does not say its byte order: reading ended there.');
          break;
        }
        littleEndian = order;
      }
      const total = view.getUint32(at + 4, littleEndian);
      if (total < 12 || (total & 3) !== 0 || total > MAX_BLOCK_BYTES) {
        stopAtDamage(`A block claims ${total} bytes, which a block cannot have: reading ended there.`);
        break;
      }
      const held = total > MAX_HOLD_BYTES ? MAX_HOLD_BYTES : total;
      if (held > to - at) break;
      const end = held === total ? at + total - 4 : at + held;
      if (held === total && view.getUint32(end, littleEndian) !== total) {
        stopAtDamage('A block has another length at its end than at its beginning: reading ended there.');
        break;
      }

      let start = 0;
      let length = -1;
      if (type === BLOCK.enhancedPacket || type === BLOCK.packetObsolete) {
        const id =
          end - at < 28
            ? -1
            : type === BLOCK.enhancedPacket
              ? view.getUint32(at + 8, littleEndian)
              : view.getUint16(at + 8, littleEndian);
        const source = id >= 0 && id < interfaces.length ? interfaces[id]! : undefined;
        if (source !== undefined) {
          start = at + 28;
          length = view.getUint32(at + 20, littleEndian);
          wireLen[row] = view.getUint32(at + 24, littleEndian);
          linkType[row] = source.linkType;
          lastUs = ticksToUs(
            source.scale,
            view.getUint32(at + 12, littleEndian),
            view.getUint32(at + 16, littleEndian),
          );
        }
      } else if (type === BLOCK.simplePacket) {
        const source = interfaces.length > 0 && end - at >= 12 ? interfaces[0]! : undefined;
        if (source !== undefined) {
          start = at + 12;
          const onWire = view.getUint32(at + 8, littleEndian);
          length = source.snapLen > 0 && onWire > source.snapLen ? source.snapLen : onWire;
          wireLen[row] = onWire;
          linkType[row] = source.linkType;
          framesWithoutTime++;
        }
      } else {
        if (type === BLOCK.interfaceDescription) readInterface(view, at, end);
        else if (type === BLOCK.interfaceStatistics) readStatistics(view, at, end);
        else if (type === BLOCK.section) readSection(view, at, total);
        if (ended) break;
        at += held;
        skip = total - held;
        continue;
      }

      if (length >= 0 && length <= MAX_FRAME_BYTES && length <= end - start) {
        offset[row] = start;
        capLen[row] = length;
        tsUs[row] = lastUs;
        row++;
      } else {
        unusableBlocks++;
      }
      at += held;
      skip = total - held;
    }
    batch.count = row;
    return at;
  }

  return {
    read(batch, from, to) {
      if (ended) return to;
      let at = from;
      if (format === undefined) {
        if (to - at < 4) return at;
        format = formatOf(batch.view.getUint32(at, false));
        if (format === undefined) {
          ended = true;
          return at;
        }
      }
      if (format === 'pcapng') return readPackets(batch, at, to);
      if (!headerSeen) {
        if (to - at < CLASSIC_HEADER_BYTES) return at;
        readClassicHeader(batch.view, at, format);
        at += CLASSIC_HEADER_BYTES;
      }
      return readClassic(batch, at, to, format);
    },
    get headerSeen() {
      return headerSeen;
    },
    get ended() {
      return ended;
    },
    get skipping() {
      return skip > 0;
    },
    get damaged() {
      return damaged;
    },
    get framesLost() {
      return framesLost;
    },
    notes() {
      const all = [...notes];
      if (framesBeyondSnapLen > 0) all.push(`${framesBeyondSnapLen} frames are longer than the declared snap length.`);
      if (framesWithoutTime > 0) {
        all.push(`${framesWithoutTime} frames carry no time of their own: that of the frame before them was taken.`);
      }
      if (unusableBlocks > 0) all.push(`${unusableBlocks} blocks name no known interface or contradict themselves.`);
      return all.slice(0, MAX_NOTES);
    },
  };
}
