import { randomBytes } from 'node:crypto';
import type { FrameBus } from '../bus/bus.ts';
import { createKafkaBus, ensureTopic } from '../bus/kafka/index.ts';
import type { KafkaBusConfig } from '../bus/kafka/index.ts';
import { silentReporter } from '../kernel/component.ts';

/** A bus over a topic of its own with one partition, so that a replay meets nobody else's frames. */
export async function createReplayBus(config: KafkaBusConfig): Promise<FrameBus> {
  const name = `${config.topic}.replay.${randomBytes(6).toString('hex')}`;
  const own: KafkaBusConfig = { ...config, topic: name, group_id: name, partitions: 1 };
  await ensureTopic(own, { partitions: 1, retentionMs: 3_600_000, replicationFactor: 1 }, { reporter: silentReporter });
  return createKafkaBus(own, { reporter: silentReporter });
}
