import type { DatabaseSync } from 'node:sqlite';
import type { LiveEvent } from '../api/index.ts';
import { asMuted } from '../alerts/ocsf.ts';
import { readArrivals } from '../desk/arrivals.ts';
import { EvidenceShelf } from '../desk/evidence.ts';
import { Triage } from '../desk/triage.ts';
import type { Reporter } from '../kernel/component.ts';
import { describeError } from '../kernel/errors.ts';
import type { AlertRow } from '../kernel/rows.ts';
import type { Store } from '../store/contract.ts';

/** Alerts read from the store at a time, and pages without news after which the rest is known as well. */
const PAGE = 500;
const QUIET_PAGES = 3;
/** Uids told of in one event; of more, only the number. */
const TOLD = 100;
const FORGET_MS = 3_600_000;

export interface TriageDesk {
  readonly triage: Triage;
  readonly evidence: EvidenceShelf;
  /** Alerts that are safe in the store. */
  accept(rows: readonly AlertRow[]): void;
  /** Takes alerts that are safe in the store, and gives them as rules leave them: muted or not. */
  judge(rows: readonly AlertRow[]): readonly AlertRow[];
  /** Called with the uids of alerts that came or were decided about, soon after. */
  onChange(listener: (uids: readonly string[]) => void): void;
  /** Takes alerts from the store that the desk does not know, the newest first: what a crash has left. */
  catchUp(): Promise<void>;
  /** Takes what others have written to the store since the last time. */
  takeArrivals(): Promise<void>;
  stop(): void;
}

export interface TriageDeskDeps {
  readonly desk: DatabaseSync;
  readonly store: Store;
  readonly reporter: Reporter;
  readonly publish: (event: LiveEvent) => void;
  /** How long the store keeps alerts, days; 0 for ever. */
  readonly retentionDays: number;
}

/** The desk's triage beside a store: told of what is stored, and telling what people change. */
export function createTriageDesk(deps: TriageDeskDeps): TriageDesk {
  const { store, reporter, publish } = deps;
  let arrived: number | undefined;
  const triage = new Triage(deps.desk);
  let changed: (uids: readonly string[]) => void = () => {};
  let touched = new Set<string>();
  let due: NodeJS.Immediate | undefined;
  triage.onChange((uids) => {
    for (const uid of uids) touched.add(uid);
    // A rule changes many in small steps: they are told of together.
    due ??= setImmediate(() => {
      due = undefined;
      const all = [...touched];
      touched = new Set();
      changed(all);
      publish({ type: 'triage', uids: all.length <= TOLD ? all : [], total: all.length });
    });
  });
  const forget = (): void => {
    if (deps.retentionDays <= 0) return;
    try {
      while (triage.forgetBefore(Date.now() - deps.retentionDays * 86_400_000) === 1000);
    } catch (error) {
      reporter.log('warn', 'old alerts could not be forgotten', { error: describeError(error) });
    }
  };
  const forgetting = setInterval(forget, FORGET_MS);
  forgetting.unref();

  return {
    triage,
    evidence: new EvidenceShelf(deps.desk),
    accept: (rows) => triage.accept(rows),
    judge(rows) {
      triage.accept(rows);
      return rows.map((row) => {
        const rule = triage.item(row.uid)?.muted_by ?? 0;
        return asMuted(row, rule === 0 ? undefined : rule > 0 ? `r${rule}` : `w${-rule}`);
      });
    },
    onChange(listener) {
      changed = listener;
    },
    async takeArrivals() {
      arrived = await readArrivals(
        store,
        arrived,
        (uid, version) => !triage.knows(uid, version),
        (rows) => triage.accept(rows),
      );
    },
    async catchUp() {
      let cursor: string | undefined;
      let quiet = 0;
      do {
        const page = await store.alerts({ sort: 'time' }, PAGE, cursor);
        const news = page.rows.filter((row) => !triage.knows(row.uid, row.version));
        // The oldest first, as they happened: a repeat comes after what it repeats.
        triage.accept(news.reverse());
        quiet = news.length === 0 ? quiet + 1 : 0;
        cursor = page.next;
      } while (cursor !== undefined && quiet < QUIET_PAGES);
      await triage.rules.resume();
    },
    stop() {
      clearInterval(forgetting);
      if (due !== undefined) clearImmediate(due);
    },
  };
}
