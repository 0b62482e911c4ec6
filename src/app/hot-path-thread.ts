import { Worker } from 'node:worker_threads';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import type { Decision, Obeyed } from '../alerts/decisions.ts';
import type { Reporter } from '../kernel/component.ts';
import { standardInput } from './standard-input.ts';
import type { PipelineHost, PipelineProgress, PipelineRequest } from './pipeline.ts';
import { passReport } from './thread-messages.ts';
import type { FromWorker, ToWorker } from './thread-messages.ts';

const WORKER = new URL(`./pipeline-worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);

export interface HotPathThread {
  /**
   * Resolves at the end of the input or after `stop`, when all rows that the hot path made are stored. Fails
   * where it failed, or where the rows could not be stored.
   */
  readonly ended: Promise<void>;
  /** What people have decided, all of it; `host.decided` tells from when on the hot path obeys. */
  readonly decide: (decisions: readonly Decision[], obeyed?: readonly Obeyed[]) => void;
  /** Ends the thread at once. */
  terminate(): Promise<void>;
}

/** Starts the hot path in a thread of its own. `host` is called on this one. */
export function startHotPathThread(request: PipelineRequest, host: PipelineHost, stop: AbortSignal): HotPathThread {
  const worker = new Worker(WORKER, { workerData: request, stdin: request.files.includes('-') });
  const input = worker.stdin === null ? undefined : standardInput();
  if (worker.stdin !== null) input?.on('error', () => worker.stdin?.end()).pipe(worker.stdin);
  const say = (message: ToWorker): void => worker.postMessage(message);
  stop.addEventListener('abort', () => say({ type: 'stop' }), { once: true });
  if (stop.aborted) say({ type: 'stop' });

  const ended = new Promise<void>((resolve, reject) => {
    let storing = Promise.resolve();
    worker.on('message', (message: FromWorker) => {
      switch (message.type) {
        case 'rows':
          storing = storing.then(() => host.rows(message.batch)).then(() => say({ type: 'stored' }), reject);
          break;
        case 'obeyed':
          storing = storing.then(() => host.obeyed?.(message.rows)).then(() => say({ type: 'stored' }), reject);
          break;
        case 'progress':
          host.progress(message.progress);
          break;
        case 'warning':
          host.warning(message.message);
          break;
        case 'report':
          passReport(message.call, host.reporter);
          break;
        case 'decided':
          host.decided?.(message.decisions, message.hits);
          break;
        case 'failed': {
          const error = new WardwatchError(message.code as ErrorCode, message.message, message.remedy);
          storing.then(() => reject(error), reject);
          break;
        }
        case 'ended':
          storing.then(resolve, reject);
          break;
      }
    });
    const died = (why: string, cause?: Error): void =>
      reject(new WardwatchError('WW_INTERNAL', `the hot path ended: ${why}`, 'report this with the log', { cause }));
    worker.on('error', (error: Error) => died(describeError(error), error));
    // After 'ended' or 'failed' this comes too late to change anything.
    worker.on('exit', (code) => void storing.then(() => died(`exit code ${code}`)));
  });
  return {
    ended,
    decide: (decisions, obeyed = []) => say({ type: 'decisions', decisions, obeyed }),
    terminate: async () => {
      await worker.terminate();
      // A pipe that its writer keeps open must not keep the process.
      input?.destroy();
    },
  };
}

type Counts = Record<string, number>;

/** Turns the hot path's counters into metrics: it counts, the telemetry adds the difference. */
export function reportProgress(reporter: Reporter, before: PipelineProgress | undefined, now: PipelineProgress): void {
  const a = before?.counters;
  const b = now.counters;
  const grown = (name: string, from: number | undefined, to: number, labels?: Record<string, string>): void => {
    const n = to - (from ?? 0);
    if (n > 0) reporter.count(name, n, labels);
  };
  const grownBy = (name: string, label: string, from: Counts | undefined, to: Counts): void => {
    for (const [key, n] of Object.entries(to)) grown(name, from?.[key], n, { [label]: key });
  };
  grown('frames_read', a?.framesRead, b.framesRead);
  grown('frames_decoded', a?.framesDecoded, b.framesDecoded);
  grownBy('frames_undecodable', 'reason', a?.framesUndecodable, b.framesUndecodable);
  grownBy('decode_events', 'event', a?.decodeEvents, b.decodeEvents);
  grownBy('app_events', 'event', a?.appEvents, b.appEvents);
  grown('flows_ended', a?.flows, b.flows);
  grown('flow_evictions', a?.flowEvictions, b.flowEvictions);
  grown('device_evictions', a?.deviceEvictions, b.deviceEvictions);
  grown('observations', a?.observations, b.observations);
  grown('stream_gap_bytes', a?.streams.gapBytes, b.streams.gapBytes);
  grown('stream_overlong_bytes', a?.streams.overlongBytes, b.streams.overlongBytes);
  grown('frames_lost_at_capture', before?.framesLostAtCapture, now.framesLostAtCapture);
  reporter.gauge('flows_open', b.openFlows);
  reporter.gauge('devices', b.devices);
  reporter.gauge('stream_held_bytes', b.streams.heldBytes);
  reporter.gauge('learning_progress', now.learning);
  reporter.gauge('detectors_failed', now.detectors.filter((d) => d.status === 'failed').length);
  if (now.eventTime !== null) reporter.gauge('event_time_seconds', now.eventTime / 1000);
}
