import { randomBytes } from 'node:crypto';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { transaction } from './database.ts';
import { Statements } from './triage-sql.ts';
import type { SqlRow } from './triage-sql.ts';
import type { HistoryEntry, Resolution, TriageItem, TriageState } from './triage-rows.ts';

/** Who changes something and why: a person, or a rule on behalf of its owner. */
export interface Actor {
  readonly who: string;
  /** `rule 12`, `window 3`, `incident 4`; empty for a person. */
  readonly cause: string;
}

/** The columns that decisions change. */
export interface TriageFields {
  state: TriageState;
  resolution: Resolution | '';
  note: string;
  assignee: string;
  tags: readonly string[];
  severity: number;
  muted: number;
  resolved_by: number;
  maintenance: number;
  incident: number;
  pinned: number;
  reopened: number;
}
type FieldName = keyof TriageFields;

const SHELF = { queue: 0, muted: 1, resolved: 2 } as const;

/** One row of `triage_alerts` with all that the desk needs of it. */
export interface TriageRow extends TriageFields {
  readonly id: number;
  readonly uid: string;
  readonly version: number;
  readonly revision: number;
  readonly sequence: number;
  readonly time: number;
  readonly own_severity: number;
  readonly device: string;
  readonly repeat_of: string;
  readonly facets: readonly string[];
  readonly attacks: readonly string[];
}

export const COLUMNS =
  'a.id, a.uid, a.version, a.revision, a.seq, a.time, a.own_severity, a.severity, a.device, a.state, a.resolution, a.note, ' +
  'a.assignee, a.tags, a.muted, a.resolved_by, a.maintenance, a.incident, a.pinned, a.reopened, a.repeat_of, a.facets, a.attacks';

const list = (value: unknown): string[] => JSON.parse(String(value)) as string[];

export function toRow(row: SqlRow): TriageRow {
  const number = (name: string): number => Number(row[name]);
  const text = (name: string): string => String(row[name]);
  return {
    id: number('id'),
    uid: text('uid'),
    version: number('version'),
    revision: number('revision'),
    sequence: number('seq'),
    time: number('time'),
    own_severity: number('own_severity'),
    severity: number('severity'),
    device: text('device'),
    state: text('state') as TriageState,
    resolution: text('resolution') as Resolution | '',
    note: text('note'),
    assignee: text('assignee'),
    tags: list(row['tags']),
    muted: number('muted'),
    resolved_by: number('resolved_by'),
    maintenance: number('maintenance'),
    incident: number('incident'),
    pinned: number('pinned'),
    reopened: number('reopened'),
    repeat_of: text('repeat_of'),
    facets: list(row['facets']),
    attacks: list(row['attacks']),
  };
}

export function toItem(row: TriageRow): TriageItem {
  return {
    uid: row.uid,
    version: row.version,
    revision: row.revision,
    sequence: row.sequence,
    time: row.time,
    state: row.state,
    resolution: row.resolution,
    note: row.note,
    assignee: row.assignee,
    tags: row.tags,
    severity: row.severity,
    muted_by: row.muted,
    resolved_by: row.resolved_by,
    maintenance: row.maintenance,
    incident: row.incident,
    reopened: row.reopened,
    repeat_of: row.repeat_of,
  };
}

export function shelfOf(row: Pick<TriageFields, 'state' | 'muted'>): number {
  return row.state === 'resolved' ? SHELF.resolved : row.muted !== 0 ? SHELF.muted : SHELF.queue;
}

const MAX_HISTORY = 1000;

/**
 * The table of alerts as the desk sees them, with their history and the order of all changes. Everything that
 * changes an alert goes through {@link change}, inside a transaction of {@link atomic}.
 */
export class TriageTable {
  readonly sql: Statements;
  readonly #db: DatabaseSync;
  readonly #now: () => number;
  #sequence: number;
  #touched = new Set<string>();
  #listener: (uids: readonly string[]) => void = () => {};
  /** Names this database in cursors: those of another start over. */
  readonly name: string;

  constructor(db: DatabaseSync, now: () => number) {
    this.#db = db;
    this.#now = now;
    this.sql = new Statements(db);
    this.#sequence = this.sql.number('SELECT coalesce(max(seq), 0) FROM triage_alerts');
    // Pruned alerts took their numbers with them; what was given out is never given again.
    this.#sequence = Math.max(this.#sequence, this.sql.number("SELECT value FROM marks WHERE name = 'triage_seq'"));
    let name = this.sql.number("SELECT value FROM marks WHERE name = 'triage_name'");
    if (name === 0) {
      name = randomBytes(5).readUIntBE(0, 5) + 1;
      this.sql.run("INSERT INTO marks VALUES ('triage_name', ?)", name);
    }
    this.name = name.toString(36);
  }

  get sequence(): number {
    return this.#sequence;
  }

  now(): number {
    return this.#now();
  }

  /** Called after each transaction that changed alerts, with their uids. */
  onChange(listener: (uids: readonly string[]) => void): void {
    this.#listener = listener;
  }

