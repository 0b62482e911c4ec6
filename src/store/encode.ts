import type {
  AddressRow,
  AlertRow,
  ChannelRow,
  DeviceRow,
  FlowRow,
  IdentityRow,
  ObservationRow,
  RowBatch,
  ScoreRow,
  WindowRow,
} from '../kernel/rows.ts';
import type { TableName } from './schema.ts';

/** Rows of a batch as JSONEachRow lines for each table. Values no column could take are brought into range. */
export function encodeBatch(rows: RowBatch): Map<TableName, string[]> {
  const lines = new Map<TableName, string[]>();
  const add = <T>(
    table: TableName,
    values: readonly T[] | undefined,
    encode: (row: T) => Record<string, unknown>,
  ): void => {
    if (values === undefined || values.length === 0) return;
    lines.set(
      table,
      values.map((row) => JSON.stringify(encode(row))),
    );
  };
  add('alerts', rows.alerts, encodeAlert);
  add('devices', rows.devices, encodeDevice);
  add('channels', rows.channels, encodeChannel);
  add('addresses', rows.addresses, encodeAddress);
  add('identities', rows.identities, encodeIdentity);
  add('flows', rows.flows, encodeFlow);
  add('observations', rows.observations, encodeObservation);
  add('scores', rows.scores, encodeScore);
  add('windows', rows.windows, encodeWindow);
  return lines;
}

function encodeAlert(row: AlertRow): Record<string, unknown> {
  return {
    uid: text(row.uid),
    version: count(row.version),
    time: whole(row.time),
    start_time: whole(row.start_time),
    end_time: whole(row.end_time),
    severity_id: row.severity_id,
    detector: text(row.detector),
    detectors: texts(row.detectors),
    title: text(row.title),
    message: text(row.message),
    device: text(row.device),
    device_mac: text(row.device_mac),
    device_ip: text(row.device_ip),
    device_name: text(row.device_name),
    device_type: text(row.device_type),
    vlan: text(row.vlan),
    parties: texts(row.parties),
    attacks: texts(row.attacks),
    confidence_score: real(row.confidence_score, 0),
    risk_score: real(row.risk_score, 0),
    findings: count(row.findings),
    ocsf: text(row.ocsf),
  };
}

function encodeDevice(row: DeviceRow): Record<string, unknown> {
  return {
    device: text(row.device),
    version: count(row.version),
    mac: text(row.mac),
    vlan: text(row.vlan),
    ip: text(row.ip),
    ips: texts(row.ips),
    hostname: text(row.hostname),
    type: text(row.type),
    vendor_name: text(row.vendor_name),
    model: text(row.model),
    is_gateway: row.is_gateway,
    phase: text(row.phase),
    os: text(row.os),
    os_version: text(row.os_version),
    firmware: text(row.firmware),
    serial: text(row.serial),
    ae_titles: texts(row.ae_titles),
    confidence: real(row.confidence, 0),
    risk_score: real(row.risk_score, 0),
    risk_level: Math.min(4, count(row.risk_level)),
    risk: text(JSON.stringify(row.risk)),
    first_seen: whole(row.first_seen),
    last_seen: whole(row.last_seen),
    packets: count(row.packets),
    bytes: count(row.bytes),
    fields: text(JSON.stringify(row.fields)),
    ocsf: text(row.ocsf),
  };
}

function encodeChannel(row: ChannelRow): Record<string, unknown> {
  return {
    ...row,
    device: text(row.device),
    peer: text(row.peer),
    peer_name: text(row.peer_name),
    type: text(row.type),
    peer_type: text(row.peer_type),
    port: port(row.port),
    service: text(row.service),
    commands: texts(row.commands),
    first_seen: whole(row.first_seen),
    last_seen: whole(row.last_seen),
    flows: count(row.flows),
    bytes_out: count(row.bytes_out),
    bytes_in: count(row.bytes_in),
    version: count(row.version),
  };
}

