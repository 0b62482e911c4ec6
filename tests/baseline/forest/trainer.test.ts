import { afterEach, describe, expect, it } from 'vitest';
import { createForestTrainer, loadForest, saveForest, trainForest } from '../../../src/baseline/forest/index.ts';
import type { ForestConfig, ForestTrainer, TrainRequest } from '../../../src/baseline/forest/index.ts';
import { silentReporter } from '../../../src/kernel/component.ts';
import type { Reporter } from '../../../src/kernel/component.ts';
import { createPrng } from '../../../src/lib/prng.ts';

const config: ForestConfig = { trees: 20, sample_size: 64, max_waiting: 3 };
const featureNames = ['a', 'b', 'c'];

function request(rows = 200, seed = 1): TrainRequest {
  const prng = createPrng(seed);
  const matrix = Float64Array.from({ length: rows * 3 }, () => prng.double());
  return { matrix, rows, columns: 3, seed, featureNames };
}

const running: ForestTrainer[] = [];

async function startTrainer(reporter: Reporter = silentReporter): Promise<ForestTrainer> {
  const trainer = createForestTrainer(config, { reporter });
  running.push(trainer);
  await trainer.start();
  return trainer;
}

afterEach(async () => {
  for (const trainer of running.splice(0)) await trainer.stop();
});

describe('forest trainer', () => {
  it('trains on its thread what would be trained here', async () => {
    const trainer = await startTrainer();
    const { matrix, rows } = request();
    const here = trainForest(matrix, rows, 3, { seed: 1, trees: 20, sampleSize: 64, featureNames });
    if (!here.ok) throw new Error(here.detail);
    const there = await trainer.train(request());
    if (!there.ok) throw new Error(there.detail);
    expect(there.bytes).toEqual(saveForest(here.forest));
    expect(loadForest(there.bytes).featureNames).toEqual(featureNames);
  });

  it('takes the matrix over, and copies where it is a part of more', async () => {
    const trainer = await startTrainer();
    const whole = request();
    const part = request();
    const larger = new Float64Array(part.matrix.length + 8);
    larger.set(part.matrix, 8);
    const answers = await Promise.all([trainer.train(whole), trainer.train({ ...part, matrix: larger.subarray(8) })]);
    expect(answers[1]).toEqual(answers[0]);
    expect(whole.matrix).toHaveLength(0);
    expect(larger).toHaveLength(part.matrix.length + 8);
    await expect(trainer.train(whole)).rejects.toMatchObject({ name: 'DataCloneError' });
    await expect(trainer.train(request())).resolves.toMatchObject({ ok: true });
  });

  it('says why it does not train', async () => {
    const trainer = await startTrainer();
    await expect(trainer.train(request(63))).resolves.toMatchObject({ ok: false, reason: 'too-few-rows' });
    await expect(trainer.train({ ...request(), columns: 0 })).resolves.toMatchObject({
      ok: false,
      reason: 'bad-request',
    });
  });

  it('ends a training that is aborted, waiting or running, and goes on with the rest', async () => {
    const trainer = await startTrainer();
    const first = new AbortController();
    const second = new AbortController();
    const answers = [
      trainer.train(request(5000), first.signal),
      trainer.train(request(), second.signal),
      trainer.train(request(300)),
    ];
    const settled = Promise.allSettled(answers);
    first.abort(new Error('device left'));
    second.abort(new Error('not needed'));
    expect(await settled).toMatchObject([
      { status: 'rejected', reason: { message: 'device left' } },
      { status: 'rejected', reason: { message: 'not needed' } },
      { status: 'fulfilled', value: { ok: true } },
    ]);
    await expect(trainer.train(request(), AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
  });

  it('refuses and counts what is too much', async () => {
    const dropped: string[] = [];
    const trainer = await startTrainer({
      ...silentReporter,
      dropped: (what, n, why) => dropped.push(`${what} ${n} ${why}`),
    });
    const accepted = Array.from({ length: 4 }, (_, i) => trainer.train(request(100, i + 1)));
    await expect(trainer.train(request())).rejects.toMatchObject({ code: 'WW_MODEL' });
    expect(dropped).toEqual(['forest_trainings 1 too-many-waiting']);
    expect((await Promise.all(accepted)).every((answer) => answer.ok)).toBe(true);
  });

  it('survives the death of its thread', async () => {
    const logged: string[] = [];
    const trainer = await startTrainer({
      ...silentReporter,
      log: (level, message) => logged.push(`${level} ${message}`),
    });
    // Names of more than a mebibyte cannot be stored, which the thread does not expect.
    const fault = { ...request(), featureNames: ['a', 'b', 'c'.repeat(2 ** 20)] };
    const answers = await Promise.allSettled([trainer.train(fault), trainer.train(request())]);
    expect(answers).toMatchObject([
      { status: 'rejected', reason: { code: 'WW_INTERNAL' } },
      { status: 'fulfilled', value: { ok: true } },
    ]);
    expect(logged).toEqual(['error the training thread ended unexpectedly']);
  });

  it('trains only between start and stop, and leaves nobody waiting', async () => {
    const trainer = createForestTrainer(config, { reporter: silentReporter });
    await expect(trainer.train(request())).rejects.toMatchObject({ code: 'WW_MODEL' });
    await trainer.start();
    const left = Promise.allSettled([trainer.train(request()), trainer.train(request())]);
    await trainer.stop();
    expect((await left).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(trainer.train(request())).rejects.toMatchObject({ code: 'WW_MODEL' });
  });
});
