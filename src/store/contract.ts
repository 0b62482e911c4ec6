import type { Component } from '../kernel/component.ts';
import type {
  AddressRow,
  AlertRow,
  ChannelRow,
  DecisionRow,
  DeviceRow,
  FlowRow,
  ObeyedRow,
  RowSink,
  WindowRow,
} from '../kernel/rows.ts';

export interface AlertFilter {
  severityAtLeast?: number;
  /** Key of a device: alerts about it, and those in which it took part. */
  device?: string;
  /** Id of a detector that contributed. */
  detector?: string;
  /** Case-insensitive words, all must occur in title, message, device name, address or type. */
  text?: string;
  /** Epoch milliseconds, by the alert's `time`. */
  from?: number;
  to?: number;
  /** Only these VLANs: what the asker may see. */
  vlans?: readonly string[];
  sort?: 'time' | 'severity';
}

/**
 * A page; `next` is an opaque cursor that neither skips nor repeats rows while new ones arrive. A row that
 * itself changes between two pages stands at its new place: under `last_seen` an active device moves to the top.
 */
export interface Page<T> {
  rows: T[];
  next: string | undefined;
  total: number;
}

/** Fields of a device that a filter can name; the value of any of them is one of those given, case aside. */
export const DEVICE_FIELDS = [
  'type',
  'vendor_name',
  'model',
  'hostname',
  'os',
  'os_version',
  'firmware',
  'serial',
  'mac',
  'vlan',
  'phase',
  'ae_title',
] as const;
export type DeviceField = (typeof DEVICE_FIELDS)[number];

export type DeviceSort =
  'last_seen' | 'first_seen' | 'hostname' | 'type' | 'vendor_name' | 'ip' | 'risk' | 'confidence' | 'bytes' | 'unknown';

export interface DeviceFilter {
  /** Any of the values of each field; `''` is "not known". */
  fields?: Partial<Record<DeviceField, readonly string[]>>;
  /** Address, or a network as `10.20.0.0/16`, that one of its addresses is in. */
  ip?: string;
  gateway?: boolean;
  /** risk_level at least. */
  riskAtLeast?: number;
  confidenceAtLeast?: number;
  confidenceAtMost?: number;
  /** Epoch milliseconds. */
  firstSeenFrom?: number;
  firstSeenTo?: number;
  lastSeenFrom?: number;
  lastSeenTo?: number;
  text?: string;
  /** Only devices of these VLANs, whatever else is asked for. */
  vlans?: readonly string[];
  /** Keys that are not shown: devices that were merged into others. */
  without?: readonly string[];
  /** For lists: `fields`, `risk` and `ocsf` of the rows may be empty, which spares reading them. */
  summary?: boolean;
  /** `unknown`: what nobody has told the type of first, then by risk. */
  sort?: DeviceSort;
}

/** How many devices have each value of a field, most first. */
export interface Facet {
  field: string;
  values: { value: string; n: number }[];
}

/** A channel as stored, all its times added up. */
export type StoredChannel = Omit<ChannelRow, 'version'>;

/** One kind of data flow between two kinds of devices. */
export interface DataFlow {
  type: string;
  peer_type: string;
  peer_kind: string;
  service: string;
  proto: string;
  port: number;
  encrypted: string;
  phi: string;
  /** Channels of this kind, and devices on the side that begins them. */
  channels: number;
  devices: number;
  peers: number;
  flows: number;
  bytes: number;
  first_seen: number;
  last_seen: number;
}

export interface DataFlowFilter {
  /** All, where clinical ones alone are not asked for. */
  clinical?: boolean;
  type?: string;
  vlans?: readonly string[];
  limit: number;
}

/** An alert that was written to the store. */
export interface Arrival {
  uid: string;
  version: number;
  /** Epoch seconds of the engine's clock. */
  ingested: number;
}

/** The answer to a statement of an analyst. */
export interface SqlAnswer {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  /** There are more rows than an answer may have. */
  truncated: boolean;
  elapsed_ms: number;
}

