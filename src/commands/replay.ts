import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

interface ReplayOptions extends GlobalOptions {
  learn: string[];
  out: string;
  seed: number;
  bus: string;
  batchFrames: number;
  quiet?: boolean;
  decisions?: string;
}

export const collect = (value: string, list: string[]): string[] => [...list, value];

export function wholeNumber(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('it must be a whole number');
  return Number(value);
}

export function registerReplay(program: Command): void {
  program
    .command('replay')
    .argument('<file...>', 'captures to judge, pcap or pcapng, also .gz or .zst; `-` is standard input')
    .description('run captures through the hot path, offline, and write what it finds')
    .option('--learn <file>', 'capture of normal work to learn from first; may be given several times', collect, [])
    .option('--out <dir>', 'folder for the results', 'out')
    .option('--seed <n>', 'seed of everything that is drawn by lot', wholeNumber, 1)
    .option('--bus <kind>', 'carry the frames through `memory` or `kafka` (as configured)', 'memory')
    .option('--batch-frames <n>', 'most frames handed on at once; results do not depend on it', wholeNumber, 4096)
    .option('--decisions <file>', 'what people have learned and muted, as the console gives it: part of the input')
    .option('--quiet', 'no progress and no closing lines')
    .addHelpText(
      'after',
      examples(
        ['wardwatch replay ward-3.pcapng', 'rules and declared knowledge only'],
        ['wardwatch replay --learn monday.pcap.gz tuesday.pcap.gz --out out', 'learn one day, judge the next'],
        ['tcpdump -r ward-3.pcap -w - | wardwatch replay -', 'from another program'],
      ) +
        '\n\nWrites alerts.ndjson (OCSF 2004), devices.ndjson (OCSF 5001), flows.ndjson (Zeek names),\n' +
        'observations.ndjson, scores.ndjson and summary.json. See docs/reference/replay.md.',
    )
    .action(async (files: string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ReplayOptions>();
      const { replayCommand } = await import('./replay-action.ts');
      await replayCommand(files, options);
    });
}
