import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export interface TopicsCreateOptions extends GlobalOptions {
  partitions?: number;
  replication: number;
  retentionHours: number;
  retentionGib: number;
  dryRun?: boolean;
}

function countUpTo(most: number): (value: string) => number {
  return (value) => {
    const n = /^\d{1,6}$/.test(value) ? Number(value) : 0;
    if (n < 1 || n > most) throw new InvalidArgumentError(`it must be a whole number from 1 to ${most}`);
    return n;
  };
}

export function registerTopics(program: Command): void {
  const topics = program
    .command('topics')
    .description('the topics of Kafka that carry frames')
    .addHelpText('after', examples(['wardwatch topics create', 'make them, with what each setting is for']));
  topics
    .command('create')
    .description('make the topics of the frames and of the records that cannot be read, and explain their settings')
    .option('--partitions <n>', 'partitions of the frames; default: bus.kafka.partitions', countUpTo(1024))
    .option('--replication <n>', 'brokers that keep each record; 3 where there are three', countUpTo(15), 1)
    .option('--retention-hours <n>', 'how long records are kept', countUpTo(8760), 24)
    .option('--retention-gib <n>', 'most GiB kept of each partition', countUpTo(100_000), 8)
    .option('--dry-run', 'explain, and change nothing')
    .addHelpText(
      'after',
      examples(
        ['wardwatch topics create', 'for one broker'],
        ['wardwatch topics create --replication 3 --partitions 16', 'for a cluster'],
        ['wardwatch topics create --dry-run', 'what would be made, and why'],
      ) + '\n\nA topic that is there stays as it is; where its settings differ, that is said, with how to change them.',
    )
    .action(async (_options: unknown, command: Command) => {
      const { topicsCreateCommand } = await import('./topics-action.ts');
      await topicsCreateCommand(command.optsWithGlobals<TopicsCreateOptions>());
    });
}
