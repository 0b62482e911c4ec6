import { execFileSync } from 'node:child_process';
import { basename } from 'node:path';
import { expect, it } from 'vitest';

const files = execFileSync('git', ['ls-files', '-z', 'src', 'detectors', 'tests', 'benchmarks', 'scripts'], {
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => /\.(ts|tsx|js|mjs)$/.test(path));

it('sees the files', () => {
  expect(files.length).toBeGreaterThan(5);
});

it('names files in kebab-case', () => {
  const odd = files.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*\.(ts|tsx|js|mjs)$/.test(basename(path)));
  expect(odd).toEqual([]);
});

it('has no place for odds and ends', () => {
  const vague = /(^|[/-])(utils?|helpers?|common|misc|manager|processor)([./-]|$)/;
  expect(files.filter((path) => vague.test(path))).toEqual([]);
});
