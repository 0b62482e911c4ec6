/**
 * What leaves the hot path, in the form in which it is stored, served and written to files.
 * Names are those of the outside (Zeek for flows, OCSF for the alert's body), values are plain JSON.
 */

/** 1 informational, 2 low, 3 medium, 4 high, 5 critical (OCSF severity_id). */
export type Severity = 1 | 2 | 3 | 4 | 5;

/** An alert in the form that is stored: columns for queries, `ocsf` (a Detection Finding, 2004) as its truth. */
export interface AlertRow {
  uid: string;
  /** Grows with every change of the same alert; the highest wins. */
  version: number;
  /** Epoch milliseconds: the last frame needed to first reach the final severity. */
  time: number;
  start_time: number;
  end_time: number;
  severity_id: Severity;
  /** Id of the leading detector. */
  detector: string;
  /** All detectors that contributed, the leading one first. */
  detectors: string[];
  title: string;
  /** One sentence: what happened. */
  message: string;
  /** Key of the device that the alert is about (see {@link DeviceRow.device}). */
  device: string;
  device_mac: string;
  device_ip: string;
  device_name: string;
  device_type: string;
  vlan: string;
  /** Keys of the other monitored devices involved. */
  parties: string[];
  /** ATT&CK technique ids, ICS and Enterprise. */
  attacks: string[];
  confidence_score: number;
  risk_score: number;
  findings: number;
  /** The OCSF object, JSON text. */
  ocsf: string;
}

export interface FieldEvidence {
  /** What was seen: `oui`, `dhcp.hostname`, `hl7.sending_app`, … */
  source: string;
  value: string;
  weight: number;
  /** Epoch milliseconds, first time seen. */
  time: number;
}

export interface DecidedField {
  value: string;
  /** 0 to 1. */
  confidence: number;
  runner_up?: { value: string; confidence: number };
  evidence: FieldEvidence[];
}

export interface DeviceRow {
  /** Stable key: `<vlan>/<mac>` on an access tap, `<vlan>/<ip>` on a routed one. */
  device: string;
  version: number;
  mac: string;
  vlan: string;
  ip: string;
  ips: string[];
  hostname: string;
  /** Id from profiles/classes.json, or `unknown`. */
  type: string;
  vendor_name: string;
  model: string;
  is_gateway: boolean;
  /** `learning` or `watching`. */
  phase: string;
  first_seen: number;
  last_seen: number;
  packets: number;
  bytes: number;
  /** Decided fields with confidence, runner-up and evidence: type, vendor_name, model, hostname, os, … */
  fields: Record<string, DecidedField>;
  /** The OCSF object (Device Inventory Info, 5001), JSON text. */
  ocsf: string;
}

/** Zeek's conn.log names; `ts` and `duration` in seconds. Absent values are left out of the JSON. */
export interface FlowRow {
  ts: number;
  uid: string;
  'id.orig_h': string;
  'id.orig_p': number;
  'id.resp_h': string;
  'id.resp_p': number;
  proto: string;
  service?: string;
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
  orig_l2_addr?: string;
  resp_l2_addr?: string;
  vlan?: number;
  inner_vlan?: number;
  vni?: number;
  community_id: string;
  ja3?: string;
  ja4?: string;
}

export interface ObservationRow {
  /** Seconds. */
  ts: number;
  flow_uid: string;
  /** Device key of the speaker, empty where it is not a monitored device. */
  device: string;
  protocol: string;
  kind: string;
  [field: string]: string | number;
}

/** One device, one window, one detector. */
export interface ScoreRow {
  /** Epoch milliseconds. */
  window_start: number;
  window_s: number;
  device: string;
  vlan: string;
  detector: string;
  score: number;
  p_value: number;
  n_calibration: number;
  top_features: string[];
}

/** A window's features, for the console's charts and for training again. */
export interface WindowRow {
  window_start: number;
  window_s: number;
  device: string;
  vlan: string;
  /** By the names of the feature catalogue (src/features/catalogue.ts). */
  features: Record<string, number>;
}

export interface RowBatch {
  alerts?: AlertRow[];
  devices?: DeviceRow[];
  flows?: FlowRow[];
  observations?: ObservationRow[];
  scores?: ScoreRow[];
  windows?: WindowRow[];
}

/** Where rows go: the store, files, a test. `write` resolves when they are safe; awaiting it is the back-pressure. */
export interface RowSink {
  write(rows: RowBatch): Promise<void>;
}
