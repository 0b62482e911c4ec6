import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describeError, WardwatchError } from '../kernel/errors.ts';
import type { DetectConfig } from './config.ts';
import type { DetectorDefinition } from './sdk.ts';

export interface LoadedDetector {
  readonly definition: DetectorDefinition;
  readonly params: Readonly<Record<string, number | boolean | string>>;
  /** `built-in`, or the folder it was found in. */
  readonly origin: string;
}

/** A detector that could not be loaded: reported, the others go on. */
export interface RejectedDetector {
  readonly id: string;
  readonly origin: string;
  readonly reason: string;
}

export interface DetectorSet {
  readonly loaded: readonly LoadedDetector[];
  readonly rejected: readonly RejectedDetector[];
}

const BUILT_IN = new URL('../../detectors/', import.meta.url);
const ID = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/**
 * Loads the detectors of the product and those of the site's own folder. A folder without an index.ts is no
 * detector; a broken one is rejected with its reason. Wrong parameters in the configuration are an error of
 * the configuration and stop the program before it has begun.
 */
export async function loadDetectors(config: DetectConfig): Promise<DetectorSet> {
  const loaded: LoadedDetector[] = [];
  const rejected: RejectedDetector[] = [];
  const folders: { url: string; id: string; origin: string }[] = [];
  const root = fileURLToPath(BUILT_IN);
  for (const id of await subfolders(root)) {
    const url = await indexOf(join(root, id));
    if (url !== undefined) folders.push({ url, id, origin: 'built-in' });
  }
  if (config.folder !== '') {
    const site = resolve(config.folder);
    const names = await subfolders(site).catch((error: unknown) => {
      throw new WardwatchError(
        'WW_CONFIG',
        `detection.folder ${config.folder} cannot be read: ${describeError(error)}`,
        'Name an existing folder, or leave detection.folder empty.',
      );
    });
    for (const id of names) {
      const url = await indexOf(join(site, id));
      if (url !== undefined) folders.push({ url, id, origin: join(config.folder, id) });
    }
  }
  for (const folder of folders) {
    if (config.disabled.includes(folder.id)) continue;
    try {
      const module = (await import(folder.url)) as { default?: unknown };
      const definition = module.default;
      const problem = problemOf(definition, folder.id);
      if (problem !== undefined) {
        rejected.push({ id: folder.id, origin: folder.origin, reason: problem });
        continue;
      }
      const known = definition as DetectorDefinition;
      if (loaded.some((d) => d.definition.id === known.id)) {
        rejected.push({ id: folder.id, origin: folder.origin, reason: `another detector has the id ${known.id}` });
        continue;
      }
      loaded.push({ definition: known, params: paramsOf(known, config), origin: folder.origin });
    } catch (error) {
      if (error instanceof WardwatchError) throw error;
      rejected.push({ id: folder.id, origin: folder.origin, reason: describeError(error) });
    }
  }
  const ids = new Set(loaded.map((d) => d.definition.id));
  for (const id of [...Object.keys(config.detectors), ...config.disabled]) {
    if (!ids.has(id) && !folders.some((f) => f.id === id))
      throw new WardwatchError(
        'WW_CONFIG',
        `detection names the detector '${id}', which does not exist`,
        `Known detectors: ${folders.map((f) => f.id).join(', ')}.`,
      );
  }
  return { loaded, rejected };
}

/** URL of the file that makes a folder a detector: TypeScript in a checkout and at a site, compiled in the package. */
async function indexOf(folder: string): Promise<string | undefined> {
  for (const file of ['index.ts', 'index.js']) {
    const path = join(folder, file);
    const found = await stat(path).then(
      (s) => s.isFile(),
      () => false,
    );
    if (found) return pathToFileURL(path).href;
  }
  return undefined;
}

async function subfolders(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries
    .filter((e) => e.isDirectory() && ID.test(e.name))
    .map((e) => e.name)
    .sort();
}

function problemOf(definition: unknown, folder: string): string | undefined {
  if (typeof definition !== 'object' || definition === null)
    return 'index has no default export made by defineDetector';
  const d = definition as Partial<DetectorDefinition>;
  if (d.id !== folder) return `its id is '${String(d.id)}', its folder '${folder}': they must be the same`;
  if (typeof d.create !== 'function') return 'it has no create function';
  if (typeof d.title !== 'string' || typeof d.summary !== 'string') return 'title and summary must be texts';
  if (!Array.isArray(d.techniques)) return 'techniques must be a list';
  if (typeof d.params !== 'object') return 'params must be an object';
  return undefined;
}

function paramsOf(definition: DetectorDefinition, config: DetectConfig): Record<string, number | boolean | string> {
  const values: Record<string, number | boolean | string> = {};
  const given = config.detectors[definition.id] ?? {};
  const specs = definition.params;
  for (const [name, spec] of Object.entries(specs)) values[name] = spec.default;
  for (const [name, value] of Object.entries(given)) {
    const spec = specs[name];
    const at = `detection.detectors.${definition.id}.${name}`;
    if (spec === undefined)
      throw new WardwatchError(
        'WW_CONFIG',
        `${at} is no parameter of this detector`,
        `It has: ${Object.keys(specs).join(', ') || 'none'}.`,
      );
    if (typeof value !== typeof spec.default)
      throw new WardwatchError(
        'WW_CONFIG',
        `${at} must be a ${typeof spec.default}`,
        `The default is ${String(spec.default)}.`,
      );
    if (
      typeof value === 'number' &&
      ((spec.min !== undefined && value < spec.min) || (spec.max !== undefined && value > spec.max))
    )
      throw new WardwatchError(
        'WW_CONFIG',
        `${at} is ${value}, outside ${spec.min ?? '-'} to ${spec.max ?? '-'}`,
        `The default is ${String(spec.default)}.`,
      );
    values[name] = value;
  }
  return values;
}
