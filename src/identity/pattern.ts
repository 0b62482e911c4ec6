/** Most characters of a pattern; values come from observations, which cut them at 128 bytes. */
export const MAX_PATTERN = 128;
const MAX_WILDCARDS = 8;
const MAX_CAPTURE = 64;

/** What a pattern may take out of a value, by the name in braces. */
export const CAPTURES = ['vendor', 'model', 'os', 'os_version', 'firmware', 'serial', 'hostname'] as const;
export type CaptureName = (typeof CAPTURES)[number];

/** A whole-value test. */
export interface Pattern {
  /** What the named parts hold, undefined where the value does not fit. */
  match(value: string): Readonly<Partial<Record<CaptureName, string>>> | undefined;
}

interface Part {
  /** What stands before the literal: nothing, anything (`*`), or a named part that is not empty. */
  readonly gap: '' | '*' | CaptureName;
  /** Lower case; `?` stands for one character. */
  readonly literal: string;
}

const NOTHING: Readonly<Partial<Record<CaptureName, string>>> = Object.freeze({});

/**
 * Patterns of profiles: `*` any text, `?` one character, `{model}` a named part, all else itself, letters in
 * any case. Each literal is sought from where the last one ended and never again, so that a match costs at
 * most length times length, whatever the pattern. Throws an `Error` that says what is wrong with it.
 */
export function compilePattern(text: string): Pattern {
  if (text.length === 0 || text.length > MAX_PATTERN) throw new Error(`must have 1 to ${MAX_PATTERN} characters`);
  const parts = parse(text);
  return {
    match(value) {
      const lower = lowerAscii(value);
      let found: Partial<Record<CaptureName, string>> | undefined;
      let at = 0;
      for (let i = 0; i < parts.length; i++) {
        const { gap, literal } = parts[i]!;
        const last = i === parts.length - 1;
        const least = gap === '' || gap === '*' ? at : at + 1;
        let start: number;
        if (gap === '') start = fits(lower, literal, at) && (!last || at + literal.length === lower.length) ? at : -1;
        else if (last && literal === '') start = lower.length >= least ? lower.length : -1;
        else if (last) {
          start = lower.length - literal.length;
          if (start < least || !fits(lower, literal, start)) start = -1;
        } else start = seek(lower, literal, least);
        if (start < 0) return undefined;
        if (gap !== '' && gap !== '*') {
          const taken = value.slice(at, start).trim().slice(0, MAX_CAPTURE);
          if (taken === '') return undefined;
          found ??= {};
          found[gap] = taken;
        }
        at = start + literal.length;
      }
      return found ?? NOTHING;
    },
  };
}

function parse(text: string): Part[] {
  const parts: Part[] = [];
  let gap = '' as Part['gap'];
  let literal = '';
  let wildcards = 0;
  const close = (next: Part['gap']): void => {
    if (literal === '' && (parts.length > 0 || gap !== '')) throw new Error('two wildcards stand side by side');
    if (++wildcards > MAX_WILDCARDS) throw new Error(`more than ${MAX_WILDCARDS} wildcards`);
    if (literal !== '' || gap !== '') parts.push({ gap, literal: lowerAscii(literal) });
    gap = next;
    literal = '';
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === '*') close('*');
    else if (c === '{') {
      const end = text.indexOf('}', i);
      const name = CAPTURES.find((known) => known === text.slice(i + 1, end));
      if (end < 0 || name === undefined) throw new Error(`after { one of ${CAPTURES.join(', ')} and } is expected`);
      close(name);
      i = end;
    } else literal += c;
  }
  if (parts.length === 0 && gap === '*' && literal === '') throw new Error('matches everything');
  parts.push({ gap, literal: lowerAscii(literal) });
  return parts;
}

function fits(value: string, literal: string, at: number): boolean {
  if (at + literal.length > value.length) return false;
  for (let i = 0; i < literal.length; i++) {
    const c = literal.charCodeAt(i);
    if (c !== 63 && c !== value.charCodeAt(at + i)) return false;
  }
  return true;
}

function seek(value: string, literal: string, from: number): number {
  for (let at = from; at + literal.length <= value.length; at++) if (fits(value, literal, at)) return at;
  return -1;
}

/** Lower case without changing the length, which the full mapping of Unicode does. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (run) => run.toLowerCase());
}

/** Runs of letters and runs of digits, in lower case: `CT_SOMATOM1` has `ct`, `somatom`, `1`. */
export function wordsOf(text: string): string[] {
  return lowerAscii(text.slice(0, MAX_PATTERN)).match(/[a-z\u0080-\uffff]+|[0-9]+/g) ?? [];
}

export interface Phrase {
  /** Word that a text must have; undefined where only the beginning of one is given. */
  readonly first: string | undefined;
  isIn(words: readonly string[]): boolean;
}

/**
 * A word or several that stand side by side, the last one also as a beginning (`pump*`). Product names are
 * found so in whatever a device calls itself. Throws an `Error` that says what is wrong.
 */
export function compileWords(text: string): Phrase {
  const open = text.endsWith('*');
  const wanted = wordsOf(text);
  const length = wanted.join('').length;
  if (length < (open ? 3 : 2)) throw new Error('is too short to mean anything');
  if (text.length > MAX_PATTERN) throw new Error(`has more than ${MAX_PATTERN} characters`);
  return {
    first: open && wanted.length === 1 ? undefined : wanted[0],
    isIn(words) {
      for (let at = 0; at + wanted.length <= words.length; at++) {
        let i = 0;
        while (
          i < wanted.length &&
          (words[at + i] === wanted[i] || (open && i === wanted.length - 1 && words[at + i]!.startsWith(wanted[i]!)))
        )
          i++;
        if (i === wanted.length) return true;
      }
      return false;
    },
  };
}
