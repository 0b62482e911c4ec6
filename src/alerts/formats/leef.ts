import type { AlertRow } from '../../kernel/rows.ts';
import { readFinding } from './finding.ts';
import { oneLine } from './plain-text.ts';

/** LEEF counts from 1 to 10. */
const SEVERITY = [1, 1, 3, 5, 8, 10];

/** LEEF knows no escape: a bar in the header becomes a slash. */
function header(text: string): string {
  return oneLine(text, 512).replaceAll('|', '/');
}

/**
 * The alert as one line of the Log Event Extended Format 2.0 (IBM QRadar), tab between attributes. A value can
 * hold anything but a tab and a line break, which {@link oneLine} takes out.
 */
export function toLeef(row: AlertRow): string {
  const finding = readFinding(row);
  const attributes: string[] = [];
  const add = (key: string, text: string): void => {
    if (text !== '') attributes.push(`${key}=${oneLine(text, 1023)}`);
  };
  const src = finding.src ?? { ip: row.device_ip, mac: row.device_mac, port: 0, hostname: row.device_name };
  add('devTime', String(row.time));
  add('cat', row.detector);
  add('sev', String(SEVERITY[row.severity_id] ?? 1));
  add('src', src.ip);
  add('srcMAC', src.mac);
  if (src.port > 0) add('srcPort', String(src.port));
  add('identHostName', row.device_name);
  add('identMAC', row.device_mac);
  if (finding.dst !== undefined) {
    add('dst', finding.dst.ip);
    add('dstMAC', finding.dst.mac);
    if (finding.dst.port > 0) add('dstPort', String(finding.dst.port));
  }
  add('alertId', row.uid);
  add('alertVersion', String(row.version));
  add('startTime', String(row.start_time));
  add('endTime', String(row.end_time));
  add('title', row.title);
  add('msg', row.message);
  add('device', row.device);
  add('deviceType', row.device_type);
  add('vlan', row.vlan);
  add('attackTechniques', row.attacks.join(' '));
  add('confidence', String(Math.round(row.confidence_score)));
  add('riskScore', String(Math.round(row.risk_score)));
  const head = [header(finding.productVersion), header(row.detector), 'x09'].join('|');
  return `LEEF:2.0|Wardwatch|Wardwatch|${head}|${attributes.join('\t')}`;
}
