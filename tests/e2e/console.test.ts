import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApiServer } from '../../src/api/server.ts';
import type { ApiServer } from '../../src/api/server.ts';
import {
  ALERTS,
  alertRow,
  BEACON,
  clinicalRows,
  DEVICES,
  deviceRow,
  HOSTILE_NAME,
  MONITOR,
  PUMP,
} from '../api/rows.ts';
import { openSite, WATCHING } from '../api/site.ts';
import type { Site } from '../api/site.ts';

const CHROMIUM = process.env['WARDWATCH_CHROMIUM'] ?? '/usr/bin/chromium';
const CONFIG_FILE = fileURLToPath(new URL('../../src/console/vite.config.ts', import.meta.url));
// Plain JavaScript, as it runs in the page.
const FAINT_TEXTS = readFileSync(new URL('faint-texts.js', import.meta.url), 'utf8');
const SCREENSHOTS = fileURLToPath(new URL('../../artifacts/console/', import.meta.url));
const present = existsSync(CHROMIUM);
if (!present) {
  if (process.env['CI']) throw new Error(`No Chromium at ${CHROMIUM}: install it or set WARDWATCH_CHROMIUM.`);
  process.stderr.write(`SKIPPED: tests of the console need Chromium, and there is none at ${CHROMIUM}.\n`);
}

let built: string;
let site: Site;
let server: ApiServer;
let browser: Browser;

