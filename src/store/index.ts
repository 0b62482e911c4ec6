import type { Reporter } from '../kernel/component.ts';
import { WardwatchError } from '../kernel/errors.ts';
import type { DeviceRow } from '../kernel/rows.ts';
import type { StoreConfig } from './config.ts';
import type { Store } from './contract.ts';
import { createAnalysts } from './analysts.ts';
import type { Analysts } from './analysts.ts';
import { createSharedTables } from './decisions.ts';
import { DeviceIndex, narrowed } from './device-index.ts';
import { encodeBatch } from './encode.ts';
import { openEngine, placeOf } from './engine.ts';
import type { Engine } from './engine.ts';
import { storeError } from './failures.ts';
import { createInventoryQueries } from './inventory.ts';
import { migrate } from './migrate.ts';
import { createQueries, pageSize } from './queries.ts';
import type { StoreQueries } from './queries.ts';
import { TABLES } from './schema.ts';
import type { TableName } from './schema.ts';
import { createTableWriter } from './writer.ts';
import type { TableWriter } from './writer.ts';

export { storeConfigSchema } from './config.ts';
export type { StoreConfig } from './config.ts';
export type { AlertFilter, DeviceFilter, Page, Store } from './contract.ts';

/** What the store needs from the rest. */
export interface StoreDeps {
  reporter: Reporter;
}

interface Running {
  engine: Engine;
  analysts: Analysts;
  queries: StoreQueries & ReturnType<typeof createInventoryQueries> & ReturnType<typeof createSharedTables>;
  writers: ReadonlyMap<TableName, TableWriter>;
  /** Where this process alone writes. */
  present: DeviceIndex | undefined;
}

/**
 * The store over ClickHouse, embedded or on a server. `start` opens it and brings the schema up to date,
 * `stop` sends what is buffered. Embedded, it has to run on the main thread of its process: the engine
 * does not survive the end of a worker thread, and a process can have one data folder open at a time.
 *
 * Methods fail with a {@link WardwatchError}: `WW_STORE` (not reachable, access denied, folder in use),
 * `WW_STORE_SCHEMA` (written by a newer program), `WW_DISK_FULL`, `WW_USAGE` (a cursor that is none of ours).
 */
