import { Type } from 'typebox';
import type { Static } from 'typebox';

/** Configuration of the bus inside one process. */
export const memoryBusConfigSchema = Type.Object(
  {
    partitions: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: 1024,
      description: 'Number of partitions; order is kept within each.',
    }),
    max_queued_batches: Type.Integer({
      default: 64,
      minimum: 1,
      description: 'Most batches that wait for the hot path; a source that is faster waits.',
    }),
    max_queued_bytes: Type.Integer({
      default: 67_108_864,
      minimum: 1,
      description: 'Most bytes of batches that wait for the hot path. A single greater batch still passes.',
    }),
  },
  { additionalProperties: false, description: 'Bus within one process' },
);
export type MemoryBusConfig = Static<typeof memoryBusConfigSchema>;
