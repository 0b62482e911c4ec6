import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';
import { collect, wholeNumber } from './replay.ts';
import { TOPIC_NOTE } from './run.ts';
import { address } from './sensor.ts';

export interface DetectorOptions extends GlobalOptions {
  learn: string[];
  metrics?: { host: string; port: number };
  seed: number;
  exit?: boolean;
  quiet?: boolean;
}

export function registerDetector(program: Command): void {
  program
    .command('detector')
    .description('watch the frames topic of Kafka and store what is found; no console')
    .option('--learn <file>', 'capture of normal work to learn from first; may be given several times', collect, [])
    .option('--metrics <address>', 'serve /metrics, /healthz and /readyz at [HOST:]PORT', address)
    .option('--seed <n>', 'seed of everything that is drawn by lot', wholeNumber, 1)
    .option('--exit', 'end at what the topic holds now')
    .option('--quiet', 'no progress and no closing lines')
    .addHelpText(
      'after',
      examples(
        ['wardwatch detector', 'one of a group, as bus.kafka.group_id says'],
        ['wardwatch detector --learn monday.pcap.gz', 'with what is usual'],
        ['wardwatch detector --metrics 0.0.0.0:9464', 'with probes, for a supervisor'],
      ) +
        `${TOPIC_NOTE}

Detectors of one group share the partitions. Each partition is watched by itself: what is usual is learned there,
and is left behind when the partition goes to another detector. With store.mode: embedded the rows go to a folder
that only one process can open; \`wardwatch server\` shows those of a ClickHouse server.`,
    )
    .action(async (_options: unknown, command: Command) => {
      const { detectorCommand } = await import('./detector-action.ts');
      await detectorCommand(command.optsWithGlobals<DetectorOptions>());
    });
}
