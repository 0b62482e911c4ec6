import { NAME_SOURCES, TEXT_SOURCES } from './evidence.ts';
import type { KnownClass } from './classes.ts';
import { compilePattern, compileWords, wordsOf } from './pattern.ts';
import type { CaptureName, Pattern, Phrase } from './pattern.ts';
import type { ConditionSpec, PlatformsSpec, ProfileSpec } from './profile-schema.ts';
import type { RoleKey, RoleUse } from './roles.ts';
import type { TypeModel } from './types/model.ts';
import type { Vendors } from './vendors.ts';

/** A rule of a profile in the form in which it is applied. */
export interface KnownRule {
  readonly profile: number;
  /** Conditions that must all hold. */
  readonly atoms: readonly number[];
  readonly weight: number;
  readonly verified: boolean;
}

/** A condition that holds for a text, with what it took out of it. */
export interface AtomHit {
  readonly atom: number;
  readonly taken: Readonly<Partial<Record<CaptureName, string>>>;
}

/** Conditions about texts of one source, found by what they ask for first: most texts are names nobody asks for. */
interface TextAtoms {
  /** Not compiled yet: of most sources nothing is ever heard in a site. */
  waiting: { readonly atom: number; readonly condition: ConditionSpec }[];
  readonly globs: { readonly atom: number; readonly pattern: Pattern }[];
  readonly phrases: Map<string, { readonly atom: number; readonly phrase: Phrase }[]>;
  readonly beginnings: { readonly atom: number; readonly phrase: Phrase }[];
}

const CACHED_TEXTS = 32_768;
const NO_HITS: readonly AtomHit[] = [];

/**
 * Everything declared about devices, compiled: which conditions hold for a piece of evidence is answered from
 * a cache, for a site's thousand monitors say the same few things.
 */
export class Knowledge {
  readonly profiles: readonly ProfileSpec[];
  readonly classes: ReadonlyMap<string, KnownClass>;
  readonly vendors: Vendors;
  /** Types that a site or a bundle has learned. */
  readonly types: TypeModel | undefined;
  readonly rules: readonly KnownRule[];
  /** Rules in which a condition stands. */
  readonly rulesOf: readonly (readonly number[])[];
  /** Operating systems by the condition that tells them; such a condition stands in no rule. */
  readonly platforms: ReadonlyMap<number, { os: string; version: string; weight: number }>;
  readonly #bySource = new Map<string, TextAtoms>();
  readonly #byRole = new Map<string, { atom: number; peers: number }[]>();
  readonly #cache = new Map<string, readonly AtomHit[]>();

  constructor(
    profiles: readonly ProfileSpec[],
    platforms: PlatformsSpec,
    vendors: Vendors,
    classes: ReadonlyMap<string, KnownClass>,
    types?: TypeModel,
  ) {
    this.types = types;
    this.profiles = profiles;
    this.classes = classes;
    this.vendors = vendors;
    const atoms = new Map<string, number>();
    const rules: KnownRule[] = [];
    const atomOf = (spec: ConditionSpec): number => {
      const condition: ConditionSpec = {
        ...(spec.source === undefined ? {} : { source: spec.source }),
        ...(spec.serves === undefined ? {} : { serves: spec.serves }),
        ...(spec.uses === undefined ? {} : { uses: spec.uses }),
        ...(spec.client === undefined ? {} : { client: spec.client }),
        ...(spec.server === undefined ? {} : { server: spec.server }),
        ...(spec.peers === undefined ? {} : { peers: spec.peers }),
        ...(spec.glob === undefined ? {} : { glob: spec.glob }),
        ...(spec.words === undefined ? {} : { words: spec.words }),
      };
      const key = JSON.stringify(condition);
      let atom = atoms.get(key);
      if (atom === undefined) {
        atom = atoms.size;
        atoms.set(key, atom);
        this.#index(atom, condition);
      }
      return atom;
    };
    profiles.forEach((profile, index) => {
      for (const rule of profile.match)
        rules.push({
          profile: index,
          atoms: [...new Set((rule.all ?? [rule]).map(atomOf))],
          weight: rule.weight,
          verified: profile.verified && rule.verified !== false,
        });
    });
    this.rules = rules;
    const named = new Map<number, { os: string; version: string; weight: number }>();
    for (const platform of platforms.platforms) {
      const atom = atoms.size;
      // One condition may be a profile's and a platform's: a key of its own keeps them apart.
      atoms.set(`platform ${atom}`, atom);
      this.#index(atom, { source: platform.source, glob: platform.glob });
      named.set(atom, { os: platform.os ?? '', version: platform.os_version ?? '', weight: platform.weight });
    }
    this.platforms = named;
    const rulesOf: number[][] = Array.from({ length: atoms.size }, () => []);
    rules.forEach((rule, index) => {
      for (const atom of rule.atoms) rulesOf[atom]!.push(index);
    });
    this.rulesOf = rulesOf;
  }

