import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../src/api/app.ts';
import type { AlertPage, DevicePage, FlowList, Overview, WindowList } from '../../src/api/schemas.ts';
import type { Problem } from '../../src/api/problems.ts';
import { createStore, storeConfigSchema } from '../../src/store/index.ts';
import type { StoreConfig } from '../../src/store/index.ts';
import { ALERTS, BEACON, DEVICES, FLOWS, HOSTILE_NAME, NOW, PUMP, WINDOWS, alertRow, deviceRow } from './rows.ts';
import { openSite, WATCHING } from './site.ts';
import type { Site } from './site.ts';

/** Routes for programs; the others are the console, the description itself, and the way to the site's own sign-in. */
const MACHINES = /^\/(api\/v1\/(?!oidc\/)|healthz$|readyz$|metrics$)/;

const PROBLEM_TYPE = /^application\/problem\+json/;

let site: Site;
let app: FastifyInstance;

beforeAll(async () => {
  site = await openSite();
  app = await buildApp(site.config({ requests_per_minute: 100_000, allowed_hosts: ['wardwatch.example'] }), site.deps);
});
afterAll(async () => {
  await app.close();
  expect(site.listeners()).toBe(0);
  await site.close();
});

async function get<T>(url: string): Promise<T> {
  const response = await app.inject({ url });
  expect(response.statusCode, response.body).toBe(200);
  expect(response.headers['cache-control']).toBe('no-store');
  return response.json<T>();
}

async function problem(
  url: string,
  options: { method?: 'POST' | 'DELETE'; headers?: Record<string, string> } = {},
): Promise<Problem> {
  const response = await app.inject({ url, method: options.method ?? 'GET', headers: options.headers ?? {} });
  expect(response.headers['content-type']).toMatch(PROBLEM_TYPE);
  const body = response.json<Problem>();
  expect(body.status).toBe(response.statusCode);
  expect(body.type).toMatch(/^urn:wardwatch:problem:[a-z-]+$/);
  expect(body.title).not.toBe('');
  expect(body.detail).not.toBe('');
  return body;
}

const key = encodeURIComponent(PUMP.device);

describe('alerts', () => {
  it('are listed newest first, without the OCSF object', async () => {
    const page = await get<AlertPage>('/api/v1/alerts');
    expect(page.rows.map((row) => row.uid)).toEqual(ALERTS.map((row) => row.uid));
    expect(page).toMatchObject({ total: ALERTS.length, next: null });
    expect(page.rows[0]).not.toHaveProperty('ocsf');
    const { ocsf: _, ...summary } = BEACON;
    expect(page.rows[0]).toEqual(summary);
  });

  it.each([
    ['severity=4', 3],
    ['detector=beaconing', 1],
    ['detector=new-external-peer', 1],
    ['text=TELNET%20icu', 1],
    [`device=${key}`, 1],
    [`from=${NOW - 20 * 60_000}`, 3],
    [`to=${NOW - 100 * 60_000}`, 1],
    ['text=%25%27%22%5C', 0],
  ])('filtered by %s', async (query, total) => {
    expect((await get<AlertPage>(`/api/v1/alerts?${query}`)).total).toBe(total);
  });

  it('are sorted worst first on request', async () => {
    const page = await get<AlertPage>('/api/v1/alerts?sort=severity');
    const severities = page.rows.map((row) => row.severity_id);
    expect(severities).toEqual([...severities].sort((a, b) => b - a));
  });

  it('are paged without gaps or doubles while new ones arrive', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const page: AlertPage = await get<AlertPage>(`/api/v1/alerts?severity=2&limit=3${query}`);
      seen.push(...page.rows.map((row) => row.uid));
      cursor = page.next;
      if (pages++ === 0) {
        const about = deviceRow({ mac: '02:00:00:00:00:01' });
        await site.store.write({
          alerts: [
            alertRow({ uid: 'late', minutesAgo: 0, severity: 2, detector: 'late', title: 'Late', message: '', about }),
          ],
        });
      }
    } while (cursor !== null);
    expect(seen).toEqual(ALERTS.filter((row) => row.severity_id >= 2).map((row) => row.uid));
  });

  it('are given whole with the OCSF object parsed', async () => {
    const alert = await get<Record<string, unknown>>(`/api/v1/alerts/${BEACON.uid}`);
    expect(alert).toEqual({ ...BEACON, ocsf: JSON.parse(BEACON.ocsf) as unknown });
  });

  it('are served with a damaged OCSF text', async () => {
    const about = deviceRow({ mac: '02:00:00:00:00:02' });
    const damaged = alertRow({
      uid: 'damaged',
      minutesAgo: 9000,
      severity: 1,
      detector: 'x',
      title: 'x',
      message: '',
      about,
    });
    await site.store.write({ alerts: [{ ...damaged, ocsf: '{"half":' }] });
    expect(await get('/api/v1/alerts/damaged')).toMatchObject({ uid: 'damaged', ocsf: null });
  });

  it("give the device's flows around their time", async () => {
    const near = await get<FlowList>(`/api/v1/alerts/${BEACON.uid}/flows?limit=500`);
    expect(near.rows).toHaveLength(FLOWS.filter((row) => row.ts * 1000 >= BEACON.start_time - 300_000).length);
    const exact = await get<FlowList>(`/api/v1/alerts/${BEACON.uid}/flows?margin_s=0&limit=500`);
    expect(exact.rows.every((row) => row.ts * 1000 >= BEACON.start_time && row.ts * 1000 <= BEACON.end_time)).toBe(
      true,
    );
    expect(exact.rows.length).toBeLessThan(near.rows.length);
    expect(near.rows.find((row) => row.uid === FLOWS[0]!.uid)).toEqual(FLOWS[0]);
  });
});

