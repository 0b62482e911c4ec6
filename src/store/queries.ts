import type { ClickHouseClient } from '@clickhouse/client';
import type { AlertRow, DecidedField, DeviceRow, FlowRow, RiskPart, WindowRow } from '../kernel/rows.ts';
import type { AlertFilter, Arrival, DeviceSort, Page, Store } from './contract.ts';
import { asked, deviceConditions, whereSql, whole, words } from './conditions.ts';
import type { Conditions } from './conditions.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { TABLES } from './schema.ts';
import type { TableName } from './schema.ts';

/** The reading half of the store. */
export type StoreQueries = Pick<
  Store,
  'alerts' | 'alert' | 'alertsOf' | 'arrivals' | 'devices' | 'device' | 'flowsOf' | 'windowsOf' | 'overview'
> & {
  /** Those of these devices that are there, in no order. */
  devicesOf(keys: readonly string[]): Promise<DeviceRow[]>;
};

const MAX_PAGE = 10_000;
/** An insert gets its time when it begins and is seen when it ends, on a replica later still. Seconds. */
const ARRIVAL_OVERLAP_S = 300;
const MAX_WINDOWS = 100_000;

/** One order of a list. The id is its last part, so that no two rows stand at the same place. */
interface Order {
  /** SQL expressions, compared as one tuple. */
  keys: readonly (readonly [sql: string, type: 'Int64' | 'String'])[];
  direction: 'ASC' | 'DESC';
}

interface List<Sort extends string> {
  table: TableName;
  id: string;
  orders: Record<Sort, Order>;
}

const ALERTS: List<'time' | 'severity'> = {
  table: 'alerts',
  id: 'uid',
  orders: {
    time: { keys: [['time', 'Int64']], direction: 'DESC' },
    severity: {
      keys: [
        ['toInt64(severity_id)', 'Int64'],
        ['time', 'Int64'],
      ],
      direction: 'DESC',
    },
  },
};

/** Fields of alerts that the words of a text search are looked up in. */
const SEARCHED: readonly string[] = ['title', 'message', 'device_name', 'device_ip', 'device_mac', 'device_type'];

/** Names sort without regard to case, what has none comes last. */
const byName = (column: string): Order => ({
  keys: [[`concat(if(${column} = '', '1', '0'), lowerUTF8(${column}))`, 'String']],
  direction: 'ASC',
});

const DEVICES: List<DeviceSort> = {
  table: 'devices',
  id: 'device',
  orders: {
    last_seen: { keys: [['last_seen', 'Int64']], direction: 'DESC' },
    first_seen: { keys: [['first_seen', 'Int64']], direction: 'DESC' },
    hostname: byName('hostname'),
    type: byName('type'),
    vendor_name: byName('vendor_name'),
    // By the number of the address (IPv4 as mapped IPv6), so that 10.0.0.9 comes before 10.0.0.10.
    ip: { keys: [['hex(IPv6StringToNumOrDefault(ip))', 'String']], direction: 'ASC' },
    risk: {
      keys: [
        ['toInt64(risk_score)', 'Int64'],
        ['last_seen', 'Int64'],
      ],
      direction: 'DESC',
    },
    confidence: { keys: [['toInt64(confidence * 1000)', 'Int64']], direction: 'ASC' },
    bytes: { keys: [['toInt64(bytes)', 'Int64']], direction: 'DESC' },
    unknown: {
      keys: [
        ["toInt64(type = 'unknown')", 'Int64'],
        ['toInt64(risk_score)', 'Int64'],
        ['last_seen', 'Int64'],
      ],
      direction: 'DESC',
    },
  },
};

