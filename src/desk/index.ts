import type { DatabaseSync } from 'node:sqlite';
import type { AlertSink } from '../alerts/delivery.ts';
import { readArrivals } from './arrivals.ts';
import type { ArrivingAlerts } from './arrivals.ts';
import type { Component, Reporter } from '../kernel/component.ts';
import type { AlertRow } from '../kernel/rows.ts';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import type { OutboxConfig } from './config.ts';
import { Lane } from './lane.ts';
import type { LaneStatus } from './lane.ts';
import { Outbox } from './outbox.ts';
import type { AlertVersion, DeskRequest, OutboxCounts, OutboxEndpoint } from './outbox.ts';

export type { OutboxConfig } from './config.ts';
export type { LaneStatus } from './lane.ts';

/** So many alerts are read from the store at a time. */
const PAGE = 500;

/** What the delivery needs of the store (see src/store/contract.ts). */
export interface StoredAlerts extends ArrivingAlerts {
  alert(uid: string): Promise<AlertRow | undefined>;
  alerts(
    filter: { from?: number; to?: number; sort?: 'time' },
    limit: number,
    cursor?: string,
  ): Promise<{ rows: AlertRow[]; next: string | undefined }>;
}

export interface DeliveryEndpoint extends OutboxEndpoint {
  readonly sink: AlertSink;
}

export interface DeliveryDeps {
  /** The open database of the desk; whoever opened it closes it after `stop`. */
  readonly desk: DatabaseSync;
  readonly endpoints: readonly DeliveryEndpoint[];
  readonly store: StoredAlerts;
  /** Others write to the store, and it is looked there for what is new; without it, `accept` brings all there is. */
  readonly watch?: boolean;
  /** Takes stored alerts to the desk, and gives them as people and rules have decided about them. */
  readonly judge?: (rows: readonly AlertRow[]) => readonly AlertRow[];
  readonly reporter: Reporter;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** How often requests of the command line, and room for deferred alerts, are looked for; 1000 ms. */
  readonly lookMs?: number;
}

/** Delivers every alert that was stored to every endpoint that wants it; at least once, with a stable id. */
export interface DeliveryDesk extends Component {
  /**
   * Stores alerts and queues them. `write` puts the rows into the store and resolves when they are safe; what it
   * throws is thrown on, and what it stored before it threw is found at the next start.
   */
  accept(alerts: readonly AlertRow[], write: () => Promise<void>): Promise<void>;
  /** Somebody has decided about these alerts: what was muted, and is no longer, is queued. */
  reconsider(alerts: readonly AlertVersion[]): void;
  status(): { endpoints: LaneStatus[]; counts: Readonly<OutboxCounts> };
}

/**
 * Inert until `start`, which settles what a crash left open by asking the store, and begins to
 * deliver. The desk and the store have to be open from before `start` until after `stop`.
 *
 * `start` fails with `WW_CONFIG` (a secret or certificate cannot be read), `WW_OUTPUT` or `WW_DISK_FULL` (the
 * desk), or with what the store throws.
 */
