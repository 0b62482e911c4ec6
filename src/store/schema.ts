import type { StoreConfig } from './config.ts';

export type TableName =
  'alerts' | 'devices' | 'channels' | 'addresses' | 'identities' | 'flows' | 'observations' | 'scores' | 'windows';

/** A table's columns, key and engine, free of the engine's family; {@link renderCreate} makes SQL of it. */
export interface TableShape {
  name: string;
  /** Name and ClickHouse type, with DEFAULT or CODEC where needed. */
  columns: readonly (readonly [name: string, type: string])[];
  /** Column by which the newest of rows with the same key is told; without it the last written one stays. */
  version?: string;
  orderBy: string;
  indexes?: readonly string[];
  settings?: readonly string[];
  /** What of it goes by itself, where that is not a matter of retention. */
  ttl?: string;
}

/** How tables are rendered: one server, or a cluster with replicas (`macros {shard} and {replica}` on each node). */
export type EngineFamily = { kind: 'single' } | { kind: 'replicated'; cluster: string };

const INGESTED = ['ingested_at', 'DateTime DEFAULT now()'] as const;

/** Columns that the table of devices got after its first release, and the one that each follows. */
const DEVICE_COLUMNS_2 = [
  ['os', 'LowCardinality(String)'],
  ['os_version', 'LowCardinality(String)'],
  ['firmware', 'LowCardinality(String)'],
  ['serial', 'String'],
  ['ae_titles', 'Array(String)'],
  ['confidence', 'Float64'],
  ['risk_score', 'Float64'],
  ['risk_level', 'UInt8'],
  ['risk', 'String CODEC(ZSTD(3))'],
  // What the words of a search are looked up in, in lower case: one column to read instead of eight.
  [
    'search',
    "String MATERIALIZED lowerUTF8(concat(hostname, '\\n', type, '\\n', vendor_name, '\\n', model, '\\n', mac, '\\n', ip, '\\n', arrayStringConcat(ips, '\\n'), '\\n', device, '\\n', os, ' ', os_version, '\\n', firmware, '\\n', serial, '\\n', arrayStringConcat(ae_titles, '\\n')))",
  ],
] as const;

/**
 * All tables are ReplacingMergeTree: writing a row again (after a crash, a rebalance, a lost answer) leaves
 * one row. Until parts are merged both are there, so every query reads with FINAL or LIMIT 1 BY.
 * None is partitioned: captures may be of any year, and one insert over hundreds of days would open
 * hundreds of partitions. What is structured only for readers (OCSF, evidence) is JSON text in a String.
 */
