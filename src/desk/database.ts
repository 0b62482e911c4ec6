import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { WardwatchError, describeError } from '../kernel/errors.ts';

/** How long a statement waits for another process (the command line) that writes. */
const BUSY_MS = 5000;

/**
 * The steps of the schema; step n leads to `user_version` n. A step that has been released is never changed.
 *
 * `intents` are alerts on their way into the store, `known` the newest version of each alert that was queued,
 * `bodies` the alerts that deliveries point to, `deferred` alerts that found no room, `requests` what the
 * command line asks the running program for.
 */
const STEPS: readonly string[] = [
  `CREATE TABLE intents (uid TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (uid, version)) WITHOUT ROWID;
   CREATE TABLE known (uid TEXT PRIMARY KEY, version INTEGER NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID;
   CREATE INDEX known_by_seq ON known (seq);
   CREATE TABLE bodies (id INTEGER PRIMARY KEY, uid TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
     UNIQUE (uid, version));
   CREATE TABLE deliveries (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     endpoint TEXT NOT NULL, uid TEXT NOT NULL, version INTEGER NOT NULL,
     body INTEGER NOT NULL REFERENCES bodies (id),
     state TEXT NOT NULL CHECK (state IN ('queued', 'waiting', 'dead')),
     attempts INTEGER NOT NULL DEFAULT 0, step INTEGER NOT NULL DEFAULT 0, away INTEGER NOT NULL DEFAULT 0,
     queued_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL, batch TEXT, detail TEXT NOT NULL DEFAULT '',
     UNIQUE (endpoint, uid, version));
   CREATE INDEX deliveries_due ON deliveries (endpoint, state, next_ms, id);
   CREATE INDEX deliveries_away ON deliveries (endpoint, next_ms) WHERE away = 1 AND state = 'queued';
   CREATE INDEX deliveries_by_body ON deliveries (body);
   CREATE INDEX deliveries_by_batch ON deliveries (batch) WHERE batch IS NOT NULL;
   CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = 'dead';
   CREATE TABLE deferred (uid TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE log (
     id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, endpoint TEXT NOT NULL,
     uid TEXT NOT NULL, version INTEGER NOT NULL, attempt INTEGER NOT NULL,
     outcome TEXT NOT NULL, detail TEXT NOT NULL, took_ms INTEGER NOT NULL);
   CREATE TABLE endpoints (name TEXT PRIMARY KEY, disabled TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
   CREATE TABLE requests (
     id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, endpoint TEXT NOT NULL,
     from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL);
   CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;`,
];

/**
 * node:sqlite, without the line about being experimental that Node writes to the terminal when it is loaded: it is
 * pinned with Node itself, and nothing that an operator could act on.
 */
function loadSqlite(): typeof import('node:sqlite') {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => {};
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** What the database threw, as an error that a person can act on. */
export function deskError(path: string, error: unknown): WardwatchError {
  if (error instanceof WardwatchError) return error;
  const text = describeError(error);
  const full = /disk is full|ENOSPC/i.test(text);
  return new WardwatchError(
    full ? 'WW_DISK_FULL' : 'WW_OUTPUT',
    `the desk ${path} cannot be used: ${text}`,
    full ? 'make room on its disk' : 'let the account that runs Wardwatch write there (desk.path)',
    { cause: error },
  );
}

/**
 * Opens the desk's database and brings its schema up to date. What a transaction has written survives a loss
 * of power (WAL with full synchronisation).
 * @throws {WardwatchError} `WW_OUTPUT`, `WW_DISK_FULL`, or `WW_STORE_SCHEMA` where a newer program wrote it
 */
export function openDatabase(path: string, mode: 'write' | 'read' = 'write'): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    if (mode === 'write') mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    // It holds hashes of passwords; the files that SQLite puts beside it take its rights over.
    if (mode === 'write') closeSync(openSync(path, 'a', 0o600));
    const { DatabaseSync } = loadSqlite();
    db = new DatabaseSync(path, { timeout: BUSY_MS, readOnly: mode === 'read' });
    if (mode === 'write') {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
      migrate(db, path);
    }
    return db;
  } catch (error) {
    db?.close();
    throw deskError(path, error);
  }
}

function migrate(db: DatabaseSync, path: string): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version > STEPS.length) {
    throw new WardwatchError(
      'WW_STORE_SCHEMA',
      `the desk ${path} was written by a newer Wardwatch (schema ${version}, this one knows ${STEPS.length})`,
      'start the newer program, or give this one another file (desk.path)',
    );
  }
  for (let step = version; step < STEPS.length; step++)
    transaction(db, () => {
      db.exec(STEPS[step]!);
      db.exec(`PRAGMA user_version = ${step + 1}`);
    });
}

/** All of `work` or nothing of it, on disk when this comes back. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}
