import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiServer } from '../../src/api/server.ts';
import { codeAt, makePeople, PASSWORD } from '../access/people.ts';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';

const CHROMIUM = process.env['WARDWATCH_CHROMIUM'] ?? '/usr/bin/chromium';
const CONFIG_FILE = fileURLToPath(new URL('../../src/console/vite.config.ts', import.meta.url));
const SCREENSHOTS = fileURLToPath(new URL('../../artifacts/access/', import.meta.url));
const present = existsSync(CHROMIUM);
if (!present) {
  if (process.env['CI']) throw new Error(`No Chromium at ${CHROMIUM}: install it or set WARDWATCH_CHROMIUM.`);
  process.stderr.write(`SKIPPED: sign-in in a browser needs Chromium, and there is none at ${CHROMIUM}.\n`);
}

describe.skipIf(!present)('sign-in in a browser', { timeout: 120_000 }, () => {
  let built: string;
  let site: Site;
  let browser: Browser;

  beforeAll(async () => {
    built = await mkdtemp(join(tmpdir(), 'wardwatch-console-'));
    await build({ configFile: CONFIG_FILE, logLevel: 'warn', build: { outDir: built } });
    await mkdir(SCREENSHOTS, { recursive: true });
    site = await openSite(undefined, built);
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    });
  });
  afterAll(async () => {
    await browser.close();
    await site.close();
    await rm(built, { recursive: true, force: true });
  });

  it('goes from the first admin over a second factor to what a role may see, and outlives the end of a session', async () => {
    const people = makePeople();
    const server = createApiServer(site.config({ requests_per_minute: 100_000 }), {
      ...site.deps,
      access: people.access,
    });
    await server.start();
    const page: Page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    const shot = (name: string) => page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    try {
      await page.goto(new URL('/devices', server.url()).href);
      await page.getByLabel('Code').fill(people.access.setupCode()!);
      await page.getByLabel('Name').fill('root');
      await page.getByLabel('Password').fill(PASSWORD);
      await shot('first-admin');
      await page.keyboard.press('Enter');
      // The page that was asked for.
      await page.getByRole('heading', { name: 'Devices' }).waitFor();

      await page.getByRole('link', { name: 'Account of root' }).click();
      await page.getByRole('form', { name: 'Second factor' }).getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Set up one-time codes' }).click();
      const secret = (await page.locator('[data-secret]').getAttribute('data-secret'))!;
      await page.getByLabel('One-time code').fill(codeAt(secret, people.clock.now()));
      await page.getByRole('button', { name: 'Confirm' }).click();
      await page.getByRole('button', { name: 'I have them' }).click();
      await shot('account');

      await page.getByRole('link', { name: 'Users', exact: true }).click();
      await page.getByLabel('Name').fill('eve');
      await page.getByRole('button', { name: 'Add the user' }).click();
      const once = (await page.locator('.secret').textContent())!;
      await shot('users');
      await page.getByRole('link', { name: 'Audit', exact: true }).click();
      await page.getByRole('cell', { name: 'user.added' }).waitFor();
      await page.getByRole('button', { name: 'Verify the chain' }).click();
      await page.getByText('entries are as they were written').waitFor();
      await shot('audit');

      // The session ends; the page stays, and goes on after the sign-in with a code.
      people.desk.exec('DELETE FROM sessions');
      await page.getByRole('button', { name: 'Verify the chain' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('Your session has ended').waitFor();
      await shot('session-ended');
      await dialog.getByLabel('Password of root').fill(PASSWORD);
      await page.keyboard.press('Enter');
      await people.clock.advance(30_000);
      await dialog.getByLabel('One-time code').fill(codeAt(secret, people.clock.now()));
      await page.keyboard.press('Enter');
      await dialog.waitFor({ state: 'detached' });
      expect(new URL(page.url()).pathname).toBe('/audit');

      await page.getByRole('link', { name: 'Account of root' }).click();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Name').fill('eve');
      await page.getByLabel('Password').fill(once);
      await shot('sign-in');
      await page.keyboard.press('Enter');
      await page.getByLabel('Present password').fill(once);
      await page.getByLabel('New password').fill('a lantern for nine otters');
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: 'Overview' }).first().waitFor();
      // A viewer is shown no way to what an admin does, and the address leads nowhere.
      expect(await page.getByRole('link', { name: 'Users', exact: true }).count()).toBe(0);
      await page.goto(new URL('/users', server.url()).href);
      await page.getByText('There is no such page').waitFor();
      expect(errors).toEqual([]);
    } catch (error) {
      await shot('failed');
      throw error;
    } finally {
      await page.close();
      await server.stop();
    }
  });
});