export const TABLES: Readonly<Record<TableName, TableShape>> = {
  // Small and read by uid after the page was found in narrow columns: small granules, so that a page of
  // fifty does not unpack the OCSF text of thousands. Synced to disk, since an alert is what must not be lost.
  alerts: {
    name: 'alerts',
    columns: [
      ['uid', 'String'],
      ['version', 'UInt64'],
      ['time', 'Int64'],
      ['start_time', 'Int64'],
      ['end_time', 'Int64'],
      ['severity_id', 'UInt8'],
      ['detector', 'LowCardinality(String)'],
      ['detectors', 'Array(LowCardinality(String))'],
      ['title', 'String'],
      ['message', 'String'],
      ['device', 'String'],
      ['device_mac', 'String'],
      ['device_ip', 'String'],
      ['device_name', 'String'],
      ['device_type', 'LowCardinality(String)'],
      ['vlan', 'LowCardinality(String)'],
      ['parties', 'Array(String)'],
      ['attacks', 'Array(LowCardinality(String))'],
      ['confidence_score', 'Float64'],
      ['risk_score', 'Float64'],
      ['findings', 'UInt64'],
      ['ocsf', 'String CODEC(ZSTD(3))'],
      INGESTED,
    ],
    version: 'version',
    orderBy: 'uid',
    settings: ['index_granularity = 256', 'fsync_after_insert = 1', 'fsync_part_directory = 1'],
  },
  devices: {
    name: 'devices',
    columns: [
      ['device', 'String'],
      ['version', 'UInt64'],
      ['mac', 'String'],
      ['vlan', 'LowCardinality(String)'],
      ['ip', 'String'],
      ['ips', 'Array(String)'],
      ['hostname', 'String'],
      ['type', 'LowCardinality(String)'],
      ['vendor_name', 'LowCardinality(String)'],
      ['model', 'String'],
      ['is_gateway', 'Bool'],
      ['phase', 'LowCardinality(String)'],
      ...DEVICE_COLUMNS_2,
      ['first_seen', 'Int64'],
      ['last_seen', 'Int64'],
      ['packets', 'UInt64'],
      ['bytes', 'UInt64'],
      ['fields', 'String CODEC(ZSTD(3))'],
      ['ocsf', 'String CODEC(ZSTD(3))'],
      INGESTED,
    ],
    version: 'version',
    orderBy: 'device',
    settings: ['index_granularity = 256'],
  },
  // Kept as long as devices are: what two ends do with each other, when the flows are gone. A channel that a
  // restarted hot path begins anew has another `first_seen`; queries add such rows up.
  channels: {
    name: 'channels',
    columns: [
      ['device', 'String'],
      ['peer', 'String'],
      ['peer_kind', 'LowCardinality(String)'],
      ['peer_name', 'String'],
      ['type', 'LowCardinality(String)'],
      ['peer_type', 'LowCardinality(String)'],
      ['direction', 'LowCardinality(String)'],
      ['proto', 'LowCardinality(String)'],
      ['port', 'UInt16'],
      ['service', 'LowCardinality(String)'],
      ['encrypted', 'LowCardinality(String)'],
      ['phi', 'LowCardinality(String)'],
      ['is_clinical', 'Bool'],
      ['commands', 'Array(LowCardinality(String))'],
      ['learned', 'Bool'],
      ['first_seen', 'Int64'],
      ['last_seen', 'Int64'],
      ['flows', 'UInt64'],
      ['bytes_out', 'UInt64'],
      ['bytes_in', 'UInt64'],
      ['version', 'UInt64'],
      INGESTED,
    ],
    version: 'version',
    orderBy: '(device, direction, peer, proto, port, first_seen)',
    settings: ['index_granularity = 1024'],
  },
  addresses: {
    name: 'addresses',
    columns: [
      ['device', 'String'],
      ['ip', 'String'],
      ['first_seen', 'Int64'],
      ['last_seen', 'Int64'],
      ['claimed', 'Bool'],
      INGESTED,
    ],
    version: 'last_seen',
    orderBy: '(device, ip, first_seen)',
    indexes: ['by_ip (ip) TYPE bloom_filter(0.01) GRANULARITY 1'],
    settings: ['index_granularity = 1024'],
  },
  identities: {
    name: 'identities',
    columns: [
      ['device', 'String'],
      ['vlan', 'LowCardinality(String)'],
      ['time', 'Int64'],
      ['kind', 'LowCardinality(String)'],
      ['before', 'String'],
      ['after', 'String'],
      ['reason', 'String'],
      INGESTED,
    ],
    orderBy: '(time, device, kind, after)',
    indexes: ['by_device (device) TYPE bloom_filter(0.01) GRANULARITY 1'],
    settings: ['index_granularity = 1024'],
  },
  // Each flow once, by time. "Flows of a device" reads backwards by time until it has enough: a busy device is
  // found in the newest granules, a quiet one by the bloom filters, which rule out granules it is not in. A
  // second copy by address would make that read exact, at two to four times the disk and insert cost.
  flows: {
    name: 'flows',
    columns: [
      ['ts', 'Float64'],
      ['uid', 'String'],
      ['orig_h', 'String'],
      ['orig_p', 'UInt16'],
      ['resp_h', 'String'],
      ['resp_p', 'UInt16'],
      ['proto', 'LowCardinality(String)'],
      ['service', 'LowCardinality(String)'],
      ['duration', 'Float64'],
      ['orig_bytes', 'UInt64'],
      ['resp_bytes', 'UInt64'],
      ['conn_state', 'LowCardinality(String)'],
      ['history', 'String'],
      ['orig_pkts', 'UInt64'],
      ['orig_ip_bytes', 'UInt64'],
      ['resp_pkts', 'UInt64'],
      ['resp_ip_bytes', 'UInt64'],
      ['missed_bytes', 'UInt64'],
      ['orig_l2_addr', 'String'],
      ['resp_l2_addr', 'String'],
      ['vlan', 'Nullable(UInt32)'],
      ['inner_vlan', 'Nullable(UInt32)'],
      ['vni', 'Nullable(UInt32)'],
      ['community_id', 'String'],
      ['ja3', 'String'],
      ['ja4', 'String'],
      INGESTED,
    ],
    orderBy: '(ts, uid)',
    indexes: [
      'by_mac (orig_l2_addr, resp_l2_addr) TYPE bloom_filter(0.01) GRANULARITY 1',
      'by_ip (orig_h, resp_h) TYPE bloom_filter(0.01) GRANULARITY 1',
    ],
  },
  // An observation has no id of its own: two that agree in everything are one.
  observations: {
    name: 'observations',
    columns: [
      ['ts', 'Float64'],
      ['flow_uid', 'String'],
      ['device', 'String'],
      ['protocol', 'LowCardinality(String)'],
      ['kind', 'LowCardinality(String)'],
      ['fields', 'String CODEC(ZSTD(3))'],
      ['digest', 'UInt64 MATERIALIZED sipHash64(fields)'],
      INGESTED,
    ],
    orderBy: '(device, protocol, kind, ts, flow_uid, digest)',
  },
  scores: {
    name: 'scores',
    columns: [
      ['window_start', 'Int64'],
      ['window_s', 'UInt32'],
      ['device', 'String'],
      ['vlan', 'LowCardinality(String)'],
      ['detector', 'LowCardinality(String)'],
      ['score', 'Float64'],
      ['p_value', 'Float64'],
      ['n_calibration', 'UInt64'],
      ['top_features', 'Array(LowCardinality(String))'],
      INGESTED,
    ],
    orderBy: '(device, window_s, window_start, detector)',
  },
  windows: {
    name: 'windows',
    columns: [
      ['window_start', 'Int64'],
      ['window_s', 'UInt32'],
      ['device', 'String'],
      ['vlan', 'LowCardinality(String)'],
      ['features', 'Map(LowCardinality(String), Float64)'],
      INGESTED,
    ],
    orderBy: '(device, window_s, window_start)',
  },
};

