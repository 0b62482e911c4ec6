import { Type } from 'typebox';
import type { Static } from 'typebox';
import type { Access } from '../access/index.ts';
import type { Triage } from '../desk/triage.ts';
import type { Reporter } from '../kernel/component.ts';
import type { AlertRow, DeviceRow } from '../kernel/rows.ts';
import type { Store } from '../store/contract.ts';

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

/** What happens while someone looks on. Rows are given after they are safe in the store. */
export type LiveEvent =
  | { type: 'alert'; change: 'created' | 'updated'; row: AlertRow }
  | { type: 'device'; change: 'created' | 'updated'; row: DeviceRow }
  | { type: 'status'; status: PipelineStatus }
  /** People or rules have changed what is made of alerts: their uids, or so many that only the number is told. */
  | { type: 'triage'; uids: readonly string[]; total: number };

/** Whether requests can be served, check by check. */
export interface Readiness {
  ok: boolean;
  checks: { name: string; ok: boolean; detail?: string }[];
}

/** All that the API needs from the rest of the program. */
export interface ApiDeps {
  store: Store;
  /** People and the audit log; without it everybody is an admin and nothing is written down. */
  access?: Access;
  /** What people make of alerts; without it the queue is the plain list of alerts. */
  triage?: Triage;
  reporter: Reporter;
  /** Version of Wardwatch, as in package.json. */
  version: string;
  /** Folder with the console's build (`index.html`, `assets/`); may be absent, the API works without it. */
  consoleDir: string;
  /** Must answer at once from memory: it is asked on every request of the console. */
  status(): PipelineStatus;
  /** Calls `listener` in the order of happening until the function it gives back is called. */
  subscribe(listener: (event: LiveEvent) => void): () => void;
  /** The Prometheus text exposition. */
  metrics(): Promise<string>;
  ready(): Promise<Readiness>;
}
