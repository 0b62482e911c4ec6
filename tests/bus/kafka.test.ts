import { randomUUID } from 'node:crypto';
import { describe } from 'vitest';
import { Value } from 'typebox/value';
import { createKafkaBus, ensureTopic, type KafkaBusConfig, kafkaBusConfigSchema } from '../../src/bus/kafka/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { describeWithBroker } from '../support/kafka/shared.ts';
import { busContract } from './contract.ts';

function configOf(brokers: string, changes: Partial<KafkaBusConfig> = {}): KafkaBusConfig {
  const id = randomUUID();
  const defaults = Value.Create(kafkaBusConfigSchema) as KafkaBusConfig;
  return { ...defaults, brokers: brokers.split(','), topic: `frames-${id}`, group_id: id, partitions: 3, ...changes };
}

describeWithBroker('kafka bus', (brokers) => {
  const deps = { reporter: silentReporter };
  async function withTopic(changes?: Partial<KafkaBusConfig>): Promise<KafkaBusConfig> {
    const config = configOf(brokers(), changes);
    await ensureTopic(config, { partitions: 3, retentionMs: 3_600_000, replicationFactor: 1 }, deps);
    return config;
  }
  describe('contract', () => busContract(async () => createKafkaBus(await withTopic(), deps)));
});
