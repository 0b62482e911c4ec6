/** Detectors of misuse on real captures: what each must find in an attack, and that ordinary days stay quiet. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { buildHotPath } from '../../src/app/build.ts';
import type { HotPath } from '../../src/app/hot-path.ts';
import { loadConfig } from '../../src/config/index.ts';
import { createFileSource } from '../../src/sources/index.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { builtIn } from '../support/traffic.ts';

const MISUSE = [
  'advisory-signs',
  'covert-channel',
  'firmware-transfer',
  'hl7-spoofing',
  'imaging-access',
  'ransomware-share',
  'records-tampering',
  'remote-control',
  'rogue-controller',
  'rogue-router',
  'weak-points',
];

interface Seen {
  readonly severity: number;
  readonly detector: string;
  readonly device: string;
  readonly message: string;
  /** Epoch seconds. */
  readonly time: number;
}

async function read(hotPath: HotPath, file: string): Promise<void> {
  for await (const batch of createFileSource(file).batches()) hotPath.process(batch);
}

async function alertsOf(file: string, learn?: string): Promise<Seen[]> {
  const alerts = new Map<string, Seen>();
  const failures: string[] = [];
  const { config } = loadConfig({ env: {} });
  const disabled = builtIn().filter((id) => !MISUSE.includes(id));
  const { hotPath, detectors } = await buildHotPath({
    config: { ...config, detection: { ...config.detection, disabled } },
    seed: 1,
    stage: 'all',
    productVersion: '0',
    output: {
      alert: (row) => {
        alerts.set(row.uid, {
          severity: row.severity_id,
          detector: row.detector,
          device: row.device_ip,
          message: row.message,
          time: row.time / 1000,
        });
      },
    },
    onDetectorFailure: (id, reason) => failures.push(`${id}: ${reason}`),
  });
  expect(detectors.rejected).toEqual([]);
  if (learn !== undefined) {
    await read(hotPath, learn);
    hotPath.unobserved(hotPath.nowUs, hotPath.nowUs);
    hotPath.closeLearning();
    alerts.clear();
  }
  await read(hotPath, file);
  hotPath.finish();
  expect(failures).toEqual([]);
  return [...alerts.values()].filter((a) => a.severity >= 3);
}

describeWithCaptures('on the clinical captures', (dir) => {
  const clinical = (name: string): string => join(dir, 'clinical', `${name}.pcap.gz`);
  const learn = clinical('A-benign-learn');

  it.each([
    ['C-modbus_write', 'rogue-controller', '10.20.40.99', 1795633385.396],
    ['C-iv_rogue_client', 'rogue-controller', '10.20.40.95', 1795719997.611],
    ['C-hl7_replay', 'hl7-spoofing', '10.20.40.95', 1795633035.374],
    ['C-smb_ransomware', 'ransomware-share', '10.20.40.95', 1795633210.375],
  ])('finds %s within five seconds and nothing else', { timeout: 60_000 }, async (name, detector, device, start) => {
    const alerts = await alertsOf(clinical(name), learn);
    expect(alerts).toMatchObject([{ detector, device }]);
    expect(alerts[0]!.time - start).toBeGreaterThan(0);
    expect(alerts[0]!.time - start).toBeLessThan(5);
  });

  it('has nothing to say of a day with legitimate changes', { timeout: 60_000 }, async () => {
    expect(await alertsOf(clinical('B-benign-test'), learn)).toEqual([]);
  });

  it('finds replay and ransomware without anything learned', { timeout: 60_000 }, async () => {
    expect(await alertsOf(clinical('C-hl7_replay'))).toMatchObject([{ detector: 'hl7-spoofing' }]);
    expect(await alertsOf(clinical('C-smb_ransomware'))).toMatchObject([{ detector: 'ransomware-share' }]);
    expect(await alertsOf(learn)).toEqual([]);
  });
});

describeWithCaptures('on captures of attacks of others', (dir) => {
  const attacks = (name: string): string => join(dir, 'attacks', name);

  it.each([
    ['ics-quickdraw/CL5000EIP-Reboot_or_Restart.pcap', 'rogue-controller', 'stop or restart command'],
    ['ics-quickdraw/dnp3_test_data_part1.pcap', 'rogue-controller', 'cold-restart'],
    ['network/ndpi-dns-tunnel-iodine.pcap', 'covert-channel', 'below pirate.sea'],
    ['network/ndpi-dns_exfiltration.pcap', 'covert-channel', 'end in no domain'],
    ['network/ndpi-icmp-tunnel.pcap', 'covert-channel', 'ping packets'],
    [
      'windows/pcap-attack/Lateral_Movement__LM_psexec_smb_dcerpc_epm_svcctl.pcapng',
      'remote-control',
      'creates a service',
    ],
    ['windows/pcap-attack/Lateral_Movement__LM_WMI_ProcessCallCreate.pcapng', 'remote-control', 'runs a method by WMI'],
    [
      'windows/pcap-attack/Lateral_Movement__zerologon_mimikatz_ntlm_privacy_scan_and_exploit_encrypted.pcapng',
      'remote-control',
      'Netlogon logins',
    ],
    ['windows/pcap-attack/CredAccess__CA_masterkey_rpc_protectedstorage.pcapng', 'remote-control', 'backup key'],
  ])('finds %s', { timeout: 60_000 }, async (name, detector, words) => {
    const alerts = await alertsOf(attacks(name));
    expect(alerts.map((a) => a.detector)).toContain(detector);
    expect(alerts.map((a) => a.message).join('\n')).toContain(words);
  });
});
