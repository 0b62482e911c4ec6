import type { ClickHouseClient } from '@clickhouse/client';
import { createCidrSet, parseCidr, parseIpv4, parseIpv6 } from '../lib/cidr.ts';
import type { CidrSet } from '../lib/cidr.ts';
import type { DeviceRow } from '../kernel/rows.ts';
import { checkAddress, words } from './conditions.ts';
import { DEVICE_FIELDS } from './contract.ts';
import { columnsOf } from './queries.ts';
import type { DeviceField, DeviceFilter, DeviceSort, Facet, Page } from './contract.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';

/** A device without what is only read when it is shown itself. */
export type NarrowDevice = Omit<DeviceRow, 'fields' | 'risk' | 'ocsf'>;

const WIDE: ReadonlySet<string> = new Set(['fields', 'risk', 'ocsf']);
/** More devices are asked for in the engine. They take some 1.3 kB each here. */
const MAX_DEVICES = 250_000;
const LOAD_ROWS = 20_000;
const MAX_VALUES = 100;

export function narrowed(row: DeviceRow): NarrowDevice {
  const { fields: _fields, risk: _risk, ocsf: _ocsf, ...narrow } = row;
  return narrow;
}

interface Entry {
  readonly row: NarrowDevice;
  /** What the words of a search are looked up in; as the column of that name. */
  readonly search: string;
  /** Its address, then all it has, four words each; IPv4 as mapped IPv6. */
  readonly addresses: Uint32Array;
  /** Sorts by the number of the address. */
  readonly ipOrder: string;
  /** Epoch milliseconds: retention counts from here. */
  readonly storedMs: number;
}

type Place = string | number;

interface Order {
  readonly keys: readonly ((row: NarrowDevice, entry: Entry) => Place)[];
  readonly kinds: readonly ('string' | 'number')[];
  /** 1 ascending, -1 descending; all keys alike, and the device's own key last. */
  readonly direction: 1 | -1;
}

type Key<T> = (row: NarrowDevice, entry: Entry) => T;
const device: Key<string> = (row) => row.device;
const byNumber = (direction: 1 | -1, ...keys: Key<number>[]): Order => ({
  keys: [...keys, device],
  kinds: [...keys.map(() => 'number' as const), 'string'],
  direction,
});
const byText = (key: Key<string>): Order => ({ keys: [key, device], kinds: ['string', 'string'], direction: 1 });
/** Without regard to case, what has no name comes last. */
const byName = (of: (row: NarrowDevice) => string): Order =>
  byText((row) => `${of(row) === '' ? 1 : 0}${of(row).toLowerCase()}`);
const risk: Key<number> = (row) => Math.trunc(row.risk_score);
const lastSeen: Key<number> = (row) => row.last_seen;

/** The same orders as those of the queries. */
const ORDERS: Record<DeviceSort, Order> = {
  last_seen: byNumber(-1, lastSeen),
  first_seen: byNumber(-1, (row) => row.first_seen),
  hostname: byName((row) => row.hostname),
  type: byName((row) => row.type),
  vendor_name: byName((row) => row.vendor_name),
  ip: byText((_row, entry) => entry.ipOrder),
  risk: byNumber(-1, risk, lastSeen),
  confidence: byNumber(1, (row) => Math.trunc(row.confidence * 1000)),
  bytes: byNumber(-1, (row) => row.bytes),
  unknown: byNumber(-1, (row) => (row.type === 'unknown' ? 1 : 0), risk, lastSeen),
};

/**
 * The present state of all devices in memory, for lists, filters and counts: the engine would put the versions of
 * each row together anew for every question. Only where this process alone writes (the embedded engine) does it
 * know all there is.
 */
export class DeviceIndex {
  readonly #entries = new Map<string, Entry>();
  readonly #keepMs: number;
  #full = false;

  /** @param retentionDays 0 for ever */
  constructor(retentionDays: number) {
    this.#keepMs = retentionDays > 0 ? retentionDays * 86_400_000 : Infinity;
  }

  /** False where there are more devices than it holds: then the engine is asked. */
  get isComplete(): boolean {
    return !this.#full;
  }

