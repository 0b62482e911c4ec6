import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { addAct, readActs } from '../../src/baseline/acts.ts';
import type { BaselineAct } from '../../src/baseline/acts.ts';
import { Baselines } from '../../src/baseline/baselines.ts';
import { NoveltySets } from '../../src/baseline/novelty.ts';
import { WindowBaseline } from '../../src/baseline/windows.ts';
import { loadConfig } from '../../src/config/index.ts';
import { F, FEATURE_COUNT } from '../../src/features/catalogue.ts';
import { createPrng } from '../../src/lib/prng.ts';

const START_US = 1_772_409_600e6;
const config = { ...loadConfig({ env: {} }).config.hotPath.baseline, min_learn_s: 600, max_learn_s: 7200 };

interface Pump {
  slot: number;
  key: string;
  type: string;
  isGateway: boolean;
  learning: boolean;
  firstUs: number;
}
const pump = (slot = 0): Pump => ({
  slot,
  key: `0/pump${slot}`,
  type: 'infusion-pump',
  isGateway: false,
  learning: true,
  firstUs: START_US,
});

function window(packets: number): Float64Array {
  const values = new Float64Array(FEATURE_COUNT);
  values[F.packets_out] = packets;
  values[F.bytes_out] = packets * 100;
  return values;
}

function novelty(): NoveltySets {
  return new NoveltySets(1024, () => 'infusion-pump');
}

describe('windows', () => {
  it('are a sample of all that was learned, and the largest is never lost', () => {
    const windows = new WindowBaseline(128);
    for (let i = 0; i < 10_000; i++) windows.learn(window(i === 5000 ? 900_000 : i), 0);
    const standing = windows.standing(F.packets_out, 5000)!;
    expect(standing.n).toBe(128);
    // Not the last 128: their median would be 9,936.
    expect(standing.median).toBeGreaterThan(3500);
    expect(standing.median).toBeLessThan(6500);
    expect(standing.most).toBeCloseTo(900_000, -2);
  });

  it('adapt slowly to usual windows, and much slower to odd ones', () => {
    const adapted = (isOdd: boolean): number => {
      const windows = new WindowBaseline(64);
      for (let i = 0; i < 500; i++) windows.learn(window(10), 0);
      for (let i = 0; i < 4000; i++) windows.adapt(window(1000), 0, isOdd);
      return windows.rows.filter((v, i) => i % FEATURE_COUNT === F.packets_out && v > 5).length;
    };
    expect(adapted(false)).toBeGreaterThan(20);
    expect(adapted(true)).toBeLessThanOrEqual(4);
  });
});

describe('learning', () => {
  it('ends by evidence: time, minutes and no new peers; or after the longest time', () => {
    const sets = novelty();
    const baselines = new Baselines(config, { seed: 1, novelty: sets });
    const device = pump();
    const peers = sets.setId('new-peer:peer');
    for (let m = 0; m < 40; m++) baselines.took(device, START_US + m * 60e6, 60, window(10), 0);
    const later = START_US + 3600e6;
    sets.note(device, peers, 1, true);
    expect(baselines.hasLearned(device, later)).toBe(false);
    expect(baselines.learningState(device, later).why).toContain('is new with a chance of 100 %');
    for (let i = 0; i < 200; i++) sets.note(device, peers, 1, true);
    expect(baselines.hasLearned(device, START_US + 300e6)).toBe(false);
    expect(baselines.hasLearned(device, later)).toBe(true);
    sets.note(device, peers, 2, true);
    for (let k = 3; k < 60; k++) sets.note(device, peers, k, true);
    expect(baselines.hasLearned(device, later)).toBe(false);
    expect(baselines.hasLearned(device, START_US + 7200e6)).toBe(true);
  });
});

/** Fifty pumps that learned for an hour and then go on for another, with what people did. */
function lived(acts: readonly BaselineAct[], after = 400): { baselines: Baselines; devices: Pump[] } {
  const baselines = new Baselines(config, { seed: 1, novelty: novelty(), acts });
  const devices = Array.from({ length: 8 }, (_, slot) => pump(slot));
  const prng = createPrng(3);
  for (let m = 0; m < 400; m++)
    for (const device of devices)
      for (const seconds of [10, 60])
        baselines.took(device, START_US + m * 60e6, seconds, window(20 + 10 * prng.double()), 0);
  let nowUs = START_US + 400 * 60e6;
  for (const device of devices) {
    device.learning = false;
    baselines.ended(device, nowUs, 'said so');
  }
  baselines.trainAll(devices, nowUs);
  for (let m = 0; m < after; m++) {
    nowUs += 60e6;
    for (const device of devices) for (let i = 0; i < 40; i++) baselines.took(device, nowUs, 10, window(500), 0, 0.5);
    baselines.second(devices, nowUs);
  }
  return { baselines, devices };
}

