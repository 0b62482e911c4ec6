import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AlertRow, DeviceRow } from '../../src/kernel/rows.ts';
import { alertRow, FLOWS, PUMP } from '../api/rows.ts';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';
import { Browser, makePeople, openApp } from './people.ts';

/** One device and one alert in each of two VLANs. */
const elsewhere: DeviceRow = { ...PUMP, device: '310/02:42:9a:31:00:01', vlan: '310', hostname: 'lab-1' };
const alerts: AlertRow[] = [PUMP, elsewhere].map((about) =>
  alertRow({ uid: `in-${about.vlan}`, minutesAgo: 1, severity: 4, detector: 'scan', title: 't', message: 'm', about }),
);
const flow310 = { ...FLOWS[0]!, uid: 'C310', vlan: 310 };

let site: Site;
beforeAll(async () => {
  site = await openSite({ alerts, devices: [PUMP, elsewhere], flows: [FLOWS[0]!, flow310] });
});
afterAll(() => site.close());

describe('what a user of one VLAN sees', () => {
  it('is that VLAN alone, in every list, by name, in exports and in counts', async () => {
    const people = makePeople({ sites: [{ name: 'lab', vlans: ['310'] }] });
    await people.add('all', 'viewer');
    await people.add('ward', 'viewer', { vlans: ['220'] });
    await people.add('lab', 'viewer', { sites: ['lab'] });
    await people.add('none', 'viewer', { sites: ['closed'] });
    const app = await openApp(site, people);
    for (const [name, vlans] of Object.entries<string[]>({
      all: ['220', '310'],
      ward: ['220'],
      lab: ['310'],
      none: [],
    })) {
      const browser = new Browser(app);
      await browser.signIn(name);
      const get = async <T>(url: string) => (await browser.ask('GET', url)).json<T>();
      const status = async (url: string) => (await browser.ask('GET', url)).statusCode;
      const lists = await get<{ rows: AlertRow[]; total: number }>('/api/v1/alerts');
      expect(lists.rows.map((row) => row.vlan).sort(), name).toEqual(vlans);
      expect(lists.total).toBe(vlans.length);
      const devices = await get<{ rows: DeviceRow[]; total: number }>('/api/v1/devices');
      expect(devices.rows.map((row) => row.vlan).sort()).toEqual(vlans);
      expect(devices.total).toBe(vlans.length);
      const overview = await get<{ alerts_by_severity: Record<string, number>; flows: number }>('/api/v1/overview');
      expect(overview).toMatchObject({
        alerts_by_severity: vlans.length === 0 ? {} : { 4: vlans.length },
        flows: vlans.length,
      });
      for (const vlan of ['220', '310']) {
        const found = vlans.includes(vlan) ? 200 : 404;
        const key = encodeURIComponent(vlan === '220' ? PUMP.device : elsewhere.device);
        for (const path of [`alerts/in-${vlan}`, `alerts/in-${vlan}/flows`, `devices/${key}`, `devices/${key}/flows`])
          expect(await status(`/api/v1/${path}`), `${name} ${path}`).toBe(found);
        expect(await status(`/api/v1/devices/${key}/windows`)).toBe(found);
        expect(await status(`/api/v1/devices/${key}/alerts`)).toBe(found);
      }
      for (const rows of ['alerts', 'devices']) {
        const csv = (await browser.ask('GET', `/api/v1/export/${rows}?format=csv`)).body;
        expect(csv.trim().split('\r\n')).toHaveLength(1 + vlans.length);
      }
    }
  });

  it('is what both the token and its maker may see', async () => {
    const people = makePeople();
    await people.add('ada', 'engineer', { vlans: ['220'] });
    const ada = people.access.users.get('ada');
    const app = await openApp(site, people);
    const seen = async (vlans?: string[]) => {
      const { secret } = people.access.tokens.create(ada, { name: 't', role: 'viewer', vlans, days: 1 });
      const headers = { authorization: `Bearer ${secret}` };
      const answer = await app.inject({ url: '/api/v1/alerts', headers });
      return answer.json<{ rows: AlertRow[] }>().rows.map((row) => row.vlan);
    };
    expect(await seen()).toEqual(['220']);
    expect(await seen(['220', '310'])).toEqual(['220']);
    expect(await seen(['310'])).toEqual([]);
  });
});

describe('live events', () => {
  it('come of the VLANs of the watcher alone, and end with the session', async () => {
    const people = makePeople();
    await people.add('ward', 'viewer', { vlans: ['220'] });
    const app = await openApp(site, people, { heartbeat_seconds: 1 });
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const browser = new Browser(app);
    await browser.signIn('ward');
    const cookie = `wardwatch=${browser.cookies.get('wardwatch')}`;
    const answer = await fetch(`${url}/api/v1/events`, { headers: { cookie, accept: 'text/event-stream' } });
    expect(answer.status).toBe(200);
    for (const row of alerts) site.emit({ type: 'alert', change: 'created', row });
    for (const row of [PUMP, elsewhere]) site.emit({ type: 'device', change: 'created', row });
    people.access.users.setScope(people.access.users.get('ward'), { vlans: [], sites: undefined });
    // The stream ends by itself: the user may see something else now.
    const text = await answer.text();
    expect(text).toContain('in-220');
    expect(text).not.toContain('310');
    // Nor does it come when the stream is taken up again.
    people.access.users.setScope(people.access.users.get('ward'), { vlans: ['220'], sites: undefined });
    const first = /^id: (\S+)$/m.exec(text)![1]!;
    const again = await fetch(`${url}/api/v1/events`, { headers: { cookie, 'last-event-id': first } });
    people.access.users.setDisabled(people.access.users.get('ward'), true);
    const replayed = await again.text();
    expect(replayed).toContain('in-220');
    expect(replayed).not.toContain('310');
  });
});