  /** Reads all devices that are stored. */
  async load(client: ClickHouseClient, database: string): Promise<void> {
    let after = '';
    const columns = columnsOf('devices')
      .split(', ')
      .filter((name) => !WIDE.has(name));
    for (;;) {
      const answer = await client.query({
        query: `SELECT ${columns.join(', ')}, toUnixTimestamp(ingested_at) AS stored FROM ${database}.devices FINAL
          WHERE device > {after:String} ORDER BY device LIMIT ${LOAD_ROWS}`,
        query_params: { after },
        format: 'JSONEachRow',
      });
      const rows = await answer.json<NarrowDevice & { stored: number }>();
      for (const { stored, ...row } of rows) this.put(row, stored * 1000);
      const last = rows.at(-1);
      if (rows.length < LOAD_ROWS || last === undefined || this.#full) return;
      after = last.device;
    }
  }

  /** Takes a row that is safe in the store. */
  put(row: NarrowDevice, storedMs: number): void {
    if (this.#full) return;
    const known = this.#entries.get(row.device);
    if (known !== undefined && known.row.version > row.version) return;
    if (known === undefined && this.#entries.size >= MAX_DEVICES) {
      this.#full = true;
      this.#entries.clear();
      return;
    }
    const addresses = addressesOf(row);
    const ipOrder = Array.from(addresses.subarray(0, 4), (word) => word.toString(16).padStart(8, '0')).join('');
    this.#entries.set(row.device, { row, search: searchOf(row), addresses, ipOrder, storedMs });
  }

  page(filter: DeviceFilter, limit: number, cursor: string | undefined): Page<NarrowDevice> {
    const sort = filter.sort ?? 'last_seen';
    const order = ORDERS[sort];
    const after = cursor === undefined ? undefined : decodeCursor(cursor, sort, order.kinds).values;
    const best = new Best(order, limit + 1);
    let total = 0;
    this.#each(filter, (entry) => {
      total++;
      if (after === undefined || isAfter(order, entry, after)) best.offer(entry);
    });
    const found = best.entries();
    const shown = found.slice(0, limit);
    const last = found.length > limit ? shown.at(-1) : undefined;
    const next =
      last === undefined ? undefined : encodeCursor({ sort, values: order.keys.map((key) => key(last.row, last)) });
    return { rows: shown.map((entry) => entry.row), next, total };
  }

  facets(filter: DeviceFilter, asked: readonly DeviceField[], most: number): Facet[] {
    const fields = asked.filter((field) => field !== 'ae_title');
    const counts = fields.map(() => new Map<string, number>());
    this.#each(filter, ({ row }) => {
      for (let i = 0; i < fields.length; i++) {
        const value = row[fields[i]!];
        const count = counts[i]!;
        count.set(value, (count.get(value) ?? 0) + 1);
      }
    });
    return fields.map((field, i) => ({
      field,
      values: [...counts[i]!]
        .map(([value, n]) => ({ value, n }))
        .sort((a, b) => b.n - a.n || (a.value < b.value ? -1 : 1))
        .slice(0, most),
    }));
  }

  #each(filter: DeviceFilter, take: (entry: Entry) => void): void {
    const fits = testOf(filter);
    const oldest = Date.now() - this.#keepMs;
    for (const entry of this.#entries.values()) {
      if (entry.storedMs < oldest) this.#entries.delete(entry.row.device);
      else if (fits(entry)) take(entry);
    }
  }
}

/** The first in an order, whatever comes. */
class Best {
  readonly #order: Order;
  readonly #size: number;
  #entries: Entry[] = [];
  /** The last of those that are wanted, as far as is known. */
  #worst: Entry | undefined;

  constructor(order: Order, size: number) {
    this.#order = order;
    this.#size = size;
  }

