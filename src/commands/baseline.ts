import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';
import { collect, wholeNumber } from './replay.ts';

export interface BaselineOptions extends GlobalOptions {
  from: string[];
  learn: string[];
  seed: number;
  json?: boolean;
  acts?: string;
  at?: number;
  by?: string;
  reason?: string;
}

function moment(value: string): number {
  const ms = Date.parse(value);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('it must be a date like 2026-03-02T00:00:00Z');
  return ms * 1000;
}

export function registerBaseline(program: Command): void {
  const baseline = program
    .command('baseline')
    .description('what is usual for a device: show, compare, hold, take back');

  const reading = (name: string, says: string): Command =>
    baseline
      .command(name)
      .description(says)
      .requiredOption('--from <file>', 'capture to take it from; may be given several times', collect, [])
      .option('--learn <file>', 'capture of normal work to learn from first; may be given several times', collect, [])
      .option('--seed <n>', 'seed of everything that is drawn by lot', wholeNumber, 1);

  reading('show', 'peers, services, commands, usual ranges, rhythms, and what learning still waits for')
    .argument('<device>', 'key, MAC or IP address, or host name')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      examples(
        ['wardwatch baseline show pump-3 --learn day.pcap.gz --from now.pcap.gz', 'as people read it'],
        ['wardwatch baseline show 10.20.1.30 --from day.pcap.gz --json', 'for another program'],
      ),
    )
    .action(async (device: string, _options: unknown, command: Command) => {
      const { showBaseline } = await import('./baseline-action.ts');
      await showBaseline(device, command.optsWithGlobals<BaselineOptions>());
    });
  reading('diff', 'what changed between two versions, or since the last one')
    .argument('<device>', 'key, MAC or IP address, or host name')
    .argument('[before]', 'number of the older version; the last one without it', wholeNumber)
    .argument('[after]', 'number of the newer version; what is usual now without it', wholeNumber)
    .addHelpText('after', examples(['wardwatch baseline diff pump-3 1 --from week.pcap.gz', 'since version 1']))
    .action(
      async (device: string, before: number | undefined, after: number | undefined, _o: unknown, command: Command) => {
        const { diffBaseline } = await import('./baseline-action.ts');
        await diffBaseline(device, before, after, command.optsWithGlobals<BaselineOptions>());
      },
    );
  reading('export', 'the whole baseline with all kept versions as JSON')
    .argument('<device>', 'key, MAC or IP address, or host name')
    .addHelpText('after', examples(['wardwatch baseline export pump-3 --from day.pcap.gz > pump-3.json', 'to keep it']))
    .action(async (device: string, _options: unknown, command: Command) => {
      const { exportBaseline } = await import('./baseline-action.ts');
      await exportBaseline(device, command.optsWithGlobals<BaselineOptions>());
    });

  const acting = (name: string, says: string): Command =>
    baseline
      .command(name)
      .description(says)
      .option('--acts <file>', 'file of acts; without it hotPath.baseline.acts_file of the configuration')
      .option('--at <date>', 'event time from which it holds; now without it', moment)
      .option('--by <name>', 'who decided it')
      .option('--reason <text>', 'why');
  const device = 'key of the device, <vlan>/<mac>';

  acting('freeze', 'from now on the baseline takes nothing in')
    .argument('<device>', device)
    .addHelpText('after', examples(['wardwatch baseline freeze 0/00:12:21:00:00:41 --reason "validated"', 'hold it']))
    .action(async (key: string, _options: unknown, command: Command) => {
      const { actOnBaseline } = await import('./baseline-action.ts');
      await actOnBaseline('freeze', key, undefined, command.optsWithGlobals<BaselineOptions>());
    });
  acting('unfreeze', 'the baseline goes on adapting, by what it has learned itself')
    .argument('<device>', device)
    .addHelpText('after', examples(['wardwatch baseline unfreeze 0/00:12:21:00:00:41', 'let it go']))
    .action(async (key: string, _options: unknown, command: Command) => {
      const { actOnBaseline } = await import('./baseline-action.ts');
      await actOnBaseline('unfreeze', key, undefined, command.optsWithGlobals<BaselineOptions>());
    });
  acting('revert', 'goes by an earlier version of the usual ranges, frozen, until it is unfrozen')
    .argument('<device>', device)
    .argument('<version>', 'number of the version, see show', wholeNumber)
    .addHelpText('after', examples(['wardwatch baseline revert 0/00:12:21:00:00:41 1', 'as it was at first']))
    .action(async (key: string, version: number, _options: unknown, command: Command) => {
      const { actOnBaseline } = await import('./baseline-action.ts');
      await actOnBaseline('revert', key, version, command.optsWithGlobals<BaselineOptions>());
    });
}
