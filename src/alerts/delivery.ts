import { createHash } from 'node:crypto';
import type { AlertRow } from '../kernel/rows.ts';
import { isMuted } from './ocsf.ts';

/** What happened to an alert; `alert.test` is made by `wardwatch delivery test` and stands for nothing. */
export type DeliveryType = 'alert.created' | 'alert.updated' | 'alert.test';

/** One version of an alert on its way to one endpoint. */
export interface Delivery {
  /** The same on every attempt, after a crash and on replay: the key by which a receiver knows what it has. */
  readonly id: string;
  readonly type: DeliveryType;
  readonly row: AlertRow;
}

/**
 * How an attempt ended. Texts are ours: what a receiver says is never repeated.
 * - `delivered`: the receiver has it, as far as its protocol can say.
 * - `retry`: not now. `away` says that the endpoint is at fault and not this alert, so that it is not given up
 *   after its last attempt, and tried as soon as the endpoint answers again; `retryAfterMs` is the receiver's wish.
 * - `refused`: never, as it is; becomes a dead letter.
 * - `gone`: the receiver wants nothing any more (HTTP 410); the endpoint is switched off until a person acts.
 */
export type Outcome =
  | { readonly kind: 'delivered'; readonly detail: string }
  | { readonly kind: 'retry'; readonly detail: string; readonly away: boolean; readonly retryAfterMs?: number }
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'gone'; readonly detail: string };

/** Takes alerts to one endpoint of another system. */
export interface AlertSink {
  readonly kind: string;
  /** Most deliveries of one `send`. */
  readonly batchSize: number;
  /** Most calls of `send` at the same time. */
  readonly concurrency: number;
  /** A batch has an id of its own, so that a repeated batch must hold the same deliveries. */
  readonly keepsBatches: boolean;
  /** So long a new delivery waits for others to go with it, where they do not fill a `send` before; 0 without it. */
  readonly holdMs?: number;
  /** Reads secrets and certificates; opens no connection. Fails with `WW_CONFIG`. */
  start(): Promise<void>;
  /** Ends what is open; a `send` on its way answers with `retry`. */
  stop(): Promise<void>;
  /**
   * One attempt. Never throws; answers with one outcome for each delivery, in their order.
   * @param id that of the only delivery, or that of the batch
   */
  send(deliveries: readonly Delivery[], id: string): Promise<readonly Outcome[]>;
}

/** Which alerts an endpoint gets: all conditions must hold, one that is left out always does. */
export interface DeliveryFilter {
  readonly severity_at_least?: number;
  /** Device types, as in profiles/classes.json. */
  readonly classes?: readonly string[];
  /** Ids of detectors, of which one must have contributed. */
  readonly detectors?: readonly string[];
  /** VLANs as they stand in alerts: `220`, or an empty text for untagged. */
  readonly vlans?: readonly string[];
  /** Also what a rule of the desk mutes; it says so (OCSF status Suppressed). */
  readonly muted?: boolean;
}

export function matchesFilter(filter: DeliveryFilter, row: AlertRow): boolean {
  if (filter.muted !== true && isMuted(row)) return false;
  if (row.severity_id < (filter.severity_at_least ?? 1)) return false;
  if (filter.classes !== undefined && !filter.classes.includes(row.device_type)) return false;
  if (filter.vlans !== undefined && !filter.vlans.includes(row.vlan)) return false;
  const { detectors } = filter;
  return detectors === undefined || row.detectors.some((id) => detectors.includes(id));
}

/**
 * The id of a delivery. Standard Webhooks forbids a full stop in it, which separates the signed parts.
 */
export function deliveryId(uid: string, version: number): string {
  const plain = /^[A-Za-z0-9_-]{1,128}$/.test(uid) ? uid : createHash('sha256').update(uid).digest('hex');
  return `alert_${plain}_${version}`;
}

/** The id of a batch: other members, another id. */
export function batchId(ids: readonly string[]): string {
  return `batch_${createHash('sha256').update(ids.join('\n')).digest('hex').slice(0, 32)}`;
}

export function toDelivery(row: AlertRow): Delivery {
  return {
    id: deliveryId(row.uid, row.version),
    type: row.version <= 1 ? 'alert.created' : 'alert.updated',
    row,
  };
}

/** A message that shows whether an endpoint works; every field says that nothing has happened. */
export function testDelivery(nowMs: number, productVersion: string): Delivery {
  const uid = `test${nowMs}`;
  const title = 'Test message of Wardwatch';
  const message = 'This is a test of the delivery of alerts. Nothing has happened and nothing is to be done.';
  const severity = { severity: 'Informational', severity_id: 1 };
  const ocsf = {
    activity_id: 1,
    activity_name: 'Create',
    category_name: 'Findings',
    category_uid: 2,
    class_name: 'Detection Finding',
    class_uid: 2004,
    finding_info: { analytic: { name: 'test', type: 'Rule', type_id: 1, uid: 'test' }, desc: message, title, uid },
    is_alert: false,
    message,
    metadata: {
      labels: ['test'],
      product: { name: 'Wardwatch', vendor_name: 'Wardwatch', version: productVersion },
      uid,
      version: '1.6.0',
    },
    ...severity,
    status: 'New',
    status_id: 1,
    time: nowMs,
    type_name: 'Detection Finding: Create',
    type_uid: 200401,
  };
  const row: AlertRow = {
    uid,
    version: 1,
    time: nowMs,
    start_time: nowMs,
    end_time: nowMs,
    severity_id: 1,
    detector: 'test',
    detectors: ['test'],
    title,
    message,
    device: '',
    device_mac: '',
    device_ip: '',
    device_name: '',
    device_type: 'unknown',
    vlan: '',
    parties: [],
    attacks: [],
    confidence_score: 0,
    risk_score: 0,
    findings: 0,
    ocsf: JSON.stringify(ocsf),
  };
  return { id: deliveryId(uid, 1), type: 'alert.test', row };
}
