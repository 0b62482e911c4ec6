import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Reporter } from '../kernel/component.ts';
import { describeError, WardwatchError } from '../kernel/errors.ts';

/** RFC 9457 problem details, with `errors` for each field at fault and `remedy` where there is one. */
export const problemSchema = Type.Object(
  {
    type: Type.String({ description: 'Stable identifier of the kind of problem, `urn:wardwatch:problem:…`.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What is wrong with this request, for a person.' }),
    instance: Type.String({ description: 'Path of the request.' }),
    remedy: Type.Optional(Type.String({ description: 'What to do about it.' })),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          in: Type.String({ description: '`query` or `path`.' }),
          name: Type.String({ description: 'Name of the parameter.' }),
          detail: Type.String(),
        }),
      ),
    ),
    current: Type.Optional(Type.Unknown({ description: 'With a stale edit: what is there now.' })),
    yours: Type.Optional(Type.Unknown({ description: 'With a stale edit: what was asked for.' })),
    checks: Type.Optional(
      Type.Array(Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: Type.Optional(Type.String()) })),
    ),
  },
  { title: 'Problem', description: 'RFC 9457 problem details' },
);
export type Problem = Static<typeof problemSchema>;

type ProblemExtra = Pick<Problem, 'remedy' | 'errors' | 'checks' | 'current' | 'yours'>;

/** To be thrown by handlers: becomes a problem document with these members. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly statusCode: number;
  readonly kind: string;
  readonly extra: ProblemExtra;
  constructor(statusCode: number, kind: string, detail: string, extra: ProblemExtra = {}) {
    super(detail);
    this.statusCode = statusCode;
    this.kind = kind;
    this.extra = extra;
  }
}

export function notFound(what: string): ProblemError {
  return new ProblemError(404, 'not-found', `There is no such ${what}; it may have aged out.`);
}

/** A problem document as text, for places below fastify (broken requests on the socket). */
export function problemOf(error: ProblemError, instance: string): Problem {
  return {
    type: `urn:wardwatch:problem:${error.kind}`,
    title: STATUS_CODES[error.statusCode] ?? 'Error',
    status: error.statusCode,
    detail: error.message,
    instance,
    ...error.extra,
  };
}

const CONTEXT_NAMES: Record<string, string> = { querystring: 'query', params: 'path', headers: 'header', body: 'body' };

function fromValidation(error: FastifyError): ProblemError {
  const where = CONTEXT_NAMES[error.validationContext ?? ''] ?? 'request';
  const errors = (error.validation ?? []).slice(0, 20).map((fault) => {
    const unknown: unknown = fault.params['additionalProperty'];
    const name = typeof unknown === 'string' ? unknown : fault.instancePath.replace(/^\//, '');
    const allowed: unknown = fault.params['allowedValues'];
    const detail =
      typeof unknown === 'string'
        ? 'is not a parameter of this route'
        : (fault.message ?? 'is not valid') + (Array.isArray(allowed) ? `: ${allowed.join(', ')}` : '');
    return { in: where, name: name.slice(0, 100), detail };
  });
  const detail = errors.map((fault) => `${fault.in} parameter \`${fault.name}\` ${fault.detail}`).join('; ');
  return new ProblemError(400, 'invalid-request', detail || 'The request is not valid.', { errors });
}

/** What a thrown thing means to the caller. Inner texts of unexpected errors are not shown. */
function toProblemError(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof WardwatchError) {
    // WW_USAGE is how the store says that a cursor is none of its own.
    const [status, kind] =
      error.code === 'WW_USAGE' ? ([400, 'invalid-request'] as const) : ([503, 'unavailable'] as const);
    return new ProblemError(status, kind, error.message, { remedy: error.remedy });
  }
  const fastifyError = error as Partial<FastifyError>;
  if (fastifyError.validation) return fromValidation(error as FastifyError);
  const status = fastifyError.statusCode ?? 500;
  if (status >= 400 && status < 500)
    return new ProblemError(status, 'invalid-request', describeError(error).slice(0, 300));
  return new ProblemError(500, 'internal', 'The request failed inside Wardwatch; the log of the server says why.');
}

/** Path without query: what was searched for does not belong into an answer's `instance`. */
function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0]!.slice(0, 300);
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, error: ProblemError): FastifyReply {
  return reply
    .code(error.statusCode)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(error, pathOf(request))));
}

/** For `frameworkErrors`: what fails before a route is found, such as a path that is not valid UTF-8. */
export function sendFrameworkError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  void sendProblem(request, reply, toProblemError(error));
}

/** Makes every failure below `app` a problem document. */
export function registerProblems(app: FastifyInstance, reporter: Reporter): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblemError(error);
    if (problem.statusCode >= 500) {
      reporter.log('error', 'request failed', {
        route: request.routeOptions.url ?? 'unknown',
        status: problem.statusCode,
        error: describeError(error),
      });
    }
    return sendProblem(request, reply, problem);
  });
  // 404s are limited as well, or a scan for routes would be free.
  app.setNotFoundHandler({ preHandler: app.rateLimit() }, (request, reply) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      void reply.header('allow', 'GET, HEAD');
      return sendProblem(
        request,
        reply,
        new ProblemError(405, 'method-not-allowed', `${request.method} is not served here.`),
      );
    }
    const detail = `There is no ${pathOf(request)}.`;
    const extra = { remedy: 'The routes are listed in /api/openapi.json.' };
    return sendProblem(request, reply, new ProblemError(404, 'not-found', detail, extra));
  });
}
