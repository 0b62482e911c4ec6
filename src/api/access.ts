import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { Access, Identity } from '../access/index.ts';
import { mayAct } from '../access/roles.ts';
import type { Role } from '../access/roles.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { ProblemError } from './problems.ts';

/** The rule of one route. A route without one keeps the server from starting. */
export interface RouteAccess {
  /** The least role that is served; `public` asks for no sign-in. */
  readonly role: Role | 'public';
  /** Set where the request goes into the audit log: what was done, such as `alert.closed`. */
  readonly audit?: string;
  /** Served as well while a new password or a second factor is owed: the routes with which that is done. */
  readonly pending?: true;
}

/** Who asks. */
export interface Who {
  /** Name of the user, or `user/token`. */
  readonly name: string;
  readonly role: Role;
  /** `open`: sign-in is switched off, everybody on this machine is an admin. `nobody`: a public route. */
  readonly kind: 'session' | 'token' | 'open' | 'nobody';
  /** VLANs whose devices, alerts and flows may be seen; undefined means all. Filter in the query, not after it. */
  readonly vlans: readonly string[] | undefined;
}

/** A route and its rule, as the table of docs/reference/access.md has it. */
export interface RouteRule {
  readonly method: string;
  readonly url: string;
  readonly access: RouteAccess;
}

declare module 'fastify' {
  interface FastifyInstance {
    /** All routes with their rules, once the app is ready. */
    routeRules: () => RouteRule[];
  }
  interface FastifyContextConfig {
    access?: RouteAccess;
  }
  interface FastifyRequest {
    /** Who asks, known from the first hook of a route on. */
    who: Who;
    /** The session or token behind `who`; null where sign-in is off and for nobody. */
    identity: Identity | null;
    /** For the audit log, beside the parameters of the path: which rows, how many. No free text, nothing of a patient. */
    auditDetail: string | null;
  }
}

const NOBODY: Who = { name: '', role: 'viewer', kind: 'nobody', vlans: [] };
const OPEN: Who = { name: 'local', role: 'admin', kind: 'open', vlans: undefined };

/** A page elsewhere cannot send this header: it would have to ask first (CORS), and nobody answers. */
const CONSOLE_HEADER = 'x-wardwatch';
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Over TLS the browser itself holds to it that the cookie is ours: no other host, no plain HTTP (RFC 6265bis). */
const cookieName = (request: FastifyRequest): string =>
  request.protocol === 'https' ? '__Host-wardwatch' : 'wardwatch';

/** Secret of the session that the browser shows. */
export function sessionSecret(request: FastifyRequest): string | undefined {
  return request.cookies[cookieName(request)];
}

/**
 * Strict: the shell of the console is public, so that a link from elsewhere still opens, and all that needs the
 * session is asked for by the console itself.
 */
const cookieRules = (request: FastifyRequest) =>
  ({ path: '/', httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https' }) as const;

export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, secret: string): void {
  void reply.setCookie(cookieName(request), secret, cookieRules(request));
}

export function clearSessionCookie(request: FastifyRequest, reply: FastifyReply): void {
  void reply.clearCookie(cookieName(request), cookieRules(request));
}

/** Whether a page of another origin has made the browser ask (Fetch Metadata; Origin for older browsers). */
function isFromElsewhere(request: FastifyRequest): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true;
  const { origin, host } = request.headers;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host;
}

function notSignedIn(): ProblemError {
  return new ProblemError(401, 'not-signed-in', 'This needs a sign-in.', {
    remedy: 'Sign in at /sign-in, or send an API token in the header `Authorization: Bearer`.',
  });
}

/** The session or token of a request; a wrong token is an error, an ended session is nobody. */
function identityOf(request: FastifyRequest, access: Access): Identity | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const token = /^Bearer ([\w~+/.-]{1,200}=*)$/i.exec(authorization)?.[1];
    const identity = token === undefined ? undefined : access.byToken(token);
    if (identity !== undefined) return identity;
    throw new ProblemError(401, 'invalid-token', 'The API token is not valid: unknown, expired or revoked.', {
      remedy: 'Make one with `wardwatch tokens create`, or on the account page of the console.',
    });
  }
  const secret = sessionSecret(request);
  // What the console asks for by itself does not keep a session alive that nobody sits at.
  const byItself = request.headers[CONSOLE_HEADER] === 'background' || request.headers.accept === 'text/event-stream';
  return secret === undefined ? undefined : access.bySession(secret, !byItself);
}

