import type { NoveltySets } from './novelty.ts';
import type { BaselineAct } from './acts.ts';
import type { BaselineConfig } from './config.ts';
import { WindowModels } from './models.ts';
import type { Taught } from './models.ts';
import { WindowBaseline } from './windows.ts';

const SHORT_WINDOWS = 88;
const LONG_WINDOWS = 44;
const DAY_US = 86_400e6;
const HOUR_US = 3600e6;
/** Windows at least as odd as this adapt the baseline much slower. */
const ODD = 0.05;

/** Sets whose novelty says whether a device still shows new sides: id of the detector and name of the set. */
const PEERS = 'new-peer:peer';
const SERVICES = ['new-service:offers', 'new-service:uses'] as const;

/** A device as baselines see it. */
export interface Learner {
  readonly slot: number;
  readonly key: string;
  readonly type: string;
  readonly isGateway: boolean;
  readonly learning: boolean;
  readonly firstUs: number;
}

/** What was usual at a moment: order statistics of both time scales. */
export interface BaselineVersion {
  readonly n: number;
  /** Event time, epoch microseconds. */
  readonly atUs: number;
  readonly why: 'learned' | 'retrained' | 'frozen' | 'unfrozen' | 'reverted';
  readonly short: Float32Array;
  readonly long: Float32Array;
}

/** Why a device is still learning, or has finished. */
export interface LearningState {
  readonly phase: 'learning' | 'watching';
  readonly why: string;
  readonly windows: number;
  /** Good-Turing chance that the next thing is new: the highest over peers and services. */
  readonly newRate: number;
}

interface Own {
  readonly short: WindowBaseline;
  readonly long: WindowBaseline;
  /** Minutes with traffic by hour of the day (UTC), and the days they were counted on. */
  readonly activeMinutes: Uint32Array;
  days: number;
  lastDay: number;
  endedBy: string;
  /** Number of the version that is gone by, 0: what is learned. */
  revertedTo: number;
  versionsMade: number;
  versions: BaselineVersion[];
}

/**
 * Baselines of all devices: their windows, when they have learned enough, the models of their classes, and the versions
 * of what was usual. In event time throughout; a model that was trained anew takes effect at the second in which it was
 * trained, one model a second, so the hot path never stops for all of them.
 */
export class Baselines {
  readonly models: WindowModels;
  readonly #config: BaselineConfig;
  readonly #novelty: NoveltySets;
  readonly #peers: number;
  readonly #services: readonly number[];
  readonly #acts: readonly BaselineAct[];
  readonly #own: (Own | undefined)[] = [];
  #waiting: string[] = [];
  #dueUs = 0;
  /** Acts up to this event time have been done. */
  #actedUs = 0;

  constructor(config: BaselineConfig, deps: { seed: number; novelty: NoveltySets; acts?: readonly BaselineAct[] }) {
    this.#config = config;
    this.#acts = deps.acts ?? [];
    this.#novelty = deps.novelty;
    this.#peers = deps.novelty.setId(PEERS);
    this.#services = SERVICES.map((name) => deps.novelty.setId(name));
    this.models = new WindowModels(deps.seed);
  }

  /** The device's own windows of 10 or 60 seconds. */
  windows(slot: number, seconds: number): WindowBaseline {
    const own = this.#of(slot);
    return seconds === 10 ? own.short : own.long;
  }

  /** A whole window has closed: it is learned, or after learning taken in slowly, the slower the odder it was. */
  took(device: Learner, startUs: number, seconds: number, values: Float64Array, at: number, pValue?: number): void {
    const own = this.#of(device.slot);
    const windows = seconds === 10 ? own.short : own.long;
    if (device.learning) windows.learn(values, at);
    else if (pValue !== undefined) windows.adapt(values, at, pValue <= ODD);
    if (seconds !== 60) return;
    const hour = Math.floor(startUs / HOUR_US) % 24;
    own.activeMinutes[hour]!++;
    const day = Math.floor(startUs / DAY_US);
    if (day === own.lastDay) return;
    own.lastDay = day;
    own.days++;
  }

