import type { FastifyInstance } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Access, User } from '../access/index.ts';
import { done, json } from './answers.ts';
import { notFound, ProblemError } from './problems.ts';
import {
  nameParamsSchema,
  newUserSchema,
  oncePasswordSchema,
  userChangeSchema,
  userListSchema,
} from './schemas-access.ts';

/** Users, for admins. */
export function registerUsersRoutes(scope: FastifyInstance, access: Access): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  const admin = (audit: string) => ({ access: { role: 'admin', audit } }) as const;

  function named(name: string): User {
    const user = access.users.credentials(name)?.user;
    if (user === undefined) throw notFound('user');
    return user;
  }
  function checkSites(sites: readonly string[] | null | undefined): void {
    const unknown = sites?.find((name) => !access.config.sites.some((site) => site.name === name));
    if (unknown === undefined) return;
    throw new ProblemError(400, 'invalid-request', 'There is no site of that name.', {
      remedy: 'The sites are those of access.sites in the configuration.',
    });
  }
  const copy = (list: readonly string[] | undefined): string[] | null => (list === undefined ? null : [...list]);

  app.get(
    '/users',
    {
      config: { access: { role: 'admin' } },
      schema: {
        operationId: 'listUsers',
        summary: 'All users',
        tags: ['access'],
        response: json(userListSchema, 'The users by name, and the sites that they can be limited to'),
      },
    },
    async () => ({
      rows: access.users.list().map((user) => ({
        name: user.name,
        role: user.role,
        source: user.source,
        disabled: user.disabled,
        must_change: user.mustChange,
        second_factor: user.hasSecondFactor,
        vlans: copy(user.vlans),
        sites: copy(user.sites),
        created: user.createdMs,
        signed_in: user.signedInMs ?? null,
      })),
      sites: access.config.sites.map((site) => site.name),
    }),
  );

  app.post(
    '/users',
    {
      config: admin('user.added'),
      schema: {
        operationId: 'addUser',
        summary: 'A new local user with a password for one sign-in',
        tags: ['access'],
        body: newUserSchema,
        response: json(oncePasswordSchema, 'The name and the password'),
      },
    },
    async (request) => {
      const { name, role, vlans, sites } = request.body;
      checkSites(sites);
      const scope = { vlans: vlans ?? undefined, sites: sites ?? undefined };
      const { user, password } = await access.addUser({ name, role, scope });
      request.auditDetail = `${user.name}, role ${role}${(scope.vlans ?? scope.sites) ? ', limited' : ''}`;
      return { name: user.name, password };
    },
  );

  app.patch(
    '/users/:name',
    {
      config: admin('user.changed'),
      schema: {
        operationId: 'changeUser',
        summary: 'Change the role or the scope of a user, or disable one; sessions of a disabled user end',
        tags: ['access'],
        params: nameParamsSchema,
        body: userChangeSchema,
        response: done,
      },
    },
    async (request, reply) => {
      const user = named(request.params.name);
      const { role, disabled, vlans, sites } = request.body;
      checkSites(sites);
      if (role !== undefined && role !== user.role) {
        if (user.source === 'oidc')
          throw new ProblemError(409, 'single-sign-on', 'The role of this user comes from groups at the provider.');
        access.users.setRole(user, role);
      }
      if (disabled !== undefined && disabled !== user.disabled) access.users.setDisabled(user, disabled);
      if (vlans !== undefined || sites !== undefined)
        access.users.setScope(user, {
          vlans: vlans === undefined ? user.vlans : (vlans ?? undefined),
          sites: sites === undefined ? user.sites : (sites ?? undefined),
        });
      request.auditDetail = [
        ...(role === undefined ? [] : [`role ${role}`]),
        ...(disabled === undefined ? [] : [disabled ? 'disabled' : 'enabled']),
        ...(vlans === undefined ? [] : [vlans === null ? 'all VLANs' : `VLANs ${vlans.join(' ')}`]),
        ...(sites === undefined ? [] : [sites === null ? 'no site named' : `sites ${sites.join(', ')}`]),
      ].join(', ');
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/users/:name/reset',
    {
      config: admin('user.reset'),
      schema: {
        operationId: 'resetUser',
        summary: 'A password for one sign-in; second factor and sessions of the user end',
        tags: ['access'],
        params: nameParamsSchema,
        response: json(oncePasswordSchema, 'The name and the password'),
      },
    },
    async (request) => {
      const user = named(request.params.name);
      return { name: user.name, password: await access.resetUser(user) };
    },
  );
}
