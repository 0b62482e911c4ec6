/**
 * Interns short byte strings: the same bytes give the same number and one JavaScript string, made once.
 * Bounded: beyond `capacity` every new text is number 0, the empty text, and counted.
 */
export const MAX_TEXT_BYTES = 128;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export class TextTable {
  readonly #texts: string[] = [''];
  readonly #bytes: Uint8Array[] = [new Uint8Array(0)];
  readonly #hashes: number[] = [0];
  #table: Int32Array;
  readonly #capacity: number;
  readonly #byString = new Map<string, number>();
  /** Texts refused because the table was full. */
  overflow = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#table = new Int32Array(1024);
  }

  get size(): number {
    return this.#texts.length;
  }

  text(id: number): string {
    return this.#texts[id] ?? '';
  }

  /** Number of the bytes `[start, end)`, cut at {@link MAX_TEXT_BYTES}. */
  intern(bytes: Uint8Array, start: number, end: number): number {
    if (end - start > MAX_TEXT_BYTES) end = start + MAX_TEXT_BYTES;
    let h = 0x811c9dc5;
    for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
    h ^= h >>> 15;
    const mask = this.#table.length - 1;
    let b = h & mask;
    for (; ; b = (b + 1) & mask) {
      const id = this.#table[b]!;
      if (id === 0) break;
      if (this.#hashes[id] === h && this.#same(id, bytes, start, end)) return id;
    }
    return this.#add(h, bytes.slice(start, end));
  }

  /** The same for a string of the program's own. */
  internString(value: string): number {
    if (value === '') return 0;
    let id = this.#byString.get(value);
    if (id === undefined) {
      const bytes = new TextEncoder().encode(value);
      id = this.intern(bytes, 0, bytes.length);
      if (id !== 0) this.#byString.set(value, id);
    }
    return id;
  }

  #same(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const known = this.#bytes[id]!;
    if (known.length !== end - start) return false;
    for (let i = 0; i < known.length; i++) if (known[i] !== bytes[start + i]) return false;
    return true;
  }

  #add(hash: number, bytes: Uint8Array): number {
    if (bytes.length === 0) return 0;
    if (this.#texts.length >= this.#capacity) {
      this.overflow++;
      return 0;
    }
    const id = this.#texts.length;
    // Control characters would let a device write into a terminal or a log line of somebody else.
    this.#texts.push(decoder.decode(bytes).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\uFFFD'));
    this.#bytes.push(bytes);
    this.#hashes.push(hash);
    if (this.#texts.length * 2 > this.#table.length) this.#grow();
    else this.#place(id);
    return id;
  }

  #place(id: number): void {
    const mask = this.#table.length - 1;
    let b = this.#hashes[id]! & mask;
    while (this.#table[b] !== 0) b = (b + 1) & mask;
    this.#table[b] = id;
  }

  #grow(): void {
    this.#table = new Int32Array(this.#table.length * 2);
    for (let id = 1; id < this.#texts.length; id++) this.#place(id);
  }
}
