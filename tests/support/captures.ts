/** Where the real captures lie: beside the repository, not in it. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';

/** The folder of the captures, undefined where it is missing; on a build server a missing one is an error. */
export function capturesDir(): string | undefined {
  const dir = fileURLToPath(new URL('../../../shared/captures', import.meta.url));
  if (existsSync(dir)) return dir;
  if (process.env['CI'] !== undefined && process.env['CI'] !== '') {
    throw new Error('The captures are missing: put them at ../shared/captures beside the repository.');
  }
  return undefined;
}

/** The same, an error where it is missing. */
export function requireCaptures(): string {
  const dir = capturesDir();
  if (dir === undefined)
    throw new Error('The captures are missing: put them at ../shared/captures beside the repository.');
  return dir;
}

/** A block of tests that needs the captures: skipped, and said so, where they are missing. */
export function describeWithCaptures(name: string, fn: (dir: string) => void): void {
  const dir = capturesDir();
  if (dir !== undefined) {
    describe(name, () => fn(dir));
    return;
  }
  console.warn(`SKIPPED, no captures at ../shared/captures: ${name}`);
  describe.skip(name, () => {
    it('needs the captures', () => {});
  });
}
