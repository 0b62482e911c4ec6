import { dirname, join } from 'node:path';
import type { Config } from '../config/index.ts';
import type { Reporter } from '../kernel/component.ts';
import { createFolderStore } from '../state/folder.ts';
import { createStateKeeper } from '../state/keeper.ts';
import type { StateKeeper } from '../state/keeper.ts';
import { readStateKeys } from '../state/seal.ts';
import { noStore } from '../state/store.ts';
import type { StateStore } from '../state/store.ts';
import { createStateTable } from '../store/state-table.ts';
import { WardwatchError } from '../kernel/errors.ts';

/** The folder in which state lies where nothing is said: beside the data. */
export function stateFolder(config: Config): string {
  const data = config.store.mode === 'embedded' ? dirname(config.store.path) : 'data';
  return config.state.dir ?? join(data, 'state');
}

/** Whether the state of partitions lies in the store rather than in a folder. */
export function isStateInStore(config: Config): boolean {
  return (config.state.store ?? (config.store.mode === 'server' ? 'clickhouse' : 'folder')) === 'clickhouse';
}

/**
 * What keeps the state of partitions, which any detector may take over, or of an interface, which is this machine's.
 * @throws WardwatchError WW_CONFIG where the keys cannot be read, or the store cannot hold it
 */
export async function createKeeper(
  config: Config,
  of: 'partitions' | 'interface',
  reporter: Reporter,
): Promise<StateKeeper> {
  const keys = await readStateKeys(config.state.key_file, process.env);
  return createStateKeeper(storeOf(config, of, reporter), { keys, reporter });
}

function storeOf(config: Config, of: 'partitions' | 'interface', reporter: Reporter): StateStore {
  if (!config.state.enabled) return noStore;
  if (of === 'interface' || !isStateInStore(config)) return createFolderStore(stateFolder(config));
  if (config.store.mode === 'server') return createStateTable(config.store, { reporter });
  // The embedded engine belongs to the main thread, and the hot path is in another one.
  throw new WardwatchError(
    'WW_CONFIG',
    'State cannot lie in an embedded store (state.store: clickhouse, store.mode: embedded).',
    'Let state.store be `folder`, or use a ClickHouse server (store.mode: server).',
  );
}
