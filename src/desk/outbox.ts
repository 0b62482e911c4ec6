import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { matchesFilter } from '../alerts/delivery.ts';
import { isMuted } from '../alerts/ocsf.ts';
import type { DeliveryFilter } from '../alerts/delivery.ts';
import type { AlertRow } from '../kernel/rows.ts';
import type { OutboxConfig } from './config.ts';
import { deskError, transaction } from './database.ts';

/** So many alerts are remembered to know which versions were queued. */
const MAX_KNOWN = 1_000_000;
/** The log is cut only so often, since each cut costs a search. */
const PRUNE_EVERY = 1000;

export interface AlertVersion {
  readonly uid: string;
  readonly version: number;
}

/** A delivery that may be tried now. */
export interface Claim {
  readonly id: number;
  readonly row: AlertRow;
  readonly attempts: number;
  /** Place in the schedule of retries. */
  readonly step: number;
  readonly queuedMs: number;
  readonly nextMs: number;
  readonly batch: string | undefined;
}

/** What became of an attempt, as the outbox keeps it. */
export type Settlement =
  | { readonly claim: Claim; readonly kind: 'delivered'; readonly detail: string; readonly tookMs: number }
  | { readonly claim: Claim; readonly kind: 'dead'; readonly detail: string; readonly tookMs: number }
  | {
      readonly claim: Claim;
      readonly kind: 'retry';
      readonly detail: string;
      readonly tookMs: number;
      readonly nextMs: number;
      readonly step: number;
      readonly away: boolean;
    };

/** What the command line asks for; see src/desk/desk-file.ts. */
export interface DeskRequest {
  readonly id: number;
  readonly kind: string;
  /** Empty for all. */
  readonly endpoint: string;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface OutboxEndpoint {
  readonly name: string;
  readonly filter: DeliveryFilter;
}

export interface OutboxCounts {
  queued: number;
  dead: number;
  deferred: number;
}

type Row = Record<string, SQLOutputValue>;

/**
 * The transactional outbox: which version of which alert is still owed to which endpoint. Every method is one
 * transaction that is on disk when it comes back. One process writes.
 *
 * An alert goes into the store between `prepare` and `commit`. A crash between the two leaves an intent, and
 * whoever starts next asks the store whether the alert is there: so that it is queued if and only if it was
 * stored, whatever time its frames carry.
 *
 * Versions of one alert go to an endpoint one after the other: only the oldest is `queued`, those behind it
 * are `waiting`.
 */
export class Outbox {
  readonly #db: DatabaseSync;
  readonly #config: OutboxConfig;
  readonly #endpoints: readonly OutboxEndpoint[];
  readonly #statements = new Map<string, StatementSync>();
  readonly #dropped: (n: number, reason: string) => void;
  #counts: OutboxCounts;
  #sincePrune = 0;
  #seq: number;

  constructor(
    db: DatabaseSync,
    config: OutboxConfig,
    endpoints: readonly OutboxEndpoint[],
    dropped: (n: number, reason: string) => void = () => {},
  ) {
    this.#config = config;
    this.#endpoints = endpoints;
    this.#dropped = dropped;
    this.#db = db;
    this.#counts = this.#countAll();
    this.#seq = this.#count('SELECT coalesce(max(seq), 0) AS n FROM known');
  }

  counts(): Readonly<OutboxCounts> {
    return this.#counts;
  }

  /** Room for more deliveries than are dealt with before the next look. */
  get hasRoom(): boolean {
    return this.#counts.queued < this.#config.max_queued * 0.9;
  }

