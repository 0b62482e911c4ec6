import { createHash } from 'node:crypto';
import { TEXT_SOURCES } from '../evidence.ts';
import { WardwatchError, describeError } from '../../kernel/errors.ts';

/** What is known of a type besides its name; a class, a maker and a model are evidence for the fields of that name. */
export interface LearnedType {
  readonly name: string;
  readonly class?: string;
  readonly vendor?: string;
  readonly model?: string;
}

/** A device of which the type is known. */
export interface TypeExample {
  readonly type: LearnedType;
  /** See `featuresOf`. */
  readonly features: readonly string[];
}

/** What a device is by what was learned. */
export interface TypeAnswer {
  readonly type: LearnedType;
  /** Chance that it is this type, as it came true among examples that were left out of the training. */
  readonly confidence: number;
  /** Types with the same hardware tie: both are named. */
  readonly runnerUp?: { readonly type: LearnedType; readonly confidence: number };
}

/** Types of devices learned from examples. */
export interface TypeModel {
  readonly types: readonly LearnedType[];
  /** Distinct examples kept. */
  readonly examples: number;
  readonly features: number;
  /** Undefined for a device that is like none of the examples. */
  classify(features: readonly string[]): TypeAnswer | undefined;
  /** The model as a text file with its version and hash; see {@link readTypeModel}. */
  toFile(): string;
}

const FORMAT = 'wardwatch-types';
const VERSION = 1;
/** A type is as near as its nearest examples on average: one alone may be an odd one. */
const NEAREST = 3;
const MAX_EXAMPLES = 64;
const MAX_TYPES = 512;
const MAX_VOCABULARY = 65_536;
/** A feature that no example has speaks against all of them more than a usual difference does. */
const NEVER_SEEN = 2;
/** Share of a type's own examples that may fall outside of it, and the room that is left below the others. */
const OUTSIDE = 0.05;
const SLACK = 0.05;
/** So near is near enough, unless a name speaks against it. */
const NEAR_ENOUGH = 0.4;
/** A type is bound to its names where no more than so many stand in its examples. */
const NAMES = 3;
/** How sharply nearness decides between two types; the one that fits left-out examples best is taken. */
const SHARPNESS = [5, 10, 20, 40, 80, 160];

const UPNP = 'ssdp.type';

interface Example {
  readonly type: number;
  readonly features: Uint32Array;
  /** How many were alike. */
  readonly count: number;
}

interface Parts {
  readonly types: readonly LearnedType[];
  readonly vocabulary: readonly string[];
  readonly weights: Float64Array;
  readonly examples: readonly Example[];
  /** Least nearness at which a device is of the type. */
  readonly least: Float64Array;
  /** Examples of the type before the like ones were joined. */
  readonly seen: Float64Array;
  readonly sharpness: number;
}

/**
 * Learns types from examples: nearest neighbours over weighted features. A feature weighs what it tells between
 * types (how few have it) times how steady it is within one, so that names of the day do not count. The least
 * nearness of each type and the calibration come from leaving examples out. Deterministic.
 * @throws {WardwatchError} `WW_MODEL` for fewer than two types or examples
 */
