import { readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { KEPT_DIR, keep } from './kept.ts';

/** Maker of a network interface by the first 24 bits of its MAC address (IEEE MA-L), empty where unknown. */
export interface OuiTable {
  vendor(oui: number): string;
}

const MAX_BYTES = 64 * 1024 * 1024;
const LEAST_ENTRIES = 1000;

/**
 * The table of a file, read on first use, or that of the npm package `oui-data`.
 * @param file IEEE's oui.csv or oui.txt, or a table that {@link ouiText} wrote
 * @throws {WardwatchError} `WW_PROFILE` on the first look-up where the file is not such a table
 */
export function createOuiTable(file?: string): OuiTable {
  let text: string | undefined;
  return {
    vendor(oui) {
      text ??= file === undefined || file === '' ? shippedOui() : ouiText(file);
      return search(text, oui.toString(16).toUpperCase().padStart(6, '0'));
    },
  };
}

/** Lines `AABBCC\tMaker` in the order of the alphabet: found by halving, so that nothing has to be parsed. */
function search(text: string, wanted: string): string {
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const start = text.lastIndexOf('\n', middle - 1) + 1;
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const prefix = text.slice(start, start + 6);
    if (prefix === wanted) return text.slice(start + 7, end);
    if (prefix < wanted) low = end + 1;
    else high = start;
  }
  return '';
}

/** The table of the package: its 5 MB of JSON are parsed once and kept as lines. */
export function shippedOui(): string {
  const require = createRequire(import.meta.url);
  const file = require.resolve('oui-data');
  const { size, mtimeMs } = statSync(file);
  return keep(join(KEPT_DIR, 'oui.txt'), `oui-data ${size} ${mtimeMs}`, () => {
    const data = require(file) as Record<string, string>;
    return lines(Object.entries(data).map(([prefix, entry]) => [prefix, entry.split('\n')[0] ?? '']));
  });
}

/**
 * Reads a table of makers from a file and writes it as lines `AABBCC\tMaker`.
 * @throws {WardwatchError} `WW_PROFILE`
 */
export function ouiText(file: string): string {
  let text: string;
  try {
    if (statSync(file).size > MAX_BYTES) throw new Error(`is longer than ${MAX_BYTES} bytes`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new WardwatchError('WW_PROFILE', `${file} cannot be read: ${describeError(error)}`, 'check the path', {
      cause: error,
    });
  }
  const entries: [string, string][] = [];
  for (const line of text.split('\n')) {
    const found =
      /^MA-L,([0-9A-F]{6}),(?:"((?:[^"]|"")*)"|([^,]*))/i.exec(line) ??
      /^([0-9A-F]{6})\s+\(base 16\)\s+(\S.*)$/i.exec(line) ??
      /^([0-9A-F]{6})\t(.+)$/i.exec(line);
    if (found !== null) entries.push([found[1]!, (found[2] ?? found[3] ?? '').replaceAll('""', '"')]);
  }
  if (entries.length < LEAST_ENTRIES)
    throw new WardwatchError(
      'WW_PROFILE',
      `${file} holds ${entries.length} makers and is no whole table`,
      'give oui.csv or oui.txt of https://standards-oui.ieee.org/',
    );
  return lines(entries);
}

function lines(entries: readonly (readonly [prefix: string, maker: string])[]): string {
  return entries
    .map(([prefix, maker]) => `${prefix.toUpperCase()}\t${maker.trim()}`)
    .sort()
    .join('\n');
}
