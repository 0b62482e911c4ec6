import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { silentReporter } from '../../src/kernel/component.ts';
import type { Reporter } from '../../src/kernel/component.ts';
import { createStore, storeConfigSchema } from '../../src/store/index.ts';
import type { Store, StoreConfig } from '../../src/store/index.ts';
import type { TestServer } from '../support/clickhouse/start.ts';

/** A place for one test's data, which nobody else uses. */
export interface Place {
  config: StoreConfig;
  /** A store at this place, started; stopped by `clear` if the test has not done so. */
  open(over?: DeepPartial<StoreConfig>, reporter?: Reporter): Promise<Store>;
  clear(): Promise<void>;
}

export type DeepPartial<T> = { [K in keyof T]?: T[K] extends object ? DeepPartial<T[K]> : T[K] };

/** A whole configuration from the parts that matter; batches leave at once unless told otherwise. */
export function configOf(given: DeepPartial<StoreConfig>): StoreConfig {
  const parts = { ...given, write: { flush_ms: 0, ...given.write } };
  return Value.Parse(storeConfigSchema, Value.Default(storeConfigSchema, structuredClone(parts)));
}

export async function embeddedPlace(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'wardwatch-store-'));
  return placeAt({ path: join(folder, 'store') }, () => rm(folder, { recursive: true, force: true }));
}

let nextDatabase = 0;

export function serverPlace(server: TestServer, over: DeepPartial<StoreConfig['server']> = {}): Place {
  process.env['WARDWATCH_TEST_PASSWORD'] = server.password;
  // A server that outlives the tests must not show one run the data of another.
  const database = `wardwatch_test_${process.pid}_${nextDatabase++}`;
  return placeAt(
    {
      mode: 'server',
      database,
      server: { url: server.url, username: server.username, password_env: 'WARDWATCH_TEST_PASSWORD', ...over },
    },
    () => server.command(`DROP DATABASE IF EXISTS ${database}`),
  );
}

function placeAt(base: DeepPartial<StoreConfig>, clean: () => Promise<void>): Place {
  const opened = new Set<Store>();
  return {
    config: configOf(base),
    async open(over = {}, reporter = silentReporter) {
      const store = createStore(configOf({ ...base, ...over, server: { ...base.server, ...over.server } }), {
        reporter,
      });
      await store.start();
      opened.add(store);
      return store;
    },
    async clear() {
      for (const store of opened) await store.stop();
      await clean();
    },
  };
}
