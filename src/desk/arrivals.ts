import type { AlertRow } from '../kernel/rows.ts';

/** An alert as it came in, by name alone. */
interface Arrival {
  uid: string;
  version: number;
  /** Epoch seconds of the engine's clock. */
  ingested: number;
}

/** What is asked of a store that others write to (see src/store/contract.ts). */
export interface ArrivingAlerts {
  arrivals(since: number | undefined, limit: number, after?: Arrival): Promise<{ rows: Arrival[]; asOf: number }>;
  alertsOf(uids: readonly string[]): Promise<AlertRow[]>;
}

/** Names and versions are small, the alerts themselves are not. */
const NAMES = 10_000;
const ROWS = 500;

/**
 * Reads what has come into a store that others write to.
 * @param since what this gave the last time; undefined the first time
 * @param lacks whether this version is news
 * @param take gets what is news, as it stands in the store
 * @returns from where to go on; the same place again where the store names an alert that it does not have yet, as a
 * replica that lags
 */
export async function readArrivals(
  store: ArrivingAlerts,
  since: number | undefined,
  lacks: (uid: string, version: number) => boolean,
  take: (rows: readonly AlertRow[]) => void,
): Promise<number | undefined> {
  let mark: number | undefined;
  let isWhole = true;
  let after: Arrival | undefined;
  do {
    const page = await store.arrivals(since, NAMES, after);
    mark ??= page.asOf;
    const news = page.rows.filter(({ uid, version }) => lacks(uid, version));
    for (let i = 0; i < news.length; i += ROWS) {
      const asked = news.slice(i, i + ROWS);
      const rows = new Map((await store.alertsOf(asked.map(({ uid }) => uid))).map((row) => [row.uid, row]));
      // In the order in which they came in.
      take(asked.flatMap(({ uid }) => rows.get(uid) ?? []));
      isWhole &&= asked.every(({ uid, version }) => (rows.get(uid)?.version ?? -1) >= version);
    }
    after = page.rows.length < NAMES ? undefined : page.rows.at(-1);
  } while (after !== undefined);
  return isWhole ? mark : since;
}