  /** Conditions that hold for a text of a source. */
  ofText(source: string, value: string): readonly AtomHit[] {
    const candidates = this.#bySource.get(source);
    if (candidates === undefined) return NO_HITS;
    if (candidates.waiting.length > 0) compile(candidates);
    const key = `${source}\u0000${value}`;
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const taken = new Map<number, AtomHit['taken']>();
    for (const { atom, pattern } of candidates.globs) {
      const parts = taken.has(atom) ? undefined : pattern.match(value);
      if (parts !== undefined) taken.set(atom, parts);
    }
    const words = wordsOf(value);
    const ask = ({ atom, phrase }: { atom: number; phrase: Phrase }): void => {
      if (!taken.has(atom) && phrase.isIn(words)) taken.set(atom, {});
    };
    for (const word of new Set(words)) candidates.phrases.get(word)?.forEach(ask);
    candidates.beginnings.forEach(ask);
    const hits = taken.size === 0 ? NO_HITS : [...taken].map(([atom, parts]) => ({ atom, taken: parts }));
    // Texts come from devices: whoever floods the cache with names gets it emptied, not grown.
    if (this.#cache.size >= CACHED_TEXTS) this.#cache.clear();
    this.#cache.set(key, hits);
    return hits;
  }

  /** Conditions that hold for a role. */
  ofRole(use: RoleUse): readonly number[] {
    const candidates = this.#byRole.get(use.role);
    if (candidates === undefined) return [];
    return candidates.filter(({ peers }) => use.peers.length >= peers).map(({ atom }) => atom);
  }

  #index(atom: number, condition: ConditionSpec): void {
    const role: RoleKey | undefined =
      condition.serves !== undefined
        ? `serves ${condition.serves}`
        : condition.uses !== undefined
          ? `uses ${condition.uses}`
          : condition.client !== undefined
            ? `client ${condition.client}`
            : condition.server !== undefined
              ? `server ${condition.server}`
              : undefined;
    if (role !== undefined) {
      const list = this.#byRole.get(role) ?? [];
      list.push({ atom, peers: condition.peers ?? 1 });
      this.#byRole.set(role, list);
      return;
    }
    const source = condition.source ?? '';
    for (const one of source === 'name' ? NAME_SOURCES : source === 'text' ? TEXT_SOURCES : [source]) {
      let atoms = this.#bySource.get(one);
      if (atoms === undefined) {
        atoms = { waiting: [], globs: [], phrases: new Map(), beginnings: [] };
        this.#bySource.set(one, atoms);
      }
      atoms.waiting.push({ atom, condition });
    }
  }
}

function compile(atoms: TextAtoms): void {
  for (const { atom, condition } of atoms.waiting) {
    for (const text of condition.glob ?? []) atoms.globs.push({ atom, pattern: compilePattern(text) });
    for (const text of condition.words ?? []) {
      const entry = { atom, phrase: compileWords(text) };
      const { first } = entry.phrase;
      if (first === undefined) atoms.beginnings.push(entry);
      else atoms.phrases.set(first, [...(atoms.phrases.get(first) ?? []), entry]);
    }
  }
  atoms.waiting = [];
}
