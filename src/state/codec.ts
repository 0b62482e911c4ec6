import { WardwatchError } from '../kernel/errors.ts';

/**
 * Plain state as bytes and back: objects, arrays, Map, Set, typed arrays, texts, numbers (NaN and -0 as they
 * are), bigint, and instances of the classes it is told of. One session is one graph: what was one object
 * before is one object afterwards, in cycles too. Functions, and classes it does not know, are refused with
 * the path to them: such a thing would be lost in silence otherwise.
 *
 * Numbers are written with the machine's byte order where they lie in typed arrays, which is little-endian on
 * everything that Node runs on and Wardwatch supports.
 */
export interface StateClass<T extends object> {
  readonly name: string;
  readonly type: abstract new (...args: never[]) => T;
  /** What its constructor needs: no reference to other instances. */
  head(instance: T): unknown;
  make(head: unknown): T;
  /** The rest. Written after what refers to the instance, so that long chains of them need no deep stack. */
  body(instance: T): unknown;
  fill(instance: T, body: unknown): void;
}

/** A class in a list of classes of different types. */
export type AnyStateClass = StateClass<never>;

const TAG = {
  undefined: 0,
  null: 1,
  true: 2,
  false: 3,
  int: 4,
  float: 5,
  newText: 6,
  text: 7,
  bigint: 8,
  object: 9,
  array: 10,
  map: 11,
  set: 12,
  typed: 13,
  reference: 14,
  instance: 15,
  noPrototype: 16,
} as const;

type TypedArray =
  Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array | Float64Array;
const TYPED = [
  Uint8Array,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
] as const;

/** Bytes of a block; a block becomes a chunk of its own in a store. */
export const BLOCK_BYTES = 2 * 1024 * 1024;
/** Nested containers: real state has a handful of levels. */
const MAX_DEPTH = 200;
/** Longer texts are written each time: to look them up would cost more than it spares. */
const MAX_SHARED_TEXT = 128;

/** Writes values into blocks. A value once written must not be changed before the session is over. */
export class StateWriter {
  readonly #classes: readonly AnyStateClass[];
  readonly #blocks: Uint8Array[] = [];
  #bytes = new Uint8Array(BLOCK_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  readonly #objects = new Map<object, number>();
  readonly #texts = new Map<string, number>();
  readonly #shapes = new Map<string, number>();
  #pending: { instance: object; of: AnyStateClass }[] = [];
  readonly #path: (string | number)[] = [];

  constructor(classes: readonly AnyStateClass[] = []) {
    this.#classes = classes;
  }

  /**
   * Writes one value, the root of a graph. The reader asks for the same values in the same order.
   * @throws WardwatchError WW_INTERNAL where something in it cannot be kept
   */
  value(value: unknown): void {
    this.#path.length = 0;
    this.#value(value, 0);
    for (let i = 0; i < this.#pending.length; i++) {
      const { instance, of } = this.#pending[i]!;
      this.#path.length = 0;
      this.#path.push(of.name);
      this.#value(of.body(instance as never), 0);
    }
    this.#pending = [];
  }