  /** These alerts are about to be stored. */
  prepare(rows: readonly AlertVersion[]): void {
    this.#atomic(() => {
      for (const { uid, version } of rows) this.#run('INSERT OR IGNORE INTO intents VALUES (?, ?)', uid, version);
    });
  }

  /** These alerts are stored: they are queued for every endpoint that wants them. Returns how many deliveries. */
  commit(rows: readonly AlertRow[], nowMs: number): number {
    return this.#atomic(() => {
      let queued = 0;
      let newest = -Infinity;
      for (const row of rows) {
        queued += this.#accept(row, nowMs);
        this.#run('DELETE FROM intents WHERE uid = ? AND version = ?', row.uid, row.version);
        newest = Math.max(newest, row.time);
      }
      if (newest > -Infinity) this.#raiseMark('watermark', newest);
      return queued;
    });
  }

  /** The same for alerts that were found in the store, in whatever order of time: the watermark stays. */
  adopt(rows: readonly AlertRow[], nowMs: number): number {
    return this.#atomic(() => rows.reduce((queued, row) => queued + this.#accept(row, nowMs), 0));
  }

  /** Alerts of which nobody knows whether they were stored. */
  intents(): AlertVersion[] {
    return this.#all('SELECT uid, version FROM intents ORDER BY uid, version').map(toVersion);
  }

  /** The store does not have these: they were never stored, so they are not delivered. */
  forget(versions: readonly AlertVersion[]): void {
    this.#atomic(() => {
      for (const { uid, version } of versions)
        this.#run('DELETE FROM intents WHERE uid = ? AND version = ?', uid, version);
    });
  }

  /** Time of the newest alert that was queued, epoch milliseconds; undefined for an outbox that is new. */
  watermark(): number | undefined {
    const row = this.#get("SELECT value FROM marks WHERE name = 'watermark'");
    return row === undefined ? undefined : Number(row['value']);
  }

  /** All that is stored up to this time has been dealt with. */
  raiseWatermark(timeMs: number): void {
    this.#atomic(() => this.#raiseMark('watermark', timeMs));
  }

  /** Whether this version, or a newer one, was dealt with. */
  knows(uid: string, version: number): boolean {
    const known = this.#get('SELECT version FROM known WHERE uid = ?', uid);
    return known !== undefined && Number(known['version']) >= version;
  }

  /** These have been dealt with elsewhere: they are not queued. */
  know(versions: readonly AlertVersion[]): void {
    this.#atomic(() => {
      for (const { uid, version } of versions) this.#remember(uid, version);
    });
  }

  /** Up to where the store was read, seconds of its clock; undefined where it never was. */
  arrivalMark(): number | undefined {
    const row = this.#get("SELECT value FROM marks WHERE name = 'arrivals'");
    return row === undefined ? undefined : Number(row['value']);
  }

  /** Also backwards: the clock of the store may have been wrong. */
  setArrivalMark(second: number): void {
    this.#atomic(() =>
      this.#run(
        "INSERT INTO marks VALUES ('arrivals', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        Math.trunc(second),
      ),
    );
  }

  /** Alerts that found no room, oldest names first. */
  deferred(limit: number): AlertVersion[] {
    return this.#all('SELECT uid, version FROM deferred ORDER BY uid LIMIT ?', limit).map(toVersion);
  }

  /** Queues deferred alerts as the store has them now; those that it no longer has are given up. */
  admit(asked: readonly AlertVersion[], rows: readonly AlertRow[], nowMs: number): number {
    return this.#atomic(() => {
      for (const { uid } of asked) this.#counts.deferred -= this.#run('DELETE FROM deferred WHERE uid = ?', uid);
      this.#gaveUp(asked.length - rows.length, 'no longer stored');
      let queued = 0;
      for (const row of rows) {
        queued += this.#queue(row, nowMs);
        this.#remember(row.uid, row.version);
      }
      return queued;
    });
  }

  /** Queues alerts again, also those that were delivered; what still waits or is being tried stays as it is. */
  requeue(rows: readonly AlertRow[], endpoint: string, nowMs: number): number {
    return this.#atomic(() => {
      let queued = 0;
      for (const row of rows) queued += this.#queue(row, nowMs, endpoint);
      return queued;
    });
  }

  /** Queues dead letters again, of one endpoint or (empty) of all. */
  revive(endpoint: string, nowMs: number): number {
    return this.#atomic(() => {
      const dead = this.#all(
        "SELECT id, endpoint, uid, version FROM deliveries WHERE state = 'dead' AND (? = '' OR endpoint = ?) ORDER BY id",
        endpoint,
        endpoint,
      );
      for (const row of dead) this.#reviveOne(row, nowMs);
      return dead.length;
    });
  }

  /** What may be tried now, the longest due first; never two versions of one alert. */
  claim(endpoint: string, nowMs: number, limit: number, busy: ReadonlySet<number>): Claim[] {
    const due = this.#all(
      `SELECT d.id, d.batch, d.attempts, d.step, d.queued_ms, d.next_ms, b.body FROM deliveries d JOIN bodies b ON b.id = d.body
       WHERE d.endpoint = ? AND d.state = 'queued' AND d.next_ms <= ? ORDER BY d.next_ms, d.id LIMIT ?`,
      endpoint,
      nowMs,
      limit + busy.size,
    ).filter((row) => !busy.has(Number(row['id'])));
    const first = due[0];
    if (first === undefined) return [];
    const batch = first['batch'];
    if (typeof batch === 'string') return this.#batch(batch).filter((claim) => !busy.has(claim.id));
    return due
      .filter((row) => row['batch'] === null)
      .slice(0, limit)
      .map(toClaim);
  }

  /** A delivery that failed only because the endpoint did not answer, before its time: to see whether it answers. */
  claimProbe(endpoint: string, busy: ReadonlySet<number>): Claim[] {
    const row = this.#all(
      `SELECT d.id, d.batch, d.attempts, d.step, d.queued_ms, d.next_ms, b.body FROM deliveries d JOIN bodies b ON b.id = d.body
       WHERE d.endpoint = ? AND d.away = 1 AND d.state = 'queued' ORDER BY d.next_ms LIMIT ?`,
      endpoint,
      1 + busy.size,
    ).find((candidate) => !busy.has(Number(candidate['id'])));
    if (row === undefined) return [];
    return typeof row['batch'] === 'string' ? this.#batch(row['batch']) : [toClaim(row)];
  }

  /** Fixes the members of a batch before it is sent for the first time. */
  bindBatch(claims: readonly Claim[], batch: string): void {
    this.#atomic(() => {
      for (const { id } of claims) this.#run('UPDATE deliveries SET batch = ? WHERE id = ?', batch, id);
    });
  }

  /** When the next delivery to the endpoint is due; undefined where none waits. */
  nextDue(endpoint: string, busy: ReadonlySet<number>): number | undefined {
    const row = this.#all(
      "SELECT id, next_ms FROM deliveries WHERE endpoint = ? AND state = 'queued' ORDER BY next_ms, id LIMIT ?",
      endpoint,
      1 + busy.size,
    ).find((candidate) => !busy.has(Number(candidate['id'])));
    return row === undefined ? undefined : Number(row['next_ms']);
  }

  /** The endpoint answers again: whatever waited only for that is due now. Returns how many. */
  pullForward(endpoint: string, nowMs: number): number {
    return this.#atomic(() =>
      this.#run(
        "UPDATE deliveries SET next_ms = ? WHERE endpoint = ? AND away = 1 AND state = 'queued' AND next_ms > ?",
        nowMs,
        endpoint,
        nowMs,
      ),
    );
  }

  /** Writes down how attempts ended, all in one transaction. */
  settle(endpoint: string, settlements: readonly Settlement[], nowMs: number): void {
    this.#atomic(() => {
      for (const settlement of settlements) this.#settleOne(endpoint, settlement, nowMs);
      this.#sincePrune += settlements.length;
      if (this.#sincePrune >= PRUNE_EVERY) this.#prune();
    });
  }

  disabledReason(endpoint: string): string {
    const reason = this.#get('SELECT disabled FROM endpoints WHERE name = ?', endpoint)?.['disabled'];
    return typeof reason === 'string' ? reason : '';
  }

  /** Switches an endpoint off (with a reason) or on again (with an empty one). */
  setDisabled(endpoint: string, reason: string): void {
    this.#atomic(() =>
      this.#run(
        'INSERT INTO endpoints VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET disabled = excluded.disabled',
        endpoint,
        reason,
      ),
    );
  }

  /** What waits for endpoints that the configuration no longer has becomes dead letters. Returns how many. */
  retireOthers(): number {
    return this.#atomic(() => {
      const names = this.#endpoints.map((endpoint) => endpoint.name);
      const n = this.#run(
        `UPDATE deliveries SET state = 'dead', detail = 'the endpoint is no longer configured'
         WHERE state <> 'dead' AND endpoint NOT IN (${names.map(() => '?').join(', ')})`,
        ...names,
      );
      this.#counts.queued -= n;
      this.#counts.dead += n;
      this.#capDead();
      return n;
    });
  }

  requests(): DeskRequest[] {
    return this.#all('SELECT * FROM requests ORDER BY id LIMIT 100').map((row) => ({
      id: Number(row['id']),
      kind: String(row['kind']),
      endpoint: String(row['endpoint']),
      fromMs: Number(row['from_ms']),
      toMs: Number(row['to_ms']),
    }));
  }

  requestDone(id: number): void {
    this.#atomic(() => this.#run('DELETE FROM requests WHERE id = ?', id));
  }

  /** A stored alert, if it is newer than what is known of it. */
  #accept(row: AlertRow, nowMs: number): number {
    if (this.knows(row.uid, row.version)) return 0;
    const isWanted = this.#endpoints.some((endpoint) => matchesFilter(endpoint.filter, row));
    // What is muted may come back with the same version, when the rule is undone.
    if (!isWanted && isMuted(row)) return 0;
    this.#remember(row.uid, row.version);
    if (!isWanted) return 0;
    // While older alerts are deferred, newer ones stand behind them: a version never overtakes another.
    if (this.#counts.deferred > 0 || this.#counts.queued >= this.#config.max_queued) {
      this.#defer(row);
      return 0;
    }
    return this.#queue(row, nowMs);
  }

  #defer(row: AlertVersion): void {
    const known = this.#get('SELECT 1 FROM deferred WHERE uid = ?', row.uid) !== undefined;
    if (!known && this.#counts.deferred >= this.#config.max_deferred) {
      this.#gaveUp(1, 'too many deferred');
      return;
    }
    this.#run(
      'INSERT INTO deferred VALUES (?, ?) ON CONFLICT (uid) DO UPDATE SET version = max(version, excluded.version)',
      row.uid,
      row.version,
    );
    if (!known) this.#counts.deferred++;
  }

  #queue(row: AlertRow, nowMs: number, only = ''): number {
    let queued = 0;
    let body: number | undefined;
    for (const { name, filter } of this.#endpoints) {
      if ((only !== '' && name !== only) || !matchesFilter(filter, row)) continue;
      const there = this.#get(
        'SELECT id, endpoint, uid, version, state FROM deliveries WHERE endpoint = ? AND uid = ? AND version = ?',
        name,
        row.uid,
        row.version,
      );
      if (there !== undefined) {
        if (there['state'] === 'dead') {
          this.#reviveOne(there, nowMs);
          queued++;
        }
        continue;
      }
      body ??= this.#bodyOf(row);
      this.#run(
        'INSERT INTO deliveries (endpoint, uid, version, body, state, queued_ms, next_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
        name,
        row.uid,
        row.version,
        body,
        this.#stateFor(name, row),
        nowMs,
        nowMs,
      );
      this.#counts.queued++;
      queued++;
    }
    return queued;
  }

  /** Behind any other version that waits or is tried, whichever is the newer: one alert, one delivery at a time. */
  #stateFor(endpoint: string, { uid }: AlertVersion): 'queued' | 'waiting' {
    const other = this.#get(
      // The plus keeps the planner from walking all that is queued: few versions of one alert are there at a time.
      "SELECT 1 FROM deliveries WHERE endpoint = ? AND uid = ? AND +state = 'queued' LIMIT 1",
      endpoint,
      uid,
    );
    return other === undefined ? 'queued' : 'waiting';
  }

  #bodyOf(row: AlertRow): number {
    const there = this.#get('SELECT id FROM bodies WHERE uid = ? AND version = ?', row.uid, row.version);
    if (there !== undefined) return Number(there['id']);
    const body = zstdCompressSync(JSON.stringify(row));
    const made = this.#get(
      'INSERT INTO bodies (uid, version, body) VALUES (?, ?, ?) RETURNING id',
      row.uid,
      row.version,
      body,
    );
    return Number(made!['id']);
  }

  #reviveOne(row: Row, nowMs: number): void {
    const version = { uid: String(row['uid']), version: Number(row['version']) };
    this.#run(
      "UPDATE deliveries SET state = ?, attempts = 0, step = 0, away = 0, batch = NULL, queued_ms = ?, next_ms = ?, detail = '' WHERE id = ?",
      this.#stateFor(String(row['endpoint']), version),
      nowMs,
      nowMs,
      Number(row['id']),
    );
    this.#counts.dead--;
    this.#counts.queued++;
  }

  #batch(batch: string): Claim[] {
    return this.#all(
      `SELECT d.id, d.batch, d.attempts, d.step, d.queued_ms, d.next_ms, b.body FROM deliveries d JOIN bodies b ON b.id = d.body
       WHERE d.batch = ? AND d.state = 'queued' ORDER BY d.id`,
      batch,
    ).map(toClaim);
  }

  #settleOne(endpoint: string, settlement: Settlement, nowMs: number): void {
    const { claim, kind, detail, tookMs } = settlement;
    const attempt = claim.attempts + 1;
    this.#run(
      'INSERT INTO log (at_ms, endpoint, uid, version, attempt, outcome, detail, took_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      nowMs,
      endpoint,
      claim.row.uid,
      claim.row.version,
      attempt,
      kind,
      detail,
      Math.round(tookMs),
    );
    switch (kind) {
      case 'delivered': {
        const gone = this.#get('DELETE FROM deliveries WHERE id = ? RETURNING body', claim.id);
        if (gone === undefined) return;
        this.#counts.queued--;
        this.#dropBody(Number(gone['body']));
        this.#promote(endpoint, claim.row.uid);
        break;
      }
      case 'dead':
        this.#run(
          "UPDATE deliveries SET state = 'dead', attempts = ?, detail = ?, batch = NULL WHERE id = ?",
          attempt,
          detail,
          claim.id,
        );
        this.#counts.queued--;
        this.#counts.dead++;
        this.#promote(endpoint, claim.row.uid);
        this.#capDead();
        break;
      case 'retry':
        this.#run(
          'UPDATE deliveries SET attempts = ?, step = ?, away = ?, next_ms = ?, detail = ? WHERE id = ?',
          attempt,
          settlement.step,
          settlement.away ? 1 : 0,
          Math.round(settlement.nextMs),
          detail,
          claim.id,
        );
        break;
    }
  }

  /** The next version of the alert has its turn. */
  #promote(endpoint: string, uid: string): void {
    this.#run(
      `UPDATE deliveries SET state = 'queued' WHERE id = (SELECT id FROM deliveries
       WHERE endpoint = ? AND uid = ? AND +state = 'waiting' ORDER BY version LIMIT 1)`,
      endpoint,
      uid,
    );
  }

  #dropBody(body: number): void {
    this.#run('DELETE FROM bodies WHERE id = ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE body = ?)', body, body);
  }

  #capDead(): void {
    const over = this.#counts.dead - this.#config.max_dead_letters;
    if (over <= 0) return;
    const gone = this.#all(
      "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE state = 'dead' ORDER BY id LIMIT ?) RETURNING body",
      over,
    );
    for (const row of gone) this.#dropBody(Number(row['body']));
    this.#counts.dead -= gone.length;
    this.#gaveUp(gone.length, 'too many dead letters');
  }

  #prune(): void {
    this.#sincePrune = 0;
    this.#run('DELETE FROM log WHERE id <= (SELECT max(id) FROM log) - ?', this.#config.log_rows);
    this.#run('DELETE FROM known WHERE seq <= ?', this.#seq - MAX_KNOWN);
  }

  #remember(uid: string, version: number): void {
    this.#seq++;
    this.#run(
      `INSERT INTO known VALUES (?, ?, ?)
       ON CONFLICT (uid) DO UPDATE SET version = max(version, excluded.version), seq = excluded.seq`,
      uid,
      version,
      this.#seq,
    );
  }

  #raiseMark(name: string, value: number): void {
    this.#run(
      'INSERT INTO marks VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)',
      name,
      Math.trunc(value),
    );
  }

  #gaveUp(n: number, reason: string): void {
    if (n > 0) this.#dropped(n, reason);
  }

  #countAll(): OutboxCounts {
    return {
      queued: this.#count("SELECT count(*) AS n FROM deliveries WHERE state <> 'dead'"),
      dead: this.#count("SELECT count(*) AS n FROM deliveries WHERE state = 'dead'"),
      deferred: this.#count('SELECT count(*) AS n FROM deferred'),
    };
  }

  /** One transaction; where it fails, the counts are taken anew from what is there. */
  #atomic<T>(work: () => T): T {
    try {
      return transaction(this.#db, work);
    } catch (error) {
      if (this.#db.isOpen) this.#counts = this.#countAll();
      throw deskError(this.#db.location() ?? '', error);
    }
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...values).changes);
  }

  #get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values);
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepared(sql).all(...values);
  }

  #count(sql: string): number {
    return Number(this.#get(sql)?.['n']);
  }
}

function toVersion(row: Row): AlertVersion {
  return { uid: String(row['uid']), version: Number(row['version']) };
}

function toClaim(row: Row): Claim {
  return {
    id: Number(row['id']),
    row: JSON.parse(zstdDecompressSync(row['body'] as Uint8Array).toString('utf8')) as AlertRow,
    attempts: Number(row['attempts']),
    step: Number(row['step']),
    queuedMs: Number(row['queued_ms']),
    nextMs: Number(row['next_ms']),
    batch: typeof row['batch'] === 'string' ? row['batch'] : undefined,
  };
}
