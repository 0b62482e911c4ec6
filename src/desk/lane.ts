import { batchId, toDelivery } from '../alerts/delivery.ts';
import type { AlertSink, Delivery, Outcome } from '../alerts/delivery.ts';
import type { Reporter } from '../kernel/component.ts';
import { describeError } from '../kernel/errors.ts';
import type { OutboxConfig } from './config.ts';
import type { Clock } from './clock.ts';
import type { Claim, Outbox, Settlement } from './outbox.ts';

/** So many failures one after the other open the circuit. */
const FAILURES_TO_OPEN = 5;
const FIRST_PAUSE_MS = 5000;
const LONGEST_PAUSE_MS = 300_000;
/** A receiver may ask for so much patience, not more. */
const LONGEST_RETRY_AFTER_MS = 86_400_000;

export interface LaneDeps {
  readonly outbox: Outbox;
  readonly clock: Clock;
  /** Uniform in [0, 1): spreads retries. */
  readonly random: () => number;
  readonly reporter: Reporter;
}

export interface LaneStatus {
  readonly name: string;
  readonly kind: string;
  readonly state: 'working' | 'away' | 'disabled';
  readonly detail: string;
}

/**
 * Takes what the outbox owes to one endpoint there: a bounded number at a time, on the schedule of retries,
 * with a circuit. While the circuit is open only a single delivery is tried now and then; as soon as it gets
 * through, everything that had failed for the same reason is due.
 */
export class Lane {
  readonly name: string;
  readonly #sink: AlertSink;
  readonly #config: OutboxConfig;
  readonly #deps: LaneDeps;
  readonly #busy = new Set<number>();
  /** Calls of `send` that have not come back. */
  #sending = 0;
  readonly #ended: Settlement[] = [];
  #flushing = false;
  #cancelTimer: (() => void) | undefined;
  #disabled = '';
  #failures = 0;
  #lastFailure = '';
  /** The circuit is open until this time, and half open after it; undefined while it is closed. */
  #openUntil: number | undefined;
  #running = false;
  #idle: (() => void)[] = [];

  constructor(name: string, sink: AlertSink, config: OutboxConfig, deps: LaneDeps) {
    this.name = name;
    this.#sink = sink;
    this.#config = config;
    this.#deps = deps;
  }

  start(): void {
    this.#disabled = this.#deps.outbox.disabledReason(this.name);
    this.#running = true;
    this.pump();
  }

  /** Takes nothing more and waits for what is on its way. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#cancelTimer?.();
    await this.#sink.stop();
    await this.#quiet(() => this.#busy.size === 0);
  }

  /** Resolves when nothing is left that could be tried right now. */
  async drained(): Promise<void> {
    await this.#quiet(() => this.#busy.size === 0 && !this.#hasDue());
  }

