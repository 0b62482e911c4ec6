import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApp } from '../../src/api/app.ts';
import { toMisp } from '../../src/alerts/incidents-misp.ts';
import { toStix } from '../../src/alerts/incidents-stix.ts';
import type { AlertRow } from '../../src/kernel/rows.ts';
import { ALERTS, BEACON, DEVICES, HOSTILE_NAME, NOW, PUMP, alertRow } from '../api/rows.ts';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';

let site: Site;
let app: FastifyInstance;

beforeAll(async () => {
  site = await openSite();
  app = await buildApp(site.config(), site.deps);
});
afterAll(async () => {
  await app.close();
  await site.close();
});

interface Answer {
  status: number;
  // Bodies are looked into as a program of another language would.
  body: Record<string, unknown>;
  text: string;
  headers: Record<string, unknown>;
}

async function ask(
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  url: string,
  payload?: object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await app.inject({
    method,
    url: `/api/v1${url}`,
    headers: { host: '127.0.0.1', ...headers },
    ...(payload === undefined ? {} : { payload }),
  });
  const json = String(response.headers['content-type']).includes('json');
  return {
    status: response.statusCode,
    body: json ? response.json<Record<string, unknown>>() : {},
    text: response.body,
    headers: response.headers,
  };
}
const rowsOf = (answer: Answer) =>
  answer.body['rows'] as { uid: string; triage: { revision: number; state: string } }[];

async function arrives(...rows: AlertRow[]): Promise<void> {
  await site.store.write({ alerts: rows });
  site.deps.triage!.accept(rows);
}

const PARTS = {
  uid: 'r1',
  minutesAgo: 5,
  severity: 3 as const,
  detector: 'rule-test',
  title: 'New peer',
  message: 'A pump talks to a new host.',
  about: PUMP,
};

describe('the queue over HTTP', () => {
  it('gives alerts with what was made of them, worst first', async () => {
    const answer = await ask('GET', '/queue?limit=3');
    expect(answer.status).toBe(200);
    expect(rowsOf(answer)[0]).toMatchObject({ uid: BEACON.uid, title: BEACON.title, triage: { state: 'new' } });
    expect(answer.body).toMatchObject({ total: ALERTS.length, exact: true });
    const next = await ask('GET', `/queue?limit=3&cursor=${String(answer.body['next'])}`);
    expect(rowsOf(next).map((row) => row.uid)).not.toContain(BEACON.uid);
    expect((await ask('GET', '/queue?state=gone')).status).toBe(400);
    expect((await ask('GET', '/queue?cursor=x')).status).toBe(400);
  });

  it('asks for the revision, and refuses an edit that was made on an older one', async () => {
    const path = `/alerts/${BEACON.uid}/triage`;
    expect((await ask('PATCH', path, { state: 'in_progress' })).status).toBe(428);
    const first = await ask('PATCH', path, { state: 'in_progress', assignee: '@me' }, { 'if-match': '"0"' });
    expect(first.body).toMatchObject({ state: 'in_progress', assignee: 'local', revision: 1 });
    expect(first.headers['etag']).toBe('"1"');
    const stale = await ask('PATCH', path, { state: 'resolved' }, { 'if-match': '"0"' });
    expect(stale.status).toBe(412);
    expect(stale.body).toMatchObject({
      type: 'urn:wardwatch:problem:stale-edit',
      current: { state: 'in_progress', assignee: 'local' },
      yours: { state: 'resolved' },
    });
    expect((await ask('PATCH', path, { state: 'gone' }, { 'if-match': '"1"' })).status).toBe(400);
    expect((await ask('PATCH', '/alerts/none/triage', { state: 'new' }, { 'if-match': '"1"' })).status).toBe(404);
    await ask('POST', `/alerts/${BEACON.uid}/comments`, { text: HOSTILE_NAME });
    const details = await ask('GET', path);
    expect(details.body['history']).toMatchObject([{ who: 'local', what: 'started' }, { comment: HOSTILE_NAME }]);
  });

  it('changes all that a filter finds only where the count is confirmed', async () => {
    const filter = { contributed: 'new-peer' };
    const body = (expected: number) => ({ filter, expected, edit: { add_tags: ['seen'] } });
    expect((await ask('POST', '/queue/bulk', body(7))).status).toBe(409);
    expect((await ask('POST', '/queue/bulk', body(1))).body).toEqual({ done: true, count: 1 });
    expect(rowsOf(await ask('GET', '/queue?tag=seen'))).toHaveLength(1);
  });
});

