import type { Reporter } from '../../kernel/component.ts';
import type { FrameBus, FramePublisher, FrameSubscription, PublisherOptions, SubscribeOptions } from '../bus.ts';
import type { KafkaBusConfig } from './config.ts';
import { createKafkaPublisher } from './publisher.ts';
import { createKafkaSubscription } from './subscription.ts';

export { kafkaBusConfigSchema } from './config.ts';
export type { KafkaBusConfig } from './config.ts';
export { deadLetterTopic, endOfTopic, ensureTopic, topicSettings } from './topics.ts';
export type { TopicSettings } from './topics.ts';

/**
 * The bus over Apache Kafka. The value of a record is a capture: one or more pcapng sections one after the
 * other (so that all values after each other are one, too), or a classic pcap file with at least one frame.
 */
export function createKafkaBus(config: KafkaBusConfig, deps: { reporter: Reporter }): FrameBus {
  const open: (FramePublisher | FrameSubscription)[] = [];
  return {
    kind: 'kafka',
    partitions: config.partitions,
    publisher(options?: PublisherOptions): FramePublisher {
      const publisher = createKafkaPublisher(config, deps, options);
      open.push(publisher);
      return publisher;
    },
    subscribe(options?: SubscribeOptions): FrameSubscription {
      const subscription = createKafkaSubscription(config, deps, options);
      open.push(subscription);
      return subscription;
    },
    async stop(): Promise<void> {
      await Promise.all(open.map((part) => part.stop()));
    },
  };
}
