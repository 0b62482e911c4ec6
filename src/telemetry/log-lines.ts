import type { LogLevel } from '../kernel/component.ts';

export type LogFields = Record<string, string | number | boolean>;

const COLOUR: Record<string, string> = { debug: '\u001b[2m', info: '', warn: '\u001b[33m', error: '\u001b[31m' };

/** One of pino's JSON lines as a line for people: time, level, message, then `key=value`. */
export function prettyLine(json: string, colour: boolean): string {
  const record = JSON.parse(json) as Record<string, unknown>;
  const { time, level, msg, component, ...fields } = record;
  const clock = new Date(Number(time)).toISOString().slice(11, 19);
  const from = typeof component === 'string' ? `${component}: ` : '';
  const rest = Object.entries(fields)
    .map(
      ([key, value]) =>
        ` ${key}=${typeof value === 'string' && /[\s"=]/.test(value) ? JSON.stringify(value) : String(value)}`,
    )
    .join('');
  const paint = colour ? (COLOUR[String(level)] ?? '') : '';
  return `${clock} ${paint}${String(level).padEnd(5)}${paint === '' ? '' : '\u001b[0m'} ${from}${String(msg)}${rest}\n`;
}

/** Most different messages that are told apart; beyond it they share one budget. */
const MAX_KEYS = 1000;

export interface Limiter {
  /** How many of this message were held back before this one, or undefined where this one is held back too. */
  admit(level: LogLevel, message: string): number | undefined;
}

/** Lets each message through `burst` times per interval. `now` is in milliseconds. */
export function createLimiter(burst: number, intervalMs: number, now: () => number): Limiter {
  const seen = new Map<string, { since: number; count: number; held: number }>();
  return {
    admit(level, message) {
      const wanted = `${level} ${message}`;
      const key = seen.has(wanted) || seen.size < MAX_KEYS ? wanted : level;
      const at = now();
      let entry = seen.get(key);
      if (!entry) {
        entry = { since: at, count: 0, held: 0 };
        seen.set(key, entry);
      }
      const held = entry.held;
      if (at - entry.since >= intervalMs) {
        entry.since = at;
        entry.count = 0;
      }
      if (entry.count >= burst) {
        entry.held++;
        return undefined;
      }
      entry.count++;
      entry.held = 0;
      return held;
    },
  };
}
