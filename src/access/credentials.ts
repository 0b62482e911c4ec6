import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../desk/clock.ts';
import { WardwatchError } from '../kernel/errors.ts';
import type { AccessConfig } from './config.ts';
import { isRole, mayAct } from './roles.ts';
import type { Role } from './roles.ts';
import { hashSecret, newSecret } from './secrets.ts';
import type { User } from './users.ts';

/** How exactly the last use is known; a write for each request would be a load of its own. */
const TOUCH_MS = 60_000;
const DAY_MS = 86_400_000;
const MOST_SESSIONS = 20;
const MOST_TOKENS = 50;
/** The beginning of every API token, so that scanners of repositories can find one that was left there. */
const TOKEN_MARK = 'wwt_';

export interface Session {
  readonly id: number;
  readonly user: number;
  readonly createdMs: number;
  readonly seenMs: number;
  readonly address: string;
  readonly agent: string;
}

/** Sessions of browsers. The cookie holds a random secret, the desk its hash. */
export class Sessions {
  readonly #db: DatabaseSync;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #idleMs: number;
  readonly #longestMs: number;

  constructor(db: DatabaseSync, clock: Pick<Clock, 'now'>, config: AccessConfig) {
    this.#db = db;
    this.#clock = clock;
    this.#idleMs = config.idle_minutes * 60_000;
    this.#longestMs = config.session_hours * 3_600_000;
  }

  /** Always a new secret: one that was there before the sign-in is worth nothing. */
  open(user: User, address: string, agent: string): { secret: string; session: Session } {
    const now = this.#clock.now();
    this.#db
      .prepare('DELETE FROM sessions WHERE seen_ms < ? OR created_ms < ?')
      .run(now - this.#idleMs, now - this.#longestMs);
    this.#db
      .prepare(
        `DELETE FROM sessions WHERE user = ?1 AND id NOT IN
           (SELECT id FROM sessions WHERE user = ?1 ORDER BY seen_ms DESC, id DESC LIMIT ?2)`,
      )
      .run(user.id, MOST_SESSIONS - 1);
    const secret = newSecret();
    this.#db
      .prepare('INSERT INTO sessions (hash, user, created_ms, seen_ms, address, agent) VALUES (?, ?, ?, ?, ?, ?)')
      .run(hashSecret(secret), user.id, now, now, address.slice(0, 64), agent.slice(0, 200));
    const session = this.find(secret);
    if (session === undefined) throw new Error('a session that was just opened is not there');
    return { secret, session };
  }

  /** The session, unless it has ended; `active` says that a person is at work in it. */
  find(secret: string, active = false): Session | undefined {
    const row = this.#db.prepare('SELECT * FROM sessions WHERE hash = ?').get(hashSecret(secret));
    if (row === undefined) return undefined;
    const session = toSession(row);
    if (!this.#lives(session)) {
      this.end(session.user, session.id);
      return undefined;
    }
    const now = this.#clock.now();
    if (active && now - session.seenMs >= TOUCH_MS)
      this.#db.prepare('UPDATE sessions SET seen_ms = ? WHERE id = ?').run(now, session.id);
    return session;
  }

  /** Whether the session is still there; does not count as use of it. */
  lives(id: number): boolean {
    const row = this.#db.prepare('SELECT * FROM sessions WHERE id = ?').get(id);
    return row !== undefined && this.#lives(toSession(row));
  }

  list(user: User): Session[] {
    const rows = this.#db.prepare('SELECT * FROM sessions WHERE user = ? ORDER BY seen_ms DESC, id DESC').all(user.id);
    return rows.map(toSession).filter((session) => this.#lives(session));
  }

  /** Whether there was such a session of the user. */
  end(user: number, id: number): boolean {
    return this.#db.prepare('DELETE FROM sessions WHERE user = ? AND id = ?').run(user, id).changes === 1;
  }

  #lives(session: Session): boolean {
    const now = this.#clock.now();
    return now - session.seenMs < this.#idleMs && now - session.createdMs < this.#longestMs;
  }
}

export interface Token {
  readonly id: number;
  readonly name: string;
  readonly user: number;
  readonly role: Role;
  readonly vlans: readonly string[] | undefined;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly seenMs: number | undefined;
}

/** Tokens for programs: shown once, kept as a hash, never longer than a year and never more than their maker. */
export class Tokens {
  readonly #db: DatabaseSync;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(db: DatabaseSync, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Fails with `WW_USAGE` where it would do more than its maker, or where there are too many. */
  create(
    user: User,
    wanted: { name: string; role: Role; vlans?: readonly string[] | undefined; days: number },
  ): { secret: string; token: Token } {
    if (!mayAct(user.role, wanted.role))
      throw new WardwatchError('WW_USAGE', `${user.name} has not the role ${wanted.role}`, 'ask for a lesser one');
    if (this.list(user).length >= MOST_TOKENS)
      throw new WardwatchError('WW_USAGE', `${user.name} has ${MOST_TOKENS} tokens`, 'revoke one that is not needed');
    const secret = `${TOKEN_MARK}${newSecret()}`;
    const now = this.#clock.now();
    const vlans = wanted.vlans === undefined ? null : JSON.stringify(wanted.vlans);
    const row = this.#db
      .prepare(
        `INSERT INTO tokens (hash, name, user, role, vlans, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *`,
      )
      .get(hashSecret(secret), wanted.name, user.id, wanted.role, vlans, now, now + wanted.days * DAY_MS);
    return { secret, token: toToken(row!) };
  }

