import type { AlertRow, DeviceRow, FlowRow, Severity, WindowRow } from '../../src/kernel/rows.ts';

/** Strings that break what is quoted, cut or encoded wrongly on the way to the engine and back. */
export const HOSTILE: readonly string[] = [
  'O\'Brien\'s "pump"',
  "'; DROP TABLE wardwatch.alerts; --",
  "\\'; DROP DATABASE wardwatch; --",
  '\\',
  '\\N',
  "a\\'b\\\\",
  'nul\0inside',
  'tab\tline\nreturn\rend',
  'blank line\n\n;SELECT 1;',
  '{uid:String}',
  '${uid} %s %00 ?&=#+',
  'null',
  '[1,2]',
  '\u202eevil\u200b\ufeff',
  '😀 Überwachung ÅÄÖ 心電図',
  '/* */ -- #',
  'x'.repeat(300),
];

export function alertRow(uid: string, over: Partial<AlertRow> = {}): AlertRow {
  return {
    uid,
    version: 1,
    time: 1_700_000_000_000,
    start_time: 1_699_999_990_000,
    end_time: 1_700_000_000_000,
    severity_id: 3,
    detector: 'new-peer',
    detectors: ['new-peer'],
    title: 'New peer',
    message: 'The pump talks to a host it never talked to.',
    device: '20/00:11:22:33:44:55',
    device_mac: '00:11:22:33:44:55',
    device_ip: '10.20.0.5',
    device_name: 'pump-5',
    device_type: 'infusion_pump',
    vlan: '20',
    parties: [],
    attacks: ['T0846'],
    confidence_score: 81.25,
    risk_score: 40,
    findings: 2,
    ocsf: '{"class_uid":2004}',
    ...over,
  };
}

export function deviceRow(device: string, over: Partial<DeviceRow> = {}): DeviceRow {
  return {
    device,
    version: 1,
    mac: device.slice(device.indexOf('/') + 1),
    vlan: device.slice(0, device.indexOf('/')),
    ip: '10.20.0.5',
    ips: ['10.20.0.5'],
    hostname: 'pump-5',
    type: 'infusion_pump',
    vendor_name: 'Acme',
    model: 'A1',
    is_gateway: false,
    phase: 'watching',
    os: 'Windows',
    os_version: '10',
    firmware: '',
    serial: '',
    ae_titles: [],
    confidence: 0.9,
    risk_score: 30,
    risk_level: 2,
    risk: [{ of: 'likelihood', part: 'base', points: 10, because: 'nothing on a network is out of reach' }],
    first_seen: 1_700_000_000_000,
    last_seen: 1_700_000_060_000,
    packets: 10,
    bytes: 1000,
    fields: {
      type: {
        value: 'infusion_pump',
        confidence: 0.9,
        runner_up: { value: 'unknown', confidence: 0.1 },
        evidence: [{ source: 'oui', value: 'Acme', weight: 0.5, time: 1_700_000_000_000 }],
      },
    },
    ocsf: '{"class_uid":5001}',
    ...over,
  };
}

export function flowRow(uid: string, over: Partial<FlowRow> = {}): FlowRow {
  return {
    ts: 1_700_000_000.123456,
    uid,
    'id.orig_h': '10.20.0.5',
    'id.orig_p': 49152,
    'id.resp_h': '10.20.0.1',
    'id.resp_p': 443,
    proto: 'tcp',
    duration: 1.5,
    orig_bytes: 100,
    resp_bytes: 2 ** 40,
    conn_state: 'SF',
    history: 'ShADadFf',
    orig_pkts: 5,
    orig_ip_bytes: 300,
    resp_pkts: 6,
    resp_ip_bytes: 2 ** 40 + 300,
    missed_bytes: 0,
    orig_l2_addr: '00:11:22:33:44:55',
    resp_l2_addr: '00:00:5e:00:01:01',
    vlan: 20,
    community_id: '1:abc=',
    ...over,
  };
}

export function windowRow(start: number, over: Partial<WindowRow> = {}): WindowRow {
  return {
    window_start: start,
    window_s: 10,
    device: '20/00:11:22:33:44:55',
    vlan: '20',
    features: { packets: 12, entropy: 0.1 + 0.2, tiny: 5e-324, huge: 1.7976931348623157e308, minus: -1 },
    ...over,
  };
}

export function severity(n: number): Severity {
  return ((n % 5) + 1) as Severity;
}
