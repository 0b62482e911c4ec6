import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { start } from '../spine/started.ts';
import type { Started } from '../spine/started.ts';

const CHROMIUM = process.env['WARDWATCH_CHROMIUM'] ?? '/usr/bin/chromium';
const CONSOLE_CONFIG = fileURLToPath(new URL('../../src/console/vite.config.ts', import.meta.url));
const SCREENSHOTS = fileURLToPath(new URL('../../artifacts/demo/', import.meta.url));
const present = existsSync(CHROMIUM);
if (!present) {
  if (process.env['CI']) throw new Error(`No Chromium at ${CHROMIUM}: install it or set WARDWATCH_CHROMIUM.`);
  process.stderr.write(`SKIPPED: the demo in a browser needs Chromium, and there is none at ${CHROMIUM}.\n`);
}

/** What demo/README.md says of the attacks: who did it, and a detector that has to tell. */
const ATTACKS = [
  { device: 'WS-PHARM-03', detector: 'scan' },
  { device: 'mx-bed01', detector: 'device-silent' },
  { device: 'axis-b8a44f-cam1', detector: 'scan' },
  { device: 'WS-PHYS-02', detector: 'unusual-upload' },
];

interface Alert {
  readonly uid: string;
  readonly device: string;
  readonly device_name: string;
  readonly detector: string;
  readonly severity_id: number;
}

describe.skipIf(!present)('wardwatch run --demo', { timeout: 300_000 }, () => {
  let folder: string;
  let started: Started;
  let url: string;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  const shot = (name: string) => page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });

  async function ask<T>(path: string): Promise<T> {
    const answer = await fetch(new URL(path, url));
    expect(answer.status, path).toBe(200);
    return (await answer.json()) as T;
  }

  beforeAll(async () => {
    await build({ configFile: CONSOLE_CONFIG, logLevel: 'warn' });
    await mkdir(SCREENSHOTS, { recursive: true });
    folder = await mkdtemp(join(tmpdir(), 'wardwatch-demo-'));
    started = start(['run', '--demo', '--speed', '60'], { cwd: folder });
    url = await started.url;
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
    });
    page = await browser.newPage({ viewport: { width: 1366, height: 768 }, colorScheme: 'light' });
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith(url)) complaints.push(`left the origin: ${request.url()}`);
    });
  }, 300_000);
  afterAll(async () => {
    await browser.close();
    await started.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('fills the queue while somebody looks', async () => {
    await page.goto(new URL('/alerts', url).href);
    // Alerts that arrive while the page is open, by the event stream.
    await page
      .locator('.queue tbody tr')
      .or(page.getByRole('button', { name: /new$/ }))
      .first()
      .waitFor({ timeout: 200_000 });
    await started.says('The input has ended');
    await page.goto(new URL('/alerts', url).href);
    await page.locator('.queue tbody tr').first().waitFor();
    await shot('queue');
  });

  it('finds the attacks, each at the device that did it', async () => {
    const { rows } = await ask<{ rows: Alert[] }>('/api/v1/alerts?limit=100');
    for (const attack of ATTACKS) {
      const found = rows.filter((row) => row.device_name === attack.device && row.detector === attack.detector);
      expect(found, `${attack.detector} at ${attack.device}`).toHaveLength(1);
      expect(found[0]!.severity_id).toBeGreaterThanOrEqual(3);
    }
    const others = rows.filter((row) => row.severity_id >= 3 && !ATTACKS.some((a) => a.device === row.device_name));
    expect(others, 'false alarms').toEqual([]);
    const shown = await page.locator('.queue tbody').textContent();
    for (const { device } of ATTACKS) expect(shown).toContain(device);
  });

  it('leads from the queue to the alert, its reasons and the device behind it', async () => {
    const row = page.locator('.queue tbody tr', { hasText: 'WS-PHARM-03' }).first();
    await row.getByRole('link').first().click();
    await page.locator('article h1').waitFor();
    const why = page.locator('table.why tbody tr');
    expect(await why.count()).toBeGreaterThan(0);
    expect(await why.first().textContent()).toMatch(/\d/);
    await page.locator('table.flows tbody tr').first().waitFor();
    await page.locator('.facts').getByText('attack-1.pcap.gz').first().waitFor();
    await shot('alert');

    await page.locator('.facts a[href^="/devices/"]').first().click();
    await page.waitForURL('**/devices/**');
    await page.locator('article h1', { hasText: 'WS-PHARM-03' }).waitFor();
    await page.locator('.chart canvas').waitFor();
    await page.locator('table.flows tbody tr').first().waitFor();
    await shot('device');
    expect(complaints).toEqual([]);
    for (const name of ['queue', 'alert', 'device'])
      expect((await readFile(join(SCREENSHOTS, `${name}.png`))).length).toBeGreaterThan(10_000);
  });

  it('names its captures without the way to them, and tells what it has seen', async () => {
    const status = await ask<{ state: string; sources: string[]; frames: number; detectors: { status: string }[] }>(
      '/api/v1/status',
    );
    expect(status.state).toBe('finished');
    expect(status.sources).toEqual([1, 2, 3, 4].map((n) => `attack-${n}.pcap.gz`));
    expect(status.detectors.filter((d) => d.status !== 'on')).toEqual([]);
    const metrics = await (await fetch(new URL('/metrics', url))).text();
    expect(metrics).toContain(`wardwatch_frames_read_total ${status.frames}\n`);
    expect((await fetch(new URL('/healthz', url))).status).toBe(200);
    expect((await fetch(new URL('/readyz', url))).status).toBe(200);
  });

  it('drains and ends on SIGTERM', async () => {
    await page.close();
    const ended = await started.stop();
    expect(ended).toMatchObject({ code: 0, signal: null });
    await expect(fetch(url)).rejects.toThrow();
  });
});
