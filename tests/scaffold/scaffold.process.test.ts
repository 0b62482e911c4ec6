import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const scaffold = (...args: string[]): ReturnType<typeof spawnSync> =>
  spawnSync(process.execPath, [join(ROOT, 'scripts/scaffold.ts'), ...args], { encoding: 'utf8' });

let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'scaffold-'));
  for (const part of [
    'src',
    'detectors',
    'profiles',
    'tests/support',
    'tests/decode/app/registry.test.ts',
    'package.json',
    'tsconfig.json',
  ])
    cpSync(join(ROOT, part), join(copy, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

it('makes a protocol that compiles, is registered and passes its own test', () => {
  const made = scaffold('dissector', 'kappa', '--root', copy);
  expect(made.stderr).toBe('');
  expect(made.stdout).toContain('src/decode/app/kappa/');
  const registry = readFileSync(join(copy, 'src/decode/app/registry.ts'), 'utf8');
  expect(registry).toContain("import { dissector as kappa } from './kappa/index.ts';");
  expect(registry).toMatch(/intellivue,\n {2}kappa,\n {2}kerberos,/);
  const bin = join(ROOT, 'node_modules/.bin');
  const files = ['index', 'events', 'parser'].map((file) => join(copy, `src/decode/app/kappa/${file}.ts`));
  expect(files.map((file) => readFileSync(file, 'utf8')).join('')).not.toMatch(/example/i);
  const tests = spawnSync(join(bin, 'vitest'), ['run', '--root', copy, '--no-color', 'kappa.test.ts'], {
    encoding: 'utf8',
  });
  expect(tests).toMatchObject({ status: 0 });
  expect(tests.stdout).toContain('5 passed');
});

it('refuses names that are none, and what is there', () => {
  expect(scaffold('dissector', '../x', '--root', copy)).toMatchObject({ status: 2 });
  expect(scaffold('dissector', 'hl7', '--root', copy).stderr).toContain('is there already');
  expect(scaffold('banana').stderr).toContain('usage:');
});
