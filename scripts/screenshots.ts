/**
 * Makes the pictures of the documentation (docs/images) from the recorded ward.
 *
 *   make run                                     # in another terminal, and wait for its end
 *   node scripts/screenshots.ts http://127.0.0.1:8642/
 */
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const url = process.argv[2];
if (url === undefined) {
  console.error('usage: node scripts/screenshots.ts URL_OF_THE_CONSOLE');
  process.exit(2);
}
const images = fileURLToPath(new URL('../docs/images/', import.meta.url));
mkdirSync(images, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env['WARDWATCH_CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 720 }, colorScheme: 'light' });
  const shot = async (name: string): Promise<void> => {
    const path = `${images}${name}.png`;
    await page.screenshot({ path });
    const kib = Math.round(statSync(path).size / 1024);
    console.log(`docs/images/${name}.png ${kib} KiB`);
    if (kib > 300) process.exitCode = 1;
  };
  await page.goto(url);
  await page.locator('.queue tbody tr').first().waitFor();
  await shot('console');
  await page.locator('.queue tbody tr', { hasText: 'WS-PHARM-03' }).first().getByRole('link').first().click();
  await page.locator('table.flows tbody tr').first().waitFor();
  await shot('alert');
  await page.locator('.facts a[href^="/devices/"]').first().click();
  await page.locator('.chart canvas').waitFor();
  await shot('device');
} finally {
  await browser.close();
}
