/** Bytes being written, growing as needed. Multi-byte numbers are big endian unless the name ends in `le`. */
export class Bytes {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  #room(n: number): number {
    const at = this.length;
    if (at + n > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#bytes.length * 2, at + n));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.length = at + n;
    return at;
  }

  u8(...values: number[]): this {
    const at = this.#room(values.length);
    for (let i = 0; i < values.length; i++) this.#bytes[at + i] = values[i]!;
    return this;
  }

  u16(...values: number[]): this {
    const at = this.#room(values.length * 2);
    for (let i = 0; i < values.length; i++) this.#view.setUint16(at + i * 2, values[i]!);
    return this;
  }

  u32(...values: number[]): this {
    const at = this.#room(values.length * 4);
    for (let i = 0; i < values.length; i++) this.#view.setUint32(at + i * 4, values[i]!);
    return this;
  }

  u16le(...values: number[]): this {
    const at = this.#room(values.length * 2);
    for (let i = 0; i < values.length; i++) this.#view.setUint16(at + i * 2, values[i]!, true);
    return this;
  }

  u32le(...values: number[]): this {
    const at = this.#room(values.length * 4);
    for (let i = 0; i < values.length; i++) this.#view.setUint32(at + i * 4, values[i]!, true);
    return this;
  }

  zeros(n: number): this {
    const at = this.#room(n);
    this.#bytes.fill(0, at, at + n);
    return this;
  }

  put(bytes: ArrayLike<number>): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Latin-1 text; with `size`, filled up with `pad` to that many bytes. */
  text(text: string, size = text.length, pad = 0): this {
    const at = this.#room(size);
    for (let i = 0; i < size; i++) this.#bytes[at + i] = i < text.length ? text.charCodeAt(i) : pad;
    return this;
  }

  /** UTF-16LE text, as Windows writes it. */
  wide(text: string): this {
    for (let i = 0; i < text.length; i++) this.u16le(text.charCodeAt(i));
    return this;
  }

  setU16(at: number, value: number): this {
    this.#view.setUint16(at, value);
    return this;
  }

  setU32(at: number, value: number): this {
    this.#view.setUint32(at, value);
    return this;
  }

  setU32le(at: number, value: number): this {
    this.#view.setUint32(at, value, true);
    return this;
  }

  done(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
}

export function latin(text: string): Uint8Array {
  return new Bytes().text(text).done();
}
