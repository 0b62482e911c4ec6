/**
 * Makes the pictures of the documentation (docs/images): every page of the console, light and dark, from the
 * recorded ward, and measures how long the first paint takes.
 *
 *   make run                                     # in another terminal, and wait for its end
 *   node scripts/screenshots.ts http://127.0.0.1:8642/
 */
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Page } from 'playwright-core';

const MOST_KIB = 4096;
const PAINTS = 7;

const url = process.argv[2];
if (url === undefined) {
  console.error('usage: node scripts/screenshots.ts URL_OF_THE_CONSOLE');
  process.exit(2);
}
const images = fileURLToPath(new URL('../docs/images/', import.meta.url));
mkdirSync(images, { recursive: true });

/** The first link of a list, as a path. */
async function firstOf(page: Page, list: string, link: string): Promise<string> {
  await page.goto(new URL(list, url).href);
  const first = page.locator(link).first();
  await first.waitFor();
  return (await first.getAttribute('href'))!;
}

/** Milliseconds from the request of the page to its first contentful paint, each time with an empty cache. */
async function firstPaints(path: string): Promise<number[]> {
  const paints: number[] = [];
  for (let i = 0; i < PAINTS; i++) {
    const page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
    await page.goto(new URL(path, url).href);
    const paint = await page.evaluate<number>(
      `new Promise((done) => new PerformanceObserver((list) => {
         const first = list.getEntriesByName('first-contentful-paint')[0];
         if (first) done(first.startTime);
       }).observe({ type: 'paint', buffered: true }))`,
    );
    paints.push(Math.round(paint));
    await page.close();
  }
  return paints.sort((a, b) => a - b);
}

const browser = await chromium.launch({
  executablePath: process.env['WARDWATCH_CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run'],
});
try {
  let kib = 0;
  let pages: [name: string, path: string, ready: string][] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, colorScheme });
    if (pages.length === 0)
      pages = [
        ['overview', '/', '.figures'],
        ['alerts', '/alerts', '.queue tbody tr'],
        ['alert', await firstOf(page, '/alerts?text=WS-PHARM-03', '.queue .row-link'), 'table.flows tbody tr'],
        ['incidents', '/incidents', 'main h1'],
        ['incident', await firstOf(page, '/incidents', 'main a[href^="/incidents/"]'), 'main h1'],
        ['rules', '/rules', 'main h1'],
        ['devices', '/devices?sort=risk', '.inventory tbody tr'],
        ['device', await firstOf(page, '/devices?text=mx-bed01', '.inventory .row-link'), '.chart canvas'],
        ['data-flows', '/data-flows', '.flow-map'],
        ['changes', '/changes?hours=8760', '.changes li'],
        ['audit', '/audit', 'main table'],
        ['account', '/account', 'main h1'],
      ];
    for (const [name, path, ready] of pages) {
      await page.goto(new URL(path, url).href);
      await page.locator(ready).first().waitFor();
      await page.locator('.loading').first().waitFor({ state: 'detached' });
      const file = `${images}${name}-${colorScheme}.png`;
      await page.screenshot({ path: file });
      kib += statSync(file).size / 1024;
    }
    await page.close();
  }
  console.log(`${2 * pages.length} pictures, ${Math.round(kib)} KiB`);
  if (kib > MOST_KIB) {
    console.error(`the pictures may have ${MOST_KIB} KiB together`);
    process.exitCode = 1;
  }
  for (const path of ['/', '/alerts', '/devices']) {
    const paints = await firstPaints(path);
    console.log(`first paint of ${path}: median ${paints[Math.floor(PAINTS / 2)]} ms, worst ${paints.at(-1)} ms`);
  }
} finally {
  await browser.close();
}
