import type { Reporter } from '../kernel/component.ts';
import { WardwatchError } from '../kernel/errors.ts';
import type { StateStore } from '../state/store.ts';
import type { StoreConfig } from './config.ts';
import { openEngine, placeOf } from './engine.ts';
import type { Engine } from './engine.ts';
import { kindOfFailure, storeError } from './failures.ts';
import { STATE_TABLE } from './schema.ts';

/**
 * State of detectors in a table of the store, a row a blob: whoever reaches the server reaches it. ClickHouse has
 * no step that only one of two can make, so a claim is a row like any other and everybody looks at all of them;
 * what remains open between a look and a write is told in docs/explanation/state.md.
 *
 * A blob is removed by a second row for its name, which wins over the first one when parts are merged: that costs
 * nothing now, where a DELETE would write all of the table's parts again.
 *
 * The table has to be there (see `migrate`). Where the server is away a call waits and tries again as long as rows
 * do (`store.write.give_up_seconds`).
 */
export function createStateTable(config: StoreConfig, deps: { reporter: Reporter }): StateStore {
  let engine: Promise<Engine> | undefined;
  const table = stateTableOf(() => (engine ??= openEngine(config)), config, deps);
  return {
    ...table,
    async close() {
      await (await engine)?.close();
      engine = undefined;
    },
  };
}

/** The same over an engine that is open already and stays so. */
export function stateTableOf(
  open: () => Promise<Engine>,
  config: StoreConfig,
  { reporter }: { reporter: Reporter },
): StateStore {
  const table = `${config.database}.${STATE_TABLE.name}`;
  const place = placeOf(config);
  const limits = config.write;

  async function patiently<T>(doing: string, act: (engine: Engine) => Promise<T>): Promise<T> {
    const start = performance.now();
    for (let pauseMs = limits.retry_first_ms; ; pauseMs = Math.min(limits.retry_max_ms, pauseMs * 2)) {
      try {
        return await act(await open());
      } catch (error) {
        const kind = error instanceof WardwatchError ? 'refused' : kindOfFailure(error);
        const timeIsUp = performance.now() - start + pauseMs > limits.give_up_seconds * 1000;
        if ((kind !== 'away' && kind !== 'full') || timeIsUp) throw storeError(error, doing, place);
        reporter.count('store_retries', 1, { table: STATE_TABLE.name, reason: kind });
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random() / 2)));
    }
  }

  async function ask<T>(engine: Engine, query: string, query_params: Record<string, unknown>): Promise<T[]> {
    return (await engine.client.query({ query, query_params, format: 'JSONEachRow' })).json<T>();
  }

  return {
    where: `${place}, table ${table}`,

    list: (scope) =>
      patiently('listing state', async (engine) => {
        const rows = await ask<{ name: string }>(
          engine,
          `SELECT name FROM ${table} WHERE scope = {scope:String} GROUP BY name HAVING max(removed) = 0`,
          { scope },
        );
        return rows.map((row) => row.name);
      }),

    read: (scope, name) =>
      patiently('reading state', async (engine) => {
        const [row] = await ask<{ blob: string }>(
          engine,
          `SELECT blob FROM ${table} FINAL WHERE scope = {scope:String} AND name = {name:String} AND removed = 0`,
          { scope, name },
        );
        return row === undefined ? undefined : new Uint8Array(Buffer.from(row.blob, 'base64'));
      }),

    write: (scope, name, bytes) => {
      const blob = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
      return patiently('writing state', async (engine) => {
        await engine.client.insert({ table, values: [{ scope, name, blob, removed: 0 }], format: 'JSONEachRow' });
        // An answer says that the statement was run; that the row is there is what counts here.
        const [row] = await ask<{ size: number }>(
          engine,
          `SELECT length(blob) AS size FROM ${table} FINAL WHERE scope = {scope:String} AND name = {name:String}`,
          { scope, name },
        );
        if (row?.size === blob.length) return;
        throw new WardwatchError(
          'WW_STORE',
          `The store (${place}) has taken state that it does not give back.`,
          'Where there are replicas, let state.store be `folder`, or read and write with a quorum.',
        );
      });
    },

    remove: (scope, names) =>
      names.length === 0
        ? Promise.resolve()
        : patiently('removing state', async (engine) => {
            const values = names.map((name) => ({ scope, name, blob: '', removed: 1 }));
            await engine.client.insert({ table, values, format: 'JSONEachRow' });
          }),
  };
}
