import type { Decision, Obeyed } from '../alerts/decisions.ts';
import type { Reporter } from '../kernel/component.ts';
import type { RowBatch } from '../kernel/rows.ts';
import type { PipelineProgress } from './pipeline.ts';

/** What the thread of the hot path says to the main one. */
export type FromWorker =
  | { type: 'rows'; batch: RowBatch }
  | { type: 'progress'; progress: PipelineProgress }
  | { type: 'warning'; message: string }
  | { type: 'report'; call: ReporterCall }
  | { type: 'decided'; decisions: readonly Decision[]; hits: Record<string, number> }
  | { type: 'obeyed'; rows: readonly Obeyed[] }
  | { type: 'failed'; code: string; message: string; remedy: string }
  | { type: 'ended' };

export type ToWorker =
  | { type: 'stored' }
  | { type: 'stop' }
  | { type: 'decisions'; decisions: readonly Decision[]; obeyed: readonly Obeyed[] };

/** A call of a reporter as plain data, so that a thread can report to the telemetry of its process. */
export type ReporterCall = { [M in keyof Reporter]: { method: M; args: Parameters<Reporter[M]> } }[keyof Reporter];

/** The reporter of a thread: every call is handed to `send`. */
export function createRemoteReporter(send: (call: ReporterCall) => void): Reporter {
  return {
    log: (...args) => send({ method: 'log', args }),
    count: (...args) => send({ method: 'count', args }),
    gauge: (...args) => send({ method: 'gauge', args }),
    observe: (...args) => send({ method: 'observe', args }),
    dropped: (...args) => send({ method: 'dropped', args }),
  };
}

/** Makes the call that a thread has sent. */
export function passReport(call: ReporterCall, reporter: Reporter): void {
  switch (call.method) {
    case 'log':
      reporter.log(...call.args);
      break;
    case 'count':
      reporter.count(...call.args);
      break;
    case 'gauge':
      reporter.gauge(...call.args);
      break;
    case 'observe':
      reporter.observe(...call.args);
      break;
    case 'dropped':
      reporter.dropped(...call.args);
      break;
  }
}
