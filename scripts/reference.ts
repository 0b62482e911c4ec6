/**
 * Writes the reference pages that come from code: settings, metrics and observations.
 *
 *   node scripts/reference.ts
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Access } from '../src/access/index.ts';
import { buildApp } from '../src/api/app.ts';
import type { ApiDeps } from '../src/api/contract.ts';
import { configSchema, loadConfig } from '../src/config/index.ts';
import { dissectors } from '../src/decode/app/registry.ts';
import { describeShape, shapeOf } from '../src/config/shape.ts';
import type { Shape } from '../src/config/shape.ts';
import { openDatabase } from '../src/desk/database.ts';
import { silentReporter } from '../src/kernel/component.ts';
import { catalogue } from '../src/telemetry/catalogue.ts';
import { riskPage } from './risk-page.ts';
import { exposedName } from '../src/telemetry/index.ts';

const NOTICE = '<!-- Written by scripts/reference.ts; `npm run docs` writes it again. -->';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

interface Row {
  path: string;
  shape: Shape;
}

function leaves(shape: Shape, path: string): Row[] {
  const branches = shape.anyOf?.some((branch) => branch.type === 'object') ? shape.anyOf : [shape];
  return branches.flatMap((branch) => {
    if (branch.properties === undefined) return [{ path, shape: branch }];
    return Object.entries(branch.properties).flatMap(([name, part]) => leaves(part, `${path}.${name}`));
  });
}

function variable(path: string): string {
  return `WARDWATCH_${path.toUpperCase().replaceAll('.', '__')}`;
}

function defaultOf(shape: Shape): string {
  if (shape.default !== undefined) return `\`${JSON.stringify(shape.default)}\``;
  return shape.const === undefined ? 'none' : `\`${JSON.stringify(shape.const)}\``;
}

export function configurationReference(): string {
  const sections = Object.entries(shapeOf(configSchema).properties ?? {}).map(([name, section]) => {
    const rows = leaves(section, name).map(
      ({ path, shape }) =>
        `| \`${path}\` | ${cell(describeShape(shape))} | ${cell(defaultOf(shape))} | ${cell(shape.description ?? '')} |`,
    );
    return [
      `## ${name}`,
      '',
      ...(section.description === undefined ? [] : [`${section.description}.`, '']),
      '| setting | value | default | meaning |',
      '| --- | --- | --- | --- |',
      ...rows,
      '',
    ].join('\n');
  });
  const example = 'api.port';
  return [
    NOTICE,
    '',
    '# Configuration',
    '',
    'One YAML file: `--config FILE`, else the file that `WARDWATCH_CONFIG` names, else `wardwatch.yaml` in the',
    'working folder, else the defaults alone. `wardwatch config check` finds everything that is wrong at once,',
    '`wardwatch config check --print` shows what is in force.',
    '',
    `Every setting can be overridden by a variable: \`__\` goes one level down, so \`${variable(example)}\` is \`${example}\`.`,
    'Case and single underscores do not count. Lists are written with commas.',
    '',
    ...sections,
  ].join('\n');
}

export function metricsReference(): string {
  return [
    NOTICE,
    '',
    '# Metrics',
    '',
    'Served for Prometheus at `/metrics`, beside `wardwatch_process_…` and `wardwatch_nodejs_…` about the process.',
    '',
    '| name | type | labels | meaning |',
    '| --- | --- | --- | --- |',
    ...catalogue.map(
      (metric) =>
        `| \`${exposedName(metric)}\` | ${metric.kind} | ${metric.labels.map((label) => `\`${label}\``).join(', ')} | ${cell(metric.help)} |`,
    ),
    '',
  ].join('\n');
}

export function observationsReference(): string {
  const protocols = dissectors
    .map((d) => ({ name: d.name, kinds: d.observations }))
    .filter((p) => p.kinds.length > 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    NOTICE,
    '',
    '# Observations',
    '',
    'What is said of an application message: the lines of `observations.ndjson`, after `ts`, `flow_uid`, `device`,',
    '`protocol` and `kind` (see [replay](replay.md)). A field that a message does not have is left out.',
    '',
    '`text` is a word of a machine (a name, a version), never of a patient. `token` is a keyed hash: two are equal',
    'where the identifiers are, and nothing else can be told from it. `number` is countable.',
    '',
    ...protocols.flatMap(({ name, kinds }) => [
      `## ${name}`,
      '',
      ...kinds.flatMap((kind) => [
        `### ${kind.kind}`,
        '',
        kind.doc,
        '',
        ...(kind.fields.length === 0 ? ['It has no fields.', ''] : []),
        ...(kind.fields.length === 0 ? [] : ['| field | type | meaning |', '| --- | --- | --- |']),
        ...kind.fields.map((field) => `| \`${field.name}\` | ${field.type} | ${cell(field.doc)} |`),
        '',
      ]),
    ]),
  ].join('\n');
}

/** Every route of the API with the least role that it serves, as the running program has them. */
export async function accessReference(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'wardwatch-reference-'));
  const desk = openDatabase(join(folder, 'desk.sqlite'));
  const { api, access } = loadConfig({ env: {} }).config;
  // Only what the routes are registered with: none of them is asked for anything.
  const deps = {
    store: {},
    assets: {},
    merges: {},
    triage: {},
    access: new Access(access, { desk }),
    reporter: silentReporter,
    version: '',
    consoleDir: folder,
    subscribe: () => () => {},
  } as unknown as ApiDeps;
  const app = await buildApp(api, deps);
  const rules = app.routeRules().filter(({ method }) => method !== 'HEAD');
  await app.close();
  desk.close();
  rmSync(folder, { recursive: true });
  return [
    NOTICE,
    '',
    '# Routes and roles',
    '',
    'The least role that each route serves; a role may do all that those before it may: viewer, analyst, engineer, admin.',
    '`public` asks for no sign-in. What stands under audit is the act that the audit log names. How people sign in and',
    'what they see: [people and access](../how-to/people-and-access.md).',
    '',
    '| method | route | role | audit |',
    '| --- | --- | --- | --- |',
    ...rules.map(
      ({ method, url, access: { role, audit } }) =>
        `| \`${method}\` | \`${url}\` | ${role} | ${audit === undefined ? '' : `\`${audit}\``} |`,
    ),
    '',
  ].join('\n');
}

/** Pages by their path in the repository. */
export const pages: Record<string, () => string | Promise<string>> = {
  'docs/explanation/risk.md': () => riskPage(NOTICE),
  'docs/reference/access.md': accessReference,
  'docs/reference/configuration.md': configurationReference,
  'docs/reference/metrics.md': metricsReference,
  'docs/reference/observations.md': observationsReference,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, write] of Object.entries(pages)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, await write());
  }
}
