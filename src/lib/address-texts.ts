import { ipText } from './address.ts';

const SIZE = 16_384;

/**
 * Texts of the addresses that were asked for lately: building one costs more than everything else that is done
 * with it. One text a place, the newest wins.
 */
export class AddressTexts {
  readonly #words = new Uint32Array(SIZE * 4);
  readonly #v6 = new Uint8Array(SIZE);
  readonly #texts: (string | undefined)[] = new Array<string | undefined>(SIZE).fill(undefined);

  /** Words as in the packet columns: IPv4 in the last of four. */
  of(words: Uint32Array, at: number, v6: boolean): string {
    const a = words[at]!;
    const b = words[at + 1]!;
    const c = words[at + 2]!;
    const d = words[at + 3]!;
    let h = Math.imul(d, 0x9e3779b1) ^ Math.imul(c ^ Math.imul(b ^ Math.imul(a, 31), 31), 0x85ebca6b);
    h ^= h >>> 15;
    const place = h & (SIZE - 1);
    const o = place * 4;
    const own = this.#words;
    const family = v6 ? 1 : 0;
    const known = this.#texts[place];
    if (
      known !== undefined &&
      own[o + 3] === d &&
      this.#v6[place] === family &&
      (!v6 || (own[o] === a && own[o + 1] === b && own[o + 2] === c))
    )
      return known;
    const text = ipText(words, at, v6);
    own[o] = a;
    own[o + 1] = b;
    own[o + 2] = c;
    own[o + 3] = d;
    this.#v6[place] = family;
    this.#texts[place] = text;
    return text;
  }
}
