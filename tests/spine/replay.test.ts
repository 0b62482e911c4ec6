import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createReplayBus } from '../../src/app/replay-bus.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { describeWithBroker } from '../support/kafka/shared.ts';
import { canariesOf, leaked } from './canaries.ts';
import { OUTPUTS, accounted, configWith, replayInto, useFolder } from './replays.ts';
import type { Output, Replayed } from './replays.ts';

type Json = Record<string, unknown>;

function linesOf(text: string): Json[] {
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Json);
}

/**
 * The text without the fields that say where a frame lies: they are outside the promise, because a frame in
 * Kafka lies elsewhere than the same frame in a file.
 */
function withoutPlaces(output: Output, text: string): string {
  if (output !== 'alerts.ndjson' && output !== 'notices.ndjson') return text;
  return linesOf(text)
    .map((alert) => JSON.stringify({ ...alert, unmapped: { ...(alert['unmapped'] as Json), frames: undefined } }))
    .join('\n');
}

const isSorted = (values: readonly number[]): boolean => values.every((value, i) => i === 0 || values[i - 1]! <= value);

describeWithCaptures('replay of the clinical captures', (captures) => {
  const clinical = join(captures, 'clinical');
  const files = readdirSync(clinical)
    .filter((file) => /^[BC]-.*\.pcap\.gz$/.test(file))
    .map((file) => join(clinical, file));
  const learn = [join(clinical, 'A-benign-learn.pcap.gz')];
  const folder = useFolder();
  let first: Replayed;

  beforeAll(async () => {
    first = await replayInto(folder('first'), { learn, files });
  }, 300_000);

  async function expectSame(other: Replayed): Promise<void> {
    for (const output of OUTPUTS) {
      const [a, b] = [await first.text(output), await other.text(output)];
      // Not toBe: a difference would be printed whole.
      expect(withoutPlaces(output, a) === withoutPlaces(output, b), `${output} has the same bytes`).toBe(true);
    }
  }

  describe('gives the same bytes', () => {
    it('twice', { timeout: 300_000 }, async () => {
      const second = await replayInto(folder('second'), { learn, files });
      for (const output of OUTPUTS)
        expect((await first.text(output)) === (await second.text(output)), output).toBe(true);
    });

    it.each([1, 7])('in batches of %i', { timeout: 300_000 }, async (batchFrames) => {
      await expectSame(await replayInto(folder(`batches-${batchFrames}`), { learn, files, batchFrames }));
    });

    describeWithBroker('through Kafka', (brokers) => {
      it('in records of another size', { timeout: 300_000 }, async () => {
        const config = configWith({ WARDWATCH_BUS__KAFKA__BROKERS: brokers() });
        const bus = await createReplayBus(config.bus.kafka);
        const { summary } = first;
        const other = await replayInto(folder('kafka'), { learn, files, config, bus });
        expect(other.summary.frames_read).toBe(summary.frames_read);
        expect(other.summary.frames_dropped).toEqual({});
        await expectSame(other);
      });
    });
  });

  it('accounts for every frame', () => {
    const truth = [...learn, ...files].map(
      (file) => JSON.parse(readFileSync(file.replace('.pcap.gz', '.truth.json'), 'utf8')) as { frames: number },
    );
    const { summary } = first;
    expect(summary.frames_read).toBe(truth.reduce((n, t) => n + t.frames, 0));
    expect(accounted(summary)).toBe(summary.frames_read);
    expect(summary).toMatchObject({
      frames_dropped: {},
      frames_undecodable: {},
      truncated: false,
      detectors_off: [],
      flow_evictions: 0,
    });
    expect(first.warnings).toEqual([]);
  });

  it('counts in the summary what stands in the files', async () => {
    const count = async (output: Output): Promise<number> => linesOf(await first.text(output)).length;
    expect(first.summary).toMatchObject({
      alerts: await count('alerts.ndjson'),
      devices: await count('devices.ndjson'),
      flows: await count('flows.ndjson'),
      observations: await count('observations.ndjson'),
    });
  });

  it('writes alerts as OCSF Detection Findings (2004), sorted by time and uid', async () => {
    const alerts = linesOf(await first.text('alerts.ndjson'));
    expect(alerts.length).toBeGreaterThan(0);
    const order = alerts.map(
      (a) => `${String(a['time']).padStart(16, '0')} ${String((a['finding_info'] as Json)['uid'])}`,
    );
    expect(order).toEqual([...order].sort());
    expect(new Set(alerts.map((a) => (a['finding_info'] as Json)['uid'])).size).toBe(alerts.length);
    const keys = Object.keys(alerts[0]!);
    for (const alert of alerts) {
      expect(Object.keys(alert)).toEqual(keys);
      expect(alert).toMatchObject({
        class_uid: 2004,
        category_uid: 2,
        type_uid: 200_400 + Number(alert['activity_id']),
        metadata: { version: expect.stringMatching(/^\d+\.\d+\.\d+$/), product: { name: 'Wardwatch' } },
        finding_info: {
          uid: expect.stringMatching(/\S/),
          title: expect.stringMatching(/\S/),
          analytic: { uid: expect.stringMatching(/^[a-z][a-z0-9-]*$/), type_id: expect.any(Number) },
          attacks: expect.any(Array),
        },
        device: {
          mac: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
          type: expect.any(String),
          type_id: expect.any(Number),
        },
        status_id: expect.any(Number),
        evidences: expect.any(Array),
        anomaly_analyses: expect.any(Array),
        message: expect.stringMatching(/\S/),
      });
      expect([1, 2, 3, 4, 5]).toContain(alert['severity_id']);
      for (const score of [alert['confidence_score'], alert['risk_score']] as number[]) {
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(100);
      }
      const times = [alert['start_time'], alert['time'], alert['end_time']] as number[];
      for (const time of times) expect(Number.isSafeInteger(time)).toBe(true);
      expect(isSorted(times), `start, time, end of ${JSON.stringify(times)}`).toBe(true);
      const info = alert['finding_info'] as { attacks: { technique: { uid: string } }[] };
      for (const attack of info.attacks) expect(attack.technique.uid).toMatch(/^T\d{4}(\.\d{3})?$/);
    }
  });

  it('writes MAC addresses in lower case with colons, wherever they stand', async () => {
    for (const output of ['alerts.ndjson', 'devices.ndjson', 'flows.ndjson'] as const) {
      const macs = [...(await first.text(output)).matchAll(/"(?:mac|orig_l2_addr|resp_l2_addr)":"([^"]*)"/g)];
      expect(macs.length).toBeGreaterThan(0);
      expect(macs.map((m) => m[1]!).filter((mac) => !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac))).toEqual([]);
    }
  });

  it('writes devices as OCSF Device Inventory (5001) with types of the class list', async () => {
    const classes = readFileSync(new URL('../../profiles/classes.json', import.meta.url), 'utf8');
    const devices = linesOf(await first.text('devices.ndjson'));
    const truth = JSON.parse(readFileSync(join(clinical, 'A-benign-learn.truth.json'), 'utf8')) as {
      devices: { mac: string }[];
    };
    const macs = devices.map((d) => (d['device'] as Json)['mac']);
    expect(truth.devices.map((d) => d.mac).filter((mac) => !macs.includes(mac))).toEqual([]);
    expect(new Set(macs).size).toBe(macs.length);
    for (const line of devices) {
      expect(line).toMatchObject({
        class_uid: 5001,
        category_uid: 5,
        type_uid: 500_102,
        activity_id: 2,
        severity_id: 1,
        metadata: { version: expect.any(String), product: { name: 'Wardwatch' } },
      });
      const device = line['device'] as { type: string; vlan_uid: string };
      expect(device.vlan_uid).toBe('220');
      if (device.type !== 'unknown') expect(classes).toContain(`"${device.type}"`);
      expect(Number.isSafeInteger(line['time'])).toBe(true);
      const fields = (line['unmapped'] as { fields: Record<string, Json> }).fields;
      for (const field of Object.values(fields)) {
        expect(field['confidence']).toBeGreaterThanOrEqual(0);
        expect(field['confidence']).toBeLessThanOrEqual(1);
        expect(field['evidence']).toEqual(expect.any(Array));
      }
    }
    const seen = devices.map((d) => (d['device'] as { first_seen_time: number }).first_seen_time);
    expect(isSorted(seen)).toBe(true);
  });

  it('writes flows with the names of Zeek’s conn.log, sorted by time', async () => {
    const flows = linesOf(await first.text('flows.ndjson'));
    const required = [
      ...['ts', 'uid', 'id.orig_h', 'id.orig_p', 'id.resp_h', 'id.resp_p', 'proto', 'duration', 'orig_bytes'],
      ...['resp_bytes', 'conn_state', 'history', 'orig_pkts', 'orig_ip_bytes', 'resp_pkts', 'resp_ip_bytes'],
      ...['missed_bytes', 'community_id', 'vlan'],
    ];
    const allowed = [
      ...required,
      ...['service', 'orig_l2_addr', 'resp_l2_addr', 'inner_vlan', 'vni', 'ja3', 'ja4', 'local_orig', 'local_resp'],
    ];
    for (const flow of flows) {
      const keys = Object.keys(flow);
      for (const name of required) if (!keys.includes(name)) expect.fail(`${name} is missing in ${keys.join(' ')}`);
      for (const name of keys) if (!allowed.includes(name)) expect.fail(`${name} is no field of conn.log`);
    }
    const states = 'S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH'.split(' ');
    expect([...new Set(flows.map((f) => String(f['conn_state'])))].filter((s) => !states.includes(s))).toEqual([]);
    expect(flows.every((f) => /^1:[A-Za-z0-9+/]{27}=$/.test(String(f['community_id'])))).toBe(true);
    expect(isSorted(flows.map((f) => Number(f['ts'])))).toBe(true);
    expect(new Set(flows.map((f) => f['uid'])).size).toBe(flows.length);
  });

  it('writes observations and scores sorted by time', async () => {
    const observations = linesOf(await first.text('observations.ndjson'));
    for (const o of observations) {
      const keys = Object.keys(o).slice(0, 5);
      if (keys.join() !== 'ts,flow_uid,device,protocol,kind') expect.fail(`fields in the order ${keys.join()}`);
    }
    expect(isSorted(observations.map((o) => Number(o['ts'])))).toBe(true);
    const scores = linesOf(await first.text('scores.ndjson'));
    expect(scores.length).toBeGreaterThan(0);
    for (const s of scores) {
      const keys = Object.keys(s).join();
      if (keys !== 'window_start,window_s,device,vlan,detector,score,p_value,n_calibration,top_features')
        expect.fail(`fields ${keys}`);
      if (![10, 60].includes(Number(s['window_s']))) expect.fail(`a window of ${String(s['window_s'])} s`);
      const p = Number(s['p_value']);
      if (!(p > 0 && p <= 1)) expect.fail(`p = ${p}`);
    }
    expect(isSorted(scores.map((s) => Number(s['window_start'])))).toBe(true);
  });

  it('leaves the patients in the decoder', () => {
    const canaries = canariesOf(clinical);
    for (const file of readdirSync(first.dir))
      expect(leaked(readFileSync(join(first.dir, file)), canaries), file).toEqual([]);
  });
});
