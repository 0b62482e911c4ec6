import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildApp } from '../../src/api/app.ts';
import type { ChannelRow } from '../../src/kernel/rows.ts';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';
import { deviceRow } from '../api/rows.ts';

const NOW = Date.UTC(2026, 10, 21, 12);
let site: Site;
let app: FastifyInstance;

const PUMP = '20/00:00:00:00:00:01';
const EHR = '20/00:00:00:00:00:02';

function channel(over: Partial<ChannelRow>): ChannelRow {
  return {
    device: PUMP,
    peer: EHR,
    peer_kind: 'device',
    peer_name: '',
    type: 'infusion-pump',
    peer_type: 'ehr',
    direction: 'out',
    proto: 'tcp',
    port: 2575,
    service: 'hl7',
    encrypted: 'no',
    phi: 'yes',
    is_clinical: true,
    commands: ['hl7.message ORU'],
    learned: true,
    first_seen: NOW - 100_000,
    last_seen: NOW - 1000,
    flows: 2,
    bytes_out: 100,
    bytes_in: 50,
    version: 1,
    ...over,
  };
}

beforeAll(async () => {
  const device = (mac: string, over: object) => deviceRow({ mac, vlan: '20', device: `20/${mac}`, ...over });
  site = await openSite({
    devices: [
      device('00:00:00:00:00:01', {
        type: 'infusion-pump',
        vendor_name: 'B. Braun',
        hostname: 'pump-1',
        ips: ['10.20.0.1'],
        ip: '10.20.0.1',
        risk_score: 60,
        risk_level: 4,
        first_seen: NOW - 1000,
        last_seen: NOW,
        fields: { profile: { value: 'infusion-pump/bbraun-space', confidence: 0.9, evidence: [] } },
      }),
      device('00:00:00:00:00:02', {
        type: 'ehr',
        vendor_name: 'Epic',
        hostname: '=cmd',
        risk_score: 10,
        risk_level: 1,
      }),
      device('00:00:00:00:00:03', { type: 'unknown', vendor_name: '', hostname: '', risk_score: 30, risk_level: 2 }),
    ],
    channels: [
      channel({}),
      // The same channel after the hot path began anew: both times count as one.
      channel({ first_seen: NOW - 500, last_seen: NOW, learned: false, commands: ['hl7.ack'] }),
      channel({ device: EHR, peer: PUMP, direction: 'in', type: 'ehr', peer_type: 'infusion-pump' }),
      channel({
        peer: '203.0.113.9',
        peer_kind: 'external',
        peer_name: 'updates.example',
        peer_type: '',
        port: 443,
        service: 'ssl',
        encrypted: 'yes',
        phi: 'no',
        is_clinical: false,
        learned: false,
        first_seen: NOW - 200,
      }),
    ],
    addresses: [{ device: PUMP, ip: '10.20.0.1', first_seen: NOW - 1000, last_seen: NOW, claimed: true }],
    identities: [
      { device: EHR, vlan: '20', time: NOW - 50, kind: 'os', before: 'Linux', after: 'Windows', reason: 'smb.os: x' },
    ],
  });
  app = await buildApp(site.config(), site.deps);
});
afterAll(async () => {
  await app.close();
  await site.close();
});

const get = async (url: string) => {
  const answer = await app.inject(`/api/v1${url}`);
  return { status: answer.statusCode, text: answer.body, body: (): unknown => JSON.parse(answer.body) };
};
const names = async (query: string): Promise<string[]> =>
  ((await get(`/devices?${query}`)).body() as { rows: { device: string }[] }).rows.map((row) => row.device.slice(-2));

it.each([
  ['sort=risk', ['01', '03', '02']],
  ['sort=unknown', ['03', '01', '02']],
  ['type=ehr&type=unknown&sort=risk', ['03', '02']],
  ['vendor=', ['03']],
  ['ip=10.20.0.0/30', ['01']],
  ['risk=2&sort=risk', ['01', '03']],
  ['text=braun', ['01']],
])('lists by %s', async (query, expected) => {
  expect(await names(query)).toEqual(expected);
});

