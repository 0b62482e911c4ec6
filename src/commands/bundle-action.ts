import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../config/index.ts';
import { keyId, packBundle, readKey } from '../identity/bundle/archive.ts';
import type { BundleFile, BundleManifest } from '../identity/bundle/archive.ts';
import { importBundle, listBundles, rollBack, trustedKeys, verifyBundle } from '../identity/bundle/folder.ts';
import { loadClasses } from '../identity/classes.ts';
import { packProfiles } from '../identity/load.ts';
import { ouiText, shippedOui } from '../identity/oui.ts';
import { PROFILES_DIR, loadPlatforms, loadProfiles, loadVendors } from '../identity/profiles.ts';
import { readTypes } from '../identity/types/file.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import type { CreateOptions, FolderOptions } from './bundle.ts';

const TOP = ['vendors.json', 'platforms.yaml'];

export function createBundle(file: string, options: CreateOptions): void {
  const dir = options.profiles ?? PROFILES_DIR;
  const profiles = checkFolder(dir);
  const files: BundleFile[] = [
    ...TOP.map((name) => ({ name: `profiles/${name}`, bytes: read(join(dir, name)) })),
    ...readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .map((name) => name.replaceAll('\\', '/'))
      .filter((name) => /^[^/]+\/[^/]+\.yaml$/.test(name))
      .map((name) => ({ name: `profiles/${name}`, bytes: read(join(dir, name)) })),
    { name: 'oui.txt', bytes: Buffer.from(options.oui === undefined ? shippedOui() : ouiText(options.oui)) },
  ];
  const types = readTypes(options.types ?? '');
  if (options.types !== undefined) files.push({ name: 'types.json', bytes: read(options.types) });
  const key = readKey(read(options.key).toString('utf8'), 'private', options.key);
  const bytes = packBundle(
    files,
    {
      version: options.version,
      created: options.created,
      contents: {
        profiles: `${profiles} profiles`,
        oui: options.oui === undefined ? 'makers that came with Wardwatch' : 'makers of a file of the IEEE',
        ...(types === undefined ? {} : { types: `${types.types.length} learned types` }),
      },
    },
    key,
  );
  try {
    writeFileSync(file, bytes);
  } catch (error) {
    throw new WardwatchError('WW_OUTPUT', `${file} cannot be written: ${describeError(error)}`, 'check the path', {
      cause: error,
    });
  }
  process.stdout.write(`${file}: version ${options.version}, ${files.length} files, ${bytes.length} bytes\n`);
}

export function showBundle(file: string, options: FolderOptions): void {
  const keys =
    options.key === undefined
      ? trustedKeys(folderOf(options))
      : new Map(
          options.key.map((path) => {
            const key = readKey(read(path).toString('utf8'), 'public', path);
            return [keyId(key), key];
          }),
        );
  const { manifest } = verifyBundle(file, keys);
  process.stdout.write(`${describe(manifest)}\nsigned by key ${manifest.key_id}, which is trusted\n`);
}

export function useBundle(file: string, options: FolderOptions): void {
  const manifest = importBundle(
    folderOf(options),
    file,
    (folder) => {
      checkFolder(join(folder, 'profiles'));
      readTypes(join(folder, 'types.json'), false);
      ouiText(join(folder, 'oui.txt'));
      packProfiles(join(folder, 'profiles'), loadClasses());
    },
    options.allowOlder === true,
  );
  process.stdout.write(`${describe(manifest)}\nin use from the next start on\n`);
}

export function goBack(options: FolderOptions): void {
  const manifest = rollBack(folderOf(options));
  process.stdout.write(
    `${manifest === undefined ? 'what comes with Wardwatch' : describe(manifest)}\nin use from the next start on\n`,
  );
}

export function showBundles(options: FolderOptions): void {
  for (const { manifest, isActive } of listBundles(folderOf(options)))
    process.stdout.write(`${isActive ? '*' : ' '} ${describe(manifest)}\n`);
}

/** All of a folder's knowledge is read once before it is given to others: nobody wants to find out at a start. */
function checkFolder(dir: string): number {
  const { profiles, problems } = loadProfiles(new Set(loadClasses().keys()), dir);
  const first = problems[0];
  if (first !== undefined)
    throw new WardwatchError(
      'WW_PROFILE',
      `${join(dir, first.file)}:${first.line}: ${first.text}`,
      'put it right; `wardwatch profiles check` shows every problem',
    );
  loadVendors(join(dir, 'vendors.json'));
  loadPlatforms(join(dir, 'platforms.yaml'));
  return profiles.length;
}

function describe(manifest: BundleManifest): string {
  const contents = Object.values(manifest.contents).join(', ');
  return `version ${manifest.version} of ${manifest.created}: ${contents}`;
}

function folderOf(options: FolderOptions): string {
  const dir = options.dir ?? loadConfig({ file: options.config }).config.hotPath.identity.knowledge.bundle_dir;
  if (dir !== '') return dir;
  throw new WardwatchError(
    'WW_USAGE',
    'there is no folder of bundles',
    'give one with --dir, or set hotPath.identity.knowledge.bundle_dir',
  );
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new WardwatchError('WW_INPUT_MISSING', `${file} cannot be read: ${describeError(error)}`, 'check the path', {
      cause: error,
    });
  }
}
