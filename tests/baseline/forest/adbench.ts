import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** A labelled outlier set. */
export interface OutlierSet {
  name: string;
  rows: number;
  columns: number;
  /** Row-major. */
  matrix: Float64Array;
  /** 1 for an anomaly. */
  label: Uint8Array;
}

/** scikit-learn's figures as benchmarks/detection/forest.sklearn.py writes them. */
export interface SklearnFigures {
  python: string;
  'scikit-learn': string;
  numpy: string;
  sets: Record<string, { rows: number; columns: number; mean: number; sd: number }>;
}

export function readSklearnFigures(): SklearnFigures {
  const url = new URL('../../../benchmarks/detection/forest.sklearn.json', import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as SklearnFigures;
}

export function readOutlierSets(captures: string): OutlierSet[] {
  const folder = join(captures, 'science', 'adbench');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.csv.gz'))
    .sort()
    .map((file) => {
      const lines = gunzipSync(readFileSync(join(folder, file)))
        .toString('latin1')
        .trim()
        .split('\n')
        .slice(1);
      const columns = lines[0]!.split(',').length - 1;
      const matrix = new Float64Array(lines.length * columns);
      const label = new Uint8Array(lines.length);
      lines.forEach((line, row) => {
        const cells = line.split(',').map(Number);
        matrix.set(cells.slice(0, columns), row * columns);
        label[row] = cells[columns]!;
      });
      return { name: file.slice(0, -'.csv.gz'.length), rows: lines.length, columns, matrix, label };
    });
}

/** Area under the ROC curve: Mann-Whitney with mid-ranks. */
export function areaUnderRoc(score: Float64Array, label: Uint8Array): number {
  const order = Uint32Array.from(score.keys()).sort((a, b) => score[a]! - score[b]!);
  let rankSum = 0;
  let positives = 0;
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to < order.length && score[order[to]!] === score[order[from]!]) to++;
    for (let i = from; i < to; i++) {
      if (label[order[i]!] === 0) continue;
      positives++;
      rankSum += (from + 1 + to) / 2;
    }
    from = to;
  }
  const negatives = order.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