export function createQueries(client: ClickHouseClient, database: string): StoreQueries {
  const ask = async <T>(query: string, query_params: Record<string, unknown> = {}): Promise<T[]> =>
    (await client.query({ query, query_params, format: 'JSONEachRow' })).json<T>();

  const page = async <Row, Sort extends string>(
    list: List<Sort>,
    sort: Sort,
    where: Conditions,
    limit: number,
    cursor: string | undefined,
  ): Promise<Page<Row>> => {
    const order = list.orders[sort];
    const from = `${database}.${list.table} FINAL`;
    const size = pageSize(limit);
    const keys = [...order.keys, [list.id, 'String'] as const];
    const params: Record<string, unknown> = { ...where.params, size: size + 1 };
    const conditions: string[] = [];
    if (cursor !== undefined) {
      const kinds = keys.map(([, type]) => (type === 'String' ? 'string' : 'number'));
      const marks = decodeCursor(cursor, sort, kinds).values.map((value, i) => {
        params[`after${i}`] = value;
        return `{after${i}:${keys[i]![1]}}`;
      });
      conditions.push(
        `(${keys.map((_, i) => `k${i}`).join(', ')}) ${order.direction === 'DESC' ? '<' : '>'} (${marks.join(', ')})`,
      );
    }
    // The rows of the page are found in narrow columns, in the one pass that also counts all; then the wide rows
    // of those alone are read by their key.
    const names = keys.map((_, i) => `k${i}`);
    const inner = `SELECT ${keys.map(([sql], i) => `${sql} AS k${i}`).join(', ')}, count() OVER () AS total FROM ${from}${whereSql(where.sql)}`;
    const found = await ask<{ place: (string | number)[]; total: number }>(
      `SELECT tuple(${names.join(', ')}) AS place, total FROM (${inner})${whereSql(conditions)}
       ORDER BY ${names.map((name) => `${name} ${order.direction}`).join(', ')} LIMIT {size:UInt32}`,
      params,
    );
    const places = new Map(found.map(({ place }) => [String(place.at(-1)), place]));
    const answer =
      found.length === 0
        ? []
        : await ask<Record<string, unknown>>(
            `SELECT ${columnsOf(list.table)} FROM ${from} WHERE ${list.id} IN ({ids:Array(String)})`,
            { ids: [...places.keys()] },
          );
    const rowOf = new Map(answer.map((row) => [String(row[list.id]), row]));
    // A row that was deleted between the two questions is left out.
    const read = found.filter(({ place }) => rowOf.has(String(place.at(-1))));
    const total =
      found[0]?.total ??
      (cursor === undefined
        ? 0
        : ((await ask<{ total: number }>(`SELECT count() AS total FROM ${from}${whereSql(where.sql)}`, where.params))[0]
            ?.total ?? 0));
    const shown = read.slice(0, size);
    const last = read.length > size ? shown.at(-1) : undefined;
    return {
      rows: shown.map(({ place }) => rowOf.get(String(place.at(-1))) as Row),
      next: last === undefined ? undefined : encodeCursor({ sort, values: last.place }),
      total,
    };
  };

  return {
    alerts: (filter, limit, cursor) => page(ALERTS, filter.sort ?? 'time', alertConditions(filter), limit, cursor),

    async alert(uid, vlans) {
      const rows = await ask<AlertRow>(
        `SELECT ${columnsOf('alerts')} FROM ${database}.alerts FINAL WHERE uid = {uid:String}${andSeen(vlans)} LIMIT 1`,
        { uid: asked(uid), ...seenBy(vlans) },
      );
      return rows[0];
    },

    async alertsOf(uids) {
      if (uids.length === 0) return [];
      return ask<AlertRow>(
        `SELECT ${columnsOf('alerts')} FROM ${database}.alerts FINAL WHERE uid IN ({uids:Array(String)})`,
        { uids: uids.slice(0, MAX_PAGE).map(asked) },
      );
    },

    async arrivals(since, limit, after) {
      // Asked first: what comes in while the page is read is looked at again.
      const [clock] = await ask<{ now: number }>('SELECT toUInt32(now()) AS now');
      const asOf = clock?.now ?? 0;
      // A clock that was set back does not hide what came in after it.
      const from = Math.max(0, Math.min(since ?? asOf, asOf) - ARRIVAL_OVERLAP_S);
      // Without FINAL, which would read all parts whole: older versions are here once, by their key.
      const rows = await ask<Arrival>(
        `SELECT uid, newest AS version, at AS ingested FROM (
           SELECT uid, max(version) AS newest, toUInt32(max(ingested_at)) AS at FROM ${database}.alerts
           WHERE ingested_at >= toDateTime({from:UInt32}) GROUP BY uid)
         WHERE (at, uid) > ({ingested:UInt32}, {uid:String}) ORDER BY at, uid LIMIT {size:UInt32}`,
        { from, ingested: after?.ingested ?? 0, uid: after?.uid ?? '', size: pageSize(limit) },
      );
      return { rows, asOf };
    },

    async devices(filter, limit, cursor) {
      const where = deviceConditions(filter);
      const { rows, next, total } = await page<RawDevice, DeviceSort>(
        DEVICES,
        filter.sort ?? 'last_seen',
        where,
        limit,
        cursor,
      );
      return { rows: rows.map(toDevice), next, total };
    },

    async devicesOf(keys) {
      if (keys.length === 0) return [];
      const rows = await ask<RawDevice>(
        `SELECT ${columnsOf('devices')} FROM ${database}.devices FINAL WHERE device IN ({keys:Array(String)})`,
        { keys },
      );
      return rows.map(toDevice);
    },

    async device(key, vlans) {
      const rows = await ask<RawDevice>(
        `SELECT ${columnsOf('devices')} FROM ${database}.devices FINAL WHERE device = {device:String}${andSeen(vlans)} LIMIT 1`,
        { device: asked(key), ...seenBy(vlans) },
      );
      return rows[0] === undefined ? undefined : toDevice(rows[0]);
    },

    async flowsOf(device, limit, around) {
      const where = flowConditions(device, around);
      if (where === undefined) return [];
      // LIMIT 1 BY instead of FINAL, and NULLS FIRST, where a key read backwards has them: only so the engine
      // reads from the newest granule back and ends when it has enough.
      const rows = await ask<RawFlow>(
        `SELECT ${columnsOf('flows')} FROM ${database}.flows${whereSql(where.sql)}
         ORDER BY ts DESC NULLS FIRST, uid DESC LIMIT 1 BY ts, uid LIMIT {size:UInt32}`,
        { ...where.params, size: pageSize(limit) },
      );
      return rows.map(toFlow);
    },

    async windowsOf(device, windowS, from, to) {
      return ask<WindowRow>(
        `SELECT ${columnsOf('windows')} FROM ${database}.windows FINAL
         WHERE device = {device:String} AND window_s = {windowS:UInt32}
           AND window_start >= {from:Int64} AND window_start <= {to:Int64}
         ORDER BY window_start LIMIT {size:UInt32}`,
        { device: asked(device), windowS, from: whole(from), to: whole(to), size: MAX_WINDOWS },
      );
    },

    async overview(vlans) {
      const seen = vlans === undefined ? '' : ' WHERE has({seen:Array(String)}, vlan)';
      const flowsSeen = vlans === undefined ? '' : ` WHERE has({seen:Array(String)}, ${FLOW_SEGMENT})`;
      const [severities, types, flows] = await Promise.all([
        ask<{ name: string; n: number }>(
          `SELECT toString(severity_id) AS name, count() AS n FROM ${database}.alerts FINAL${seen} GROUP BY name ORDER BY name`,
          seenBy(vlans),
        ),
        ask<{ name: string; n: number }>(
          `SELECT toString(type) AS name, count() AS n FROM ${database}.devices FINAL${seen} GROUP BY name ORDER BY name`,
          seenBy(vlans),
        ),
        ask<{ n: number }>(`SELECT count() AS n FROM ${database}.flows FINAL${flowsSeen}`, seenBy(vlans)),
      ]);
      return { alertsBySeverity: tally(severities), devicesByType: tally(types), flows: flows[0]?.n ?? 0 };
    },
  };
}