  offer(entry: Entry): void {
    if (this.#worst !== undefined && compare(this.#order, entry, this.#worst) > 0) return;
    this.#entries.push(entry);
    // Sorted once in a while only: a page costs little more than a look at each device.
    if (this.#entries.length >= 2 * this.#size + 64) this.#cut();
  }

  entries(): readonly Entry[] {
    this.#cut();
    return this.#entries;
  }

  #cut(): void {
    this.#entries.sort((a, b) => compare(this.#order, a, b));
    this.#entries = this.#entries.slice(0, this.#size);
    if (this.#entries.length === this.#size) this.#worst = this.#entries.at(-1);
  }
}

function compare(order: Order, a: Entry, b: Entry): number {
  for (const key of order.keys) {
    const x = key(a.row, a);
    const y = key(b.row, b);
    if (x !== y) return (x < y ? -1 : 1) * order.direction;
  }
  return 0;
}

function isAfter(order: Order, entry: Entry, place: readonly Place[]): boolean {
  for (let i = 0; i < order.keys.length; i++) {
    const x = order.keys[i]!(entry.row, entry);
    const y = place[i]!;
    if (x !== y) return (x > y ? 1 : -1) * order.direction > 0;
  }
  return false;
}

const MAPPED = 0xffff;

function addressesOf(row: NarrowDevice): Uint32Array {
  const all = [row.ip, ...row.ips];
  const words = new Uint32Array(all.length * 4);
  all.forEach((ip, i) => {
    const v6 = ip.includes(':');
    words.set((v6 ? parseIpv6(ip) : parseIpv4(ip)) ?? [], i * 4);
    if (!v6 && ip !== '') words[i * 4 + 2] = MAPPED;
  });
  return words;
}

/** @throws {WardwatchError} `WW_USAGE` where an address is none */
function testOf(filter: DeviceFilter): (entry: Entry) => boolean {
  const tests: ((entry: Entry) => boolean)[] = [];
  const row = (test: (row: NarrowDevice) => boolean): void => void tests.push((entry) => test(entry.row));
  for (const field of DEVICE_FIELDS) {
    const values = filter.fields?.[field];
    if (values === undefined) continue;
    const wanted = new Set(values.slice(0, MAX_VALUES).map((value) => value.toWellFormed().toLowerCase()));
    if (field === 'ae_title') row((one) => one.ae_titles.some((title) => wanted.has(title.toLowerCase())));
    else row((one) => wanted.has(one[field].toLowerCase()));
  }
  const { ip, gateway, riskAtLeast, confidenceAtLeast, confidenceAtMost, vlans, without } = filter;
  if (ip !== undefined) {
    checkAddress(ip);
    if (ip.includes('/')) {
      // An address in a form that none is stored in has no devices.
      const network = createCidrSet(parseCidr(ip) === undefined ? [] : [ip]);
      const v6 = ip.includes(':');
      tests.push(({ addresses }) => isWithin(addresses, network, v6));
    } else row((one) => one.ip === ip || one.ips.includes(ip));
  }
  if (gateway !== undefined) row((one) => one.is_gateway === gateway);
  if (riskAtLeast !== undefined) row((one) => one.risk_level >= Math.trunc(riskAtLeast));
  if (confidenceAtLeast !== undefined) row((one) => one.confidence >= confidenceAtLeast);
  if (confidenceAtMost !== undefined) row((one) => one.confidence <= confidenceAtMost);
  const { firstSeenFrom, firstSeenTo, lastSeenFrom, lastSeenTo } = filter;
  if (firstSeenFrom !== undefined) row((one) => one.first_seen >= Math.trunc(firstSeenFrom));
  if (firstSeenTo !== undefined) row((one) => one.first_seen <= Math.trunc(firstSeenTo));
  if (lastSeenFrom !== undefined) row((one) => one.last_seen >= Math.trunc(lastSeenFrom));
  if (lastSeenTo !== undefined) row((one) => one.last_seen <= Math.trunc(lastSeenTo));
  if (vlans !== undefined) {
    const seen = new Set(vlans);
    row((one) => seen.has(one.vlan));
  }
  if (without !== undefined && without.length > 0) {
    const hidden = new Set(without);
    row((one) => !hidden.has(one.device));
  }
  for (const word of words(filter.text)) {
    const lower = word.toLowerCase();
    tests.push((entry) => entry.search.includes(lower));
  }
  return (entry) => {
    for (let i = 0; i < tests.length; i++) if (!tests[i]!(entry)) return false;
    return true;
  };
}

function isWithin(addresses: Uint32Array, network: CidrSet, v6: boolean): boolean {
  for (let at = 0; at < addresses.length; at += 4) {
    const isV4 = addresses[at] === 0 && addresses[at + 1] === 0 && addresses[at + 2] === MAPPED;
    const isNone = addresses[at + 2] === 0 && addresses[at + 3] === 0 && addresses[at] === 0 && addresses[at + 1] === 0;
    if (!isNone && isV4 !== v6 && network.has(addresses, at, v6)) return true;
  }
  return false;
}

function searchOf(row: NarrowDevice): string {
  return [
    row.hostname,
    row.type,
    row.vendor_name,
    row.model,
    row.mac,
    row.ip,
    row.ips.join('\n'),
    row.device,
    `${row.os} ${row.os_version}`,
    row.firmware,
    row.serial,
    row.ae_titles.join('\n'),
  ]
    .join('\n')
    .toLowerCase();
}
