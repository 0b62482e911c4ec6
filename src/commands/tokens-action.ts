import { WardwatchError } from '../kernel/errors.ts';
import { printTable } from './table.ts';
import type { TokensOptions } from './tokens.ts';
import { operator, withAccess } from './users-action.ts';

const iso = (ms: number | undefined): string => (ms === undefined ? '' : new Date(ms).toISOString());

/** What `wardwatch tokens …` does, by the name of the command. */
export const tokensActions = {
  list: (_args: string[], options: TokensOptions) =>
    withAccess(options, (access) =>
      printTable(
        access.tokens.list().map((token) => ({
          id: token.id,
          name: token.name,
          user: access.users.byId(token.user)?.name ?? '',
          role: token.role,
          sees: token.vlans?.join(', ') ?? 'all',
          expires: iso(token.expiresMs),
          used: iso(token.seenMs),
        })),
        options.json === true,
      ),
    ),

  create: ([name = '']: string[], options: TokensOptions) =>
    withAccess(options, (access) => {
      if (!/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/.test(name))
        throw new WardwatchError(
          'WW_USAGE',
          'this is no name for a token',
          'take 1 to 64 letters, digits, . _ - or spaces',
        );
      const { user: owner = '', role = 'viewer', vlan = [], days = 90 } = options;
      const user = access.users.get(owner);
      const { secret, token } = access.tokens.create(user, {
        name,
        role,
        vlans: vlan.length > 0 ? vlan : undefined,
        days,
      });
      const detail = `number ${token.id}, role ${role}, ${days} days`;
      access.audit.write({ who: operator(), act: 'token.created', object: user.name, detail, outcome: 'done' });
      process.stdout.write(`${secret}\n`);
      process.stderr.write(
        `token ${token.id} for ${user.name}, until ${iso(token.expiresMs)}; it is not shown again\n`,
      );
    }),

  revoke: ([id = '']: string[], options: TokensOptions) =>
    withAccess(options, (access) => {
      if (!access.tokens.revoke(Number(id)))
        throw new WardwatchError('WW_USAGE', 'there is no such token', 'see `wardwatch tokens list`');
      access.audit.write({ who: operator(), act: 'token.revoked', object: id, outcome: 'done' });
      process.stdout.write(`token ${id} is revoked\n`);
    }),
};
