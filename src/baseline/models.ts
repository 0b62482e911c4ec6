import { hashText } from '../lib/hash.ts';
import { FEATURES, FEATURE_COUNT } from '../features/catalogue.ts';
import { MIN_TRAINING_ROWS, loadForest, saveForest, trainForest } from './forest/index.ts';
import type { Forest } from './forest/index.ts';
import type { WindowBaseline } from './windows.ts';

export interface ModelVerdict {
  score: number;
  pValue: number;
  nCalibration: number;
  top: { feature: string; weight: number }[];
}

interface Model {
  forest: Forest;
  /** Scores of windows that the forest was not grown on, ascending. */
  calibration: Float64Array;
}

/** More rows teach a forest nothing new: it draws 256 a tree. */
const MAX_ROWS = 8192;
const FLEET = '*';

/**
 * Isolation forests of the windows, one for each device class and time scale, with a conformal calibration:
 * every other learned window is kept out of the training and scored, and a new window's p-value is the share
 * of those that are at least as odd (Vovk et al.; Bates et al. 2023).
 */
export class WindowModels {
  readonly #models = new Map<string, Model>();
  readonly #seed: number;
  readonly #row = new Float64Array(FEATURE_COUNT);

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Trains from the learned windows of many devices; classes with too few windows share the fleet's forest. */
  train(windowS: number, devices: Iterable<{ type: string; windows: WindowBaseline }>): void {
    const byClass = new Map<string, WindowBaseline[]>();
    for (const { type, windows } of devices) {
      if (windows.n === 0) continue;
      for (const name of [type, FLEET]) {
        const group = byClass.get(name);
        if (group === undefined) byClass.set(name, [windows]);
        else group.push(windows);
      }
    }
    for (const [name, group] of byClass) {
      const model = this.#trainOne(`${name}/${windowS}`, group);
      if (model === undefined) this.#models.delete(`${name}/${windowS}`);
      else this.#models.set(`${name}/${windowS}`, model);
    }
  }

  /** Judges the window at `values[at …]`; undefined where nothing has been trained for it. */
  judge(type: string, windowS: number, values: Float64Array, at: number): ModelVerdict | undefined {
    const model = this.#models.get(`${type}/${windowS}`) ?? this.#models.get(`${FLEET}/${windowS}`);
    if (model === undefined) return undefined;
    for (let f = 0; f < FEATURE_COUNT; f++) this.#row[f] = values[at + f]!;
    const score = model.forest.score(this.#row);
    const n = model.calibration.length;
    // Position of the score among the calibration scores by bisection.
    let low = 0;
    let high = n;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (model.calibration[middle]! < score) low = middle + 1;
      else high = middle;
    }
    const atLeast = n - low;
    const top =
      atLeast <= n / 100
        ? model.forest
            .explain(this.#row, 0, 5)
            .features.filter((f) => f.contribution > 0)
            .map((f) => ({ feature: f.name, weight: f.contribution }))
        : [];
    return { score, pValue: (atLeast + 1) / (n + 1), nCalibration: n, top };
  }

  save(): unknown {
    return [...this.#models].map(([name, { forest, calibration }]) => ({
      name,
      forest: saveForest(forest),
      calibration,
    }));
  }

  restore(saved: unknown): void {
    for (const m of saved as { name: string; forest: Uint8Array; calibration: Float64Array }[])
      this.#models.set(m.name, { forest: loadForest(m.forest), calibration: m.calibration });
  }

  #trainOne(name: string, group: WindowBaseline[]): Model | undefined {
    let total = 0;
    for (const windows of group) total += windows.n;
    const step = Math.max(1, Math.ceil(total / (2 * MAX_ROWS)));
    const train: number[] = [];
    const calibrate: number[] = [];
    let i = 0;
    for (const windows of group)
      for (let r = 0; r < windows.n; r++, i++) {
        if (i % step !== 0) continue;
        const into = (i / step) % 2 === 0 ? train : calibrate;
        for (let f = 0; f < FEATURE_COUNT; f++) into.push(Math.expm1(windows.rows[r * FEATURE_COUNT + f]!));
      }
    const rows = train.length / FEATURE_COUNT;
    if (rows < MIN_TRAINING_ROWS) return undefined;
    const outcome = trainForest(Float64Array.from(train), rows, FEATURE_COUNT, {
      trees: 100,
      sampleSize: Math.min(256, rows),
      seed: (this.#seed ^ hashText(name)) >>> 0,
      featureNames: FEATURES.map((f) => f.name),
    });
    if (!outcome.ok) return undefined;
    const n = calibrate.length / FEATURE_COUNT;
    const calibration = new Float64Array(n);
    outcome.forest.scoreBatch(Float64Array.from(calibrate), n, calibration);
    calibration.sort();
    return { forest: outcome.forest, calibration };
  }
}
