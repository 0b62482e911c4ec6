import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LineCounter, isMap, isNode, isPair, isScalar, isSeq, parseDocument } from 'yaml';
import type { Document } from 'yaml';
import { Value } from 'typebox/value';
import type { TSchema } from 'typebox';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { nearest } from '../lib/nearest.ts';
import { tame } from '../lib/tame.ts';
import { compilePattern, compileWords } from './pattern.ts';
import { platformsSchema, profileSchema, vendorsSchema } from './profile-schema.ts';
import type { ConditionSpec, PlatformsSpec, ProfileSpec, RuleSpec, VendorsSpec } from './profile-schema.ts';

/** The profiles that come with Wardwatch. */
export const PROFILES_DIR = fileURLToPath(new URL('../../profiles', import.meta.url));

/** Longest profile read: a page of text is a long one. */
const MAX_BYTES = 262_144;
const MAX_PROFILES = 4096;

/** Something wrong in a file of knowledge, for the person who writes it. */
export interface ProfileProblem {
  readonly file: string;
  /** From 1; 0 where no line can be named. */
  readonly line: number;
  /** What is wrong and what would be right. */
  readonly text: string;
}

export interface ProfileSet {
  readonly profiles: readonly ProfileSpec[];
  readonly problems: readonly ProfileProblem[];
}

/**
 * Reads every profile below a folder, `<class>/<name>.yaml`, in the order of their names. A profile that is
 * not right is left out and told of; it never keeps the others out.
 */
export function loadProfiles(classes: ReadonlySet<string>, dir: string = PROFILES_DIR): ProfileSet {
  const profiles: ProfileSpec[] = [];
  const problems: ProfileProblem[] = [];
  const seen = new Map<string, string>();
  for (const file of profileFiles(dir)) {
    const read = readProfile(join(dir, file), file, classes);
    problems.push(...read.problems);
    const profile = read.profile;
    if (profile === undefined) continue;
    const before = seen.get(profile.id);
    if (before !== undefined)
      problems.push({ file, line: 1, text: `the id ${profile.id} is already that of ${before}; ids are unique` });
    else {
      seen.set(profile.id, file);
      profiles.push(profile);
    }
  }
  return { profiles, problems };
}

function profileFiles(dir: string): string[] {
  try {
    return readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .map((name) => name.replaceAll('\\', '/'))
      .filter((name) => name.split('/').length === 2 && name.endsWith('.yaml'))
      .sort()
      .slice(0, MAX_PROFILES);
  } catch (error) {
    throw new WardwatchError(
      'WW_PROFILE',
      `the folder ${dir} cannot be read: ${describeError(error)}`,
      'give a folder that holds profiles as <class>/<name>.yaml',
      { cause: error },
    );
  }
}

/** Reads and checks one profile. `name` is what problems call the file; `<class>/<name>.yaml` is compared with the id. */
export function readProfile(
  path: string,
  name: string,
  classes: ReadonlySet<string>,
): { profile?: ProfileSpec; problems: ProfileProblem[] } {
  try {
    if (statSync(path).size > MAX_BYTES)
      return { problems: [{ file: name, line: 0, text: `is longer than ${MAX_BYTES} bytes` }] };
    return checkProfile(readFileSync(path, 'utf8'), name, classes);
  } catch (error) {
    return { problems: [{ file: name, line: 0, text: `cannot be read: ${describeError(error)}` }] };
  }
}

