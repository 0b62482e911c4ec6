import { fileURLToPath } from 'node:url';
import { createApiServer } from '../api/index.ts';
import type { LiveEvent, PipelineStatus } from '../api/index.ts';
import type { Config } from '../config/index.ts';
import { Assets } from '../desk/assets.ts';
import { Merges } from '../desk/inventory.ts';
import { openDatabase } from '../desk/database.ts';
import { describeError } from '../kernel/errors.ts';
import { readStateKeys } from '../state/seal.ts';
import type { Store } from '../store/contract.ts';
import { createStore } from '../store/index.ts';
import { createTelemetry } from '../telemetry/index.ts';
import { DecisionDesk } from './decisions.ts';
import { createDeliveryOf } from './delivery.ts';
import { evidenceOfAll } from './evidence.ts';
import { createAccessOf, firstAdminNote } from './people.ts';
import { remember } from './remember.ts';
import { createTriageDesk } from './triage.ts';

export interface ServerRequest {
  readonly config: Config;
  readonly productVersion: string;
  /** Aborted by a signal: end. */
  readonly stop: AbortSignal;
  /** `note` is for the terminal alone: it may hold the code for the first admin. */
  readonly onReady: (url: string, note: string | undefined) => void;
}

const CONSOLE = fileURLToPath(new URL('../../dist/console', import.meta.url));
/** How often the store is asked for what is new: what someone sees is so much later than with `run`. */
const LOOK_MS = 2000;
/** Newest rows that are looked at each time. Where more have come, the console asks anew by itself. */
const LOOK_ROWS = 100;

/**
 * API, console and delivery over a store that detectors write to. What the detectors themselves know and do not store
 * (frames read, frames lost, which detectors are on) cannot be shown: it is in their metrics.
 */
export async function runServer(request: ServerRequest): Promise<void> {
  const { config } = request;
  const telemetry = createTelemetry(config.telemetry, { version: request.productVersion });
  const reporter = telemetry.reporter('server');
  const store = createStore(config.store, { reporter: telemetry.reporter('store') });
  // Opened now, so that a server that cannot write there says so before it listens.
  const desk = openDatabase(config.desk.path);
  const access = createAccessOf(config, desk);
  const listeners = new Set<(event: LiveEvent) => void>();
  const publish = (event: LiveEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const place = config.store.mode === 'server' ? new URL(config.store.server.url).host : config.store.path;
  const watch = new StoreWatch(store, `store ${place}`, publish);
  const triageDesk = createTriageDesk({
    desk,
    store,
    reporter: telemetry.reporter('triage'),
    publish,
    retentionDays: config.store.retention_days.alerts,
  });
  const delivery = createDeliveryOf(config, {
    desk,
    store,
    triage: triageDesk,
    watch: true,
    reporter: telemetry.reporter('delivery'),
    productVersion: request.productVersion,
  });
  const keys = await readStateKeys(config.state.key_file, process.env);
  const { rules } = triageDesk.triage;
  const decisionDesk = new DecisionDesk(store, rules);
  const exchange = (): Promise<void> =>
    decisionDesk
      .exchange()
      .catch((error: unknown) =>
        reporter.log('warn', 'detectors cannot be told of decisions', { error: describeError(error) }),
      );
  const api = createApiServer(config.api, {
    store,
    access,
    triage: triageDesk.triage,
    assets: new Assets(desk),
    merges: new Merges(desk),
    evidence: evidenceOfAll(triageDesk.evidence, store, keys, reporter),
    reporter: telemetry.reporter('api'),
    version: request.productVersion,
    consoleDir: CONSOLE,
    status: () => watch.status,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    metrics: () => telemetry.metrics(),
    ready: async () => {
      const failure = await store.ping().then(() => undefined, describeError);
      return {
        ok: failure === undefined,
        checks: [{ name: 'store', ok: failure === undefined, ...(failure === undefined ? {} : { detail: failure }) }],
      };
    },
  });
  try {
    await store.start();
    await watch.look();
    await triageDesk.catchUp();
    await exchange();
    rules.onDecisions(() => void exchange());
    await delivery?.start();
    await api.start();
    request.onReady(api.url(), firstAdminNote(access, api.url()));
    for (;;) {
      await pause(LOOK_MS, request.stop);
      if (request.stop.aborted) return;
      await watch.look();
      await triageDesk
        .takeArrivals()
        .catch((error: unknown) =>
          reporter.log('warn', 'new alerts could not be taken over', { error: describeError(error) }),
        );
      await exchange();
      const { state, error } = watch.status;
      if (state === 'failed') reporter.log('warn', 'the store does not answer', { error: error ?? '' });
    }
  } finally {
    await delivery?.stop();
    await api.stop();
    triageDesk.stop();
    await store.stop();
    desk.close();
  }
}

/** Works out from the stored rows what can be told without a hot path, and tells what is new in them. */
class StoreWatch {
  readonly #store: Store;
  readonly #publish: (event: LiveEvent) => void;
  /** Rows told of, by name and version. */
  readonly #alerts = new Set<string>();
  readonly #alertNames = new Set<string>();
  readonly #devices = new Set<string>();
  #first = true;
  status: PipelineStatus;

  constructor(store: Store, source: string, publish: (event: LiveEvent) => void) {
    this.#store = store;
    this.#publish = publish;
    this.status = {
      state: 'starting',
      sources: [source],
      frames: 0,
      frames_per_second: 0,
      event_time: null,
      lag_ms: null,
      devices: 0,
      learning: 0,
      capture_loss: null,
      dropped: {},
      detectors: [],
    };
  }

  async look(): Promise<void> {
    try {
      const [alerts, seen, appeared] = await Promise.all([
        this.#store.alerts({ sort: 'time' }, LOOK_ROWS),
        this.#store.devices({ sort: 'last_seen' }, LOOK_ROWS),
        this.#store.devices({ sort: 'first_seen' }, LOOK_ROWS),
      ]);
      for (const row of alerts.rows.reverse()) {
        const name = `${row.uid}/${row.version}`;
        if (this.#alerts.has(name)) continue;
        const change = this.#alertNames.has(row.uid) ? 'updated' : 'created';
        remember(this.#alerts, name);
        remember(this.#alertNames, row.uid);
        if (!this.#first) this.#publish({ type: 'alert', change, row });
      }
      for (const row of appeared.rows.reverse()) {
        if (this.#devices.has(row.device)) continue;
        remember(this.#devices, row.device);
        if (!this.#first) this.#publish({ type: 'device', change: 'created', row });
      }
      this.#first = false;
      const newest = seen.rows[0]?.last_seen;
      // A share of those seen last: the others say nothing about now.
      const learned = seen.rows.filter((row) => row.phase !== 'learning').length;
      const { error: _gone, ...before } = this.status;
      this.status = {
        ...before,
        state: newest === undefined ? 'starting' : learned < seen.rows.length ? 'learning' : 'watching',
        event_time: newest ?? null,
        lag_ms: newest === undefined ? null : Math.max(0, Date.now() - newest),
        devices: seen.total,
        learning: seen.rows.length === 0 ? 0 : learned / seen.rows.length,
      };
    } catch (error) {
      this.status = { ...this.status, state: 'failed', error: describeError(error) };
    }
    this.#publish({ type: 'status', status: this.status });
  }
}

async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, ms);
    stop.addEventListener('abort', wake, { once: true });
    if (stop.aborted) wake();
  });
}