  find(secret: string): Token | undefined {
    if (!secret.startsWith(TOKEN_MARK)) return undefined;
    const row = this.#db.prepare('SELECT * FROM tokens WHERE hash = ?').get(hashSecret(secret));
    if (row === undefined) return undefined;
    const token = toToken(row);
    const now = this.#clock.now();
    if (token.expiresMs <= now) return undefined;
    if (now - (token.seenMs ?? 0) >= TOUCH_MS)
      this.#db.prepare('UPDATE tokens SET seen_ms = ? WHERE id = ?').run(now, token.id);
    return token;
  }

  lives(id: number): boolean {
    const row = this.#db.prepare('SELECT expires_ms FROM tokens WHERE id = ?').get(id);
    return row !== undefined && Number(row['expires_ms']) > this.#clock.now();
  }

  /** Of one user, or of all; expired ones too, so that it is seen why something stopped. */
  list(user?: User): Token[] {
    const rows =
      user === undefined
        ? this.#db.prepare('SELECT * FROM tokens ORDER BY id').all()
        : this.#db.prepare('SELECT * FROM tokens WHERE user = ? ORDER BY id').all(user.id);
    return rows.map(toToken);
  }

  /** Whether there was such a token, of the user where one is named. */
  revoke(id: number, user?: User): boolean {
    const found = this.list(user).some((token) => token.id === id);
    return found && this.#db.prepare('DELETE FROM tokens WHERE id = ?').run(id).changes === 1;
  }
}

type Row = NonNullable<ReturnType<ReturnType<DatabaseSync['prepare']>['get']>>;

function toSession(row: Row): Session {
  return {
    id: Number(row['id']),
    user: Number(row['user']),
    createdMs: Number(row['created_ms']),
    seenMs: Number(row['seen_ms']),
    address: String(row['address']),
    agent: String(row['agent']),
  };
}

function toToken(row: Row): Token {
  const role = String(row['role']);
  return {
    id: Number(row['id']),
    name: String(row['name']),
    user: Number(row['user']),
    role: isRole(role) ? role : 'viewer',
    vlans: typeof row['vlans'] === 'string' ? (JSON.parse(row['vlans']) as string[]) : undefined,
    createdMs: Number(row['created_ms']),
    expiresMs: Number(row['expires_ms']),
    seenMs: row['seen_ms'] === null ? undefined : Number(row['seen_ms']),
  };
}