it.each([
  ['/devices?ip=10.20.0.0/99', /network/],
  ['/devices?colour=red', /colour/],
  ['/devices?sort=size', /sort/],
  ['/devices?first_seen_from=2&first_seen_to=1', /above/],
  ['/inventory/facets?fields=type,secret', /secret/],
  ['/inventory/changes?cursor=abc', /cursor/],
])('says what is wrong with %s', async (url, words) => {
  const { status, text } = await get(url);
  expect(status).toBe(400);
  expect(text).toMatch(words);
});

it('counts devices by the values of a field', async () => {
  const { facets } = (await get('/inventory/facets?fields=type&risk=2')).body() as { facets: unknown[] };
  expect(facets).toEqual([
    {
      field: 'type',
      values: [
        { value: 'infusion-pump', n: 1 },
        { value: 'unknown', n: 1 },
      ],
    },
  ]);
});

it('adds up the times of a channel', async () => {
  const { rows } = (await get(`/devices/${encodeURIComponent(PUMP)}/channels`)).body() as { rows: ChannelRow[] };
  const hl7 = rows.find((row) => row.service === 'hl7');
  expect(hl7).toMatchObject({ flows: 4, bytes_out: 200, first_seen: NOW - 100_000, last_seen: NOW, learned: true });
  expect([...(hl7?.commands ?? [])].sort()).toEqual(['hl7.ack', 'hl7.message ORU']);
});

it('puts what is declared beside what was learned and observed', async () => {
  const body = (await get(`/devices/${encodeURIComponent(PUMP)}/comparison`)).body() as {
    profile: string;
    rows: { protocol: string; does: string; verdict: string; external: string[] }[];
  };
  expect(body.profile).toBe('infusion-pump/bbraun-space');
  expect(body.rows.every((row) => row.verdict !== 'no-profile')).toBe(true);
  expect(body.rows.some((row) => row.verdict === 'declared-unused')).toBe(true);
  expect(body.rows.flatMap((row) => row.external)).toContain('updates.example');
});

it('maps clinical data flows once, though both ends tell of them', async () => {
  const { rows } = (await get('/inventory/data-flows')).body() as { rows: object[] };
  expect(rows).toMatchObject([
    { type: 'infusion-pump', peer_type: 'ehr', service: 'hl7', encrypted: 'no', phi: 'yes', devices: 1, flows: 4 },
  ]);
  expect((await get('/inventory/data-flows?format=csv')).text).toMatch(/^type,peer_type.*\r\ninfusion-pump,ehr,/);
});

it('tells what has changed, a page at a time', async () => {
  const kinds: string[] = [];
  let cursor = '';
  do {
    const body = (await get(`/inventory/changes?from=${NOW - 2000}&to=${NOW}&limit=1${cursor}`)).body() as {
      rows: { kind: string; device: string }[];
      next: string | null;
    };
    kinds.push(...body.rows.map((row) => row.kind));
    cursor = body.next === null ? '' : `&cursor=${body.next}`;
  } while (cursor !== '');
  expect(kinds).toEqual(expect.arrayContaining(['os', 'channel', 'appeared']));
  expect(kinds.indexOf('os')).toBe(kinds.lastIndexOf('os'));
});

it('exports in four formats, and no cell begins a formula', async () => {
  expect((await get('/export/devices?sort=risk')).text.split('\r\n')).toHaveLength(5);
  expect((await get('/export/devices?text=cmd')).text).toContain("'=cmd");
  expect((await get('/export/devices?format=json')).body()).toHaveLength(3);
  expect((await get('/export/devices?format=ndjson')).text.trim().split('\n')).toHaveLength(3);
  expect(JSON.parse((await get('/export/devices?format=ocsf&text=braun')).text)).toBeTypeOf('object');
});

it('answers SQL, and refuses what reaches further', async () => {
  const ask = (sql: string) => app.inject({ method: 'POST', url: '/api/v1/query', payload: { sql } });
  const answer = await ask('SELECT count() AS n FROM devices');
  expect(answer.json()).toMatchObject({ columns: [{ name: 'n' }], rows: [[3]] });
  const refused = await ask("SELECT file('/etc/passwd')");
  expect(refused.statusCode).toBe(400);
  expect(refused.json()).toMatchObject({ detail: expect.stringContaining('file') as string });
});