/** Checks the text of a profile; see {@link readProfile}. */
export function checkProfile(
  text: string,
  file: string,
  classes: ReadonlySet<string>,
): { profile?: ProfileSpec; problems: ProfileProblem[] } {
  const parsed = parse<ProfileSpec>(text, file, profileSchema);
  if (parsed.value === undefined) return { problems: parsed.problems };
  const profile = parsed.value;
  const problems: ProfileProblem[] = [];
  const wrong = (path: readonly (string | number)[], what: string): void => {
    problems.push({ file, line: parsed.lineOf(path), text: `${pathText(path)}: ${what}` });
  };
  const known = (path: readonly (string | number)[], id: string): void => {
    if (classes.has(id)) return;
    const meant = nearest(id, [...classes]);
    wrong(path, `${tame(id, 60)} is no class${meant === undefined ? '' : `; did you mean ${meant}?`}`);
  };
  known(['class'], profile.class);
  if (profile.id.split('/')[0] !== profile.class) wrong(['id'], `begins with another class than ${profile.class}`);
  if (/^[^/]+\/[^/]+\.yaml$/.test(file) && file !== `${profile.id}.yaml`)
    wrong(['id'], `does not fit the name of the file: expected ${file.slice(0, -5)}`);
  profile.match.forEach((rule, index) => {
    const at = ['match', index] as const;
    checkRule(rule, at, wrong, known);
  });
  if (!profile.match.some((rule) => rule.weight > 0)) wrong(['match'], 'no rule speaks for the profile');
  profile.behaviour?.forEach((behaviour, index) =>
    behaviour.peers?.forEach((peer, p) => {
      if (!['local', 'vendor', 'internet'].includes(peer)) known(['behaviour', index, 'peers', p], peer);
    }),
  );
  for (const part of ['match', 'near_miss'] as const)
    profile.tests[part].forEach((sign, index) => {
      const kinds = ['source', 'serves', 'uses', 'client', 'server'].filter((key) => key in sign);
      if (kinds.length !== 1) wrong(['tests', part, index], 'expected one of source, serves, uses, client, server');
      if ((sign.source === undefined) !== (sign.value === undefined))
        wrong(['tests', part, index], 'source and value belong together');
      if (sign.source === 'name' || sign.source === 'text')
        wrong(['tests', part, index], `${sign.source} stands for several sources; name one of them`);
    });
  return problems.length > 0 ? { problems } : { profile, problems };
}

function checkRule(
  rule: RuleSpec,
  at: readonly (string | number)[],
  wrong: (path: readonly (string | number)[], what: string) => void,
  known: (path: readonly (string | number)[], id: string) => void,
): void {
  const condition = (spec: ConditionSpec, path: readonly (string | number)[]): void => {
    const kinds = (['source', 'serves', 'uses', 'client', 'server'] as const).filter((key) => spec[key] !== undefined);
    if (kinds.length !== 1) wrong(path, 'expected one of source, serves, uses, client, server (or all)');
    const texts = (spec.glob?.length ?? 0) + (spec.words?.length ?? 0);
    if (spec.source !== undefined && texts === 0) wrong(path, 'a source needs glob or words');
    if (spec.source === undefined && texts > 0) wrong(path, 'glob and words belong to a source');
    if (spec.source !== undefined && spec.peers !== undefined)
      wrong(path, 'peers belong to serves, uses, client, server');
    if (spec.client !== undefined) known([...path, 'client'], spec.client);
    if (spec.server !== undefined) known([...path, 'server'], spec.server);
    spec.glob?.forEach((text, i) => {
      try {
        compilePattern(text);
      } catch (error) {
        wrong([...path, 'glob', i], describeError(error));
      }
    });
    spec.words?.forEach((text, i) => {
      try {
        compileWords(text);
      } catch (error) {
        wrong([...path, 'words', i], describeError(error));
      }
    });
  };
  if (rule.weight === 0) wrong([...at, 'weight'], 'a rule without weight says nothing');
  if (rule.all === undefined) condition(rule, at);
  else {
    const others = ['source', 'serves', 'uses', 'client', 'server', 'glob', 'words'].filter((key) => key in rule);
    if (others.length > 0) wrong(at, `${others.join(', ')} cannot stand beside all`);
    rule.all.forEach((part, i) => condition(part, [...at, 'all', i]));
  }
}

/** profiles/vendors.json. */
export function loadVendors(file: string = join(PROFILES_DIR, 'vendors.json')): VendorsSpec {
  return loadWhole<VendorsSpec>(file, vendorsSchema);
}

/** profiles/platforms.yaml. */
export function loadPlatforms(file: string = join(PROFILES_DIR, 'platforms.yaml')): PlatformsSpec {
  return loadWhole<PlatformsSpec>(file, platformsSchema);
}