export function createStore(config: StoreConfig, deps: StoreDeps): Store {
  const place = placeOf(config);
  let running: Running | undefined;

  const needRunning = (): Running => {
    if (running !== undefined) return running;
    throw new WardwatchError('WW_STORE', `The store (${place}) is not open.`, 'Start the store before it is used.');
  };

  const read = async <T>(what: string, ask: (queries: Running['queries']) => Promise<T>): Promise<T> => {
    const { queries } = needRunning();
    const start = performance.now();
    try {
      return await ask(queries);
    } catch (error) {
      deps.reporter.count('store_query_errors', 1, { query: what });
      throw storeError(error, `reading ${what}`, place);
    } finally {
      deps.reporter.observe('store_query', (performance.now() - start) / 1000, { query: what });
    }
  };

  const put = async (what: string, write: (queries: Running['queries']) => Promise<void>): Promise<void> => {
    const { queries } = needRunning();
    try {
      await write(queries);
    } catch (error) {
      throw storeError(error, `writing ${what}`, place);
    }
  };

  return {
    where: config.mode,

    async start() {
      const engine = await openEngine(config);
      try {
        const steps = await migrate(engine, config);
        if (steps.length > 0) deps.reporter.log('info', 'store schema brought up to date', { steps: steps.length });
      } catch (error) {
        await engine.close();
        throw storeError(error, 'bringing its schema up to date', place);
      }
      const present = config.mode === 'embedded' ? new DeviceIndex(config.retention_days.devices) : undefined;
      try {
        await present?.load(engine.client, config.database);
      } catch (error) {
        await engine.close();
        throw storeError(error, 'reading its devices', place);
      }
      const writers = new Map<TableName, TableWriter>();
      for (const table of Object.keys(TABLES) as TableName[]) {
        const insert = async (values: string[]): Promise<void> => {
          await engine.client.insert({ table: `${config.database}.${table}`, values, format: 'JSONEachRow' });
        };
        writers.set(table, createTableWriter(config.write, { insert, table, place, reporter: deps.reporter }));
      }
      running = {
        engine,
        analysts: createAnalysts(config),
        writers,
        present,
        queries: {
          ...createQueries(engine.client, config.database),
          ...createInventoryQueries(engine.client, config.database),
          ...createSharedTables(engine.client, config.database),
        },
      };
    },

    async stop() {
      const was = running;
      if (was === undefined) return;
      await Promise.all([...was.writers.values()].map((writer) => writer.close()));
      running = undefined;
      await was.analysts.close();
      await was.engine.close();
    },

    async write(rows) {
      const { writers, present } = needRunning();
      const waiting: Promise<void>[] = [];
      const encoded = encodeBatch(rows);
      for (const [table, lines] of encoded) waiting.push(writers.get(table)!.write(lines));
      await Promise.all(waiting);
      if (present === undefined) return;
      // As they are stored: what no column could take was brought into range.
      for (const line of encoded.get('devices') ?? []) present.put(narrowed(JSON.parse(line) as DeviceRow), Date.now());
    },

    alerts: (filter, limit, cursor) => read('alerts', (queries) => queries.alerts(filter, limit, cursor)),
    alert: (uid, vlans) => read('alert', (queries) => queries.alert(uid, vlans)),
    alertsOf: (uids) => read('alerts', (queries) => queries.alertsOf(uids)),
    arrivals: (since, limit, after) => read('arrivals', (queries) => queries.arrivals(since, limit, after)),
    devices: (filter, limit, cursor) =>
      read('devices', async (queries) => {
        const { present } = needRunning();
        if (present?.isComplete !== true) return queries.devices(filter, limit, cursor);
        const { rows, next, total } = present.page(filter, pageSize(limit), cursor);
        if (filter.summary === true)
          return { rows: rows.map((row): DeviceRow => ({ ...row, fields: {}, risk: [], ocsf: '' })), next, total };
        const whole = new Map((await queries.devicesOf(rows.map((row) => row.device))).map((row) => [row.device, row]));
        return { rows: rows.map((row) => whole.get(row.device)).filter((row) => row !== undefined), next, total };
      }),
    device: (key, vlans) => read('device', (queries) => queries.device(key, vlans)),
    facets: (filter, fields, most) =>
      read('facets', async (queries) => {
        const { present } = needRunning();
        return present?.isComplete === true
          ? present.facets(filter, fields, most)
          : queries.facets(filter, fields, most);
      }),
    channelsOf: (devices, limit) => read('channels', (queries) => queries.channelsOf(devices, limit)),
    addressesOf: (devices, limit) => read('addresses', (queries) => queries.addressesOf(devices, limit)),
    dataFlows: (filter) => read('data flows', (queries) => queries.dataFlows(filter)),
    changes: (from, to, limit, about) => read('changes', (queries) => queries.changes(from, to, limit, about)),
    flowsOf: (device, limit, around) => read('flows', (queries) => queries.flowsOf(device, limit, around)),
    windowsOf: (device, windowS, from, to) =>
      read('windows', (queries) => queries.windowsOf(device, windowS, from, to)),
    overview: (vlans) => read('overview', (queries) => queries.overview(vlans)),

    decisions: () => read('decisions', (queries) => queries.decisions()),
    evidenceOf: (uid) => read('evidence', (queries) => queries.evidenceOf(uid)),
    putDecisions: (rows) => put('decisions', (queries) => queries.putDecisions(rows)),
    putObeyed: (rows) => put('decisions', (queries) => queries.putObeyed(rows)),
    putEvidence: (rows) => put('evidence', (queries) => queries.putEvidence(rows)),

    async sql(statement) {
      const { analysts } = needRunning();
      const start = performance.now();
      try {
        return await analysts.ask(statement);
      } finally {
        deps.reporter.observe('store_query', (performance.now() - start) / 1000, { query: 'sql' });
      }
    },

    async ping() {
      const { engine } = needRunning();
      const answer = await engine.client.ping({ select: true });
      if (!answer.success) throw storeError(answer.error, 'asking whether it answers', place);
    },
  };
}

/** Brings the schema up to date without anything else, for `wardwatch migrate`; returns the steps applied. */
export async function migrateStore(config: StoreConfig): Promise<string[]> {
  const engine = await openEngine(config);
  try {
    return await migrate(engine, config);
  } catch (error) {
    throw storeError(error, 'bringing its schema up to date', placeOf(config));
  } finally {
    await engine.close();
  }
}
