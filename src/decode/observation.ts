/**
 * Observations: what a dissector says about one application message, in fields that a published schema
 * describes. They are the only way in which words of a payload leave the decoder, so a field is declared
 * by kind: `text` for names of machines and software, `token` for identifiers that may only be compared
 * (they leave as keyed hashes), `number` for everything countable. Nothing of a patient is ever a `text`.
 */
export type FieldType = 'text' | 'number' | 'token';

export interface FieldSpec {
  readonly name: string;
  readonly type: FieldType;
  readonly doc: string;
}

export interface ObservationKind<F extends string = string> {
  /** `<protocol>.<what>`, for instance `hl7.message`. */
  readonly kind: string;
  readonly doc: string;
  readonly fields: readonly FieldSpec[];
  /** Index of each field, for the sink's calls: `out.text(hl7Message.at.sending_app, …)`. */
  readonly at: Readonly<Record<F, number>>;
}

export const text = (doc: string): Omit<FieldSpec, 'name'> => ({ type: 'text', doc });
export const number = (doc: string): Omit<FieldSpec, 'name'> => ({ type: 'number', doc });
export const token = (doc: string): Omit<FieldSpec, 'name'> => ({ type: 'token', doc });

/** At most this many fields in one kind (the sink's columns are of fixed size). */
export const MAX_FIELDS = 24;

export function observation<F extends string>(
  kind: string,
  doc: string,
  fields: Readonly<Record<F, Omit<FieldSpec, 'name'>>>,
): ObservationKind<F> {
  const names = Object.keys(fields) as F[];
  if (names.length > MAX_FIELDS) throw new RangeError(`${kind} declares more than ${MAX_FIELDS} fields`);
  const at = {} as Record<F, number>;
  names.forEach((name, index) => (at[name] = index));
  return { kind, doc, fields: names.map((name) => ({ name, ...fields[name] })), at };
}

/**
 * Where dissectors write. Allocation-free: texts are interned by their bytes, so the same name costs
 * nothing the second time. Between `begin` and `end` exactly one observation is open; fields not set stay
 * absent.
 */
export interface ObservationSink {
  begin(kind: ObservationKind): void;
  /**
   * A machine's word, cut at 128 bytes; control characters and bytes that are no UTF-8 become U+FFFD.
   * An empty range leaves the field absent.
   */
  text(field: number, bytes: Uint8Array, start: number, end: number): void;
  /** The same for a string that the dissector made itself (a version, a fingerprint). */
  string(field: number, value: string): void;
  number(field: number, value: number): void;
  /** An identifier that may only be compared: leaves as a keyed hash of the bytes. */
  token(field: number, bytes: Uint8Array, start: number, end: number): void;
  end(): void;
  /** Something malformed or odd that the dissector declares in its `events`; counted, never thrown. */
  event(name: string): void;
}
