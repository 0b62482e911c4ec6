import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AlertRow, DeviceRow } from '../../src/kernel/rows.ts';
import { openEngine } from '../../src/store/engine.ts';
import { migrateStore } from '../../src/store/index.ts';
import type { AlertFilter, DeviceFilter, Page, Store, StoreConfig } from '../../src/store/index.ts';
import type { Place } from './open.ts';
import { HOSTILE, alertRow, deviceRow, flowRow, severity, windowRow } from './rows.ts';

const SEED = 20_240_601;

/** What every store promises, wherever its data lies. */
export function storeContract(name: string, newPlace: () => Promise<Place>): void {
  describe(`${name}: contract`, () => {
    let place: Place;
    beforeEach(async () => {
      place = await newPlace();
    });
    afterEach(async () => {
      await place.clear();
    });

    it('gives back each row as it was written', async () => {
      const store = await place.open();
      const alert = alertRow('a1', {
        parties: ['20/aa'],
        detectors: ['new-peer', 'scan'],
        time: -1,
        confidence_score: 0.1,
      });
      const device = deviceRow('20/00:11:22:33:44:55', { packets: 2 ** 52 + 1, ips: ['10.20.0.5', 'fe80::1'] });
      const full = flowRow('C1', { service: 'tls', inner_vlan: 7, vni: 2 ** 24 - 1, ja3: 'e7d7', ja4: 't13d' });
      const { orig_l2_addr: _o, resp_l2_addr: _r, vlan: _v, ...bare } = flowRow('C2', { ts: 1_700_000_001 });
      const window = windowRow(1_700_000_000_000);
      await store.write({ alerts: [alert], devices: [device], flows: [full, bare], windows: [window] });

      expect(await store.alert('a1')).toStrictEqual(alert);
      expect(await store.alerts({}, 10)).toStrictEqual({ rows: [alert], next: undefined, total: 1 });
      expect(await store.device(device.device)).toStrictEqual(device);
      expect(await store.devices({}, 10)).toStrictEqual({ rows: [device], next: undefined, total: 1 });
      const at = (vlan: string): DeviceRow => ({ ...device, device: `${vlan}/10.20.0.5`, vlan });
      expect(await store.flowsOf(at(''), 10)).toStrictEqual([bare]);
      expect(await store.flowsOf(at('20.7/16777215'), 10)).toStrictEqual([full]);
      expect(await store.flowsOf(at('20.7'), 10)).toStrictEqual([]);
      expect(await store.windowsOf(window.device, 10, 0, 2e12)).toStrictEqual([window]);
      expect(await store.alert('nobody')).toBeUndefined();
      expect(await store.device('nobody')).toBeUndefined();
    });

    it('takes any text and gives it back, as data only', async () => {
      const store = await place.open();
      const rows = HOSTILE.map((text, i) =>
        alertRow(`${text}-${i}`, {
          title: text,
          message: text,
          device: text,
          parties: [text],
          ocsf: JSON.stringify({ text }),
        }),
      );
      const devices = HOSTILE.map((text) =>
        deviceRow(`1/${text}`, { hostname: text, vendor_name: text, model: text, ips: [text] }),
      );
      const long = 'é😀'.repeat(200_000);
      await store.write({ alerts: [...rows, alertRow('long', { message: long, device: 'long' })], devices });
      for (const row of rows) {
        expect(await store.alert(row.uid)).toStrictEqual(row);
        expect((await store.alerts({ device: row.device }, 10)).rows).toStrictEqual([row]);
        expect((await store.alerts({ detector: row.title }, 10)).total).toBe(0);
      }
      for (const device of devices) {
        expect(await store.device(device.device)).toStrictEqual(device);
        const found = await store.devices({ fields: { vendor_name: [device.vendor_name] }, text: device.hostname }, 10);
        expect(found.rows).toStrictEqual([device]);
        expect((await store.devices({ fields: { type: [device.hostname], vlan: [device.hostname] } }, 10)).total).toBe(
          0,
        );
      }
      expect((await store.alert('long'))?.message).toBe(long);
      expect((await store.alerts({ text: long, device: long, detector: long }, 10)).total).toBe(0);
      expect(await store.alert(long)).toBeUndefined();
    });

    it('replaces half a surrogate pair and numbers no column could hold instead of refusing the rows', async () => {
      const store = await place.open();
      await store.write({
        alerts: [alertRow('a', { title: 'x\ud800y', findings: Number.NaN, risk_score: Infinity, time: 1.5 })],
        windows: [windowRow(0, { features: { a: Number.NaN, b: -Infinity, c: 3 } })],
        flows: [flowRow('C', { 'id.orig_p': 70_000, orig_bytes: -5, duration: Number.NaN })],
      });
      expect(await store.alert('a')).toMatchObject({ title: 'x\ufffdy', findings: 0, risk_score: 0, time: 1 });
      expect((await store.windowsOf(windowRow(0).device, 10, 0, 0))[0]?.features).toStrictEqual({ c: 3 });
      const [flow] = await store.flowsOf(deviceRow('20/00:11:22:33:44:55'), 1);
      expect(flow).toMatchObject({ 'id.orig_p': 65_535, orig_bytes: 0, duration: 0 });
    });

    it('gives back random text (property)', async () => {
      const store = await place.open();
      let n = 0;
      const text = fc.string({ unit: 'binary', maxLength: 40 });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(text, text, text), { minLength: 1, maxLength: 20 }), async (texts) => {
          const rows = texts.map(([a, b, c]) =>
            alertRow(`u${n++}`, { title: a, device_name: b, detectors: [c], message: a + c }),
          );
          await store.write({ alerts: rows });
          for (const row of rows) expect(await store.alert(row.uid)).toStrictEqual(row);
        }),
        { seed: SEED, numRuns: 25 },
      );
    });

    it('shows rows once that were written again', async () => {
      const store = await place.open();
      const batch = {
        alerts: [alertRow('a1'), alertRow('a2', { severity_id: 5 })],
        devices: [deviceRow('20/00:11:22:33:44:55')],
        flows: [flowRow('C1'), flowRow('C2')],
        windows: [windowRow(0), windowRow(10_000)],
        scores: [
          {
            window_start: 0,
            window_s: 10,
            device: 'd',
            vlan: '',
            detector: 'x',
            score: 1,
            p_value: 0.5,
            n_calibration: 9,
            top_features: ['a'],
          },
        ],
        observations: [
          { ts: 1.5, flow_uid: 'C1', device: 'd', protocol: 'hl7', kind: 'message', size: 7, name: 'x' },
          { ts: 1.5, flow_uid: 'C1', device: 'd', protocol: 'hl7', kind: 'message', size: 8, name: 'x' },
        ],
      };
      for (let i = 0; i < 3; i++) await store.write(batch);
      await Promise.all([store.write(batch), store.write(batch)]);
      expect((await store.alerts({}, 10)).total).toBe(2);
      expect((await store.alerts({}, 10)).rows).toHaveLength(2);
      expect((await store.devices({}, 10)).total).toBe(1);
      expect(await store.flowsOf(batch.devices[0]!, 10)).toHaveLength(2);
      expect(await store.windowsOf(windowRow(0).device, 10, 0, 1e9)).toHaveLength(2);
      expect(await store.overview()).toStrictEqual({
        alertsBySeverity: { '3': 1, '5': 1 },
        devicesByType: { infusion_pump: 1 },
        flows: 2,
      });
      await store.stop();
      expect(await countRows(place.config, 'scores')).toBe(1);
      expect(await countRows(place.config, 'observations')).toBe(2);
    });

    it('keeps the highest version whatever the order of arrival', async () => {
      const store = await place.open();
      const versions = [3, 1, 4, 2];
      for (const version of versions) {
        await store.write({
          alerts: [alertRow('a', { version, severity_id: severity(version), title: `v${version}` })],
          devices: [deviceRow('1/x', { version, hostname: `h${version}`, type: `t${version}` })],
        });
      }
      await store.write({ alerts: [9, 7, 8].map((version) => alertRow('b', { version, title: `v${version}` })) });
      expect((await store.alert('a'))?.title).toBe('v4');
      expect((await store.alert('b'))?.title).toBe('v9');
      expect((await store.device('1/x'))?.hostname).toBe('h4');
      // A version that no longer counts must not be found by what it said.
      expect((await store.alerts({ text: 'v2' }, 10)).total).toBe(0);
      expect((await store.alerts({}, 10)).rows.map((row) => row.title).sort()).toEqual(['v4', 'v9']);
      expect((await store.devices({ fields: { type: ['t3'] } }, 10)).rows).toEqual([]);
      expect((await store.overview()).devicesByType).toEqual({ t4: 1 });
    });

    it('pages through alerts without a gap or a repeat while others arrive', async () => {
      const store = await place.open();
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom('time' as const, 'severity' as const),
          // Few different times: most alerts stand at the same place but for their uid.
          fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 60 }),
          fc.integer({ min: 1, max: 13 }),
          async (sort, times, size) => {
            const run = `${sort}-${serial++}`;
            const make = (time: number, i: number, kind: string): AlertRow =>
              alertRow(`${run}-${kind}-${i}`, { time: 1e12 + time, severity_id: severity(i), device: run });
            const before = times.map((time, i) => make(time, i, 'old'));
            await store.write({ alerts: before });
            let arrived = 0;
            const seen = await pages(
              (cursor) => store.alerts({ device: run, sort }, size, cursor),
              async () => {
                const late = Array.from({ length: 3 }, () => make((arrived * 7) % 10, arrived++, 'new'));
                await store.write({ alerts: late });
              },
            );
            const uids = seen.map((row) => row.uid);
            expect(new Set(uids).size).toBe(uids.length);
            expect(uids.filter((uid) => uid.includes('-old-')).sort()).toEqual(before.map((row) => row.uid).sort());
            const order = (row: AlertRow): number[] => (sort === 'time' ? [row.time] : [row.severity_id, row.time]);
            expect(seen.map(order)).toEqual(seen.map(order).sort((a, b) => compare(b, a)));
          },
        ),
        { seed: SEED, numRuns: 12 },
      );
    });

    it('pages through devices in each order', async () => {
      const store = await place.open();
      const devices = Array.from({ length: 40 }, (_, i) =>
        deviceRow(`1/${i}`, {
          ip: i === 0 ? '' : i % 7 === 0 ? `fe80::${i}` : `10.0.${i % 2}.${i}`,
          hostname: i % 5 === 0 ? '' : `${i % 2 === 0 ? 'H' : 'h'}ost-${i % 11}`,
          type: ['pump', 'Monitor', 'ct', 'unknown'][i % 4]!,
          vendor_name: ['Acme', '', 'zeta'][i % 3]!,
          risk_score: i % 9,
          confidence: (i % 5) / 10,
          bytes: i % 6,
          first_seen: 1e12 + (i % 4),
          last_seen: 1e12 - (i % 6),
        }),
      );
      await store.write({ devices });
      const last = (text: string): string => `${text === '' ? 1 : 0}${text.toLowerCase()}`;
      const keys: Record<NonNullable<DeviceFilter['sort']>, (row: DeviceRow) => number[] | string> = {
        last_seen: (row) => [-row.last_seen],
        first_seen: (row) => [-row.first_seen],
        hostname: (row) => last(row.hostname),
        type: (row) => last(row.type),
        vendor_name: (row) => last(row.vendor_name),
        risk: (row) => [-row.risk_score, -row.last_seen],
        confidence: (row) => [row.confidence],
        bytes: (row) => [-row.bytes],
        unknown: (row) => [row.type === 'unknown' ? 0 : 1, -row.risk_score, -row.last_seen],
        ip: (row) =>
          row.ip === ''
            ? [0]
            : row.ip.includes(':')
              ? [2, Number.parseInt(row.ip.slice(6), 16)]
              : [1, ...row.ip.split('.').map(Number)],
      };
      for (const sort of Object.keys(keys) as (keyof typeof keys)[]) {
        const seen = await pages((cursor) => store.devices({ sort }, 7, cursor));
        expect(seen.map((row) => row.device).sort()).toEqual(devices.map((row) => row.device).sort());
        const shown = seen.map(keys[sort]);
        expect(shown).toEqual([...shown].sort(compare));
      }
    });

    it('filters alerts just as a plain reading of the filter says', async () => {
      const store = await place.open();
      const rows = Array.from({ length: 120 }, (_, i) =>
        alertRow(`f${i}`, {
          time: 1e12 + (i % 17) * 1000,
          severity_id: severity(i),
          detector: `d${i % 3}`,
          detectors: [`d${i % 3}`, `d${i % 4}`],
          device: `1/${i % 5}`,
          parties: [`1/${i % 7}`],
          title: ['Änderung at PUMP', 'scan of ports', 'PHI leaves'][i % 3]!,
          device_name: `Name_${i % 10}%`,
          device_ip: `10.0.0.${i % 10}`,
          device_type: i % 2 === 0 ? 'Infusion_Pump' : 'mri',
        }),
      );
      await store.write({ alerts: rows });
      const option = <T>(arb: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
        fc.option(arb, { nil: undefined, freq: 2 });
      await fc.assert(
        fc.asyncProperty(
          option(fc.integer({ min: 0, max: 6 })),
          option(fc.constantFrom('1/0', '1/4', '1/6', '1/9')),
          option(fc.constantFrom('d0', 'd3', 'd9')),
          option(
            fc.constantFrom(
              'pump',
              'änderung',
              'MRI scan',
              '10.0.0.1',
              'name_1%',
              'e_%',
              'ports mri 10.0',
              ' ',
              'nothing',
            ),
          ),
          option(fc.nat({ max: 17 })),
          option(fc.nat({ max: 17 })),
          async (severityAtLeast, device, detector, text, from, to) => {
            const filter: AlertFilter = {
              ...(severityAtLeast === undefined ? {} : { severityAtLeast }),
              ...(device === undefined ? {} : { device }),
              ...(detector === undefined ? {} : { detector }),
              ...(text === undefined ? {} : { text }),
              ...(from === undefined ? {} : { from: 1e12 + from * 1000 }),
              ...(to === undefined ? {} : { to: 1e12 + to * 1000 }),
            };
            const expected = rows.filter((row) => matches(row, filter)).map((row) => row.uid);
            const page = await store.alerts(filter, 500);
            expect(page.rows.map((row) => row.uid).sort()).toEqual(expected.sort());
            expect(page.total).toBe(expected.length);
          },
        ),
        { seed: SEED, numRuns: 60 },
      );
    });

    it('filters devices', async () => {
      const store = await place.open();
      await store.write({
        devices: [
          deviceRow('10/aa', {
            type: 'mri',
            vendor_name: 'Müller AG',
            hostname: 'MRI-West',
            ips: ['10.1.1.1', '10.1.1.2'],
          }),
          deviceRow('20/bb', { type: 'mri', vendor_name: 'Acme', model: 'West 3000' }),
          deviceRow('20/cc', { type: 'ct', vendor_name: 'Acme' }),
        ],
      });
      const keys = async (filter: DeviceFilter): Promise<string[]> =>
        (await store.devices(filter, 10)).rows.map((row) => row.device).sort();
      expect(await keys({ fields: { type: ['mri'] } })).toEqual(['10/aa', '20/bb']);
      expect(await keys({ fields: { vendor_name: ['MÜLLER ag'] } })).toEqual(['10/aa']);
      expect(await keys({ fields: { vlan: ['20'] } })).toEqual(['20/bb', '20/cc']);
      expect(await keys({ text: 'west' })).toEqual(['10/aa', '20/bb']);
      expect(await keys({ text: '10.1.1.2 WEST' })).toEqual(['10/aa']);
      expect(await keys({ ip: '10.1.1.0/30' })).toEqual(['10/aa']);
      expect(await keys({ vlans: ['10'] })).toEqual(['10/aa']);
      expect(await keys({ without: ['20/cc'], fields: { vendor_name: ['acme'] } })).toEqual(['20/bb']);
      await expect(keys({ ip: "10.1.1.1' OR 1" })).rejects.toMatchObject({ code: 'WW_USAGE' });
      const [types] = await store.facets({ fields: { vendor_name: ['acme'] } }, ['type'], 10);
      expect(types?.values).toEqual([
        { value: 'ct', n: 1 },
        { value: 'mri', n: 1 },
      ]);
      expect(await keys({ text: 'acme', fields: { vlan: ['20'], type: ['ct', 'xray'] } })).toEqual(['20/cc']);
    });

    it('refuses a cursor that is not of this list, and nothing else of it', async () => {
      const store = await place.open();
      await store.write({ alerts: Array.from({ length: 5 }, (_, i) => alertRow(`a${i}`)) });
      const { next } = await store.alerts({ sort: 'time' }, 2);
      expect(next).toBeTypeOf('string');
      await expect(store.alerts({ sort: 'severity' }, 2, next)).rejects.toMatchObject({ code: 'WW_USAGE' });
      await expect(store.devices({}, 2, next)).rejects.toMatchObject({ code: 'WW_USAGE' });
      const forged = fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.base64String(),
        fc.json().map((json) => Buffer.from(json).toString('base64url')),
        fc.constant(Buffer.from('["time",1e999,"a"]').toString('base64url')),
        fc.constant('A'.repeat(100_000)),
      );
      await fc.assert(
        fc.asyncProperty(forged, async (cursor) => {
          await expect(store.alerts({ sort: 'time' }, 2, cursor)).rejects.toMatchObject({ code: 'WW_USAGE' });
        }),
        { seed: SEED, numRuns: 200 },
      );
      // Well formed, with a hostile uid: an empty place in the list, no more.
      const injected = Buffer.from(JSON.stringify(['time', 0, "') OR 1=1 --"])).toString('base64url');
      expect((await store.alerts({ sort: 'time' }, 2, injected)).rows).toEqual([]);
    });

    it('finds the flows of a device by its MAC, or by address behind a router', async () => {
      const store = await place.open();
      const mac = '00:11:22:33:44:55';
      await store.write({
        flows: [
          flowRow('orig', { ts: 100, duration: 50 }),
          flowRow('resp', {
            ts: 200,
            orig_l2_addr: 'x',
            resp_l2_addr: mac,
            'id.orig_h': '9.9.9.9',
            'id.resp_h': '10.20.0.77',
          }),
          flowRow('other-vlan', { ts: 300, vlan: 21 }),
          flowRow('routed', { ts: 400, orig_l2_addr: 'gateway', 'id.orig_h': '10.30.0.5', vlan: 20 }),
          flowRow('routed-back', {
            ts: 500,
            orig_l2_addr: 'gateway',
            'id.orig_h': '9.9.9.9',
            'id.resp_h': 'fd00::5',
            vlan: 20,
          }),
        ],
      });
      const uids = async (...args: Parameters<Store['flowsOf']>): Promise<string[]> =>
        (await store.flowsOf(...args)).map((flow) => flow.uid);
      const pump = deviceRow(`20/${mac}`);
      expect(await uids(pump, 10)).toEqual(['resp', 'orig']);
      expect(await uids(pump, 1)).toEqual(['resp']);
      expect(await uids(pump, 10, { from: 140_000, to: 199_999 })).toEqual(['orig']);
      expect(await uids(pump, 10, { from: 150_001, to: 199_999 })).toEqual([]);
      const routed = deviceRow('20/10.30.0.5', { mac: 'gateway', ip: '10.30.0.5', ips: ['10.30.0.5', 'fd00::5'] });
      expect(await uids(routed, 10)).toEqual(['routed-back', 'routed']);
      expect(await uids(deviceRow('20/gateway', { mac: 'gateway', is_gateway: true, ip: '', ips: [] }), 10)).toEqual(
        [],
      );
      for (const text of HOSTILE) {
        expect(await uids(deviceRow(`1/${text}`, { mac: text, vlan: text }), 10)).toEqual([]);
        expect(await uids(deviceRow('1/x', { mac: '', vlan: text, ip: text, ips: [text, text] }), 10)).toEqual([]);
      }
    });

    it('gives the windows of one device and size within a time, oldest first', async () => {
      const store = await place.open();
      await store.write({
        windows: [
          ...[3, 1, 2, 0].map((i) => windowRow(i * 10_000)),
          windowRow(10_000, { window_s: 60 }),
          windowRow(10_000, { device: 'other' }),
        ],
      });
      const rows = await store.windowsOf(windowRow(0).device, 10, 10_000, 30_000);
      expect(rows.map((row) => row.window_start)).toEqual([10_000, 20_000, 30_000]);
    });

    it('keeps its rows when it is stopped and started again, and its schema is brought up to date twice', async () => {
      const first = await place.open();
      const pending = first.write({ alerts: [alertRow('a')] });
      await first.stop();
      await pending;
      expect(await migrateStore(place.config)).toEqual([]);
      const second = await place.open();
      expect((await second.alert('a'))?.uid).toBe('a');
    });

    it('can be brought up to date by several at once', async () => {
      const applied = await Promise.all([
        migrateStore(place.config),
        migrateStore(place.config),
        migrateStore(place.config),
      ]);
      expect(applied.flat()).toContain('table alerts');
      expect(await migrateStore(place.config)).toEqual([]);
      const store = await place.open();
      await store.write({ alerts: [alertRow('a')] });
      expect((await store.alerts({}, 1)).total).toBe(1);
    });

    it('finishes a schema that was left half done', async () => {
      await migrateStore(place.config);
      await command(place.config, `DROP TABLE ${place.config.database}.flows SYNC`);
      await command(place.config, `TRUNCATE TABLE ${place.config.database}.schema_steps`);
      expect(await migrateStore(place.config)).toEqual(['table flows']);
      expect(await migrateStore(place.config)).toEqual([]);
    });

    it('refuses a schema of a newer program and leaves it alone', async () => {
      await (await place.open()).stop();
      await command(
        place.config,
        `INSERT INTO ${place.config.database}.schema_steps (name) VALUES ('column alerts.from_the_future')`,
      );
      await expect(place.open()).rejects.toMatchObject({ code: 'WW_STORE_SCHEMA' });
      await expect(migrateStore(place.config)).rejects.toMatchObject({ code: 'WW_STORE_SCHEMA' });
    });

    it('follows a changed retention', async () => {
      await (await place.open()).stop();
      const changed = {
        ...place.config,
        retention_days: { ...place.config.retention_days, alerts: 7, devices: 90, flows: 0 },
      };
      expect(await migrateStore(changed)).toEqual([
        'retention alerts',
        'retention devices',
        'retention channels',
        'retention addresses',
        'retention identities',
        'retention flows',
      ]);
      expect(await migrateStore(changed)).toEqual([]);
      expect(await migrateStore(place.config)).toEqual([
        'retention alerts',
        'retention devices',
        'retention channels',
        'retention addresses',
        'retention identities',
        'retention flows',
      ]);
    });

    it('counts retention from the day of storing: rows of any year stay', async () => {
      const store = await place.open();
      await store.write({ alerts: [alertRow('old', { time: 0 })], flows: [flowRow('C-old', { ts: 1 })] });
      await store.stop();
      for (const table of ['alerts', 'flows'])
        await command(place.config, `OPTIMIZE TABLE ${place.config.database}.${table} FINAL`);
      expect(await countRows(place.config, 'alerts')).toBe(1);
      expect(await countRows(place.config, 'flows')).toBe(1);
      await command(
        place.config,
        `INSERT INTO ${place.config.database}.alerts (uid, ingested_at) VALUES ('expired', '2001-01-01 00:00:00')`,
      );
      await command(place.config, `OPTIMIZE TABLE ${place.config.database}.alerts FINAL`);
      expect(await countRows(place.config, 'alerts')).toBe(1);
    });

    it('says so when it is used before its start or after its end', async () => {
      const store = await place.open();
      await store.ping();
      await store.stop();
      await expect(store.write({ alerts: [alertRow('a')] })).rejects.toMatchObject({ code: 'WW_STORE' });
      await expect(store.alerts({}, 1)).rejects.toMatchObject({ code: 'WW_STORE' });
      await expect(store.ping()).rejects.toMatchObject({ code: 'WW_STORE' });
    });

    it('takes a batch far larger than one insert', async () => {
      const store = await place.open({ write: { batch_rows: 1000, buffer_bytes: 100_000 } });
      const alerts = Array.from({ length: 7500 }, (_, i) => alertRow(`many-${i}`, { time: i }));
      await Promise.all([store.write({ alerts: alerts.slice(0, 5000) }), store.write({ alerts: alerts.slice(4000) })]);
      expect((await store.alerts({}, 1)).total).toBe(7500);
    });
  });
}

