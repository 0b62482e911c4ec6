import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApiServer } from '../../src/api/server.ts';
import type { ApiServer } from '../../src/api/server.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import { ALERTS, BEACON, HOSTILE_NAME, PUMP, alertRow, clinicalRows } from '../api/rows.ts';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';

const CHROMIUM = process.env['WARDWATCH_CHROMIUM'] ?? '/usr/bin/chromium';
const CONFIG_FILE = fileURLToPath(new URL('../../src/console/vite.config.ts', import.meta.url));
const present = existsSync(CHROMIUM);
if (!present) {
  if (process.env['CI']) throw new Error(`No Chromium at ${CHROMIUM}: install it or set WARDWATCH_CHROMIUM.`);
  process.stderr.write(`SKIPPED: tests of triage in the browser need Chromium, and there is none at ${CHROMIUM}.\n`);
}

let built: string;
let site: Site;
let server: ApiServer;
let browser: Browser;

const PARTS = {
  uid: 'new-1',
  minutesAgo: 1,
  severity: 5 as const,
  detector: 'new-peer',
  title: 'New peer of a pump',
  message: 'A pump talks to a new host.',
  about: PUMP,
};

describe.skipIf(!present)('triage in the browser', () => {
  beforeAll(async () => {
    built = await mkdtemp(join(tmpdir(), 'wardwatch-triage-'));
    await build({ configFile: CONFIG_FILE, logLevel: 'warn', build: { outDir: built } });
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    });
  });
  afterAll(async () => {
    await browser.close();
    await rm(built, { recursive: true, force: true });
  });

  let contexts: BrowserContext[];
  let complaints: string[];

  beforeEach(async () => {
    complaints = [];
    contexts = [];
    site = await openSite(clinicalRows(), built);
    server = createApiServer(site.config({ requests_per_minute: 100_000 }), site.deps);
    await server.start();
  });
  afterEach(async () => {
    for (const context of contexts) await context.close();
    await server.stop();
    await site.close();
    expect(complaints).toEqual([]);
  });

  async function openPage(path: string, size = { width: 1366, height: 768 }): Promise<Page> {
    const context = await browser.newContext({ viewport: size });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(10_000);
    page.on('console', (message) => {
      // A refusal of the server is part of some tests; the browser logs every one.
      if (message.type() === 'error' && !message.text().includes('412')) complaints.push(message.text());
    });
    page.on('response', (response) => {
      if (response.status() >= 500) complaints.push(`${response.status()} ${response.url()}`);
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(new URL(path, server.url()).href);
    return page;
  }
  const rows = (page: Page) => page.locator('.queue tbody tr');
  async function arrives(row: AlertRow): Promise<void> {
    await site.store.write({ alerts: [row] });
    site.deps.triage!.accept([row]);
    site.emit({ type: 'alert', change: 'created', row });
  }
  const item = (uid: string) => site.deps.triage!.item(uid)!;

  it('goes by keyboard alone: take, close, undo', async () => {
    const page = await openPage('/alerts');
    await rows(page).first().waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('a');
    await page.getByText('Taken: in progress, assigned to you.').waitFor();
    expect(item(BEACON.uid)).toMatchObject({ state: 'in_progress', assignee: 'local' });
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: BEACON.title }).waitFor();
    await page.locator('.triage .history li').first().waitFor();
    await page.keyboard.press('c');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.type('pump swapped');
    await page.keyboard.press('Enter');
    await page.getByText('Alert closed.').waitFor();
    expect(item(BEACON.uid)).toMatchObject({ state: 'resolved', resolution: 'true_positive', note: 'pump swapped' });
    await page.keyboard.press('z');
    await expect.poll(() => item(BEACON.uid).state).toBe('in_progress');
    await page.keyboard.press('Escape');
    await rows(page).first().waitFor();
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keys' }).waitFor();
  });

  it('shows what a rule would have done before it does it, and takes it back', async () => {
    for (const uid of ['p1', 'p2']) await arrives(alertRow({ ...PARTS, uid, severity: uid === 'p1' ? 5 : 3 }));
    const page = await openPage('/alerts/p1');
    await page.locator('.triage').waitFor();
    await page.getByRole('button', { name: 'Mute' }).click();
    await page.getByText('In the last 30 days it would have muted 2 alerts, 1 of them critical.').waitFor();
    expect(item('p1').muted_by).toBe(0);
    await page.getByLabel('Reason').fill('test bench');
    await page.getByRole('button', { name: 'Apply' }).click();
    await page.getByText('2 open alerts hidden').waitFor();
    expect([item('p1').muted_by, item('p2').muted_by]).not.toContain(0);
    await page.locator('.toast').getByRole('button', { name: /Undo/ }).click();
    await expect.poll(() => [item('p1').muted_by, item('p2').muted_by]).toEqual([0, 0]);
    await page.getByRole('link', { name: 'Rules' }).click();
    await page.getByText('undone by local').waitFor();
    await page.getByText('test bench').waitFor();
  });

  it('loses nothing when two people edit the same alert', async () => {
    const [anna, ben] = [await openPage(`/alerts/${BEACON.uid}`), await openPage(`/alerts/${BEACON.uid}`)];
    await anna.locator('.triage').waitFor();
    await ben.locator('.triage').waitFor();
    await ben.route('**/api/v1/events', (route) => route.abort());
    await anna.getByLabel('New tag').fill('ward 3');
    await anna.keyboard.press('Enter');
    await expect.poll(() => item(BEACON.uid).tags).toEqual(['ward 3']);
    await ben.getByRole('button', { name: /^Take/ }).click();
    await ben.getByText('Somebody was faster.').waitFor();
    expect(item(BEACON.uid).state).toBe('new');
    await ben.getByRole('button', { name: 'Make my change all the same' }).click();
    await expect.poll(() => item(BEACON.uid)).toMatchObject({ state: 'in_progress', tags: ['ward 3'] });
    await anna.getByText('Somebody has changed this alert.').waitFor();
  });

  it('counts what arrives instead of moving the rows, also when an attacker names the device', async () => {
    const page = await openPage('/alerts');
    await rows(page).first().waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await arrives(alertRow({ ...PARTS, title: HOSTILE_NAME }));
    await arrives(alertRow({ ...PARTS, uid: 'new-2' }));
    await page.getByRole('button', { name: '2 new' }).waitFor();
    expect(await rows(page).count()).toBe(ALERTS.length);
    await page.keyboard.press('n');
    await expect.poll(() => rows(page).count()).toBe(ALERTS.length + 2);
    expect(await page.locator('img').count()).toBe(0);
    await page.getByText('<img src=x onerror=alert(1)>').first().waitFor();
  });

  it('says when the connection is gone, and that nothing was changed', async () => {
    const page = await openPage('/alerts');
    await rows(page).first().waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.keyboard.press('j');
    await server.stop();
    await page.getByText('No connection to Wardwatch.').waitFor();
    await page.keyboard.press('a');
    await page.getByText('Wardwatch does not answer; nothing was changed.').waitFor();
    complaints = complaints.filter((text) => !/ERR_|Failed to load/.test(text));
  });

  it('filters, selects and saves views; fits a phone', async () => {
    const page = await openPage('/alerts', { width: 390, height: 844 });
    await rows(page).first().waitFor();
    const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    expect(wide).toBe(0);
    await page.getByLabel('Assignee').selectOption('@me');
    await page.getByText('No alert fits these filters').waitFor();
    await page.getByRole('button', { name: 'Save view' }).click();
    await page.getByLabel('Name of the view').fill('mine');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Remove view' }).waitFor();
    await page.getByLabel('Assignee').selectOption('');
    await rows(page).first().waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.getByText('1 selected').waitFor();
  });

  it('decides about many: closes what is marked, learns their kinds and takes it back, assigns all that a filter finds', async () => {
    const page = await openPage('/alerts');
    await rows(page).first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.getByText('2 selected').waitFor();
    const marked = await page.evaluate<string[]>(
      "[...document.querySelectorAll('.row-selected [data-row]')].map((link) => link.dataset.row)",
    );
    expect(marked.length).toBe(2);
    // A rule is about one detector; the dialog says what it leaves out.
    const several = (uid: string): boolean => ALERTS.find((row) => row.uid === uid)!.detectors.length > 1;
    const [left, met] = [marked.filter(several), marked.filter((uid) => !several(uid))];
    expect([left.length, met.length]).toEqual([1, 1]);

    await page.getByRole('button', { name: 'Learn…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('open now').waitFor();
    await dialog.getByText('Without 1 alert that several detectors have raised').waitFor();
    await dialog.getByLabel('Reason').fill('the new night shift');
    await page.keyboard.press('Enter');
    await dialog.waitFor({ state: 'detached' });
    await expect.poll(() => [...met, ...left].map((uid) => item(uid).state)).toEqual(['resolved', 'new']);
    await page.keyboard.press('z');
    await expect.poll(() => met.map((uid) => item(uid).state)).toEqual(['new']);

    await rows(page).first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.getByRole('button', { name: 'Close…' }).click();
    await dialog.getByLabel('Reason').fill('looked at');
    await dialog.getByRole('button', { name: 'Close 1 alert' }).click();
    await dialog.waitFor({ state: 'detached' });
    await expect.poll(() => site.deps.triage!.count({ state: 'resolved' })).toBe(1);

    await page.getByRole('button', { name: /^high/ }).click();
    await page.waitForURL(/severity=4/);
    await rows(page).first().waitFor();
    const wanted = site.deps.triage!.count({ severity: 4 });
    await expect.poll(() => rows(page).count()).toBe(wanted);
    await rows(page).first().getByRole('checkbox').check();
    await page.getByLabel(`all ${wanted} that the filters find`).check();
    await page.getByRole('button', { name: 'Assign…' }).click();
    await dialog.getByRole('button', { name: 'Me', exact: true }).click();
    await dialog.getByRole('button', { name: `Assign ${wanted} alerts` }).click();
    await dialog.waitFor({ state: 'detached' });
    await page.getByText(`${wanted} alerts assigned.`).waitFor();
    expect(site.deps.triage!.count({ severity: 4, assignee: '-' })).toBe(0);
  });

  it('mutes at a time of the day alone', async () => {
    const page = await openPage('/alerts');
    await rows(page).first().waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('m');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('only at a time of the day').check();
    await dialog.getByLabel('from').fill('01:30');
    await dialog.getByLabel('to', { exact: true }).fill('02:00');
    await dialog.getByLabel('Reason').fill('backup');
    await dialog.getByText('In the last 30 days').waitFor();
    await dialog.getByRole('button', { name: 'Apply' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(site.deps.triage!.rules.rules()[0]?.scope.daily).toEqual({ from: 90, to: 120, zone: 'UTC' });
    await page.goto(new URL('/rules', server.url()).href);
    await page.getByText('daily 01:30 to 02:00 UTC').waitFor();
  });
});
