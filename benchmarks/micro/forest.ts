/**
 * Speed and size of the isolation forest: 100 trees of 256 rows, 50 features of Gaussian noise, one thread, best of
 * five. Beside it ml-isolation-forest's own predict and, where `python3` (or `$PYTHON`) has scikit-learn,
 * scikit-learn's score_samples, all in the same run.
 *
 * usage: [PYTHON=python3] node benchmarks/micro/forest.ts
 */
import { spawnSync } from 'node:child_process';
import { IsolationForest } from 'ml-isolation-forest';
import { saveForest, trainForest } from '../../src/baseline/forest/index.ts';
import { createPrng } from '../../src/lib/prng.ts';

const ROWS = 20_000;
const TRAINING_ROWS = 5_000;
const COLUMNS = 50;
const REPEATS = 5;

const prng = createPrng(1);
const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - prng.double())) * Math.cos(2 * Math.PI * prng.double());
const matrix = Float64Array.from({ length: ROWS * COLUMNS }, gaussian);

/** Least milliseconds of `REPEATS` runs after one that warms up. */
function bestOf(run: () => void): number {
  run();
  let best = Infinity;
  for (let i = 0; i < REPEATS; i++) {
    const started = performance.now();
    run();
    best = Math.min(best, performance.now() - started);
  }
  return best;
}

const train = (seed: number): ReturnType<typeof trainForest> => trainForest(matrix, TRAINING_ROWS, COLUMNS, { seed });
const outcome = train(1);
if (!outcome.ok) throw new Error(outcome.detail);
const { forest } = outcome;
const trainMs = bestOf(() => train(2));
const out = new Float64Array(ROWS);
const rate = (ms: number, rows = ROWS): number => (rows / ms) * 1000;

const perRow = rate(
  bestOf(() => {
    for (let i = 0; i < ROWS; i++) out[i] = forest.score(matrix, i * COLUMNS);
  }),
);
const treesOnly = rate(
  bestOf(() => {
    for (let i = 0; i < ROWS; i++) out[i] = forest.isolation(matrix, i * COLUMNS);
  }),
);
const batched = rate(bestOf(() => forest.scoreBatch(matrix, ROWS, out)));

// The package at its best: trees of 256 rows as ours, one training, its rows as arrays beforehand.
const peerRows = 2_000;
const table = Array.from({ length: peerRows }, (_, i) => [...matrix.subarray(i * COLUMNS, (i + 1) * COLUMNS)]);
const peer = new IsolationForest({ nEstimators: 100 });
peer.train(table.slice(0, 256));
const packageRate = rate(
  bestOf(() => {
    for (const row of table) peer.predict([row]);
  }),
  peerRows,
);

const sklearn = measureSklearn();
const show = (what: string, value: string): void => console.log(`${what.padEnd(44)} ${value}`);
const perSecond = (value: number): string => `${Math.round(value).toLocaleString('en')} rows/s`;
show('train, 5,000 x 50', `${trainMs.toFixed(1)} ms (goal 150)`);
show(
  'stored',
  `${saveForest(forest).length.toLocaleString('en')} bytes (goal 450,000), ${forest.data.feature.length} nodes`,
);
show('score, row by row', perSecond(perRow));
show('  trees alone', perSecond(treesOnly));
show('  ml-isolation-forest predict, row by row', perSecond(packageRate));
show('  times the package', `${(perRow / packageRate).toFixed(1)} (goal 3)`);
show('score, batched', perSecond(batched));
if (sklearn === undefined) {
  show('  scikit-learn score_samples', 'not measured: python3 has no scikit-learn');
} else {
  show(`  scikit-learn ${sklearn.version} score_samples`, perSecond(sklearn.rate));
  show('  times scikit-learn', `${(batched / sklearn.rate).toFixed(2)} (goal 1)`);
}

function measureSklearn(): { version: string; rate: number } | undefined {
  const program = `
import time, numpy, sklearn
from sklearn.ensemble import IsolationForest
x = numpy.random.RandomState(0).randn(${ROWS}, ${COLUMNS})
forest = IsolationForest(n_estimators=100, max_samples=256, random_state=0).fit(x[:${TRAINING_ROWS}])
forest.score_samples(x)
best = 1e9
for _ in range(${REPEATS}):
    started = time.perf_counter()
    forest.score_samples(x)
    best = min(best, time.perf_counter() - started)
print(sklearn.__version__, ${ROWS} / best)
`;
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  const run = spawnSync(process.env['PYTHON'] ?? 'python3', ['-c', program], { encoding: 'utf8', env });
  const [version, rowsPerSecond] = run.status === 0 ? run.stdout.trim().split(' ') : [];
  return version === undefined ? undefined : { version, rate: Number(rowsPerSecond) };
}
