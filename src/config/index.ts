import { readFileSync, statSync } from 'node:fs';
import type { TSchema } from 'typebox';
import { parseDocument, stringify } from 'yaml';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { check, isSection } from './check.ts';
import type { Problem } from './check.ts';
import { overlayEnvironment } from './environment.ts';
import { configSchema } from './schema.ts';
import type { Config } from './schema.ts';
import { isSecret, shapeOf } from './shape.ts';
import type { Shape } from './shape.ts';

export { configSchema } from './schema.ts';
export type { Config } from './schema.ts';

/** Larger files are no configuration. */
const MAX_FILE_BYTES = 1 << 20;
const DEFAULT_FILE = 'wardwatch.yaml';
const MASK = '********';

export interface LoadOptions {
  /** YAML file; without it `WARDWATCH_CONFIG`, then `wardwatch.yaml` in the working folder, then defaults alone. */
  file?: string | undefined;
  env?: Readonly<Record<string, string | undefined>>;
}

export interface LoadedConfig {
  config: Config;
  /** The file that was read, undefined where there was none. */
  file: string | undefined;
}

/** Reads file and environment, fills defaults in, and fails with every problem at once. */
export function loadConfig(options: LoadOptions = {}): LoadedConfig {
  const { value, file } = loadWith(configSchema, options);
  return { config: value as Config, file };
}

/** The same for any schema: for components and site extensions that bring a file of their own. */
export function loadWith(schema: TSchema, options: LoadOptions = {}): { value: unknown; file: string | undefined } {
  const env = options.env ?? process.env;
  const file = options.file ?? env['WARDWATCH_CONFIG'] ?? (exists(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  const input = file === undefined ? {} : readYaml(file);
  const shape = shapeOf(schema);
  const problems = overlayEnvironment(shape, input, env);
  problems.push(...readSecretFiles(shape, input, ''));
  const checked = check(schema, input);
  problems.push(...checked.problems);
  if (problems.length > 0) throw problemsError(file, problems);
  return { value: checked.value, file };
}

function problemsError(file: string | undefined, problems: Problem[]): WardwatchError {
  const lines = problems.map((problem) => `${problem.path || '(top level)'}: ${problem.text}`);
  const where = file ?? 'the environment';
  return new WardwatchError(
    'WW_CONFIG',
    lines.length === 1
      ? `${where}: ${lines[0]!}`
      : `${where}: ${lines.length} settings are not right\n${lines.map((line) => `  ${line}`).join('\n')}`,
    'every setting with its default: docs/reference/configuration.md, or `wardwatch config check --print`',
  );
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function readYaml(file: string): Record<string, unknown> {
  let text: string;
  try {
    if (statSync(file).size > MAX_FILE_BYTES) throw new Error('larger than 1 MiB');
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const reason = describeError(cause);
    throw new WardwatchError('WW_CONFIG', `cannot read ${file}: ${reason}`, 'give a YAML file with --config', {
      cause,
    });
  }
  const document = parseDocument(text, { uniqueKeys: true });
  const errors = document.errors.map((error) => error.message.split('\n')[0]!.replace(/:$/, ''));
  if (errors.length > 0) {
    throw new WardwatchError('WW_CONFIG', `${file}: ${errors.join('; ')}`, 'correct the YAML at that line');
  }
  let value: unknown;
  try {
    // Few aliases are of use in a configuration, many are a bomb.
    value = document.toJS({ maxAliasCount: 50 });
  } catch (cause) {
    throw new WardwatchError('WW_CONFIG', `${file}: ${describeError(cause)}`, 'write the values out', { cause });
  }
  if (value === null || value === undefined) return {};
  if (!isSection(value)) {
    throw new WardwatchError(
      'WW_CONFIG',
      `${file}: the top level is not a section`,
      'write `section:` lines, as in docs/reference/configuration.md',
    );
  }
  return value;
}

/** Puts the content of `<name>_file` where a secret `<name>` stands in the schema. */
function readSecretFiles(shape: Shape, input: Record<string, unknown>, path: string): Problem[] {
  const problems: Problem[] = [];
  for (const branch of [shape, ...(shape.anyOf ?? [])]) {
    const properties = branch.properties ?? {};
    for (const [name, part] of Object.entries(properties)) {
      const inner = input[name];
      const here = path === '' ? name : `${path}.${name}`;
      if (isSection(inner)) problems.push(...readSecretFiles(part, inner, here));
      const key = `${name}_file`;
      const file = input[key];
      if (!isSecret(name, part) || Object.hasOwn(properties, key) || typeof file !== 'string') continue;
      Reflect.deleteProperty(input, key);
      try {
        input[name] = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      } catch (error) {
        problems.push({ path: `${here}_file`, text: `cannot be read: ${describeError(error)}` });
      }
    }
  }
  return problems;
}

/** The configuration as it is in force, as YAML, with secrets masked. */
export function printConfig(config: Config): string {
  return stringify(mask(shapeOf(configSchema), config, ''));
}

function mask(shape: Shape, value: unknown, name: string): unknown {
  if (isSecret(name, shape) && value !== '') return MASK;
  if (Array.isArray(value)) return value.map((item) => mask(shape.items ?? {}, item, name));
  if (!isSection(value)) return value;
  const parts = Object.assign(
    {},
    ...(shape.anyOf ?? []).map((branch) => branch.properties),
    shape.properties,
  ) as Record<string, Shape>;
  const free = Object.values(shape.patternProperties ?? {})[0] ?? {};
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mask(parts[key] ?? free, item, key)]));
}