/**
 * Changes of tables that were released before, in the order in which they came. `probe` is a condition over
 * system.columns that tells whether it is there already; the statement is harmless where it is.
 */
export const CHANGES: readonly { name: string; table: TableName; probe: string; sql: readonly string[] }[] = [
  {
    name: 'devices: system, serial number, risk and search',
    table: 'devices',
    probe: "name = 'search'",
    sql: DEVICE_COLUMNS_2.map(([name, type], i) => {
      const after = i === 0 ? 'phase' : DEVICE_COLUMNS_2[i - 1]![0];
      return `ADD COLUMN IF NOT EXISTS ${name} ${type} AFTER ${after}`;
    }),
  },
];

/** Where the applied steps of the schema are written down. */
export const STEPS_TABLE: TableShape = {
  name: 'schema_steps',
  columns: [
    ['name', 'String'],
    ['applied_at', 'DateTime DEFAULT now()'],
  ],
  orderBy: 'name',
};

/**
 * State of detectors (see state-table.ts). Not among {@link TABLES}: it is no data, and analysts do not read it.
 * A blob is base64, because rows travel as JSON; what that adds is compressed away. The row that removes a blob has
 * the higher version; when it goes itself, a blob that has not met it in a merge may be listed once more, and is
 * removed again by the next owner.
 */
export const STATE_TABLE: TableShape = {
  name: 'state_blobs',
  columns: [['scope', 'String'], ['name', 'String'], ['blob', 'String CODEC(ZSTD(1))'], ['removed', 'UInt8'], INGESTED],
  version: 'removed',
  orderBy: '(scope, name)',
  // A granule is what a read unpacks at least, and a blob may have megabytes.
  settings: ['index_granularity = 8', 'fsync_after_insert = 1', 'fsync_part_directory = 1'],
  ttl: 'ingested_at + toIntervalDay(1) WHERE removed = 1',
};

