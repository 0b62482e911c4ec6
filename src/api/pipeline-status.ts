import { Type } from 'typebox';
import type { Static } from 'typebox';

/** One detector as the pipeline runs it. */
export const detectorStatusSchema = Type.Object(
  {
    id: Type.String({ description: 'Folder name of the detector, as in the `detector` field of alerts.' }),
    title: Type.Optional(Type.String({ description: 'What it looks for, in a few words.' })),
    status: Type.Union([Type.Literal('on'), Type.Literal('off'), Type.Literal('failed')]),
    reason: Type.Optional(Type.String({ description: 'Why it is off or failed.' })),
  },
  { title: 'Detector' },
);
export type DetectorStatus = Static<typeof detectorStatusSchema>;

/** What the pipeline says about itself; also the body of `GET /api/v1/status` and of `status` events. */
export const pipelineStatusSchema = Type.Object(
  {
    state: Type.Union(
      [
        Type.Literal('starting'),
        Type.Literal('learning'),
        Type.Literal('watching'),
        Type.Literal('finished'),
        Type.Literal('failed'),
      ],
      { description: '`finished`: the input came to its end. `failed`: see `error`.' },
    ),
    error: Type.Optional(Type.String({ description: 'Why the state is `failed`, one line.' })),
    sources: Type.Array(Type.String(), { description: 'Names of files, interfaces or topics being read.' }),
    frames: Type.Integer({ minimum: 0, description: 'Frames read since the start.' }),
    frames_per_second: Type.Number({ minimum: 0, description: 'Of the wall clock, over the last seconds.' }),
    event_time: Type.Union([Type.Integer(), Type.Null()], {
      description: 'Time stamp of the newest frame in epoch milliseconds; null before the first.',
    }),
    lag_ms: Type.Union([Type.Number(), Type.Null()], {
      description: 'How far event time is behind the wall clock; null where it says nothing (a capture file).',
    }),
    devices: Type.Integer({ minimum: 0, description: 'Devices known.' }),
    learning: Type.Number({ minimum: 0, maximum: 1, description: 'Progress of learning, 1 when it is closed.' }),
    capture_loss: Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.Null()], {
      description: 'Share of frames lost before they reached Wardwatch; null where nothing tells.',
    }),
    dropped: Type.Record(Type.String(), Type.Integer({ minimum: 0 }), {
      description: 'What Wardwatch itself dropped, by reason.',
    }),
    detectors: Type.Array(detectorStatusSchema),
  },
  { title: 'PipelineStatus' },
);
export type PipelineStatus = Static<typeof pipelineStatusSchema>;