/** The name of a flow's segment, as in the `vlan` of alerts and devices. */
const FLOW_SEGMENT =
  "concat(ifNull(toString(flows.vlan), ''), if(inner_vlan IS NULL, '', concat('.', toString(inner_vlan))), " +
  "if(vni IS NULL, '', concat('/', toString(vni))))";

const andSeen = (vlans: readonly string[] | undefined): string =>
  vlans === undefined ? '' : ' AND has({seen:Array(String)}, vlan)';

const seenBy = (vlans: readonly string[] | undefined): Record<string, unknown> =>
  vlans === undefined ? {} : { seen: vlans.map(asked) };

function alertConditions(filter: AlertFilter): Conditions {
  const where: Conditions = { sql: [], params: {} };
  const add = (sql: string, name: string, value: unknown): void => {
    where.sql.push(sql);
    where.params[name] = value;
  };
  if (filter.severityAtLeast !== undefined) {
    add('severity_id >= {severity:Int64}', 'severity', whole(Math.ceil(filter.severityAtLeast)));
  }
  if (filter.device !== undefined) {
    add('(device = {device:String} OR has(parties, {device:String}))', 'device', asked(filter.device));
  }
  if (filter.detector !== undefined) {
    add('(detector = {detector:String} OR has(detectors, {detector:String}))', 'detector', asked(filter.detector));
  }
  if (filter.vlans !== undefined) add('has({seen:Array(String)}, vlan)', 'seen', filter.vlans.map(asked));
  if (filter.from !== undefined) add('time >= {from:Int64}', 'from', whole(filter.from));
  if (filter.to !== undefined) add('time <= {to:Int64}', 'to', whole(filter.to));
  addWords(where, filter.text, SEARCHED);
  return where;
}