describe('rules over HTTP', () => {
  it('are previewed, confirmed by their number, made and undone', async () => {
    await arrives(alertRow(PARTS), alertRow({ ...PARTS, uid: 'r2', severity: 5 }));
    const scope = { detector: 'rule-test' };
    const preview = await ask('POST', '/rules/preview', { scope });
    expect(preview.body).toMatchObject({ alerts: 2, open: 2, by_severity: { 5: 1 } });
    expect((preview.body['examples'] as AlertRow[])[0]!.uid).toBe('r2');
    const body = { act: 'mute', scope, reason: 'a test' };
    expect((await ask('POST', '/rules', { ...body, expected: 9 })).status).toBe(409);
    const decided: unknown[] = [];
    site.deps.triage!.rules.onDecisions((list) => decided.push(...list));
    const rule = await ask('POST', '/rules', { ...body, expected: 2 });
    expect(rule.body).toMatchObject({ act: 'mute', matches: 2, status: 'active', owner: 'local' });
    expect(decided).toMatchObject([{ act: 'mute', scope, from_us: 0 }]);
    expect(rowsOf(await ask('GET', '/queue?detector=rule-test'))).toHaveLength(0);
    expect(rowsOf(await ask('GET', '/queue?detector=rule-test&muted=only'))).toHaveLength(2);
    expect((await ask('POST', `/rules/${String(rule.body['id'])}/undo`)).body).toMatchObject({ status: 'undone' });
    expect(rowsOf(await ask('GET', '/queue?detector=rule-test'))).toHaveLength(2);
    expect((await ask('POST', '/rules', { ...body, scope: {}, expected: 0 })).status).toBe(400);
    expect(
      (await ask('POST', '/rules/preview', { scope: { daily: { from: 1, to: 2, zone: 'Nowhere' } } })).status,
    ).toBe(400);
    expect((await ask('POST', '/rules/777/undo')).status).toBe(404);
  });

  it('plan maintenance, which marks alerts and lets them go', async () => {
    const window = { title: 'switch', scope: { vlan: '220' }, act: 'mute', from: NOW - 200_000, to: NOW };
    const made = await ask('POST', '/maintenance', window);
    expect(made.body).toMatchObject({ alerts: 1 });
    expect(rowsOf(await ask('GET', '/queue')).map((row) => row.uid)).not.toContain(BEACON.uid);
    expect((await ask('DELETE', `/maintenance/${String(made.body['id'])}`)).status).toBe(200);
    expect(rowsOf(await ask('GET', '/queue')).map((row) => row.uid)).toContain(BEACON.uid);
    expect((await ask('POST', '/maintenance', { ...window, from: NOW, to: NOW })).status).toBe(400);
  });
});

describe('what programs poll', () => {
  it('neither skips nor repeats while others write', async () => {
    const seen = new Map<string, number>();
    const sequences = new Set<number>();
    let cursor: string | undefined;
    let written = 0;
    let random = 7;
    const draw = (n: number): number => (random = (random * 48_271) % 2_147_483_647) % n;
    const poll = async (): Promise<boolean> => {
      const answer = await ask('GET', `/alerts/changes?limit=7${cursor === undefined ? '' : `&cursor=${cursor}`}`);
      expect(answer.status).toBe(200);
      for (const row of answer.body['rows'] as { uid: string; version: number; triage: { sequence: number } }[]) {
        expect(sequences.has(row.triage.sequence)).toBe(false);
        sequences.add(row.triage.sequence);
        seen.set(row.uid, row.version);
      }
      cursor = String(answer.body['cursor']);
      return answer.body['more'] === true;
    };
    const versions = new Map<string, number>();
    const write = async (): Promise<void> => {
      const uid = `poll-${draw(40)}`;
      const version = (versions.get(uid) ?? 0) + 1;
      versions.set(uid, version);
      written++;
      const row = { ...alertRow({ ...PARTS, uid, detector: 'poll' }), version };
      await site.store.write({ alerts: [row] });
      if (draw(3) === 0) await Promise.resolve();
      site.deps.triage!.accept([row]);
      if (draw(4) === 0) site.deps.triage!.comment(uid, 'x', 'anna');
    };
    for (let round = 0; round < 30; round++) await Promise.all([write(), poll(), write(), write()]);
    while (await poll());
    expect(written).toBe(90);
    for (const [uid, version] of versions) expect([uid, seen.get(uid)]).toEqual([uid, version]);
    const again = await ask('GET', `/alerts/changes?cursor=${cursor!}`);
    expect(again.body).toMatchObject({ rows: [], more: false });
    expect((await ask('GET', '/alerts/changes?cursor=other.5')).status).toBe(410);
  });
});