describe('devices', () => {
  it('are listed, filtered and sorted', async () => {
    expect((await get<DevicePage>('/api/v1/devices')).total).toBe(DEVICES.length);
    expect((await get<DevicePage>('/api/v1/devices?type=infusion-pump')).rows.map((row) => row.device)).toEqual([
      PUMP.device,
    ]);
    expect((await get<DevicePage>('/api/v1/devices?text=icu')).total).toBe(3);
    const byIp = await get<DevicePage>('/api/v1/devices?sort=ip&limit=3');
    expect(byIp.rows.map((row) => row.ip)).toEqual(['10.20.0.1', '10.20.0.2', '10.20.0.10']);
    expect(byIp.rows[0]).not.toHaveProperty('fields');
  });

  it('are given whole, by a key with a slash', async () => {
    expect(await get(`/api/v1/devices/${key}`)).toEqual({ ...PUMP, ocsf: JSON.parse(PUMP.ocsf) as unknown });
  });

  it('have alerts, flows and windows', async () => {
    expect((await get<AlertPage>(`/api/v1/devices/${key}/alerts`)).rows.map((row) => row.uid)).toEqual([BEACON.uid]);
    const flows = await get<FlowList>(`/api/v1/devices/${key}/flows?limit=500`);
    expect(flows.rows).toHaveLength(FLOWS.length);
    const times = flows.rows.map((row) => row.ts);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    const windows = await get<WindowList>(`/api/v1/devices/${key}/windows`);
    expect(windows.rows).toHaveLength(WINDOWS.length);
    expect(windows.rows[0]!.features).toEqual(WINDOWS[0]!.features);
    const few = await get<WindowList>(`/api/v1/devices/${key}/windows?from=${NOW - 600_000}&features=bytes_out,absent`);
    expect(few.rows).toHaveLength(10);
    expect(Object.keys(few.rows[0]!.features)).toEqual(['bytes_out']);
  });

  it('refuse more windows than an answer holds', async () => {
    const answer = await problem(`/api/v1/devices/${key}/windows?window_s=10&from=0`);
    expect(answer).toMatchObject({ status: 400, detail: expect.stringContaining('1440') as string });
    expect(answer.remedy).toBeDefined();
  });
});

describe('system', () => {
  it('gives overview, status and detectors', async () => {
    const overview = await get<Overview>('/api/v1/overview');
    expect(overview).toMatchObject({ version: '0.0.0-test', time_zone: 'UTC', flows: FLOWS.length, status: WATCHING });
    expect(overview.devices_by_type['infusion-pump']).toBe(1);
    expect(overview.alerts_by_severity['5']).toBe(1);
    expect(await get('/api/v1/status')).toEqual(WATCHING);
    expect(await get('/api/v1/detectors')).toEqual({ rows: WATCHING.detectors });
  });

  it('answers probes', async () => {
    expect((await app.inject('/healthz')).json()).toEqual({ ok: true });
    expect((await app.inject('/readyz')).json()).toMatchObject({ ok: true });
    const metrics = await app.inject('/metrics');
    expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(metrics.body).toContain('wardwatch_frames_total 3');
    site.setStatus({ ...WATCHING, state: 'failed', error: 'the disk is full' });
    expect(await problem('/readyz')).toMatchObject({ status: 503, checks: [{ name: 'pipeline', ok: false }] });
    site.setStatus(WATCHING);
  });

  it('says where the console is missing', async () => {
    expect(await problem('/')).toMatchObject({
      status: 503,
      remedy: expect.stringContaining('build:console') as string,
    });
  });
});

