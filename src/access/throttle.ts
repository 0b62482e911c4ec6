import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../desk/clock.ts';
import type { AccessConfig } from './config.ts';

/** Wrong sign-ins are forgotten after a day without another. */
const FORGET_MS = 86_400_000;
/** Names and addresses that are remembered; the oldest go first. */
const MOST = 10_000;
/** Many people may share an address, behind a proxy or a terminal server. */
const ADDRESS_FACTOR = 6;

/**
 * Waits that grow with each wrong sign-in, per account and per address. They are kept in the desk: a restart does not
 * end them. An attempt is counted before it is checked, so that many at once do not slip through.
 */
export class Throttle {
  readonly #db: DatabaseSync;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #config: AccessConfig;

  constructor(db: DatabaseSync, clock: Pick<Clock, 'now'>, config: AccessConfig) {
    this.#db = db;
    this.#clock = clock;
    this.#config = config;
  }

  /** Counts an attempt. Milliseconds to wait where it may not be made, else 0. */
  attempt(account: string, address: string): number {
    const now = this.#clock.now();
    const subjects = this.#subjects(account, address);
    const wait = Math.max(...subjects.map(([subject]) => this.#until(subject) - now), 0);
    if (wait > 0) return wait;
    this.#forget(now);
    for (const [subject, most] of subjects) this.#count(subject, most, now);
    return 0;
  }

  /** The attempt was no wrong one, nor a whole one: it is as if it had not been made. */
  undo(account: string, address: string): void {
    for (const [subject] of this.#subjects(account, address))
      this.#db.prepare('UPDATE failures SET n = n - 1, until_ms = 0 WHERE subject = ? AND n > 0').run(subject);
  }

  /** The attempt was right: the account begins anew, the address loses this one attempt. */
  right(account: string, address: string): void {
    this.undo(account, address);
    this.release(account);
  }

  /** Ends the wait of an account. */
  release(account: string): void {
    this.#db.prepare('DELETE FROM failures WHERE subject = ?').run(`account ${account}`);
  }

  #subjects(account: string, address: string): [subject: string, most: number][] {
    const { failures } = this.#config;
    return [
      [`account ${account.slice(0, 200)}`, failures],
      [addressOf(address), failures * ADDRESS_FACTOR],
    ];
  }

  #until(subject: string): number {
    return Number(this.#db.prepare('SELECT until_ms FROM failures WHERE subject = ?').get(subject)?.['until_ms'] ?? 0);
  }

  #count(subject: string, most: number, now: number): void {
    const row = this.#db.prepare('SELECT n, last_ms FROM failures WHERE subject = ?').get(subject);
    const n = row === undefined || Number(row['last_ms']) < now - FORGET_MS ? 1 : Number(row['n']) + 1;
    const { wait_seconds: first, longest_wait_minutes: longest } = this.#config;
    const wait = n < most ? 0 : Math.min(longest * 60_000, first * 1000 * 2 ** Math.min(n - most, 30));
    this.#db
      .prepare(
        `INSERT INTO failures VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (subject) DO UPDATE SET n = ?2, until_ms = ?3, last_ms = ?4`,
      )
      .run(subject, n, wait === 0 ? 0 : now + wait, now);
  }

  #forget(now: number): void {
    this.#db.prepare('DELETE FROM failures WHERE last_ms < ?').run(now - FORGET_MS);
    this.#db
      .prepare(
        'DELETE FROM failures WHERE subject IN (SELECT subject FROM failures ORDER BY last_ms DESC LIMIT -1 OFFSET ?)',
      )
      .run(MOST);
  }
}

/** A subscriber has a whole /64 of IPv6 addresses (RFC 6177): they count as one. */
function addressOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return `address ${address.replace('::ffff:', '')}`;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...before, ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0'), ...after];
  return `address ${groups.slice(0, 4).join(':')}/64`;
}
