/*
 * Which sensor made a record, and the how manyeth of it: a comment (opt_comment, draft-ietf-opsawg-pcapng section
 * 3.5) in the header of its first section, so that it travels with the frames wherever they go.
 */

export interface RecordStamp {
  readonly sensor: string;
  /** Made anew with every start of the sensor. */
  readonly boot: string;
  /** Counts the records of this start on this partition, from 1. */
  readonly sequence: number;
}

/** Most that a stamp adds to a section. */
export const STAMP_BYTES = 144;

const STAMP = /^wardwatch sensor=([A-Za-z0-9._-]{1,64}) boot=([0-9a-f]{16}) seq=([1-9][0-9]{0,15})$/;
const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const COMMENT = 1;
const OPTIONS_AT = 24;

export function stampText(stamp: RecordStamp): string {
  return `wardwatch sensor=${stamp.sensor} boot=${stamp.boot} seq=${stamp.sequence}`;
}

/** The stamp of a record; undefined where it has none, as those of other producers. */
export function stampOf(value: Uint8Array): RecordStamp | undefined {
  if (value.length < OPTIONS_AT + 8) return undefined;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  // Sensors write little-endian.
  if (view.getUint32(0, true) !== SECTION_HEADER || view.getUint32(8, true) !== BYTE_ORDER_MAGIC) return undefined;
  const end = Math.min(view.getUint32(4, true), value.length) - 4;
  if (end < OPTIONS_AT + 4 || view.getUint16(OPTIONS_AT, true) !== COMMENT) return undefined;
  const length = view.getUint16(OPTIONS_AT + 2, true);
  if (length > STAMP_BYTES || OPTIONS_AT + 4 + length > end) return undefined;
  const text = Buffer.from(value.buffer, value.byteOffset + OPTIONS_AT + 4, length).toString('latin1');
  const [, sensor, boot, sequence] = STAMP.exec(text) ?? [];
  return sensor === undefined || boot === undefined ? undefined : { sensor, boot, sequence: Number(sequence) };
}

/** Sensors that are remembered by partition; more are not looked after. */
const MAX_SENSORS = 1024;

/**
 * Follows the sequences of one partition. What came before is remembered by sensor; a sensor that was started
 * anew begins anew.
 */
export class SequenceWatch {
  readonly #last = new Map<string, { boot: string; sequence: number; offset: bigint }>();

  /**
   * Records missing before this one: 0 where it follows the one before or nothing is known of it, a positive
   * number where some are missing, `again` where this one was there before (a sensor that died after it had sent
   * and before it knew sends again). Reading an offset anew is not the sensor's doing and is no repetition.
   */
  take(stamp: RecordStamp, offset: bigint): number | 'again' {
    const last = this.#last.get(stamp.sensor);
    if (last === undefined || last.boot !== stamp.boot || offset <= last.offset) {
      if (last === undefined && this.#last.size >= MAX_SENSORS) return 0;
      this.#last.set(stamp.sensor, { boot: stamp.boot, sequence: stamp.sequence, offset });
      return 0;
    }
    if (stamp.sequence <= last.sequence) return 'again';
    const missing = stamp.sequence - last.sequence - 1;
    last.sequence = stamp.sequence;
    last.offset = offset;
    return missing;
  }
}
