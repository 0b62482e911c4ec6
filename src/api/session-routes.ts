import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { safePath } from '../access/index.ts';
import type { Access, Client, SignIn, User } from '../access/index.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { clearSessionCookie, sessionSecret, setSessionCookie } from './access.ts';
import { done, json } from './answers.ts';
import { notFound, ProblemError } from './problems.ts';
import {
  codeSchema,
  confirmSchema,
  firstAdminSchema,
  idParamsSchema,
  newPasswordSchema,
  recoveryCodesSchema,
  sessionListSchema,
  sessionSchema,
  signInSchema,
  totpSchema,
} from './schemas-access.ts';
import type { SessionInfo } from './schemas-access.ts';

/** Sign-ins that one address may try in a minute, whatever comes of them. */
const TRIES_A_MINUTE = 30;
const OIDC_COOKIE = 'wardwatch-sign-in';
const OIDC_PATH = '/api/v1/oidc';

const clientOf = (request: FastifyRequest): Client => ({
  address: request.ip,
  agent: request.headers['user-agent'] ?? '',
});

function waitProblem(reply: FastifyReply, ms: number): ProblemError {
  const seconds = Math.ceil(ms / 1000);
  void reply.header('retry-after', String(seconds));
  return new ProblemError(429, 'wait', 'There were too many wrong sign-ins.', {
    remedy: `Try again in ${seconds} seconds.`,
  });
}

