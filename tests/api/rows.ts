import type {
  AlertRow,
  DecidedField,
  DeviceRow,
  FlowRow,
  RowBatch,
  Severity,
  WindowRow,
} from '../../src/kernel/rows.ts';

/** 2026-11-20 14:00:00 UTC: the end of the invented afternoon on a clinical VLAN. */
export const NOW = 1_795_183_200_000;
const MINUTE = 60_000;

/** A text that is an attack in HTML, in spreadsheets, on terminals and on naive JSON. */
export const HOSTILE_NAME = '=cmd|"/C calc"!A1 <img src=x onerror=alert(1)> \u202e "quoted", \\ </script>';

function field(
  value: string,
  confidence: number,
  source: string,
  seen: string,
  runnerUp?: [string, number],
): DecidedField {
  return {
    value,
    confidence,
    ...(runnerUp ? { runner_up: { value: runnerUp[0], confidence: runnerUp[1] } } : {}),
    evidence: [
      { source, value: seen, weight: 2.5, time: NOW - 240 * MINUTE },
      { source: 'oui', value, weight: 1, time: NOW - 250 * MINUTE },
    ],
  };
}

export function deviceRow(changes: Partial<DeviceRow> & { mac: string }): DeviceRow {
  const vlan = changes.vlan ?? '220';
  const row: DeviceRow = {
    device: `${vlan}/${changes.mac}`,
    version: 1,
    vlan,
    ip: '',
    ips: changes.ip ? [changes.ip] : [],
    hostname: '',
    type: 'unknown',
    vendor_name: '',
    model: '',
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
    first_seen: NOW - 250 * MINUTE,
    last_seen: NOW,
    packets: 5210,
    bytes: 1_450_300,
    fields: {},
    ocsf: '',
    ...changes,
  };
  if (Object.keys(row.fields).length === 0 && row.type !== 'unknown') {
    row.fields = {
      type: field(row.type, 0.93, 'hl7.sending_app', row.model || row.type, ['server', 0.04]),
      vendor_name: field(row.vendor_name, 0.99, 'dhcp.vendor_class', row.vendor_name),
      hostname: field(row.hostname, 0.9, 'dhcp.hostname', row.hostname),
    };
  }
  row.ocsf ||= JSON.stringify({
    class_uid: 5001,
    type_uid: 500102,
    time: row.last_seen,
    device: { mac: row.mac, ip: row.ip, hostname: row.hostname, type: row.type },
  });
  return row;
}

const device = (
  hostname: string,
  type: string,
  vendor_name: string,
  model: string,
  ip: string,
  mac: string,
  more: Partial<DeviceRow> = {},
): DeviceRow => deviceRow({ hostname, type, vendor_name, model, ip, mac, ...more });

export const PUMP = device('', 'infusion-pump', 'B. Braun', 'Infusomat Space', '10.20.4.31', '00:09:5b:3c:11:07', {
  packets: 18_230,
  bytes: 4_420_113,
});
export const MONITOR = device(
  'icu-mon-04',
  'patient-monitor',
  'Philips',
  'IntelliVue MX450',
  '10.20.3.14',
  '00:09:fb:22:91:0e',
);

export const DEVICES: DeviceRow[] = [
  PUMP,
  MONITOR,
  device('gw-clin', 'router', 'Cisco', 'ISR4331', '10.20.0.1', 'f4:bd:9e:0d:d6:07', {
    is_gateway: true,
    bytes: 912_345_678,
  }),
  device('dc01', 'server', 'Dell', 'PowerEdge R340', '10.20.0.10', 'c8:f7:50:78:81:2d', { bytes: 88_345_678 }),
  device('sw-icu-1', 'switch', 'Cisco', 'WS-C2960X-48', '10.20.0.2', '08:4f:a9:52:02:96'),
  device('ap-icu-01', 'access-point', 'Aruba (HPE)', 'AP-305', '10.20.40.11', '70:3a:0e:11:b4:75'),
  device('picix-01', 'central-station', 'Philips', 'IntelliVue PIC iX', '10.20.1.20', '88:3a:30:1d:cd:bb'),
  device('pacs01', 'pacs', 'Dell', '', '10.20.1.22', 'dc:f4:01:75:0a:51', { bytes: 4_212_345_678 }),
  device('engine01', 'integration-engine', 'VMware', '', '10.20.1.28', '00:50:56:52:7b:df'),
  device('pumpsrv01', 'pump-server', 'HP', '', '10.20.1.32', '9c:7b:ef:76:12:64'),
  device('ct-er-1', 'ct-scanner', 'Siemens', 'SOMATOM go.Up', '10.20.2.11', '08:00:06:aa:31:02'),
  device('us-cardio-2', 'ultrasound', 'GE', 'Vivid E95', '10.20.2.15', '00:40:5f:71:00:19', {
    phase: 'learning',
    first_seen: NOW - 6 * MINUTE,
  }),
  device('', 'unknown', '', '', '10.20.9.77', '02:42:9a:10:00:05', { phase: 'learning', first_seen: NOW - 2 * MINUTE }),
  device(HOSTILE_NAME, 'workstation', 'Lenovo', 'ThinkCentre', '10.20.5.61', '54:e1:ad:90:77:10'),
];

