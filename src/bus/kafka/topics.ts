import { setTimeout as delay } from 'node:timers/promises';
import type { Admin, Kafka } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { Reporter } from '../../kernel/component.ts';
import { WardwatchError } from '../../kernel/errors.ts';
import { brokerError, createClient } from './client.ts';
import type { BusPositions } from '../bus.ts';
import type { KafkaBusConfig } from './config.ts';

const LOADING_ATTEMPTS = 40;
const LOADING_PAUSE_MS = 250;

export function deadLetterTopic(config: KafkaBusConfig): string {
  return `${config.topic}.dead-letter`;
}

/** Runs `use` with an admin connection that is closed afterwards, whatever happens. */
async function withAdmin<T>(kafka: Kafka, config: KafkaBusConfig, doing: string, use: (admin: Admin) => Promise<T>) {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await use(admin);
  } catch (error) {
    throw brokerError(error, config, doing);
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

async function partitionCount(admin: Admin, config: KafkaBusConfig): Promise<number | undefined> {
  // Asking for the metadata of a topic that is missing would create it where the broker does that by itself.
  if (!(await admin.listTopics()).includes(config.topic)) return undefined;
  const { topics } = await admin.fetchTopicMetadata({ topics: [config.topic] });
  return topics[0]?.partitions.length;
}

/**
 * Makes sure that the broker answers and the topic is there, soon and in plain words: what kafkajs does by
 * itself takes long and ends in words about metadata.
 */
export function checkTopic(kafka: Kafka, config: KafkaBusConfig): Promise<void> {
  return withAdmin(kafka, config, 'looking for the topic', async (admin) => {
    const count = await partitionCount(admin, config);
    const at = config.brokers.join(', ');
    if (count === undefined) {
      throw new WardwatchError(
        'WW_BROKER',
        `The topic ${config.topic} is missing at Kafka ${at}.`,
        'Create it with `wardwatch topics create`.',
      );
    }
    if (count < config.partitions) {
      throw new WardwatchError(
        'WW_CONFIG',
        `The topic ${config.topic} at Kafka ${at} has ${count} partitions; kafka.partitions is ${config.partitions}.`,
        `Set kafka.partitions to ${count} at most, or add partitions to the topic.`,
      );
    }
  });
}

/** kafkajs asks once, also where the broker has only just started or made a topic and answers "not yet". */
async function whenLoaded<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      const mayPass = error instanceof kafkajs.KafkaJSProtocolError && error.retriable;
      if (!mayPass || attempt === LOADING_ATTEMPTS) throw error;
      await delay(LOADING_PAUSE_MS);
    }
  }
}

/** Where the group would begin to read each partition of the topic. */
export function startPositions(
  kafka: Kafka,
  config: KafkaBusConfig,
  from: 'beginning' | 'end',
): Promise<Map<number, bigint>> {
  return withAdmin(kafka, config, 'asking for positions', async (admin) => {
    const offsets = await admin.fetchTopicOffsets(config.topic);
    const [committed] = await whenLoaded(() =>
      admin.fetchOffsets({ groupId: config.group_id, topics: [config.topic] }),
    );
    const positions = new Map<number, bigint>();
    for (const { partition, low, high } of offsets) {
      positions.set(partition, BigInt(from === 'beginning' ? low : high));
    }
    for (const { partition, offset } of committed?.partitions ?? []) {
      // Minus one says that nothing was committed.
      if (BigInt(offset) >= 0n) positions.set(partition, BigInt(offset));
    }
    return positions;
  });
}

/** Positions after the last record of each partition of the topic, as they are now. */
export async function endOfTopic(config: KafkaBusConfig, deps: { reporter: Reporter }): Promise<BusPositions> {
  const kafka = await createClient(config, deps.reporter);
  await checkTopic(kafka, config);
  return withAdmin(kafka, config, 'asking for positions', async (admin) => {
    const offsets = await whenLoaded(() => admin.fetchTopicOffsets(config.topic));
    return new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)]));
  });
}

export interface TopicSettings {
  readonly partitions: number;
  /** How long the broker keeps records, in milliseconds. */
  readonly retentionMs: number;
  readonly replicationFactor: number;
  /** Further settings of both topics, by Kafka's names. */
  readonly entries?: Readonly<Record<string, string>>;
}

/**
 * What the broker has in force for the topics of the frames and of the dead letters: the named settings, by
 * topic. A topic that is missing is left out.
 */
export async function topicSettings(
  config: KafkaBusConfig,
  names: readonly string[],
  deps: { reporter: Reporter },
): Promise<Map<string, Map<string, string>>> {
  const kafka = await createClient(config, deps.reporter);
  return withAdmin(kafka, config, 'reading the settings of topics', async (admin) => {
    const there = await admin.listTopics();
    const wanted = [config.topic, deadLetterTopic(config)].filter((name) => there.includes(name));
    if (wanted.length === 0) return new Map<string, Map<string, string>>();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: wanted.map((name) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name,
        configNames: [...names],
      })),
    });
    return new Map(
      resources.map(({ resourceName, configEntries }) => [
        resourceName,
        new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
      ]),
    );
  });
}

/**
 * Creates the topic of the frames and the one for records that cannot be read, where they are missing. A
 * topic that is there stays as it is. The dead letters hold captured bytes: they need the same protection.
 * @returns whether the topic of the frames is new, and how many partitions it has
 * @throws WardwatchError WW_BROKER
 */
export async function ensureTopic(
  config: KafkaBusConfig,
  settings: TopicSettings,
  deps: { reporter: Reporter },
): Promise<{ created: boolean; partitions: number }> {
  const kafka = await createClient(config, deps.reporter);
  return withAdmin(kafka, config, 'creating topics', async (admin) => {
    const topic = (name: string, numPartitions: number) => ({
      topic: name,
      numPartitions,
      replicationFactor: settings.replicationFactor,
      configEntries: [
        { name: 'retention.ms', value: String(settings.retentionMs) },
        ...Object.entries(settings.entries ?? {}).map(([name, value]) => ({ name, value })),
      ],
    });
    // One call each: kafkajs answers for all together and creates none where one is there. It waits for
    // leaders only where the topic is known at once; on a broker that has just started it is not.
    const waitForLeaders = false;
    const created = await admin.createTopics({ waitForLeaders, topics: [topic(config.topic, settings.partitions)] });
    await admin.createTopics({ waitForLeaders, topics: [topic(deadLetterTopic(config), 1)] });
    const topics = [config.topic, deadLetterTopic(config)];
    const metadata = await whenLoaded(() => admin.fetchTopicMetadata({ topics }));
    const frames = metadata.topics.find(({ name }) => name === config.topic);
    return { created, partitions: frames?.partitions.length ?? settings.partitions };
  });
}
