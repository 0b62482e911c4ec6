import type { Delivery } from '../../alerts/delivery.ts';
import { readFinding } from '../../alerts/formats/finding.ts';
import { oneLine } from '../../alerts/formats/plain-text.ts';
import type { AlertRow } from '../../kernel/rows.ts';

export interface Mail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

const SEVERITY = ['', 'Informational', 'Low', 'Medium', 'High', 'Critical'];
/** RFC 5322 2.1.1 asks for lines below 78 characters; a phone shows fewer. */
const SUBJECT_LENGTH = 120;
const LINE_LENGTH = 500;

const severityOf = (row: AlertRow): string => SEVERITY[row.severity_id] ?? 'Unknown';
const deviceOf = (row: AlertRow): string => row.device_name || row.device_ip || row.device_mac || row.device;

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** What is told of an alert: names and values, each on one line whatever a device calls itself. */
function factsOf({ row, type }: Delivery, consoleUrl: string | undefined): [name: string, value: string][] {
  const { advice } = readFinding(row);
  const device = [row.device_name, row.device_type, row.device_ip, row.device_mac].filter((text) => text !== '');
  const facts: [string, string][] = [
    ['Severity', severityOf(row)],
    ['Time', new Date(row.time).toISOString()],
    ['Device', device.join(', ')],
    ['VLAN', row.vlan],
    ['May touch patients', advice.patient_impact],
    ...advice.do.map((text): [string, string] => ['Do', text]),
    ...advice.do_not.map((text): [string, string] => ['Do not', text]),
    ['State', type === 'alert.updated' ? `version ${row.version}, seen ${row.findings} times` : ''],
    [
      'Details',
      consoleUrl === undefined ? '' : `${consoleUrl.replace(/\/$/, '')}/alerts/${encodeURIComponent(row.uid)}`,
    ],
  ];
  return facts.filter(([, value]) => value !== '').map(([name, value]) => [name, oneLine(value, LINE_LENGTH)]);
}

function subjectOf(deliveries: readonly Delivery[]): string {
  const [first] = deliveries;
  const worst = deliveries.reduce((a, b) => (b.row.severity_id > a.row.severity_id ? b : a), first!);
  const about = `${worst.row.title}: ${deviceOf(worst.row)}`;
  const whole =
    deliveries.length === 1
      ? `[Wardwatch] ${severityOf(worst.row)}: ${about}`
      : `[Wardwatch] ${deliveries.length} alerts, the worst ${severityOf(worst.row)}: ${about}`;
  return oneLine(whole, SUBJECT_LENGTH).trim();
}

/**
 * A mail for people on call. All that devices say stands there as text: the subject is one line, and the HTML has no
 * links, images, styles or scripts but the link to the console of the configuration.
 */
export function toMail(deliveries: readonly Delivery[], consoleUrl: string | undefined): Mail {
  const parts = deliveries.map((delivery) => ({
    title: oneLine(delivery.row.title, LINE_LENGTH),
    message: oneLine(delivery.row.message, LINE_LENGTH),
    facts: factsOf(delivery, consoleUrl),
  }));
  const text = parts
    .map(({ title, message, facts }) =>
      [title, message, '', ...facts.map(([name, value]) => `${name}: ${value}`)].join('\n'),
    )
    .join('\n\n----------\n\n');
  const cell = (name: string, value: string): string =>
    name === 'Details' ? `<a href="${escaped(value)}">${escaped(value)}</a>` : escaped(value);
  const html = parts
    .map(
      ({ title, message, facts }) =>
        `<h2>${escaped(title)}</h2><p>${escaped(message)}</p><table>${facts
          .map(([name, value]) => `<tr><th align="left">${name}</th><td>${cell(name, value)}</td></tr>`)
          .join('')}</table>`,
    )
    .join('<hr>');
  return {
    subject: subjectOf(deliveries),
    text: `${text}\n`,
    html: `<!doctype html><html><body>${html}</body></html>`,
  };
}