describe.skipIf(!present)('the console', () => {
  beforeAll(async () => {
    built = await mkdtemp(join(tmpdir(), 'wardwatch-console-'));
    await build({ configFile: CONFIG_FILE, logLevel: 'warn', build: { outDir: built } });
    await mkdir(SCREENSHOTS, { recursive: true });
    site = await openSite(clinicalRows(), built);
    server = createApiServer(site.config({ time_zone: 'Europe/Vienna', requests_per_minute: 100_000 }), site.deps);
    await server.start();
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
      ],
    });
  });
  afterAll(async () => {
    await browser.close();
    await server.stop();
    await site.close();
    await rm(built, { recursive: true, force: true });
  });

  let context: BrowserContext | undefined;
  let page: Page;
  let complaints: string[];

  async function openPage(path: string, options: BrowserContextOptions = {}): Promise<void> {
    await context?.close();
    context = await browser.newContext({ viewport: { width: 1366, height: 768 }, colorScheme: 'light', ...options });
    page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`));
    page.on('request', (request) => {
      if (!request.url().startsWith(server.url())) complaints.push(`left the origin: ${request.url()}`);
    });
    await page.goto(new URL(path, server.url()).href);
  }
  const shot = (name: string) => page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
  const whole = (name: string) => page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  const rows = () => page.locator('.queue tbody tr');

  beforeEach(() => {
    complaints = [];
  });
  afterEach(async () => {
    await context?.close();
    expect(complaints).toEqual([]);
  });

  it('leads from the queue over an alert to its device', async () => {
    await openPage('/alerts');
    await page.waitForSelector('.queue tbody tr');
    expect(await rows().count()).toBe(ALERTS.length);
    expect(await page.textContent('.strip')).toContain('Watching');
    // 14:57 in Vienna: 13:57 UTC.
    expect(await rows().first().locator('time').textContent()).toBe('14:57:00 2026-11-20');
    await page.getByText('Live', { exact: true }).waitFor();
    await shot('queue-light');

    await page.getByRole('link', { name: BEACON.title }).click();
    await page.getByRole('heading', { level: 1, name: BEACON.title }).waitFor();
    const why = page.locator('table.why tbody tr');
    expect(await why.count()).toBe(3);
    expect(await why.nth(2).textContent()).toContain('none');
    expect(await why.nth(2).textContent()).toContain('4,180');
    expect(await why.nth(2).textContent()).toContain('0.0014');
    await page.getByText('Do not cut the pump off the network').waitFor();
    await page.locator('.facts').getByText('icu-span.pcapng').waitFor();
    await page.locator('table.flows tbody tr').first().waitFor();
    await whole('alert-light');

    await page.locator('.facts').getByRole('link', { name: PUMP.ip }).click();
    await page.getByRole('heading', { level: 1, name: PUMP.ip }).waitFor();
    await page.locator('.chart canvas').waitFor();
    expect(await page.locator('.chart').getAttribute('aria-label')).toContain('bytes_out');
    await page.getByText('hl7.sending_app').waitFor({ state: 'attached' });
    await whole('device-light');
    await page.getByRole('link', { name: BEACON.title }).click();
    await page.getByRole('heading', { level: 1, name: BEACON.title }).waitFor();
  });

  it('counts arrivals instead of moving rows', async () => {
    await openPage('/alerts');
    await page.waitForSelector('.queue tbody tr');
    await page.getByText('Live', { exact: true }).waitFor();
    const about = deviceRow({ mac: '02:00:00:00:07:01', hostname: 'late-pump' });
    const row = alertRow({
      uid: 'a-live-1',
      minutesAgo: 0,
      // The queue begins with the worst.
      severity: 5,
      detector: 'live',
      title: 'Arrived while looking',
      message: 'It came by the event stream.',
      about,
    });
    const before = await rows().count();
    await site.store.write({ alerts: [row], devices: [about] });
    site.deps.triage!.accept([row]);
    site.emit({ type: 'alert', change: 'created', row });
    await page.getByRole('button', { name: '1 new' }).waitFor();
    expect(await rows().count()).toBe(before);
    await shot('queue-arrival');
    await page.keyboard.press('n');
    await page.getByRole('link', { name: 'Arrived while looking' }).waitFor();
    expect(await rows().first().textContent()).toContain('Arrived while looking');

    site.emit({ type: 'status', status: { ...WATCHING, state: 'learning', learning: 0.43 } });
    await page.getByText('43 %').waitFor();
  });

  it('is worked by keys', async () => {
    await openPage('/alerts?severity=4');
    await page.waitForSelector('.queue tbody tr');
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.keyboard.press('j');
    const second = await rows().nth(1).locator('[data-row]').getAttribute('data-row');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/alerts/${second}`);
    await page.waitForSelector('article h1');
    await page.keyboard.press('j');
    await page.waitForURL((url) => url.pathname.startsWith('/alerts/') && !url.pathname.endsWith(second!));
    await page.waitForSelector('article h1');
    await page.keyboard.press('Escape');
    await page.waitForSelector('.queue tbody tr');
    expect(new URL(page.url()).search).toBe('?severity=4');
    await page.keyboard.press('/');
    await page.keyboard.type('telnet');
    await page.waitForURL(/text=telnet/);
    await expect.poll(() => rows().count()).toBe(1);
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keys' }).waitFor();
    await shot('help');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog', { state: 'detached' });
    await page.keyboard.press('d');
    await page.waitForSelector('.inventory tbody tr');
  });

  it('shows names from the network as text only', async () => {
    await openPage('/devices?text=ThinkCentre');
    const link = page.locator('.inventory .row-link');
    await link.waitFor();
    // The mark that turns the direction of writing is shown, not obeyed.
    const shown = HOSTILE_NAME.replace('\u202e', '⟨U+202E⟩');
    expect(await link.textContent()).toBe(shown);
    await link.click();
    await page.waitForSelector('article h1');
    expect(await page.locator('article h1').textContent()).toBe(shown);
    expect(await page.locator('main img').count()).toBe(0);
    await shot('hostile');
  });

  it('lists devices by type and vendor', async () => {
    await openPage('/devices', { colorScheme: 'dark' });
    await page.waitForSelector('.inventory tbody tr');
    await shot('devices-dark');
    await page.locator('select[name=type]').selectOption('patient-monitor');
    await expect.poll(() => page.locator('.inventory tbody tr').count()).toBe(1);
    expect(await page.locator('.inventory tbody').textContent()).toContain(MONITOR.hostname);
    await page.locator('select[name=type]').selectOption('');
    await page.getByPlaceholder('Vendor, its whole name').fill('Philips');
    const philips = DEVICES.filter((row) => row.vendor_name === 'Philips').length;
    await expect.poll(() => page.locator('.inventory tbody tr').count()).toBe(philips);
  });

  it('says what is wrong: nothing found, nothing there, no connection', async () => {
    await openPage('/alerts?text=zzz');
    await page.getByText('No alert fits these filters').waitFor();
    await shot('empty');
    await page.goto(new URL('/nowhere', server.url()).href).catch(() => undefined);
    await page.goto(new URL('/alerts', server.url()).href);
    await page.waitForSelector('.queue tbody tr');
    // The refused answer is written to the browser's console by the browser itself.
    complaints = [];
    await page.goto(new URL('/alerts/none', server.url()).href);
    await page.getByText('There is no such alert').waitFor();
    // So are the requests of the page before, which end when it is left.
    expect(complaints.filter((text) => !/404|net::ERR_/.test(text))).toEqual([]);
    complaints = [];
  });

  it('says when the server is gone and comes back by itself', async () => {
    const port = Number(new URL(server.url()).port);
    await openPage('/alerts');
    await page.getByText('Live', { exact: true }).waitFor();
    await server.stop();
    await page.getByText('No connection to Wardwatch').waitFor();
    await shot('disconnected');
    server = createApiServer(
      site.config({ port, time_zone: 'Europe/Vienna', requests_per_minute: 100_000 }),
      site.deps,
    );
    await server.start();
    await page.getByText('Live', { exact: true }).waitFor();
    expect(complaints.filter((text) => !text.includes('net::ERR'))).toEqual([]);
    complaints = [];
  });

  it.each([
    ['desktop', { width: 1366, height: 768 }],
    ['phone', { width: 390, height: 844 }],
  ])('fits a %s, and keeps to the contrast of WCAG AA in both schemes', async (name, viewport) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const [what, path] of [
        ['queue', '/alerts'],
        ['alert', `/alerts/${BEACON.uid}`],
        ['device', `/devices/${encodeURIComponent(PUMP.device)}`],
      ] as const) {
        await openPage(path, { viewport, colorScheme });
        await page.waitForSelector(what === 'queue' ? '.queue tbody tr' : 'article .flows');
        const wide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
        expect(wide, `${what} is wider than the ${name}`).toBeLessThanOrEqual(0);
        expect(await page.evaluate<string[]>(FAINT_TEXTS), `${what} ${colorScheme}`).toEqual([]);
        await whole(`${what}-${name}-${colorScheme}`);
      }
    }
  });
});
