import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';
import { wholeNumber } from './replay.ts';

export interface SimulateOptions extends GlobalOptions {
  devices: number;
  hours: number;
  seed: number;
  out?: string;
  truth?: string;
  attacks: string[];
  changes: boolean;
  quietHours?: number;
  thin: number;
  start: number;
}

function positiveNumber(value: string): number {
  const n = Number(value);
  if (!/^\d+(\.\d+)?$/.test(value) || !Number.isFinite(n)) throw new InvalidArgumentError('it must be a number');
  return n;
}

function moment(value: string): number {
  const ms = Date.parse(value);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('it must be a date like 2026-03-02T00:00:00Z');
  return ms / 1000;
}

const names = (value: string): string[] => (value === 'none' || value === '' ? [] : value.split(','));

export function registerSimulate(program: Command): void {
  program
    .command('simulate')
    .description("make the traffic of a hospital's network, with the truth about what happens in it")
    .option('--devices <n>', 'size of the site, 30 to 100000', wholeNumber, 200)
    .option('--hours <h>', 'hours of event time', positiveNumber, 1)
    .option('--seed <n>', 'the same seed gives the same bytes', wholeNumber, 1)
    .option('--out <file>', 'capture to write: .pcapng, also .pcapng.gz or .pcapng.zst; `-` is standard output')
    .option('--truth <file>', 'write what the devices are and what happened as JSON')
    .option('--attacks <kinds>', 'kinds of attacks with commas, `all` or `none`', names, [])
    .option('--no-changes', 'no legitimate changes (updates, moves, new devices, maintenance)')
    .option(
      '--quiet-hours <h>',
      'hours from the start without changes and attacks; half of all without it',
      positiveNumber,
    )
    .option('--thin <n>', 'periods below a minute are this many times longer than in life', positiveNumber, 10)
    .option('--start <date>', 'when it begins', moment, Date.UTC(2026, 2, 2) / 1000)
    .addHelpText(
      'after',
      examples(
        ['wardwatch simulate --hours 2 --out site.pcapng.gz', 'two hours of 200 devices'],
        ['wardwatch simulate --attacks all --out site.pcapng.zst --truth truth.json', 'with every attack'],
        ['wardwatch simulate --devices 2000 --hours 0.5', 'no file: how fast is it?'],
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const { simulateCommand } = await import('./simulate-action.ts');
      await simulateCommand(command.optsWithGlobals<SimulateOptions>());
    });
}
