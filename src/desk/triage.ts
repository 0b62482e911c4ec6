import type { DatabaseSync } from 'node:sqlite';
import type { AlertRow } from '../kernel/rows.ts';
import { TriageIncidents } from './triage-incidents.ts';
import { Rules } from './rules.ts';
import { detailsOf, facetsOf, wordsOf } from './triage-rows.ts';
import type { HistoryEntry, TriageFilter, TriageItem, TriageSort } from './triage-rows.ts';
import { decodePlace, encodePlace, orderOf, whereOf } from './triage-sql.ts';
import { TriageTable, shelfOf, toItem } from './triage-table.ts';
import type { TriageFields, TriageRow } from './triage-table.ts';
import { Views } from './views.ts';

/** A change that a person asks for; what is left out stays. */
export interface TriageEdit {
  readonly state?: TriageFields['state'];
  readonly resolution?: Exclude<TriageFields['resolution'], ''>;
  readonly note?: string;
  /** Empty for nobody. */
  readonly assignee?: string;
  readonly add_tags?: readonly string[];
  readonly remove_tags?: readonly string[];
}

export type EditOutcome =
  | { readonly kind: 'done'; readonly item: TriageItem }
  | { readonly kind: 'missing' }
  /** Somebody was faster: `item` is what is there now. */
  | { readonly kind: 'stale'; readonly item: TriageItem };

export interface TriagePage {
  readonly items: readonly TriageItem[];
  readonly next: string | undefined;
  readonly total: number;
  /** False where counting ended at the bound: there are at least `total`. */
  readonly exact: boolean;
}

export interface TriageChanges {
  readonly items: readonly TriageItem[];
  readonly cursor: string;
  /** More is there already. */
  readonly more: boolean;
}

/** Counting for a list ends here: nobody pages through more, and a count must not cost more than the page. */
const COUNT_BOUND = 2000;
/** Most alerts of one bulk action; it is one transaction. */
export const BULK_BOUND = 5000;
const MAX_TAGS = 32;
const COMMENT = 'commented';

export interface TriageDeps {
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/**
 * The desk's part of alerts: what people and rules have made of them. It holds a narrow row of every alert, so
 * that the queue is filtered, sorted and counted without touching the store, where the alerts themselves are.
 * One process writes; every method that changes something is one transaction that is on disk when it comes back.
 */
export class Triage {
  readonly rules: Rules;
  readonly views: Views;
  readonly incidents: TriageIncidents;
  readonly #table: TriageTable;

