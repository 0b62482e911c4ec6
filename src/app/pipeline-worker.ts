import { parentPort, workerData } from 'node:worker_threads';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import type { RowBatch } from '../kernel/rows.ts';
import { runPipeline } from './pipeline.ts';
import type { PipelineProgress, PipelineRequest } from './pipeline.ts';

export type FromWorker =
  | { type: 'rows'; batch: RowBatch }
  | { type: 'progress'; progress: PipelineProgress }
  | { type: 'warning'; message: string }
  | { type: 'failed'; code: string; message: string; remedy: string }
  | { type: 'ended' };

export type ToWorker = { type: 'stored' } | { type: 'stop' };

/** The hot path's thread: nothing that blocks for long (the database, the console) runs here. */
async function main(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('pipeline-worker must be started as a worker thread');
  const stop = new AbortController();
  let stored: (() => void) | undefined;
  port.on('message', (message: ToWorker) => {
    if (message.type === 'stop') stop.abort();
    else stored?.();
  });
  const post = (message: FromWorker): void => port.postMessage(message);
  try {
    await runPipeline(
      workerData as PipelineRequest,
      {
        rows: (batch) =>
          new Promise((resolve) => {
            stored = resolve;
            post({ type: 'rows', batch });
          }),
        progress: (progress) => post({ type: 'progress', progress }),
        warning: (message) => post({ type: 'warning', message }),
      },
      stop.signal,
    );
    post({ type: 'ended' });
  } catch (error) {
    const known = error instanceof WardwatchError;
    post({
      type: 'failed',
      code: known ? error.code : 'WW_INTERNAL',
      message: describeError(error),
      remedy: known ? error.remedy : 'this is a fault of Wardwatch: run it again with --debug and report what it shows',
    });
  } finally {
    port.close();
  }
}

await main();
