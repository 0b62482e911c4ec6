import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildApp } from '../../src/api/app.ts';
import { openSite } from './site.ts';

const navigation = readFileSync(fileURLToPath(new URL('../../src/console/console.tsx', import.meta.url)), 'utf8');
const paths = [...new Set([...navigation.matchAll(/\bto="(\/[a-z-]*)"/g)].map((match) => match[1]!))];

let site: Awaited<ReturnType<typeof openSite>>;
beforeAll(async () => {
  site = await openSite();
});
afterAll(async () => {
  await site.close();
});

it.each(paths)('a reload at %s asks for the shell of the console', async (path) => {
  const app = await buildApp(site.config(), site.deps);
  const { statusCode, body } = await app.inject({ url: path, headers: { host: '127.0.0.1' } });
  // There is no build beside the tests: the shell says so, and only where it would be served.
  expect([statusCode, body]).toEqual([503, expect.stringContaining('no-console')]);
  await app.close();
});

it('finds the paths that the navigation links to', () => {
  expect(paths.length).toBeGreaterThan(7);
});
