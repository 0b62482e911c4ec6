import { mkdtempSync, rmSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildApp } from '../../src/api/app.ts';
import type { DevicePage } from '../../src/api/schemas.ts';
import type { MergeActBody, MergesBody } from '../../src/api/schemas-inventory.ts';
import { openDatabase } from '../../src/desk/database.ts';
import { Merges } from '../../src/desk/inventory.ts';
import { deviceRow } from '../api/rows.ts';
import { openSite } from '../api/site.ts';
import type { Site } from '../api/site.ts';

describe('devices that people say are one', () => {
  let folder: string;
  let db: DatabaseSync;
  let merges: Merges;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'wardwatch-merges-'));
    db = openDatabase(join(folder, 'desk.sqlite'));
    merges = new Merges(db);
  });
  afterEach(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });

  it('are found by either key, and again by themselves when they are split', () => {
    expect(merges.merge('b', 'a', 'ada', 'docking station', 1)).toMatchObject({ kind: 'done' });
    expect(merges.mainOf('b')).toBe('a');
    expect(merges.membersOf('a')).toEqual(['a', 'b']);
    expect(merges.merge('a', 'b', 'ada', 'again', 2)).toMatchObject({ kind: 'refused' });
    expect(merges.split('b', 'eve', 'two carts', 3)).toMatchObject({ kind: 'done' });
    expect(merges.mainOf('b')).toBe('b');
    expect(merges.history(['b']).map(({ act, who, reason }) => [act, who, reason])).toEqual([
      ['split', 'eve', 'two carts'],
      ['merge', 'ada', 'docking station'],
    ]);
  });

  it('are not taken apart by an undo on which something later rests', () => {
    const first = merges.merge('b', 'a', 'ada', 'x', 1);
    const second = merges.merge('a', 'c', 'ada', 'x', 2);
    if (first.kind !== 'done' || second.kind !== 'done') throw new Error('refused');
    expect(merges.membersOf('c')).toEqual(['c', 'a', 'b']);
    expect(merges.undo(first.entry.id, 'ada', 3)).toMatchObject({ kind: 'refused' });
    expect(merges.undo(second.entry.id, 'ada', 4)).toMatchObject({ kind: 'done' });
    expect(merges.membersOf('a')).toEqual(['a', 'b']);
    expect(merges.undo(second.entry.id, 'ada', 5)).toMatchObject({ kind: 'refused' });
    expect(merges.undo(first.entry.id, 'ada', 6)).toMatchObject({ kind: 'done' });
    expect(merges.all().size).toBe(0);
    expect(merges.undo(99, 'ada', 7)).toBeUndefined();
  });

  it('stay flat whatever is done, and every act taken back at once leaves what was', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const step = fc.record({ act: fc.constantFrom('merge', 'split', 'undo'), one: key, other: key, id: fc.nat(12) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const now = (): string => JSON.stringify([...merges.all()]);
        for (const { act, one, other, id } of steps) {
          const before = now();
          if (act === 'undo') merges.undo(id + 1, 'x', 2);
          else {
            const outcome = act === 'merge' ? merges.merge(one, other, 'x', 'y', 1) : merges.split(one, 'x', 'y', 1);
            if (outcome.kind === 'done') {
              expect(merges.undo(outcome.entry.id, 'x', 2)).toMatchObject({ kind: 'done' });
              expect(now()).toBe(before);
              if (act === 'merge') merges.merge(one, other, 'x', 'y', 3);
              else merges.split(one, 'x', 'y', 3);
            } else expect(now()).toBe(before);
          }
          const members = [...merges.all().values()].flat();
          for (const main of merges.all().keys()) expect(members).not.toContain(main);
        }
      }),
      { seed: 6, numRuns: 25 },
    );
  });
});

describe('the inventory', () => {
  let site: Site;
  let app: FastifyInstance;
  const A = '20/00:00:00:00:00:01';
  const B = '20/02:00:00:00:00:02';
  const C = '30/00:00:00:00:00:03';
  const path = (key: string, rest: string): string => `/api/v1/devices/${encodeURIComponent(key)}/${rest}`;
  const post = (url: string, payload?: object) =>
    app.inject({ method: 'POST', url, ...(payload === undefined ? {} : { payload }) });

  beforeAll(async () => {
    const row = (device: string, over: object) =>
      deviceRow({ mac: device.slice(3), vlan: device.slice(0, 2), device, hostname: 'cart-7', ...over });
    site = await openSite({
      devices: [
        row(A, { ip: '10.20.0.1', ips: ['10.20.0.1'], packets: 10, last_seen: 5000 }),
        row(B, { ip: '10.20.0.2', ips: ['10.20.0.2'], packets: 7, last_seen: 9000 }),
        row(C, { ip: '10.30.0.3', ips: ['10.30.0.3'] }),
      ],
      identities: [
        { device: B, vlan: '20', time: 6000, kind: 'same-as', before: '', after: A, reason: 'has the same name' },
      ],
    });
    app = await buildApp(site.config(), site.deps);
  });
  afterAll(async () => {
    await app.close();
    await site.close();
  });

  it('suggests twins, shows merged devices in one row, and says who did it', async () => {
    const before = (await app.inject(path(B, 'merges'))).json<MergesBody>();
    expect(before).toMatchObject({ main: B, suggestions: [{ device: A, reason: 'has the same name' }], history: [] });
    const merged = await post(path(B, 'merges'), { other: A, reason: 'one cart, two adapters' });
    expect(merged.statusCode, merged.body).toBe(200);
    const { id } = merged.json<MergeActBody>();
    const page = (await app.inject('/api/v1/devices?text=cart-7')).json<DevicePage>();
    expect(page.total).toBe(2);
    expect(page.rows.find((one) => one.device === A)).toMatchObject({
      ips: ['10.20.0.1', '10.20.0.2'],
      packets: 17,
      last_seen: 9000,
    });
    expect((await app.inject('/api/v1/export/devices?text=cart-7')).body.trimEnd().split('\r\n')).toHaveLength(3);
    const after = (await app.inject(path(A, 'merges'))).json<MergesBody>();
    expect(after.parts.map((part) => part.device)).toEqual([A, B]);
    expect(after.history).toMatchObject([{ act: 'merge', device: B, other: A, who: 'local', undone_time: null }]);
    expect((await post(path(A, 'merges'), { other: B, reason: 'x' })).statusCode).toBe(409);
    expect((await post(`/api/v1/inventory/merges/${id}/undo`)).statusCode).toBe(200);
    expect((await app.inject('/api/v1/devices?text=cart-7')).json<DevicePage>().total).toBe(3);
  });

  it('does not suggest again what was rejected', async () => {
    expect((await post(path(B, 'distinct'), { other: A, reason: 'two carts' })).statusCode).toBe(200);
    expect((await app.inject(path(B, 'merges'))).json<MergesBody>().suggestions).toEqual([]);
  });

  it('says what cannot be', async () => {
    expect((await post(path(B, 'merges'), { other: '20/none', reason: 'x' })).statusCode).toBe(404);
    expect((await post(path(B, 'merges'), { other: A })).statusCode).toBe(400);
    expect((await post(path(C, 'split'), { reason: 'x' })).statusCode).toBe(409);
    expect((await post('/api/v1/inventory/merges/999/undo')).statusCode).toBe(404);
  });
});
