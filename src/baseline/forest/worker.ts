/** The training thread: one request in, one answer out. Started by `createForestTrainer` only. */
import { parentPort } from 'node:worker_threads';
import { saveForest } from './codec.ts';
import { trainForest } from './train.ts';
import type { TrainOptions } from './train.ts';
import type { TrainedBytes } from './trainer.ts';

/** What the trainer sends. */
export interface TrainMessage {
  matrix: Float64Array;
  rows: number;
  columns: number;
  options: TrainOptions;
}

parentPort?.on('message', ({ matrix, rows, columns, options }: TrainMessage) => {
  const outcome = trainForest(matrix, rows, columns, options);
  if (!outcome.ok) {
    parentPort?.postMessage(outcome satisfies TrainedBytes);
    return;
  }
  const bytes = saveForest(outcome.forest);
  parentPort?.postMessage({ ok: true, bytes } satisfies TrainedBytes, [bytes.buffer]);
});
