import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { isWithin, minuteOfDay } from '../alerts/decisions.ts';
import type { Scope } from '../alerts/decisions.ts';
import { WardwatchError } from '../kernel/errors.ts';
import type { TriageFilter, TriageSort } from './triage-rows.ts';

export type SqlRow = Record<string, SQLOutputValue>;

/** Prepared statements of one database, by their text. */
export class Statements {
  readonly #db: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    // For daily windows: 1 where the minute of the day lies inside.
    db.function('is_within_daily', { deterministic: true }, (ms, from, to, zone) =>
      isWithin(minuteOfDay(Number(ms), String(zone)), Number(from), Number(to)) ? 1 : 0,
    );
  }

  run(sql: string, ...values: SQLInputValue[]): { changes: number; id: number } {
    const { changes, lastInsertRowid } = this.#of(sql).run(...values);
    return { changes: Number(changes), id: Number(lastInsertRowid) };
  }

  get(sql: string, ...values: SQLInputValue[]): SqlRow | undefined {
    return this.#of(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]): SqlRow[] {
    return this.#of(sql).all(...values);
  }

  number(sql: string, ...values: SQLInputValue[]): number {
    return Number(Object.values(this.get(sql, ...values) ?? {})[0] ?? 0);
  }

  #of(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (statement === undefined) {
      // Filters make many texts; the bound keeps a stranger's filters from filling memory.
      if (this.#prepared.size >= 500) this.#prepared.clear();
      statement = this.#db.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}

/** A condition on `alerts a` with its values. */
export interface Where {
  readonly sql: string;
  readonly values: SQLInputValue[];
}

/** A facet or text found more often than this is looked up alert by alert, in the order of the queue. */
const SELECTIVE = 5000;
/** Of words that more alerts have, those that came last are searched. */
const SEARCHED = 20_000;
const MAX_WORDS = 16;

/** The words of a search as an FTS5 expression; each as a phrase whose last part may go on. */
function matchOf(text: string): string {
  return text
    .toWellFormed()
    .replaceAll('\0', ' ')
    .split(/\s+/u)
    .filter((word) => /[\p{L}\p{N}]/u.test(word))
    .slice(0, MAX_WORDS)
    .map((word) => `"${Array.from(word).slice(0, 128).join('').replaceAll('"', '""')}"*`)
    .join(' ');
}

/**
 * Makes SQL of a filter. Conditions that few alerts meet come first as a list of rows; what many meet is asked of
 * each alert while the queue is walked in its order, which ends at a full page.
 * @param isOne for a question about one alert, which needs no list
 */
export function whereOf(statements: Statements, filter: TriageFilter, isOne = false): Where {
  const sql: string[] = [];
  const values: SQLInputValue[] = [];
  const add = (condition: string, ...bound: SQLInputValue[]): void => {
    sql.push(condition);
    values.push(...bound);
  };
  const facet = (name: string): void => {
    const found = isOne
      ? Infinity
      : statements.number(
          `SELECT count(*) FROM (SELECT 1 FROM triage_facets WHERE facet = ? LIMIT ${SELECTIVE + 1})`,
          name,
        );
    if (found <= SELECTIVE) add('a.id IN (SELECT id FROM triage_facets WHERE facet = ?)', name);
    else add('EXISTS (SELECT 1 FROM triage_facets f WHERE f.facet = ? AND f.time = a.time AND f.id = a.id)', name);
  };

  const muted = filter.muted ?? 'without';
  const state = filter.state ?? 'open';
  // `shelf` is 0 for what stands in the queue, 1 for what is open and muted, 2 for what is resolved.
  if (state === 'open' && muted === 'without') add('a.shelf = 0');
  else if (state === 'open' && muted === 'only') add('a.shelf = 1');
  else {
    if (state === 'open') add('a.shelf < 2');
    else if (state !== 'all') add('a.state = ?', state);
    if (muted === 'without') add('a.muted = 0');
    else if (muted === 'only') add('a.muted <> 0');
  }
  if (filter.resolution !== undefined) add('a.resolution = ?', filter.resolution);
  if (filter.severity !== undefined) add('a.severity >= ?', filter.severity);
  if (filter.incident !== undefined) add('a.incident = ?', filter.incident);
  if (filter.assignee !== undefined) {
    if (filter.assignee === '-') add("a.assignee = ''");
    else facet(`w:${filter.assignee}`);
  }
  if (filter.tag !== undefined) facet(`t:${filter.tag}`);
  if (filter.contributed !== undefined) facet(`a:${filter.contributed}`);
  if (filter.involved !== undefined) facet(`d:${filter.involved}`);
  addScope(filter, add, facet);
  if (filter.vlans !== undefined) {
    const list = filter.vlans.slice(0, 500);
    add(list.length === 0 ? '0' : `a.vlan IN (${list.map(() => '?').join(', ')})`, ...list);
  }
  const words = filter.text === undefined ? '' : matchOf(filter.text);
  if (words !== '') {
    add(
      `a.id IN (SELECT rowid FROM triage_text WHERE triage_text MATCH ? ORDER BY rowid DESC LIMIT ${SEARCHED})`,
      words,
    );
  }
  return { sql: sql.length === 0 ? '1' : sql.join(' AND '), values };
}

function addScope(
  scope: Scope,
  add: (condition: string, ...bound: SQLInputValue[]) => void,
  facet: (name: string) => void,
): void {
  if (scope.device !== undefined) add('a.device = ?', scope.device);
  if (scope.device_type !== undefined) add('a.device_type = ?', scope.device_type);
  if (scope.vlan !== undefined) add('a.vlan = ?', scope.vlan);
  if (scope.detector !== undefined) facet(`x:${scope.detector}`);
  if (scope.peer !== undefined) facet(`p:${scope.peer}`);
  if (scope.service !== undefined) facet(`s:${scope.service}`);
  if (scope.from_ms !== undefined) add('a.time >= ?', scope.from_ms);
  if (scope.to_ms !== undefined) add('a.time <= ?', scope.to_ms);
  const { daily } = scope;
  if (daily !== undefined) add('is_within_daily(a.time, ?, ?, ?) = 1', daily.from, daily.to, daily.zone);
}

/** The tuple that a list is ordered by, always downwards; the number of the alert makes it unique. */
export function orderOf(sort: TriageSort): readonly string[] {
  return sort === 'severity' ? ['a.severity', 'a.time', 'a.id'] : ['a.time', 'a.id'];
}

export function encodePlace(sort: TriageSort, place: readonly number[]): string {
  return Buffer.from(JSON.stringify([sort, ...place])).toString('base64url');
}

/** @throws {WardwatchError} `WW_USAGE` where the cursor is none of ours or of another order */
export function decodePlace(cursor: string, sort: TriageSort): number[] {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor.slice(0, 200), 'base64url').toString('utf8'));
  } catch {
    parts = undefined;
  }
  const [first, ...place] = Array.isArray(parts) ? (parts as unknown[]) : [];
  if (first !== sort || place.length !== orderOf(sort).length || !place.every((one) => Number.isSafeInteger(one)))
    throw new WardwatchError('WW_USAGE', 'The page cursor is not valid for this list.', 'Start from the first page.');
  return place as number[];
}