describe('exports', () => {
  it('guard against formulas and quote as RFC 4180 asks', async () => {
    const response = await app.inject('/api/v1/export/devices?sort=hostname');
    expect(response.headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(response.headers['content-disposition']).toContain('wardwatch-devices.csv');
    expect(response.headers['wardwatch-rows-total']).toBe(String(DEVICES.length));
    const lines = response.body.split('\r\n');
    expect(lines).toHaveLength(DEVICES.length + 2);
    expect(response.body).toContain(`"'${HOSTILE_NAME.replaceAll('"', '""')}"`);
    expect(response.body).not.toMatch(/(^|,|\n)"?[=+@-]\w/);
  });

  it('give the stored OCSF objects one a line', async () => {
    const response = await app.inject('/api/v1/export/alerts?format=ndjson&severity=3&to=' + NOW);
    const lines = response.body.trimEnd().split('\n');
    expect(lines).toEqual(ALERTS.filter((row) => row.severity_id >= 3).map((row) => row.ocsf));
  });

  it('go over page borders and stop at the bound', async () => {
    const about = deviceRow({ mac: '02:00:00:00:00:03' });
    const many = Array.from({ length: 1203 }, (_, n) =>
      alertRow({
        uid: `many-${n}`,
        minutesAgo: 10_000 + n,
        severity: 1,
        detector: 'many',
        title: 'Many',
        message: '',
        about,
      }),
    );
    await site.store.write({ alerts: many });
    const all = await app.inject('/api/v1/export/alerts?format=ndjson&detector=many');
    expect(all.body.trimEnd().split('\n')).toEqual(many.map((row) => row.ocsf));
    const bounded = await buildApp(site.config({ export_rows: 700 }), site.deps);
    const some = await bounded.inject('/api/v1/export/alerts?detector=many');
    expect(some.headers['wardwatch-rows-total']).toBe('1203');
    expect(some.body.trimEnd().split('\r\n')).toHaveLength(701);
    await bounded.close();
  });
});

describe('problems', () => {
  it.each([
    ['/api/v1/alerts/none', 404, 'no such alert'],
    ['/api/v1/alerts/none/flows', 404, 'no such alert'],
    ['/api/v1/devices/none', 404, 'no such device'],
    ['/api/v1/devices/none/windows', 404, 'no such device'],
    ['/api/v1/nothing', 404, 'There is no /api/v1/nothing'],
    ['/assets/none.js', 404, 'There is no /assets/none.js'],
    ['/api/v1/alerts?limit=0', 400, 'limit'],
    ['/api/v1/alerts?limit=501', 400, 'limit'],
    ['/api/v1/alerts?limit=1&limit=2', 400, 'limit'],
    ['/api/v1/alerts?severity=high', 400, 'severity'],
    ['/api/v1/alerts?colour=red', 400, '`colour` is not a parameter of this route'],
    ['/api/v1/alerts?from=2&to=1', 400, '`from` is after `to`'],
    ['/api/v1/alerts?cursor=bm9uZQ', 400, 'cursor'],
    ['/api/v1/alerts?sort=uid', 400, 'sort'],
    [`/api/v1/alerts?text=${'x'.repeat(201)}`, 400, 'text'],
    ['/api/v1/devices?sort=mac', 400, 'sort'],
    [`/api/v1/devices/${'x'.repeat(401)}`, 414, ''],
    ['/api/v1/devices/%ff', 400, ''],
    ['/../../etc/passwd', 404, ''],
  ])('%s is %i', async (url, status, detail) => {
    const answer = await problem(url);
    expect(answer.status).toBe(status);
    expect(answer.detail).toContain(detail);
  });

  it('name each parameter at fault', async () => {
    const answer = await problem('/api/v1/alerts?limit=0&severity=9');
    expect(answer.errors?.map((fault) => [fault.in, fault.name])).toEqual([
      ['query', 'severity'],
      ['query', 'limit'],
    ]);
  });

  it('say that only reading is served', async () => {
    for (const method of ['POST', 'DELETE'] as const) {
      const response = await app.inject({ url: '/api/v1/alerts', method });
      expect(response.headers['allow']).toBe('GET, HEAD');
      expect(await problem('/api/v1/alerts', { method })).toMatchObject({ status: 405 });
    }
  });

  it('keep HEAD off the stream that never ends', async () => {
    expect((await app.inject({ url: '/api/v1/events', method: 'HEAD' })).statusCode).toBe(404);
    expect((await app.inject({ url: '/api/v1/status', method: 'HEAD' })).statusCode).toBe(200);
  });

  it('refuse host names that are not configured', async () => {
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example:8642',
      'a b',
      'evil.example:x',
    ]) {
      expect((await problem('/api/v1/status', { headers: { host } })).status).toBe(421);
    }
    for (const host of [
      'localhost',
      'LOCALHOST:8642',
      '127.0.0.1:8642',
      '[::1]:8642',
      'wardwatch.example:443',
      '10.1.2.3',
    ]) {
      expect((await app.inject({ url: '/api/v1/status', headers: { host } })).statusCode).toBe(200);
    }
  });

  it('limit the rate, of unknown routes as well', async () => {
    const limited = await buildApp(site.config({ requests_per_minute: 10 }), site.deps);
    const codes: number[] = [];
    for (let i = 0; i < 14; i++) codes.push((await limited.inject(i % 2 ? '/healthz' : '/nothing')).statusCode);
    const last = await limited.inject('/nothing');
    expect(codes.filter((code) => code === 429).length).toBeGreaterThan(0);
    expect(last.statusCode).toBe(429);
    expect(last.json<Problem>()).toMatchObject({
      title: 'Too Many Requests',
      remedy: expect.stringContaining('seconds') as string,
    });
    expect(last.headers['retry-after']).toBeDefined();
    await limited.close();
  });

  it('hide what failed inside, and name a store that is away', async () => {
    const secret = new Error('row of patient X');
    const deps = { ...site.deps, metrics: () => Promise.reject(secret) };
    const failing = await buildApp(site.config(), deps);
    const inside = await failing.inject('/metrics');
    expect(inside.statusCode).toBe(500);
    expect(inside.body).not.toContain('patient');
    await failing.close();

    const store = createStore(Value.Default(storeConfigSchema, {}) as StoreConfig, { reporter: site.deps.reporter });
    const away = await buildApp(site.config(), { ...site.deps, store });
    const answer = await away.inject('/api/v1/alerts');
    expect(answer.statusCode).toBe(503);
    expect(answer.json<Problem>().remedy).toBeDefined();
    await away.close();
  });

  it('refuse a time zone that is none', async () => {
    await expect(buildApp(site.config({ time_zone: 'Mars/Olympus' }), site.deps)).rejects.toMatchObject({
      code: 'WW_CONFIG',
    });
  });
});

