import type { FrameBatch } from '../../kernel/frames.ts';
import { BLOCK, BYTE_ORDER_MAGIC, MAX_FRAME_BYTES, OPTION } from './format.ts';

export interface EncodeOptions {
  /** First frame to write (0) and the one after the last (`batch.count`). */
  readonly from?: number;
  readonly to?: number;
  /**
   * Frames lost at the capture since the section before (each section counts anew): written as isb_ifdrop of
   * the first interface.
   */
  readonly framesLost?: number;
  /** Comment of the section, as text. */
  readonly comment?: string;
  /** Name of the program that writes (shb_userappl). */
  readonly userAppl?: string;
}

const SECTION_BYTES = 28;
const INTERFACE_BYTES = 20 + 8 + 4;
const PACKET_BYTES = 32;
const STATISTICS_BYTES = 24 + 12 + 4;
const OPTION_TEXT_LIMIT = 0xffff;
const TWO_32 = 4_294_967_296;

function padded(length: number): number {
  return (length + 3) & ~3;
}

function optionText(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const bytes = new TextEncoder().encode(text);
  return bytes.length > OPTION_TEXT_LIMIT ? bytes.subarray(0, OPTION_TEXT_LIMIT) : bytes;
}

function putOption(view: DataView, bytes: Uint8Array, at: number, code: number, value: Uint8Array): number {
  view.setUint16(at, code, true);
  view.setUint16(at + 2, value.length, true);
  bytes.set(value, at + 4);
  return at + 4 + padded(value.length);
}

/** Writes both lengths and the type of a block. */
function frameBlock(view: DataView, at: number, type: number, total: number): void {
  view.setUint32(at, type, true);
  view.setUint32(at + 4, total, true);
  view.setUint32(at + total - 4, total, true);
}

function setTime(view: DataView, at: number, us: number): void {
  view.setUint32(at, Math.floor(us / TWO_32), true);
  view.setUint32(at + 4, us % TWO_32, true);
}

/**
 * The frames as one pcapng section (draft-ietf-opsawg-pcapng): a section header, an interface for each link
 * type in order of appearance, one enhanced packet block a frame, and statistics where frames were lost.
 * Little-endian, time stamps in microseconds. Any number of such sections after each other is a capture.
 */
export function encodePcapng(batch: FrameBatch, options: EncodeOptions = {}): Uint8Array<ArrayBuffer> {
  const from = options.from ?? 0;
  const to = options.to ?? batch.count;
  const comment = optionText(options.comment);
  const userAppl = optionText(options.userAppl);

  const linkTypes: number[] = [];
  let size = SECTION_BYTES;
  if (comment !== undefined) size += 4 + padded(comment.length);
  if (userAppl !== undefined) size += 4 + padded(userAppl.length);
  if (comment !== undefined || userAppl !== undefined) size += 4;
  const sectionSize = size;
  let previous = -1;
  for (let i = from; i < to; i++) {
    size += PACKET_BYTES + padded(batch.capLen[i]!);
    const linkType = batch.linkType[i]!;
    if (linkType !== previous && !linkTypes.includes(linkType)) linkTypes.push(linkType);
    previous = linkType;
  }
  // The statistics need an interface to speak of.
  if (options.framesLost !== undefined && linkTypes.length === 0) linkTypes.push(1);
  size += linkTypes.length * INTERFACE_BYTES;
  if (options.framesLost !== undefined) size += STATISTICS_BYTES;

  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  frameBlock(view, 0, BLOCK.section, sectionSize);
  view.setUint32(8, BYTE_ORDER_MAGIC, true);
  view.setUint16(12, 1, true);
  view.setUint32(16, 0xffffffff, true);
  view.setUint32(20, 0xffffffff, true);
  let at = 24;
  if (comment !== undefined) at = putOption(view, bytes, at, OPTION.comment, comment);
  if (userAppl !== undefined) putOption(view, bytes, at, OPTION.sectionUserAppl, userAppl);

  at = sectionSize;
  for (const linkType of linkTypes) {
    frameBlock(view, at, BLOCK.interfaceDescription, INTERFACE_BYTES);
    view.setUint16(at + 8, linkType, true);
    view.setUint32(at + 12, MAX_FRAME_BYTES, true);
    view.setUint16(at + 16, OPTION.interfaceTsResol, true);
    view.setUint16(at + 18, 1, true);
    view.setUint8(at + 20, 6);
    at += INTERFACE_BYTES;
  }

  let interfaceId = 0;
  previous = linkTypes[0] ?? 0;
  let lastUs = 0;
  for (let i = from; i < to; i++) {
    const linkType = batch.linkType[i]!;
    if (linkType !== previous) {
      interfaceId = linkTypes.indexOf(linkType);
      previous = linkType;
    }
    const length = batch.capLen[i]!;
    const start = batch.offset[i]!;
    const total = PACKET_BYTES + padded(length);
    lastUs = batch.tsUs[i]!;
    frameBlock(view, at, BLOCK.enhancedPacket, total);
    view.setUint32(at + 8, interfaceId, true);
    setTime(view, at + 12, lastUs);
    view.setUint32(at + 20, length, true);
    view.setUint32(at + 24, batch.wireLen[i]!, true);
    bytes.set(batch.bytes.subarray(start, start + length), at + 28);
    at += total;
  }

  if (options.framesLost !== undefined) {
    frameBlock(view, at, BLOCK.interfaceStatistics, STATISTICS_BYTES);
    setTime(view, at + 12, lastUs);
    view.setUint16(at + 20, OPTION.statisticsIfDrop, true);
    view.setUint16(at + 22, 8, true);
    view.setUint32(at + 24, options.framesLost % TWO_32, true);
    view.setUint32(at + 28, Math.floor(options.framesLost / TWO_32), true);
  }
  return bytes;
}
