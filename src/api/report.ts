import { createHash } from 'node:crypto';
import type { HistoryEntry, TriageItem } from '../desk/triage-rows.ts';
import type { AlertRow } from '../kernel/rows.ts';

/** What a report says of one alert. */
export interface ReportedAlert {
  readonly row: AlertRow;
  readonly item: TriageItem;
  readonly history: readonly HistoryEntry[];
}

export interface Report {
  readonly title: string;
  readonly alerts: readonly ReportedAlert[];
  readonly history: readonly HistoryEntry[];
  readonly timeZone: string;
  readonly madeMs: number;
  readonly madeBy: string;
  readonly version: string;
}

const STYLE = `
body{font:13px/1.5 system-ui,'DejaVu Sans',sans-serif;color:#17202b;max-width:52rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;border-bottom:1px solid #99a;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.25rem .5rem;border-bottom:1px solid #ccd}
dt{font-weight:600}dd{margin:0 0 .4rem}article{break-inside:avoid-page}.s5,.s4{font-weight:700}
footer{margin-top:2rem;color:#55616f}td,dd,p{overflow-wrap:anywhere}
@page{margin:18mm}@media print{body{margin:0;max-width:none}}
`;
/** The only style that the report's own content security policy lets through; scripts there are none. */
export const REPORT_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox`;

const SEVERITIES = ['unknown', 'informational', 'low', 'medium', 'high', 'critical'];
const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text for HTML. Characters that deceive the eye (controls, reversed writing) are shown by their number. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
      character === '\n' || character === '\t'
        ? ' '
        : `⟨U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}⟩`,
    )
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];

function ocsfOf(row: AlertRow): Json {
  try {
    const value: unknown = JSON.parse(row.ocsf);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** An incident or a single alert as a page to print: one file, no script, nothing from elsewhere. */
export function renderReport(report: Report): string {
  const clock = new Intl.DateTimeFormat('en-CA', {
    timeZone: report.timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
    hourCycle: 'h23',
  });
  const at = (ms: number): string => escapeHtml(clock.format(ms));
  const e = escapeHtml;
  const list = (title: string, lines: readonly string[]): string =>
    lines.length === 0
      ? ''
      : `<dt>${title}</dt><dd><ul>${lines.map((line) => `<li>${e(line)}</li>`).join('')}</ul></dd>`;
  const historyOf = (history: readonly HistoryEntry[]): string =>
    history.length === 0
      ? ''
      : `<dt>What was done</dt><dd><table>${history
          .map(
            (entry) =>
              `<tr><td>${at(entry.at)}</td><td>${e(entry.who || 'Wardwatch')}</td><td>${e(entry.what)}${entry.cause === '' ? '' : ` (${e(entry.cause)})`}${entry.comment === '' ? '' : `: ${e(entry.comment)}`}</td></tr>`,
          )
          .join('')}</table></dd>`;
  const alertOf = ({ row, item, history }: ReportedAlert): string => {
    const body = ocsfOf(row);
    const unmapped = isObject(body['unmapped']) ? body['unmapped'] : {};
    const patient = typeof unmapped['patient_impact'] === 'string' ? unmapped['patient_impact'] : '';
    const frames = (Array.isArray(unmapped['frames']) ? unmapped['frames'] : [])
      .filter(isObject)
      .map((one) => `${String(one['origin'])}, frames ${String(one['first'])} to ${String(one['last'])}`);
    const device = [row.device_name, row.device_ip, row.device_mac, row.device_type].filter((one) => one !== '');
    return `<article><h2>${e(row.title)}</h2><p>${e(row.message)}</p><dl>
<dt>Severity</dt><dd class="s${row.severity_id}">${SEVERITIES[row.severity_id]}</dd>
<dt>Time</dt><dd>${at(row.time)} (${at(row.start_time)} to ${at(row.end_time)})</dd>
<dt>Device</dt><dd>${e(device.join(', '))}${row.vlan === '' ? '' : `, VLAN ${e(row.vlan)}`}</dd>
<dt>State</dt><dd>${e(item.state.replace('_', ' '))}${item.resolution === '' ? '' : `, ${e(item.resolution.replace('_', ' '))}`}${item.assignee === '' ? '' : `, ${e(item.assignee)}`}${item.note === '' ? '' : `: ${e(item.note)}`}</dd>
${row.attacks.length === 0 ? '' : `<dt>ATT&amp;CK</dt><dd>${e(row.attacks.join(', '))}</dd>`}
<dt>Detectors</dt><dd>${e(row.detectors.join(', '))}, confidence ${Math.round(row.confidence_score)} of 100</dd>
${patient === '' ? '' : `<dt>For the patient</dt><dd>${e(patient)}</dd>`}
${list('Do not', texts(unmapped['do_not']))}${list('Do', texts(unmapped['do']))}${list('Frames', frames)}
${historyOf(history)}<dt>Id</dt><dd>${e(row.uid)}, version ${row.version}</dd></dl></article>`;
  };
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${e(report.title)}</title><style>${STYLE}</style></head><body>
<h1>${e(report.title)}</h1>
<table><thead><tr><th>Time (${e(report.timeZone)})</th><th>Severity</th><th>What happened</th></tr></thead><tbody>${report.alerts
    .map(
      ({ row }) =>
        `<tr><td>${at(row.time)}</td><td class="s${row.severity_id}">${SEVERITIES[row.severity_id]}</td><td>${e(row.title)}</td></tr>`,
    )
    .join('')}</tbody></table>
${report.history.length === 0 ? '' : `<dl>${historyOf(report.history)}</dl>`}
${report.alerts.map(alertOf).join('\n')}
<footer>Made ${at(report.madeMs)} by ${e(report.madeBy)} with Wardwatch ${e(report.version)}. Times in ${e(report.timeZone)}.</footer>
</body></html>
`;
}
