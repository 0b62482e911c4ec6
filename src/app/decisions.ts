import { readDecisions } from '../alerts/decisions.ts';
import type { Decision, Obeyed } from '../alerts/decisions.ts';
import type { Rules } from '../desk/rules.ts';
import { describeError } from '../kernel/errors.ts';
import type { Reporter } from '../kernel/component.ts';
import type { DecisionRow, ObeyedRow } from '../kernel/rows.ts';
import type { Store } from '../store/contract.ts';

/** How often detectors ask for what people have decided. */
const POLL_MS = 2000;

type DecisionStore = Pick<Store, 'decisions' | 'putDecisions' | 'putObeyed'>;

/** What a hot path over the topic has to know of decisions: those in force, and what was logged of all. */
export interface KnownDecisions {
  readonly decisions: readonly Decision[];
  readonly obeyed: readonly Obeyed[];
}

/** The server's side: what people decide goes into the store, what detectors logged of it comes back. */
export class DecisionDesk {
  readonly #store: DecisionStore;
  readonly #rules: Rules;
  /** Findings met so far, by decision and partition; those from before this process are counted already. */
  readonly #hits = new Map<string, number>();
  #first = true;
  #running: Promise<void> = Promise.resolve();

  constructor(store: DecisionStore, rules: Rules) {
    this.#store = store;
    this.#rules = rules;
  }

  /** Brings store and rules into line; what failed before is tried again. One after the other. */
  exchange(): Promise<void> {
    this.#running = this.#running.catch(() => undefined).then(() => this.#exchange());
    return this.#running;
  }

  async #exchange(): Promise<void> {
    const wanted = new Map(this.#rules.decisions().map((one) => [one.id, this.#rowOf(one)]));
    const { decisions, obeyed } = await this.#store.decisions();
    const there = new Map(decisions.map((row) => [row.id, row]));
    const changed = [...wanted.values()].filter((row) => !isSame(row, there.get(row.id)));
    for (const row of decisions) if (!row.gone && !wanted.has(row.id)) changed.push({ ...row, gone: true });
    await this.#store.putDecisions(changed);

    const hits: Record<string, number> = {};
    const logged: Decision[] = [];
    for (const { id, made, partition, from_us, until_us, hits: n } of obeyed) {
      if (this.#rules.madeAt(id) !== made) continue;
      logged.push({ id, act: 'mute', scope: {}, from_us, until_us });
      const place = `${id}/${partition}`;
      const before = this.#hits.get(place) ?? (this.#first ? n : 0);
      // It counts from nothing after a restart.
      const grown = n >= before ? n - before : n;
      if (grown > 0) hits[id] = (hits[id] ?? 0) + grown;
      this.#hits.set(place, n);
    }
    this.#first = false;
    this.#rules.obeyed(logged, hits);
  }

  #rowOf({ id, act, scope, until_us }: Decision): DecisionRow {
    return { id, made: this.#rules.madeAt(id), gone: false, act, scope: JSON.stringify(scope), until_us };
  }
}

function isSame(a: DecisionRow, b: DecisionRow | undefined): boolean {
  return b !== undefined && a.made === b.made && !b.gone && a.scope === b.scope && a.until_us === b.until_us;
}

/** A detector's side: what stands in the store, asked for again and again. */
export class DecisionWatch {
  readonly #store: DecisionStore;
  readonly #reporter: Reporter;
  #made = new Map<string, number>();
  #told = '';
  readonly #unwritten = new Map<string, ObeyedRow>();

  constructor(store: DecisionStore, reporter: Reporter) {
    this.#store = store;
    this.#reporter = reporter;
  }

