import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import { transaction } from '../desk/database.ts';
import type { Clock } from '../desk/clock.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { isRole } from './roles.ts';
import type { Role } from './roles.ts';

/** What a user may see; undefined is all. Sites are names of the configuration that stand for VLANs. */
export interface Scope {
  readonly vlans: readonly string[] | undefined;
  readonly sites: readonly string[] | undefined;
}

export interface User extends Scope {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly source: 'local' | 'oidc';
  readonly disabled: boolean;
  /** The password was given by somebody else and has to be changed. */
  readonly mustChange: boolean;
  readonly hasSecondFactor: boolean;
  readonly createdMs: number;
  readonly signedInMs: number | undefined;
}

/** What only the sign-in looks at. */
export interface Credentials {
  readonly user: User;
  readonly password: string;
  readonly totp: string;
  readonly totpNew: string;
  readonly totpStep: number;
}

const NAME = /^[a-z0-9][a-z0-9._@-]{0,63}$/;

/** The name as it is stored; fails with `WW_USAGE` where it is none. */
export function userName(text: string): string {
  const name = text.trim().toLowerCase();
  if (NAME.test(name)) return name;
  throw new WardwatchError(
    'WW_USAGE',
    'this is not a name for a user',
    'take 1 to 64 of the characters a-z, 0-9, dot, underscore, hyphen and @, a letter or digit first',
  );
}

