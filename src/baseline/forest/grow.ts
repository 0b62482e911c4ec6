import { IsolationForest } from 'ml-isolation-forest';
import type { GrownNode } from 'ml-isolation-forest';

/** Trees in growing order, one entry a node; the two children of a node are neighbours and come after it. */
export interface NodeList {
  /** Column of the split, -1 for a leaf. */
  feature: number[];
  /** Inner node: rows with a value below it go left. Leaf: number of training rows that ended there. */
  value: number[];
  /** Index of the left child, the right one follows it; 0 for a leaf. */
  child: number[];
}

/** Rows that reached a node, cut down to the columns in which they differ. */
interface Differing {
  rows: number[][];
  /** Column of the full matrix for each column of `rows`. */
  columnOf: readonly number[];
}

interface Pending {
  slot: number;
  depth: number;
  node: GrownNode;
  columnOf: readonly number[];
}

/**
 * Grows one isolation tree on `rows` with ml-isolation-forest and appends it to `out`; returns its root.
 *
 * The package draws every split; three of its habits are put right here, so that what comes out is the tree of the
 * paper (Liu, Ting, Zhou, "Isolation Forest", ICDM 2008):
 * - it may draw a column in which the rows do not differ, which spends a level on an empty child. Such a draw is taken
 *   as rejected and the node as not there; where the levels ran out that way, the rows left are grown on. A uniform
 *   draw with rejection is a uniform draw among the columns that differ.
 * - it goes one level deeper than `depthLimit`: what is below becomes one leaf.
 * - its leaves hold training rows: only their number is kept.
 *
 * The draws come from `Math.random`, which the caller has seeded. Values must be finite and their differences too.
 */
export function growTree(rows: number[][], columns: number, depthLimit: number, out: NodeList): number {
  const root = addNode(out);
  const all = differing(
    rows,
    Array.from({ length: columns }, (_, column) => column),
  );
  if (all === undefined) {
    makeLeaf(out, root, rows.length);
    return root;
  }

  // Where neighbouring values have no number between them, a draw can fail time after time.
  let regrowthsLeft = 8 * rows.length;
  const pending: Pending[] = [{ slot: root, depth: 0, node: growByPackage(all.rows), columnOf: all.columnOf }];
  for (let top = pending.pop(); top !== undefined; top = pending.pop()) {
    let { node, columnOf } = top;
    const { slot, depth } = top;
    for (;;) {
      while (node.left?.trainingSet?.length === 0 && node.right !== undefined) node = node.right;
      const left = node.trainingSet;
      if (left === undefined || left.length < 2 || depth >= depthLimit || regrowthsLeft === 0) break;
      const rest = differing(left, columnOf);
      if (rest === undefined) break;
      regrowthsLeft--;
      node = growByPackage(rest.rows);
      columnOf = rest.columnOf;
    }
    if (node.left === undefined || node.right === undefined || depth >= depthLimit) {
      makeLeaf(out, slot, countRows(node));
      continue;
    }
    const child = addNode(out);
    addNode(out);
    out.feature[slot] = columnOf[node.splitColumn!]!;
    out.value[slot] = node.splitValue!;
    out.child[slot] = child;
    pending.push({ slot: child, depth: depth + 1, node: node.left, columnOf });
    pending.push({ slot: child + 1, depth: depth + 1, node: node.right, columnOf });
  }
  return root;
}

/** A forest of one tree: a second `train` on the same object would append and never be used. */
function growByPackage(rows: number[][]): GrownNode {
  const forest = new IsolationForest({ nEstimators: 1 });
  forest.train(rows);
  return forest.forest[0]!;
}

function differing(rows: number[][], columnOf: readonly number[]): Differing | undefined {
  const first = rows[0]!;
  const kept: number[] = [];
  for (let j = 0; j < columnOf.length; j++) {
    const value = first[j];
    for (let i = 1; i < rows.length; i++) {
      if (rows[i]![j] !== value) {
        kept.push(j);
        break;
      }
    }
  }
  if (kept.length === 0) return undefined;
  if (kept.length === columnOf.length) return { rows, columnOf };
  return { rows: rows.map((row) => kept.map((j) => row[j]!)), columnOf: kept.map((j) => columnOf[j]!) };
}

function countRows(node: GrownNode): number {
  if (node.trainingSet !== undefined) return node.trainingSet.length;
  return countRows(node.left!) + countRows(node.right!);
}

function addNode(out: NodeList): number {
  out.child.push(0);
  out.value.push(0);
  return out.feature.push(-1) - 1;
}

function makeLeaf(out: NodeList, slot: number, rows: number): void {
  out.feature[slot] = -1;
  out.value[slot] = rows;
  out.child[slot] = 0;
}
