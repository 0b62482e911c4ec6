import { createHash } from 'node:crypto';
import { badModel, createForest, FOREST_LIMITS } from './forest.ts';
import type { Forest } from './forest.ts';

/*
 * A stored forest, little-endian:
 *
 *   0  4  magic "WWIF"          16  4  rows trained on
 *   4  2  version               20  4  seed
 *   6  2  columns               24  4  nodes
 *   8  2  trees                 28  4  bytes of the names
 *  10  2  sample size           32     value f64 x nodes, median, low, high f64 x columns each,
 *  12  4  bytes of the file            child i32 x nodes, roots i32 x trees, feature i16 x nodes, names (JSON, UTF-8),
 *                                      SHA-256 of all before
 *
 * It holds splits, counts and quantiles only: no logarithm, whose last bit could differ between machines, and no row of
 * the training data.
 */
const MAGIC = 0x46495757;
const VERSION = 1;
const HEADER_BYTES = 32;
const HASH_BYTES = 32;
const MAX_NAMES_BYTES = 1 << 20;

/** The forest in bytes, with its version and a SHA-256. The same forest gives the same bytes. */
export function saveForest(forest: Forest): Uint8Array<ArrayBuffer> {
  const { data } = forest;
  const names = new TextEncoder().encode(JSON.stringify(data.featureNames));
  if (names.length > MAX_NAMES_BYTES) throw badModel('its names are too long');
  const nodes = data.feature.length;
  const trees = data.roots.length;
  const size = sizeOf(data.columns, trees, nodes, names.length);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, data.columns, true);
  view.setUint16(8, trees, true);
  view.setUint16(10, data.sampleSize, true);
  view.setUint32(12, size, true);
  view.setUint32(16, data.trainedRows, true);
  view.setUint32(20, data.seed, true);
  view.setUint32(24, nodes, true);
  view.setUint32(28, names.length, true);
  let at = HEADER_BYTES;
  for (const column of [data.value, data.median, data.low, data.high]) {
    for (let i = 0; i < column.length; i++, at += 8) view.setFloat64(at, column[i]!, true);
  }
  for (const column of [data.child, data.roots]) {
    for (let i = 0; i < column.length; i++, at += 4) view.setInt32(at, column[i]!, true);
  }
  for (let i = 0; i < nodes; i++, at += 2) view.setInt16(at, data.feature[i]!, true);
  bytes.set(names, at);
  bytes.set(hashOf(bytes), size - HASH_BYTES);
  return bytes;
}

/**
 * Reads what `saveForest` wrote. Anything else, of another version or damaged, is refused with a WardwatchError
 * (WW_MODEL); so is a file with a right hash whose trees are none.
 */
export function loadForest(bytes: Uint8Array): Forest {
  if (bytes.length < HEADER_BYTES + HASH_BYTES) throw badModel('it is cut short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== MAGIC) throw badModel('it is not an isolation forest');
  const version = view.getUint16(4, true);
  if (version !== VERSION) throw badModel(`it is of version ${version}, this program reads version ${VERSION}`);
  const columns = view.getUint16(6, true);
  const trees = view.getUint16(8, true);
  const sampleSize = view.getUint16(10, true);
  const nodes = view.getUint32(24, true);
  const namesBytes = view.getUint32(28, true);
  if (trees > FOREST_LIMITS.trees || columns > FOREST_LIMITS.columns || namesBytes > MAX_NAMES_BYTES) {
    throw badModel('a size is out of bounds');
  }
  const size = sizeOf(columns, trees, nodes, namesBytes);
  if (view.getUint32(12, true) !== size || bytes.length !== size) throw badModel('its length is not what it says');
  if (Buffer.compare(hashOf(bytes), bytes.subarray(size - HASH_BYTES)) !== 0) throw badModel('its hash does not match');

  let at = HEADER_BYTES;
  const float64 = (count: number): Float64Array => {
    const out = new Float64Array(count);
    for (let i = 0; i < count; i++, at += 8) out[i] = view.getFloat64(at, true);
    return out;
  };
  const int32 = (count: number): Int32Array => {
    const out = new Int32Array(count);
    for (let i = 0; i < count; i++, at += 4) out[i] = view.getInt32(at, true);
    return out;
  };
  const value = float64(nodes);
  const median = float64(columns);
  const low = float64(columns);
  const high = float64(columns);
  const child = int32(nodes);
  const roots = int32(trees);
  const feature = new Int16Array(nodes);
  for (let i = 0; i < nodes; i++, at += 2) feature[i] = view.getInt16(at, true);
  const featureNames = readNames(bytes.subarray(at, at + namesBytes));
  return createForest({
    columns,
    sampleSize,
    trainedRows: view.getUint32(16, true),
    seed: view.getUint32(20, true),
    featureNames,
    roots,
    feature,
    value,
    child,
    median,
    low,
    high,
  });
}

function sizeOf(columns: number, trees: number, nodes: number, namesBytes: number): number {
  return HEADER_BYTES + 14 * nodes + 24 * columns + 4 * trees + namesBytes + HASH_BYTES;
}

function hashOf(bytes: Uint8Array): Buffer {
  return createHash('sha256')
    .update(bytes.subarray(0, bytes.length - HASH_BYTES))
    .digest();
}

function readNames(bytes: Uint8Array): string[] {
  let names: unknown;
  try {
    names = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw badModel('its names cannot be read');
  }
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
    throw badModel('its names are no names');
  }
  return names;
}
