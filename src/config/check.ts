import { Value } from 'typebox/value';
import type { TSchema } from 'typebox';
import { nearest } from '../lib/nearest.ts';
import { describeShape, isSecret, shapeOf } from './shape.ts';
import type { Shape } from './shape.ts';

export interface Problem {
  /** `api.port`, `sources.files[2]`. */
  path: string;
  /** What is wrong and what would be right, one line. */
  text: string;
}

export interface Checked {
  /** The input with every default filled in; only of use where there are no problems. */
  value: unknown;
  problems: Problem[];
}

type Section = Record<string, unknown>;

export function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A wrong value as it is shown: scalars only, for a secret may lie inside of anything else. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a section';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

/** Of several shapes the one that was probably meant: the constants fit, then the fewest problems. */
function pickBranch(branches: Shape[], value: unknown): Shape {
  let best = branches[0]!;
  let fewest = Infinity;
  for (const branch of branches) {
    const problems: Problem[] = [];
    complete('', branch, value, '', problems);
    const wrongKind = Object.entries(branch.properties ?? {}).some(
      ([name, shape]) => shape.const !== undefined && isSection(value) && value[name] !== shape.const,
    );
    const weight = problems.length + (wrongKind ? 1000 : 0);
    if (weight < fewest) {
      fewest = weight;
      best = branch;
    }
  }
  return best;
}

/** Fills defaults in and collects everything that is wrong. */
function complete(name: string, shape: Shape, given: unknown, path: string, problems: Problem[]): unknown {
  const value = given === undefined ? structuredClone(shape.default) : given;
  const wrong = (): unknown => {
    const what = value === undefined ? 'is missing' : isSecret(name, shape) ? 'is not right' : `is ${shown(value)}`;
    problems.push({ path, text: `${what}; expected ${describeShape(shape)}` });
    return value;
  };

  if (shape.anyOf?.some((branch) => branch.type === 'object') === true && isSection(value)) {
    return complete(name, pickBranch(shape.anyOf, value), value, path, problems);
  }
  if (shape.type === 'object') {
    // A section that is left out, or left empty in the file, is one with all its defaults.
    const section = value ?? {};
    return isSection(section) ? completeSection(shape, section, path, problems) : wrong();
  }
  if (shape.type === 'array' && shape.items && Array.isArray(value)) {
    const items = shape.items;
    const list = value.map((item, index) => complete(name, items, item, `${path}[${index}]`, problems));
    const tooFew = list.length < (shape.minItems ?? 0);
    if (tooFew || list.length > (shape.maxItems ?? Infinity)) {
      const limit = `${shape.minItems ?? 0} to ${shape.maxItems ?? 'any number of'} entries`;
      problems.push({ path, text: `has ${list.length} entries; expected ${limit}` });
    }
    return list;
  }
  return Value.Check(shape as TSchema, value) ? value : wrong();
}

function completeSection(shape: Shape, section: Section, path: string, problems: Problem[]): Section {
  const properties = shape.properties ?? {};
  const free = Object.values(shape.patternProperties ?? {})[0] ?? shape.additionalProperties ?? true;
  const out: Section = {};
  for (const [name, part] of Object.entries(properties)) {
    const given = section[name] ?? undefined;
    const optional = !(shape.required ?? []).includes(name);
    if (given === undefined && optional && part.default === undefined) continue;
    out[name] = complete(name, part, given, join(path, name), problems);
  }
  for (const [name, given] of Object.entries(section)) {
    if (Object.hasOwn(properties, name)) continue;
    if (free === true) out[name] = given;
    else if (free !== false) out[name] = complete(name, free, given, join(path, name), problems);
    else problems.push({ path: join(path, name), text: `is no setting; ${suggestion(name, Object.keys(properties))}` });
  }
  return out;
}

/** `did you mean …?`, or what there is. */
export function suggestion(name: string, known: string[]): string {
  const guess = nearest(name, known);
  return guess === undefined ? `there are ${known.join(', ')}` : `did you mean ${guess}?`;
}

/** Completes `input` with the defaults of the schema and finds everything that is wrong with it. */
export function check(schema: TSchema, input: unknown): Checked {
  const problems: Problem[] = [];
  const value = complete('', shapeOf(schema), input, '', problems);
  if (problems.length === 0 && !Value.Check(schema, value)) {
    // Keywords that the walk above does not know (formats, references) still count.
    for (const error of Value.Errors(schema, value)) {
      problems.push({ path: error.instancePath.slice(1).replaceAll('/', '.'), text: error.message });
    }
  }
  return { value, problems };
}