describe('hostile input', () => {
  it('device-supplied names stay JSON text', async () => {
    const response = await app.inject('/api/v1/devices?text=ThinkCentre');
    expect(response.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(response.headers['x-content-type-options']).toBe('nosniff');
    expect(response.json<DevicePage>().rows[0]!.hostname).toBe(HOSTILE_NAME);
  });

  it('gives an answer or a problem for any query and path, never a failure inside', async () => {
    const names = [
      'severity',
      'detector',
      'device',
      'text',
      'from',
      'to',
      'sort',
      'limit',
      'cursor',
      '__proto__',
      'type',
    ];
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.integer().map(String),
      fc.double().map(String),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('alerts', 'devices', 'export/alerts', 'alerts/x/flows'),
        fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 4 }),
        async (path, pairs) => {
          const query = new URLSearchParams(pairs).toString();
          const response = await app.inject(`/api/v1/${path}?${query}`);
          expect(response.statusCode).toBeLessThan(500);
          if (response.statusCode >= 400) expect(response.headers['content-type']).toMatch(PROBLEM_TYPE);
        },
      ),
      { seed: 42, numRuns: 150 },
    );
  });

  it('finds rows by any text without failing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), async (text) => {
        const paths = [
          `/api/v1/alerts?text=${encodeURIComponent(text.toWellFormed())}`,
          `/api/v1/alerts/${encodeURIComponent(text.toWellFormed())}`,
        ];
        for (const path of paths) expect((await app.inject(path)).statusCode).toBeLessThan(500);
      }),
      { seed: 7, numRuns: 60 },
    );
  });
});

describe('the description', () => {
  it('is a valid OpenAPI 3.1 document that holds every route', async () => {
    interface Operation {
      operationId: string;
      summary: string;
      responses: Record<string, unknown>;
    }
    const document = (await app.inject('/api/openapi.json')).json<{
      openapi: string;
      paths: Record<string, Record<string, Operation>>;
    }>();
    expect(document.openapi).toMatch(/^3\.1/);
    const result = await new Validator().validate(structuredClone(document));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ route: `${method.toUpperCase()} ${path}`, operation })),
    );
    const registered = app
      .routeRules()
      .filter(({ method, url }) => method !== 'HEAD' && MACHINES.test(url))
      .map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(registered.length).toBeGreaterThan(50);
    expect(operations.map(({ route }) => route).sort()).toEqual(registered.sort());
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { route, operation } of operations) {
      expect(operation.summary, route).toBeTruthy();
      const answers = Object.keys(operation.responses);
      expect(answers, route).toEqual(expect.arrayContaining(['4XX', '5XX']));
      expect(answers.length, route).toBeGreaterThan(2);
    }
  });

  it('is kept to: a strict policy and no frames', async () => {
    const { headers } = await app.inject('/api/v1/status');
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(headers['x-frame-options']).toBe('DENY');
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });
});