  status(): LaneStatus {
    const state = this.#disabled !== '' ? 'disabled' : this.#openUntil === undefined ? 'working' : 'away';
    const detail = state === 'disabled' ? this.#disabled : this.#failures > 0 ? this.#lastFailure : '';
    return { name: this.name, kind: this.#sink.kind, state, detail };
  }

  enable(): void {
    this.#deps.outbox.setDisabled(this.name, '');
    this.#disabled = '';
    this.#close();
    this.pump();
  }

  /** Begins whatever may begin, and sets the timer for the rest. */
  pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (!this.#running || this.#disabled !== '') return;
    const { outbox, clock } = this.#deps;
    while (this.#sending < this.#sink.concurrency) {
      const now = clock.now();
      const isProbe = this.#openUntil !== undefined;
      if (this.#openUntil !== undefined) {
        if (this.#sending > 0) return;
        if (now < this.#openUntil) {
          if (outbox.nextDue(this.name, this.#busy) !== undefined) this.#wakeAt(this.#openUntil);
          return;
        }
      }
      let claims = outbox.claim(this.name, now, isProbe ? 1 : this.#sink.batchSize, this.#busy);
      // Before its time: this attempt tells about the endpoint, so it uses up none of the delivery's own.
      const isExtra = isProbe && claims.length === 0;
      if (isExtra) claims = outbox.claimProbe(this.name, this.#busy);
      if (claims.length === 0) {
        const due = outbox.nextDue(this.name, this.#busy);
        if (due !== undefined) this.#wakeAt(due);
        return;
      }
      if (!isProbe && this.#holds(claims, now)) return;
      void this.#send(claims, isExtra);
    }
  }

  /** Whether new deliveries wait for others to go with them; wakes the lane when they have waited enough. */
  #holds(claims: readonly Claim[], now: number): boolean {
    const { holdMs = 0, batchSize } = this.#sink;
    if (holdMs === 0 || claims.length >= batchSize || claims.some(({ attempts }) => attempts > 0)) return false;
    const until = Math.min(...claims.map(({ queuedMs }) => queuedMs)) + holdMs;
    if (until <= now) return false;
    this.#wakeAt(until);
    return true;
  }

  async #send(claims: readonly Claim[], isExtra: boolean): Promise<void> {
    this.#sending++;
    for (const { id } of claims) this.#busy.add(id);
    try {
      await this.#attempt(claims, isExtra);
    } catch (error) {
      this.#outboxFailed(error);
      for (const { id } of claims) this.#busy.delete(id);
    }
    this.#sending--;
    if (this.#flushing) return;
    // What ends in the same turn of the loop shares one transaction, and one wait for the disk.
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  async #attempt(claims: readonly Claim[], isExtra: boolean): Promise<void> {
    const { clock, outbox, reporter } = this.#deps;
    const endpoint = this.name;
    const deliveries: Delivery[] = claims.map((claim) => toDelivery(claim.row));
    let id = deliveries[0]!.id;
    if (this.#sink.keepsBatches && this.#sink.batchSize > 1) {
      id = claims[0]!.batch ?? batchId(deliveries.map((delivery) => delivery.id));
      if (claims[0]!.batch === undefined) outbox.bindBatch(claims, id);
    }
    const began = clock.now();
    for (const claim of claims)
      if (claim.attempts === 0)
        reporter.observe('delivery_wait', Math.max(0, began - claim.queuedMs) / 1000, { endpoint });
    const outcomes = await this.#sink.send(deliveries, id);
    const now = clock.now();
    reporter.observe('delivery_attempt', Math.max(0, now - began) / 1000, { endpoint });
    this.#judge(outcomes, now);
    claims.forEach((claim, i) => {
      const outcome = outcomes[i] ?? { kind: 'retry', detail: 'no answer', away: true };
      reporter.count('delivery_attempts', 1, { endpoint, outcome: outcome.kind });
      // An attempt that our own stop cut off says nothing about anybody.
      if (this.#running || outcome.kind !== 'retry')
        this.#ended.push(this.#settlement(claim, outcome, isExtra, now, now - began));
      else this.#busy.delete(claim.id);
    });
  }

  #flush(): void {
    this.#flushing = false;
    const ended = this.#ended.splice(0);
    try {
      if (ended.length > 0) this.#deps.outbox.settle(this.name, ended, this.#deps.clock.now());
    } catch (error) {
      this.#outboxFailed(error);
    }
    for (const { claim } of ended) this.#busy.delete(claim.id);
    this.pump();
    for (const look of this.#idle.splice(0)) look();
  }

  /** The disk is full or gone. Nothing is lost: what was tried is tried again, with the same ids. */
  #outboxFailed(error: unknown): void {
    this.#openFor(FIRST_PAUSE_MS);
    this.#lastFailure = describeError(error);
    this.#deps.reporter.log('error', this.#lastFailure, { endpoint: this.name });
  }

  /** What the answers say about the endpoint. */
  #judge(outcomes: readonly Outcome[], now: number): void {
    const gone = outcomes.find((outcome) => outcome.kind === 'gone');
    if (gone !== undefined) {
      this.#disabled = gone.detail;
      this.#deps.outbox.setDisabled(this.name, gone.detail);
      this.#deps.reporter.log('error', 'a receiver wants no alerts any more; the endpoint is off', {
        endpoint: this.name,
      });
      return;
    }
    const failed = outcomes.find((outcome) => outcome.kind === 'retry');
    if (failed === undefined || outcomes.some((outcome) => outcome.kind === 'delivered')) {
      // Something got through (or was refused by itself): the endpoint works. What was under way when it asked
      // for patience does not end the pause.
      if (this.#openUntil !== undefined && now >= this.#openUntil) {
        this.#close();
        const pulled = this.#deps.outbox.pullForward(this.name, now);
        this.#deps.reporter.log('info', 'an endpoint answers again', { endpoint: this.name, due: pulled });
      }
      this.#failures = 0;
      return;
    }
    this.#failures++;
    this.#lastFailure = failed.detail;
    const patience = failed.retryAfterMs;
    if (patience !== undefined)
      this.#openFor(Math.min(LONGEST_RETRY_AFTER_MS, patience) * (1 + this.#deps.random() / 10));
    else if (this.#failures >= FAILURES_TO_OPEN) {
      const doubled = FIRST_PAUSE_MS * 2 ** Math.min(10, this.#failures - FAILURES_TO_OPEN);
      this.#openFor(this.#jittered(Math.min(LONGEST_PAUSE_MS, doubled)));
    }
    if (this.#failures === FAILURES_TO_OPEN)
      this.#deps.reporter.log('warn', 'an endpoint does not take alerts; they wait', {
        endpoint: this.name,
        reason: failed.detail,
      });
  }

  #settlement(claim: Claim, outcome: Outcome, isExtra: boolean, now: number, tookMs: number): Settlement {
    const { detail } = outcome;
    switch (outcome.kind) {
      case 'delivered':
        return { claim, kind: 'delivered', detail, tookMs };
      case 'refused':
        return { claim, kind: 'dead', detail, tookMs };
      case 'gone':
        return { claim, kind: 'retry', detail, tookMs, nextMs: now, step: claim.step, away: true };
      case 'retry': {
        const { away, retryAfterMs } = outcome;
        const schedule = this.#config.retry_s;
        const isOver = now - claim.queuedMs > this.#config.give_up_days * 86_400_000;
        if (isOver || (claim.step >= schedule.length && !away)) return { claim, kind: 'dead', detail, tookMs };
        if (isExtra) return { claim, kind: 'retry', detail, tookMs, nextMs: claim.nextMs, step: claim.step, away };
        const pauseMs = this.#jittered((schedule[claim.step] ?? schedule.at(-1)!) * 1000);
        const wishMs = retryAfterMs === undefined ? 0 : Math.min(LONGEST_RETRY_AFTER_MS, retryAfterMs);
        const step = Math.min(schedule.length, claim.step + 1);
        return { claim, kind: 'retry', detail, tookMs, nextMs: now + Math.max(pauseMs, wishMs), step, away };
      }
    }
  }

  #openFor(ms: number): void {
    this.#openUntil = this.#deps.clock.now() + ms;
    this.#deps.reporter.gauge('delivery_endpoint_away', 1, { endpoint: this.name });
  }

  #close(): void {
    this.#openUntil = undefined;
    this.#failures = 0;
    this.#deps.reporter.gauge('delivery_endpoint_away', 0, { endpoint: this.name });
  }

  /** A fifth up or down, so that many deliveries do not come back at the same moment. */
  #jittered(ms: number): number {
    return ms * (0.8 + 0.4 * this.#deps.random());
  }

  #wakeAt(ms: number): void {
    this.#cancelTimer = this.#deps.clock.after(Math.max(0, ms - this.#deps.clock.now()), () => this.pump());
  }

  #hasDue(): boolean {
    if (this.#disabled !== '' || this.#openUntil !== undefined) return false;
    // What waits for others may wait over a restart as well.
    if ((this.#sink.holdMs ?? 0) > 0) return false;
    const due = this.#deps.outbox.nextDue(this.name, this.#busy);
    return due !== undefined && due <= this.#deps.clock.now();
  }

  async #quiet(isQuiet: () => boolean): Promise<void> {
    while (!isQuiet()) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}
