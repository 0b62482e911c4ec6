import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { Role } from '../access/roles.ts';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';
import { collect } from './replay.ts';
import { roleName } from './users.ts';

export interface TokensOptions extends GlobalOptions {
  json?: boolean;
  user?: string;
  role?: Role;
  vlan?: string[];
  days?: number;
}

function days(text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1 && n <= 366) return n;
  throw new InvalidArgumentError('it must be a whole number from 1 to 366');
}

export function registerTokens(program: Command): void {
  const tokens = program
    .command('tokens')
    .description('API tokens for programs; works on the desk file, beside a running Wardwatch or not')
    .addHelpText(
      'after',
      examples(
        ['wardwatch tokens create siem --user ada --role viewer --days 90', 'prints the token, this once'],
        ['wardwatch tokens revoke 3', 'at once'],
      ),
    );
  const action =
    (name: 'list' | 'create' | 'revoke') =>
    async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1) as Command;
      const { tokensActions } = await import('./tokens-action.ts');
      await tokensActions[name](command.args, command.optsWithGlobals<TokensOptions>());
    };
  tokens
    .command('list')
    .description('all tokens, expired ones too')
    .option('--json', 'one JSON object a line instead of a table')
    .addHelpText('after', examples(['wardwatch tokens list', 'which there are, and when they were used']))
    .action(action('list'));
  tokens
    .command('create')
    .description('a new token; it never does more than its user may')
    .argument('<name>', 'what it is for')
    .requiredOption('--user <name>', 'user whom it belongs to')
    .requiredOption('--role <role>', 'viewer, analyst, engineer or admin', roleName)
    .option('--vlan <name>', 'only this VLAN may be seen; may be given several times', collect, [])
    .option('--days <n>', 'how long it holds', days, 90)
    .addHelpText('after', examples(['wardwatch tokens create siem --user ada --role viewer', 'for 90 days']))
    .action(action('create'));
  tokens
    .command('revoke')
    .description('end a token, at once')
    .argument('<id>', 'its number in `wardwatch tokens list`')
    .addHelpText('after', examples(['wardwatch tokens revoke 3', 'the token with number 3']))
    .action(action('revoke'));
}
