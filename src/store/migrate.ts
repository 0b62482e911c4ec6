import { WardwatchError } from '../kernel/errors.ts';
import type { StoreConfig } from './config.ts';
import type { Engine } from './engine.ts';
import {
  CHANGES,
  DECISION_TABLES,
  EVIDENCE_TABLE,
  STATE_TABLE,
  STEPS_TABLE,
  TABLES,
  renderCreate,
  renderRetention,
  renderTtl,
  retentionOf,
} from './schema.ts';
import type { EngineFamily, TableName, TableShape } from './schema.ts';

/**
 * One change of the schema. `isDone` looks at the database itself, not at a number, so that a step may run
 * twice, be interrupted, or run in two processes at once; `apply` has to be harmless where it is done already.
 */
interface Step {
  name: string;
  isDone(): Promise<boolean>;
  apply(): Promise<void>;
}

const SINGLE: EngineFamily = { kind: 'single' };

/**
 * Brings the schema up to date and returns the names of the steps that were applied, in order.
 * @throws {WardwatchError} `WW_STORE_SCHEMA` where the database was written by a newer program.
 */
export async function migrate(engine: Engine, config: StoreConfig): Promise<string[]> {
  const { client } = engine;
  const database = config.database;
  const run = async (query: string): Promise<void> => {
    await client.command({ query });
  };
  const ask = async <T>(query: string, query_params: Record<string, unknown>): Promise<T[]> =>
    (await client.query({ query, query_params, format: 'JSONEachRow' })).json<T>();

  const tableStep = (table: TableShape, retentionDays: number): Step => ({
    name: `table ${table.name}`,
    async isDone() {
      const found = await ask('SELECT 1 FROM system.tables WHERE database = {db:String} AND name = {table:String}', {
        db: database,
        table: table.name,
      });
      return found.length > 0;
    },
    apply: () => run(renderCreate(database, table, retentionDays, SINGLE)),
  });

  const names = Object.keys(TABLES) as TableName[];
  const foundation: Step[] = [
    {
      name: 'database',
      async isDone() {
        return (await ask('SELECT 1 FROM system.databases WHERE name = {db:String}', { db: database })).length > 0;
      },
      apply: () => run(`CREATE DATABASE IF NOT EXISTS ${database}`),
    },
    tableStep(STEPS_TABLE, 0),
  ];
  // A later version appends its steps here and never changes or removes one that was released.
  const changeStep = (change: (typeof CHANGES)[number]): Step => ({
    name: change.name,
    async isDone() {
      const found = await ask(
        `SELECT 1 FROM system.columns WHERE database = {db:String} AND table = {table:String} AND ${change.probe}`,
        { db: database, table: change.table },
      );
      return found.length > 0;
    },
    async apply() {
      for (const sql of change.sql) await run(`ALTER TABLE ${database}.${change.table} ${sql}`);
    },
  });
  const steps: Step[] = [
    ...names.map((name) => tableStep(TABLES[name], retentionOf(config, name))),
    ...CHANGES.map(changeStep),
    tableStep(STATE_TABLE, 0),
    ...[...DECISION_TABLES, EVIDENCE_TABLE].map((table) => tableStep(table, 0)),
  ];

  const applied: string[] = [];
  for (const step of foundation) {
    if (await step.isDone()) continue;
    await step.apply();
    applied.push(step.name);
  }

  const known = new Set(steps.map((step) => step.name));
  const recorded = await ask<{ name: string }>(
    `SELECT name FROM ${database}.${STEPS_TABLE.name} FINAL ORDER BY name`,
    {},
  );
  const unknown = recorded.filter((row) => !known.has(row.name));
  if (unknown.length > 0) {
    throw new WardwatchError(
      'WW_STORE_SCHEMA',
      `The database ${database} was written by a newer Wardwatch: this one does not know ${unknown.length} of its schema steps.`,
      'Install that version again, or point this one to another database or folder.',
    );
  }
  const written = new Set(recorded.map((row) => row.name));
  for (const step of steps) {
    const done = await step.isDone();
    if (!done) {
      await step.apply();
      applied.push(step.name);
    }
    if (!done || !written.has(step.name)) {
      await client.insert({
        table: `${database}.${STEPS_TABLE.name}`,
        values: [{ name: step.name }],
        format: 'JSONEachRow',
      });
    }
  }

  // Retention follows the configuration, so it is compared at every start and is no recorded step.
  for (const name of names) {
    const [row] = await ask<{ engine_full: string }>(
      'SELECT engine_full FROM system.tables WHERE database = {db:String} AND name = {table:String}',
      { db: database, table: name },
    );
    const ttl = / TTL (.*?)(?: SETTINGS |$)/.exec(row?.engine_full ?? '')?.[1] ?? '';
    if (ttl === renderTtl(retentionOf(config, name))) continue;
    await run(renderRetention(database, name, retentionOf(config, name), SINGLE));
    applied.push(`retention ${name}`);
  }
  return applied;
}
