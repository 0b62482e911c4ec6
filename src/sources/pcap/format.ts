/**
 * Numbers of the two capture file formats: classic pcap (draft-ietf-opsawg-pcap) and pcapng
 * (draft-ietf-opsawg-pcapng), as they lie in a file.
 */

/** Longest frame that is believed, in bytes: the maximum snap length of libpcap. */
export const MAX_FRAME_BYTES = 262_144;

/** Longest pcapng block that is believed, in bytes (Wireshark and libpcap draw the line there, too). */
export const MAX_BLOCK_BYTES = 16 * 1024 * 1024;

/**
 * Most bytes that must lie side by side in an arena: a frame of the greatest length with the block around
 * it. Of a longer block only this much is looked at, the rest is skipped.
 */
export const MAX_HOLD_BYTES = MAX_FRAME_BYTES + 65_536;

export const BLOCK = {
  section: 0x0a0d0d0a,
  interfaceDescription: 1,
  packetObsolete: 2,
  simplePacket: 3,
  interfaceStatistics: 5,
  enhancedPacket: 6,
} as const;

export const OPTION = {
  end: 0,
  comment: 1,
  sectionUserAppl: 4,
  interfaceTsResol: 9,
  interfaceTsOffset: 14,
  statisticsIfDrop: 5,
  statisticsOsDrop: 7,
} as const;

export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

export interface ClassicFormat {
  readonly littleEndian: boolean;
  /** Time stamps count nanoseconds within the second, not microseconds. */
  readonly nanoseconds: boolean;
  /** Bytes before each frame: 16, or 24 in the variant of Kuznetzov. */
  readonly recordHeaderBytes: number;
}

function classic(littleEndian: boolean, nanoseconds: boolean, recordHeaderBytes: number): ClassicFormat {
  return { littleEndian, nanoseconds, recordHeaderBytes };
}

/** The format that the first four bytes (read as a big-endian number) name; `undefined`: no capture. */
export function formatOf(magic: number): ClassicFormat | 'pcapng' | undefined {
  switch (magic) {
    case 0xa1b2c3d4:
      return classic(false, false, 16);
    case 0xd4c3b2a1:
      return classic(true, false, 16);
    case 0xa1b23c4d:
      return classic(false, true, 16);
    case 0x4d3cb2a1:
      return classic(true, true, 16);
    case 0xa1b2cd34:
      return classic(false, false, 24);
    case 0x34cdb2a1:
      return classic(true, false, 24);
    case BLOCK.section:
      return 'pcapng';
    default:
      return undefined;
  }
}
