import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { missingEntries } from '../../scripts/complete-lock.ts';
import type { Lock } from '../../scripts/complete-lock.ts';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as Lock;

it('has an entry for every platform, or `npm ci` refuses it (else: node scripts/complete-lock.ts)', () => {
  expect(Object.keys(missingEntries(lock))).toEqual([]);
});

it('names no place to download from, so that any registry will do', () => {
  expect(Object.entries(lock.packages).filter(([, entry]) => entry.resolved !== undefined)).toEqual([]);
});

it('finds what a lock lacks, and reads the platform from the name', () => {
  const partial: Lock = {
    packages: {
      'node_modules/a': {
        version: '1.0.0',
        optionalDependencies: { '@a/linux-arm64-musl': '1.0.0', '@a/linux-x64-gnu': '1.0.0' },
      },
      'node_modules/@a/linux-x64-gnu': { version: '1.0.0' },
    },
  };
  expect(missingEntries(partial)).toEqual({
    'node_modules/@a/linux-arm64-musl': {
      version: '1.0.0',
      os: ['linux'],
      cpu: ['arm64'],
      libc: ['musl'],
      optional: true,
    },
  });
});
