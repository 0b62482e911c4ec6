import { userInfo } from 'node:os';
import { Access } from '../access/index.ts';
import { loadConfig } from '../config/index.ts';
import { openDatabase } from '../desk/database.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { tame } from '../lib/tame.ts';
import type { GlobalOptions } from './frame.ts';
import { printTable } from './table.ts';
import { roleName } from './users.ts';
import type { UsersOptions } from './users.ts';

/** Opens the desk of the configuration for one piece of work on people. */
export async function withAccess<T>(options: GlobalOptions, work: (access: Access) => T | Promise<T>): Promise<T> {
  const { config } = loadConfig({ file: options.config });
  const desk = openDatabase(config.desk.path);
  try {
    return await work(new Access(config.access, { desk }));
  } finally {
    desk.close();
  }
}

/** Whoever has an account on this machine and may write the desk: no user of ours, so it is marked. */
export const operator = (): string => `terminal:${userInfo().username}`;

const note = (access: Access, act: string, object: string, detail = ''): void =>
  access.audit.write({ who: operator(), act, object, detail, outcome: 'done' });

const said = (name: string, password: string): void => {
  process.stdout.write(`${name} signs in once with ${password} and then chooses a password\n`);
};

/** What `wardwatch users …` does, by the name of the command. */
export const usersActions = {
  list: (_args: string[], options: UsersOptions) =>
    withAccess(options, (access) =>
      printTable(
        access.users.list().map((user) => ({
          name: user.name,
          role: user.role,
          source: user.source,
          state: user.disabled ? 'disabled' : user.mustChange ? 'not signed in yet' : 'active',
          second_factor: user.hasSecondFactor ? 'yes' : 'no',
          sees:
            [...(user.sites ?? []), ...(user.vlans ?? [])].join(', ') ||
            ((user.vlans ?? user.sites) ? 'nothing' : 'all'),
          signed_in: user.signedInMs === undefined ? '' : new Date(user.signedInMs).toISOString(),
        })),
        options.json === true,
      ),
    ),

  add: ([name = '']: string[], options: UsersOptions) =>
    withAccess(options, async (access) => {
      const { role = 'viewer', vlan = [], site = [] } = options;
      const unknown = site.find((one) => !access.config.sites.some((known) => known.name === one));
      if (unknown !== undefined)
        throw new WardwatchError('WW_USAGE', `there is no site ${tame(unknown, 60)}`, 'see access.sites');
      const scope = { vlans: vlan.length > 0 ? vlan : undefined, sites: site.length > 0 ? site : undefined };
      const { user, password } = await access.addUser({ name, role, scope });
      note(access, 'user.added', user.name, `role ${role}`);
      said(user.name, password);
    }),

  role: ([name = '', role = '']: string[], options: UsersOptions) =>
    withAccess(options, (access) => {
      const user = access.users.get(name);
      access.users.setRole(user, roleName(role));
      note(access, 'user.changed', user.name, `role ${role}`);
      process.stdout.write(`${user.name} is ${role} now\n`);
    }),

  disable: ([name = '']: string[], options: UsersOptions) =>
    withAccess(options, (access) => {
      const user = access.users.get(name);
      const disabled = options.off !== true;
      access.users.setDisabled(user, disabled);
      note(access, 'user.changed', user.name, disabled ? 'disabled' : 'enabled');
      process.stdout.write(`${user.name} is ${disabled ? 'disabled' : 'enabled'} now\n`);
    }),

  reset: ([name = '']: string[], options: UsersOptions) =>
    withAccess(options, async (access) => {
      const user = access.users.get(name);
      const password = await access.resetUser(user);
      note(access, 'user.reset', user.name);
      said(user.name, password);
    }),
};