/**
 * Makes every route below `app` obey its rule and writes the audit log. Has to come before the first route;
 * `app.ready()` fails with `WW_INTERNAL` where a route has no rule. With sign-in off everybody is an admin.
 */
export function registerAccess(app: FastifyInstance, access: Access): void {
  const open = access.config.sign_in === 'off';
  const routes: RouteOptions[] = [];
  // Looked at only when all are there: a hook of an inner scope may add the rule.
  app.addHook('onRoute', (route) => void routes.push(route));
  app.addHook('onReady', async () => {
    const without = routes.filter((route) => route.config?.access === undefined);
    if (without.length === 0) return;
    throw new WardwatchError(
      'WW_INTERNAL',
      `routes without a rule of access: ${without.map((route) => `${String(route.method)} ${route.url}`).join(', ')}`,
      'give each `config: { access: { role: … } }`',
    );
  });

  app.decorate('routeRules', () =>
    routes.flatMap(({ method, url, config }) =>
      (Array.isArray(method) ? method : [method]).map((one) => ({ method: one, url, access: config!.access! })),
    ),
  );

  const write = (request: FastifyRequest, rule: RouteAccess | undefined, outcome: 'done' | 'refused' | 'failed') => {
    const params: unknown = request.params;
    access.audit.write({
      who: request.who.name,
      act: rule?.audit ?? `${request.method} ${request.routeOptions.url ?? ''}`,
      object: typeof params === 'object' && params !== null ? Object.values(params).map(String).join('/') : '',
      outcome,
      detail: request.auditDetail ?? '',
      address: request.ip,
    });
  };

  app.decorateRequest('who');
  app.decorateRequest('identity', null);
  app.decorateRequest('auditDetail', null);
  app.addHook('onRequest', async (request) => {
    request.who = NOBODY;
    if (request.is404) return;
    const rule = request.routeOptions.config.access;
    const least = rule?.role ?? 'admin';
    const safe = SAFE.has(request.method);
    const bearer = request.headers.authorization !== undefined;
    if (!bearer && !(safe && least === 'public') && isFromElsewhere(request))
      throw new ProblemError(403, 'cross-site', 'Another site has made this request; it is not served.');
    if (/[?&](access_)?token=/i.test(request.url))
      throw new ProblemError(
        400,
        'token-in-address',
        'A token does not belong into an address: addresses are logged.',
        {
          remedy: 'Send it in the header `Authorization: Bearer`, and revoke the one that was sent.',
        },
      );
    if (open) {
      request.who = OPEN;
      return;
    }
    if (!safe && !bearer && request.headers[CONSOLE_HEADER] === undefined)
      throw new ProblemError(403, 'cross-site', `The header ${CONSOLE_HEADER} is missing.`, {
        remedy: 'Programs send an API token instead of a cookie.',
      });
    // A wrong token on a public route is no reason to refuse it.
    if (least === 'public' && bearer) return;
    const identity = identityOf(request, access);
    if (identity !== undefined) {
      request.identity = identity;
      request.who = identity;
    }
    if (least === 'public') return;
    if (identity === undefined) throw notSignedIn();
    if (identity.pending !== undefined && rule?.pending !== true)
      throw new ProblemError(
        403,
        `pending-${identity.pending}`,
        identity.pending === 'password' ? 'The password has to be changed first.' : 'A second factor is needed first.',
        { remedy: 'Sign in to the console: it leads through it.' },
      );
    if (!mayAct(identity.role, least)) {
      write(request, rule, 'refused');
      throw new ProblemError(403, 'not-allowed', `This needs the role ${least}; yours is ${identity.role}.`, {
        remedy: 'Ask an admin of Wardwatch for the role.',
      });
    }
  });

  // Before the answer leaves: what cannot be written down is not given out.
  app.addHook('onSend', async (request, reply) => {
    const rule = request.is404 ? undefined : request.routeOptions.config.access;
    if (rule?.audit === undefined || request.who.kind === 'nobody') return;
    const { statusCode } = reply;
    if (statusCode === 401 || (statusCode === 403 && request.auditDetail === null)) return;
    write(request, rule, statusCode < 400 ? 'done' : statusCode < 500 ? 'refused' : 'failed');
  });
}