export function trainTypes(examples: readonly TypeExample[]): TypeModel {
  const usable = examples.filter((example) => example.features.length > 0);
  const names = [...new Set(usable.map((example) => example.type.name))].sort();
  if (names.length < 2 || names.length > MAX_TYPES)
    throw new WardwatchError(
      'WW_MODEL',
      `there are examples of ${names.length} types`,
      `give examples of 2 to ${MAX_TYPES} types; devices that said nothing do not count`,
    );
  const types = names.map((name) => usable.find((example) => example.type.name === name)!.type);
  const typeOf = new Map(names.map((name, index) => [name, index]));
  const vocabulary = [...new Set(usable.flatMap((example) => example.features))].sort();
  if (vocabulary.length > MAX_VOCABULARY)
    throw new WardwatchError('WW_MODEL', `${vocabulary.length} features are too many`, 'train with fewer examples');
  const idOf = new Map(vocabulary.map((feature, index) => [feature, index]));
  const rows = usable.map((example) => ({
    type: typeOf.get(example.type.name)!,
    features: idsOf(example.features, idOf).known,
  }));
  const seen = new Float64Array(types.length);
  for (const row of rows) seen[row.type]!++;
  const weights = weigh(rows, vocabulary.length, seen);

  const distinct = join(rows, types.length);
  const own: number[][] = types.map(() => []);
  const trials: { near: Float64Array; type: number; count: number }[] = [];
  for (const example of distinct) {
    const near = nearness(example.features, 0, distinct, weights, types.length, example);
    trials.push({ near, type: example.type, count: example.count });
    for (let i = 0; i < example.count; i++) own[example.type]!.push(near[example.type]!);
  }
  const least = Float64Array.from(own, (values) => {
    values.sort((a, b) => a - b);
    return Math.min(NEAR_ENOUGH, Math.max(0, (values[Math.floor(values.length * OUTSIDE)] ?? 0) - SLACK));
  });
  let sharpness = SHARPNESS[0]!;
  let bestLoss = Infinity;
  for (const candidate of SHARPNESS) {
    let loss = 0;
    for (const { near, type, count } of trials)
      loss -= count * Math.log(Math.max(chances(near, candidate)[type]!, 1e-9));
    if (loss < bestLoss) [sharpness, bestLoss] = [candidate, loss];
  }
  return createModel({ types, vocabulary, weights, examples: distinct, least, seen, sharpness });
}

function weigh(
  rows: readonly { readonly type: number; readonly features: Uint32Array }[],
  features: number,
  seen: Float64Array,
): Float64Array {
  const types = seen.length;
  const have = new Float64Array(features * types);
  for (const row of rows) for (const id of row.features) have[id * types + row.type]!++;
  const weights = new Float64Array(features);
  for (let id = 0; id < features; id++) {
    let share = 0;
    let steady = 0;
    for (let type = 0; type < types; type++) {
      const part = have[id * types + type]! / seen[type]!;
      share += part;
      if (part > steady) steady = part;
    }
    weights[id] = Math.log(1 + types / share) * steady;
  }
  return weights;
}

/** Like examples become one; of a type with many different ones those that came most often are kept. */
function join(rows: readonly { readonly type: number; readonly features: Uint32Array }[], types: number): Example[] {
  const joined = new Map<string, { type: number; features: Uint32Array; count: number }>();
  for (const row of rows) {
    const key = `${row.type}:${row.features.join(',')}`;
    const known = joined.get(key);
    if (known === undefined) joined.set(key, { ...row, count: 1 });
    else known.count++;
  }
  const all = [...joined].sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1)).map(([, example]) => example);
  const kept = new Uint32Array(types);
  return all.filter((example) => kept[example.type]!++ < MAX_EXAMPLES).sort((a, b) => a.type - b.type);
}

/** Ids of features in ascending order, and how many have none. */
function idsOf(
  features: readonly string[],
  idOf: ReadonlyMap<string, number>,
): { known: Uint32Array; unknown: number } {
  const ids = new Set<number>();
  const unknown = new Set<string>();
  for (const feature of features) {
    const id = idOf.get(feature);
    if (id === undefined) unknown.add(feature);
    else ids.add(id);
  }
  return { known: Uint32Array.from(ids).sort(), unknown: unknown.size };
}

/** Weighted Jaccard index of two ascending lists of features; `against` is the weight of what only one can have. */
function alike(a: Uint32Array, b: Uint32Array, weights: Float64Array, against: number): number {
  let both = 0;
  let either = against;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const x = a[i]!;
    const y = b[j]!;
    if (x === y) {
      both += weights[x]!;
      either += weights[x]!;
      i++;
      j++;
    } else if (x < y) {
      either += weights[x]!;
      i++;
    } else {
      either += weights[y]!;
      j++;
    }
  }
  for (; i < a.length; i++) either += weights[a[i]!]!;
  for (; j < b.length; j++) either += weights[b[j]!]!;
  return either === 0 ? 0 : both / either;
}

