import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApiServer } from '../../src/api/server.ts';
import type { ApiServer } from '../../src/api/server.ts';
import { ALERTS, clinicalRows, DEVICES, NOW, PUMP } from '../api/rows.ts';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';
import { hasBrowser, openBrowser } from './browser.ts';

const OPEN = ALERTS.filter((row) => row.severity_id >= 3);

describe.skipIf(!hasBrowser('the overview'))('the overview', { timeout: 120_000 }, () => {
  let opened: Awaited<ReturnType<typeof openBrowser>>;
  let browser: Browser;
  let site: Site;
  let server: ApiServer;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    opened = await openBrowser();
    ({ browser } = opened);
  }, 120_000);
  afterAll(async () => opened.close());
  beforeEach(async () => {
    complaints = [];
    site = await openSite(clinicalRows(), opened.built);
    site.deps.delivery = () => ({
      endpoints: [
        { name: 'siem', kind: 'webhook', state: 'working', detail: '' },
        { name: 'pager', kind: 'syslog', state: 'away', detail: 'connection refused' },
      ],
      counts: { queued: 3, dead: 1, deferred: 0 },
    });
    server = createApiServer(site.config({ requests_per_minute: 100_000 }), site.deps);
    await server.start();
    page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
    page.setDefaultTimeout(15_000);
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
  });
  afterEach(async () => {
    await page.close();
    await server.stop();
    await site.close();
    expect(complaints).toEqual([]);
  });

  const open = async (path: string): Promise<void> => {
    await page.goto(new URL(path, server.url()).href);
  };

  it('shows what waits, and every figure leads to its list', async () => {
    await open('/');
    const waiting = page.getByRole('link', { name: 'alerts that nobody has taken' });
    await waiting.waitFor();
    expect(await waiting.locator('b').textContent()).toBe(String(OPEN.length));
    await page.getByText('The oldest has waited for').waitFor();
    await page.getByText('pager').waitFor();
    expect(await page.locator('.troubled', { hasText: 'does not answer' }).count()).toBe(1);
    expect(await page.locator('.troubled', { hasText: '1 given up' }).count()).toBe(1);
    expect(await page.locator('.troubled', { hasText: 'one direction only' }).count()).toBe(1);

    await waiting.click();
    await page.waitForSelector('.queue tbody tr');
    expect(await page.locator('.queue tbody tr').count()).toBe(OPEN.length);

    await page.keyboard.press('o');
    await page.getByRole('link', { name: /^All \d+ devices$/ }).click();
    await page.waitForSelector('.inventory tbody tr');
    expect(await page.locator('.inventory tbody tr').count()).toBe(DEVICES.length);
    await page.goBack();
    await page.getByRole('link', { name: /new devices/ }).click();
    await page.waitForURL(/first_seen_from=/);
    const fresh = DEVICES.filter((row) => row.first_seen >= NOW - 86_400_000).length;
    if (fresh > 0) await expect.poll(() => page.locator('.inventory tbody tr').count()).toBe(fresh);
    else await page.getByText('No device fits these filters').waitFor();
  });

  it('counts alerts over time in a picture, and in a table whose rows lead to the alerts', async () => {
    await open('/?hours=168');
    const picture = page.locator('.bars svg');
    await picture.waitFor();
    expect(await picture.getAttribute('aria-label')).toMatch(/^Alerts: \d+ from .* see the table$/);
    await page.locator('.bars summary').click();
    const rows = page.locator('.bars tbody tr');
    const cells = await rows.locator('td').allTextContents();
    const inSpan = ALERTS.filter((row) => row.time >= NOW - 168 * 3_600_000 && row.time <= NOW).length;
    expect(cells.reduce((sum, text) => sum + Number(text), 0)).toBe(inSpan);
    const first = (await rows.first().locator('td').allTextContents()).reduce((sum, text) => sum + Number(text), 0);
    await rows.first().getByRole('link').click();
    await page.waitForSelector('.queue tbody tr');
    expect(await page.locator('.queue tbody tr').count()).toBe(first);
  });

  it('has the asset of a device that maintenance knows', async () => {
    const csv = `asset tag,mac,room,criticality\nA-17,${PUMP.mac},ICU 4,critical\n`;
    const { added } = site.deps.assets!.importCsv(Buffer.from(csv), 'test', NOW, false);
    expect(added).toBe(1);
    await open(`/devices/${encodeURIComponent(PUMP.device)}`);
    await page.getByText('A-17').waitFor();
    expect(await page.locator('section[aria-labelledby=asset-title]').textContent()).toContain('ICU 4');
    await open('/devices');
    await page.getByText('asset A-17, ICU 4').waitFor();
  });

  it('says that it does not get an answer, and what is shown is of before', async () => {
    await page.route('**/api/v1/overview/now*', (route) => route.abort());
    await open('/');
    await page.getByRole('button', { name: 'Try again' }).waitFor();
    await page.unroute('**/api/v1/overview/now*');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('What needs a person now').waitFor();
    expect(complaints.filter((text) => !text.includes('net::ERR'))).toEqual([]);
    complaints = [];
  });
});
