import { SipHash } from '../lib/siphash.ts';
import { base62 } from '../lib/hash.ts';
import { TextTable } from '../lib/text-table.ts';
import { MAX_FIELDS } from './observation.ts';
import type { ObservationKind, ObservationSink } from './observation.ts';

/** The observation just ended, for whoever is told of it. Valid during the call only. */
export interface ObservationView {
  readonly kind: string;
  /** Value of a field, or undefined where the message did not have it. Tokens are numbers here. */
  number(field: string): number | undefined;
  text(field: string): string | undefined;
  /** All fields that are set, in the order of the declaration; tokens as nine letters. */
  toFields(): Record<string, string | number>;
}

export interface ObservationListener {
  observed(observation: ObservationView): void;
  decodeEvent(name: string): void;
}

const ABSENT = 0;
const TEXT = 1;
const NUMBER = 2;
const TOKEN = 3;

/** The one sink of a hot path: collects the fields of the open observation in columns and hands it on at `end`. */
export class ObservationBuffer implements ObservationSink, ObservationView {
  readonly texts: TextTable;
  readonly #sip: SipHash;
  readonly #listener: ObservationListener;
  readonly #kindOf = new Uint8Array(MAX_FIELDS);
  readonly #values = new Float64Array(MAX_FIELDS);
  #open: ObservationKind | undefined;
  /** Texts refused because the table is full, observations that a dissector left open. */
  unfinished = 0;

  constructor(texts: TextTable, tokenKey: Uint8Array, listener: ObservationListener) {
    this.texts = texts;
    this.#sip = new SipHash(tokenKey);
    this.#listener = listener;
  }

  get kind(): string {
    return this.#open === undefined ? '' : this.#open.kind;
  }

  begin(kind: ObservationKind): void {
    if (this.#open !== undefined) this.unfinished++;
    this.#open = kind;
    const kindOf = this.#kindOf;
    for (let i = 0; i < kindOf.length; i++) kindOf[i] = ABSENT;
  }

  text(field: number, bytes: Uint8Array, start: number, end: number): void;
  text(field: string): string | undefined;
  text(field: number | string, bytes?: Uint8Array, start = 0, end = 0): string | undefined {
    if (typeof field === 'string') {
      const at = this.#at(field);
      return at !== undefined && this.#kindOf[at] === TEXT ? this.texts.text(this.#values[at]!) : undefined;
    }
    if (bytes === undefined || end <= start) return undefined;
    const id = this.texts.intern(bytes, start, end);
    if (id === 0) return undefined;
    this.#kindOf[field] = TEXT;
    this.#values[field] = id;
    return undefined;
  }

  string(field: number, value: string): void {
    const id = this.texts.internString(value);
    if (id === 0) return;
    this.#kindOf[field] = TEXT;
    this.#values[field] = id;
  }

  number(field: number, value: number): void;
  number(field: string): number | undefined;
  number(field: number | string, value = 0): number | undefined {
    if (typeof field === 'string') {
      const at = this.#at(field);
      return at !== undefined && this.#kindOf[at]! >= NUMBER ? this.#values[at]! : undefined;
    }
    if (!Number.isFinite(value)) return undefined;
    this.#kindOf[field] = NUMBER;
    this.#values[field] = value;
    return undefined;
  }

  token(field: number, bytes: Uint8Array, start: number, end: number): void {
    if (end <= start) return;
    this.#kindOf[field] = TOKEN;
    this.#values[field] = this.#sip.hash(bytes, start, end);
  }

  end(): void {
    if (this.#open === undefined) return;
    this.#listener.observed(this);
    this.#open = undefined;
  }

  event(name: string): void {
    this.#listener.decodeEvent(name);
  }

  toFields(): Record<string, string | number> {
    const fields: Record<string, string | number> = {};
    const kind = this.#open;
    if (kind === undefined) return fields;
    for (let i = 0; i < kind.fields.length; i++) {
      const name = kind.fields[i]!.name;
      const value = this.#values[i]!;
      if (this.#kindOf[i] === TEXT) fields[name] = this.texts.text(value);
      else if (this.#kindOf[i] === NUMBER) fields[name] = value;
      else if (this.#kindOf[i] === TOKEN) fields[name] = base62(value);
    }
    return fields;
  }

  #at(field: string): number | undefined {
    return this.#open?.at[field];
  }
}
