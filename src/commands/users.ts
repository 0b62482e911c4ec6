import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { isRole } from '../access/roles.ts';
import type { Role } from '../access/roles.ts';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';
import { collect } from './replay.ts';

export interface UsersOptions extends GlobalOptions {
  json?: boolean;
  role?: Role;
  vlan?: string[];
  site?: string[];
  off?: boolean;
}

export function roleName(text: string): Role {
  if (isRole(text)) return text;
  throw new InvalidArgumentError('the roles are viewer, analyst, engineer and admin');
}

export function registerUsers(program: Command): void {
  const users = program
    .command('users')
    .description('who may sign in; works on the desk file, beside a running Wardwatch or not')
    .addHelpText(
      'after',
      examples(
        ['wardwatch users list', 'who there is'],
        ['wardwatch users add ada --role analyst', 'prints a password for one sign-in'],
        ['wardwatch users reset ada', 'when password or authenticator is lost'],
      ),
    );
  const action =
    (name: 'list' | 'add' | 'role' | 'disable' | 'reset') =>
    async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1) as Command;
      const { usersActions } = await import('./users-action.ts');
      await usersActions[name](command.args, command.optsWithGlobals<UsersOptions>());
    };

  users
    .command('list')
    .description('all users')
    .option('--json', 'one JSON object a line instead of a table')
    .addHelpText('after', examples(['wardwatch users list --json', 'for another program']))
    .action(action('list'));
  users
    .command('add')
    .description('a new local user; prints a password for one sign-in')
    .argument('<name>', 'name of the user')
    .requiredOption('--role <role>', 'viewer, analyst, engineer or admin', roleName)
    .option('--vlan <name>', 'only this VLAN may be seen; may be given several times', collect, [])
    .option('--site <name>', 'only this site of access.sites may be seen; may be given several times', collect, [])
    .addHelpText('after', examples(['wardwatch users add eve --role viewer --vlan 220', 'sees VLAN 220 alone']))
    .action(action('add'));
  users
    .command('role')
    .description('give a user another role')
    .argument('<name>', 'name of the user')
    .argument('<role>', 'viewer, analyst, engineer or admin', roleName)
    .addHelpText('after', examples(['wardwatch users role ada engineer', 'ada may do what engineers may']))
    .action(action('role'));
  users
    .command('disable')
    .description('end the sessions and tokens of a user, and let nobody in by that name')
    .argument('<name>', 'name of the user')
    .option('--off', 'let the user in again')
    .addHelpText(
      'after',
      examples(['wardwatch users disable eve', 'at once'], ['wardwatch users disable eve --off', 'again']),
    )
    .action(action('disable'));
  users
    .command('reset')
    .description('a password for one sign-in; second factor, sessions and waits of the user end')
    .argument('<name>', 'name of the user')
    .addHelpText('after', examples(['wardwatch users reset ada', 'when password or authenticator is lost']))
    .action(action('reset'));
}