/** Users in the desk. Whoever calls decides who may; the last admin that can sign in is kept in any case. */
export class Users {
  readonly #db: DatabaseSync;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(db: DatabaseSync, clock: Pick<Clock, 'now'>) {
    this.#db = db;
    this.#clock = clock;
  }

  list(): User[] {
    return this.#db.prepare('SELECT * FROM users ORDER BY name').all().map(toUser);
  }

  /** Fails with `WW_USAGE` where there is none. */
  get(name: string): User {
    const found = this.credentials(name)?.user;
    if (found !== undefined) return found;
    throw new WardwatchError('WW_USAGE', 'there is no such user', 'see `wardwatch users list`');
  }

  byId(id: number): User | undefined {
    const row = this.#db.prepare('SELECT * FROM users WHERE id = ?').get(id);
    return row === undefined ? undefined : toUser(row);
  }

  bySubject(subject: string): User | undefined {
    const row = this.#db.prepare('SELECT * FROM users WHERE subject = ?').get(subject);
    return row === undefined ? undefined : toUser(row);
  }

  credentials(name: string): Credentials | undefined {
    const row = this.#db.prepare('SELECT * FROM users WHERE name = ?').get(name.trim().toLowerCase());
    if (row === undefined) return undefined;
    return {
      user: toUser(row),
      password: String(row['password']),
      totp: String(row['totp']),
      totpNew: String(row['totp_new']),
      totpStep: Number(row['totp_step']),
    };
  }

  hasAdmin(): boolean {
    return this.#admins() > 0;
  }

  /** Fails with `WW_USAGE` where the name is taken. */
  add(user: {
    name: string;
    role: Role;
    password?: string;
    mustChange?: boolean;
    subject?: string;
    scope?: Partial<Scope>;
  }): User {
    const name = userName(user.name);
    if (this.credentials(name) !== undefined)
      throw new WardwatchError('WW_USAGE', `there is already a user ${name}`, 'choose another name');
    this.#db
      .prepare(
        `INSERT INTO users (name, role, source, subject, password, must_change, vlans, sites, created_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        name,
        user.role,
        user.subject === undefined ? 'local' : 'oidc',
        user.subject ?? null,
        user.password ?? '',
        user.mustChange === true ? 1 : 0,
        listText(user.scope?.vlans),
        listText(user.scope?.sites),
        this.#clock.now(),
      );
    return this.get(name);
  }

  setRole(user: User, role: Role): void {
    this.#keepingAnAdmin(() => this.#set(user, 'role = ?', role));
  }

  setDisabled(user: User, disabled: boolean): void {
    this.#keepingAnAdmin(() => {
      this.#set(user, 'disabled = ?', disabled ? 1 : 0);
      if (disabled) this.#endSessions(user);
    });
  }

  setScope(user: User, scope: Scope): void {
    this.#set(user, 'vlans = ?, sites = ?', listText(scope.vlans), listText(scope.sites));
  }

  /** Also ends all sessions of the user, except the one of which the number is given. */
  setPassword(user: User, hash: string, mustChange: boolean, keep = 0): void {
    transaction(this.#db, () => {
      this.#set(user, 'password = ?, must_change = ?', hash, mustChange ? 1 : 0);
      this.#endSessions(user, keep);
    });
  }

  /** A secret that counts only when it has been confirmed with a code. */
  offerTotp(user: User, secret: string): void {
    this.#set(user, 'totp_new = ?', secret);
  }

  /** The offered secret becomes the second factor; `step` is that of the code which confirmed it. */
  confirmTotp(user: User, step: number, recoveryCodes: readonly Buffer[]): void {
    transaction(this.#db, () => {
      this.#set(user, "totp = totp_new, totp_new = '', totp_step = ?", step);
      this.#setRecoveryCodes(user, recoveryCodes);
    });
  }

  setRecoveryCodes(user: User, codes: readonly Buffer[]): void {
    transaction(this.#db, () => this.#setRecoveryCodes(user, codes));
  }

  removeTotp(user: User): void {
    transaction(this.#db, () => {
      this.#set(user, "totp = '', totp_new = '', totp_step = 0");
      this.#setRecoveryCodes(user, []);
    });
  }

  useTotpStep(user: User, step: number): void {
    this.#set(user, 'totp_step = ?', step);
  }

  /** Whether the code was there; it is not any more. */
  useRecoveryCode(user: User, hash: Buffer): boolean {
    return this.#db.prepare('DELETE FROM recovery_codes WHERE user = ? AND hash = ?').run(user.id, hash).changes === 1;
  }

  recoveryCodesLeft(user: User): number {
    return Number(this.#db.prepare('SELECT count(*) AS n FROM recovery_codes WHERE user = ?').get(user.id)?.['n']);
  }

  signedIn(user: User): void {
    this.#set(user, 'signed_in_ms = ?', this.#clock.now());
  }

  #setRecoveryCodes(user: User, codes: readonly Buffer[]): void {
    this.#db.prepare('DELETE FROM recovery_codes WHERE user = ?').run(user.id);
    for (const code of codes) this.#db.prepare('INSERT INTO recovery_codes VALUES (?, ?)').run(user.id, code);
  }

  #set(user: User, what: string, ...values: SQLInputValue[]): void {
    this.#db.prepare(`UPDATE users SET ${what} WHERE id = ?`).run(...values, user.id);
  }

  #endSessions(user: User, keep = 0): void {
    this.#db.prepare('DELETE FROM sessions WHERE user = ? AND id <> ?').run(user.id, keep);
  }

  #admins(): number {
    return Number(
      this.#db.prepare("SELECT count(*) AS n FROM users WHERE role = 'admin' AND disabled = 0").get()?.['n'],
    );
  }

  #keepingAnAdmin(work: () => void): void {
    transaction(this.#db, () => {
      const before = this.#admins();
      work();
      if (before > 0 && this.#admins() === 0)
        throw new WardwatchError('WW_USAGE', 'this is the last admin', 'make somebody else an admin first');
    });
  }
}

const listText = (list: readonly string[] | undefined): string | null =>
  list === undefined ? null : JSON.stringify(list);

const toList = (text: SQLOutputValue | undefined): readonly string[] | undefined =>
  typeof text === 'string' ? (JSON.parse(text) as string[]) : undefined;

function toUser(row: Record<string, SQLOutputValue>): User {
  const role = String(row['role']);
  return {
    id: Number(row['id']),
    name: String(row['name']),
    // What is not known any more may do the least.
    role: isRole(role) ? role : 'viewer',
    source: row['source'] === 'oidc' ? 'oidc' : 'local',
    disabled: row['disabled'] !== 0,
    mustChange: row['must_change'] !== 0,
    hasSecondFactor: row['totp'] !== '',
    vlans: toList(row['vlans']),
    sites: toList(row['sites']),
    createdMs: Number(row['created_ms']),
    signedInMs: row['signed_in_ms'] === null ? undefined : Number(row['signed_in_ms']),
  };
}
