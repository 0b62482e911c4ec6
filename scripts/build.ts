/**
 * Makes dist/, what the npm package carries: JavaScript and declarations of src/ (without the console) and
 * detectors/, in the same folders as in the checkout, and the data that is read at run time.
 *
 *   node scripts/build.ts
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { loadClasses } from '../src/identity/classes.ts';
import { packProfiles } from '../src/identity/load.ts';

for (const folder of ['src', 'detectors', 'profiles']) rmSync(join('dist', folder), { recursive: true, force: true });
execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });

if (existsSync('profiles')) {
  cpSync('profiles', 'dist/profiles', { recursive: true });
  packProfiles('dist/profiles', loadClasses());
}
cpSync('package.json', 'dist/package.json');
process.stdout.write(
  `dist is built: wardwatch ${execFileSync('node', ['dist/src/main.js', '--version'], { encoding: 'utf8' })}`,
);