/** For each type the mean of its nearest examples; one copy of `without` is left out. */
function nearness(
  features: Uint32Array,
  unknown: number,
  examples: readonly Example[],
  weights: Float64Array,
  types: number,
  without?: Example,
): Float64Array {
  const found = Array.from({ length: types }, (): { near: number; count: number }[] => []);
  for (const example of examples) {
    const count = example === without ? example.count - 1 : example.count;
    if (count > 0)
      found[example.type]!.push({ near: alike(features, example.features, weights, unknown * NEVER_SEEN), count });
  }
  return Float64Array.from(found, (own) => {
    own.sort((a, b) => b.near - a.near);
    let sum = 0;
    let taken = 0;
    for (const { near, count } of own) {
      const more = Math.min(count, NEAREST - taken);
      sum += near * more;
      taken += more;
      if (taken === NEAREST) break;
    }
    return taken === 0 ? 0 : sum / taken;
  });
}

function chances(near: Float64Array, sharpness: number): Float64Array {
  const top = Math.max(...near);
  const odds = near.map((value) => Math.exp(sharpness * (value - top)));
  let sum = 0;
  for (const value of odds) sum += value;
  return odds.map((value) => value / sum);
}

/** `dhcp.hostname` of `dhcp.hostname=hs110(eu)`; a role is no name. */
function sourceOf(feature: string): string {
  const end = feature.indexOf('=');
  return end < 0 ? '' : feature.slice(0, end);
}

/**
 * What a type is bound to, by source: the few names and products that stand in all of its examples, and the kinds of
 * UPnP device that all of them offer and no other type does.
 */
