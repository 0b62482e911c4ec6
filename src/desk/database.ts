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

  // People and access. Passwords are Argon2id strings; of recovery codes, sessions and tokens only SHA-256 hashes are
  // kept. `vlans` and `sites` are JSON lists, NULL for all. `failures` are wrong sign-ins, by account or address.
  `CREATE TABLE users (
     id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL,
     source TEXT NOT NULL CHECK (source IN ('local', 'oidc')), subject TEXT UNIQUE,
     password TEXT NOT NULL DEFAULT '', must_change INTEGER NOT NULL DEFAULT 0,
     totp TEXT NOT NULL DEFAULT '', totp_new TEXT NOT NULL DEFAULT '', totp_step INTEGER NOT NULL DEFAULT 0,
     vlans TEXT, sites TEXT, disabled INTEGER NOT NULL DEFAULT 0,
     created_ms INTEGER NOT NULL, signed_in_ms INTEGER);
   CREATE TABLE recovery_codes (
     user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, hash BLOB NOT NULL, PRIMARY KEY (user, hash)
   ) WITHOUT ROWID;
   CREATE TABLE sessions (
     id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE,
     user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
     created_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, address TEXT NOT NULL, agent TEXT NOT NULL);
   CREATE INDEX sessions_by_user ON sessions (user);
   CREATE TABLE tokens (
     id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL,
     user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, role TEXT NOT NULL, vlans TEXT,
     created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, seen_ms INTEGER);
   CREATE INDEX tokens_by_user ON tokens (user);
   CREATE TABLE failures (
     subject TEXT PRIMARY KEY, n INTEGER NOT NULL, until_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE audit (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash TEXT NOT NULL);
   CREATE TABLE audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL,
     seal TEXT NOT NULL);`,
  // Triage: a narrow row of every alert with what people made of it, what it is found by, and the order of changes.
  `CREATE TABLE triage_alerts (
     id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, seq INTEGER NOT NULL UNIQUE,
     at_ms INTEGER NOT NULL, time INTEGER NOT NULL, own_severity INTEGER NOT NULL, severity INTEGER NOT NULL,
     detector TEXT NOT NULL, device TEXT NOT NULL, device_type TEXT NOT NULL, vlan TEXT NOT NULL,
     state TEXT NOT NULL CHECK (state IN ('new', 'in_progress', 'resolved')),
     resolution TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '', assignee TEXT NOT NULL DEFAULT '',
     tags TEXT NOT NULL DEFAULT '[]', muted INTEGER NOT NULL DEFAULT 0, resolved_by INTEGER NOT NULL DEFAULT 0,
     maintenance INTEGER NOT NULL DEFAULT 0, incident INTEGER NOT NULL DEFAULT 0, pinned INTEGER NOT NULL DEFAULT 0,
     reopened INTEGER NOT NULL DEFAULT 0, repeat_of TEXT NOT NULL DEFAULT '', revision INTEGER NOT NULL DEFAULT 0,
     shelf INTEGER NOT NULL DEFAULT 0, facets TEXT NOT NULL, attacks TEXT NOT NULL);
   CREATE INDEX triage_by_shelf ON triage_alerts (shelf, time, id);
   CREATE INDEX triage_by_severity ON triage_alerts (shelf, severity, time, id);
   CREATE INDEX triage_by_state ON triage_alerts (state, time, id);
   CREATE INDEX triage_by_time ON triage_alerts (time, id);
   CREATE INDEX triage_by_device ON triage_alerts (device, time, id);
   CREATE INDEX triage_by_arrival ON triage_alerts (at_ms);
   CREATE INDEX triage_by_incident ON triage_alerts (incident) WHERE incident <> 0;
   CREATE INDEX triage_by_maintenance ON triage_alerts (maintenance) WHERE maintenance <> 0;
   CREATE TABLE triage_facets (facet TEXT NOT NULL, time INTEGER NOT NULL, id INTEGER NOT NULL,
     PRIMARY KEY (facet, time, id)) WITHOUT ROWID;
   CREATE VIRTUAL TABLE triage_text USING fts5 (words, content = '', contentless_delete = 1,
     tokenize = 'unicode61 remove_diacritics 2');
   CREATE TABLE triage_history (id INTEGER PRIMARY KEY AUTOINCREMENT, alert INTEGER NOT NULL, at_ms INTEGER NOT NULL,
     who TEXT NOT NULL, what TEXT NOT NULL, cause TEXT NOT NULL, changes TEXT NOT NULL, comment TEXT NOT NULL);
   CREATE INDEX triage_history_of ON triage_history (alert, id);
   CREATE TABLE triage_rules (id INTEGER PRIMARY KEY AUTOINCREMENT, act TEXT NOT NULL, scope TEXT NOT NULL,
     reason TEXT NOT NULL, resolution TEXT NOT NULL, until_ms INTEGER NOT NULL, owner TEXT NOT NULL,
     created_ms INTEGER NOT NULL, effective_us INTEGER NOT NULL DEFAULT 0, undone_ms INTEGER NOT NULL DEFAULT 0,
     undone_by TEXT NOT NULL DEFAULT '', matches INTEGER NOT NULL DEFAULT 0, last_match_ms INTEGER NOT NULL DEFAULT 0,
     pending INTEGER NOT NULL DEFAULT 0);
   CREATE TABLE triage_effects (rule INTEGER NOT NULL, alert INTEGER NOT NULL, before TEXT NOT NULL,
     PRIMARY KEY (rule, alert)) WITHOUT ROWID;
   CREATE INDEX triage_effects_of ON triage_effects (alert);
   CREATE TABLE triage_windows (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, scope TEXT NOT NULL,
     act TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, owner TEXT NOT NULL,
     created_ms INTEGER NOT NULL, removed_ms INTEGER NOT NULL DEFAULT 0);
   CREATE TABLE triage_incidents (id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL, created_ms INTEGER NOT NULL,
     merged_into INTEGER NOT NULL DEFAULT 0);
   CREATE TABLE triage_incident_history (id INTEGER PRIMARY KEY AUTOINCREMENT, incident INTEGER NOT NULL,
     at_ms INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL);
   CREATE INDEX triage_incident_history_of ON triage_incident_history (incident, id);
   CREATE TABLE triage_views (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, query TEXT NOT NULL,
     owner TEXT NOT NULL, shared INTEGER NOT NULL, UNIQUE (owner, name));`,
  // What maintenance knows of devices, and how it came to be so.
  `CREATE TABLE assets (
     tag TEXT PRIMARY KEY, mac TEXT NOT NULL, serial TEXT NOT NULL, name TEXT NOT NULL, owner TEXT NOT NULL,
     room TEXT NOT NULL, criticality TEXT NOT NULL, contact TEXT NOT NULL) WITHOUT ROWID;
   CREATE INDEX assets_by_mac ON assets (mac) WHERE mac <> '';
   CREATE INDEX assets_by_serial ON assets (serial) WHERE serial <> '';
   CREATE INDEX assets_by_name ON assets (name) WHERE name <> '';
   CREATE TABLE asset_history (id INTEGER PRIMARY KEY AUTOINCREMENT, tag TEXT NOT NULL, at_ms INTEGER NOT NULL,
     who TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL);
   CREATE INDEX asset_history_of ON asset_history (tag, id);`,
  // Frames around alerts, as captures.
  `CREATE TABLE evidence (id INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL UNIQUE, frames INTEGER NOT NULL,
     pcapng BLOB NOT NULL);`,
  // Devices that a person has said to be one: `merges` is what holds now, `merge_acts` how it came to be so.
  `CREATE TABLE merges (device TEXT PRIMARY KEY, main TEXT NOT NULL) WITHOUT ROWID;
   CREATE INDEX merges_by_main ON merges (main);
   CREATE TABLE distinct_devices (a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;
   CREATE TABLE merge_acts (id INTEGER PRIMARY KEY AUTOINCREMENT, act TEXT NOT NULL, device TEXT NOT NULL,
     other TEXT NOT NULL, at_ms INTEGER NOT NULL, who TEXT NOT NULL, reason TEXT NOT NULL, effects TEXT NOT NULL,
     undone_ms INTEGER NOT NULL DEFAULT 0, undone_by TEXT NOT NULL DEFAULT '');
   CREATE INDEX merge_acts_of ON merge_acts (device, id);
   CREATE INDEX merge_acts_with ON merge_acts (other, id);`,
  // Event time at which detectors stopped obeying a rule that was undone.
  'ALTER TABLE triage_rules ADD COLUMN ended_us INTEGER NOT NULL DEFAULT 0',
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
