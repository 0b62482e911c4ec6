import { deadLetterTopic, ensureTopic, topicSettings } from '../bus/kafka/index.ts';
import { loadConfig } from '../config/index.ts';
import { silentReporter } from '../kernel/component.ts';
import type { TopicsCreateOptions } from './topics.ts';

interface Setting {
  readonly name: string;
  readonly value: string;
  readonly why: string;
}

const HOUR_MS = 3_600_000;
const GIB = 1024 ** 3;

/** What the topics are made with, and what for. */
export function recommendedSettings(
  options: Pick<TopicsCreateOptions, 'replication' | 'retentionHours' | 'retentionGib'>,
): Setting[] {
  const { replication, retentionHours, retentionGib } = options;
  return [
    {
      name: 'retention.ms',
      value: String(retentionHours * HOUR_MS),
      why: `records go after ${retentionHours} h: frames hold patient data, so keep them no longer than detectors may be down`,
    },
    {
      name: 'retention.bytes',
      value: String(retentionGib * GIB),
      why: `or when a partition has ${retentionGib} GiB, so that busy mirror ports cannot fill the broker's disk`,
    },
    {
      name: 'segment.ms',
      value: String(HOUR_MS),
      why: 'only closed segments are deleted: without this, Kafka keeps a quiet partition for a week',
    },
    {
      name: 'cleanup.policy',
      value: 'delete',
      why: 'frames have no key, so there is nothing to compact',
    },
    {
      name: 'min.insync.replicas',
      value: String(Math.max(1, replication - 1)),
      why:
        replication === 1
          ? 'with one copy there is no more to ask for; a lost disk is lost frames'
          : 'a record counts as sent when so many brokers have it; one may be down without a stop',
    },
    {
      name: 'max.message.bytes',
      value: '1048588',
      why: 'what a request of Wardwatch fits into (bus.kafka.max_record_bytes is at most 900,000)',
    },
    {
      name: 'compression.type',
      value: 'producer',
      why: 'kept as it was sent (bus.kafka.compression): the broker does not pack it anew',
    },
  ];
}

export async function topicsCreateCommand(options: TopicsCreateOptions): Promise<void> {
  const { config } = loadConfig({ file: options.config });
  const { kafka } = config.bus;
  const partitions = options.partitions ?? kafka.partitions;
  const settings = recommendedSettings(options);
  const dead = deadLetterTopic(kafka);
  const write = (line = ''): void => void process.stdout.write(`${line}\n`);

  write(`${kafka.topic}: ${partitions} partitions, ${copies(options.replication)}`);
  write(
    '  a partition carries one sensor, in order; a detector watches one or more, so this is the most that can share',
  );
  write(`${dead}: 1 partition, ${copies(options.replication)}`);
  write('  records that cannot be read, with the reason in a header; they hold captured bytes as well');
  write('both with');
  const width = Math.max(...settings.map(({ name, value }) => name.length + value.length));
  for (const { name, value, why } of settings) write(`  ${`${name}=${value}`.padEnd(width + 3)}${why}`);
  write();
  if (options.dryRun === true) {
    write('nothing was changed (--dry-run)');
    return;
  }

  const { created, partitions: there } = await ensureTopic(
    kafka,
    {
      partitions,
      retentionMs: options.retentionHours * HOUR_MS,
      replicationFactor: options.replication,
      entries: Object.fromEntries(
        settings.filter(({ name }) => name !== 'retention.ms').map(({ name, value }) => [name, value]),
      ),
    },
    { reporter: silentReporter },
  );
  if (created) write(`${kafka.topic} was made with ${there} partitions`);
  else write(`${kafka.topic} was there with ${there} partitions and stays as it is`);
  if (there < partitions)
    write(
      `  more: kafka-topics.sh --alter --topic ${kafka.topic} --partitions ${partitions} (existing sensors keep theirs)`,
    );
  const names = settings.map(({ name }) => name);
  for (const [topic, values] of await topicSettings(kafka, names, { reporter: silentReporter })) {
    const other = settings.filter(({ name, value }) => values.get(name) !== value);
    if (other.length === 0) continue;
    write(`${topic} differs:`);
    for (const { name, value } of other) write(`  ${name} is ${values.get(name) ?? 'unknown'}, not ${value}`);
    write(
      `  to change: kafka-configs.sh --alter --topic ${topic} --add-config ` +
        other.map(({ name, value }) => `${name}=${value}`).join(','),
    );
  }
}

function copies(n: number): string {
  return n === 1 ? 'one copy' : `${n} copies`;
}
