import { randomBytes } from 'node:crypto';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import Fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import { isZone } from '../alerts/decisions.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { registerAccess } from './access.ts';
import { registerAuditRoutes } from './audit-routes.ts';
import type { ApiConfig } from './config.ts';
import { registerConsole } from './console-routes.ts';
import type { ApiDeps } from './contract.ts';
import { createEventHub } from './events.ts';
import { createHostCheck } from './host-check.ts';
import { registerEvidenceRoutes } from './evidence-routes.ts';
import { registerIncidentRoutes } from './incident-routes.ts';
import { ProblemError, problemOf, registerProblems, sendFrameworkError } from './problems.ts';
import { registerOverviewRoutes } from './overview-routes.ts';
import { registerMergeRoutes } from './merge-routes.ts';
import { registerInventoryRoutes } from './inventory-routes.ts';
import { registerApiRoutes, registerProbeRoutes } from './routes.ts';
import { registerRulesRoutes } from './rules-routes.ts';
import { registerSessionRoutes } from './session-routes.ts';
import { createTls } from './tls.ts';
import { registerTokensRoutes } from './tokens-routes.ts';
import { registerAssetsRoutes } from './assets-routes.ts';
import { registerTriageRoutes } from './triage-routes.ts';
import { registerUsersRoutes } from './users-routes.ts';

const CONTENT_SECURITY_POLICY = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'"],
  'font-src': ["'self'"],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
  // Names from the network reach the console: with trusted types no code path can make markup of them.
  'require-trusted-types-for': ["'script'"],
  'trusted-types': ["'none'"],
};

function checkTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch (cause) {
    throw new WardwatchError(
      'WW_CONFIG',
      `api.time_zone is not a time zone: ${timeZone.slice(0, 64)}`,
      'Give an IANA name such as Europe/Vienna or UTC.',
      { cause },
    );
  }
}

/** What a client gets that does not speak HTTP well enough for a request to exist. */
function brokenRequest(code: string | undefined): string {
  const [status, detail] =
    code === 'HPE_HEADER_OVERFLOW'
      ? [431, 'The headers of the request are too large.']
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? [408, 'The request did not arrive in time.']
        : [400, 'This is not a valid HTTP request.'];
  const problem = problemOf(new ProblemError(status, 'broken-request', detail), '');
  const body = JSON.stringify(problem);
  return (
    `HTTP/1.1 ${status} ${problem.title}\r\nContent-Type: application/problem+json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`
  );
}

/**
 * Builds the whole HTTP face without listening: routes, problem documents, OpenAPI, console.
 * Closing the app ends the event streams as well. Fails with `WW_CONFIG` on a time zone that is none.
 */
export async function buildApp(config: ApiConfig, deps: ApiDeps): Promise<FastifyInstance> {
  checkTimeZone(config.time_zone);
  const tls = config.tls === undefined ? undefined : createTls(config.tls, deps.reporter);
  const app = Fastify({
    logger: false,
    // Addresses in forwarded headers are believed of known proxies alone: others would choose their own rate limit.
    trustProxy: config.trusted_proxies.length > 0 && config.trusted_proxies,
    ...(tls === undefined ? {} : { serverFactory: tls.serverFactory }),
    bodyLimit: 65_536,
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 400 },
    ajv: {
      customOptions: {
        removeAdditional: false,
        coerceTypes: true,
        allErrors: true,
        formats: { 'time-zone': isZone },
      },
    },
    frameworkErrors: sendFrameworkError,
    clientErrorHandler(error, socket) {
      if (socket.writable) socket.end(brokenRequest((error as NodeJS.ErrnoException).code));
      else socket.destroy();
    },
  });
  const hub = createEventHub(config, deps, randomBytes(6).toString('hex'));
  app.addHook('preClose', async () => {
    hub.close();
    tls?.stop();
  });

  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    deps.reporter.count('http_requests', 1, { method: request.method, route, status: String(reply.statusCode) });
    deps.reporter.observe('http_request', reply.elapsedTime / 1000, { route });
  });

  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: CONTENT_SECURITY_POLICY },
    // Without TLS whoever ends it in front sets this header.
    strictTransportSecurity: tls !== undefined && { maxAge: 31_536_000, includeSubDomains: false },
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  });

  const hostAllowed = createHostCheck(config.host, config.allowed_hosts);
  app.addHook('onRequest', async (request) => {
    if (!hostAllowed(request.headers.host)) {
      throw new ProblemError(421, 'unknown-host', 'Wardwatch does not serve the host name of this request.', {
        remedy: 'Reach it by address, or add the name to api.allowed_hosts.',
      });
    }
  });
  await app.register(rateLimit, {
    max: config.requests_per_minute,
    timeWindow: 60_000,
    errorResponseBuilder: (_request, context) =>
      new ProblemError(429, 'too-many-requests', `More than ${context.max} requests in a minute.`, {
        remedy: `Try again in ${Math.ceil(context.ttl / 1000)} seconds.`,
      }),
  });
  registerProblems(app, deps.reporter);
  await app.register(cookie);
  registerAccess(app, deps.access);

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.1',
      info: {
        title: 'Wardwatch',
        version: deps.version,
        description: 'Alerts, devices and flows of a clinical network. Every error is an RFC 9457 problem document.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [
        { name: 'alerts', description: 'What needs a person' },
        { name: 'triage', description: 'What people make of alerts' },
        { name: 'devices', description: 'What is on the network' },
        { name: 'system', description: 'What Wardwatch itself is doing' },
        { name: 'access', description: 'People, tokens and the audit log' },
        { name: 'probes', description: 'What machines ask' },
      ],
    },
  });
  await app.register(
    async (scope) => {
      registerApiRoutes(scope, config, deps, hub);
      registerInventoryRoutes(scope, config, deps);
      registerOverviewRoutes(scope, deps);
      if (deps.merges !== undefined) registerMergeRoutes(scope, { store: deps.store, merges: deps.merges });
      if (deps.assets !== undefined) registerAssetsRoutes(scope, deps.assets);
      if (deps.triage !== undefined) {
        const { triage, store } = deps;
        registerTriageRoutes(scope, { triage, store });
        registerIncidentRoutes(scope, { triage, store, timeZone: config.time_zone, version: deps.version });
        registerEvidenceRoutes(scope, { triage, store, evidence: deps.evidence });
        registerRulesRoutes(scope, { triage, store, status: () => deps.status() });
      }
      registerSessionRoutes(scope, deps.access);
      registerTokensRoutes(scope, deps.access);
      registerUsersRoutes(scope, deps.access);
      registerAuditRoutes(scope, deps.access);
    },
    { prefix: '/api/v1' },
  );
  await app.register(async (scope) => registerProbeRoutes(scope, deps));
  const open = { config: { access: { role: 'public' as const } }, schema: { hide: true } };
  app.get('/api/openapi.json', open, async () => app.swagger());
  await registerConsole(app, deps.consoleDir);
  await app.ready();
  return app;
}
