/** Strings of invented patients: none may be found in anything that leaves the decoder. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Those of all clinical captures. */
export function canariesOf(clinical: string): ReadonlySet<string> {
  const all = new Set<string>();
  for (const file of readdirSync(clinical).filter((name) => name.endsWith('.truth.json'))) {
    const truth = JSON.parse(readFileSync(join(clinical, file), 'utf8')) as { phi_canaries: string[] };
    for (const canary of truth.phi_canaries) all.add(canary);
  }
  if (all.size < 50) throw new Error(`only ${all.size} canaries in ${clinical}`);
  return all;
}

/** The canaries that occur in the bytes: as they are, and as UTF-16 of either byte order. */
export function leaked(bytes: Buffer, canaries: ReadonlySet<string>): string[] {
  const found: string[] = [];
  for (const canary of canaries) {
    const little = Buffer.from(canary, 'utf16le');
    const forms = [Buffer.from(canary, 'utf8'), little, Buffer.from(little).swap16()];
    if (forms.some((form) => bytes.includes(form))) found.push(canary);
  }
  return found;
}
