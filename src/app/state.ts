import { dirname, join } from 'node:path';
import type { Config } from '../config/index.ts';
import type { Reporter } from '../kernel/component.ts';
import { createFolderStore } from '../state/folder.ts';
import { createStateKeeper } from '../state/keeper.ts';
import type { StateKeeper } from '../state/keeper.ts';
import { readStateKeys } from '../state/seal.ts';
import { noStore } from '../state/store.ts';

/** The folder in which state lies where nothing is said: beside the data. */
export function stateFolder(config: Config): string {
  const data = config.store.mode === 'embedded' ? dirname(config.store.path) : 'data';
  return config.state.dir ?? join(data, 'state');
}

/** @throws WardwatchError WW_CONFIG where the keys cannot be read */
export async function createKeeper(config: Config, reporter: Reporter): Promise<StateKeeper> {
  const keys = await readStateKeys(config.state.key_file, process.env);
  const store = config.state.enabled ? createFolderStore(stateFolder(config)) : noStore;
  return createStateKeeper(store, { keys, reporter });
}