  /** Whether a device that learns has learned enough, by evidence within the bounds of the configuration. */
  hasLearned(device: Learner, nowUs: number): boolean {
    const { min_learn_s, max_learn_s, stable_new_rate, min_windows } = this.#config;
    const ageS = (nowUs - device.firstUs) / 1e6;
    if (ageS < min_learn_s) return false;
    if (ageS >= max_learn_s) return true;
    return this.#of(device.slot).long.seen >= min_windows && this.#newRate(device.slot) <= stable_new_rate;
  }

  /** The device has finished learning (`why` in words): its first version is kept. */
  ended(device: Learner, nowUs: number, why: string): void {
    const own = this.#of(device.slot);
    own.endedBy = why;
    this.#keep(own, nowUs, 'learned');
    if (this.#dueUs === 0) this.#dueUs = nowUs;
    // Others that finish soon after are trained together with it.
    else this.#dueUs = Math.min(this.#dueUs, nowUs + this.#config.retrain_at_least_s * 1e6);
  }

  /** Trains all models at once: learning was closed for the whole site. */
  trainAll(devices: Iterable<Learner>, nowUs: number): void {
    const taught = this.#taught(devices);
    for (const name of this.models.names(taught)) this.models.train(name, taught);
    this.#waiting = [];
    this.#dueUs = nowUs + this.#config.retrain_s * 1e6;
  }

  /** Called every second of event time: does what people decided, and trains one model where some are due. */
  second(devices: readonly (Learner | undefined)[], nowUs: number): void {
    this.#act(devices, nowUs);
    if (this.#waiting.length === 0) {
      if (this.#dueUs === 0 || nowUs < this.#dueUs) return;
      this.#dueUs = nowUs + this.#config.retrain_s * 1e6;
      this.#waiting = this.models.names(this.#taught(devices));
    }
    this.models.train(this.#waiting.shift()!, this.#taught(devices));
    if (this.#waiting.length > 0) return;
    for (const device of devices) {
      if (device === undefined || device.learning || device.isGateway) continue;
      const own = this.#own[device.slot];
      if (own !== undefined && !own.short.frozen) this.#keep(own, nowUs, 'retrained');
    }
  }

  learningState(device: Learner, nowUs: number): LearningState {
    const own = this.#of(device.slot);
    const newRate = this.#newRate(device.slot);
    const windows = own.long.seen;
    if (!device.learning) return { phase: 'watching', why: own.endedBy, windows, newRate };
    const { min_learn_s, max_learn_s, stable_new_rate, min_windows } = this.#config;
    const ageS = Math.floor((nowUs - device.firstUs) / 1e6);
    const missing = [
      ...(ageS < min_learn_s ? [`seen for ${ageS} of at least ${min_learn_s} s`] : []),
      ...(windows < min_windows ? [`active in ${windows} of at least ${min_windows} minutes`] : []),
      ...(newRate > stable_new_rate
        ? [
            `the next peer or service is new with a chance of ${percent(newRate)}, to fall to ${percent(stable_new_rate)}`,
          ]
        : []),
    ];
    return {
      phase: 'learning',
      why: `${missing.join('; ')} (ends in any case after ${max_learn_s} s)`,
      windows,
      newRate,
    };
  }

  versions(slot: number): readonly BaselineVersion[] {
    return this.#own[slot]?.versions ?? [];
  }

  /** Active minutes by hour of the day (UTC) and on how many days they were counted; undefined before the second. */
  dayPattern(slot: number): { days: number; activeMinutes: readonly number[] } | undefined {
    const own = this.#own[slot];
    if (own === undefined || own.days < 2) return undefined;
    return { days: own.days, activeMinutes: [...own.activeMinutes] };
  }

  isFrozen(slot: number): boolean {
    return this.#own[slot]?.short.frozen ?? false;
  }

  revertedTo(slot: number): number {
    return this.#own[slot]?.revertedTo ?? 0;
  }

  forget(slot: number): void {
    this.#own[slot] = undefined;
    this.models.forget(slot);
  }

  save(): unknown {
    return {
      own: this.#own.map((o) => (o === undefined ? undefined : { ...o, short: o.short.save(), long: o.long.save() })),
      models: this.models.save(),
      waiting: this.#waiting,
      dueUs: this.#dueUs,
      actedUs: this.#actedUs,
    };
  }

  /** Into one that has seen nothing yet. */
  restore(saved: unknown): void {
    const { own, models, waiting, dueUs, actedUs } = saved as {
      own: ((Omit<Own, 'short' | 'long'> & { short: unknown; long: unknown }) | undefined)[];
      models: unknown;
      waiting: string[];
      dueUs: number;
      actedUs: number;
    };
    own.forEach((o, slot) => {
      if (o === undefined) return;
      const short = new WindowBaseline(SHORT_WINDOWS);
      const long = new WindowBaseline(LONG_WINDOWS);
      short.restore(o.short);
      long.restore(o.long);
      this.#own[slot] = { ...o, short, long };
    });
    this.models.restore(models);
    this.#waiting = waiting;
    this.#dueUs = dueUs;
    this.#actedUs = actedUs;
  }

  #act(devices: readonly (Learner | undefined)[], nowUs: number): void {
    for (const { atUs, device: key, act, version } of this.#acts) {
      if (atUs <= this.#actedUs || atUs > nowUs) continue;
      const device = devices.find((d) => d?.key === key);
      if (device === undefined) continue;
      if (act === 'freeze') this.#freeze(device.slot, atUs);
      else if (act === 'unfreeze') this.#unfreeze(device.slot, atUs);
      else this.#revert(device.slot, version ?? 0, atUs);
    }
    this.#actedUs = nowUs;
  }

  /** Takes nothing in any more, from this event time on. */
  #freeze(slot: number, nowUs: number): void {
    const own = this.#of(slot);
    if (own.short.frozen) return;
    this.#keep(own, nowUs, 'frozen');
    own.short.frozen = true;
    own.long.frozen = true;
  }

  /** Goes on adapting, by what it has learned itself. */
  #unfreeze(slot: number, nowUs: number): void {
    const own = this.#of(slot);
    own.short.frozen = false;
    own.long.frozen = false;
    own.short.pin(undefined);
    own.long.pin(undefined);
    own.revertedTo = 0;
    this.#keep(own, nowUs, 'unfrozen');
  }

  /** Goes by an earlier version, frozen, until it is unfrozen; nothing happens where there is no such version. */
  #revert(slot: number, version: number, nowUs: number): void {
    const own = this.#of(slot);
    const found = own.versions.find((v) => v.n === version);
    if (found === undefined) return;
    own.short.frozen = true;
    own.long.frozen = true;
    own.short.pin(found.short);
    own.long.pin(found.long);
    own.revertedTo = version;
    this.#keep(own, nowUs, 'reverted');
  }

  #of(slot: number): Own {
    let own = this.#own[slot];
    if (own === undefined) {
      own = {
        short: new WindowBaseline(SHORT_WINDOWS),
        long: new WindowBaseline(LONG_WINDOWS),
        activeMinutes: new Uint32Array(24),
        days: 0,
        lastDay: 0,
        endedBy: '',
        revertedTo: 0,
        versionsMade: 0,
        versions: [],
      };
      this.#own[slot] = own;
    }
    return own;
  }

  #keep(own: Own, atUs: number, why: BaselineVersion['why']): void {
    own.versionsMade++;
    own.versions.push({
      n: own.versionsMade,
      atUs,
      why,
      short: own.short.ranges(),
      long: own.long.ranges(),
    });
    if (own.versions.length > this.#config.max_versions) own.versions.shift();
  }

  #newRate(slot: number): number {
    let most = this.#novelty.newRate(slot, this.#peers);
    for (const set of this.#services) {
      const rate = this.#novelty.newRate(slot, set);
      // 1 where the device offers or uses none at all: that is no news.
      if (rate < 1) most = Math.max(most, rate);
    }
    return most;
  }

  #taught(devices: Iterable<Learner | undefined>): Taught[] {
    const taught: Taught[] = [];
    for (const device of devices) {
      if (device === undefined || device.isGateway || device.learning) continue;
      const own = this.#own[device.slot];
      if (own !== undefined) taught.push({ slot: device.slot, type: device.type, short: own.short, long: own.long });
    }
    return taught;
  }
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}
