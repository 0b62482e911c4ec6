/** What deploy/ holds, read the way the tools read it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';

export type Json = Readonly<Record<string, unknown>>;

export const text = (path: string): string => readFileSync(join('deploy', path), 'utf8');

/** Files below deploy/ whose names end so, as paths within it. */
export function files(...endings: string[]): string[] {
  return readdirSync('deploy', { recursive: true, encoding: 'utf8' })
    .filter((path) => !path.startsWith('secrets') && endings.some((ending) => path.endsWith(ending)))
    .sort();
}

/** The documents of a YAML file; mistakes and doubtful things (double keys, unknown tags) fail. */
export function documents(path: string): Json[] {
  return parseAllDocuments(text(path), { merge: true, uniqueKeys: true }).map((document) => {
    const odd = [...document.errors, ...document.warnings];
    if (odd.length > 0) throw new Error(`${path}: ${odd[0]!.message}`);
    return document.toJS() as Json;
  });
}

/** A part of a document, by the names on the way; undefined where there is none. */
export function at(value: unknown, ...path: (string | number)[]): unknown {
  let found = value;
  for (const name of path) found = (found as Record<string | number, unknown> | undefined)?.[name];
  return found;
}

export const list = (value: unknown): Json[] => (Array.isArray(value) ? (value as Json[]) : []);
export const entries = (value: unknown): [string, Json][] => Object.entries((value ?? {}) as Record<string, Json>);