  /** @throws WardwatchError where the store does not answer */
  async read(): Promise<KnownDecisions> {
    const { decisions, obeyed } = await this.#store.decisions();
    const active = decisions.filter((row) => !row.gone);
    this.#made = new Map(decisions.map(({ id, made }) => [id, made]));
    const known = {
      decisions: readDecisions(
        JSON.stringify({
          decisions: active.map(({ id, act, scope, until_us }) => ({
            id,
            act,
            scope: JSON.parse(scope) as unknown,
            until_us,
          })),
        }),
      ),
      obeyed: obeyed.filter(({ id, made }) => this.#made.get(id) === made),
    };
    this.#told = JSON.stringify(known.decisions);
    return known;
  }

  /** Tells of every change until `stop`. A store that does not answer is logged, and asked again. */
  async follow(stop: AbortSignal, tell: (known: KnownDecisions) => void): Promise<void> {
    for (;;) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          stop.removeEventListener('abort', wake);
          resolve();
        };
        const timer = setTimeout(wake, POLL_MS);
        stop.addEventListener('abort', wake, { once: true });
      });
      if (stop.aborted) return;
      const before = this.#told;
      if (this.#unwritten.size > 0) await this.log([]);
      try {
        const known = await this.read();
        if (this.#told !== before) tell(known);
      } catch (error) {
        this.#reporter.log('warn', 'what people decided cannot be asked for', { error: describeError(error) });
      }
    }
  }

  /** Writes down what hot paths have logged; what a store that is away did not take goes with what comes next. */
  async log(rows: readonly Obeyed[]): Promise<void> {
    for (const row of rows) {
      const place = `${row.partition}/${row.id}`;
      this.#unwritten.delete(place);
      this.#unwritten.set(place, { ...row, made: this.#made.get(row.id) ?? 0 });
    }
    const waiting = [...this.#unwritten];
    try {
      await this.#store.putObeyed(waiting.map(([, row]) => row));
      for (const [place, row] of waiting) if (this.#unwritten.get(place) === row) this.#unwritten.delete(place);
    } catch (error) {
      this.#reporter.log('warn', 'what was logged of decisions is written later', { error: describeError(error) });
    }
  }
}

interface Obedient {
  decide(decisions: readonly Decision[], ends: ReadonlyMap<string, number>): readonly Decision[];
  takeDecisionHits(): Record<string, number>;
}

/** What the hot paths of one process obey, each from the event time that was logged for its partition. */
export class Obedience {
  #decisions: readonly Decision[] = [];
  /** By partition and id. */
  readonly #logged = new Map<string, Obeyed>();

  constructor(known: KnownDecisions) {
    this.take(known);
  }

  take({ decisions, obeyed }: KnownDecisions): void {
    this.#decisions = decisions;
    for (const row of obeyed) {
      const place = `${row.partition}/${row.id}`;
      // What this process has logged itself is newer than what it has read.
      if (!this.#logged.has(place)) this.#logged.set(place, row);
    }
  }

  /** Lets a hot path obey from where it stands, or from the time that was logged; returns what is to be logged. */
  obey(hotPath: Obedient, partition: number): Obeyed[] {
    const ends = new Map<string, number>();
    for (const row of this.#logged.values())
      if (row.partition === partition && row.until_us > 0) ends.set(row.id, row.until_us);
    const hits = hotPath.takeDecisionHits();
    const active = new Set(this.#decisions.map(({ id }) => id));
    const logged = (id: string): Obeyed | undefined => this.#logged.get(`${partition}/${id}`);
    const own = this.#decisions.map((one) => ({ ...one, from_us: logged(one.id)?.from_us ?? 0 }));
    return hotPath.decide(own, ends).flatMap(({ id, from_us, until_us }) => {
      const before = logged(id);
      const n = (before?.hits ?? 0) + (hits[id] ?? 0);
      const end = active.has(id) ? 0 : until_us;
      if (before !== undefined && before.from_us === from_us && before.until_us === end && before.hits === n) return [];
      const row = { id, partition, from_us, until_us: end, hits: n };
      this.#logged.set(`${partition}/${id}`, row);
      return [row];
    });
  }
}
