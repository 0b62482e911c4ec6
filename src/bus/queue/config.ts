import { Type } from 'typebox';
import type { Static } from 'typebox';

/** Configuration of the queue on disk that a sensor keeps while the broker is away. */
export const diskQueueConfigSchema = Type.Object(
  {
    dir: Type.String({
      minLength: 1,
      description: 'Folder of the queue; each sensor needs one of its own.',
    }),
    max_bytes: Type.Integer({
      default: 4_294_967_296,
      minimum: 1_048_576,
      maximum: 1_099_511_627_776,
      description: 'Most bytes on disk. When it is full the oldest frames are dropped, and counted.',
    }),
    fsync: Type.Union([Type.Literal('never'), Type.Literal('file'), Type.Literal('record')], {
      default: 'file',
      description:
        'When the disk is made to keep what was written: `never`, with each full file, or with each record. A killed ' +
        'process loses nothing in any case; this is about the loss of power.',
    }),
  },
  { additionalProperties: false, description: 'Queue on disk for a live interface while the broker is away' },
);
export type DiskQueueConfig = Static<typeof diskQueueConfigSchema>;
