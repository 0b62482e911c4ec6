import type { ClickHouseClient } from '@clickhouse/client';
import type { DecisionRow, ObeyedRow } from '../kernel/rows.ts';
import { asked } from './conditions.ts';
import type { Store } from './contract.ts';
import { DECISION_TABLES, EVIDENCE_TABLE } from './schema.ts';

type SharedTables = Pick<Store, 'decisions' | 'putDecisions' | 'putObeyed' | 'putEvidence' | 'evidenceOf'>;

/** More than the server makes; what is beyond is not read. */
const MAX_DECISIONS = 10_000;
const MAX_OBEYED = 200_000;
/** Frames of one alert, sealed: far above what the ring of evidence gives. */
const MAX_BLOB = 4 * 1024 * 1024;

/** What the server and detectors in other processes tell each other through the store. */
export function createSharedTables(client: ClickHouseClient, database: string): SharedTables {
  const [decisions, obeyed] = DECISION_TABLES.map((table) => `${database}.${table.name}`) as [string, string];
  const evidence = `${database}.${EVIDENCE_TABLE.name}`;
  let last = 0;
  // Rows of one process never share a version, so the later one wins whatever the clock's grain.
  const version = (): number => (last = Math.max(last + 1, Date.now()));

  const ask = async <T>(query: string, query_params: Record<string, unknown> = {}): Promise<T[]> =>
    (await client.query({ query, query_params, format: 'JSONEachRow' })).json<T>();
  const put = async (table: string, values: readonly object[]): Promise<void> => {
    if (values.length > 0) await client.insert({ table, values, format: 'JSONEachRow' });
  };

  return {
    async decisions() {
      const rows = await ask<Omit<DecisionRow, 'gone'> & { gone: number }>(
        `SELECT id, made, gone, act, scope, until_us FROM ${decisions} FINAL
         ORDER BY gone, made DESC LIMIT ${MAX_DECISIONS}`,
      );
      return {
        decisions: rows.map((row) => ({ ...row, gone: row.gone === 1 })),
        obeyed: await ask<ObeyedRow>(
          `SELECT id, made, partition, from_us, until_us, hits FROM ${obeyed} FINAL
           ORDER BY until_us > 0, made DESC LIMIT ${MAX_OBEYED}`,
        ),
      };
    },
    putDecisions: (rows) =>
      put(
        decisions,
        rows.map((row) => ({ ...row, gone: row.gone ? 1 : 0, version: version() })),
      ),
    putObeyed: (rows) =>
      put(
        obeyed,
        rows.map((row) => ({ ...row, version: version() })),
      ),
    putEvidence: (rows) =>
      put(
        evidence,
        rows
          .filter(({ blob }) => blob.length <= MAX_BLOB)
          .map(({ uid, frames, blob }) => ({
            uid,
            frames,
            blob: Buffer.from(blob).toString('base64'),
            version: version(),
          })),
      ),
    async evidenceOf(uid) {
      const [row] = await ask<{ frames: number; blob: string }>(
        `SELECT frames, blob FROM ${evidence} FINAL WHERE uid = {uid:String} LIMIT 1`,
        { uid: asked(uid) },
      );
      return row === undefined ? undefined : { frames: row.frames, blob: Buffer.from(row.blob, 'base64') };
    },
  };
}