/**
 * What people decided, for detectors in other processes, and what these have logged of it. Written by programs for
 * programs, so not among {@link TABLES}. What is gone is kept for as long as a detector may come back that has not
 * heard of it.
 */
export const DECISION_TABLES: readonly [decisions: TableShape, obeyed: TableShape] = [
  {
    name: 'decisions',
    columns: [
      ['id', 'String'],
      ['made', 'Int64'],
      ['gone', 'UInt8'],
      ['act', 'LowCardinality(String)'],
      ['scope', 'String'],
      ['until_us', 'Int64'],
      ['version', 'UInt64'],
      INGESTED,
    ],
    version: 'version',
    orderBy: 'id',
    ttl: 'ingested_at + toIntervalDay(90) WHERE gone = 1',
  },
  {
    name: 'decisions_obeyed',
    columns: [
      ['id', 'String'],
      ['made', 'Int64'],
      ['partition', 'UInt32'],
      ['from_us', 'Int64'],
      ['until_us', 'Int64'],
      ['hits', 'UInt64'],
      ['version', 'UInt64'],
      INGESTED,
    ],
    version: 'version',
    orderBy: '(id, made, partition)',
    ttl: 'ingested_at + toIntervalDay(90) WHERE until_us > 0',
  },
];

/** Frames around alerts from detectors in other processes, sealed (see src/state/seal.ts) and in base64. */
export const EVIDENCE_TABLE: TableShape = {
  name: 'evidence',
  columns: [
    ['uid', 'String'],
    ['frames', 'UInt32'],
    ['blob', 'String CODEC(ZSTD(1))'],
    ['version', 'UInt64'],
    INGESTED,
  ],
  version: 'version',
  orderBy: 'uid',
  settings: ['index_granularity = 64'],
  ttl: 'ingested_at + toIntervalDay(90)',
};

/** The TTL clause of a table as ClickHouse itself prints it, or empty where rows are kept for ever. */
export function renderTtl(retentionDays: number): string {
  return retentionDays > 0 ? `ingested_at + toIntervalDay(${retentionDays})` : '';
}

/**
 * CREATE TABLE for an engine family. Nothing of it comes from a user but the database and cluster names,
 * which the configuration has checked.
 */
export function renderCreate(database: string, table: TableShape, retentionDays: number, family: EngineFamily): string {
  const version = table.version ?? '';
  const engine =
    family.kind === 'single'
      ? `ReplacingMergeTree(${version})`
      : `ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/${database}/${table.name}', '{replica}'${version === '' ? '' : `, ${version}`})`;
  const lines = table.columns.map(([name, type]) => `${name} ${type}`);
  for (const index of table.indexes ?? []) lines.push(`INDEX ${index}`);
  const ttl = table.ttl ?? renderTtl(retentionDays);
  return [
    `CREATE TABLE IF NOT EXISTS ${database}.${table.name}${onCluster(family)} (\n  ${lines.join(',\n  ')}\n)`,
    `ENGINE = ${engine}`,
    `ORDER BY ${table.orderBy}`,
    ...(ttl === '' ? [] : [`TTL ${ttl}`]),
    ...(table.settings === undefined ? [] : [`SETTINGS ${table.settings.join(', ')}`]),
  ].join('\n');
}

/** ALTER TABLE that gives a table another retention. */
export function renderRetention(database: string, table: string, retentionDays: number, family: EngineFamily): string {
  const ttl = renderTtl(retentionDays);
  return `ALTER TABLE ${database}.${table}${onCluster(family)} ${ttl === '' ? 'REMOVE TTL' : `MODIFY TTL ${ttl}`}`;
}

/** Days each table is kept; 0 is for ever. */
export function retentionOf(config: StoreConfig, table: TableName): number {
  // What is known of devices is kept as long as they are.
  const kept = table === 'channels' || table === 'addresses' || table === 'identities' ? 'devices' : table;
  return config.retention_days[kept];
}

function onCluster(family: EngineFamily): string {
  return family.kind === 'replicated' ? ` ON CLUSTER ${family.cluster}` : '';
}