const medianOf = (b: Baselines): number => b.windows(0, 10).standing(F.packets_out, 1)!.median;
const act = (what: BaselineAct['act'], minutes: number, version?: number): BaselineAct => ({
  device: '0/pump0',
  act: what,
  ...(version === undefined ? {} : { version }),
  atUs: START_US + (400 + minutes) * 60e6,
  by: 'test',
  reason: '',
});

describe('versions', () => {
  it('freeze holds the baseline, others go on', () => {
    const { baselines } = lived([act('freeze', 1)]);
    expect(medianOf(baselines)).toBeLessThan(30);
    expect(baselines.windows(1, 10).standing(F.packets_out, 1)!.median).toBeGreaterThan(400);
    expect(baselines.isFrozen(0)).toBe(true);
  });

  it('revert goes back to what was usual, unfreeze gives back what was learned since', () => {
    const went = lived([]);
    expect(medianOf(went.baselines)).toBeGreaterThan(400);
    const { baselines } = lived([act('revert', 390, 1)]);
    expect(medianOf(baselines)).toBeLessThan(30);
    expect(baselines.revertedTo(0)).toBe(1);
    const back = lived([act('revert', 390, 1), act('unfreeze', 399)]);
    expect(medianOf(back.baselines)).toBeCloseTo(medianOf(went.baselines), 0);
    expect(back.baselines.versions(0).map((v) => v.why)).toEqual(['learned', 'reverted', 'unfrozen']);
  });

  it('survive a restart, models included, and act no act twice', () => {
    const acts = [act('freeze', 1)];
    const { baselines, devices } = lived(acts, 20);
    const again = new Baselines(config, { seed: 1, novelty: novelty(), acts });
    again.restore(structuredClone(baselines.save()));
    again.second(devices, START_US + 421 * 60e6);
    expect(again.versions(0)).toEqual(baselines.versions(0));
    expect(again.models.judge(0, 'infusion-pump', 10, window(90), 0)).toEqual(
      baselines.models.judge(0, 'infusion-pump', 10, window(90), 0),
    );
  });

  it('are bounded in number', () => {
    const acts = Array.from({ length: 30 }, (_, i) => act(i % 2 === 0 ? 'freeze' : 'unfreeze', i + 1));
    expect(lived(acts, 40).baselines.versions(0).length).toBe(config.max_versions);
  });
});

describe('models', () => {
  it('are trained one a second when they are due, the same each time', () => {
    const { baselines, devices } = lived([], 1);
    const dueUs = START_US + 400 * 60e6 + config.retrain_s * 1e6;
    const before = baselines.models.judge(0, 'infusion-pump', 10, window(25), 0)!.score;
    for (let s = 1; s <= 4; s++) baselines.second(devices, dueUs + s * 1e6);
    expect(baselines.versions(0).at(-1)!.why).toBe('retrained');
    expect(baselines.models.judge(0, 'infusion-pump', 10, window(25), 0)!.score).toBeCloseTo(before, 1);
  });

  it('judge a device against its own usual score', () => {
    const { baselines } = lived([], 1);
    const usual = baselines.models.judge(0, 'infusion-pump', 10, window(25), 0)!;
    const odd = baselines.models.judge(0, 'infusion-pump', 10, window(50_000), 0)!;
    expect(usual.pValue).toBeGreaterThan(0.05);
    expect(odd.pValue).toBeLessThan(0.01);
    expect(odd.top.map((t) => t.feature)).toContain('packets_out');
  });
});

describe('the file of acts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wardwatch-acts-'));
  const file = join(folder, 'acts.json');
  afterEach(() => {
    for (const name of [file, `${file}.previous`]) rmSync(name, { force: true });
  });

  it('keeps acts in the order of event time', () => {
    expect(readActs(file)).toEqual({ acts: [], refused: '' });
    addAct(file, act('unfreeze', 9));
    addAct(file, act('freeze', 1));
    expect(readActs(file).acts.map((a) => a.act)).toEqual(['freeze', 'unfreeze']);
  });

  it('refuses one that was damaged or is of another version, says why, and uses the last good one', () => {
    addAct(file, act('freeze', 1));
    addAct(file, act('unfreeze', 9));
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"by": "test"', '"by": "mallory"'));
    expect(readActs(file)).toMatchObject({ refused: expect.stringContaining('hash') as string });
    expect(readActs(file).acts.length).toBe(1);
    writeFileSync(file, text.replace('"version": 1', '"version": 2'));
    expect(readActs(file).refused).toContain('version 2');
    rmSync(`${file}.previous`);
    expect(() => readActs(file)).toThrow(/cannot be used/);
  });
});
