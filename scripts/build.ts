/**
 * Makes dist/, what the npm package carries: JavaScript and declarations of src/ (without the console) and
 * detectors/, in the same folders as in the checkout, and the data that is read at run time.
 *
 *   node scripts/build.ts
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

for (const folder of ['src', 'detectors', 'profiles']) rmSync(join('dist', folder), { recursive: true, force: true });
execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });

// tsc rewrites `.ts` in imports, but not in the addresses of workers.
for (const name of readdirSync('dist', { recursive: true, encoding: 'utf8' })) {
  if (!/^(src|detectors)\/.*\.js$/.test(name)) continue;
  const path = join('dist', name);
  const code = readFileSync(path, 'utf8');
  const rewritten = code.replace(/(new URL\(\s*(['"`])\.[^'"`]*)\.ts(\2,\s*import\.meta\.url)/g, '$1.js$3');
  if (rewritten !== code) writeFileSync(path, rewritten);
}

if (existsSync('profiles')) cpSync('profiles', 'dist/profiles', { recursive: true });
cpSync('package.json', 'dist/package.json');
process.stdout.write(
  `dist is built: wardwatch ${execFileSync('node', ['dist/src/main.js', '--version'], { encoding: 'utf8' })}`,
);