interface AlertParts {
  uid: string;
  minutesAgo: number;
  severity: Severity;
  detector: string;
  title: string;
  message: string;
  about: DeviceRow;
  attacks?: string[];
  ocsf?: Record<string, unknown>;
  more?: Partial<AlertRow>;
}

export function alertRow(parts: AlertParts): AlertRow {
  const { uid, severity, detector, title, message, about, attacks = [] } = parts;
  const time = NOW - parts.minutesAgo * MINUTE;
  return {
    uid,
    version: 1,
    time,
    start_time: time - 4 * MINUTE,
    end_time: time,
    severity_id: severity,
    detector,
    detectors: [detector],
    title,
    message,
    device: about.device,
    device_mac: about.mac,
    device_ip: about.ip,
    device_name: about.hostname,
    device_type: about.type,
    vlan: about.vlan,
    parties: [],
    attacks,
    confidence_score: 88,
    risk_score: severity * 19,
    findings: 3,
    ocsf: JSON.stringify({
      class_uid: 2004,
      type_uid: 200401,
      severity_id: severity,
      time,
      message,
      metadata: { version: '1.6.0', product: { name: 'Wardwatch' } },
      finding_info: { uid, title, analytic: { uid: detector } },
      ...parts.ocsf,
    }),
    ...parts.more,
  };
}

const technique = (uid: string, name: string) => ({ version: '18.1', technique: { uid, name } });

export const BEACON = alertRow({
  uid: 'a-c2-beacon-0001',
  minutesAgo: 3,
  severity: 5,
  detector: 'beaconing',
  title: 'Infusion pump calls an unknown outside server every 10 s',
  message:
    'The pump 10.20.4.31 has opened 24 TLS connections to 203.0.113.66:443, one every 10.0 s; no pump of this model has done so before.',
  about: PUMP,
  attacks: ['T0869', 'T1071.001'],
  more: { detectors: ['beaconing', 'new-external-peer'], parties: [DEVICES[2]!.device], risk_score: 97 },
  ocsf: {
    finding_info: {
      uid: 'a-c2-beacon-0001',
      title: 'Infusion pump calls an unknown outside server every 10 s',
      attacks: [technique('T0869', 'Standard Application Layer Protocol'), technique('T1071.001', 'Web Protocols')],
    },
    anomaly_analyses: [
      {
        analysis_targets: [{ name: 'beaconing', type: 'detector' }],
        anomalies: [
          {
            observation_parameter: 'external_peer',
            observed_pattern: 'NEW',
            observations: [{ value: '203.0.113.66' }],
          },
          {
            observation_parameter: 'period',
            observed_pattern: 'PERIODIC',
            observations: [{ value: '10.0 s, jitter 0.2 s' }],
          },
          {
            observation_parameter: 'external_out',
            observation_type: 'bytes',
            observed_pattern: 'ABOVE RANGE',
            observations: [{ value: '4,180' }],
          },
        ],
        baselines: [
          {
            observation_parameter: 'external_peer',
            observed_pattern: 'USUAL',
            observations: [{ value: 'none', count: 0 }],
          },
          {
            observation_parameter: 'period',
            observed_pattern: 'USUAL',
            observations: [{ value: 'no repeated connection', count: 1412 }],
          },
          {
            observation_parameter: 'external_out',
            observation_type: 'bytes',
            observed_pattern: 'USUAL',
            observations: [{ value: 'none', count: 706 }],
          },
        ],
      },
    ],
    evidences: [
      {
        src_endpoint: { ip: '10.20.4.31', mac: PUMP.mac, port: 49_822, uid: PUMP.device, type: PUMP.type },
        dst_endpoint: { ip: '203.0.113.66', mac: 'f4:bd:9e:0d:d6:07', port: 443 },
        data: { service: 'tls' },
      },
    ],
    unmapped: {
      patient_impact:
        'A pump under foreign control could stop or change an infusion. It delivered normally while this was seen.',
      do: [
        'Have clinical engineering check the pump at the bedside and swap it when the infusion allows.',
        'Block 203.0.113.66 at the outer firewall.',
      ],
      do_not: ['Do not cut the pump off the network or restart it while it is infusing.'],
      p_values: { period: 0.00002, external_out: 0.0014 },
      frames: [{ origin: 'icu-span.pcapng', first: 10_412, last: 15_990 }],
      related: [
        {
          detector: 'new-external-peer',
          sentence: 'The pump 10.20.4.31 talks to 203.0.113.66, the first address outside the hospital in 4 h 10 min.',
          time: NOW - 7 * MINUTE,
        },
      ],
    },
  },
});

