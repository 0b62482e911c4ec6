/**
 * Completes package-lock.json. A registry that mirrors only some platforms makes npm leave the optional
 * packages of the others out of the lock, and then `npm ci` refuses the lock as out of step. Their versions
 * are pinned by the packages that ask for them, so the entries can be written without asking anybody.
 *
 *   node scripts/complete-lock.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface LockEntry {
  version?: string;
  resolved?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

export interface Lock {
  packages: Record<string, LockEntry>;
}

/** Where npm looks for a package that the one at `path` asks for, nearest first. */
function places(path: string, name: string): string[] {
  const found: string[] = [];
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    found.push(`${at}/node_modules/${name}`);
  }
  return [...found, `node_modules/${name}`];
}

/** The entries of optional packages that the lock lacks, by their path in it. */
export function missingEntries(lock: Lock): Record<string, LockEntry> {
  const missing: Record<string, LockEntry> = {};
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (places(path, name).some((place) => place in lock.packages)) continue;
      const platform = name.slice(name.lastIndexOf('/') + 1);
      const os = /android|darwin|freebsd|linux|openharmony|win32/.exec(platform)?.[0];
      const cpu = /arm64|x64|ia32|ppc64|riscv64|s390x|arm/.exec(platform)?.[0];
      if (os === undefined || cpu === undefined) throw new Error(`cannot tell the platform of ${name}`);
      const libc = os === 'linux' ? (platform.includes('musl') ? ['musl'] : ['glibc']) : undefined;
      missing[`node_modules/${name}`] = {
        version,
        cpu: [cpu],
        ...(entry.dev === true ? { dev: true } : {}),
        ...(libc ? { libc } : {}),
        optional: true,
        os: [os],
      };
    }
  }
  return missing;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;
  const entries = Object.entries({ ...lock.packages, ...missingEntries(lock) });
  lock.packages = Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b, 'en')));
  writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
}
