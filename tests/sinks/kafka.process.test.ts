import { randomUUID } from 'node:crypto';
import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { toDelivery } from '../../src/alerts/delivery.ts';
import { createClient } from '../../src/bus/kafka/client.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { kafkaSinkConfigSchema } from '../../src/sinks/kafka/config.ts';
import type { KafkaSinkConfig } from '../../src/sinks/kafka/config.ts';
import { createKafkaSink } from '../../src/sinks/kafka/index.ts';
import { alertRow, alertRows } from '../delivery/rows.ts';
import { describeWithBroker } from '../support/kafka/shared.ts';

function configOf(brokers: string, changes: Partial<KafkaSinkConfig> = {}): KafkaSinkConfig {
  const given = {
    kind: 'kafka',
    name: 'bus',
    brokers: brokers.split(','),
    topic: `alerts-${randomUUID()}`,
    ...changes,
  };
  return Value.Parse(kafkaSinkConfigSchema, Value.Default(kafkaSinkConfigSchema, given));
}
const deps = { allowed: ['127.0.0.0/8', '::1/128'], reporter: silentReporter };

describeWithBroker('the Kafka sink', (brokers) => {
  it('writes alerts with key and id, in order', async () => {
    const config = configOf(brokers());
    const kafka = await createClient(config, silentReporter);
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: config.topic, numPartitions: 3 }], waitForLeaders: false });
    await admin.disconnect();
    const sink = createKafkaSink(config, deps);
    await sink.start();
    const deliveries = [...alertRows(20), alertRow({ version: 1 }), alertRow({ version: 2 })].map(toDelivery);
    let outcomes = await sink.send(deliveries, '');
    // A broker that has just made the topic may not lead it yet.
    while (outcomes[0]!.kind !== 'delivered') outcomes = await sink.send(deliveries, '');
    expect(outcomes).toEqual(deliveries.map(() => ({ kind: 'delivered', detail: 'acknowledged' })));
    await sink.stop();

    const consumer = kafka.consumer({ groupId: randomUUID() });
    const got: { key: string; id: string; value: unknown }[] = [];
    await consumer.connect();
    await consumer.subscribe({ topic: config.topic, fromBeginning: true });
    await new Promise<void>((resolve) => {
      void consumer.run({
        eachMessage: async ({ message }) => {
          const id = String(message.headers?.['delivery-id']);
          got.push({ key: String(message.key), id, value: JSON.parse(String(message.value)) });
          if (new Set(got.map((record) => record.id)).size === deliveries.length) resolve();
        },
      });
    });
    await consumer.disconnect();
    expect(new Set(got.map(({ id }) => id))).toEqual(new Set(deliveries.map(({ id }) => id)));
    const same = got.filter(({ key }) => key === alertRow().uid).map(({ id }) => id);
    expect(same.indexOf('alert_a1B2c3D4e5F6_1')).toBeLessThan(same.lastIndexOf('alert_a1B2c3D4e5F6_2'));
    expect(got[0]!.value).toMatchObject({ class_uid: 2004 });
  });

  it('leads nowhere it may not', async () => {
    const sink = createKafkaSink(configOf(brokers(), { allow: ['10.0.0.0/8'] }), deps);
    await sink.start();
    expect(await sink.send([toDelivery(alertRow())], '')).toMatchObject([{ kind: 'retry', away: true }]);
    await sink.stop();
  });
});

describe('the Kafka sink without a broker', () => {
  it('is away, and does not throw', async () => {
    const sink = createKafkaSink(configOf('127.0.0.1:9', { timeout_s: 5 }), deps);
    await sink.start();
    expect(await sink.send([toDelivery(alertRow())], '')).toMatchObject([{ kind: 'retry', away: true }]);
    await sink.stop();
  });
});
