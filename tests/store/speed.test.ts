import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AlertFilter, DeviceFilter, Store } from '../../src/store/index.ts';
import { embeddedPlace } from './open.ts';
import type { Place } from './open.ts';
import { alertRow, deviceRow, severity } from './rows.ts';

const ALERTS = 100_000;
const DEVICES = 5_000;

/** Times are printed for whoever reads the run; none is asserted, since the machine decides them. */
describe(`pages of ${ALERTS} alerts`, () => {
  let place: Place;
  let store: Store;
  beforeAll(async () => {
    place = await embeddedPlace();
    store = await place.open();
    const ocsf = JSON.stringify({
      class_uid: 2004,
      evidences: Array.from({ length: 20 }, (_, i) => ({ frame: i, port: i * 7 })),
    });
    const alerts = Array.from({ length: ALERTS }, (_, i) =>
      // Uids in no order of time, as those of the product.
      alertRow(((i * 2_654_435_761) % 2 ** 32).toString(16).padStart(8, '0'), {
        time: 1.7e12 + i * 997,
        severity_id: severity(i),
        detector: `detector-${i % 12}`,
        device: `20/00:11:22:33:${(i >> 8) % 20}:${i % 250}`,
        device_name: `pump-${i % 5000}`,
        title: `New peer ${i % 100}`,
        ocsf,
      }),
    );
    const start = performance.now();
    await store.write({ alerts });
    console.info(`write ${ALERTS} alerts: ${((performance.now() - start) / 1000).toFixed(1)} s`);
    await store.write({
      devices: Array.from({ length: DEVICES }, (_, i) => deviceRow(`20/${i}`, { last_seen: 1e12 + i })),
    });
  });
  afterAll(() => place.clear());

  const median = async (run: () => Promise<unknown>): Promise<string> => {
    const times: number[] = [];
    for (let i = 0; i < 7; i++) {
      const start = performance.now();
      await run();
      times.push(performance.now() - start);
    }
    return `${times.sort((a, b) => a - b)[3]!.toFixed(0)} ms`;
  };

  it.each<[string, AlertFilter]>([
    ['newest', {}],
    ['worst', { sort: 'severity' }],
    ['high and above', { severityAtLeast: 4 }],
    ['one device', { device: '20/00:11:22:33:3:7' }],
    ['two words', { text: 'PEER pump-77' }],
    ['a word that is nowhere', { text: 'nowhere' }],
  ])('%s', async (name, filter) => {
    const first = await store.alerts(filter, 50);
    expect(first.rows.length).toBeLessThanOrEqual(50);
    console.info(`alerts, ${name} (${first.total}): ${await median(() => store.alerts(filter, 50))}`);
  });

  it('the second page, one alert, the overview', async () => {
    const { next, rows } = await store.alerts({}, 50);
    expect(next).toBeDefined();
    console.info(`second page: ${await median(() => store.alerts({}, 50, next))}`);
    console.info(`one alert: ${await median(() => store.alert(rows[0]!.uid))}`);
    console.info(`overview: ${await median(() => store.overview())}`);
  });

  it.each<[string, DeviceFilter]>([
    ['last seen', {}],
    ['by address', { sort: 'ip' }],
    ['text', { text: 'acme pump' }],
  ])('devices, %s', async (name, filter) => {
    expect((await store.devices(filter, 50)).total).toBe(DEVICES);
    console.info(`devices, ${name}: ${await median(() => store.devices(filter, 50))}`);
  });
});
