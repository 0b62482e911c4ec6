import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

interface BenchOptions extends GlobalOptions {
  stage: 'read' | 'decode' | 'flows' | 'app' | 'all';
  times: number;
  json?: boolean;
}

export function registerBench(program: Command): void {
  program
    .command('bench')
    .argument('<file>', 'capture')
    .description('run a capture through the hot path up to a stage, with nothing written, and say how fast')
    .addOption(
      new Option('--stage <stage>', 'how far frames go')
        .choices(['read', 'decode', 'flows', 'app', 'all'])
        .default('all'),
    )
    .option(
      '--times <n>',
      'copies of the capture, one after the other; the rate is that of all but the first',
      wholeNumber,
      8,
    )
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      examples(
        ['wardwatch bench --stage flows mix.pcap', 'reading, decoding and the flow table'],
        ['wardwatch bench mix.pcap --json', 'everything, for a script'],
      ),
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<BenchOptions>();
      const { benchCommand } = await import('./bench-action.ts');
      await benchCommand(file, options);
    });
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a number above 0.');
  return value;
}