function encodeAddress(row: AddressRow): Record<string, unknown> {
  return {
    device: text(row.device),
    ip: text(row.ip),
    first_seen: whole(row.first_seen),
    last_seen: whole(row.last_seen),
    claimed: row.claimed,
  };
}

function encodeIdentity(row: IdentityRow): Record<string, unknown> {
  return {
    device: text(row.device),
    vlan: text(row.vlan),
    time: whole(row.time),
    kind: text(row.kind),
    before: text(row.before),
    after: text(row.after),
    reason: text(row.reason),
  };
}

function encodeFlow(row: FlowRow): Record<string, unknown> {
  return {
    ts: real(row.ts, 0),
    uid: text(row.uid),
    orig_h: text(row['id.orig_h']),
    orig_p: port(row['id.orig_p']),
    resp_h: text(row['id.resp_h']),
    resp_p: port(row['id.resp_p']),
    proto: text(row.proto),
    service: text(row.service ?? ''),
    duration: real(row.duration, 0),
    orig_bytes: count(row.orig_bytes),
    resp_bytes: count(row.resp_bytes),
    conn_state: text(row.conn_state),
    history: text(row.history),
    orig_pkts: count(row.orig_pkts),
    orig_ip_bytes: count(row.orig_ip_bytes),
    resp_pkts: count(row.resp_pkts),
    resp_ip_bytes: count(row.resp_ip_bytes),
    missed_bytes: count(row.missed_bytes),
    orig_l2_addr: text(row.orig_l2_addr ?? ''),
    resp_l2_addr: text(row.resp_l2_addr ?? ''),
    vlan: row.vlan === undefined ? null : small(row.vlan),
    inner_vlan: row.inner_vlan === undefined ? null : small(row.inner_vlan),
    vni: row.vni === undefined ? null : small(row.vni),
    community_id: text(row.community_id),
    ja3: text(row.ja3 ?? ''),
    ja4: text(row.ja4 ?? ''),
  };
}

function encodeObservation(row: ObservationRow): Record<string, unknown> {
  const { ts, flow_uid, device, protocol, kind, ...fields } = row;
  return {
    ts: real(ts, 0),
    flow_uid: text(flow_uid),
    device: text(device),
    protocol: text(protocol),
    kind: text(kind),
    fields: text(JSON.stringify(fields)),
  };
}

function encodeScore(row: ScoreRow): Record<string, unknown> {
  return {
    window_start: whole(row.window_start),
    window_s: small(row.window_s),
    device: text(row.device),
    vlan: text(row.vlan),
    detector: text(row.detector),
    score: real(row.score, 0),
    p_value: real(row.p_value, 1),
    n_calibration: count(row.n_calibration),
    top_features: texts(row.top_features),
  };
}

function encodeWindow(row: WindowRow): Record<string, unknown> {
  const features: Record<string, number> = {};
  for (const [name, value] of Object.entries(row.features)) {
    // A feature that is not a number was not measured: it is absent, not zero.
    if (Number.isFinite(value)) features[text(name)] = value;
  }
  return {
    window_start: whole(row.window_start),
    window_s: small(row.window_s),
    device: text(row.device),
    vlan: text(row.vlan),
    features,
  };
}

/** The engine refuses a whole insert over one half of a surrogate pair, so such halves become U+FFFD. */
function text(value: string): string {
  return value.toWellFormed();
}

function texts(values: readonly string[]): string[] {
  return values.map(text);
}

function real(value: number, otherwise: number): number {
  return Number.isFinite(value) ? value : otherwise;
}

function whole(value: number): number {
  if (!Number.isFinite(value)) return 0;
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Math.trunc(value)));
}

function count(value: number): number {
  return Math.max(0, whole(value));
}

function small(value: number): number {
  return Math.min(0xffffffff, count(value));
}

function port(value: number): number {
  return Math.min(0xffff, count(value));
}