  /** Ends the session: the blocks in their order. */
  finish(): Uint8Array[] {
    if (this.#at > 0) this.#blocks.push(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return this.#blocks;
  }

  #value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'undefined':
        this.#byte(TAG.undefined);
        return;
      case 'boolean':
        this.#byte(value ? TAG.true : TAG.false);
        return;
      case 'number':
        this.#number(value);
        return;
      case 'string':
        this.#text(value);
        return;
      case 'bigint':
        this.#byte(TAG.bigint);
        this.#rawText(value.toString());
        return;
      case 'object':
        if (value === null) this.#byte(TAG.null);
        else this.#object(value, depth);
        return;
      default:
        throw this.#refusal(`a ${typeof value}`);
    }
  }

  #object(value: object, depth: number): void {
    const known = this.#objects.get(value);
    if (known !== undefined) {
      this.#byte(TAG.reference);
      this.#varint(known);
      return;
    }
    if (depth > MAX_DEPTH) throw this.#refusal('nested too deeply');
    this.#objects.set(value, this.#objects.size);
    if (Array.isArray(value)) {
      this.#byte(TAG.array);
      this.#varint(value.length);
      for (let i = 0; i < value.length; i++) this.#inner(i, value[i], depth);
    } else if (value instanceof Map) {
      this.#byte(TAG.map);
      this.#varint(value.size);
      for (const [key, item] of value) {
        this.#inner('a key', key, depth);
        this.#inner(typeof key === 'string' || typeof key === 'number' ? key : '…', item, depth);
      }
    } else if (value instanceof Set) {
      this.#byte(TAG.set);
      this.#varint(value.size);
      for (const item of value) this.#inner('…', item, depth);
    } else if (ArrayBuffer.isView(value)) {
      const kind = TYPED.findIndex((type) => value instanceof type && Object.getPrototypeOf(value) === type.prototype);
      if (kind < 0) throw this.#refusal('an unknown kind of array');
      this.#byte(TAG.typed);
      this.#byte(kind);
      this.#varint(value.byteLength);
      this.#rawBytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else this.#fields(value, depth);
  }

  #fields(value: object, depth: number): void {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      const index = this.#classes.findIndex((c) => (c.type as { prototype: unknown }).prototype === prototype);
      const of = this.#classes[index];
      if (of === undefined)
        throw this.#refusal(`an instance of ${(value.constructor as { name?: string }).name ?? 'a class'}`);
      this.#byte(TAG.instance);
      this.#varint(index);
      this.#value(of.head(value as never), depth + 1);
      this.#pending.push({ instance: value, of });
      return;
    }
    this.#byte(prototype === null ? TAG.noPrototype : TAG.object);
    const keys = Object.keys(value);
    // Names with the separator in them would be ambiguous: such a shape is never shared.
    const shape = keys.some((k) => k.includes('\u0000'))
      ? `?${this.#shapes.size}`
      : `${keys.length}:${keys.join('\u0000')}`;
    const known = this.#shapes.get(shape);
    // Shape 0 stands for one that follows: number of keys, and the keys.
    if (known === undefined) {
      this.#varint(0);
      this.#varint(keys.length);
      for (const key of keys) this.#rawText(key);
      this.#shapes.set(shape, this.#shapes.size + 1);
    } else this.#varint(known);
    for (const key of keys) this.#inner(key, (value as Record<string, unknown>)[key], depth);
  }

  #inner(key: string | number, value: unknown, depth: number): void {
    if (typeof value === 'object' && value !== null) {
      this.#path.push(key);
      this.#object(value, depth + 1);
      this.#path.pop();
    } else if (typeof value === 'function' || typeof value === 'symbol') {
      this.#path.push(key);
      throw this.#refusal(`a ${typeof value}`);
    } else this.#value(value, depth);
  }

  #refusal(what: string): WardwatchError {
    return new WardwatchError(
      'WW_INTERNAL',
      // Names of fields only: keys of maps may be what a device has sent.
      `state cannot be kept: ${what} at ${this.#path.filter((p) => typeof p === 'string' && /^[\w ]+$/.test(p)).join('.')}`,
      'keep plain values only: no functions, no classes',
    );
  }

  #number(value: number): void {
    const int = value | 0;
    if (int === value && !Object.is(value, -0)) {
      this.#byte(TAG.int);
      this.#varint(((int << 1) ^ (int >> 31)) >>> 0);
      return;
    }
    this.#room(9);
    this.#bytes[this.#at] = TAG.float;
    this.#view.setFloat64(this.#at + 1, value, true);
    this.#at += 9;
  }

  #text(value: string): void {
    const known = this.#texts.get(value);
    if (known !== undefined) {
      this.#byte(TAG.text);
      this.#varint(known);
      return;
    }
    this.#byte(TAG.newText);
    this.#rawText(value);
    if (value.length <= MAX_SHARED_TEXT) this.#texts.set(value, this.#texts.size);
  }

  /** UTF-16, so that lone halves of a pair come back as they were. */
  #rawText(value: string): void {
    let ascii = true;
    for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 127) ascii = false;
    this.#varint(value.length * 2 + (ascii ? 0 : 1));
    const n = ascii ? value.length : value.length * 2;
    this.#room(n);
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      bytes[at++] = code & 255;
      if (!ascii) bytes[at++] = code >>> 8;
    }
    this.#at = at;
  }

  #rawBytes(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  /** Unsigned, below 2^53. */
  #varint(value: number): void {
    this.#room(8);
    let v = value;
    while (v > 127) {
      this.#bytes[this.#at++] = (v % 128) | 128;
      v = Math.floor(v / 128);
    }
    this.#bytes[this.#at++] = v;
  }

  /** Room for `n` bytes that lie together: what is written at once never crosses blocks. */
  #room(n: number): void {
    if (this.#at + n <= this.#bytes.length) return;
    if (this.#at > 0) this.#blocks.push(this.#bytes.subarray(0, this.#at));
    this.#bytes = new Uint8Array(Math.max(BLOCK_BYTES, n));
    this.#view = new DataView(this.#bytes.buffer);
    this.#at = 0;
  }
}

/** Reads what a {@link StateWriter} wrote, value by value. Anything else is refused (WW_MODEL). */
export class StateReader {
  readonly #classes: readonly AnyStateClass[];
  readonly #blocks: readonly Uint8Array[];
  #block = 0;
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;
  readonly #objects: object[] = [];
  readonly #texts: string[] = [];
  readonly #shapes: string[][] = [];
  #pending: { instance: object; of: AnyStateClass }[] = [];

  constructor(blocks: readonly Uint8Array[], classes: readonly AnyStateClass[] = []) {
    this.#classes = classes;
    this.#blocks = blocks;
    this.#bytes = blocks[0] ?? new Uint8Array(0);
    this.#view = viewOf(this.#bytes);
  }