describe('incidents over HTTP', () => {
  it('are shown, exported and printed, with hostile names as text', async () => {
    const more = { parties: [], device_name: HOSTILE_NAME };
    const base = { ...PARTS, detector: 'spread', attacks: ['T0846'], about: DEVICES[13]!, title: HOSTILE_NAME };
    await arrives(
      alertRow({ ...base, uid: 'inc1', minutesAgo: 9, more, ...evidence('198.51.100.7') }),
      alertRow({ ...base, uid: 'inc2', minutesAgo: 7, more, ...evidence('198.51.100.7') }),
    );
    const id = site.deps.triage!.item('inc1')!.incident;
    expect(id).toBeGreaterThan(0);
    const incident = await ask('GET', `/incidents/${id}`);
    expect((incident.body['rows'] as AlertRow[]).map((row) => row.uid)).toEqual(
      expect.arrayContaining(['inc1', 'inc2']),
    );
    const report = await ask('GET', `/incidents/${id}/report`);
    expect(report.headers['content-security-policy']).toContain("default-src 'none'");
    expect(report.text).not.toContain('<img');
    expect(report.text).toContain('&lt;img src=x');
    expect(report.text).not.toContain('\u202e');
    expect((await ask('GET', '/alerts/inc1/report')).text).toContain('&lt;/script&gt;');
    const stix = await ask('GET', `/incidents/${id}/stix`);
    const bundle = JSON.parse(stix.text) as { objects: { type: string }[] };
    expect(new Set(bundle.objects.map((one) => one.type))).toEqual(
      new Set(['identity', 'mac-addr', 'ipv4-addr', 'attack-pattern', 'observed-data', 'note', 'incident', 'grouping']),
    );
    const misp = JSON.parse((await ask('GET', `/incidents/${id}/misp`)).text) as { Event: { Attribute: object[] } };
    expect(misp.Event.Attribute).toContainEqual(expect.objectContaining({ type: 'ip-dst', value: '198.51.100.7' }));
    expect((await ask('POST', `/incidents/${id}/split`, { uids: ['inc2'], into: 'new' })).status).toBe(200);
    expect((await ask('POST', `/incidents/${id}/split`, { uids: ['inc2'], into: 'new' })).status).toBe(409);
    expect((await ask('GET', '/incidents/999')).status).toBe(404);
  });

  it('are exported the same each time', () => {
    const incident = { id: 1, uid: 'x', title: 'y', created: NOW, alerts: [BEACON, ...ALERTS] };
    expect(toStix(incident, '1')).toEqual(toStix(incident, '1'));
    expect(toMisp(incident)).toEqual(toMisp(incident));
  });
});

const evidence = (ip: string) => ({
  ocsf: {
    evidences: [
      {
        src_endpoint: { ip: DEVICES[13]!.ip, mac: DEVICES[13]!.mac, uid: DEVICES[13]!.device },
        dst_endpoint: { ip, port: 443 },
      },
    ],
  },
});

describe('views over HTTP', () => {
  it('are saved, listed and removed', async () => {
    expect((await ask('POST', '/views', { name: 'worst', query: 'severity=5', shared: true })).status).toBe(200);
    const { rows } = (await ask('GET', '/views')).body as { rows: { id: number; own: boolean }[] };
    expect(rows).toMatchObject([{ own: true }]);
    expect((await ask('DELETE', `/views/${rows[0]!.id}`)).status).toBe(200);
    expect((await ask('DELETE', `/views/${rows[0]!.id}`)).status).toBe(404);
  });
});
