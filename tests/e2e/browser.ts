import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { build } from 'vite';

const CHROMIUM = process.env['WARDWATCH_CHROMIUM'] ?? '/usr/bin/chromium';
const CONFIG_FILE = fileURLToPath(new URL('../../src/console/vite.config.ts', import.meta.url));

/** Whether there is a browser to test in; says so where there is none, and fails where there has to be one. */
export function hasBrowser(what: string): boolean {
  if (existsSync(CHROMIUM)) return true;
  if (process.env['CI']) throw new Error(`No Chromium at ${CHROMIUM}: install it or set WARDWATCH_CHROMIUM.`);
  process.stderr.write(`SKIPPED: ${what} needs Chromium, and there is none at ${CHROMIUM}.\n`);
  return false;
}

/** The console as it is shipped, built into a folder of its own, and a browser to look at it. */
export async function openBrowser(): Promise<{ built: string; browser: Browser; close: () => Promise<void> }> {
  const built = await mkdtemp(join(tmpdir(), 'wardwatch-console-'));
  await build({ configFile: CONFIG_FILE, logLevel: 'warn', build: { outDir: built } });
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  });
  return {
    built,
    browser,
    async close() {
      await browser.close();
      await rm(built, { recursive: true, force: true });
    },
  };
}
