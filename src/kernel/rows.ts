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

/** One part of a device's risk: a fact, and the points that it gives. */
export interface RiskPart {
  of: 'severity' | 'likelihood';
  /** `harm`, `weak-protocols`, `alerts`, … */
  part: string;
  points: number;
  /** The fact, in words. */
  because: string;
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
  os: string;
  os_version: string;
  firmware: string;
  serial: string;
  /** DICOM application entity titles that it gave itself. */
  ae_titles: string[];
  /** Of the decided type, 0 to 1; 0 where nothing is decided. */
  confidence: number;
  /** 0 to 100, see docs/explanation/risk.md. */
  risk_score: number;
  /** 0 info, 1 low, 2 medium, 3 high, 4 critical (OCSF risk_level_id). */
  risk_level: number;
  /** What the score is made of. */
  risk: RiskPart[];
  first_seen: number;
  last_seen: number;
  packets: number;
  bytes: number;
  /** Decided fields with confidence, runner-up and evidence: type, vendor_name, model, hostname, os, … */
  fields: Record<string, DecidedField>;
  /** The OCSF object (Device Inventory Info, 5001), JSON text. */
  ocsf: string;
}

/** Who the other end of a channel is: a device of the inventory, another address of the site, or the outside. */
export type PeerKind = 'device' | 'site' | 'external' | 'group';

/**
 * What two ends do with each other, summed over all flows of one service in one direction: kept when the flows
 * are gone. Written from both ends, so each device's channels stand under its own key.
 */
export interface ChannelRow {
  device: string;
  /** Key of the peer's device, else its address. */
  peer: string;
  peer_kind: PeerKind;
  /** Name by which the peer was asked for (TLS server name, HTTP host), empty where none was seen. */
  peer_name: string;
  /** Types of both ends as known when the row was written. */
  type: string;
  peer_type: string;
  /** `out`: the device began it and is the client, `in`: it serves. */
  direction: 'out' | 'in';
  proto: string;
  /** Port of the side that serves. */
  port: number;
  /** Protocol recognised, by its dissector's name; empty where none was. */
  service: string;
  encrypted: 'yes' | 'no' | 'unknown';
  /** Whether data of patients is carried: by the nature of the protocol and of the ends. */
  phi: 'yes' | 'likely' | 'no';
  /** A protocol of clinical systems, or data of patients in any other. */
  is_clinical: boolean;
  /** Kinds of messages that were seen, at most twelve. */
  commands: string[];
  /** First seen while the device was learning. */
  learned: boolean;
  /** Epoch milliseconds. With the ends, service and port the key of the row. */
  first_seen: number;
  last_seen: number;
  flows: number;
  bytes_out: number;
  bytes_in: number;
  /** Grows with every change. */
  version: number;
}

/** A time during which a device had an address. */
export interface AddressRow {
  device: string;
  ip: string;
  /** Epoch milliseconds. */
  first_seen: number;
  last_seen: number;
  /** The device said so itself (ARP, DHCP, ND); else it merely sent from it. */
  claimed: boolean;
}

/** Something about who a device is has changed. */
export interface IdentityRow {
  device: string;
  vlan: string;
  /** Epoch milliseconds. */
  time: number;
  /** `appeared`, `type`, `vendor_name`, `os`, `gateway`, `address`, `same-as`. */
  kind: string;
  before: string;
  after: string;
  reason: string;
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
  channels?: ChannelRow[];
  addresses?: AddressRow[];
  identities?: IdentityRow[];
  flows?: FlowRow[];
  observations?: ObservationRow[];
  scores?: ScoreRow[];
  windows?: WindowRow[];
  /** Kept by the desk, or sealed in a table of its own (src/app/evidence.ts). */
  evidence?: EvidenceRow[];
}

/** Frames around an alert as a pcapng section, without payload unless the site wants it. */
export interface EvidenceRow {
  uid: string;
  frames: number;
  pcapng: Uint8Array;
}

/** A decision of a person, as the server writes it down for detectors that are other processes. */
export interface DecisionRow {
  id: string;
  /** Epoch milliseconds at which it was made: an id of another desk is another decision. */
  made: number;
  /** It was undone, or its time is over. */
  gone: boolean;
  act: 'learn' | 'mute';
  /** JSON (see src/alerts/decisions.ts). */
  scope: string;
  /** Epoch microseconds of event time; 0: never. */
  until_us: number;
}

/** From when until when the watcher of a partition obeyed a decision, and how many findings it met. */
export interface ObeyedRow {
  id: string;
  made: number;
  partition: number;
  from_us: number;
  /** 0: it still does. */
  until_us: number;
  hits: number;
}

/** Where rows go: the store, files, a test. `write` resolves when they are safe; awaiting it is the back-pressure. */
export interface RowSink {
  write(rows: RowBatch): Promise<void>;
}
