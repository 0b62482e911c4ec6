import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export interface DeliveryOptions extends GlobalOptions {
  endpoint?: string;
  limit: number;
  json?: boolean;
  from?: number;
  to?: number;
  again?: boolean;
}

export function registerDelivery(program: Command): void {
  const delivery = program
    .command('delivery')
    .description(
      'see and steer what is sent to other systems; reads the outbox file, beside a running Wardwatch or not',
    )
    .addHelpText(
      'after',
      examples(
        ['wardwatch delivery list', 'what waits for whom'],
        ['wardwatch delivery test siem', 'does the endpoint work?'],
        ['wardwatch delivery log --endpoint siem', 'what was tried, newest first'],
        ['wardwatch delivery dead-letters --again', 'try again what was given up'],
        ['wardwatch delivery replay --from 2026-11-20 --to 2026-11-21', 'send the alerts of a day again'],
      ),
    );

  delivery
    .command('list')
    .description('endpoints, and what waits for them')
    .option('--json', 'one JSON object a line instead of a table')
    .addHelpText('after', examples(['wardwatch delivery list', 'what waits for whom, and who is away']))
    .action(async (_options: unknown, command: Command) => {
      const { listEndpoints } = await import('./delivery-action.ts');
      listEndpoints(command.optsWithGlobals<DeliveryOptions>());
    });

  delivery
    .command('test')
    .description('send a test message to an endpoint, from here and now')
    .argument('<endpoint>', 'name of the endpoint')
    .addHelpText('after', examples(['wardwatch delivery test siem', 'does the endpoint named siem take a message?']))
    .action(async (endpoint: string, _options: unknown, command: Command) => {
      const { testEndpoint } = await import('./delivery-action.ts');
      await testEndpoint(endpoint, command.optsWithGlobals<DeliveryOptions>());
    });

  delivery
    .command('log')
    .description('attempts, newest first')
    .option('--endpoint <name>', 'only those to this endpoint')
    .option('--limit <n>', 'most attempts to list', positiveInteger, 50)
    .option('--json', 'one JSON object a line instead of a table')
    .addHelpText('after', examples(['wardwatch delivery log --endpoint siem --limit 10', 'the last ten attempts']))
    .action(async (_options: unknown, command: Command) => {
      const { listLog } = await import('./delivery-action.ts');
      listLog(command.optsWithGlobals<DeliveryOptions>());
    });

  delivery
    .command('dead-letters')
    .description('deliveries that were given up')
    .option('--endpoint <name>', 'only those to this endpoint')
    .option('--limit <n>', 'most to list', positiveInteger, 50)
    .option('--again', 'queue them again (all of them, whatever the limit)')
    .option('--json', 'one JSON object a line instead of a table')
    .addHelpText('after', examples(['wardwatch delivery dead-letters --again', 'try again what was given up']))
    .action(async (_options: unknown, command: Command) => {
      const { listDeadLetters } = await import('./delivery-action.ts');
      listDeadLetters(command.optsWithGlobals<DeliveryOptions>());
    });

  delivery
    .command('replay')
    .description('send stored alerts of a time range again; receivers know them by their ids')
    .requiredOption('--from <time>', 'first event time, such as 2026-11-20 or 2026-11-20T14:00Z', time)
    .requiredOption('--to <time>', 'last event time', time)
    .option('--endpoint <name>', 'only to this endpoint')
    .addHelpText(
      'after',
      examples(['wardwatch delivery replay --from 2026-11-20 --to 2026-11-21', 'send the alerts of a day again']),
    )
    .action(async (_options: unknown, command: Command) => {
      const { askForReplay } = await import('./delivery-action.ts');
      askForReplay(command.optsWithGlobals<DeliveryOptions>());
    });

  delivery
    .command('enable')
    .description('switch an endpoint on again that was switched off because it answered 410 Gone')
    .argument('<endpoint>', 'name of the endpoint')
    .addHelpText(
      'after',
      examples(['wardwatch delivery enable siem', 'after it answered 410 Gone and was set up anew']),
    )
    .action(async (endpoint: string, _options: unknown, command: Command) => {
      const { enableEndpoint } = await import('./delivery-action.ts');
      enableEndpoint(endpoint, command.optsWithGlobals<DeliveryOptions>());
    });
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a number above 0.');
  return value;
}

/** Epoch milliseconds; a time without a zone is UTC, as everywhere in the alerts. */
function time(text: string): number {
  const isPlain = /^\d{4}-\d{2}-\d{2}T[\d:.]+$/.test(text);
  const value = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(isPlain ? `${text}Z` : text) : Number.NaN;
  if (Number.isNaN(value)) throw new InvalidArgumentError('expected a time such as 2026-11-20T14:00Z.');
  return value;
}
