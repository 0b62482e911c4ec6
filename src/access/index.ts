import { readFileSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../desk/clock.ts';
import type { Clock } from '../desk/clock.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { createAuditLog } from './audit.ts';
import type { AuditLog } from './audit.ts';
import type { AccessConfig } from './config.ts';
import { Sessions, Tokens } from './credentials.ts';
import type { Session } from './credentials.ts';
import { createOidc } from './oidc.ts';
import type { Oidc } from './oidc.ts';
import { faultOf } from './password-rules.ts';
import { bothOf, lesserOf } from './roles.ts';
import type { Role } from './roles.ts';
import { hashRecoveryCode, newRecoveryCodes, newTotp, stepOf } from './second-factor.ts';
import { LONGEST_PASSWORD, hashPassword, isPassword, isSame, newCode, readCode } from './secrets.ts';
import { Throttle } from './throttle.ts';
import { Users } from './users.ts';
import type { Credentials, User } from './users.ts';

export type { AuditEntry, AuditEvent, AuditLog } from './audit.ts';
export type { AccessConfig } from './config.ts';
export type { Session, Token } from './credentials.ts';
export type { User } from './users.ts';

/** What has to be done before anything else is allowed. */
export type Pending = 'password' | 'second-factor';

/** Whoever has shown a session or a token, as of now. */
export interface Identity {
  readonly kind: 'session' | 'token';
  readonly user: User;
  /** Name of the user, or of the token and its user. */
  readonly name: string;
  readonly role: Role;
  readonly vlans: readonly string[] | undefined;
  readonly pending: Pending | undefined;
  readonly sessionId: number | undefined;
  /** Whether it still holds; for connections that last. */
  lives(): boolean;
}

/** Where a request came from. */
export interface Client {
  readonly address: string;
  readonly agent: string;
}

export type SignIn =
  | { readonly kind: 'in'; readonly secret: string; readonly user: User }
  | { readonly kind: 'wrong' }
  /** The password is right, a one-time code or recovery code is needed as well. */
  | { readonly kind: 'code' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'busy' };

/** Passwords that are checked at once: each takes 19 MiB and a thread. */
const MOST_CHECKS = 8;

export interface AccessDeps {
  readonly desk: DatabaseSync;
  readonly clock?: Clock;
}

/** Reads the key of the audit log; fails with `WW_CONFIG`. */
export function auditKey(config: AccessConfig): string | undefined {
  if (config.audit_key_file === undefined) return undefined;
  let key: string;
  try {
    key = readFileSync(config.audit_key_file, 'utf8').trim();
  } catch (cause) {
    throw new WardwatchError(
      'WW_CONFIG',
      `access.audit_key_file cannot be read: ${describeError(cause)}`,
      'put a key there: openssl rand -hex 32',
      { cause },
    );
  }
  if (key.length >= 32) return key;
  throw new WardwatchError(
    'WW_CONFIG',
    'the key in access.audit_key_file is shorter than 32 characters',
    'make one: openssl rand -hex 32',
  );
}

/** People, sessions, tokens and the audit log over the desk. Fails with `WW_CONFIG` where a secret cannot be read. */
export class Access {
  readonly config: AccessConfig;
  readonly users: Users;
  readonly sessions: Sessions;
  readonly tokens: Tokens;
  readonly audit: AuditLog;
  readonly oidc: Oidc | undefined;
  readonly #clock: Clock;
  readonly #throttle: Throttle;
  readonly #setupCode = newCode(5);
  #checks = 0;

  constructor(config: AccessConfig, deps: AccessDeps) {
    this.config = config;
    this.#clock = deps.clock ?? systemClock;
    this.users = new Users(deps.desk, this.#clock);
    this.sessions = new Sessions(deps.desk, this.#clock, config);
    this.tokens = new Tokens(deps.desk, this.#clock);
    this.audit = createAuditLog(deps.desk, this.#clock, auditKey(config));
    this.oidc = config.oidc === undefined ? undefined : createOidc(config.oidc, this.#clock);
    this.#throttle = new Throttle(deps.desk, this.#clock, config);
  }

  /** The code that makes the first admin, as long as there is none. Another one at each start. */
  setupCode(): string | undefined {
    return this.users.hasAdmin() ? undefined : this.#setupCode;
  }

  bySession(secret: string, active: boolean): Identity | undefined {
    const session = this.sessions.find(secret, active);
    const user = session === undefined ? undefined : this.users.byId(session.user);
    if (session === undefined || user === undefined || user.disabled) return undefined;
    const lives = (): boolean => this.sessions.lives(session.id) && this.#isUnchanged(user);
    return {
      kind: 'session',
      user,
      name: user.name,
      role: user.role,
      vlans: this.vlansOf(user),
      pending: this.#pendingOf(user),
      sessionId: session.id,
      lives,
    };
  }

  byToken(secret: string): Identity | undefined {
    const token = this.tokens.find(secret);
    const user = token === undefined ? undefined : this.users.byId(token.user);
    if (token === undefined || user === undefined || user.disabled) return undefined;
    const lives = (): boolean => this.tokens.lives(token.id) && this.#isUnchanged(user);
    return {
      kind: 'token',
      user,
      name: `${user.name}/${token.name}`,
      role: lesserOf(token.role, user.role),
      vlans: bothOf(token.vlans, this.vlansOf(user)),
      pending: undefined,
      sessionId: undefined,
      lives,
    };
  }

  /** The VLANs of the user and of the user's sites; undefined for all. */
  vlansOf(user: User): readonly string[] | undefined {
    if (user.vlans === undefined && user.sites === undefined) return undefined;
    const sites = this.config.sites.filter((site) => user.sites?.includes(site.name) === true);
    return [...new Set([...(user.vlans ?? []), ...sites.flatMap((site) => site.vlans)])];
  }

  /** Checks name, password and, where the user has one, the second factor; opens a session. */
  async signIn(asked: { name: string; password: string; code?: string | undefined }, client: Client): Promise<SignIn> {
    const account = asked.name.trim().toLowerCase();
    const wait = this.#throttle.attempt(account, client.address);
    if (wait > 0) return { kind: 'wait', ms: wait };
    const found = this.users.credentials(account);
    const right = await this.#isPassword(found, asked.password);
    if (right === undefined) {
      this.#throttle.undo(account, client.address);
      return { kind: 'busy' };
    }
    const refused = (detail: string): SignIn => {
      // What was typed as a name may be a password: only names that exist are written down.
      this.#write('sign-in', found?.user.name ?? '', client, 'refused', detail);
      return { kind: 'wrong' };
    };
    if (found === undefined || !right) return refused(found === undefined ? 'no such user' : 'wrong password');
    if (found.user.disabled) return refused('the user is disabled');
    let how = 'password';
    if (found.totp !== '') {
      if (asked.code === undefined || asked.code === '') {
        this.#throttle.undo(account, client.address);
        return { kind: 'code' };
      }
      const second = this.#useCode(found, asked.code);
      if (second === undefined) return refused('wrong second factor');
      how = `password and ${second}`;
    }
    this.#throttle.right(account, client.address);
    return this.#open(found.user, client, how);
  }

  /** Makes the first admin; false where the code is wrong or there is an admin already. */
  async setUp(asked: { code: string; name: string; password: string }, client: Client): Promise<SignIn> {
    const wait = this.#throttle.attempt('first admin', client.address);
    if (wait > 0) return { kind: 'wait', ms: wait };
    if (this.users.hasAdmin() || !isSame(readCode(asked.code), this.#setupCode)) {
      this.#write('first-admin', '', client, 'refused', 'wrong code');
      return { kind: 'wrong' };
    }
    this.#throttle.undo('first admin', client.address);
    this.checkPassword(asked.password, asked.name);
    const password = await hashPassword(asked.password);
    // Somebody else may have been faster while the password was hashed.
    if (this.users.hasAdmin()) return { kind: 'wrong' };
    const user = this.users.add({ name: asked.name, role: 'admin', password });
    this.#write('first-admin', user.name, client, 'done', '');
    return this.#open(user, client, 'first admin');
  }

  /** Ends a sign-in at the provider; the person is known from then on. Fails with `WW_USAGE` where that cannot be. */
  async finishOidc(
    ticket: string,
    query: string,
    client: Client,
  ): Promise<{ kind: 'in'; secret: string; user: User; to: string }> {
    if (this.oidc === undefined) throw new WardwatchError('WW_USAGE', 'there is no single sign-on', 'see access.oidc');
    const refuse = (detail: string, remedy: string, name = ''): WardwatchError => {
      this.#write('sign-in', name, client, 'refused', `single sign-on: ${detail}`);
      return new WardwatchError('WW_USAGE', detail, remedy);
    };
    const person = await this.oidc.finish(ticket, query).catch((error: unknown) => {
      const remedy = error instanceof WardwatchError ? error.remedy : 'begin it again; the audit log says more';
      throw refuse(error instanceof WardwatchError ? error.message : 'the provider did not confirm it', remedy);
    });
    if (person.role === undefined)
      throw refuse('no group of yours may use Wardwatch', 'ask an admin of Wardwatch: access.oidc.roles');
    const scope = { vlans: person.vlans, sites: undefined };
    const known = this.users.bySubject(person.subject);
    // The provider's names may hold anything; ours go into addresses, logs and headers.
    const name = person.name
      .toLowerCase()
      .replaceAll(/[^a-z0-9._@-]/g, '-')
      .replace(/^[^a-z0-9]+/, '')
      .slice(0, 64);
    if (known === undefined && this.users.credentials(name) !== undefined)
      throw refuse('there is a local user of that name', 'ask an admin of Wardwatch to remove or rename one', name);
    const user = known ?? this.users.add({ name, role: person.role, subject: person.subject, scope });
    if (user.disabled) throw refuse('the user is disabled', 'ask an admin of Wardwatch', user.name);
    if (known !== undefined) {
      if (known.role !== person.role) this.users.setRole(known, person.role);
      this.users.setScope(known, scope);
    }
    return { ...this.#open(user, client, 'single sign-on'), to: person.to };
  }

  /** Whether the password is that of the user; for acts that ask for it again. Counts as a sign-in. */
  async confirm(user: User, password: string, client: Client): Promise<'right' | 'wrong' | { ms: number }> {
    const wait = this.#throttle.attempt(user.name, client.address);
    if (wait > 0) return { ms: wait };
    const right = await this.#isPassword(this.users.credentials(user.name), password);
    if (right !== true) return 'wrong';
    this.#throttle.undo(user.name, client.address);
    return 'right';
  }

  /** Other sessions of the user end. Fails with `WW_USAGE` where the rules forbid the password. */
  async changePassword(user: User, password: string, sessionId: number | undefined): Promise<void> {
    this.checkPassword(password, user.name);
    if (await isPassword(this.users.credentials(user.name)?.password ?? '', password))
      throw new WardwatchError('WW_USAGE', 'The new password is the old one.', 'take another one');
    this.users.setPassword(user, await hashPassword(password), false, sessionId);
  }

  /** A new user with a password for one sign-in. */
  async addUser(user: Parameters<Users['add']>[0]): Promise<{ user: User; password: string }> {
    const password = newCode(5);
    const hash = await hashPassword(password);
    return { user: this.users.add({ ...user, password: hash, mustChange: true }), password };
  }

  /** A password for one sign-in; the second factor is taken away, sessions and waits end. */
  async resetUser(user: User): Promise<string> {
    if (user.source === 'oidc')
      throw new WardwatchError('WW_USAGE', `${user.name} signs in by single sign-on`, 'reset it at the provider');
    const password = newCode(5);
    this.users.setPassword(user, await hashPassword(password), true);
    this.users.removeTotp(user);
    this.#throttle.release(user.name);
    return password;
  }

  offerTotp(user: User): { secret: string; uri: string } {
    const totp = newTotp(user.name);
    this.users.offerTotp(user, totp.secret);
    return totp;
  }

  /** Recovery codes, shown this once; undefined where the code is not that of the offered secret. */
  confirmTotp(user: User, code: string): string[] | undefined {
    const offered = this.users.credentials(user.name)?.totpNew ?? '';
    const step = offered === '' ? undefined : stepOf(offered, code, this.#clock.now(), 0);
    if (step === undefined) return undefined;
    const codes = newRecoveryCodes();
    this.users.confirmTotp(user, step, codes.map(hashRecoveryCode));
    return codes;
  }

  renewRecoveryCodes(user: User): string[] {
    const codes = newRecoveryCodes();
    this.users.setRecoveryCodes(user, codes.map(hashRecoveryCode));
    return codes;
  }

  /** Fails with `WW_USAGE` where the rules forbid it. */
  checkPassword(password: string, name: string): void {
    const fault = faultOf(password, name, this.config.password_length);
    if (fault !== undefined) throw new WardwatchError('WW_USAGE', fault, 'take a longer or less usual one');
  }

  signOut(session: Pick<Session, 'id' | 'user'>, name: string, client: Client): void {
    this.sessions.end(session.user, session.id);
    this.#write('sign-out', name, client, 'done', '');
  }

  /** Undefined where too many are being checked. */
  async #isPassword(found: Credentials | undefined, password: string): Promise<boolean | undefined> {
    if (this.#checks >= MOST_CHECKS) return undefined;
    this.#checks++;
    try {
      return await isPassword(found?.password ?? '', password.slice(0, LONGEST_PASSWORD * 4));
    } finally {
      this.#checks--;
    }
  }

  #useCode({ user, totp, totpStep }: Credentials, code: string): string | undefined {
    const step = stepOf(totp, code, this.#clock.now(), totpStep);
    if (step !== undefined) {
      this.users.useTotpStep(user, step);
      return 'one-time code';
    }
    return this.users.useRecoveryCode(user, hashRecoveryCode(code)) ? 'recovery code' : undefined;
  }

  #open(user: User, client: Client, how: string): { kind: 'in'; secret: string; user: User } {
    // First written down, then open: no session is without its line.
    this.#write('sign-in', user.name, client, 'done', how);
    const { secret } = this.sessions.open(user, client.address, client.agent);
    this.users.signedIn(user);
    return { kind: 'in', secret, user };
  }

  /** Whether the user may do and see what was allowed before. */
  #isUnchanged(before: User): boolean {
    const now = this.users.byId(before.id);
    return (
      now !== undefined &&
      !now.disabled &&
      now.role === before.role &&
      String(this.vlansOf(now)) === String(this.vlansOf(before))
    );
  }

  #pendingOf(user: User): Pending | undefined {
    if (user.source === 'oidc') return undefined;
    if (user.mustChange) return 'password';
    const { second_factor: asked } = this.config;
    const needed = asked === 'everyone' || (asked === 'admins' && user.role === 'admin');
    return needed && !user.hasSecondFactor ? 'second-factor' : undefined;
  }

  #write(act: string, who: string, client: Client, outcome: 'done' | 'refused', detail: string): void {
    this.audit.write({ who, act, outcome, detail, address: client.address });
  }
}

/** Where a browser may be sent after a sign-in: a path of this console, nothing else. */
export function safePath(to: string | undefined): string {
  if (to === undefined || to.length > 500 || !/^\/(?![/\\])[\x21-\x7e]*$/.test(to) || to.includes('\\')) return '/';
  return to.startsWith('/api/') ? '/' : to;
}
