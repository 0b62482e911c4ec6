import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { WardwatchError } from '../kernel/errors.ts';
import { ProblemError } from './problems.ts';

/** What a person or program may do; each role may do all that those before it may. */
export const ROLES = ['viewer', 'analyst', 'engineer', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** The rule of one route. A route without one keeps the server from starting. */
export interface RouteAccess {
  /** The least role that is served; `public` asks for no sign-in. */
  readonly role: Role | 'public';
  /** Set where the request goes into the audit log: what was done, such as `alert.closed`. */
  readonly audit?: string;
}

/** Who asks. */
export interface Who {
  /** Name of the user, or of the token. */
  readonly name: string;
  readonly role: Role;
  /** `open`: sign-in is switched off, everybody on this machine is an admin. `nobody`: a public route. */
  readonly kind: 'session' | 'token' | 'open' | 'nobody';
  /** VLANs whose devices, alerts and flows may be seen; undefined means all. Filter in the query, not after it. */
  readonly vlans: readonly string[] | undefined;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: RouteAccess;
  }
  interface FastifyRequest {
    /** Who asks, known from the first hook of a route on. */
    who: Who;
  }
}

const NOBODY: Who = { name: '', role: 'viewer', kind: 'nobody', vlans: [] };
const OPEN: Who = { name: 'local', role: 'admin', kind: 'open', vlans: undefined };

/** Whether `role` may do what asks for `least`. */
export function mayAct(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}

/** Who asks, or undefined where the request names nobody. */
type Identify = (request: FastifyRequest) => Who | undefined;

/**
 * Makes every route below `app` obey its rule. Has to come before the first route; `app.ready()` fails with
 * `WW_INTERNAL` where a route has no rule.
 */
export function registerAccess(app: FastifyInstance, identify: Identify = () => OPEN): void {
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
  app.decorateRequest('who');
  app.addHook('onRequest', async (request) => {
    const who = identify(request);
    request.who = who ?? NOBODY;
    if (request.is404) return;
    const least = request.routeOptions.config.access?.role ?? 'admin';
    if (least === 'public') return;
    if (who === undefined)
      throw new ProblemError(401, 'not-signed-in', 'This needs a sign-in.', {
        remedy: 'Sign in at /sign-in, or send an API token in the header `Authorization: Bearer`.',
      });
    if (!mayAct(who.role, least))
      throw new ProblemError(403, 'not-allowed', `This needs the role ${least}; yours is ${who.role}.`, {
        remedy: 'Ask an admin of Wardwatch for the role.',
      });
  });
}