let serial = 0;

async function pages<T>(read: (cursor?: string) => Promise<Page<T>>, between?: () => Promise<void>): Promise<T[]> {
  const seen: T[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<T> = await read(cursor);
    seen.push(...page.rows);
    cursor = page.next;
    if (cursor !== undefined) await between?.();
    // Late alerts are few and finite places lie before the end, so that paging comes to one.
  } while (cursor !== undefined && seen.length < 10_000);
  return seen;
}

function compare(a: readonly number[] | string, b: readonly number[] | string): number {
  if (typeof a === 'string' || typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? -1) - (b[i] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}

function matches(row: AlertRow, filter: AlertFilter): boolean {
  const haystack = [row.title, row.message, row.device_name, row.device_ip, row.device_mac, row.device_type]
    .join('\n')
    .toLowerCase();
  return (
    row.severity_id >= (filter.severityAtLeast ?? 0) &&
    (filter.device === undefined || row.device === filter.device || row.parties.includes(filter.device)) &&
    (filter.detector === undefined || row.detectors.includes(filter.detector)) &&
    row.time >= (filter.from ?? -Infinity) &&
    row.time <= (filter.to ?? Infinity) &&
    (filter.text ?? '').split(/\s+/).every((word) => haystack.includes(word.toLowerCase()))
  );
}

async function command(config: StoreConfig, query: string): Promise<void> {
  const engine = await openEngine(config);
  try {
    await engine.client.command({ query });
  } finally {
    await engine.close();
  }
}

async function countRows(config: StoreConfig, table: string): Promise<number> {
  const engine = await openEngine(config);
  try {
    const answer = await engine.client.query({
      query: `SELECT count() AS n FROM ${config.database}.${table} FINAL`,
      format: 'JSONEachRow',
    });
    return Number((await answer.json<{ n: number }>())[0]?.n);
  } finally {
    await engine.close();
  }
}
