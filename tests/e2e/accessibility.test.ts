import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiServer } from '../../src/api/server.ts';
import type { ApiServer } from '../../src/api/server.ts';
import { ALERTS, BEACON, clinicalRows, NOW, PUMP } from '../api/rows.ts';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';
import { hasBrowser, openBrowser } from './browser.ts';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** By how much the page is wider than the screen, and what sticks out. Runs in the page. */
const TOO_WIDE = `(() => { const by = document.documentElement.scrollWidth - innerWidth; return by <= 0 ? [] :
  ['too wide by ' + by, ...[...document.querySelectorAll('main *')]
    .filter((e) => e.getBoundingClientRect().right > innerWidth && !e.parentElement.closest('.scroll'))
    .slice(0, 6).map((e) => e.outerHTML.slice(0, 120))]; })()`;

/** Every page, with what shows that it is there. */
const PAGES: readonly (readonly [name: string, path: string, ready: string])[] = [
  ['overview', '/', '.figures'],
  ['alerts', '/alerts', '.queue tbody tr'],
  ['no alert found', '/alerts?text=zzz', '.empty'],
  ['alert', `/alerts/${BEACON.uid}`, 'article .flows'],
  ['devices', '/devices', '.inventory tbody tr'],
  ['device', `/devices/${encodeURIComponent(PUMP.device)}`, '.chart canvas'],
  ['changes', '/changes?hours=8760', 'main h1'],
  ['data flows', '/data-flows?all=1', 'main h1'],
  ['incidents', '/incidents', 'main h1'],
  ['rules', '/rules', 'main h1'],
  ['account', '/account', 'main h1'],
  ['users', '/users', 'main h1'],
  ['audit', '/audit', 'main h1'],
  ['no such device', '/devices/none', '.empty'],
  ['no such incident', '/incidents/77', '.empty'],
];

describe.skipIf(!hasBrowser('accessibility'))('accessibility', { timeout: 300_000 }, () => {
  let opened: Awaited<ReturnType<typeof openBrowser>>;
  let browser: Browser;
  let site: Site;
  let server: ApiServer;

  beforeAll(async () => {
    opened = await openBrowser();
    ({ browser } = opened);
    site = await openSite(clinicalRows(), opened.built);
    const { triage } = site.deps;
    const about = { device: PUMP.device };
    await triage!.rules.create({ act: 'mute', scope: about, reason: 'a test', resolution: 'benign', until: 0 }, 'anna');
    await triage!.rules.addWindow(
      { title: 'Update', scope: about, act: 'informational', from: NOW - 1000, to: NOW },
      'anna',
    );
    server = createApiServer(site.config({ requests_per_minute: 100_000 }), site.deps);
    await server.start();
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    await site.close();
    await opened.close();
  });

  /** What axe-core finds: rule and elements. */
  async function violations(page: Page): Promise<string[]> {
    await page.evaluate(axe.source);
    return page.evaluate<string[]>(
      `axe.run(document, { runOnly: ${JSON.stringify(TAGS)}, resultTypes: ['violations'] }).then(({ violations }) =>
         violations.flatMap(({ id, nodes }) => nodes.slice(0, 4).map((node) => id + ': ' + node.html.slice(0, 160) +
           ' ' + node.any.concat(node.all, node.none).map((one) => one.message).join('; ').slice(0, 200))))`,
    );
  }

  const shows = (page: Page, selector: string): Promise<boolean> =>
    page
      .locator(selector)
      .first()
      .waitFor({ timeout: 15_000 })
      .then(
        () => true,
        () => false,
      );

  for (const [screen, viewport] of [
    ['desktop', { width: 1366, height: 768 }],
    ['phone', { width: 390, height: 844 }],
  ] as const)
    for (const colorScheme of ['light', 'dark'] as const)
      it(`every page, ${screen}, ${colorScheme}: nothing that WCAG 2.2 AA forbids, and not too wide`, async () => {
        const page = await browser.newPage({ viewport, colorScheme, reducedMotion: 'reduce' });
        const found: Record<string, string[]> = {};
        for (const [name, path, ready] of PAGES) {
          await page.goto(new URL(path, server.url()).href);
          if (!(await shows(page, ready))) {
            found[name] = [`${ready} does not come`];
            continue;
          }
          const wrong = await violations(page);
          wrong.push(...(await page.evaluate<string[]>(TOO_WIDE)));
          if (wrong.length > 0) found[name] = wrong;
        }
        await page.close();
        expect(found).toEqual({});
      });

  it('dialogs: nothing forbidden, and the focus goes back to where it was', async () => {
    const page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
    page.setDefaultTimeout(15_000);
    await page.goto(new URL('/alerts?muted=with', server.url()).href);
    await page.locator('.queue tbody tr').first().waitFor();
    await page.keyboard.press('j');
    const focused = (): Promise<string | null> =>
      page.evaluate<string | null>('document.activeElement.getAttribute("data-row")');
    const row = await focused();
    expect(ALERTS.map(({ uid }) => uid)).toContain(row);
    for (const [key, title] of [
      ['l', /^Learn/],
      ['m', /^Mute/],
      ['c', /^Close/],
      ['?', /^Keys/],
    ] as const) {
      await page.keyboard.press(key);
      await page.getByRole('dialog').getByRole('heading', { name: title }).first().waitFor();
      expect(await violations(page), key).toEqual([]);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      expect(await focused(), key).toBe(row);
    }
    await page.close();
  });

  it('is walked by Tab alone, and every stop can be seen', async () => {
    const page = await browser.newPage({ viewport: { width: 1366, height: 768 } });
    await page.goto(new URL('/', server.url()).href);
    await page.locator('.figures').waitFor();
    const stops = new Set<string>();
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press('Tab');
      const stop = await page.evaluate<{ name: string; outline: string }>(
        `(() => { const e = document.activeElement; const s = getComputedStyle(e);
           return { name: e.tagName + ' ' + (e.getAttribute('aria-label') ?? e.textContent).trim().slice(0, 40),
             outline: s.outlineStyle === 'none' ? '' : s.outlineWidth }; })()`,
      );
      if (stop.name.startsWith('BODY')) break;
      stops.add(stop.name);
      expect(stop.outline, stop.name).not.toBe('');
    }
    expect([...stops][0]).toBe('A To the content');
    expect([...stops].some((stop) => stop.includes('nobody has taken'))).toBe(true);
    await page.close();
  });
});
