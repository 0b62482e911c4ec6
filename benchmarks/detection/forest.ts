/**
 * How well the isolation forest finds the anomalies of the ADBench sets, beside scikit-learn's (figures stored by
 * forest.sklearn.py): fitted and scored on the whole set, unsupervised, 100 trees of 256 rows, 5 seeds.
 *
 * usage: node benchmarks/detection/forest.ts
 */
import { trainForest } from '../../src/baseline/forest/index.ts';
import { areaUnderRoc, readOutlierSets, readSklearnFigures } from '../../tests/baseline/forest/adbench.ts';
import { requireCaptures } from '../../tests/support/captures.ts';

const SEEDS = [1, 2, 3, 4, 5];

const figures = readSklearnFigures();
const sets = readOutlierSets(requireCaptures());
const line = (cells: string[]): void =>
  console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(13) : cell.padStart(i === 1 ? 10 : 9))).join(' '));

console.log(
  `scikit-learn ${figures['scikit-learn']}, numpy ${figures.numpy}, Python ${figures.python}; AUC, mean of 5 seeds\n`,
);
line(['set', 'rows x cols', 'forest', 'sd', 'sklearn', 'sd', 'in its sd', '+ range', 'train ms']);
let ours = 0;
let theirs = 0;
let below = 0;
for (const { name, rows, columns, matrix, label } of sets) {
  const forestOnly: number[] = [];
  const withRange: number[] = [];
  let trainMs = Infinity;
  const scores = new Float64Array(rows);
  for (const seed of SEEDS) {
    const started = performance.now();
    const outcome = trainForest(matrix, rows, columns, { seed });
    trainMs = Math.min(trainMs, performance.now() - started);
    if (!outcome.ok) throw new Error(outcome.detail);
    for (let i = 0; i < rows; i++) scores[i] = outcome.forest.isolation(matrix, i * columns);
    forestOnly.push(areaUnderRoc(scores, label));
    outcome.forest.scoreBatch(matrix, rows, scores);
    withRange.push(areaUnderRoc(scores, label));
  }
  const peer = figures.sets[name];
  if (peer === undefined) throw new Error(`no figures for ${name}: run forest.sklearn.py`);
  const mean = meanOf(forestOnly);
  const distance = (mean - peer.mean) / peer.sd;
  ours += mean / sets.length;
  theirs += peer.mean / sets.length;
  if (distance < -2) below++;
  line([
    name,
    `${rows}x${columns}`,
    mean.toFixed(4),
    deviationOf(forestOnly).toFixed(4),
    peer.mean.toFixed(4),
    peer.sd.toFixed(4),
    distance.toFixed(2),
    meanOf(withRange).toFixed(4),
    trainMs.toFixed(1),
  ]);
}
console.log(
  `\nmean: forest ${ours.toFixed(4)}, scikit-learn ${theirs.toFixed(4)}; more than 2 sd below: ${below} sets`,
);
console.log('The range term has little to say here: the anomalies are among the rows it is trained on.');
if (below > 0 || ours < theirs) process.exitCode = 1;

function meanOf(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviationOf(values: number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
