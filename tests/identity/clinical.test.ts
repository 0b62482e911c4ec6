import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { HotPath } from '../../src/app/hot-path.ts';
import { loadConfig } from '../../src/config/index.ts';
import { dissectors } from '../../src/decode/app/registry.ts';
import { loadClasses } from '../../src/identity/classes.ts';
import { createDecider } from '../../src/identity/decide.ts';
import { loadKnowledge } from '../../src/identity/load.ts';
import { createOuiTable } from '../../src/identity/oui.ts';
import type { DeviceRow } from '../../src/kernel/rows.ts';
import { createFileSource } from '../../src/sources/index.ts';
import { describeWithCaptures } from '../support/captures.ts';

interface TruthDevice {
  id: string;
  mac: string;
  hostname: string;
  type: string;
  vendor: string;
}

describeWithCaptures('devices of the emulated clinical network', (captures) => {
  let truth: TruthDevice[];
  const rows = new Map<string, DeviceRow>();

  beforeAll(async () => {
    const dir = join(captures, 'clinical');
    truth = (JSON.parse(readFileSync(join(dir, 'C-arp_spoof.truth.json'), 'utf8')) as { devices: TruthDevice[] })
      .devices;
    const { config } = loadConfig({ file: undefined });
    const classes = loadClasses();
    const hotPath = new HotPath(
      {
        track: config.hotPath.track,
        identity: config.hotPath.identity,
        baseline: config.hotPath.baseline,
        alerts: config.hotPath.alerts,
        seed: 1,
        stage: 'all',
        tokenKey: new Uint8Array(16),
        productVersion: 'test',
      },
      {
        dissectors,
        detectors: [],
        classes,
        decider: createDecider(loadKnowledge(classes), createOuiTable()),
        output: { device: (row) => void rows.set(row.mac, row) },
      },
    );
    const source = createFileSource(join(dir, 'C-arp_spoof.pcap.gz'));
    for await (const batch of source.batches()) hotPath.process(batch);
    hotPath.finish();
  }, 60_000);

  const share = (right: (device: TruthDevice, row: DeviceRow) => boolean): number => {
    const seen = truth.filter((device) => rows.has(device.mac));
    return seen.filter((device) => right(device, rows.get(device.mac)!)).length / seen.length;
  };

  it('have the right class', () =>
    expect(share((device, row) => row.type === device.type)).toBeGreaterThanOrEqual(0.95));

  it('have the right vendor', () =>
    expect(share((device, row) => row.vendor_name === device.vendor)).toBeGreaterThanOrEqual(0.98));

  it('are not wrong with high confidence', () => {
    const wrong = truth.filter((device) => {
      const row = rows.get(device.mac);
      return row !== undefined && row.type !== device.type && (row.fields['type']?.confidence ?? 0) >= 0.8;
    });
    expect(wrong).toEqual([]);
  });

  it('have no other host name than their own', () =>
    expect(
      share((device, row) => row.hostname === '' || row.hostname.toLowerCase() === device.hostname.toLowerCase()),
    ).toBeGreaterThanOrEqual(0.95));
});
