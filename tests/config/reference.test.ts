import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { pages } from '../../scripts/reference.ts';

it.each(Object.entries(pages))('%s says what the code says (else: npm run docs)', async (path, write) => {
  expect(readFileSync(path, 'utf8')).toBe(await write());
});
