import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { WardwatchError } from '../kernel/errors.ts';
import { deskError, openDatabase, transaction } from './database.ts';

/** What waits for an endpoint. */
export interface EndpointLine {
  readonly endpoint: string;
  readonly queued: number;
  readonly dead: number;
  /** When the longest waiting delivery was queued, epoch milliseconds. */
  readonly oldestMs: number | undefined;
  readonly disabled: string;
}

export interface LogLine {
  readonly atMs: number;
  readonly endpoint: string;
  readonly uid: string;
  readonly version: number;
  readonly attempt: number;
  readonly outcome: string;
  readonly detail: string;
  readonly tookMs: number;
}

export interface DeadLetterLine {
  readonly endpoint: string;
  readonly uid: string;
  readonly version: number;
  readonly attempts: number;
  readonly queuedMs: number;
  readonly detail: string;
}

export interface Summary {
  readonly endpoints: readonly EndpointLine[];
  /** Alerts of which only the number is kept. */
  readonly deferred: number;
  /** Requests that no running Wardwatch has dealt with. */
  readonly requests: number;
}

/** What `ask` leaves in the file for the running program. */
export type Request =
  | { readonly kind: 'replay'; readonly endpoint: string; readonly fromMs: number; readonly toMs: number }
  | { readonly kind: 'revive'; readonly endpoint: string }
  | { readonly kind: 'enable'; readonly endpoint: string };

/**
 * The outbox seen from another process, beside the running program or without one: SQLite lets many read while
 * one writes. Nothing here delivers; a request is left in the file, and the program that owns it acts on it.
 */
export interface DeskFile {
  summary(): Summary;
  /** The newest attempts first. */
  log(limit: number, endpoint?: string): LogLine[];
  /** The newest first. */
  deadLetters(limit: number, endpoint?: string): DeadLetterLine[];
  ask(request: Request): void;
}

/** Fails with `WW_INPUT_MISSING` where there is no such file, and with `WW_OUTPUT` where it cannot be used. */
export function openDeskFile(path: string): DeskFile {
  const use = <T>(mode: 'read' | 'write', work: (db: DatabaseSync) => T): T => {
    if (statSync(path, { throwIfNoEntry: false }) === undefined)
      throw new WardwatchError(
        'WW_INPUT_MISSING',
        `there is no desk at ${path}`,
        'it is made by the first `wardwatch run` or `wardwatch server`; desk.path says where',
      );
    const db = openDatabase(path, mode);
    try {
      return work(db);
    } catch (error) {
      throw deskError(path, error);
    } finally {
      db.close();
    }
  };
  const number = (value: unknown): number => Number(value ?? 0);

  return {
    summary: () =>
      use('read', (db) => ({
        endpoints: db
          .prepare(
            `SELECT n.name, e.disabled, d.queued, d.dead, d.oldest FROM
               (SELECT endpoint AS name FROM deliveries UNION SELECT name FROM endpoints) n
             LEFT JOIN endpoints e ON e.name = n.name
             LEFT JOIN (SELECT endpoint, sum(state <> 'dead') AS queued, sum(state = 'dead') AS dead,
                          min(CASE WHEN state <> 'dead' THEN queued_ms END) AS oldest
                        FROM deliveries GROUP BY endpoint) d ON d.endpoint = n.name
             ORDER BY n.name`,
          )
          .all()
          .map((row) => ({
            endpoint: String(row['name']),
            queued: number(row['queued']),
            dead: number(row['dead']),
            oldestMs: row['oldest'] === null ? undefined : number(row['oldest']),
            disabled: typeof row['disabled'] === 'string' ? row['disabled'] : '',
          })),
        deferred: number(db.prepare('SELECT count(*) AS n FROM deferred').get()?.['n']),
        requests: number(db.prepare('SELECT count(*) AS n FROM requests').get()?.['n']),
      })),

    log: (limit, endpoint = '') =>
      use('read', (db) =>
        db
          .prepare("SELECT * FROM log WHERE ?1 = '' OR endpoint = ?1 ORDER BY id DESC LIMIT ?2")
          .all(endpoint, limit)
          .map((row) => ({
            atMs: number(row['at_ms']),
            endpoint: String(row['endpoint']),
            uid: String(row['uid']),
            version: number(row['version']),
            attempt: number(row['attempt']),
            outcome: String(row['outcome']),
            detail: String(row['detail']),
            tookMs: number(row['took_ms']),
          })),
      ),

    deadLetters: (limit, endpoint = '') =>
      use('read', (db) =>
        db
          .prepare(
            `SELECT endpoint, uid, version, attempts, queued_ms, detail FROM deliveries
             WHERE state = 'dead' AND (?1 = '' OR endpoint = ?1) ORDER BY id DESC LIMIT ?2`,
          )
          .all(endpoint, limit)
          .map((row) => ({
            endpoint: String(row['endpoint']),
            uid: String(row['uid']),
            version: number(row['version']),
            attempts: number(row['attempts']),
            queuedMs: number(row['queued_ms']),
            detail: String(row['detail']),
          })),
      ),

    ask: (request) =>
      use('write', (db) =>
        transaction(db, () => {
          const range = request.kind === 'replay' ? [request.fromMs, request.toMs] : [0, 0];
          db.prepare('INSERT INTO requests (kind, endpoint, from_ms, to_ms) VALUES (?, ?, ?, ?)').run(
            request.kind,
            request.endpoint,
            ...range,
          );
        }),
      ),
  };
}
