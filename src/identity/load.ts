import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { activeBundle } from './bundle/folder.ts';
import type { KnownClass } from './classes.ts';
import type { KnowledgeConfig } from './config.ts';
import { KEPT_DIR, keep } from './kept.ts';
import { Knowledge } from './knowledge.ts';
import { createOuiTable } from './oui.ts';
import type { OuiTable } from './oui.ts';
import type { PlatformsSpec, ProfileSpec, VendorsSpec } from './profile-schema.ts';
import { profileSchema } from './profile-schema.ts';
import { PROFILES_DIR, loadPlatforms, loadProfiles, loadVendors } from './profiles.ts';
import type { ProfileProblem } from './profiles.ts';
import { readTypes } from './types/file.ts';
import { createVendors } from './vendors.ts';

/** Everything declared in one folder, checked. */
interface Declared {
  readonly profiles: readonly ProfileSpec[];
  readonly problems: readonly ProfileProblem[];
  readonly platforms: PlatformsSpec;
  readonly vendors: VendorsSpec;
}

/** What is known of devices by declaration and learning, and makers by MAC address. */
export interface OpenKnowledge {
  readonly knowledge: Knowledge;
  readonly oui: OuiTable;
}

/**
 * Brings together what comes with Wardwatch or the bundle in use, and the site's own profiles, makers and types.
 * Profiles that are not right are told of and left out, and never keep the others out.
 * @throws {WardwatchError} where a folder or file that the configuration names cannot be read
 */
export function openKnowledge(
  config: KnowledgeConfig,
  classes: ReadonlyMap<string, KnownClass>,
  onProblem: (problem: ProfileProblem) => void = () => undefined,
): OpenKnowledge {
  const bundle = config.bundle_dir === '' ? undefined : activeBundle(config.bundle_dir);
  const declared =
    bundle === undefined ? loadDeclared(PROFILES_DIR, classes) : loadDeclared(join(bundle, 'profiles'), classes);
  declared.problems.forEach(onProblem);
  let { profiles } = declared;
  if (config.profiles_dir !== '') {
    const own = loadProfiles(new Set(classes.keys()), config.profiles_dir);
    for (const problem of own.problems) onProblem({ ...problem, file: join(config.profiles_dir, problem.file) });
    const ids = new Set(own.profiles.map((profile) => profile.id));
    profiles = [...profiles.filter((profile) => !ids.has(profile.id)), ...own.profiles];
  }
  const types = config.types_file !== '' ? config.types_file : bundle === undefined ? '' : join(bundle, 'types.json');
  return {
    knowledge: new Knowledge(
      profiles,
      declared.platforms,
      createVendors(declared.vendors),
      classes,
      readTypes(types, config.types_file !== ''),
    ),
    oui: createOuiTable(config.oui_file !== '' ? config.oui_file : bundle === undefined ? '' : join(bundle, 'oui.txt')),
  };
}

/** The knowledge that comes with Wardwatch. */
export function loadKnowledge(
  classes: ReadonlyMap<string, KnownClass>,
  onProblem?: (problem: ProfileProblem) => void,
): Knowledge {
  const none = { bundle_dir: '', profiles_dir: '', oui_file: '', types_file: '' };
  return openKnowledge(none, classes, onProblem).knowledge;
}

/**
 * Reading some 150 files of YAML and checking each costs more than all else at the start: what came out is kept
 * under a hash of the files, of the classes and of the schema.
 */
function loadDeclared(dir: string, classes: ReadonlyMap<string, KnownClass>): Declared {
  const key = `declared ${hashOf(dir, classes)}`;
  const make = (): string =>
    JSON.stringify({
      ...loadProfiles(new Set(classes.keys()), dir),
      platforms: loadPlatforms(join(dir, 'platforms.yaml')),
      vendors: loadVendors(join(dir, 'vendors.json')),
    } satisfies Declared);
  const file = join(KEPT_DIR, `declared-${key.slice(-16)}.json`);
  return JSON.parse(packed(dir, key) ?? keep(file, key, make)) as Declared;
}

/** Beside the profiles of a built package lies what was made of them. */
function packed(dir: string, key: string): string | undefined {
  try {
    const text = readFileSync(join(dir, PACK), 'utf8');
    return text.startsWith(`${key}\n`) ? text.slice(key.length + 1) : undefined;
  } catch {
    return undefined;
  }
}

const PACK = 'pack.json';

/** Writes what {@link loadDeclared} makes of a folder into it, for a package or a bundle. */
export function packProfiles(dir: string, classes: ReadonlyMap<string, KnownClass>): void {
  keep(join(dir, PACK), `declared ${hashOf(dir, classes)}`, () => JSON.stringify(loadDeclared(dir, classes)));
}

function hashOf(dir: string, classes: ReadonlyMap<string, KnownClass>): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([...classes.keys()]))
    .update(JSON.stringify(profileSchema));
  for (const name of readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort())
    if (name.endsWith('.yaml') || name.endsWith('vendors.json')) {
      hash.update(`\n${name.replaceAll('\\', '/')}\n`);
      hash.update(readFileSync(join(dir, name)));
    }
  return hash.digest('hex');
}
