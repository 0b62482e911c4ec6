import { Readable } from 'node:stream';
import type { AlertRow, DeviceRow } from '../kernel/rows.ts';
import type { Page } from '../store/contract.ts';

/**
 * One cell of RFC 4180 CSV. Texts that a spreadsheet would take for a formula get a leading apostrophe
 * (OWASP, CSV Injection): names come from devices and are not to be trusted.
 */
export function csvCell(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

type Column<T> = [name: string, value: (row: T) => string | number | boolean];

const isoTime = (epochMs: number): string => new Date(epochMs).toISOString();

export const alertColumns: Column<AlertRow>[] = [
  ['uid', (row) => row.uid],
  ['time', (row) => isoTime(row.time)],
  ['start_time', (row) => isoTime(row.start_time)],
  ['end_time', (row) => isoTime(row.end_time)],
  ['severity_id', (row) => row.severity_id],
  ['title', (row) => row.title],
  ['message', (row) => row.message],
  ['detector', (row) => row.detector],
  ['device', (row) => row.device],
  ['device_name', (row) => row.device_name],
  ['device_type', (row) => row.device_type],
  ['device_ip', (row) => row.device_ip],
  ['device_mac', (row) => row.device_mac],
  ['vlan', (row) => row.vlan],
  ['attacks', (row) => row.attacks.join(' ')],
  ['confidence_score', (row) => row.confidence_score],
  ['risk_score', (row) => row.risk_score],
];

export const deviceColumns: Column<DeviceRow>[] = [
  ['device', (row) => row.device],
  ['hostname', (row) => row.hostname],
  ['type', (row) => row.type],
  ['vendor_name', (row) => row.vendor_name],
  ['model', (row) => row.model],
  ['ip', (row) => row.ip],
  ['ips', (row) => row.ips.join(' ')],
  ['mac', (row) => row.mac],
  ['vlan', (row) => row.vlan],
  ['is_gateway', (row) => row.is_gateway],
  ['phase', (row) => row.phase],
  ['confidence', (row) => row.confidence],
  ['os', (row) => row.os],
  ['os_version', (row) => row.os_version],
  ['firmware', (row) => row.firmware],
  ['serial', (row) => row.serial],
  ['ae_titles', (row) => row.ae_titles.join(' ')],
  ['risk_score', (row) => row.risk_score],
  ['risk_level', (row) => row.risk_level],
  ['first_seen', (row) => isoTime(row.first_seen)],
  ['last_seen', (row) => isoTime(row.last_seen)],
  ['packets', (row) => row.packets],
  ['bytes', (row) => row.bytes],
];

const PAGE_ROWS = 500;

/**
 * Streams up to `maxRows` rows, asking for the next page only when the reader has taken the one before.
 * `csv` gives the columns, `ocsf` the OCSF object of each row as it is stored, the others the row without it.
 */
export function exportStream<T extends { ocsf: string }>(
  format: 'csv' | 'json' | 'ndjson' | 'ocsf',
  columns: Column<T>[],
  first: Page<T>,
  nextPage: (limit: number, cursor: string) => Promise<Page<T>>,
  maxRows: number,
): Readable {
  async function* chunks(): AsyncGenerator<string> {
    if (format === 'csv') yield `${columns.map(([name]) => name).join(',')}\r\n`;
    if (format === 'json') yield '[';
    let isFirst = true;
    let page = first;
    let left = maxRows;
    for (;;) {
      let text = '';
      for (const row of page.rows.slice(0, left)) {
        if (format === 'csv') text += `${columns.map(([, value]) => csvCell(value(row))).join(',')}\r\n`;
        else if (format === 'ocsf') text += `${row.ocsf}\n`;
        else {
          const { ocsf: _, ...plain } = row;
          text += format === 'json' ? `${isFirst ? '' : ',\n'}${JSON.stringify(plain)}` : `${JSON.stringify(plain)}\n`;
        }
        isFirst = false;
      }
      left -= page.rows.length;
      if (text) yield text;
      if (page.next === undefined || left <= 0) break;
      page = await nextPage(Math.min(PAGE_ROWS, left), page.next);
    }
    if (format === 'json') yield ']\n';
  }
  return Readable.from(chunks());
}

/** Rows of the first page of an export. */
export const firstPageRows = (maxRows: number): number => Math.min(PAGE_ROWS, maxRows);