  constructor(db: DatabaseSync, deps: TriageDeps = { now: Date.now }) {
    this.#table = new TriageTable(db, deps.now);
    this.rules = new Rules(this.#table);
    this.views = new Views(this.#table);
    this.incidents = new TriageIncidents(this.#table);
  }

  /** Called after each transaction that changed alerts, with their uids. */
  onChange(listener: (uids: readonly string[]) => void): void {
    this.#table.onChange(listener);
  }

  /**
   * Takes alerts that are safe in the store, in any order and as often as they come: only a newer version of an
   * alert changes anything. A resolved alert that comes in a newer version is opened again.
   */
  accept(rows: readonly AlertRow[]): void {
    if (rows.length === 0) return;
    this.#table.atomic(() => {
      for (const row of rows) this.#accept(row);
    });
  }

  /** Whether the desk has seen this version, for who reads the store to find what it missed. */
  knows(uid: string, version: number): boolean {
    return (this.#table.byUid(uid)?.version ?? -1) >= version;
  }

  item(uid: string): TriageItem | undefined {
    const row = this.#table.byUid(uid);
    return row === undefined ? undefined : toItem(row);
  }

  page(filter: TriageFilter, sort: TriageSort, limit: number, cursor?: string): TriagePage {
    const { sql } = this.#table;
    const where = whereOf(sql, filter);
    const keys = orderOf(sort);
    const order = keys.map((key) => `${key} DESC`).join(', ');
    const after = cursor === undefined ? [] : decodePlace(cursor, sort);
    const from = after.length === 0 ? '' : ` AND (${keys.join(', ')}) < (${keys.map(() => '?').join(', ')})`;
    const rows = this.#table.select(`${where.sql}${from}`, [...where.values, ...after], order, limit + 1);
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    const total = sql.number(
      `SELECT count(*) FROM (SELECT 1 FROM triage_alerts a WHERE ${where.sql} LIMIT ${COUNT_BOUND})`,
      ...where.values,
    );
    return {
      items: shown.map(toItem),
      next:
        last === undefined
          ? undefined
          : encodePlace(sort, sort === 'severity' ? [last.severity, last.time, last.id] : [last.time, last.id]),
      total,
      exact: total < COUNT_BOUND,
    };
  }

  /** How many alerts a filter finds, all of them counted. */
  count(filter: TriageFilter): number {
    const where = whereOf(this.#table.sql, filter);
    return this.#table.sql.number(`SELECT count(*) FROM triage_alerts a WHERE ${where.sql}`, ...where.values);
  }

  /** What stands in the queue, by severity, and what is in progress or muted. */
  counts(vlans?: readonly string[]): { by_severity: Record<string, number>; in_progress: number; muted: number } {
    const { sql } = this.#table;
    const where = whereOf(sql, { state: 'all', muted: 'with', vlans });
    const bySeverity: Record<string, number> = {};
    for (const row of sql.all(
      `SELECT a.severity AS severity, count(*) AS n FROM triage_alerts a WHERE a.shelf = 0 AND ${where.sql} GROUP BY a.severity`,
      ...where.values,
    ))
      bySeverity[String(row['severity'])] = Number(row['n']);
    const of = (condition: string): number =>
      sql.number(`SELECT count(*) FROM triage_alerts a WHERE ${condition} AND ${where.sql}`, ...where.values);
    return { by_severity: bySeverity, in_progress: of("a.state = 'in_progress'"), muted: of('a.shelf = 1') };
  }

  /** Open alerts that nobody has taken, from a severity on; `oldest` is the time of the first of them. */
  waiting(filter: Pick<TriageFilter, 'severity' | 'vlans'>): {
    count: number;
    oldest: number | null;
    by_severity: Record<string, number>;
  } {
    const { sql } = this.#table;
    const where = whereOf(sql, { ...filter, assignee: '-' });
    const bySeverity: Record<string, number> = {};
    let count = 0;
    let oldest: number | null = null;
    for (const row of sql.all(
      `SELECT a.severity AS severity, count(*) AS n, min(a.time) AS oldest FROM triage_alerts a WHERE ${where.sql} GROUP BY a.severity`,
      ...where.values,
    )) {
      bySeverity[String(row['severity'])] = Number(row['n']);
      count += Number(row['n']);
      oldest = Math.min(oldest ?? Infinity, Number(row['oldest']));
    }
    return { count, oldest, by_severity: bySeverity };
  }

  /** Alerts between two times by severity, in steps; steps without one are left out. Epoch milliseconds. */
  timeline(
    from: number,
    to: number,
    stepMs: number,
    vlans?: readonly string[],
  ): { start: number; by_severity: Record<string, number> }[] {
    const { sql } = this.#table;
    const where = whereOf(sql, { state: 'all', muted: 'with', from_ms: from, to_ms: to, vlans });
    const slots = new Map<number, Record<string, number>>();
    for (const row of sql.all(
      `SELECT CAST((a.time - ?) / ? AS INTEGER) AS slot, a.severity AS severity, count(*) AS n FROM triage_alerts a
       WHERE ${where.sql} GROUP BY slot, a.severity ORDER BY slot`,
      from,
      stepMs,
      ...where.values,
    )) {
      const start = from + Number(row['slot']) * stepMs;
      const bySeverity = slots.get(start) ?? {};
      bySeverity[String(row['severity'])] = Number(row['n']);
      slots.set(start, bySeverity);
    }
    return [...slots].map(([start, by_severity]) => ({ start, by_severity }));
  }

  /** @param revision that of the item the edit was made on */
  edit(uid: string, revision: number, edit: TriageEdit, who: string): EditOutcome {
    return this.#table.atomic(() => {
      const row = this.#table.byUid(uid);
      if (row === undefined) return { kind: 'missing' };
      if (row.revision !== revision) return { kind: 'stale', item: toItem(row) };
      return { kind: 'done', item: toItem(this.#edit(row, edit, who)) };
    });
  }

  comment(uid: string, text: string, who: string): boolean {
    return this.#table.atomic(() => {
      const row = this.#table.byUid(uid);
      if (row === undefined) return false;
      this.#table.note(row.id, COMMENT, { who, cause: '' }, {}, text);
      // Comments do not collide with edits, but who follows the changes shall see them.
      this.#table.sql.run('UPDATE triage_alerts SET seq = ? WHERE id = ?', this.#table.nextSequence(uid), row.id);
      return true;
    });
  }

  /**
   * The same edit on all that a filter finds.
   * @param expected how many the person has seen that there are; another number changes nothing
   */
  bulk(
    filter: TriageFilter,
    expected: number,
    edit: TriageEdit,
    who: string,
  ): { kind: 'done' | 'differs' | 'too many'; count: number } {
    return this.#table.atomic(() => {
      const count = this.count(filter);
      if (count !== expected) return { kind: 'differs', count };
      if (count > BULK_BOUND) return { kind: 'too many', count };
      const where = whereOf(this.#table.sql, filter);
      for (const row of this.#table.select(where.sql, where.values, 'a.id', BULK_BOUND)) this.#edit(row, edit, who);
      return { kind: 'done', count };
    });
  }

  history(uid: string): HistoryEntry[] {
    const row = this.#table.byUid(uid);
    return row === undefined ? [] : this.#table.history(row.id);
  }

  /** Alerts of the same detector, device and subject, the newest first. */
  repeats(uid: string, limit = 20): TriageItem[] {
    const row = this.#table.byUid(uid);
    const pattern = row?.facets.find((facet) => facet.startsWith('r:'));
    if (row === undefined || pattern === undefined) return [];
    return this.#table
      .select(
        'a.id IN (SELECT id FROM triage_facets WHERE facet = ?) AND a.id <> ?',
        [pattern, row.id],
        'a.time DESC',
        limit,
      )
      .map(toItem);
  }

  /**
   * Alerts in the order in which they last changed, from `cursor` on: a new version, a decision, a comment. Each is
   * given in its newest form, once for all changes since the cursor; none is skipped and none given twice, since
   * the order is that of the transactions. Undefined where the cursor is of another desk.
   */
  changes(cursor: string | undefined, limit: number, vlans?: readonly string[]): TriageChanges | undefined {
    let after = 0;
    if (cursor !== undefined) {
      const [name, at] = cursor.split('.');
      if (name !== this.#table.name || at === undefined || !/^\d{1,15}$/.test(at)) return undefined;
      after = Number(at);
      if (after > this.#table.sequence) return undefined;
    }
    const where = whereOf(this.#table.sql, { state: 'all', muted: 'with', vlans });
    const rows = this.#table.select(`a.seq > ? AND ${where.sql}`, [after, ...where.values], 'a.seq', limit + 1);
    const shown = rows.slice(0, limit);
    const more = rows.length > limit;
    // Without more, all up to the newest change has been looked at, also what is not for these eyes.
    const end = more ? shown.at(-1)!.sequence : this.#table.sequence;
    return { items: shown.map(toItem), cursor: `${this.#table.name}.${end}`, more };
  }

  /** Forgets alerts that the store no longer keeps; resolved or not, there is nothing left to decide about. */
  forgetBefore(ingestedMs: number, limit = 1000): number {
    return this.#table.atomic(() => {
      const rows = this.#table.select('a.at_ms < ?', [ingestedMs], 'a.at_ms', limit);
      for (const row of rows) {
        const tags = row.tags.map((tag) => `t:${tag}`);
        const assignee = row.assignee === '' ? [] : [`w:${row.assignee}`];
        this.#table.dropFacets(row.id, row.time, [...row.facets, ...tags, ...assignee]);
        this.#table.sql.run('DELETE FROM triage_text WHERE rowid = ?', row.id);
        this.#table.sql.run('DELETE FROM triage_history WHERE alert = ?', row.id);
        this.#table.sql.run('DELETE FROM triage_effects WHERE alert = ?', row.id);
        this.#table.sql.run('DELETE FROM triage_alerts WHERE id = ?', row.id);
      }
      return rows.length;
    });
  }

  #edit(row: TriageRow, edit: TriageEdit, who: string): TriageRow {
    const wanted: Partial<TriageFields> = {};
    if (edit.assignee !== undefined) wanted.assignee = edit.assignee;
    if (edit.state !== undefined) wanted.state = edit.state;
    const state = edit.state ?? row.state;
    if (state === 'resolved') {
      if (edit.resolution !== undefined || row.state !== 'resolved')
        wanted.resolution = edit.resolution ?? 'true_positive';
      // Who decides anew takes it over from a rule, and its undo leaves it alone.
      if (edit.state !== undefined || edit.resolution !== undefined) wanted.resolved_by = 0;
    } else if (row.state === 'resolved') {
      wanted.resolution = '';
      wanted.resolved_by = 0;
    }
    if (edit.note !== undefined) wanted.note = edit.note;
    if (edit.add_tags !== undefined || edit.remove_tags !== undefined) {
      const tags = new Set(row.tags);
      for (const tag of edit.remove_tags ?? []) tags.delete(tag);
      for (const tag of edit.add_tags ?? []) if (tags.size < MAX_TAGS) tags.add(tag);
      wanted.tags = [...tags].sort();
    }
    const what =
      edit.state !== undefined && edit.state !== row.state
        ? { new: 'reopened', in_progress: 'started', resolved: 'resolved' }[edit.state]
        : 'edited';
    return this.#table.change(row, wanted, what, { who, cause: '' });
  }

  #accept(row: AlertRow): void {
    const { sql } = this.#table;
    const before = this.#table.byUid(row.uid);
    if (before !== undefined && before.version >= row.version) return;
    const details = detailsOf(row);
    const facets = facetsOf(row, details);
    const attacks = JSON.stringify(row.attacks);
    const outside = details.ends.filter((end) => !row.parties.includes(end));
    const sequence = this.#table.nextSequence(row.uid);
    if (before === undefined) {
      const mutedBy = Number(/^r(\d{1,12})$/.exec(details.mutedBy)?.[1] ?? 0);
      const muted = mutedBy !== 0 && this.rules.rule(mutedBy)?.undone === 0 ? mutedBy : 0;
      const { id } = sql.run(
        `INSERT INTO triage_alerts (uid, version, seq, at_ms, time, own_severity, severity, detector, device, device_type,
           vlan, state, muted, shelf, repeat_of, facets, attacks)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'new', ?, ?, ?, ?, ?)`,
        row.uid,
        row.version,
        sequence,
        this.#table.now(),
        row.time,
        row.severity_id,
        row.severity_id,
        row.detector,
        row.device,
        row.device_type,
        row.vlan,
        muted,
        shelfOf({ state: 'new', muted }),
        details.pattern === '' ? '' : this.#resolvedBefore(details.pattern),
        JSON.stringify(facets),
        attacks,
      );
      this.#table.addFacets(id, row.time, facets);
      sql.run('INSERT INTO triage_text (rowid, words) VALUES (?, ?)', id, wordsOf(row));
      if (muted !== 0) sql.run('INSERT OR REPLACE INTO triage_effects VALUES (?, ?, ?)', muted, id, '{"muted":0}');
      const after = this.rules.apply(this.#table.byId(id)!);
      this.incidents.place(after, row.parties, outside);
      return;
    }
    const tags = before.tags.map((tag) => `t:${tag}`);
    const assignee = before.assignee === '' ? [] : [`w:${before.assignee}`];
    this.#table.dropFacets(before.id, before.time, [...before.facets, ...tags, ...assignee]);
    this.#table.addFacets(before.id, row.time, [...facets, ...tags, ...assignee]);
    sql.run('UPDATE triage_text SET words = ? WHERE rowid = ?', wordsOf(row), before.id);
    sql.run(
      `UPDATE triage_alerts SET version = ?, seq = ?, time = ?, own_severity = ?, severity = ?, detector = ?, device = ?,
         device_type = ?, vlan = ?, facets = ?, attacks = ? WHERE id = ?`,
      row.version,
      sequence,
      row.time,
      row.severity_id,
      before.maintenance === 0 ? row.severity_id : before.severity,
      row.detector,
      row.device,
      row.device_type,
      row.vlan,
      JSON.stringify(facets),
      attacks,
      before.id,
    );
    let after = this.#table.byId(before.id)!;
    if (after.state === 'resolved') {
      after = this.#table.change(
        after,
        { state: 'new', resolution: '', resolved_by: 0, reopened: after.reopened + 1 },
        'happened again',
        { who: '', cause: `version ${row.version}` },
      );
    }
    after = this.rules.apply(after);
    this.incidents.place(after, row.parties, outside);
  }

  /** The newest resolved alert of the same pattern: the new one is its repeat, and stands for it. */
  #resolvedBefore(pattern: string): string {
    const row = this.#table.sql.get(
      `SELECT a.uid, a.state FROM triage_facets f JOIN triage_alerts a ON a.id = f.id
       WHERE f.facet = ? ORDER BY f.time DESC LIMIT 1`,
      `r:${pattern}`,
    );
    if (row === undefined || row['state'] !== 'resolved') return '';
    const earlier = this.#table.byUid(String(row['uid']))!;
    this.#table.note(earlier.id, 'happened again as another alert', { who: '', cause: '' });
    return earlier.uid;
  }
}
