import { hashText } from '../lib/hash.ts';
import { FEATURES, FEATURE_COUNT } from '../features/catalogue.ts';
import { Calibration } from './calibration.ts';
import type { Chance } from './calibration.ts';
import { MIN_TRAINING_ROWS, loadForest, saveForest, trainForest } from './forest/index.ts';
import type { Forest } from './forest/index.ts';
import type { WindowBaseline } from './windows.ts';

export interface ModelVerdict {
  score: number;
  /** Conformal, at least 1 / (nCalibration + 1). */
  pValue: number;
  nCalibration: number;
  /** The same with the extrapolated tail, or marked as not calibrated. */
  chance: Chance;
  top: { feature: string; weight: number }[];
}

/** A device whose windows teach its class. */
export interface Taught {
  readonly slot: number;
  readonly type: string;
  readonly short: WindowBaseline;
  readonly long: WindowBaseline;
}

interface Model {
  forest: Forest;
  /** Scores of windows that the forest was not grown on, each less the usual score of its device. */
  calibration: Calibration;
  /** Usual score by slot of device: the median of the windows that the forest was grown on. */
  usual: Map<number, number>;
  /** The same for a device that was not there. */
  usualOfClass: number;
}

/** More rows teach a forest nothing new: it draws 256 a tree. */
const MAX_ROWS = 8192;
/** Fewer windows say nothing about the usual score of a device. */
const MIN_OWN_ROWS = 16;
const FLEET = '*';
const SCALES = [10, 60] as const;

/**
 * Isolation forests of the windows, one for each device class and time scale. Every other learned window is kept out
 * of the training and scored. What is compared is how much odder a window is than the device's usual ones: so one
 * calibration, pooled over the class, holds for a device that is always odd and for one that never is.
 */
export class WindowModels {
  readonly #models = new Map<string, Model>();
  readonly #seed: number;
  readonly #row = new Float64Array(FEATURE_COUNT);

  constructor(seed: number) {
    this.#seed = seed;
  }

  get count(): number {
    return this.#models.size;
  }

  /** What can be trained from these devices: one name a class and time scale, and the whole fleet's. */
  names(devices: readonly Taught[]): string[] {
    const types = new Set([FLEET]);
    for (const { type } of devices) types.add(type);
    return [...types].sort().flatMap((type) => SCALES.map((seconds) => `${type}/${seconds}`));
  }

  /** Trains one of the {@link names}; where there are too few windows, devices are judged by the fleet's model. */
  train(name: string, devices: readonly Taught[]): void {
    const slash = name.lastIndexOf('/');
    const type = name.slice(0, slash);
    const scale = name.slice(slash + 1) === '10' ? 'short' : 'long';
    const model = this.#trainOne(
      name,
      devices.filter((d) => (type === FLEET || d.type === type) && d[scale].n > 0).map((d) => [d.slot, d[scale]]),
    );
    if (model === undefined) this.#models.delete(name);
    else this.#models.set(name, model);
  }

  /** Judges the window at `values[at …]`; undefined where nothing has been trained for it. */
  judge(slot: number, type: string, windowS: number, values: Float64Array, at: number): ModelVerdict | undefined {
    const model = this.#models.get(`${type}/${windowS}`) ?? this.#models.get(`${FLEET}/${windowS}`);
    if (model === undefined) return undefined;
    for (let f = 0; f < FEATURE_COUNT; f++) this.#row[f] = values[at + f]!;
    const score = model.forest.score(this.#row);
    const { calibration } = model;
    const beyond = score - (model.usual.get(slot) ?? model.usualOfClass);
    const top =
      calibration.rank(beyond) <= calibration.n / 100
        ? model.forest
            .explain(this.#row, 0, 5)
            .features.filter((f) => f.contribution > 0)
            .map((f) => ({ feature: f.name, weight: f.contribution }))
        : [];
    return {
      score,
      pValue: calibration.pValue(beyond),
      nCalibration: calibration.n,
      chance: calibration.chance(beyond),
      top,
    };
  }

  /** The slot may belong to another device from now on. */
  forget(slot: number): void {
    for (const model of this.#models.values()) model.usual.delete(slot);
  }

  save(): unknown {
    return [...this.#models].map(([name, { forest, calibration, usual, usualOfClass }]) => ({
      name,
      forest: saveForest(forest),
      calibration: calibration.scores,
      usual,
      usualOfClass,
    }));
  }

  restore(saved: unknown): void {
    for (const m of saved as {
      name: string;
      forest: Uint8Array;
      calibration: Float64Array;
      usual: Map<number, number>;
      usualOfClass: number;
    }[])
      this.#models.set(m.name, {
        forest: loadForest(m.forest),
        calibration: new Calibration(m.calibration),
        usual: m.usual,
        usualOfClass: m.usualOfClass,
      });
  }

  #trainOne(name: string, group: readonly (readonly [slot: number, windows: WindowBaseline])[]): Model | undefined {
    let total = 0;
    for (const [, windows] of group) total += windows.n;
    const step = Math.max(1, Math.ceil(total / (2 * MAX_ROWS)));
    const train: number[] = [];
    const trainSlots: number[] = [];
    const calibrate: number[] = [];
    const calibrateSlots: number[] = [];
    let i = 0;
    for (const [slot, windows] of group)
      for (let r = 0; r < windows.n; r++, i++) {
        if (i % step !== 0) continue;
        const forTraining = (i / step) % 2 === 0;
        const into = forTraining ? train : calibrate;
        (forTraining ? trainSlots : calibrateSlots).push(slot);
        for (let f = 0; f < FEATURE_COUNT; f++) into.push(Math.expm1(windows.rows[r * FEATURE_COUNT + f]!));
      }
    const rows = trainSlots.length;
    if (rows < MIN_TRAINING_ROWS) return undefined;
    const matrix = Float64Array.from(train);
    const outcome = trainForest(matrix, rows, FEATURE_COUNT, {
      trees: 100,
      sampleSize: Math.min(256, rows),
      seed: (this.#seed ^ hashText(name)) >>> 0,
      featureNames: FEATURES.map((f) => f.name),
    });
    if (!outcome.ok) return undefined;
    const { forest } = outcome;
    // The usual scores come from the windows of training, so those of calibration stay exchangeable with new ones.
    const own = new Float64Array(rows);
    forest.scoreBatch(matrix, rows, own);
    const bySlot = new Map<number, number[]>();
    for (let r = 0; r < rows; r++) {
      const scores = bySlot.get(trainSlots[r]!);
      if (scores === undefined) bySlot.set(trainSlots[r]!, [own[r]!]);
      else scores.push(own[r]!);
    }
    const usual = new Map<number, number>();
    for (const [slot, scores] of bySlot) if (scores.length >= MIN_OWN_ROWS) usual.set(slot, medianOf(scores));
    const usualOfClass = medianOf([...own]);
    const n = calibrateSlots.length;
    const scores = new Float64Array(n);
    forest.scoreBatch(Float64Array.from(calibrate), n, scores);
    for (let r = 0; r < n; r++) scores[r]! -= usual.get(calibrateSlots[r]!) ?? usualOfClass;
    return { forest, calibration: new Calibration(scores), usual, usualOfClass };
  }
}

function medianOf(values: number[]): number {
  values.sort((a, b) => a - b);
  return values[values.length >> 1]!;
}
