import type { Reporter } from '../kernel/component.ts';
import { describeError } from '../kernel/errors.ts';
import { StateReader, StateWriter } from '../state/codec.ts';
import type { StateKeeper, StateLease } from '../state/keeper.ts';
import { STATE_CLASSES } from './hot-path-state.ts';
import type { HotPath, HotPathCounters } from './hot-path.ts';

/** Storing state may take this share of the time at most: the larger it is, the rarer it is stored. */
const MAX_SHARE = 0.05;

/**
 * State of a hot path that watches something live, whose frames never come again: what was learned goes on after
 * a restart, open flows and windows end where nothing was watched.
 */
export class LiveState {
  readonly #lease: StateLease;
  readonly #everyMs: number;
  readonly #reporter: Reporter;
  readonly #told: (message: string) => void;
  #savedMs = performance.now();
  #tookMs = 0;
  #lost = false;
  #inherited: HotPathCounters | undefined;

  private constructor(lease: StateLease, everyS: number, reporter: Reporter, told: (message: string) => void) {
    this.#lease = lease;
    this.#everyMs = everyS * 1000;
    this.#reporter = reporter;
    this.#told = told;
  }

  static async take(
    keeper: StateKeeper,
    scope: string,
    everyS: number,
    reporter: Reporter,
    told: (message: string) => void,
  ): Promise<LiveState> {
    const lease = await keeper.take(scope);
    for (const why of lease.refused) told(`a stored state is passed over: ${why}`);
    return new LiveState(lease, everyS, reporter, told);
  }

  /** Puts what is stored into a hot path that has seen nothing. False where there is none, or none that fits. */
  restore(hotPath: HotPath): boolean {
    const { found } = this.#lease;
    if (found === undefined) return false;
    try {
      const anew = hotPath.restore(new StateReader(found.blocks, STATE_CLASSES));
      hotPath.endRewind();
      hotPath.unobserved(hotPath.nowUs, hotPath.nowUs);
      this.#inherited = structuredClone(hotPath.counters());
      const since = new Date(hotPath.startedUs / 1000).toISOString();
      const last = new Date(hotPath.nowUs / 1000).toISOString();
      this.#told(`restored ${found.devices} devices, learned since ${since}, last watched at ${last}`);
      if (anew.length > 0) this.#told(`these detectors begin anew, they are new or changed: ${anew.join(', ')}`);
      return true;
    } catch (error) {
      this.#told(`what was known is learned anew: ${describeError(error)}`);
      return false;
    }
  }

  /** What the restored hot path had counted before: another process has told it. */
  get inherited(): HotPathCounters | undefined {
    return this.#inherited;
  }

  get isDue(): boolean {
    const since = performance.now() - this.#savedMs;
    return !this.#lost && since >= this.#everyMs && since >= this.#tookMs / MAX_SHARE;
  }

  /** Stores what is known, after the rows of it. A failure is told and tried again later. */
  async save(hotPath: HotPath): Promise<void> {
    if (this.#lost || hotPath.nowUs === 0) return;
    const began = performance.now();
    const writer = new StateWriter(STATE_CLASSES);
    hotPath.save(writer, 0);
    // Offsets mean nothing where frames never come again; event time tells which state is the newer one.
    const offset = BigInt(Math.floor(hotPath.nowUs));
    const devices = hotPath.counters().devices;
    try {
      const point = { offset, rewindOffset: offset, eventUs: hotPath.nowUs, marks: [], devices };
      if (!(await this.#lease.save(writer.finish(), point))) {
        this.#lost = true;
        this.#told('another process has taken over the state: this one stores it no more');
      }
    } catch (error) {
      this.#reporter.log('error', 'state was not stored', { reason: describeError(error) });
    }
    this.#savedMs = performance.now();
    this.#tookMs = this.#savedMs - began;
  }
}
