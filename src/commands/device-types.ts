import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export interface TypesOptions extends GlobalOptions {
  labels: string;
  out: string;
  folds: number;
  seed: number;
}

const LABELS =
  'CSV with the columns `mac` (or `ip`) and `type`, and where known `class`, `vendor`, `model` and `file` (part of the name of the capture)';

/** `wardwatch devices types`: kinds of devices that a site teaches by showing some. */
export function registerDeviceTypes(devices: Command): void {
  const types = devices.command('types').description('types of devices, learned from those that a site knows');
  types
    .command('train')
    .argument('<captures...>', 'captures in which the devices are heard, best from their first minutes on')
    .description('learn types from captures and a list of what is in them')
    .requiredOption('--labels <file>', LABELS)
    .requiredOption('--out <file>', 'file to write, for hotPath.identity.knowledge.types_file')
    .addHelpText(
      'after',
      examples(['wardwatch devices types train ward-*.pcap --labels known.csv --out types.json', 'what the ward has']),
    )
    .action(async (captures: string[], _options: unknown, command: Command) => {
      const { trainCommand } = await import('./device-types-action.ts');
      await trainCommand(captures, command.optsWithGlobals<TypesOptions>());
    });
  types
    .command('test')
    .argument('<captures...>', 'captures in which the devices are heard')
    .description('how well types would be known again: each part judged by what the others taught')
    .requiredOption('--labels <file>', LABELS)
    .option('--folds <n>', 'parts', folds, 5)
    .option('--seed <n>', 'deals the examples to parts', Number, 1)
    .addHelpText(
      'after',
      examples(['wardwatch devices types test ward-*.pcap --labels known.csv', 'before it is used']),
    )
    .action(async (captures: string[], _options: unknown, command: Command) => {
      const { testCommand } = await import('./device-types-action.ts');
      await testCommand(captures, command.optsWithGlobals<TypesOptions>());
    });
  types
    .command('show')
    .argument('<file>', 'file of learned types')
    .description('what a file of learned types holds')
    .addHelpText('after', examples(['wardwatch devices types show types.json', 'its types']))
    .action(async (file: string) => {
      const { showCommand } = await import('./device-types-action.ts');
      showCommand(file);
    });
}

function folds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 2 || value > 20) throw new InvalidArgumentError('expected 2 to 20.');
  return value;
}
