import { performance } from 'node:perf_hooks';
import type { Reporter } from '../kernel/component.ts';
import { WardwatchError } from '../kernel/errors.ts';
import type { StoreConfig } from './config.ts';
import { kindOfFailure, storeError } from './failures.ts';

/** Gathers the rows of one table into inserts. */
export interface TableWriter {
  /**
   * Resolves when the engine has acknowledged all lines; waits while the buffer is full.
   * @throws {WardwatchError} `WW_STORE` or `WW_DISK_FULL` where they could not be stored: some may be, so write them again.
   */
  write(lines: readonly string[]): Promise<void>;
  /** Takes nothing more, sends what was begun with one last try each, and comes back when all of it has ended. */
  close(): Promise<void>;
}

interface TableWriterDeps {
  insert: (lines: string[]) => Promise<void>;
  reporter: Reporter;
  table: string;
  place: string;
}

interface Portion {
  lines: readonly string[];
  bytes: number;
  resolve: () => void;
  reject: (error: WardwatchError) => void;
}

export function createTableWriter(limits: StoreConfig['write'], deps: TableWriterDeps): TableWriter {
  const { insert, reporter, table, place } = deps;
  let queue: Portion[] = [];
  let queuedRows = 0;
  let queuedBytes = 0;
  /** Bytes queued or on their way. */
  let heldBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  /** What is queued has waited long enough. */
  let isDue = false;
  let closing = false;
  /** Ends the pause between two tries. */
  let wake: (() => void) | undefined;
  const waitingForRoom: (() => void)[] = [];
  /** Calls of write that have not come back. */
  const open = new Set<Promise<void>>();

  const isFull = (): boolean => queuedRows >= limits.batch_rows || queuedBytes >= limits.batch_bytes;

  const enqueue = (lines: readonly string[], bytes: number): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    queue.push({ lines, bytes, resolve: () => resolve(undefined), reject });
    queuedRows += lines.length;
    queuedBytes += bytes;
    heldBytes += bytes;
    if (isFull() || closing) send();
    else timer ??= setTimeout(sendDue, limits.flush_ms);
    return promise;
  };

  const sendDue = (): void => {
    isDue = true;
    send();
  };

  const send = (): void => {
    clearTimeout(timer);
    timer = undefined;
    sending ??= sendAll();
  };

  const sendAll = async (): Promise<void> => {
    // Whoever writes right now joins the batch instead of waiting for the next.
    await Promise.resolve();
    while (queue.length > 0 && (isDue || isFull() || closing)) {
      isDue = false;
      const batch = takeBatch();
      const lines = batch.flatMap((portion) => portion.lines);
      const failure = await insertPatiently(lines);
      for (const portion of batch) {
        heldBytes -= portion.bytes;
        if (failure === undefined) portion.resolve();
        else portion.reject(failure);
      }
      if (failure !== undefined && kindOfFailure(failure.cause) !== 'refused') {
        // The rest would only wait as long once more, while its writers could already be told.
        for (const portion of queue) {
          heldBytes -= portion.bytes;
          portion.reject(failure);
        }
        queue = [];
        queuedRows = 0;
        queuedBytes = 0;
      }
      reporter.gauge('store_buffered_bytes', heldBytes, { table });
      for (const admit of waitingForRoom.splice(0)) admit();
    }
    // Cleared in the same turn as the last look at the queue: whoever comes next starts anew.
    sending = undefined;
    if (queue.length > 0) timer ??= setTimeout(sendDue, limits.flush_ms);
  };

  const takeBatch = (): Portion[] => {
    let rows = 0;
    let bytes = 0;
    let n = 0;
    for (const portion of queue) {
      if (n > 0 && (rows + portion.lines.length > limits.batch_rows || bytes + portion.bytes > limits.batch_bytes))
        break;
      rows += portion.lines.length;
      bytes += portion.bytes;
      n++;
    }
    queuedRows -= rows;
    queuedBytes -= bytes;
    return queue.splice(0, n);
  };

  /** Tries until it succeeds, is refused for good, or time is up; returns why it failed. */
  const insertPatiently = async (lines: string[]): Promise<WardwatchError | undefined> => {
    const start = performance.now();
    let pauseMs = limits.retry_first_ms;
    for (let attempt = 1; ; attempt++) {
      const lastTry = closing;
      const sent = performance.now();
      try {
        await insert(lines);
        reporter.count('store_rows_written', lines.length, { table });
        reporter.observe('store_insert', (performance.now() - sent) / 1000, { table });
        if (attempt > 1) reporter.log('info', 'the store answers again', { table, attempts: attempt });
        return undefined;
      } catch (error) {
        const kind = kindOfFailure(error);
        const mayPass = kind === 'away' || kind === 'full';
        const timeIsUp = performance.now() - start + pauseMs > limits.give_up_seconds * 1000;
        if (!mayPass || timeIsUp || lastTry) {
          reporter.count('store_rows_refused', lines.length, { table, reason: kind });
          return storeError(error, `writing ${table}`, place);
        }
        reporter.count('store_retries', 1, { table, reason: kind });
        if (attempt === 1) reporter.log('warn', 'the store does not take rows, trying again', { table, reason: kind });
      }
      await pause(pauseMs * (0.5 + Math.random() / 2));
      pauseMs = Math.min(limits.retry_max_ms, pauseMs * 2);
    }
  };

  const pause = async (ms: number): Promise<void> => {
    if (closing) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const sleep = setTimeout(resolve, ms, undefined);
    wake = () => resolve(undefined);
    await promise;
    clearTimeout(sleep);
    wake = undefined;
  };

  const roomMade = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    waitingForRoom.push(() => resolve(undefined));
    await promise;
  };

  const writeInPortions = async (lines: readonly string[]): Promise<void> => {
    const stored: Promise<void>[] = [];
    let from = 0;
    while (from < lines.length) {
      let to = from;
      let bytes = 0;
      while (to < lines.length && to - from < limits.batch_rows && (to === from || bytes < limits.batch_bytes)) {
        bytes += Buffer.byteLength(lines[to]!) + 1;
        to++;
      }
      // Nothing may come between the last look at the room and the use of it.
      while (heldBytes > limits.buffer_bytes) await roomMade();
      const portion = enqueue(lines.slice(from, to), bytes);
      // Its failure is seen by Promise.all below, which may come later than the failure.
      portion.catch(() => {});
      stored.push(portion);
      from = to;
    }
    await Promise.all(stored);
  };

  return {
    async write(lines) {
      if (closing) throw new WardwatchError('WW_STORE', 'The store is closed.', 'Write before the store is stopped.');
      const writing = writeInPortions(lines);
      open.add(writing);
      try {
        await writing;
      } finally {
        open.delete(writing);
      }
    },
    async close() {
      closing = true;
      wake?.();
      if (queue.length > 0) send();
      await Promise.allSettled(open);
    },
  };
}