/** Something that has changed in the inventory. */
export interface Change {
  time: number;
  /** `appeared`, `channel`, or a kind of {@link IdentityRow}. */
  kind: string;
  device: string;
  before: string;
  after: string;
  reason: string;
  /** Tells changes of one moment apart; with `time` where the next page begins. */
  key: string;
}

/**
 * All bulk data. Writes are batched inside, idempotent (writing the same row again changes nothing) and
 * resolve when the engine has acknowledged them. Retention counts from ingest time.
 */
export interface Store extends Component, RowSink {
  readonly where: 'embedded' | 'server';
  alerts(filter: AlertFilter, limit: number, cursor?: string): Promise<Page<AlertRow>>;
  /** With `vlans`, here and below, only what is in one of them: what the asker may see. */
  alert(uid: string, vlans?: readonly string[]): Promise<AlertRow | undefined>;
  /** Those of these alerts that are there, in no order. */
  alertsOf(uids: readonly string[]): Promise<AlertRow[]>;
  /**
   * Alerts that were written since an earlier answer, in the order in which they came in, whatever time their frames
   * carry. It looks back five minutes further, since an insert takes effect later than its time says: who asks has to
   * know what it has. A write that is repeated comes again.
   * @param since `asOf` of an earlier answer; undefined for those five minutes alone
   * @param after the last of the page before this one
   */
  arrivals(since: number | undefined, limit: number, after?: Arrival): Promise<{ rows: Arrival[]; asOf: number }>;
  devices(filter: DeviceFilter, limit: number, cursor?: string): Promise<Page<DeviceRow>>;
  device(key: string, vlans?: readonly string[]): Promise<DeviceRow | undefined>;
  /** Counts of devices by the values of each field, for those that the filter finds. */
  facets(filter: DeviceFilter, fields: readonly DeviceField[], most: number): Promise<Facet[]>;
  /** Channels of devices, last used first. */
  channelsOf(devices: readonly string[], limit: number): Promise<StoredChannel[]>;
  /** Addresses that devices have had, newest first. */
  addressesOf(devices: readonly string[], limit: number): Promise<AddressRow[]>;
  /** Kinds of data flows of the site, most used first. */
  dataFlows(filter: DataFlowFilter): Promise<DataFlow[]>;
  /** What has changed between two times (epoch milliseconds), newest first; of one device where a key is given. */
  changes(
    from: number,
    to: number,
    limit: number,
    about?: { device?: string; vlans?: readonly string[]; after?: { time: number; key: string } },
  ): Promise<Change[]>;
  /** Flows in which the device took part, newest first. */
  flowsOf(device: DeviceRow, limit: number, around?: { from: number; to: number }): Promise<FlowRow[]>;
  windowsOf(device: string, windowS: number, from: number, to: number): Promise<WindowRow[]>;
  /** Counts for the overview: alerts by severity, devices by type. */
  overview(vlans?: readonly string[]): Promise<{
    alertsBySeverity: Record<string, number>;
    devicesByType: Record<string, number>;
    flows: number;
  }>;
  /**
   * The answer to one SELECT over the tables of the store, on a connection that can only read.
   * Fails with `WW_USAGE` where the statement is not allowed, wrong, or reaches a limit.
   */
  sql(statement: string): Promise<SqlAnswer>;
  /** What people decided and what detectors logged of it; for detectors in other processes. */
  decisions(): Promise<{ decisions: DecisionRow[]; obeyed: ObeyedRow[] }>;
  /** Writes decisions down; of two rows of one decision the later one counts. */
  putDecisions(rows: readonly DecisionRow[]): Promise<void>;
  putObeyed(rows: readonly ObeyedRow[]): Promise<void>;
  /** Sealed frames around alerts; the newest of an alert stays, for 90 days. */
  putEvidence(rows: readonly { uid: string; frames: number; blob: Uint8Array }[]): Promise<void>;
  evidenceOf(uid: string): Promise<{ frames: number; blob: Uint8Array } | undefined>;
  /** Answers when the engine does; for readiness. */
  ping(): Promise<void>;
}
