import { effect, signal } from '@preact/signals';
import { getQuietly, RequestError, sendJson, unknownHere } from './api.ts';
import { go, route } from './router.ts';
import type { SessionInfo } from '../api/schemas-access.ts';

export type SessionUser = NonNullable<SessionInfo['user']>;
type Role = SessionUser['role'];

const ROLES: readonly Role[] = ['viewer', 'analyst', 'engineer', 'admin'];

/** Who is signed in and how one can sign in; undefined until the server has said. */
export const session = signal<SessionInfo | undefined>(undefined);
/** The session ended while somebody was at work: the page stays as it is below the sign-in. */
export const expired = signal(false);
/** Why nobody knows yet who is signed in. */
export const sessionError = signal<RequestError | undefined>(undefined);

const listeners = new Set<() => void>();

/** Calls `listener` each time when somebody can begin to work. */
export function onSignedIn(listener: () => void): void {
  listeners.add(listener);
}

/** For what a role cannot do and need not see. The server decides in any case. */
export function may(role: Role): boolean {
  const user = session.value?.user;
  return user !== undefined && user !== null && ROLES.indexOf(user.role) >= ROLES.indexOf(role);
}

const canWork = (info: SessionInfo | undefined): boolean =>
  info !== undefined && info.user !== null && info.user.pending === null;

/** Takes over what the server says of the session. */
export function takeSession(info: SessionInfo): void {
  const before = session.value;
  // Another person at the same page would see what the first one was allowed to.
  if (before?.user && info.user && before.user.name !== info.user.name) {
    location.assign('/');
    return;
  }
  const worked = canWork(before) && !expired.value;
  if (before?.user && !info.user) {
    expired.value = true;
    session.value = { ...info, user: before.user };
    return;
  }
  if (info.user) expired.value = false;
  session.value = info;
  if (canWork(info) && !worked) {
    if (route.value.page === 'sign-in') go('/', true);
    for (const listener of listeners) listener();
  }
}

/** Asks the server; false where nobody is signed in any more. */
export async function checkSession(): Promise<boolean> {
  try {
    const info = await getQuietly<SessionInfo>('/api/v1/session', AbortSignal.timeout(10_000));
    sessionError.value = undefined;
    takeSession(info);
    return info.user !== null;
  } catch (error) {
    sessionError.value = error instanceof RequestError ? error : new RequestError(0, 'Wardwatch does not answer.');
    // Not known: whoever asked tries again.
    return session.value !== undefined;
  }
}

export async function signOut(): Promise<void> {
  await sendJson('DELETE', '/session');
  // A fresh page: nothing of what was shown stays in memory.
  location.assign('/sign-in');
}

/** Called once by main. */
export async function startSession(): Promise<void> {
  effect(() => {
    if (unknownHere.value > 0) void checkSession();
  });
  await checkSession();
}
