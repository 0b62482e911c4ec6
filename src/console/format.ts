/** How values are written for people. No DOM here. */

/** Times in the time zone of the site, as `2026-11-21 14:03:22`. */
export function createTimeFormat(timeZone: string): {
  full(epochMs: number): string;
  day(epochMs: number): string;
  clock(epochMs: number): string;
  zone: string;
} {
  const formatter = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const parts = (epochMs: number): Record<string, string> =>
    Object.fromEntries(formatter.formatToParts(epochMs).map((part) => [part.type, part.value]));
  const clockOf = (p: Record<string, string>): string => `${p['hour']}:${p['minute']}:${p['second']}`;
  const dayOf = (p: Record<string, string>): string => `${p['year']}-${p['month']}-${p['day']}`;
  const known = (epochMs: number): boolean => Number.isFinite(epochMs) && Math.abs(epochMs) <= 8.64e15;
  return {
    zone: timeZone,
    full(epochMs) {
      if (!known(epochMs)) return 'unknown';
      const p = parts(epochMs);
      return `${dayOf(p)} ${clockOf(p)}`;
    },
    day: (epochMs) => (known(epochMs) ? dayOf(parts(epochMs)) : 'unknown'),
    clock: (epochMs) => (known(epochMs) ? clockOf(parts(epochMs)) : 'unknown'),
  };
}

const NUMBER = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const PRECISE = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 });

export const formatCount = (value: number): string => NUMBER.format(value);

export function formatValue(value: number): string {
  return Number.isInteger(value) ? NUMBER.format(value) : PRECISE.format(value);
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function formatDuration(seconds: number): string {
  if (seconds < 0.001) return '< 1 ms';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const [size, unit, rest, restUnit] =
    whole < 3600
      ? ([60, 'min', 1, 's'] as const)
      : whole < 86_400
        ? ([3600, 'h', 60, 'min'] as const)
        : ([86_400, 'd', 3600, 'h'] as const);
  const left = Math.floor((whole % size) / rest);
  return `${Math.floor(whole / size)} ${unit}${left > 0 ? ` ${left} ${restUnit}` : ''}`;
}

export const formatShare = (share: number): string =>
  share > 0 && share < 0.001 ? '< 0.1 %' : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

export function formatPValue(p: number): string {
  if (p === 0) return '0';
  return p < 0.001 ? p.toExponential(1) : p.toPrecision(2);
}

const ABBREVIATIONS =
  /\b(ct|mr|mri|pacs|vna|ecg|eeg|hl7|sdc|fhir|dicom|poct|mac|ip|os|pc|tv|ups|plc|bms|nvr|voip|nas|ehr|ris|lis|rtls)\b/gi;

/** An id as words: `ct-scanner` as `CT scanner`. */
export function formatWords(id: string): string {
  if (!id) return 'Unknown';
  const words = id.replaceAll(/[_-]+/g, ' ').replaceAll(ABBREVIATIONS, (word) => word.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** `Infusion pump`, or that it is not known. */
export const formatType = (type: string): string =>
  type === '' || type === 'unknown' ? 'Type unknown' : formatWords(type);

/**
 * For `JSON.parse`: makes characters visible that a name could deceive with (control characters, reversal of
 * the direction of writing, invisible ones). What a device calls itself is not to be trusted.
 */
export function visibly(_key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  return value.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '\n' || character === '\t') return ' ';
    return `\u{27e8}U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}\u{27e9}`;
  });
}

export const SEVERITIES = ['unknown', 'informational', 'low', 'medium', 'high', 'critical'] as const;
export type SeverityName = (typeof SEVERITIES)[number];
export const severityName = (id: number): SeverityName => SEVERITIES[id] ?? 'unknown';

/** What a device is called on screen: its name, else its address. */
export function deviceLabel(device: { name: string; ip: string; mac: string; key: string }): string {
  return device.name || device.ip || device.mac || device.key || 'unknown device';
}
