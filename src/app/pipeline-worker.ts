import { parentPort, workerData } from 'node:worker_threads';
import type { Decision, Obeyed } from '../alerts/decisions.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { runPipeline } from './pipeline.ts';
import type { PipelineRequest } from './pipeline.ts';
import { createRemoteReporter } from './thread-messages.ts';
import type { FromWorker, ToWorker } from './thread-messages.ts';
import { runTopicPipeline } from './topic-pipeline.ts';

/** The hot path's thread: nothing that blocks for long (the database, the console) runs here. */
async function main(): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('pipeline-worker must be started as a worker thread');
  const stop = new AbortController();
  let stored: (() => void) | undefined;
  let decide: ((decisions: readonly Decision[], obeyed: readonly Obeyed[]) => void) | undefined;
  port.on('message', (message: ToWorker) => {
    if (message.type === 'stop') stop.abort();
    else if (message.type === 'decisions') decide?.(message.decisions, message.obeyed);
    else stored?.();
  });
  const post = (message: FromWorker): void => port.postMessage(message);
  try {
    const request = workerData as PipelineRequest;
    await (request.kafka ? runTopicPipeline : runPipeline)(
      request,
      {
        rows: (batch) =>
          new Promise((resolve) => {
            stored = resolve;
            post({ type: 'rows', batch });
          }),
        obeyed: (rows) =>
          new Promise((resolve) => {
            stored = resolve;
            post({ type: 'obeyed', rows });
          }),
        progress: (progress) => post({ type: 'progress', progress }),
        warning: (message) => post({ type: 'warning', message }),
        decided: (decisions, hits) => post({ type: 'decided', decisions, hits }),
        onDecide: (apply) => {
          decide = apply;
        },
        reporter: createRemoteReporter((call) => post({ type: 'report', call })),
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