/** Every word must occur in one of the fields; fields are joined by a line break, which no word contains. */
function addWords(where: Conditions, text: string | undefined, searched: readonly string[]): void {
  const haystack = `concat(${searched.join(", '\\n', ")})`;
  words(text).forEach((word, i) => {
    where.sql.push(`positionCaseInsensitiveUTF8(${haystack}, {word${i}:String}) > 0`);
    where.params[`word${i}`] = word;
  });
}

/**
 * On an access tap a device is found by its MAC (its address may change), on a routed tap, and behind a
 * gateway, whose MAC stands on the frames of many, by its addresses.
 */
function flowConditions(device: DeviceRow, around: { from: number; to: number } | undefined): Conditions | undefined {
  const params: Record<string, unknown> = {};
  const sql: string[] = [];
  if (device.mac !== '' && !device.is_gateway && device.device.endsWith(device.mac)) {
    params['mac'] = asked(device.mac);
    sql.push('(orig_l2_addr = {mac:String} OR resp_l2_addr = {mac:String})');
  } else {
    const addresses = [...new Set([device.ip, ...device.ips])].filter((ip) => ip !== '').slice(0, 64);
    if (addresses.length === 0) return undefined;
    const marks = addresses.map((ip, i) => {
      params[`ip${i}`] = asked(ip);
      return `{ip${i}:String}`;
    });
    sql.push(`(orig_h IN (${marks.join(', ')}) OR resp_h IN (${marks.join(', ')}))`);
  }
  // Segments are named `220`, `10.220` (outer.inner), `220/5001` (with a VNI), and '' for untagged.
  const segment = /^(?:(\d{1,4})(?:\.(\d{1,4}))?)?(?:\/(\d{1,8}))?$/.exec(device.vlan);
  if (segment === null) return undefined;
  params['segment_vlan'] = Number(segment[1] ?? 0);
  params['segment_inner'] = Number(segment[2] ?? 0);
  params['segment_vni'] = Number(segment[3] ?? 0);
  sql.push('ifNull(vlan, 0) = {segment_vlan:UInt32}');
  sql.push('ifNull(inner_vlan, 0) = {segment_inner:UInt32}');
  sql.push('ifNull(vni, 0) = {segment_vni:UInt32}');
  if (around !== undefined) {
    // A flow belongs to the time when any part of it does; long ones begin long before.
    params['from'] = whole(around.from) / 1000;
    params['to'] = whole(around.to) / 1000;
    sql.push('ts <= {to:Float64} AND ts + duration >= {from:Float64}');
  }
  return { sql, params };
}

