import { randomBytes } from 'node:crypto';
import { mkdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createApiServer } from '../api/index.ts';
import type { LiveEvent, PipelineStatus } from '../api/index.ts';
import type { Config } from '../config/index.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import type { ErrorCode } from '../kernel/errors.ts';
import type { RowBatch } from '../kernel/rows.ts';
import { createStore } from '../store/index.ts';
import { createTelemetry } from '../telemetry/index.ts';
import type { FromWorker, ToWorker } from './pipeline-worker.ts';
import type { PipelineProgress, PipelineRequest } from './pipeline.ts';

export interface RunRequest {
  readonly config: Config;
  readonly productVersion: string;
  readonly learn: readonly string[];
  readonly files: readonly string[];
  readonly interface: string | undefined;
  readonly speed: number | undefined;
  readonly seed: number;
  /** End when the input has ended instead of keeping the console open. */
  readonly exitAtEnd: boolean;
  /** Aborted by a signal: stop, drain, end. */
  readonly stop: AbortSignal;
  readonly onReady: (url: string) => void;
  readonly onProgress: (progress: PipelineProgress, frames: number) => void;
  readonly onEnd: (progress: PipelineProgress | undefined) => void;
}

const CONSOLE = fileURLToPath(new URL('../../dist/console', import.meta.url));
const WORKER = new URL(`./pipeline-worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);

/**
 * Everything in one process: sources, bus and hot path in a worker thread, store and API on the main one.
 * Resolves when it was stopped, or at the end of the input with `exitAtEnd`; all rows that the hot path made
 * are stored by then.
 */
export async function runAll(request: RunRequest): Promise<void> {
  const { config } = request;
  const telemetry = createTelemetry(config.telemetry, { version: request.productVersion });
  const reporter = telemetry.reporter('run');
  const store = createStore(config.store, { reporter: telemetry.reporter('store') });
  await store.start();
  const listeners = new Set<(event: LiveEvent) => void>();
  const known = { alerts: new Set<string>(), devices: new Set<string>() };
  let last: PipelineProgress | undefined;
  let failure: WardwatchError | undefined;
  let storeOk = true;
  const rate = new Rate();

  const status = (): PipelineStatus => {
    const counters = last?.counters;
    const lost = last?.framesLostAtCapture ?? 0;
    const frames = counters?.framesRead ?? 0;
    const live = request.interface !== undefined;
    const eventTime = last?.eventTime ?? null;
    return {
      state: failure !== undefined ? 'failed' : last === undefined ? 'starting' : last.phase,
      ...(failure === undefined ? {} : { error: failure.message }),
      sources: [
        ...request.files.map((file) => (file === '-' ? 'standard input' : basename(file))),
        ...(request.interface === undefined ? [] : [request.interface]),
      ],
      frames,
      frames_per_second: rate.perSecond(),
      event_time: eventTime,
      lag_ms: live && eventTime !== null ? Math.max(0, Date.now() - eventTime) : null,
      devices: counters?.devices ?? 0,
      learning: last?.learning ?? 0,
      capture_loss: live || lost > 0 ? (frames + lost === 0 ? 0 : lost / (frames + lost)) : null,
      dropped: {
        ...(counters === undefined
          ? {}
          : {
              flow_evictions: counters.flowEvictions,
              device_evictions: counters.deviceEvictions,
              overlong_stream_bytes: counters.streams.overlongBytes,
            }),
      },
      detectors: (last?.detectors ?? []).map((d) => ({
        id: d.id,
        title: d.title,
        status: d.status,
        ...(d.reason === '' ? {} : { reason: d.reason }),
      })),
    };
  };
  const publish = (event: LiveEvent): void => {
    for (const listener of listeners) listener(event);
  };

  const api = createApiServer(config.api, {
    store,
    reporter: telemetry.reporter('api'),
    version: request.productVersion,
    consoleDir: CONSOLE,
    status,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    metrics: () => telemetry.metrics(),
    ready: async () => {
      const answers = await store.ping().then(
        () => true,
        () => false,
      );
      const checks = [
        { name: 'store', ok: answers && storeOk },
        { name: 'pipeline', ok: failure === undefined, ...(failure === undefined ? {} : { detail: failure.message }) },
      ];
      return { ok: checks.every((c) => c.ok), checks };
    },
  });

  let worker: Worker | undefined;
  try {
    await api.start();
    request.onReady(api.url());
    const data: PipelineRequest = {
      config,
      productVersion: request.productVersion,
      learn: request.learn,
      files: request.files,
      interface: request.interface,
      speed: request.speed,
      seed: request.seed,
      tokenKey: await tokenKey(config),
    };
    worker = new Worker(WORKER, { workerData: data, stdin: request.files.includes('-') });
    if (worker.stdin !== null) process.stdin.pipe(worker.stdin);
    const say = (message: ToWorker): void => worker?.postMessage(message);
    request.stop.addEventListener('abort', () => say({ type: 'stop' }), { once: true });
    if (request.stop.aborted) say({ type: 'stop' });

    const storeRows = async (batch: RowBatch): Promise<void> => {
      try {
        await store.write(batch);
        storeOk = true;
      } catch (error) {
        storeOk = false;
        throw error;
      }
      for (const row of batch.alerts ?? []) {
        const change = known.alerts.has(row.uid) ? 'updated' : 'created';
        if (change === 'created') reporter.count('alerts_raised', 1, { severity: String(row.severity_id) });
        remember(known.alerts, row.uid);
        publish({ type: 'alert', change, row });
      }
      for (const row of batch.devices ?? []) {
        const change = known.devices.has(row.device) ? 'updated' : 'created';
        remember(known.devices, row.device);
        if (change === 'created') publish({ type: 'device', change, row });
      }
    };

    await new Promise<void>((resolve, reject) => {
      const running = worker!;
      let storing = Promise.resolve();
      running.on('message', (message: FromWorker) => {
        switch (message.type) {
          case 'rows':
            storing = storing
              .then(() => storeRows(message.batch))
              .then(
                () => say({ type: 'stored' }),
                (error: unknown) => {
                  reject(error as Error);
                },
              );
            break;
          case 'progress':
            report(reporter, last, message.progress);
            rate.at(message.progress.counters.framesRead);
            last = message.progress;
            publish({ type: 'status', status: status() });
            request.onProgress(message.progress, message.progress.counters.framesRead);
            break;
          case 'warning':
            reporter.log('warn', message.message);
            break;
          case 'failed':
            failure = new WardwatchError(message.code as ErrorCode, message.message, message.remedy);
            publish({ type: 'status', status: status() });
            storing.then(() => reject(failure!), reject);
            break;
          case 'ended':
            storing.then(resolve, reject);
            break;
        }
      });
      const died = (why: string, cause?: Error): void =>
        reject(new WardwatchError('WW_INTERNAL', `the hot path ended: ${why}`, 'report this with the log', { cause }));
      running.on('error', (error) => died(describeError(error), error));
      // After 'ended' or 'failed' this comes too late to change anything.
      running.on('exit', (code) => void storing.then(() => died(`exit code ${code}`)));
    });
    request.onEnd(last);
    if (!request.exitAtEnd && !request.stop.aborted)
      await new Promise<void>((resolve) => request.stop.addEventListener('abort', () => resolve(), { once: true }));
  } finally {
    await worker?.terminate();
    // A pipe that stays open must not keep the process.
    if (request.files.includes('-')) process.stdin.destroy();
    await api.stop();
    await store.stop();
  }
}

/** So many names are remembered to tell new rows from changed ones; older ones count as new again. */
const MAX_REMEMBERED = 100_000;

function remember(names: Set<string>, name: string): void {
  names.delete(name);
  names.add(name);
  if (names.size > MAX_REMEMBERED)
    for (const oldest of names) {
      names.delete(oldest);
      break;
    }
}

/**
 * Key of the hashes in which identifiers leave the decoder. Kept beside the data, so that hashes mean the
 * same after a restart; readable by its owner alone.
 */
async function tokenKey(config: Config): Promise<Uint8Array> {
  const folder = config.store.mode === 'embedded' ? dirname(config.store.path) : 'data';
  const path = join(folder, 'token.key');
  try {
    const key = await readFile(path);
    if (key.length === 16) return new Uint8Array(key);
    throw new WardwatchError('WW_CONFIG', `${path} is no token key of 16 bytes`, 'remove it: a new one is made');
  } catch (error) {
    if (error instanceof WardwatchError) throw error;
  }
  const key = randomBytes(16);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(path, key, { mode: 0o600 });
  } catch (error) {
    const space = await statfs(folder).catch(() => undefined);
    throw new WardwatchError(
      space !== undefined && space.bavail === 0 ? 'WW_DISK_FULL' : 'WW_OUTPUT',
      `${path} cannot be written: ${describeError(error)}`,
      'give the program a data folder that it may write (store.path)',
      { cause: error },
    );
  }
  return new Uint8Array(key);
}

/** Frames a second of the wall clock over the last seconds. */
class Rate {
  #points: { ms: number; frames: number }[] = [];

  at(frames: number): void {
    const ms = performance.now();
    this.#points.push({ ms, frames });
    while (this.#points.length > 2 && ms - this.#points[0]!.ms > 5000) this.#points.shift();
  }

  perSecond(): number {
    const first = this.#points[0];
    const last = this.#points.at(-1);
    if (first === undefined || last === undefined || performance.now() - last.ms > 5000) return 0;
    const seconds = (last.ms - first.ms) / 1000;
    return seconds <= 0 ? 0 : Math.round((last.frames - first.frames) / seconds);
  }
}

type Counts = Record<string, number>;

/** Turns the hot path's counters into metrics: it counts, the telemetry adds the difference. */
function report(
  reporter: ReturnType<ReturnType<typeof createTelemetry>['reporter']>,
  before: PipelineProgress | undefined,
  now: PipelineProgress,
): void {
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
