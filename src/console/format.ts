/** How values are written for people. No DOM here. */

/** Times in the time zone of the site, as `2026-11-21 14:03:22`. */
export function createTimeFormat(timeZone: string): {
  full(epochMs: number): string;
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
  const known = (epochMs: number): boolean => Number.isFinite(epochMs) && Math.abs(epochMs) <= 8.64e15;
  return {
    zone: timeZone,
    full(epochMs) {
      if (!known(epochMs)) return 'unknown';
      const p = parts(epochMs);
      return `${p['year']}-${p['month']}-${p['day']} ${clockOf(p)}`;
    },
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
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.round((seconds % 86_400) / 3600)} h`;
}

export const formatShare = (share: number): string =>
  share > 0 && share < 0.001 ? '< 0.1 %' : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

export function formatPValue(p: number): string {
  if (p === 0) return '0';
  return p < 0.001 ? p.toExponential(1) : p.toPrecision(2);
}

/** `infusion_pump` as `Infusion pump`; words in capitals stay. */
export function formatWords(id: string): string {
  if (!id) return 'Unknown';
  const words = id.replaceAll(/[_-]+/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const SEVERITIES = ['unknown', 'informational', 'low', 'medium', 'high', 'critical'] as const;
export type SeverityName = (typeof SEVERITIES)[number];
export const severityName = (id: number): SeverityName => SEVERITIES[id] ?? 'unknown';

/** What a device is called on screen: its name, else its address. */
export function deviceLabel(device: { name: string; ip: string; mac: string; key: string }): string {
  return device.name || device.ip || device.mac || device.key || 'unknown device';
}
