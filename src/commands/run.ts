import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';
import { collect, wholeNumber } from './replay.ts';

export interface RunOptions extends GlobalOptions {
  learn: string[];
  interface?: string;
  kafka?: boolean;
  speed?: number;
  seed: number;
  demo?: boolean;
  exit?: boolean;
  fresh?: boolean;
  quiet?: boolean;
}

function speed(value: string): number {
  const n = Number(value);
  if (!(n > 0 && n <= 100_000)) throw new InvalidArgumentError('it must be a number above 0');
  return n;
}

/** What whoever watches a topic must know, for the help of each command that does. */
export const TOPIC_NOTE = `

What is known (devices, their usual behaviour, open flows and alerts) is stored with the place in the topic that
it stands for. After a restart or a crash watching goes on from there; rows that are made twice have the same ids
and are stored once. --learn counts only where nothing is stored yet. See docs/explanation/state.md.`;

export function registerRun(program: Command): void {
  program
    .command('run')
    .argument('[file...]', 'captures to watch, pcap or pcapng, also .gz or .zst; `-` is standard input')
    .description('watch traffic and serve the console: everything in one process')
    .option('-i, --interface <name>', 'watch a network interface that receives mirrored traffic')
    .option('--kafka', 'watch the frames topic (bus.kafka) that `wardwatch sensor` fills')
    .option('--learn <file>', 'capture of normal work to learn from first; may be given several times', collect, [])
    .option('--speed <factor>', 'play captures at this multiple of life instead of as fast as possible', speed)
    .option('--seed <n>', 'seed of everything that is drawn by lot', wholeNumber, 1)
    .option('--demo', 'play the recorded clinical VLAN that comes with Wardwatch, attacks included')
    .option('--exit', 'end at the end of the input (topic: at what it holds now), do not keep the console open')
    .option('--fresh', 'forget what earlier runs have learned of the interface')
    .option('--quiet', 'no progress')
    .addHelpText(
      'after',
      examples(
        ['wardwatch run --demo', 'the recorded ward, with attacks'],
        ['wardwatch run --learn monday.pcap.gz tuesday.pcap.gz', 'captures of your own'],
        ['wardwatch run -i eth1', 'a mirror port'],
        ['tcpdump -i eth1 -w - | wardwatch run -', 'from another program'],
        ['wardwatch run --kafka --learn monday.pcap.gz', 'what sensors put on Kafka'],
      ) + TOPIC_NOTE,
    )
    .action(async (files: string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RunOptions>();
      const { runCommand } = await import('./run-action.ts');
      await runCommand(files, options);
    });
}