export function createDelivery(config: OutboxConfig, deps: DeliveryDeps): DeliveryDesk {
  const { desk, store, reporter, endpoints } = deps;
  const clock = deps.clock ?? systemClock;
  const random = deps.random ?? Math.random;
  const lookMs = deps.lookMs ?? 1000;
  const judge = deps.judge ?? ((rows: readonly AlertRow[]) => rows);
  let outbox: Outbox | undefined;
  let lanes: Lane[] = [];
  let cancelLook: (() => void) | undefined;
  /** Work on requests and deferred alerts, one after the other. */
  let background: Promise<void> = Promise.resolve();
  let running = false;

  const open = (): Outbox => {
    if (outbox === undefined) throw new Error('the delivery has not been started');
    return outbox;
  };

  const pump = (): void => {
    for (const lane of lanes) lane.pump();
  };

  const gauges = (): void => {
    const { queued, dead, deferred } = open().counts();
    reporter.gauge('delivery_queued', queued);
    reporter.gauge('delivery_dead_letters', dead);
    reporter.gauge('delivery_deferred', deferred);
  };

  const prepare = together((alerts: readonly AlertRow[]) => open().prepare(alerts));
  const commit = together((alerts: readonly AlertRow[]) => {
    open().commit(judge(alerts), clock.now());
    gauges();
    pump();
  });

  /** Alerts under way into the store when the last run ended: stored or not, nobody else knows. */
  const settleIntents = async (box: Outbox): Promise<void> => {
    const unstored: AlertVersion[] = [];
    const left = new Map<string, AlertVersion[]>();
    for (const intent of box.intents()) left.set(intent.uid, [...(left.get(intent.uid) ?? []), intent]);
    for (const [uid, versions] of left) {
      const row = await store.alert(uid);
      // The store keeps the newest version alone: it stands for those before it.
      if (row !== undefined && versions.some(({ version }) => version <= row.version))
        box.adopt(judge([row]), clock.now());
      unstored.push(...versions);
    }
    if (unstored.length > 0) {
      box.forget(unstored);
      reporter.log('info', 'alerts under way at the last end were settled', { alerts: unstored.length });
    }
  };

  /** Alerts that are stored but newer than anything the outbox has seen, as after it was restored from a backup. */
  const catchUp = async (box: Outbox): Promise<void> => {
    const since = box.watermark();
    if (since === undefined) {
      // A new outbox: what is stored already is history.
      const { rows } = await store.alerts({ sort: 'time' }, 1);
      box.raiseWatermark(rows[0]?.time ?? 0);
      return;
    }
    let newest = since;
    let cursor: string | undefined;
    do {
      const page = await store.alerts({ from: since + 1, sort: 'time' }, PAGE, cursor);
      box.adopt(judge(page.rows), clock.now());
      newest = Math.max(newest, page.rows[0]?.time ?? since);
      cursor = page.next;
    } while (cursor !== undefined);
    // Only now: pages come newest first, and a crash between two must leave the older ones to be found.
    box.raiseWatermark(newest);
  };

  /** What others have written to the store since the last look. */
  const takeArrivals = async (box: Outbox): Promise<void> => {
    const since = box.arrivalMark();
    const isNew = since === undefined && box.watermark() === undefined;
    const mark = await readArrivals(
      store,
      since,
      (uid, version) => !box.knows(uid, version),
      (rows) => {
        // A new outbox: what is stored already is history.
        if (isNew) box.know(rows);
        else if (box.adopt(judge(rows), clock.now()) > 0) pump();
      },
    );
    if (mark !== undefined) box.setArrivalMark(mark);
  };

  const admitDeferred = async (box: Outbox): Promise<void> => {
    while (running && box.counts().deferred > 0 && box.hasRoom) {
      const asked = box.deferred(PAGE);
      const rows: AlertRow[] = [];
      for (const { uid } of asked) {
        const row = await store.alert(uid);
        if (row !== undefined) rows.push(row);
      }
      box.admit(asked, judge(rows), clock.now());
      pump();
    }
  };

  const replay = async (box: Outbox, request: DeskRequest): Promise<number> => {
    let queued = 0;
    let cursor: string | undefined;
    do {
      // A long range does not fill the queue: it waits for room, as new alerts do.
      while (running && !box.hasRoom) await new Promise<void>((resolve) => clock.after(lookMs, resolve));
      if (!running) return queued;
      const page = await store.alerts({ from: request.fromMs, to: request.toMs, sort: 'time' }, PAGE, cursor);
      queued += box.requeue(judge(page.rows), request.endpoint, clock.now());
      cursor = page.next;
      pump();
    } while (cursor !== undefined);
    return queued;
  };

  const serve = async (box: Outbox): Promise<void> => {
    for (const request of box.requests()) {
      let queued = 0;
      if (request.kind === 'replay') queued = await replay(box, request);
      else if (request.kind === 'revive') queued = box.revive(request.endpoint, clock.now());
      else for (const lane of lanes) if (lane.name === request.endpoint) lane.enable();
      if (!running) return;
      box.requestDone(request.id);
      reporter.log('info', `delivery: ${request.kind}`, { endpoint: request.endpoint, queued });
      pump();
    }
    if (deps.watch === true) await takeArrivals(box);
    await admitDeferred(box);
    gauges();
  };

  const look = (): void => {
    background = background
      .then(() => serve(open()))
      .catch((error: unknown) => {
        reporter.log('error', 'the outbox or the store does not answer; tried again', {
          error: error instanceof Error ? error.name : 'unknown',
        });
      })
      .then(() => {
        if (running) cancelLook = clock.after(lookMs, look);
      });
  };

  return {
    async start() {
      for (const { sink } of endpoints) await sink.start();
      const box = new Outbox(desk, config, endpoints, (n, reason) => reporter.dropped('deliveries', n, reason));
      outbox = box;
      const retired = box.retireOthers();
      if (retired > 0)
        reporter.log('warn', 'deliveries to endpoints that are gone are dead letters now', { n: retired });
      await settleIntents(box);
      // By the times of events only where it is not known what came in when.
      if (deps.watch !== true || (box.arrivalMark() === undefined && box.watermark() !== undefined)) await catchUp(box);
      if (deps.watch === true) await takeArrivals(box);
      lanes = endpoints.map(({ name, sink }) => new Lane(name, sink, config, { outbox: box, clock, random, reporter }));
      running = true;
      for (const lane of lanes) lane.start();
      gauges();
      look();
    },

    async stop() {
      if (outbox === undefined) return;
      running = false;
      cancelLook?.();
      await background;
      let cancel = (): void => {};
      const time = new Promise<void>((resolve) => (cancel = clock.after(config.drain_s * 1000, resolve)));
      await Promise.race([time, Promise.all(lanes.map((lane) => lane.drained()))]);
      cancel();
      await Promise.all(lanes.map((lane) => lane.stop()));
      outbox = undefined;
    },

    async accept(alerts, write) {
      if (alerts.length === 0) return write();
      await prepare(alerts);
      await write();
      await commit(alerts);
    },

    reconsider(alerts) {
      background = background
        .then(async () => {
          if (!running) return;
          const box = open();
          const uids = alerts.filter(({ uid, version }) => !box.knows(uid, version)).map(({ uid }) => uid);
          for (let i = 0; i < uids.length; i += PAGE) {
            const rows = await store.alertsOf(uids.slice(i, i + PAGE));
            if (box.adopt(judge(rows), clock.now()) > 0) pump();
          }
        })
        .catch((error: unknown) => {
          reporter.log('error', 'alerts that are no longer muted could not be queued', {
            error: error instanceof Error ? error.name : 'unknown',
          });
        });
    },

    status: () => ({ endpoints: lanes.map((lane) => lane.status()), counts: open().counts() }),
  };
}

/** Work on rows that shares one transaction, and one wait for the disk, with all of the same turn of the loop. */
function together(work: (alerts: readonly AlertRow[]) => void): (alerts: readonly AlertRow[]) => Promise<void> {
  let waiting: AlertRow[] = [];
  let turn: Promise<void> | undefined;
  return (alerts) => {
    for (const row of alerts) waiting.push(row);
    turn ??= new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      const all = waiting;
      waiting = [];
      turn = undefined;
      work(all);
    });
    return turn;
  };
}
