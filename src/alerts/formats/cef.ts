import type { AlertRow } from '../../kernel/rows.ts';
import { readFinding } from './finding.ts';
import { isIpv4, isIpv6, oneLine } from './plain-text.ts';

/** CEF counts from 0 to 10 and calls 0 to 3 low, 4 to 6 medium, 7 and 8 high, 9 and 10 very high. */
const SEVERITY = [0, 1, 3, 5, 8, 10];

/** The header ends at a bar: it and the backslash are escaped, line breaks are not possible. */
function header(text: string, most: number): string {
  return oneLine(text, most).replace(/[\\|]/g, '\\$&');
}

/** A value ends where the next `key=` begins: the equals sign and the backslash are escaped. */
function value(text: string, most: number): string {
  return oneLine(text, most).replace(/[\\=]/g, '\\$&');
}

/**
 * The alert as one line of the Common Event Format, version 0 (ArcSight "Implementing CEF", v25). Only keys of
 * the dictionary are used; what it has no key for stands in the custom ones with their labels. Lengths are the
 * limits of the dictionary.
 */
export function toCef(row: AlertRow): string {
  const finding = readFinding(row);
  const fields: string[] = [];
  const add = (key: string, text: string, most = 1023): void => {
    if (text !== '') fields.push(`${key}=${value(text, most)}`);
  };
  const custom = (key: string, label: string, text: string): void => {
    if (text === '') return;
    add(`${key}Label`, label);
    add(key, text, 4000);
  };
  const src = finding.src ?? { ip: row.device_ip, mac: row.device_mac, port: 0, hostname: row.device_name };

  add('rt', String(row.time));
  add('start', String(row.start_time));
  add('end', String(row.end_time));
  add('externalId', `${row.uid}-${row.version}`, 128);
  add('cat', row.detector);
  add('msg', row.message);
  add('cnt', String(row.findings));
  for (const [party, ip, ip6, label, mac, port, host] of [
    [src, 'src', 'c6a2', 'Source IPv6 Address', 'smac', 'spt', 'shost'],
    [finding.dst, 'dst', 'c6a3', 'Destination IPv6 Address', 'dmac', 'dpt', 'dhost'],
  ] as const) {
    if (party === undefined) continue;
    if (isIpv4(party.ip)) add(ip, party.ip);
    else if (isIpv6(party.ip)) custom(ip6, label, party.ip);
    add(mac, party.mac);
    if (party.port > 0) add(port, String(party.port));
    add(host, party.hostname);
  }
  custom('cs1', 'Device', row.device);
  custom('cs2', 'Device type', row.device_type);
  custom('cs3', 'VLAN', row.vlan);
  custom('cs4', 'ATT&CK techniques', row.attacks.join(' '));
  custom('cs5', 'Device name', row.device_name);
  custom('cs6', 'Device address', row.device_ip === '' ? row.device_mac : row.device_ip);
  custom('cn1', 'Version of the alert', String(row.version));
  custom('cn2', 'Confidence', String(Math.round(row.confidence_score)));
  custom('cn3', 'Risk score', String(Math.round(row.risk_score)));
  return [
    'CEF:0',
    'Wardwatch',
    'Wardwatch',
    header(finding.productVersion, 31),
    header(row.detector, 1023),
    header(row.title, 512),
    String(SEVERITY[row.severity_id] ?? 0),
    fields.join(' '),
  ].join('|');
}
