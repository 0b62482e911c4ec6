import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where what was worked out once is kept; the folder may be missing or not writable, as in a package or a container. */
export const KEPT_DIR = fileURLToPath(new URL('../../.cache/wardwatch', import.meta.url));

/**
 * What `make` gives, from a file where that was kept under the same key. The key holds everything that the result
 * depends on, so that a stale file is not read. A file that cannot be written is no error: it is made anew next time.
 */
export function keep(file: string, key: string, make: () => string): string {
  const head = `${key}\n`;
  try {
    const text = readFileSync(file, 'utf8');
    if (text.startsWith(head)) return text.slice(head.length);
  } catch {
    // Not there yet.
  }
  const made = make();
  const fresh = join(dirname(file), `.${process.pid}.tmp`);
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(fresh, head + made);
    renameSync(fresh, file);
  } catch {
    rmSync(fresh, { force: true });
  }
  return made;
}
