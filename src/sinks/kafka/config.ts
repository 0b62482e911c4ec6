import { Type } from 'typebox';
import type { Static } from 'typebox';
import { kafkaConnectionParts } from '../../bus/kafka/config.ts';
import { allowPart, endpointParts } from '../config.ts';

/** Configuration of an endpoint that is a Kafka topic. */
export const kafkaSinkConfigSchema = Type.Object(
  {
    kind: Type.Literal('kafka'),
    ...endpointParts,
    ...kafkaConnectionParts,
    topic: Type.String({
      default: 'wardwatch.alerts',
      pattern: '^[a-zA-Z0-9._-]{1,249}$',
      description:
        'Topic of the alerts. The key of a record is the uid of the alert, so that its versions stay in order.',
    }),
    format: Type.Union([Type.Literal('ocsf'), Type.Literal('ecs'), Type.Literal('wardwatch')], {
      default: 'ocsf',
      description: 'Form of the alert in the value.',
    }),
    batch: Type.Integer({ default: 100, minimum: 1, maximum: 1000, description: 'Most alerts of one request.' }),
    timeout_s: Type.Number({ default: 15, minimum: 1, maximum: 120, description: 'Longest time of one attempt.' }),
    ...allowPart,
  },
  { additionalProperties: false, description: 'Kafka topic' },
);
export type KafkaSinkConfig = Static<typeof kafkaSinkConfigSchema>;
