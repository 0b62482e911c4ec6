import type { ClickHouseClient } from '@clickhouse/client';
import type { AddressRow } from '../kernel/rows.ts';
import { asked, deviceConditions, whereSql, whole } from './conditions.ts';
import { DEVICE_FIELDS } from './contract.ts';
import type { Change, DataFlow, Facet, Store, StoredChannel } from './contract.ts';

/** The questions about the inventory that are more than a list of devices. */
type InventoryQueries = Pick<Store, 'facets' | 'channelsOf' | 'addressesOf' | 'dataFlows' | 'changes'>;

const MAX_ROWS = 10_000;
/** A merged device has a few keys; more are not asked for at once. */
const MAX_KEYS = 64;

const size = (limit: number): number => Math.max(1, Math.min(MAX_ROWS, Math.trunc(limit) || 1));
const keysOf = (devices: readonly string[]): string[] => devices.slice(0, MAX_KEYS).map(asked);

export function createInventoryQueries(client: ClickHouseClient, database: string): InventoryQueries {
  const ask = async <T>(query: string, query_params: Record<string, unknown> = {}): Promise<T[]> =>
    (await client.query({ query, query_params, format: 'JSONEachRow' })).json<T>();

  return {
    async facets(filter, fields, most) {
      const columns = fields.filter((field) => DEVICE_FIELDS.includes(field) && field !== 'ae_title');
      if (columns.length === 0) return [];
      const where = deviceConditions(filter);
      // One pass over the devices for all of the fields.
      const rows = await ask<{ at: number; value: string; n: number }>(
        `SELECT at, value, n FROM (
           SELECT pair.1 AS at, pair.2 AS value, count() AS n FROM (
             SELECT arrayJoin([${columns.map((field, i) => `(${i}, toString(${field}))`).join(', ')}]) AS pair
             FROM ${database}.devices FINAL${whereSql(where.sql)})
           GROUP BY at, value)
         ORDER BY at, n DESC, value LIMIT {most:UInt32} BY at`,
        { ...where.params, most: Math.min(500, size(most)) },
      );
      return columns.map((field, i): Facet => ({
        field,
        values: rows.filter((row) => row.at === i).map(({ value, n }) => ({ value, n })),
      }));
    },

    channelsOf: (devices, limit) =>
      ask<StoredChannel>(
        `SELECT device, peer, any(c.peer_kind) AS peer_kind, max(c.peer_name) AS peer_name,
           argMax(c.type, c.last_seen) AS type, argMax(c.peer_type, c.last_seen) AS peer_type,
           direction, proto, port, argMax(c.service, c.last_seen) AS service,
           argMax(c.encrypted, c.last_seen) AS encrypted, argMax(c.phi, c.last_seen) AS phi,
           max(c.is_clinical) AS is_clinical, groupUniqArrayArray(24)(c.commands) AS commands, max(c.learned) AS learned,
           min(c.first_seen) AS first_seen, max(c.last_seen) AS last_seen, sum(c.flows) AS flows,
           sum(c.bytes_out) AS bytes_out, sum(c.bytes_in) AS bytes_in
         FROM ${database}.channels AS c FINAL WHERE device IN ({devices:Array(String)})
         GROUP BY device, peer, direction, proto, port
         ORDER BY last_seen DESC, peer, port, direction LIMIT {size:UInt32}`,
        { devices: keysOf(devices), size: size(limit) },
      ),

    addressesOf: (devices, limit) =>
      ask<AddressRow>(
        `SELECT device, ip, first_seen, last_seen, claimed FROM ${database}.addresses FINAL
         WHERE device IN ({devices:Array(String)})
         ORDER BY last_seen DESC, first_seen DESC, ip LIMIT {size:UInt32}`,
        { devices: keysOf(devices), size: size(limit) },
      ),

    async dataFlows(filter) {
      // Both ends write what they do with each other: what one of them began is counted, and what came from outside.
      const sql = ["(direction = 'out' OR peer_kind != 'device')", "peer != '*'"];
      const params: Record<string, unknown> = { size: size(filter.limit) };
      if (filter.clinical === true) sql.push('is_clinical');
      if (filter.type !== undefined) {
        sql.push('(type = {type:String} OR peer_type = {type:String})');
        params['type'] = asked(filter.type);
      }
      if (filter.vlans !== undefined) {
        sql.push("has({vlans:Array(String)}, substring(device, 1, position(device, '/') - 1))");
        params['vlans'] = filter.vlans.map(asked);
      }
      return ask<DataFlow>(
        `SELECT if(c.direction = 'out', c.type, c.peer_type) AS type, if(c.direction = 'out', c.peer_type, c.type) AS peer_type,
           if(c.direction = 'out', c.peer_kind, 'device') AS peer_kind,
           service, proto, if(service = '', port, 0) AS port, encrypted, phi,
           count() AS channels, uniq(if(c.direction = 'out', device, peer)) AS devices,
           uniq(if(c.direction = 'out', peer, device)) AS peers, sum(c.flows) AS flows,
           sum(c.bytes_out + c.bytes_in) AS bytes, min(c.first_seen) AS first_seen, max(c.last_seen) AS last_seen
         FROM ${database}.channels AS c FINAL${whereSql(sql)}
         GROUP BY type, peer_type, peer_kind, service, proto, port, encrypted, phi
         ORDER BY devices DESC, bytes DESC, type, peer_type, service LIMIT {size:UInt32}
         SETTINGS prefer_column_name_to_alias = 0`,
        params,
      );
    },

    async changes(from, to, limit, about = {}) {
      const params: Record<string, unknown> = { from: whole(from), to: whole(to), size: size(limit) };
      let one = '';
      if (about.device !== undefined) {
        one += ' AND device = {device:String}';
        params['device'] = asked(about.device);
      }
      let segment = '';
      let keySegment = '';
      if (about.vlans !== undefined) {
        segment = ' AND has({vlans:Array(String)}, vlan)';
        keySegment = " AND has({vlans:Array(String)}, substring(device, 1, position(device, '/') - 1))";
        params['vlans'] = about.vlans.map(asked);
      }
      let after = '';
      if (about.after !== undefined) {
        after = ' WHERE (time, key) < ({after_time:Int64}, {after_key:String})';
        params['after_time'] = whole(about.after.time);
        params['after_key'] = asked(about.after.key);
      }
      // LIMIT 1 BY instead of FINAL: of all channels only the times are read, the rest for the few that are new.
      return ask<Change>(
        `SELECT time, kind, device, before, after, reason, concat(device, '|', kind, '|', after) AS key FROM (
           SELECT first_seen AS time, 'appeared' AS kind, device, '' AS before, toString(type) AS after,
             concat_ws(' ', vendor_name, model, hostname, ip) AS reason
           FROM ${database}.devices FINAL WHERE first_seen >= {from:Int64} AND first_seen <= {to:Int64}${one}${segment}
           UNION ALL
           SELECT time, toString(kind) AS kind, device, before, after, reason
           FROM ${database}.identities FINAL WHERE time >= {from:Int64} AND time <= {to:Int64}${one}${segment}
           UNION ALL
           SELECT first_seen AS time, 'channel' AS kind, device, '' AS before,
             concat(peer, ' ', proto, '/', toString(port), ' ', direction) AS after,
             concat(if(direction = 'out', 'began to use ', 'began to serve '), if(service = '', 'an unknown protocol', service)) AS reason
           FROM ${database}.channels
           PREWHERE first_seen >= {from:Int64} AND first_seen <= {to:Int64}
           WHERE NOT learned${one}${keySegment}
           ORDER BY version DESC LIMIT 1 BY device, direction, peer, proto, port, first_seen)${after}
         ORDER BY time DESC, key DESC LIMIT {size:UInt32}`,
        params,
      );
    },
  };
}
