import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import type { AuditHead } from '../access/audit.ts';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export interface AuditOptions extends GlobalOptions {
  json?: boolean;
  head?: AuditHead;
  limit?: number;
}

function head(text: string): AuditHead {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined) throw new InvalidArgumentError('it is written NUMBER:HASH');
  return { seq: Number(seq), hash };
}

function positive(text: string): number {
  const n = Number(text);
  if (Number.isInteger(n) && n >= 1 && n <= 100_000) return n;
  throw new InvalidArgumentError('it must be a whole number above 0');
}

export function registerAudit(program: Command): void {
  const audit = program
    .command('audit')
    .description('the audit log: who did what; works on the desk file, beside a running Wardwatch or not')
    .addHelpText(
      'after',
      examples(
        ['wardwatch audit tail', 'what was done last'],
        ['wardwatch audit verify', 'was an entry changed, taken out or cut off?'],
        ['wardwatch audit export > audit.ndjson', 'all of it, for another place'],
      ),
    );
  const action =
    (name: 'verify' | 'export' | 'tail') =>
    async (...given: unknown[]): Promise<void> => {
      const { auditActions } = await import('./audit-action.ts');
      await auditActions[name]((given.at(-1) as Command).optsWithGlobals<AuditOptions>());
    };
  audit
    .command('verify')
    .description('compute the whole chain again; exit code 1 where an entry was changed, is missing or was cut off')
    .option('--head <number:hash>', 'a head that was noted before has to be in it', head)
    .addHelpText('after', examples(['wardwatch audit verify', 'prints the head, to be noted elsewhere']))
    .action(action('verify'));
  audit
    .command('export')
    .description('all entries, oldest first, one JSON object a line with its hash')
    .addHelpText('after', examples(['wardwatch audit export > audit.ndjson', 'for another place']))
    .action(action('export'));
  audit
    .command('tail')
    .description('the newest entries')
    .option('--limit <n>', 'most entries to list', positive, 20)
    .option('--json', 'one JSON object a line instead of a table')
    .addHelpText('after', examples(['wardwatch audit tail --limit 100', 'the last hundred']))
    .action(action('tail'));
}
