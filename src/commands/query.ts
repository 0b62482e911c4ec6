import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

interface QueryOptions extends GlobalOptions {
  url?: string;
  token?: string;
  json?: boolean;
}

export function registerQuery(program: Command): void {
  program
    .command('query')
    .description('ask a running Wardwatch one SELECT over its tables')
    .argument(
      '<sql>',
      'the statement; tables: alerts, devices, channels, addresses, identities, flows, scores, windows',
    )
    .option('--json', 'one JSON object a line instead of a table')
    .option('--url <url>', 'address of the API; without it host and port of the configuration')
    .option('--token <token>', 'API token; without it the variable WARDWATCH_TOKEN')
    .addHelpText(
      'after',
      examples(
        ['wardwatch query "SELECT type, count() FROM devices GROUP BY type"', 'how many of each type'],
        [
          `wardwatch query "SELECT device, peer_name, bytes_out FROM channels WHERE peer_kind = 'external'" --json`,
          'what leaves the site, for another program',
        ],
      ),
    )
    .action(async (sql: string, _options: unknown, command: Command) => {
      const { askSql } = await import('./query-action.ts');
      await askSql(sql, command.optsWithGlobals<QueryOptions>());
    });
}
