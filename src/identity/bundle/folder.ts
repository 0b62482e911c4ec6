import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { KeyObject } from 'node:crypto';
import { WardwatchError, describeError } from '../../kernel/errors.ts';
import { MAX_BUNDLE, keyId, openBundle, readKey } from './archive.ts';
import type { BundleManifest, OpenBundle } from './archive.ts';

/**
 * The folder of bundles: `keys/<name>.pem` whose signatures are trusted, `bundles/<version>-<created>/` with what was
 * imported, and `current.json`, which names the one in use and those before it. Only the renaming of that file makes
 * another bundle the one in use.
 */
interface Current {
  /** Folders under `bundles`, the one in use first. Empty: what comes with Wardwatch. */
  readonly history: readonly string[];
}

/** A bundle that was imported. */
export interface KeptBundle {
  readonly id: string;
  readonly manifest: BundleManifest;
  readonly isActive: boolean;
}

const FOLDER = /^\d{1,16}-\d{14}$/;
const MAX_HISTORY = 16;

function readCurrent(dir: string): Current {
  let text: string;
  try {
    text = readFileSync(join(dir, 'current.json'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { history: [] };
    throw new WardwatchError('WW_BUNDLE', `${dir}: ${describeError(error)}`, 'check the path and its rights', {
      cause: error,
    });
  }
  try {
    const { history } = JSON.parse(text) as { history: unknown };
    if (Array.isArray(history) && history.every((id): id is string => typeof id === 'string' && FOLDER.test(id)))
      return { history };
  } catch {
    // Said below.
  }
  throw new WardwatchError(
    'WW_BUNDLE',
    `${join(dir, 'current.json')} is damaged`,
    'remove it to use what comes with Wardwatch, then import the bundle again',
  );
}

function writeCurrent(dir: string, current: Current): void {
  writeSafely(join(dir, '.current.tmp'), Buffer.from(JSON.stringify(current)));
  renameSync(join(dir, '.current.tmp'), join(dir, 'current.json'));
}

function writeSafely(file: string, bytes: Uint8Array): void {
  const fd = openSync(file, 'w', 0o640);
  try {
    writeFileSync(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Folder of the bundle in use; undefined where there is none.
 * @throws {WardwatchError} `WW_BUNDLE` where the folder says one is in use that is not there
 */
export function activeBundle(dir: string): string | undefined {
  const id = readCurrent(dir).history[0];
  if (id === undefined) return undefined;
  const path = join(dir, 'bundles', id);
  if (!existsSync(join(path, 'manifest.json')))
    throw new WardwatchError(
      'WW_BUNDLE',
      `${path} is not there`,
      'import the bundle again, or `wardwatch bundle rollback`',
    );
  return path;
}

/** Public keys that a site trusts: `keys/*.pem`, by id. */
export function trustedKeys(dir: string): Map<string, KeyObject> {
  const keys = new Map<string, KeyObject>();
  const folder = join(dir, 'keys');
  if (!existsSync(folder)) return keys;
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith('.pem'))
    .sort()) {
    const file = join(folder, name);
    const key = readKey(readFileSync(file, 'utf8'), 'public', file);
    keys.set(keyId(key), key);
  }
  return keys;
}

/**
 * Reads and verifies a bundle.
 * @throws {WardwatchError} `WW_BUNDLE`, `WW_INPUT_MISSING`
 */
export function verifyBundle(file: string, keys: ReadonlyMap<string, KeyObject>): OpenBundle {
  let bytes: Uint8Array;
  try {
    if (statSync(file).size > MAX_BUNDLE) throw new Error(`is longer than ${MAX_BUNDLE} bytes`);
    bytes = readFileSync(file);
  } catch (error) {
    throw new WardwatchError('WW_INPUT_MISSING', `${file} cannot be read: ${describeError(error)}`, 'check the path', {
      cause: error,
    });
  }
  return openBundle(bytes, keys, file);
}

/**
 * Imports a bundle and makes it the one in use. Whatever fails on the way leaves the one before in use.
 * @param check is given the folder before it is used, and throws where it is not fit for use
 * @throws {WardwatchError} `WW_BUNDLE`: see {@link openBundle}; an older version than the one in use
 */
export function importBundle(
  dir: string,
  file: string,
  check: (folder: string) => void,
  allowOlder = false,
): BundleManifest {
  const { manifest, files } = verifyBundle(file, trustedKeys(dir));
  const current = readCurrent(dir);
  const before = current.history[0];
  const inUse = before === undefined ? undefined : manifestOf(dir, before);
  if (!allowOlder && inUse !== undefined && manifest.version < inUse.version)
    throw new WardwatchError(
      'WW_BUNDLE',
      `version ${manifest.version} is older than ${inUse.version}, which is in use`,
      'an old bundle may bring back what was mended; say --allow-older if that is meant',
    );
  const id = `${manifest.version}-${manifest.created.replace(/\D/g, '')}`;
  const incoming = join(dir, 'bundles', `.incoming-${process.pid}`);
  rmSync(incoming, { recursive: true, force: true });
  try {
    for (const entry of files) {
      const path = join(incoming, entry.name);
      mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
      writeSafely(path, entry.bytes);
    }
    writeSafely(join(incoming, 'manifest.json'), Buffer.from(JSON.stringify(manifest)));
    check(incoming);
    const target = join(dir, 'bundles', id);
    if (before !== id) {
      rmSync(target, { recursive: true, force: true });
      renameSync(incoming, target);
    }
  } finally {
    rmSync(incoming, { recursive: true, force: true });
  }
  if (before !== id)
    writeCurrent(dir, { history: [id, ...current.history.filter((one) => one !== id)].slice(0, MAX_HISTORY) });
  return manifest;
}

/**
 * Goes back to the bundle before; from the first one to what comes with Wardwatch.
 * @returns the manifest of the one now in use, undefined where that is what comes with Wardwatch
 * @throws {WardwatchError} `WW_BUNDLE` where no bundle is in use
 */
export function rollBack(dir: string): BundleManifest | undefined {
  const [inUse, before, ...rest] = readCurrent(dir).history;
  if (inUse === undefined)
    throw new WardwatchError('WW_BUNDLE', `no bundle is in use in ${dir}`, 'see `wardwatch bundle list`');
  const manifest = before === undefined ? undefined : manifestOf(dir, before);
  writeCurrent(dir, { history: before === undefined ? [] : [before, ...rest] });
  return manifest;
}

/** What was imported, the newest version first. */
export function listBundles(dir: string): KeptBundle[] {
  const folder = join(dir, 'bundles');
  if (!existsSync(folder)) return [];
  const active = readCurrent(dir).history[0];
  return readdirSync(folder)
    .filter((id) => FOLDER.test(id))
    .map((id) => ({ id, manifest: manifestOf(dir, id), isActive: id === active }))
    .sort((a, b) => b.manifest.version - a.manifest.version || (a.id < b.id ? 1 : -1));
}

/** Verified when it was imported; the folder is as trusted as the program. */
function manifestOf(dir: string, id: string): BundleManifest {
  const file = join(dir, 'bundles', id, 'manifest.json');
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as BundleManifest;
  } catch (error) {
    throw new WardwatchError('WW_BUNDLE', `${file}: ${describeError(error)}`, 'import the bundle again', {
      cause: error,
    });
  }
}