  atomic<T>(work: () => T): T {
    if (this.#db.isTransaction) return work();
    const before = this.#sequence;
    try {
      const result = transaction(this.#db, () => {
        const value = work();
        if (this.#sequence !== before)
          this.sql.run(
            "INSERT INTO marks VALUES ('triage_seq', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            this.#sequence,
          );
        return value;
      });
      const uids = [...this.#touched];
      this.#touched = new Set();
      if (uids.length > 0) this.#listener(uids);
      return result;
    } catch (error) {
      this.#sequence = before;
      this.#touched = new Set();
      throw error;
    }
  }

  byUid(uid: string): TriageRow | undefined {
    const row = this.sql.get(`SELECT ${COLUMNS} FROM triage_alerts a WHERE a.uid = ?`, uid.slice(0, 256));
    return row === undefined ? undefined : toRow(row);
  }

  byId(id: number): TriageRow | undefined {
    const row = this.sql.get(`SELECT ${COLUMNS} FROM triage_alerts a WHERE a.id = ?`, id);
    return row === undefined ? undefined : toRow(row);
  }

  /** The next place in the order of changes. */
  nextSequence(uid: string): number {
    this.#touched.add(uid);
    return ++this.#sequence;
  }

  addFacets(id: number, time: number, facets: readonly string[]): void {
    for (const facet of facets) this.sql.run('INSERT OR IGNORE INTO triage_facets VALUES (?, ?, ?)', facet, time, id);
  }

  dropFacets(id: number, time: number, facets: readonly string[]): void {
    for (const facet of facets)
      this.sql.run('DELETE FROM triage_facets WHERE facet = ? AND time = ? AND id = ?', facet, time, id);
  }

  /** Changes fields of an alert and writes its history; nothing where all are as wanted. Returns the row after it. */
  change(row: TriageRow, wanted: Partial<TriageFields>, what: string, actor: Actor, comment = ''): TriageRow {
    const changes: Record<string, [unknown, unknown]> = {};
    const next: TriageFields & TriageRow = { ...row };
    for (const name of Object.keys(wanted) as FieldName[]) {
      const value = wanted[name];
      if (value === undefined || same(row[name], value)) continue;
      changes[name] = [row[name], value];
      Object.assign(next, { [name]: value });
    }
    if (Object.keys(changes).length === 0) return row;
    // Alerts join incidents by themselves all the time: that shall not make the edit of a person stale.
    const isQuiet = actor.who === '' && Object.keys(changes).every((name) => name === 'incident');
    const revision = row.revision + (isQuiet ? 0 : 1);
    const sequence = this.nextSequence(row.uid);
    this.sql.run(
      `UPDATE triage_alerts SET state = ?, resolution = ?, note = ?, assignee = ?, tags = ?, severity = ?, muted = ?,
         resolved_by = ?, maintenance = ?, incident = ?, pinned = ?, reopened = ?, shelf = ?, revision = ?, seq = ?
       WHERE id = ?`,
      next.state,
      next.resolution,
      next.note,
      next.assignee,
      JSON.stringify(next.tags),
      next.severity,
      next.muted,
      next.resolved_by,
      next.maintenance,
      next.incident,
      next.pinned,
      next.reopened,
      shelfOf(next),
      revision,
      sequence,
      row.id,
    );
    if (changes['assignee'] !== undefined) {
      if (row.assignee !== '') this.dropFacets(row.id, row.time, [`w:${row.assignee}`]);
      if (next.assignee !== '') this.addFacets(row.id, row.time, [`w:${next.assignee}`]);
    }
    if (changes['tags'] !== undefined) {
      this.dropFacets(
        row.id,
        row.time,
        row.tags.map((tag) => `t:${tag}`),
      );
      this.addFacets(
        row.id,
        row.time,
        next.tags.map((tag) => `t:${tag}`),
      );
    }
    this.note(row.id, what, actor, changes, comment);
    return { ...next, revision, sequence };
  }

  /** Adds to the history alone. */
  note(id: number, what: string, actor: Actor, changes: object = {}, comment = ''): void {
    this.sql.run(
      'INSERT INTO triage_history (alert, at_ms, who, what, cause, changes, comment) VALUES (?, ?, ?, ?, ?, ?, ?)',
      id,
      this.#now(),
      actor.who,
      what,
      actor.cause,
      JSON.stringify(changes),
      comment,
    );
  }

  /** The oldest first. */
  history(id: number): HistoryEntry[] {
    return this.sql
      .all('SELECT * FROM triage_history WHERE alert = ? ORDER BY id DESC LIMIT ?', id, MAX_HISTORY)
      .reverse()
      .map((row) => ({
        id: Number(row['id']),
        at: Number(row['at_ms']),
        who: String(row['who']),
        what: String(row['what']),
        cause: String(row['cause']),
        changes: JSON.parse(String(row['changes'])) as HistoryEntry['changes'],
        comment: String(row['comment']),
      }));
  }

  select(where: string, values: readonly SQLInputValue[], order: string, limit: number): TriageRow[] {
    return this.sql
      .all(`SELECT ${COLUMNS} FROM triage_alerts a WHERE ${where} ORDER BY ${order} LIMIT ?`, ...values, limit)
      .map(toRow);
  }
}

function same(a: unknown, b: unknown): boolean {
  return a === b || (Array.isArray(a) && Array.isArray(b) && JSON.stringify(a) === JSON.stringify(b));
}
