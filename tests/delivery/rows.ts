import type { AlertRow } from '../../src/kernel/rows.ts';

/** 2026-11-20 14:00:00 UTC. */
export const NOON = 1_795_183_200_000;

/** A device that calls itself this wants to break CSV, CEF, LEEF, HTML and the lines of a log at once. */
export const HOSTILE = '=cmd|"/C calc"!A1 a=b\\|c\r\nCEF:0|x|\u0000\u001b[31m\u2028\u202e<script>\tend';

/** An alert of a pump that scans, as the hot path makes it; `changes` on top. */
export function alertRow(changes: Partial<AlertRow> = {}): AlertRow {
  const row: AlertRow = {
    uid: 'a1B2c3D4e5F6',
    version: 1,
    time: NOON,
    start_time: NOON - 60_000,
    end_time: NOON,
    severity_id: 4,
    detector: 'scan',
    detectors: ['scan', 'new-peer'],
    title: 'Scan of the network',
    message: 'Infusion pump pump-12 tried 156 addresses in 60 s.',
    device: '220/00:09:fb:01:02:03',
    device_mac: '00:09:fb:01:02:03',
    device_ip: '10.20.30.12',
    device_name: 'pump-12',
    device_type: 'infusion_pump',
    vlan: '220',
    parties: ['220/00:09:fb:01:02:99'],
    attacks: ['T0846'],
    confidence_score: 87.4,
    risk_score: 82,
    findings: 3,
    ocsf: '',
    ...changes,
  };
  if (row.ocsf !== '') return row;
  const ocsf = {
    activity_id: 1,
    category_uid: 2,
    class_uid: 2004,
    device: { hostname: row.device_name, ip: row.device_ip, mac: row.device_mac, type: row.device_type, type_id: 7 },
    evidences: [
      {
        src_endpoint: { ip: row.device_ip, mac: row.device_mac, port: 40123, hostname: row.device_name },
        dst_endpoint: { ip: '10.20.30.99', mac: '00:09:fb:01:02:99', port: 445 },
      },
    ],
    finding_info: {
      attacks: [{ technique: { uid: 'T0846', name: 'Remote System Discovery' } }],
      title: row.title,
      uid: row.uid,
    },
    metadata: { product: { name: 'Wardwatch', vendor_name: 'Wardwatch', version: '0.1.0' }, version: '1.6.0' },
    severity_id: row.severity_id,
    time: row.time,
    type_uid: 200401,
    unmapped: { do: ['look at the pump'], do_not: ['do not cut it off'], patient_impact: 'infusion may stop' },
  };
  return { ...row, ocsf: JSON.stringify(ocsf) };
}

/** Many alerts with names of their own. */
export function alertRows(n: number, changes: Partial<AlertRow> = {}): AlertRow[] {
  return Array.from({ length: n }, (_, i) => alertRow({ uid: `alert${String(i).padStart(6, '0')}`, ...changes }));
}