function loadWhole<T>(file: string, schema: TSchema): T {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new WardwatchError(
      'WW_PROFILE',
      `${file} cannot be read: ${describeError(error)}`,
      'install Wardwatch again',
      {
        cause: error,
      },
    );
  }
  const { value, problems } = parse<T>(text, file, schema);
  const first = problems[0];
  if (value === undefined)
    throw new WardwatchError(
      'WW_PROFILE',
      `${file}${first === undefined ? '' : `:${first.line}: ${first.text}`}`,
      'put the file right, or install Wardwatch again',
    );
  return value;
}

interface Parsed<T> {
  value?: T;
  problems: ProfileProblem[];
  lineOf(path: readonly (string | number)[]): number;
}

function parse<T>(text: string, file: string, schema: TSchema): Parsed<T> {
  const counter = new LineCounter();
  // No aliases: a profile has no use for them, and they multiply what a small file can grow into.
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  const lineOf = (path: readonly (string | number)[]): number => lineIn(document, counter, path);
  if (document.errors.length > 0)
    return {
      problems: document.errors.map((error) => ({
        file,
        line: counter.linePos(error.pos[0]).line,
        text: `is no YAML: ${tame(error.message)}`,
      })),
      lineOf,
    };
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    return { problems: [{ file, line: 0, text: `aliases are not allowed: ${describeError(error)}` }], lineOf };
  }
  const problems: ProfileProblem[] = [];
  for (const error of Value.Errors(schema, value)) {
    // Told again, with the name, by additionalProperties of the object around it.
    if (error.keyword === 'boolean') continue;
    const path = pointer(error.instancePath);
    const params = error.params as { additionalProperties?: string[]; allowedValues?: unknown[] };
    const names = params.additionalProperties;
    if (names !== undefined)
      for (const name of names) {
        const siblings = propertiesAt(schema, path);
        const meant = nearest(name, siblings);
        problems.push({
          file,
          line: lineOf([...path, name]),
          text: `${pathText([...path, name])}: is not known${meant === undefined ? '' : `; did you mean ${meant}?`}`,
        });
      }
    else {
      const allowed = params.allowedValues?.map(String) ?? [];
      const given: unknown = document.getIn(path);
      const meant = typeof given === 'string' ? nearest(given, allowed) : undefined;
      const choice =
        meant !== undefined
          ? `; did you mean ${meant}?`
          : allowed.length > 12
            ? ', listed in docs/reference/profiles.md'
            : allowed.length > 0
              ? `: ${allowed.join(', ')}`
              : '';
      problems.push({ file, line: lineOf(path), text: `${pathText(path)}: ${error.message}${choice}` });
    }
  }
  return problems.length > 0 ? { problems, lineOf } : { value: value as T, problems, lineOf };
}

function pointer(text: string): (string | number)[] {
  return text
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function pathText(path: readonly (string | number)[]): string {
  if (path.length === 0) return 'the file';
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${tame(part, 60)}`))
    .join('');
}

function propertiesAt(schema: TSchema, path: readonly (string | number)[]): string[] {
  let at = schema as { properties?: Record<string, TSchema>; items?: TSchema };
  for (const part of path) {
    const next = typeof part === 'number' ? at.items : at.properties?.[part];
    if (next === undefined) return [];
    at = next;
  }
  return Object.keys(at.properties ?? {});
}

function lineIn(document: Document, counter: LineCounter, path: readonly (string | number)[]): number {
  let node: unknown = document.contents;
  let line = 1;
  for (const part of path) {
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === part);
      if (pair !== undefined && isScalar(pair.key) && pair.key.range) line = counter.linePos(pair.key.range[0]).line;
      next = pair?.value;
    } else if (isSeq(node) && typeof part === 'number') {
      next = node.items[part];
      if (isNode(next) && next.range) line = counter.linePos(next.range[0]).line;
    }
    if (next === undefined || next === null) break;
    node = next;
  }
  return line;
}
