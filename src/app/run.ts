import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApiServer } from '../api/index.ts';
import type { LiveEvent, PipelineStatus } from '../api/index.ts';
import type { Config } from '../config/index.ts';
import { Assets } from '../desk/assets.ts';
import { Merges } from '../desk/inventory.ts';
import { openDatabase } from '../desk/database.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import type { RowBatch } from '../kernel/rows.ts';
import { createStore } from '../store/index.ts';
import { createTelemetry } from '../telemetry/index.ts';
import { DecisionDesk, DecisionWatch } from './decisions.ts';
import type { KnownDecisions } from './decisions.ts';
import { createDeliveryOf } from './delivery.ts';
import { reportProgress, startHotPathThread } from './hot-path-thread.ts';
import type { HotPathThread } from './hot-path-thread.ts';
import type { PipelineProgress } from './pipeline.ts';
import { createAccessOf, firstAdminNote } from './people.ts';
import { createTriageDesk } from './triage.ts';
import { remember } from './remember.ts';
import { tokenKey } from './token-key.ts';

export interface RunRequest {
  readonly config: Config;
  readonly productVersion: string;
  readonly learn: readonly string[];
  readonly files: readonly string[];
  readonly interface: string | undefined;
  /** Watch the frames topic of the configuration. */
  readonly kafka: boolean;
  readonly speed: number | undefined;
  readonly seed: number;
  /** Forget what earlier processes have stored of the interface. */
  readonly fresh: boolean;
  /** End when the input has ended (for a topic: at what it holds now) instead of keeping the console open. */
  readonly exitAtEnd: boolean;
  /** Aborted by a signal: stop, drain, end. */
  readonly stop: AbortSignal;
  /** `note` is for the terminal alone: it may hold the code for the first admin. */
  readonly onReady: (url: string, note: string | undefined) => void;
  readonly onProgress: (progress: PipelineProgress, frames: number) => void;
  readonly onEnd: (progress: PipelineProgress | undefined) => void;
}

const CONSOLE = fileURLToPath(new URL('../../dist/console', import.meta.url));

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
  const desk = openDatabase(config.desk.path);
  const access = createAccessOf(config, desk);
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
    const captures = request.interface !== undefined;
    const live = captures || request.kafka;
    const eventTime = last?.eventTime ?? null;
    return {
      state: failure !== undefined ? 'failed' : last === undefined ? 'starting' : last.phase,
      ...(failure === undefined ? {} : { error: failure.message }),
      sources: [
        ...request.files.map((file) => (file === '-' ? 'standard input' : basename(file))),
        ...(request.interface === undefined ? [] : [request.interface]),
        ...(request.kafka ? [`Kafka topic ${config.bus.kafka.topic}`] : []),
      ],
      frames,
      frames_per_second: rate.perSecond(),
      event_time: eventTime,
      lag_ms: live && eventTime !== null ? Math.max(0, Date.now() - eventTime) : null,
      devices: counters?.devices ?? 0,
      learning: last?.learning ?? 0,
      capture_loss: captures || lost > 0 ? (frames + lost === 0 ? 0 : lost / (frames + lost)) : null,
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

  const triageDesk = createTriageDesk({
    desk,
    store,
    reporter: telemetry.reporter('triage'),
    publish,
    retentionDays: config.store.retention_days.alerts,
  });
  const { rules } = triageDesk.triage;
  const decisionDesk = new DecisionDesk(store, rules);
  const watch = new DecisionWatch(store, reporter);
  // Partitions that other processes watch as well go by what stands in the store.
  const shared = request.kafka
    ? async (): Promise<KnownDecisions> => {
        await decisionDesk.exchange();
        return watch.read();
      }
    : undefined;

  const api = createApiServer(config.api, {
    store,
    triage: triageDesk.triage,
    assets: new Assets(desk),
    merges: new Merges(desk),
    evidence: triageDesk.evidence,
    delivery: () => delivery?.status(),
    access,
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

  const delivery = createDeliveryOf(config, {
    desk,
    store,
    triage: triageDesk,
    reporter: telemetry.reporter('delivery'),
    productVersion: request.productVersion,
  });
  let thread: HotPathThread | undefined;
  try {
    await store.start();
    await triageDesk.catchUp();
    await delivery?.start();
    await api.start();
    request.onReady(api.url(), firstAdminNote(access, api.url()));

    const storeRows = async (batch: RowBatch): Promise<void> => {
      try {
        await (delivery === undefined
          ? store.write(batch)
          : delivery.accept(batch.alerts ?? [], () => store.write(batch)));
        triageDesk.accept(batch.alerts ?? []);
        triageDesk.evidence.keep(batch.evidence ?? []);
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

    thread = startHotPathThread(
      {
        config,
        productVersion: request.productVersion,
        learn: request.learn,
        files: request.files,
        interface: request.interface,
        kafka: request.kafka,
        toTheEnd: request.exitAtEnd,
        speed: request.speed,
        seed: request.seed,
        fresh: request.fresh,
        tokenKey: await tokenKey(config),
        ...(shared === undefined ? { decisions: rules.decisions() } : await shared()),
      },
      {
        rows: storeRows,
        progress: (progress) => {
          reportProgress(reporter, last, progress);
          rate.at(progress.counters.framesRead);
          last = progress;
          publish({ type: 'status', status: status() });
          request.onProgress(progress, progress.counters.framesRead);
        },
        warning: (message) => reporter.log('warn', message),
        decided: (decisions, hits) => rules.obeyed(decisions, hits),
        obeyed: async (rows) => {
          await watch.log(rows);
          await decisionDesk.exchange();
        },
        reporter,
      },
      request.stop,
    );
    const { decide } = thread;
    rules.onDecisions((decisions) => {
      if (shared === undefined) decide(decisions);
      else
        shared().then(
          (known) => decide(known.decisions, known.obeyed),
          (error: unknown) =>
            reporter.log('warn', 'detectors cannot be told of decisions', { error: describeError(error) }),
        );
    });
    try {
      await thread.ended;
    } catch (error) {
      if (error instanceof WardwatchError) failure = error;
      publish({ type: 'status', status: status() });
      throw error;
    }
    request.onEnd(last);
    if (!request.exitAtEnd && !request.stop.aborted)
      await new Promise<void>((resolve) => request.stop.addEventListener('abort', () => resolve(), { once: true }));
  } finally {
    await thread?.terminate();
    await delivery?.stop();
    await api.stop();
    triageDesk.stop();
    await store.stop();
    desk.close();
  }
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
