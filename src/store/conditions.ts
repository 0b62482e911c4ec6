import { WardwatchError } from '../kernel/errors.ts';
import type { DeviceFilter } from './contract.ts';

/** Conditions with their parameters: values never become part of the SQL text. */
export interface Conditions {
  sql: string[];
  params: Record<string, unknown>;
}

/** Longer than any key of ours: what is asked for need not travel further. */
const MAX_KEY_LENGTH = 4096;
const MAX_VALUES = 100;
const MAX_WORDS = 16;
const MAX_WORD_LENGTH = 256;

export function whereSql(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

export function whole(value: number): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Math.trunc(value) || 0));
}

export function asked(value: string): string {
  return value.slice(0, MAX_KEY_LENGTH).toWellFormed();
}

/** @throws {WardwatchError} `WW_USAGE` where an address is none. */
export function deviceConditions(filter: DeviceFilter): Conditions {
  const where: Conditions = { sql: [], params: {} };
  const add = (sql: string, name: string, value: unknown): void => {
    where.sql.push(sql);
    where.params[name] = value;
  };
  for (const [field, values] of Object.entries(filter.fields ?? {})) {
    const wanted = values.slice(0, MAX_VALUES).map((value) => asked(value));
    const name = `field_${field}`;
    const lower = `arrayMap(one -> lowerUTF8(one), {${name}:Array(String)})`;
    if (field === 'ae_title') add(`arrayExists(title -> has(${lower}, lowerUTF8(title)), ae_titles)`, name, wanted);
    else add(`has(${lower}, lowerUTF8(${field}))`, name, wanted);
  }
  if (filter.ip !== undefined) addAddress(where, filter.ip);
  if (filter.gateway !== undefined) add('is_gateway = {gateway:Bool}', 'gateway', filter.gateway);
  if (filter.riskAtLeast !== undefined) add('risk_level >= {risk:Int64}', 'risk', whole(filter.riskAtLeast));
  if (filter.confidenceAtLeast !== undefined) add('confidence >= {sure:Float64}', 'sure', filter.confidenceAtLeast);
  if (filter.confidenceAtMost !== undefined) add('confidence <= {unsure:Float64}', 'unsure', filter.confidenceAtMost);
  if (filter.firstSeenFrom !== undefined)
    add('first_seen >= {first_from:Int64}', 'first_from', whole(filter.firstSeenFrom));
  if (filter.firstSeenTo !== undefined) add('first_seen <= {first_to:Int64}', 'first_to', whole(filter.firstSeenTo));
  if (filter.lastSeenFrom !== undefined) add('last_seen >= {last_from:Int64}', 'last_from', whole(filter.lastSeenFrom));
  if (filter.lastSeenTo !== undefined) add('last_seen <= {last_to:Int64}', 'last_to', whole(filter.lastSeenTo));
  if (filter.vlans !== undefined) add('has({vlans:Array(String)}, vlan)', 'vlans', filter.vlans.map(asked));
  if (filter.without !== undefined && filter.without.length > 0)
    add('device NOT IN {without:Array(String)}', 'without', filter.without.map(asked));
  words(filter.text).forEach((word, i) => add(`position(search, lowerUTF8({word${i}:String})) > 0`, `word${i}`, word));
  return where;
}

/** The words of a search, each of which must occur. */
export function words(text: string | undefined): string[] {
  return (text ?? '')
    .toWellFormed()
    .split(/\s+/u)
    .filter((word) => word !== '')
    .slice(0, MAX_WORDS)
    .map((word) => Array.from(word).slice(0, MAX_WORD_LENGTH).join(''));
}

/** @throws {WardwatchError} `WW_USAGE` where the filter `ip` is neither an address nor a network */
export function checkAddress(ip: string): void {
  const [address = '', bits, ...more] = ip.split('/');
  const isV4 = /^\d{1,3}(\.\d{1,3}){3}$/.test(address) && address.split('.').every((part) => Number(part) <= 255);
  const isV6 = address.includes(':') && URL.canParse(`http://[${address}]/`);
  const most = isV4 ? 32 : 128;
  if ((!isV4 && !isV6) || more.length > 0 || (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most))) {
    throw new WardwatchError(
      'WW_USAGE',
      'The filter `ip` is neither an address nor a network.',
      'Write it as 10.20.0.5, 10.20.0.0/16 or fd00::/8.',
    );
  }
}

function addAddress(where: Conditions, ip: string): void {
  checkAddress(ip);
  where.params['ip'] = ip;
  where.sql.push(
    ip.includes('/')
      ? "arrayExists(one -> one != '' AND isIPAddressInRange(one, {ip:String}), arrayPushBack(ips, ip))"
      : '(ip = {ip:String} OR has(ips, {ip:String}))',
  );
}