function namesOf(
  type: number,
  examples: readonly Example[],
  vocabulary: readonly string[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const own = examples.filter((example) => example.type === type);
  const values = new Map<string, Map<string, number>>();
  const having = new Map<string, number>();
  for (const example of own) {
    const sources = new Set<string>();
    for (const id of example.features) {
      const feature = vocabulary[id]!;
      const source = sourceOf(feature);
      if (!TEXT_SOURCES.includes(source) && source !== UPNP) continue;
      sources.add(source);
      const known = values.get(source);
      if (known === undefined) values.set(source, new Map([[feature, 1]]));
      else known.set(feature, (known.get(feature) ?? 0) + 1);
    }
    for (const source of sources) having.set(source, (having.get(source) ?? 0) + 1);
  }
  const bound = new Map<string, Set<string>>();
  for (const [source, all] of values) {
    if (having.get(source) !== own.length) continue;
    if (source !== UPNP) {
      if (all.size <= NAMES) bound.set(source, new Set(all.keys()));
      continue;
    }
    const others = new Set(
      examples.flatMap((example) => (example.type === type ? [] : [...example.features].map((id) => vocabulary[id]!))),
    );
    const only = [...all].filter(([feature, count]) => count === own.length && !others.has(feature));
    if (only.length > 0) bound.set(source, new Set(only.map(([feature]) => feature)));
  }
  return bound;
}

function createModel(parts: Parts): TypeModel {
  const { types, vocabulary, weights, examples, least, seen, sharpness } = parts;
  const idOf = new Map(vocabulary.map((feature, index) => [feature, index]));
  const names = types.map((_, type) => namesOf(type, examples, vocabulary));
  return {
    types,
    examples: examples.length,
    features: vocabulary.length,
    classify(features) {
      const { known, unknown } = idsOf(features, idOf);
      if (known.length === 0) return undefined;
      const near = nearness(known, unknown, examples, weights, types.length);
      const said = new Set(features.map(sourceOf));
      // A device that names itself otherwise than every example of a type is another one, however like it is.
      names.forEach((bound, type) => {
        for (const [source, values] of bound)
          if (said.has(source) && !features.some((feature) => values.has(feature))) near[type] = 0;
      });
      let best = 0;
      let second = -1;
      for (let type = 1; type < types.length; type++)
        if (near[type]! > near[best]!) [second, best] = [best, type];
        else if (second < 0 || near[type]! > near[second]!) second = type;
      if (near[best] === 0 || near[best]! < least[best]!) return undefined;
      const chance = chances(near, sharpness);
      // The rule of succession: from five examples nothing is surer than six in seven.
      const confidence = (type: number): number =>
        Math.round(((chance[type]! * (seen[type]! + 1)) / (seen[type]! + 2)) * 1000) / 1000;
      const other = second < 0 ? 0 : confidence(second);
      return {
        type: types[best]!,
        confidence: confidence(best),
        ...(other < 0.05 ? {} : { runnerUp: { type: types[second]!, confidence: other } }),
      };
    },
    toFile() {
      const body = JSON.stringify({
        types: types.map((type, index) => ({ ...type, least: least[index], seen: seen[index] })),
        sharpness,
        features: vocabulary,
        weights: [...weights],
        examples: examples.map((example) => [example.type, example.count, ...example.features]),
      });
      return `${JSON.stringify({ format: FORMAT, version: VERSION, sha256: hashOf(body) })}\n${body}\n`;
    },
  };
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/**
 * Reads a model that {@link TypeModel.toFile} wrote.
 * @throws {WardwatchError} `WW_MODEL` where the file is of another version, damaged, or no such file
 */
export function readTypeModel(text: string, file: string): TypeModel {
  const wrong = (what: string, remedy = 'train it again: wardwatch devices types train', cause?: unknown): never => {
    throw new WardwatchError('WW_MODEL', `${file}: ${what}`, remedy, { cause });
  };
  const [head = '', body = ''] = text.split('\n');
  let header: { format?: unknown; version?: unknown; sha256?: unknown } | null;
  try {
    header = JSON.parse(head) as typeof header;
  } catch (error) {
    return wrong(`is no file of learned types: ${describeError(error)}`, undefined, error);
  }
  if (header?.format !== FORMAT) return wrong('is no file of learned types');
  if (header.version !== VERSION)
    return wrong(`has version ${String(header.version)}, this Wardwatch reads ${VERSION}`);
  if (header.sha256 !== hashOf(body)) return wrong('does not have the hash that it names: it was changed or cut');
  // What has the right hash was written by the program; what is checked now is that nobody wrote it by hand.
  const parsed = JSON.parse(body) as {
    types: (LearnedType & { least: number; seen: number })[];
    sharpness: number;
    features: string[];
    weights: number[];
    examples: number[][];
  };
  const { types, features, weights } = parsed;
  const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
  const right =
    Array.isArray(types) &&
    types.length >= 2 &&
    types.length <= MAX_TYPES &&
    types.every(
      (type) =>
        typeof type.name === 'string' &&
        isNumber(type.least) &&
        isNumber(type.seen) &&
        [type.class, type.vendor, type.model].every((text) => text === undefined || typeof text === 'string'),
    ) &&
    Array.isArray(features) &&
    features.length <= MAX_VOCABULARY &&
    features.every((feature) => typeof feature === 'string') &&
    Array.isArray(weights) &&
    weights.length === features.length &&
    weights.every(isNumber) &&
    isNumber(parsed.sharpness) &&
    Array.isArray(parsed.examples) &&
    parsed.examples.length <= MAX_TYPES * MAX_EXAMPLES &&
    parsed.examples.every(
      ([type, count, ...ids]) =>
        Number.isInteger(type) &&
        types[type!] !== undefined &&
        Number.isInteger(count) &&
        ids.every((id, i) => Number.isInteger(id) && id < features.length && id > (ids[i - 1] ?? -1)),
    );
  if (!right) return wrong('does not hold what a file of learned types holds');
  return createModel({
    types: types.map(({ name, class: cls, vendor, model }) => ({
      name,
      ...(cls === undefined ? {} : { class: cls }),
      ...(vendor === undefined ? {} : { vendor }),
      ...(model === undefined ? {} : { model }),
    })),
    vocabulary: features,
    weights: Float64Array.from(weights),
    examples: parsed.examples.map(([type = 0, count = 0, ...ids]) => ({
      type,
      count,
      features: Uint32Array.from(ids),
    })),
    least: Float64Array.from(types, (type) => type.least),
    seen: Float64Array.from(types, (type) => type.seen),
    sharpness: parsed.sharpness,
  });
}
