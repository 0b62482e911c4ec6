import { randomBytes } from 'node:crypto';
import { mkdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config/index.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';

/**
 * Key of the hashes in which identifiers leave the decoder. Kept beside the data, so that hashes mean the
 * same after a restart; readable by its owner alone. Where several processes watch, each needs the same file.
 * @throws WardwatchError WW_CONFIG where the file is no key, WW_OUTPUT or WW_DISK_FULL where it cannot be made
 */
export async function tokenKey(config: Config): Promise<Uint8Array> {
  const folder = config.store.mode === 'embedded' ? dirname(config.store.path) : 'data';
  const path = join(folder, 'token.key');
  try {
    const key = await readFile(path);
    if (key.length === 16) return new Uint8Array(key);
    throw new WardwatchError('WW_CONFIG', `${path} is no token key of 16 bytes`, 'remove it: a new one is made');
  } catch (error) {
    if (error instanceof WardwatchError) throw error;
  }
  const key = randomBytes(16);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(path, key, { mode: 0o600 });
  } catch (error) {
    const space = await statfs(folder).catch(() => undefined);
    throw new WardwatchError(
      space !== undefined && space.bavail === 0 ? 'WW_DISK_FULL' : 'WW_OUTPUT',
      `${path} cannot be written: ${describeError(error)}`,
      'give the program a data folder that it may write (store.path)',
      { cause: error },
    );
  }
  return new Uint8Array(key);
}
