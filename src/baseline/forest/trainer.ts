import { Worker } from 'node:worker_threads';
import type { Component, Reporter } from '../../kernel/component.ts';
import { describeError, WardwatchError } from '../../kernel/errors.ts';
import type { ForestConfig } from './config.ts';
import type { TrainedBytes, TrainMessage } from './train.ts';

export interface TrainRequest {
  /**
   * Row-major. Handed over: where it covers its whole buffer it is moved to the thread and empty afterwards, so that
   * nothing is copied on the caller's thread; otherwise it is copied.
   */
  matrix: Float64Array;
  rows: number;
  columns: number;
  /** Unsigned 32-bit integer. */
  seed: number;
  /** One name a column. */
  featureNames: readonly string[];
}

export interface ForestTrainer extends Component {
  /**
   * Trains a forest on the training thread, one after the other in the order of the calls. Aborting the signal rejects
   * with its reason and ends the training, a running one too. Rejects with a WardwatchError: WW_MODEL where the trainer
   * is not running or too many wait, WW_INTERNAL where the thread failed; with a DataCloneError where the matrix was
   * handed over before.
   */
  train(request: TrainRequest, signal?: AbortSignal): Promise<TrainedBytes>;
}

interface Job {
  message: TrainMessage;
  settle: (answer: TrainedBytes) => void;
  fail: (reason: unknown) => void;
}

/** Owns the training thread, which is started with the first training. */
export function createForestTrainer(config: ForestConfig, deps: { reporter: Reporter }): ForestTrainer {
  const { reporter } = deps;
  const waiting: Job[] = [];
  let running: Job | undefined;
  let worker: Worker | undefined;
  let phase: 'new' | 'started' | 'stopped' = 'new';

  const spawn = (): Worker => {
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const spawned = new Worker(new URL(`./worker.${extension}`, import.meta.url), { name: 'forest-trainer' });
    spawned.on('message', (answer: TrainedBytes) => {
      if (spawned !== worker) return;
      const job = running;
      running = undefined;
      reporter.count('forest_trainings', 1, { result: answer.ok ? 'trained' : answer.reason });
      job?.settle(answer);
      next();
    });
    // An error is followed by an exit; a thread that was given up says nothing any more.
    let cause: unknown;
    spawned.on('error', (error: unknown) => {
      cause = error;
    });
    spawned.on('exit', () => {
      if (spawned !== worker) return;
      worker = undefined;
      const job = running;
      running = undefined;
      reporter.count('forest_trainings', 1, { result: 'failed' });
      reporter.log('error', 'the training thread ended unexpectedly', { cause: describeError(cause ?? 'no error') });
      job?.fail(
        new WardwatchError(
          'WW_INTERNAL',
          'the training of an isolation forest failed',
          'The last good model stays in use. Look at the log for the cause and report it.',
          { cause },
        ),
      );
      next();
    });
    return spawned;
  };

  const next = (): void => {
    if (phase !== 'started' || running !== undefined) return;
    running = waiting.shift();
    reporter.gauge('forest_trainings_waiting', waiting.length);
    if (running === undefined) return;
    worker ??= spawn();
    const { buffer, byteLength } = running.message.matrix;
    try {
      worker.postMessage(
        running.message,
        buffer instanceof ArrayBuffer && byteLength === buffer.byteLength ? [buffer] : [],
      );
    } catch (error) {
      // The matrix was handed over before, to another training.
      const job = running;
      running = undefined;
      job.fail(error);
      next();
    }
  };

  const giveUpThread = (): Promise<unknown> => {
    const given = worker;
    worker = undefined;
    return given === undefined ? Promise.resolve() : given.terminate();
  };

  const refusal = (why: string): WardwatchError =>
    new WardwatchError('WW_MODEL', `an isolation forest was not trained: ${why}`, 'The last good model stays in use.');

  return {
    async start() {
      if (phase !== 'new') throw refusal('its trainer was started twice');
      phase = 'started';
    },

    async stop() {
      phase = 'stopped';
      const left = running === undefined ? waiting.splice(0) : [running, ...waiting.splice(0)];
      running = undefined;
      for (const job of left) job.fail(refusal('its trainer was stopped'));
      await giveUpThread();
    },

    train(request, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<TrainedBytes>();
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return promise;
      }
      if (phase !== 'started') {
        reject(refusal('its trainer is not running'));
        return promise;
      }
      if (waiting.length >= config.max_waiting) {
        reporter.dropped('forest_trainings', 1, 'too-many-waiting');
        reject(refusal('too many trainings are waiting'));
        return promise;
      }
      const { matrix, rows, columns, seed, featureNames } = request;
      const options = { trees: config.trees, sampleSize: config.sample_size, seed, featureNames };
      const onAbort = (): void => {
        job.fail(signal?.reason);
        const place = waiting.indexOf(job);
        if (place >= 0) waiting.splice(place, 1);
        if (running !== job) return;
        running = undefined;
        void giveUpThread();
        next();
      };
      const job: Job = {
        message: { matrix, rows, columns, options },
        settle: (answer) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(answer);
        },
        fail: (reason) => {
          signal?.removeEventListener('abort', onAbort);
          reject(reason);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      waiting.push(job);
      next();
      return promise;
    },
  };
}
