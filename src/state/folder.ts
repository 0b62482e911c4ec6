import { mkdir, open, readFile, readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import type { StateStore } from './store.ts';

const PARTIAL = '.partial';

/**
 * State in a folder, a folder a scope. A blob appears under its name only when all of it is on the disk:
 * written under another name, synced, renamed, and the folder synced.
 */
export function createFolderStore(path: string): StateStore {
  const made = new Set<string>();

  async function folderOf(scope: string): Promise<string> {
    const folder = join(path, scope);
    if (!made.has(scope)) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      made.add(scope);
    }
    return folder;
  }

  async function failed(what: string, error: unknown): Promise<WardwatchError> {
    const space = await statfs(path).catch(() => undefined);
    const full = (space !== undefined && space.bavail === 0) || (error as { code?: unknown }).code === 'ENOSPC';
    return new WardwatchError(
      full ? 'WW_DISK_FULL' : 'WW_OUTPUT',
      `state cannot be ${what}: ${describeError(error)}`,
      full ? 'make room, or set state.dir to a larger disk' : 'give state.dir a folder that the program may write',
      { cause: error },
    );
  }

  return {
    where: path,

    async list(scope) {
      try {
        const names = await readdir(await folderOf(scope));
        return names.filter((name) => !name.endsWith(PARTIAL));
      } catch (error) {
        throw await failed('listed', error);
      }
    },

    async read(scope, name) {
      try {
        return await readFile(join(path, scope, name));
      } catch (error) {
        if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
        throw await failed('read', error);
      }
    },

    async write(scope, name, blob) {
      try {
        const folder = await folderOf(scope);
        const partial = join(folder, name + PARTIAL);
        const file = await open(partial, 'w', 0o600);
        try {
          await file.writeFile(blob);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(partial, join(folder, name));
        const directory = await open(folder, 'r');
        try {
          await directory.sync();
        } finally {
          await directory.close();
        }
      } catch (error) {
        throw await failed('written', error);
      }
    },

    async remove(scope, names) {
      for (const name of names) await rm(join(path, scope, name), { force: true });
    },
  };
}
