import type { TriageTable } from './triage-table.ts';

/** A saved filter of the queue: the console's query text under a name. */
export interface View {
  readonly id: number;
  readonly name: string;
  readonly query: string;
  readonly owner: string;
  readonly shared: boolean;
}

const MAX_VIEWS = 100;

/** Saved views, each of one user and, where that user wants it, for all to see. */
export class Views {
  readonly #table: TriageTable;

  constructor(table: TriageTable) {
    this.#table = table;
  }

  /** Those of a user, then what others share. */
  of(who: string): View[] {
    return this.#table.sql
      .all('SELECT * FROM triage_views WHERE owner = ?1 OR shared = 1 ORDER BY owner <> ?1, name, id LIMIT 500', who)
      .map((row) => ({
        id: Number(row['id']),
        name: String(row['name']),
        query: String(row['query']),
        owner: String(row['owner']),
        shared: row['shared'] === 1,
      }));
  }

  /** Undefined where the user has as many as there may be. */
  save(view: Pick<View, 'name' | 'query' | 'shared'>, owner: string): View | undefined {
    return this.#table.atomic(() => {
      const { sql } = this.#table;
      const own = sql.number('SELECT count(*) FROM triage_views WHERE owner = ? AND name <> ?', owner, view.name);
      if (own >= MAX_VIEWS) return undefined;
      sql.run(
        `INSERT INTO triage_views (name, query, owner, shared) VALUES (?, ?, ?, ?)
         ON CONFLICT (owner, name) DO UPDATE SET query = excluded.query, shared = excluded.shared`,
        view.name,
        view.query,
        owner,
        view.shared ? 1 : 0,
      );
      return this.of(owner).find((one) => one.owner === owner && one.name === view.name);
    });
  }

  /** False where the user has no such view. */
  remove(id: number, owner: string): boolean {
    return this.#table.atomic(
      () => this.#table.sql.run('DELETE FROM triage_views WHERE id = ? AND owner = ?', id, owner).changes > 0,
    );
  }
}
