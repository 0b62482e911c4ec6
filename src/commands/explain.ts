import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';
import { collect, wholeNumber } from './replay.ts';

export interface ExplainOptions extends GlobalOptions {
  results?: string;
  file: string[];
  learn: string[];
  seed?: number;
}

export function registerExplain(program: Command): void {
  program
    .command('explain')
    .argument('<alert>', 'uid of the alert, or its beginning')
    .description('why an alert was raised: its frames go through the detectors once more')
    .option('--results <dir>', 'folder that a replay wrote: the alert as it was, and which captures led to it')
    .option('--file <file>', 'capture with its frames; may be given several times', collect, [])
    .option('--learn <file>', 'capture that was learned from before; may be given several times', collect, [])
    .option('--seed <n>', 'seed of the run that raised it', wholeNumber)
    .addHelpText(
      'after',
      examples(
        ['wardwatch explain 4kX2 --results out', 'an alert of a replay, with its captures where they were'],
        ['wardwatch explain 4kX2 --learn day.pcap.gz --file now.pcap.gz', 'from captures at hand'],
      ),
    )
    .action(async (uid: string, _options: unknown, command: Command) => {
      const { explainCommand } = await import('./explain-action.ts');
      await explainCommand(uid, command.optsWithGlobals<ExplainOptions>());
    });
}