export const ALERTS: AlertRow[] = [
  BEACON,
  alertRow({
    uid: 'a-telnet-0002',
    minutesAgo: 11,
    severity: 4,
    detector: 'brute-force',
    title: 'Repeated Telnet logins to switch sw-icu-1',
    message: '10.20.5.61 has tried 118 Telnet logins on sw-icu-1 within 3 minutes, none before.',
    about: DEVICES[13]!,
    attacks: ['T0812', 'T1110'],
  }),
  alertRow({
    uid: 'a-arp-0003',
    minutesAgo: 16,
    severity: 4,
    detector: 'address-binding',
    title: 'Address of the gateway claimed by another device',
    message: '02:42:9a:10:00:05 answers ARP for 10.20.0.1, which gw-clin has held for 4 h 10 min.',
    about: DEVICES[12]!,
    attacks: ['T0830'],
  }),
  alertRow({
    uid: 'a-dicom-0004',
    minutesAgo: 42,
    severity: 3,
    detector: 'dicom-misuse',
    title: 'Wide DICOM query from an unusual station',
    message: 'us-cardio-2 asked pacs01 for 1,204 studies in one query; its queries so far found 1 to 12.',
    about: DEVICES[11]!,
    attacks: ['T0861'],
  }),
  alertRow({
    uid: 'a-volume-0005',
    minutesAgo: 55,
    severity: 3,
    detector: 'volume',
    title: 'ct-er-1 sends far more than usual to pacs01',
    message: 'ct-er-1 sent 2.4 GB in 10 minutes, usual are 40 to 610 MB.',
    about: DEVICES[10]!,
  }),
  alertRow({
    uid: 'a-silent-0006',
    minutesAgo: 71,
    severity: 3,
    detector: 'silence',
    title: 'Patient monitor icu-mon-04 has gone silent',
    message: 'icu-mon-04 has sent nothing for 6 minutes; its longest pause so far was 4 s.',
    about: MONITOR,
    attacks: ['T0815'],
    ocsf: { unmapped: { patient_impact: 'Vital signs may be missing at the central station.' } },
  }),
  alertRow({
    uid: 'a-newdev-0007',
    minutesAgo: 84,
    severity: 2,
    detector: 'new-device',
    title: 'New device of unknown type',
    message: '10.20.9.77 appeared on VLAN 220 with a locally administered MAC address.',
    about: DEVICES[12]!,
  }),
  alertRow({
    uid: 'a-hostile-0008',
    minutesAgo: 90,
    severity: 2,
    detector: 'new-peer',
    title: 'New peer of a workstation',
    message: 'A workstation talks to pumpsrv01 for the first time.',
    about: DEVICES[13]!,
  }),
  alertRow({
    uid: 'a-clear-0009',
    minutesAgo: 120,
    severity: 1,
    detector: 'clear-text',
    title: 'FTP with a password in clear text',
    message: 'ct-er-1 logs in to pacs01 by FTP; the password is readable on the wire.',
    about: DEVICES[10]!,
  }),
];

function flowRow(at: number, n: number, changes: Partial<FlowRow>): FlowRow {
  return {
    ts: at / 1000,
    uid: `C${n.toString().padStart(6, '0')}`,
    'id.orig_h': PUMP.ip,
    'id.orig_p': 49_800 + n,
    'id.resp_h': '203.0.113.66',
    'id.resp_p': 443,
    proto: 'tcp',
    service: 'tls',
    duration: 0.412,
    orig_bytes: 517,
    resp_bytes: 1840,
    conn_state: 'SF',
    history: 'ShADadFf',
    orig_pkts: 9,
    orig_ip_bytes: 997,
    resp_pkts: 8,
    resp_ip_bytes: 2268,
    missed_bytes: 0,
    orig_l2_addr: PUMP.mac,
    resp_l2_addr: DEVICES[2]!.mac,
    vlan: 220,
    community_id: `1:${n}`,
    ...changes,
  };
}

export const FLOWS: FlowRow[] = [
  ...Array.from({ length: 24 }, (_, n) => flowRow(NOW - 3 * MINUTE - n * 10_000, n, {})),
  ...Array.from({ length: 12 }, (_, n) =>
    flowRow(NOW - n * MINUTE, 100 + n, {
      'id.resp_h': '10.20.1.32',
      'id.resp_p': 4080,
      service: 'http',
      duration: 1.8,
      orig_bytes: 12_400 + n,
    }),
  ),
];

export const WINDOWS: WindowRow[] = Array.from({ length: 240 }, (_, n) => {
  const at = NOW - (240 - n) * MINUTE;
  const beacon = n > 232 ? 4180 : 0;
  return {
    window_start: at,
    window_s: 60,
    device: PUMP.device,
    vlan: PUMP.vlan,
    features: {
      bytes_out: 9000 + Math.round(2200 * Math.sin(n / 9)) + ((n * 7919) % 900) + beacon,
      packets_out: 60 + ((n * 31) % 17),
      peers_out: n > 232 ? 3 : 2,
      external_out: beacon,
    },
  };
}).filter((_, n) => n < 80 || n > 95);

export const clinicalRows = (): RowBatch => ({ alerts: ALERTS, devices: DEVICES, flows: FLOWS, windows: WINDOWS });