  value(): unknown {
    const value = this.#value(0);
    for (let i = 0; i < this.#pending.length; i++) {
      const { instance, of } = this.#pending[i]!;
      of.fill(instance as never, this.#value(0));
    }
    this.#pending = [];
    return value;
  }

  #value(depth: number): unknown {
    if (depth > MAX_DEPTH + 1) throw damaged('nested too deeply');
    const tag = this.#byte();
    switch (tag) {
      case TAG.undefined:
        return undefined;
      case TAG.null:
        return null;
      case TAG.true:
        return true;
      case TAG.false:
        return false;
      case TAG.int: {
        const z = this.#varint();
        return (z >>> 1) ^ -(z & 1);
      }
      case TAG.float: {
        const at = this.#take(8);
        return this.#view.getFloat64(at, true);
      }
      case TAG.newText: {
        const text = this.#rawText();
        if (text.length <= MAX_SHARED_TEXT) this.#texts.push(text);
        return text;
      }
      case TAG.text:
        return known(this.#texts[this.#varint()]);
      case TAG.bigint: {
        const text = this.#rawText();
        if (!/^-?\d+$/.test(text)) throw damaged('a number that is none');
        return BigInt(text);
      }
      case TAG.reference:
        return known(this.#objects[this.#varint()]);
      case TAG.array: {
        const array: unknown[] = [];
        this.#objects.push(array);
        for (let n = this.#varint(); n > 0; n--) array.push(this.#value(depth + 1));
        return array;
      }
      case TAG.map: {
        const map = new Map<unknown, unknown>();
        this.#objects.push(map);
        for (let n = this.#varint(); n > 0; n--) {
          const key = this.#value(depth + 1);
          map.set(key, this.#value(depth + 1));
        }
        return map;
      }
      case TAG.set: {
        const set = new Set<unknown>();
        this.#objects.push(set);
        for (let n = this.#varint(); n > 0; n--) set.add(this.#value(depth + 1));
        return set;
      }
      case TAG.typed:
        return this.#typed();
      case TAG.object:
      case TAG.noPrototype:
        return this.#fields(tag === TAG.noPrototype, depth);
      case TAG.instance: {
        const of = known(this.#classes[this.#varint()]);
        const place = this.#objects.length;
        // Its number comes before those of what is in its head; nothing there refers to it.
        this.#objects.push(NOT_YET);
        const instance = of.make(this.#value(depth + 1)) as object;
        this.#objects[place] = instance;
        this.#pending.push({ instance, of });
        return instance;
      }
      default:
        throw damaged('an unknown kind of value');
    }
  }

  #typed(): TypedArray {
    const type = known(TYPED[this.#byte()]);
    const n = this.#varint();
    if (n % type.BYTES_PER_ELEMENT !== 0) throw damaged('an array of a broken length');
    const copy = new Uint8Array(n);
    if (n > 0) {
      const at = this.#take(n);
      copy.set(this.#bytes.subarray(at, at + n));
    }
    const array = new type(copy.buffer);
    this.#objects.push(array);
    return array;
  }

  #fields(noPrototype: boolean, depth: number): object {
    const object = (noPrototype ? Object.create(null) : {}) as Record<string, unknown>;
    this.#objects.push(object);
    let number = this.#varint();
    if (number === 0) {
      const keys: string[] = [];
      for (let n = this.#varint(); n > 0; n--) {
        const key = this.#rawText();
        if (key === '__proto__') throw damaged('a name that is not allowed');
        keys.push(key);
      }
      this.#shapes.push(keys);
      number = this.#shapes.length;
    }
    for (const key of known(this.#shapes[number - 1])) object[key] = this.#value(depth + 1);
    return object;
  }

  #rawText(): string {
    const head = this.#varint();
    const length = Math.floor(head / 2);
    const wide = head % 2 === 1;
    const n = wide ? length * 2 : length;
    const at = this.#take(n);
    const bytes = this.#bytes;
    if (!wide && length > 24) return LATIN.decode(bytes.subarray(at, at + n));
    let text = '';
    for (let i = 0; i < length; i++)
      text += String.fromCharCode(wide ? bytes[at + i * 2]! | (bytes[at + i * 2 + 1]! << 8) : bytes[at + i]!);
    return text;
  }

  #byte(): number {
    const at = this.#take(1);
    return this.#bytes[at]!;
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      // Not in one expression: taking may go on to the next block.
      const at = this.#take(1);
      const byte = this.#bytes[at]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw damaged('a length that is none');
  }

  /** Position of the next `n` bytes, which are taken. */
  #take(n: number): number {
    if (n === 0) return this.#at;
    while (this.#at === this.#bytes.length && this.#block + 1 < this.#blocks.length) {
      this.#bytes = this.#blocks[++this.#block]!;
      this.#view = viewOf(this.#bytes);
      this.#at = 0;
    }
    const at = this.#at;
    if (at + n > this.#bytes.length) throw damaged('it ends too early');
    this.#at = at + n;
    return at;
  }
}

const NOT_YET = {};
const LATIN = new TextDecoder('latin1');

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw damaged('it refers to what is not there');
  return value;
}

function damaged(why: string): WardwatchError {
  return new WardwatchError(
    'WW_MODEL',
    `stored state cannot be read: ${why}`,
    'an older one is used where there is one',
  );
}
