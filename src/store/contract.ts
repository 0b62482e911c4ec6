import type { Component } from '../kernel/component.ts';
import type { AlertRow, DeviceRow, FlowRow, RowSink, WindowRow } from '../kernel/rows.ts';

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

export interface DeviceFilter {
  type?: string;
  vendor?: string;
  vlan?: string;
  text?: string;
  sort?: 'last_seen' | 'first_seen' | 'hostname' | 'type' | 'ip';
}

/**
 * All bulk data. Writes are batched inside, idempotent (writing the same row again changes nothing) and
 * resolve when the engine has acknowledged them. Retention counts from ingest time.
 */
export interface Store extends Component, RowSink {
  readonly where: 'embedded' | 'server';
  alerts(filter: AlertFilter, limit: number, cursor?: string): Promise<Page<AlertRow>>;
  alert(uid: string): Promise<AlertRow | undefined>;
  /** Those of these alerts that are there, in no order. */
  alertsOf(uids: readonly string[]): Promise<AlertRow[]>;
  devices(filter: DeviceFilter, limit: number, cursor?: string): Promise<Page<DeviceRow>>;
  device(key: string): Promise<DeviceRow | undefined>;
  /** Flows in which the device took part, newest first. */
  flowsOf(device: DeviceRow, limit: number, around?: { from: number; to: number }): Promise<FlowRow[]>;
  windowsOf(device: string, windowS: number, from: number, to: number): Promise<WindowRow[]>;
  /** Counts for the overview: alerts by severity, devices by type. */
  overview(): Promise<{
    alertsBySeverity: Record<string, number>;
    devicesByType: Record<string, number>;
    flows: number;
  }>;
  /** Answers when the engine does; for readiness. */
  ping(): Promise<void>;
}