export function columnsOf(table: TableName): string {
  return TABLES[table].columns
    .filter(([name, type]) => name !== 'ingested_at' && !type.includes('MATERIALIZED'))
    .map(([name]) => name)
    .join(', ');
}

/** Rows that a page of this limit has. */
export function pageSize(limit: number): number {
  return Math.max(1, Math.min(MAX_PAGE, Math.trunc(limit) || 1));
}

function tally(rows: readonly { name: string; n: number }[]): Record<string, number> {
  return Object.fromEntries(rows.map(({ name, n }) => [name, n]));
}

type RawDevice = Omit<DeviceRow, 'fields' | 'risk'> & { fields: string; risk: string };

function toDevice(raw: RawDevice): DeviceRow {
  return {
    ...raw,
    fields: JSON.parse(raw.fields) as Record<string, DecidedField>,
    // Rows of before this column was there have no text in it.
    risk: raw.risk === '' ? [] : (JSON.parse(raw.risk) as RiskPart[]),
  };
}

interface RawFlow {
  ts: number;
  uid: string;
  orig_h: string;
  orig_p: number;
  resp_h: string;
  resp_p: number;
  proto: string;
  service: string;
  duration: number;
  orig_bytes: number;
  resp_bytes: number;
  conn_state: string;
  history: string;
  orig_pkts: number;
  orig_ip_bytes: number;
  resp_pkts: number;
  resp_ip_bytes: number;
  missed_bytes: number;
  orig_l2_addr: string;
  resp_l2_addr: string;
  vlan: number | null;
  inner_vlan: number | null;
  vni: number | null;
  community_id: string;
  ja3: string;
  ja4: string;
}

function toFlow(raw: RawFlow): FlowRow {
  return {
    ts: raw.ts,
    uid: raw.uid,
    'id.orig_h': raw.orig_h,
    'id.orig_p': raw.orig_p,
    'id.resp_h': raw.resp_h,
    'id.resp_p': raw.resp_p,
    proto: raw.proto,
    ...(raw.service === '' ? {} : { service: raw.service }),
    duration: raw.duration,
    orig_bytes: raw.orig_bytes,
    resp_bytes: raw.resp_bytes,
    conn_state: raw.conn_state,
    history: raw.history,
    orig_pkts: raw.orig_pkts,
    orig_ip_bytes: raw.orig_ip_bytes,
    resp_pkts: raw.resp_pkts,
    resp_ip_bytes: raw.resp_ip_bytes,
    missed_bytes: raw.missed_bytes,
    ...(raw.orig_l2_addr === '' ? {} : { orig_l2_addr: raw.orig_l2_addr }),
    ...(raw.resp_l2_addr === '' ? {} : { resp_l2_addr: raw.resp_l2_addr }),
    ...(raw.vlan === null ? {} : { vlan: raw.vlan }),
    ...(raw.inner_vlan === null ? {} : { inner_vlan: raw.inner_vlan }),
    ...(raw.vni === null ? {} : { vni: raw.vni }),
    community_id: raw.community_id,
    ...(raw.ja3 === '' ? {} : { ja3: raw.ja3 }),
    ...(raw.ja4 === '' ? {} : { ja4: raw.ja4 }),
  };
}
