import type { ObservationKind, ObservationSink } from './observation.ts';

/** Direction of a payload within its flow. */
export const ORIG = 0;
export const RESP = 1;

/**
 * The bytes at hand. One object is reused for every call: keep nothing of it. Offsets are absolute in
 * `bytes` and `view`; nothing outside `[start, end)` may be read.
 */
export interface Payload {
  bytes: Uint8Array;
  view: DataView;
  start: number;
  end: number;
  /** {@link ORIG} or {@link RESP}. */
  direction: number;
  /** Event time, epoch microseconds. */
  tsUs: number;
  /** 6 TCP, 17 UDP, 0 for payloads of layer 2 (LLDP, CDP). */
  ipProto: number;
  origPort: number;
  respPort: number;
  /** The frame was cut by the capture: more bytes were on the wire than are here. */
  cut: boolean;
  /** True for the first payload of this direction seen, when the start of the connection was seen too. */
  first: boolean;
  /** True where the destination is a broadcast or multicast address. */
  multicast: boolean;
}

/**
 * - `yes`: this is my protocol; the flow is mine.
 * - `no`: it is not; do not ask me again on this flow.
 * - `more`: cannot tell from these bytes; ask again with the next payload (at most a few times).
 */
export type Verdict = 'yes' | 'no' | 'more';

/** `read` returns this to give the flow up: what follows is not this protocol. */
export const EXCLUDE = -1;

/**
 * `read` returns this when nothing more of this direction is of interest (encrypted from here on): 2 GiB,
 * so that it fits a signed 32-bit column; a dissector that is asked again answers the same.
 */
export const REST_OF_STREAM = 0x7fff_ffff;

/**
 * One application protocol (a folder under src/decode/app, with the grammar written above the parser).
 *
 * Malformed input is data: a dissector never throws and never reads outside the payload; what is odd it
 * reports by `out.event` with one of its declared `events`, and it keeps what was right before.
 * Work per call is bounded by a constant times the payload's length.
 */
export interface Dissector<S = unknown> {
  /** Service name as Zeek would write it in `conn.log`, lower case: `hl7`, `dicom`, `dns`. */
  readonly name: string;
  readonly transport: readonly ('tcp' | 'udp' | 'l2')[];
  /** Customary ports: only decides who is asked first, never who is believed. */
  readonly ports: readonly number[];
  readonly observations: readonly ObservationKind[];
  readonly events: readonly string[];
  /** True where messages of this protocol usually carry patient data: for the map of clinical data flows. */
  readonly carriesPhi?: boolean;
  /** Looks, writes nothing. Cheap, strict: a false `yes` blinds every other dissector on the flow. */
  probe(payload: Payload): Verdict;
  /** State for one flow; small (count on a million flows) and made of plain fields in one order. */
  open(): S;
  /**
   * TCP: parses as much as it can. Returns how many bytes it is done with: the rest is kept and offered
   * again with what follows (`retain` bytes at most). More than there are = skip that many of the stream
   * unseen (bulk data). UDP and l2: one whole datagram a call; the return value only matters when
   * {@link EXCLUDE}.
   */
  read(state: S, payload: Payload, out: ObservationSink): number;
  /** Most unparsed bytes kept per direction, default 4096, at most 65536. Beyond it the stream is resynchronised. */
  readonly retain?: number;
  /**
   * What is known between two messages, as numbers and booleans, for flows that outlive a restart; undefined
   * inside of a message. Never a byte of the payload. Needed only where `open` gives more than those.
   */
  rest?(state: S): object | undefined;
  /** The state that `rest` told of. */
  resume?(rest: object): S;
  /** Bytes of this direction were lost (or not kept): forget partial messages, resynchronise by content. */
  gap?(state: S, direction: number): void;
}