/** Sign-in, sign-out, the first admin, single sign-on, and what users do with their own account. */
export function registerSessionRoutes(scope: FastifyInstance, access: Access): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  const open = access.config.sign_in === 'off';
  const limited = { max: TRIES_A_MINUTE, timeWindow: 60_000 };
  const anybody = { access: { role: 'public' } } as const;
  const own = (audit: string) => ({ access: { role: 'viewer', pending: true, audit } }) as const;

  function infoOf(request: FastifyRequest, user?: User): SessionInfo {
    const identity = request.identity;
    const vlans = identity?.vlans ?? null;
    return {
      sign_in: access.config.sign_in,
      user: open
        ? { name: 'local', role: 'admin', source: 'open', vlans: null, second_factor: false, pending: null }
        : identity === null
          ? null
          : {
              name: (user ?? identity.user).name,
              role: identity.role,
              source: identity.user.source,
              vlans: vlans === null ? null : [...vlans],
              second_factor: (user ?? identity.user).hasSecondFactor,
              pending: identity.pending ?? null,
            },
      first_admin: !open && access.setupCode() !== undefined,
      single_sign_on: open ? null : (access.oidc?.label ?? null),
      password_length: access.config.password_length,
    };
  }

  /** Opens the session for the browser, and says who is in it. */
  function enter(request: FastifyRequest, reply: FastifyReply, result: SignIn): SessionInfo {
    switch (result.kind) {
      case 'in': {
        const before = sessionSecret(request);
        const old = before === undefined ? undefined : access.sessions.find(before);
        // The session of before ends: the browser holds one at a time, and never one that was there already.
        if (old !== undefined) access.sessions.end(old.user, old.id);
        setSessionCookie(request, reply, result.secret);
        request.identity = access.bySession(result.secret, true) ?? null;
        return infoOf(request);
      }
      case 'wait':
        throw waitProblem(reply, result.ms);
      case 'busy':
        throw new ProblemError(503, 'busy', 'Too many people sign in at this moment.', { remedy: 'Try again.' });
      case 'code':
        throw new ProblemError(401, 'second-factor', 'A one-time code is needed as well.', {
          remedy: 'Take it from the authenticator program, or use a recovery code.',
        });
      case 'wrong':
        throw new ProblemError(401, 'wrong-sign-in', 'The name, the password or the code is wrong.');
    }
  }

  /** The user of a session; tokens cannot change the account that they belong to. */
  function self(request: FastifyRequest): User {
    const user = request.identity?.kind === 'session' ? access.users.byId(request.identity.user.id) : undefined;
    if (user !== undefined) return user;
    throw new ProblemError(403, 'needs-session', 'This is done by a person who has signed in.', {
      remedy: 'Sign in to the console; see access.sign_in where sign-in is off.',
    });
  }

  function localSelf(request: FastifyRequest): User {
    const user = self(request);
    if (user.source === 'local') return user;
    throw new ProblemError(409, 'single-sign-on', 'Password and second factor of this account are at the provider.');
  }

  async function confirmed(request: FastifyRequest, reply: FastifyReply, password: string): Promise<User> {
    const user = localSelf(request);
    const result = await access.confirm(user, password, clientOf(request));
    if (result === 'right') return user;
    if (result === 'wrong') {
      request.auditDetail = 'wrong password';
      throw new ProblemError(403, 'wrong-password', 'The password is wrong.');
    }
    throw waitProblem(reply, result.ms);
  }

  app.get(
    '/session',
    {
      config: anybody,
      schema: {
        operationId: 'getSession',
        summary: 'Who is signed in, and how one can sign in',
        tags: ['access'],
        response: json(sessionSchema, 'The session'),
      },
    },
    async (request) => infoOf(request),
  );

  app.post(
    '/session',
    {
      config: { ...anybody, rateLimit: limited },
      schema: {
        operationId: 'signIn',
        summary: 'Sign in with name, password and one-time code',
        tags: ['access'],
        body: signInSchema,
        response: json(sessionSchema, 'The session; its cookie is in the header'),
      },
    },
    async (request, reply) => {
      if (open) throw new ProblemError(409, 'sign-in-off', 'Sign-in is switched off (access.sign_in).');
      return enter(request, reply, await access.signIn(request.body, clientOf(request)));
    },
  );

  app.delete(
    '/session',
    {
      config: anybody,
      schema: { operationId: 'signOut', summary: 'Sign out', tags: ['access'], response: done },
    },
    async (request, reply) => {
      const { identity } = request;
      if (identity?.sessionId !== undefined)
        access.signOut({ id: identity.sessionId, user: identity.user.id }, identity.user.name, clientOf(request));
      clearSessionCookie(request, reply);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/first-admin',
    {
      config: { ...anybody, rateLimit: limited },
      schema: {
        operationId: 'makeFirstAdmin',
        summary: 'The first admin, by the code that Wardwatch has written to its terminal',
        tags: ['access'],
        body: firstAdminSchema,
        response: json(sessionSchema, 'The session of the new admin'),
      },
    },
    async (request, reply) => {
      const result = await access.setUp(request.body, clientOf(request));
      if (result.kind === 'wrong')
        throw new ProblemError(403, 'wrong-code', 'The code is wrong, or there is an admin already.', {
          remedy: 'It stands on the terminal or in the log of the newest start.',
        });
      return enter(request, reply, result);
    },
  );

  app.get(
    '/oidc/start',
    {
      config: { ...anybody, rateLimit: limited },
      schema: { hide: true },
    },
    async (request, reply) => {
      if (access.oidc === undefined || open) throw notFound('single sign-on');
      const { to } = request.query as { to?: unknown };
      const begun = await access.oidc
        .begin(safePath(typeof to === 'string' ? to : undefined))
        .catch((cause: unknown) => {
          throw new WardwatchError(
            'WW_API',
            'The provider of the single sign-on does not answer as it should.',
            'Try again, or sign in with a local account; access.oidc has its address.',
            { cause },
          );
        });
      // Lax, since the browser comes back from another site; it only ever brings one to this sign-in.
      const rules = { path: OIDC_PATH, httpOnly: true, sameSite: 'lax', secure: request.protocol === 'https' } as const;
      void reply.setCookie(OIDC_COOKIE, begun.ticket, { ...rules, maxAge: 600 });
      return reply.redirect(begun.url);
    },
  );

  app.get(
    '/oidc/callback',
    {
      config: { ...anybody, rateLimit: limited },
      schema: { hide: true },
    },
    async (request, reply) => {
      void reply.clearCookie(OIDC_COOKIE, { path: OIDC_PATH });
      const query = request.url.split('?', 2)[1] ?? '';
      try {
        const result = await access.finishOidc(request.cookies[OIDC_COOKIE] ?? '', query, clientOf(request));
        enter(request, reply, result);
        return await reply.redirect(result.to);
      } catch (error) {
        // A person stands here, in a browser: the sign-in page says it better than a problem document.
        const text = error instanceof WardwatchError ? error.message : 'the sign-in did not work';
        return reply.redirect(`/sign-in?refused=${encodeURIComponent(text)}`);
      }
    },
  );

  app.put(
    '/account/password',
    {
      config: { ...own('password.changed'), rateLimit: limited },
      schema: {
        operationId: 'changePassword',
        summary: 'Change your own password; your other sessions end',
        tags: ['access'],
        body: newPasswordSchema,
        response: json(sessionSchema, 'The session'),
      },
    },
    async (request, reply) => {
      const user = await confirmed(request, reply, request.body.current);
      await access.changePassword(user, request.body.next, request.identity?.sessionId);
      const secret = sessionSecret(request);
      request.identity = (secret === undefined ? undefined : access.bySession(secret, true)) ?? null;
      return infoOf(request);
    },
  );

  app.post(
    '/account/second-factor',
    {
      config: { ...own('second-factor.offered'), rateLimit: limited },
      schema: {
        operationId: 'offerSecondFactor',
        summary: 'A new secret for an authenticator program; it counts once a code has confirmed it',
        tags: ['access'],
        body: confirmSchema,
        response: json(totpSchema, 'The secret, as text and as otpauth address'),
      },
    },
    async (request, reply) => access.offerTotp(await confirmed(request, reply, request.body.password)),
  );

  app.put(
    '/account/second-factor',
    {
      config: { ...own('second-factor.set'), rateLimit: limited },
      schema: {
        operationId: 'setSecondFactor',
        summary: 'Confirm the new secret with a code',
        tags: ['access'],
        body: codeSchema,
        response: json(recoveryCodesSchema, 'Recovery codes, shown this once'),
      },
    },
    async (request) => {
      const codes = access.confirmTotp(localSelf(request), request.body.code);
      if (codes !== undefined) return { codes };
      request.auditDetail = 'wrong code';
      throw new ProblemError(403, 'wrong-code', 'The code does not belong to the new secret.', {
        remedy: 'Wait for the next one; the clocks of both machines must agree within half a minute.',
      });
    },
  );

  app.post(
    '/account/second-factor/remove',
    {
      config: { ...own('second-factor.removed'), rateLimit: limited },
      schema: {
        operationId: 'removeSecondFactor',
        summary: 'Sign in without one-time code from now on',
        tags: ['access'],
        body: confirmSchema,
        response: done,
      },
    },
    async (request, reply) => {
      access.users.removeTotp(await confirmed(request, reply, request.body.password));
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/account/recovery-codes',
    {
      config: { ...own('recovery-codes.renewed'), rateLimit: limited },
      schema: {
        operationId: 'renewRecoveryCodes',
        summary: 'New recovery codes; the old ones end',
        tags: ['access'],
        body: confirmSchema,
        response: json(recoveryCodesSchema, 'Recovery codes, shown this once'),
      },
    },
    async (request, reply) => {
      const user = await confirmed(request, reply, request.body.password);
      if (!user.hasSecondFactor) throw new ProblemError(409, 'no-second-factor', 'There is no second factor.');
      return { codes: access.renewRecoveryCodes(user) };
    },
  );

  app.get(
    '/account/sessions',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listSessions',
        summary: 'Your own sessions',
        tags: ['access'],
        response: json(sessionListSchema, 'The sessions, the last used first'),
      },
    },
    async (request) => {
      const user = self(request);
      return {
        rows: access.sessions.list(user).map((session) => ({
          id: session.id,
          current: session.id === request.identity?.sessionId,
          created: session.createdMs,
          seen: session.seenMs,
          address: session.address,
          agent: session.agent,
        })),
        recovery_codes: access.users.recoveryCodesLeft(user),
      };
    },
  );

  app.delete(
    '/account/sessions/:id',
    {
      config: { access: { role: 'viewer', audit: 'session.ended' } },
      schema: {
        operationId: 'endSession',
        summary: 'End one of your sessions',
        tags: ['access'],
        params: idParamsSchema,
        response: done,
      },
    },
    async (request, reply) => {
      if (!access.sessions.end(self(request).id, request.params.id)) throw notFound('session');
      return reply.code(204).send(null);
    },
  );
}
