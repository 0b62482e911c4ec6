/** The training thread: one request in, one answer out. Started by `createForestTrainer` only. */
import { parentPort } from 'node:worker_threads';
import { saveForest } from './codec.ts';
import { trainForest } from './train.ts';
import type { TrainedBytes, TrainMessage } from './train.ts';

parentPort?.on('message', ({ matrix, rows, columns, options }: TrainMessage) => {
  const outcome = trainForest(matrix, rows, columns, options);
  if (!outcome.ok) {
    parentPort?.postMessage(outcome satisfies TrainedBytes);
    return;
  }
  const bytes = saveForest(outcome.forest);
  parentPort?.postMessage({ ok: true, bytes } satisfies TrainedBytes, [bytes.buffer]);
});
