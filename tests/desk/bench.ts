import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { AlertSink, Delivery, DeliveryFilter, Outcome } from '../../src/alerts/delivery.ts';
import type { Clock } from '../../src/desk/clock.ts';
import { openDatabase } from '../../src/desk/database.ts';
import { createDelivery } from '../../src/desk/index.ts';
import type { DeliveryDeps, DeliveryDesk, OutboxConfig, StoredAlerts } from '../../src/desk/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import type { Reporter } from '../../src/kernel/component.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import type { Arrival } from '../../src/store/contract.ts';

export const OUTBOX: OutboxConfig = {
  max_queued: 200_000,
  max_deferred: 1_000_000,
  max_dead_letters: 100_000,
  log_rows: 100_000,
  give_up_days: 14,
  retry_s: [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400],
  drain_s: 0,
};

/** Long, so that days pass quickly: every look is a timer. */
export const LOOK_MS = 300_000;

/** Turns of the event loop: what was begun has ended, and what it led to as well. */
export async function turns(n = 20): Promise<void> {
  for (let i = 0; i < n; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** A clock that stands still until it is moved; whatever falls due on the way is done in its order. */
export class TestClock implements Clock {
  #now: number;
  #timers = new Map<number, { at: number; fn: () => void }>();
  #next = 0;

  constructor(now = Date.UTC(2026, 10, 20)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, fn: () => void): () => void {
    const id = this.#next++;
    this.#timers.set(id, { at: this.#now + ms, fn });
    return () => void this.#timers.delete(id);
  }

  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await turns();
      const due = [...this.#timers].filter(([, t]) => t.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers.delete(due[0]);
      this.#now = Math.max(this.#now, due[1].at);
      due[1].fn();
    }
    this.#now = end;
    await turns();
  }
}

/** The part of the store that delivery asks, in memory: the newest version of each alert. */
export class MemoryStore implements StoredAlerts {
  readonly rows = new Map<string, AlertRow>();
  /** Its clock, seconds, and when each alert came in by it. */
  second = 5_000_000;
  readonly #came = new Map<string, number>();

  readonly write = async (rows: readonly AlertRow[]): Promise<void> => {
    for (const row of rows)
      if ((this.rows.get(row.uid)?.version ?? 0) < row.version) {
        this.rows.set(row.uid, row);
        this.#came.set(row.uid, this.second);
      }
  };

  async alertsOf(uids: readonly string[]): Promise<AlertRow[]> {
    return uids.flatMap((uid) => this.rows.get(uid) ?? []);
  }

  async arrivals(since = this.second, limit = 1, after?: Arrival): Promise<{ rows: Arrival[]; asOf: number }> {
    const place = ({ ingested, uid }: Arrival): string => `${ingested} ${uid}`;
    const rows = [...this.rows.values()]
      .map(({ uid, version }) => ({ uid, version, ingested: this.#came.get(uid) ?? 0 }))
      .filter((row) => row.ingested >= Math.min(since, this.second) - 300)
      .sort((a, b) => (place(a) < place(b) ? -1 : 1))
      .filter((row) => after === undefined || place(row) > place(after));
    return { rows: rows.slice(0, limit), asOf: this.second };
  }

  async alert(uid: string): Promise<AlertRow | undefined> {
    return this.rows.get(uid);
  }

  async alerts(
    filter: { from?: number; to?: number },
    limit: number,
    cursor = '0',
  ): Promise<{ rows: AlertRow[]; next: string | undefined }> {
    const found = [...this.rows.values()]
      .filter((row) => row.time >= (filter.from ?? -Infinity) && row.time <= (filter.to ?? Infinity))
      .sort((a, b) => b.time - a.time || (a.uid < b.uid ? 1 : -1));
    const at = Number(cursor);
    return {
      rows: found.slice(at, at + limit),
      next: at + limit < found.length ? String(at + limit) : undefined,
    };
  }
}

/** A receiver under the test's thumb. It stands at the edge: the real ones are tested in tests/sinks. */
export class TestSink implements AlertSink {
  readonly kind = 'test';
  readonly batchSize: number;
  readonly concurrency: number;
  readonly keepsBatches: boolean;
  /** Every attempt, in its order. */
  readonly attempts: { ids: string[]; id: string; at: number }[] = [];
  /** Ids in the order in which they arrived, repetitions included. */
  readonly got: string[] = [];
  answer: (delivery: Delivery) => Outcome | Promise<Outcome> = () => ({ kind: 'delivered', detail: 'ok' });
  readonly #clock: Clock;

  constructor(clock: Clock, shape: { batchSize?: number; concurrency?: number; keepsBatches?: boolean } = {}) {
    this.#clock = clock;
    this.batchSize = shape.batchSize ?? 1;
    this.concurrency = shape.concurrency ?? 4;
    this.keepsBatches = shape.keepsBatches ?? false;
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}

  async send(deliveries: readonly Delivery[], id: string): Promise<readonly Outcome[]> {
    this.attempts.push({ ids: deliveries.map((d) => d.id), id, at: this.#clock.now() });
    const outcomes = await Promise.all(deliveries.map(async (delivery) => this.answer(delivery)));
    outcomes.forEach((outcome, i) => {
      if (outcome.kind === 'delivered') this.got.push(deliveries[i]!.id);
    });
    return outcomes;
  }
}

export interface Bench {
  readonly path: string;
  readonly clock: TestClock;
  readonly store: MemoryStore;
  readonly dropped: Record<string, number>;
  /** Opens a delivery over the same file and store; close it before the next, as a restart does. */
  open(
    endpoints: Record<string, { sink: AlertSink; filter?: DeliveryFilter }>,
    config?: Partial<OutboxConfig>,
    deps?: Pick<DeliveryDeps, 'watch' | 'judge'>,
  ): Promise<DeliveryDesk>;
  /** Stores rows and queues them, as the program does. */
  accept(desk: DeliveryDesk, rows: readonly AlertRow[]): Promise<void>;
}

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

export function makeBench(): Bench {
  const folder = mkdtempSync(join(tmpdir(), 'wardwatch-desk-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'desk.sqlite');
  const clock = new TestClock();
  const store = new MemoryStore();
  const dropped: Record<string, number> = {};
  const reporter: Reporter = {
    ...silentReporter,
    dropped: (what, n, reason) => void (dropped[`${what}: ${reason}`] = (dropped[`${what}: ${reason}`] ?? 0) + n),
  };
  return {
    path,
    clock,
    store,
    dropped,
    async open(endpoints, config = {}, deps = {}) {
      const db = openDatabase(path);
      cleanups.push(() => db.close());
      const desk = createDelivery(
        { ...OUTBOX, ...config },
        {
          desk: db,
          endpoints: Object.entries(endpoints).map(([name, { sink, filter }]) => ({
            name,
            sink,
            filter: filter ?? {},
          })),
          store,
          reporter,
          clock,
          random: () => 0.5,
          lookMs: LOOK_MS,
          ...deps,
        },
      );
      await desk.start();
      return desk;
    },
    async accept(desk, rows) {
      await desk.accept(rows, () => store.write(rows));
    },
  };
}
