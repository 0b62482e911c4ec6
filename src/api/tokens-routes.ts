import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Access, Token, User } from '../access/index.ts';
import { mayAct } from '../access/roles.ts';
import { done, json } from './answers.ts';
import { notFound, ProblemError } from './problems.ts';
import { idParamsSchema, madeTokenSchema, newTokenSchema, tokenListSchema } from './schemas-access.ts';

/** API tokens: everybody has their own, admins see and revoke all. */
export function registerTokensRoutes(scope: FastifyInstance, access: Access): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();

  /** A token cannot make further ones: whoever finds it would keep the access after it is revoked. */
  function self(request: FastifyRequest): User {
    if (request.identity?.kind === 'session') return request.identity.user;
    throw new ProblemError(403, 'needs-session', 'This is done by a person who has signed in.', {
      remedy: 'Sign in to the console, or use `wardwatch tokens create`.',
    });
  }
  const rowOf = (token: Token) => ({
    id: token.id,
    name: token.name,
    user: access.users.byId(token.user)?.name ?? '',
    role: token.role,
    vlans: token.vlans === undefined ? null : [...token.vlans],
    created: token.createdMs,
    expires: token.expiresMs,
    seen: token.seenMs ?? null,
  });

  app.get(
    '/account/tokens',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        operationId: 'listOwnTokens',
        summary: 'Your own API tokens',
        tags: ['access'],
        response: json(tokenListSchema, 'The tokens, without their secrets'),
      },
    },
    async (request) => ({ rows: access.tokens.list(self(request)).map(rowOf) }),
  );

  app.post(
    '/account/tokens',
    {
      config: { access: { role: 'viewer', audit: 'token.created' } },
      schema: {
        operationId: 'createToken',
        summary: 'A new API token, never with more than your own role and VLANs',
        tags: ['access'],
        body: newTokenSchema,
        response: json(madeTokenSchema, 'The token with its secret, which is shown this once'),
      },
    },
    async (request) => {
      const { vlans, ...wanted } = request.body;
      const user = self(request);
      if (!mayAct(user.role, wanted.role)) {
        request.auditDetail = `role ${wanted.role}`;
        throw new ProblemError(403, 'not-allowed', `A token with the role ${wanted.role} would do more than you may.`);
      }
      const { secret, token } = access.tokens.create(user, { ...wanted, vlans: vlans ?? undefined });
      request.auditDetail = `number ${token.id}, role ${token.role}, ${wanted.days} days`;
      return { secret, token: rowOf(token) };
    },
  );

  app.delete(
    '/account/tokens/:id',
    {
      config: { access: { role: 'viewer', audit: 'token.revoked' } },
      schema: {
        operationId: 'revokeOwnToken',
        summary: 'Revoke one of your API tokens, at once',
        tags: ['access'],
        params: idParamsSchema,
        response: done,
      },
    },
    async (request, reply) => {
      if (!access.tokens.revoke(request.params.id, self(request))) throw notFound('token');
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/tokens',
    {
      config: { access: { role: 'admin' } },
      schema: {
        operationId: 'listTokens',
        summary: 'API tokens of all users',
        tags: ['access'],
        response: json(tokenListSchema, 'The tokens, without their secrets'),
      },
    },
    async () => ({ rows: access.tokens.list().map(rowOf) }),
  );

  app.delete(
    '/tokens/:id',
    {
      config: { access: { role: 'admin', audit: 'token.revoked' } },
      schema: {
        operationId: 'revokeToken',
        summary: 'Revoke any API token, at once',
        tags: ['access'],
        params: idParamsSchema,
        response: done,
      },
    },
    async (request, reply) => {
      if (!access.tokens.revoke(request.params.id)) throw notFound('token');
      return reply.code(204).send(null);
    },
  );
}
