import type { AlertRow, DeviceRow, RiskPart, Severity } from '../kernel/rows.ts';
import { base62, hashText } from '../lib/hash.ts';
import type { EndpointSnapshot, RaisedFinding } from '../detect/engine.ts';
import type { Technique } from '../detect/sdk.ts';
import type { Device } from '../identity/device.ts';
import type { OpenAlert } from './correlator.ts';

/** OCSF release whose fields are written (metadata.version). */
export const OCSF_VERSION = '1.6.0';

const SEVERITY: Record<Severity, string> = { 1: 'Informational', 2: 'Low', 3: 'Medium', 4: 'High', 5: 'Critical' };
const ANALYTIC: Record<string, number> = { rule: 1, behavioral: 2, statistical: 3, learning: 4, fingerprinting: 5 };
const ANALYTIC_NAME = ['Unknown', 'Rule', 'Behavioral', 'Statistical', 'Learning (ML/DL)', 'Fingerprinting'];
const CONFIDENCE = ['', 'Low', 'Medium', 'High'];
const RISK = ['Info', 'Low', 'Medium', 'High', 'Critical'];
const MAX_EVIDENCES = 24;

const ms = (us: number): number => Math.floor(us / 1000);

/** Severity carries most of the risk; what the device means for patients and how sure we are carry the rest. */
export function riskScore(alert: OpenAlert, harm: string): number {
  const weight: Record<string, number> = { critical: 10, serious: 7, moderate: 4, minor: 0 };
  return Math.min(100, Math.round(alert.severity * 17 + (weight[harm] ?? 0) + alert.leading.confidence / 20));
}

export interface OcsfOptions {
  productVersion: string;
  ocsfTypeId: (type: string) => number;
  harm: (type: string) => string;
}

function deviceObject(device: Device, options: OcsfOptions): Record<string, unknown> {
  const typeId = options.ocsfTypeId(device.type);
  return {
    ...(device.mac === '' ? {} : { mac: device.mac }),
    ...(device.ip === '' ? {} : { ip: device.ip }),
    ...(device.vlan === '' ? {} : { vlan_uid: device.vlan }),
    ...(device.hostname === '' ? {} : { hostname: device.hostname }),
    type: device.type,
    type_id: typeId,
    ...(device.vendor === '' ? {} : { vendor_name: device.vendor }),
    ...(device.model === '' ? {} : { model: device.model }),
    uid: device.key,
  };
}

function endpointObject(end: EndpointSnapshot): Record<string, unknown> {
  const device = end.isRemote ? undefined : end.device;
  return {
    ...(end.ip === '' ? {} : { ip: end.ip }),
    ...(end.mac === '' ? {} : { mac: end.mac }),
    ...(end.port === 0 ? {} : { port: end.port }),
    ...(device === undefined
      ? {}
      : { uid: device.key, ...(device.hostname === '' ? {} : { hostname: device.hostname }), type: device.type }),
  };
}

function attackObject(t: Technique): Record<string, unknown> {
  return {
    version: '18.1',
    technique: { uid: t.id, name: t.name, src_url: `https://attack.mitre.org/techniques/${t.id.replace('.', '/')}` },
  };
}

function anomalyAnalyses(findings: readonly RaisedFinding[]): unknown[] {
  return findings
    .filter((f) => f.anomalies.length > 0)
    .map((f) => ({
      analysis_targets: [{ name: f.detector, type: 'detector' }],
      anomalies: f.anomalies.map((a) => ({
        observation_parameter: a.parameter,
        ...(a.unit === undefined ? {} : { observation_type: a.unit }),
        observed_pattern: a.pattern,
        observations: [{ value: a.seen }],
      })),
      baselines: f.anomalies.map((a) => ({
        observation_parameter: a.parameter,
        ...(a.unit === undefined ? {} : { observation_type: a.unit }),
        observed_pattern: 'USUAL',
        observations: [{ value: a.expected, ...(a.learned === undefined ? {} : { count: a.learned }) }],
      })),
    }));
}

/** The alert as an OCSF Detection Finding (class 2004) and the columns it is stored with. */
export function toAlertRow(alert: OpenAlert, options: OcsfOptions): AlertRow {
  const lead = alert.leading;
  const { mutedBy } = lead;
  // What a decision hides is never the same alert as what it did not catch yet.
  const uid = mutedBy === undefined ? alert.uid : `M${alert.uid}`;
  const findings = [lead, ...[...alert.findings.values()].filter((f) => f !== lead && !sameDeed(f, lead))];
  const detectors = [...new Set(findings.map((f) => f.detector))];
  const techniques = uniqueTechniques(findings);
  const harm = options.harm(alert.device.type);
  const risk = riskScore(alert, harm);
  const confidence = Math.round(lead.confidence);
  const confidenceId = confidence >= 80 ? 3 : confidence >= 50 ? 2 : 1;
  const riskLevel = Math.min(4, Math.max(0, alert.severity - 1));
  const analyticId = ANALYTIC[lead.analytic] ?? 0;
  const evidences: Record<string, unknown>[] = [];
  const shown = new Set<string>();
  for (const f of findings)
    for (const e of f.evidence) {
      const evidence = {
        src_endpoint: endpointObject(e.src),
        ...(e.dst === undefined ? {} : { dst_endpoint: endpointObject(e.dst) }),
        ...(e.service === '' ? {} : { data: { service: e.service } }),
      };
      const text = JSON.stringify(evidence);
      if (shown.has(text) || evidences.length >= MAX_EVIDENCES) continue;
      shown.add(text);
      evidences.push(evidence);
    }
  const advice = [...new Set(findings.flatMap((f) => f.advice ?? []))].slice(0, 8);
  const caution = [...new Set(findings.flatMap((f) => f.caution ?? []))].slice(0, 4);
  const pValues: Record<string, number> = {};
  for (const f of findings) for (const a of f.anomalies) if (a.pValue !== undefined) pValues[a.parameter] ??= a.pValue;
  const patient = findings.map((f) => f.patient).find((p) => p !== undefined);
  const ocsf = {
    activity_id: alert.version <= 1 ? 1 : 2,
    activity_name: alert.version <= 1 ? 'Create' : 'Update',
    anomaly_analyses: anomalyAnalyses(findings),
    category_name: 'Findings',
    category_uid: 2,
    class_name: 'Detection Finding',
    class_uid: 2004,
    confidence: CONFIDENCE[confidenceId],
    confidence_id: confidenceId,
    confidence_score: confidence,
    count: alert.count,
    device: deviceObject(alert.device, options),
    end_time: ms(alert.endUs),
    evidences,
    finding_info: {
      analytic: {
        name: lead.title,
        type: ANALYTIC_NAME[analyticId],
        type_id: analyticId,
        uid: lead.detector,
        version: String(lead.version),
      },
      attacks: techniques.map(attackObject),
      created_time: ms(alert.timeUs),
      desc: lead.sentence,
      first_seen_time: ms(alert.startUs),
      last_seen_time: ms(alert.endUs),
      ...(detectors.length > 1
        ? {
            related_analytics: detectors.slice(1).map((uid) => {
              const f = findings.find((x) => x.detector === uid)!;
              const id = ANALYTIC[f.analytic] ?? 0;
              return { name: f.title, type: ANALYTIC_NAME[id], type_id: id, uid, version: String(f.version) };
            }),
          }
        : {}),
      title: lead.title,
      uid,
    },
    is_alert: alert.severity >= 3 && mutedBy === undefined,
    message: lead.sentence,
    metadata: {
      product: { name: 'Wardwatch', vendor_name: 'Wardwatch', version: options.productVersion },
      uid,
      version: OCSF_VERSION,
    },
    risk_level: RISK[riskLevel],
    risk_level_id: riskLevel,
    risk_score: risk,
    severity: SEVERITY[alert.severity],
    severity_id: alert.severity,
    start_time: ms(alert.startUs),
    status: mutedBy === undefined ? 'New' : 'Suppressed',
    status_id: mutedBy === undefined ? 1 : 3,
    time: ms(alert.timeUs),
    type_name: alert.version <= 1 ? 'Detection Finding: Create' : 'Detection Finding: Update',
    type_uid: alert.version <= 1 ? 200401 : 200402,
    unmapped: {
      ...(mutedBy === undefined ? {} : { muted_by: mutedBy }),
      // The same whenever this detector says this of this device again.
      pattern: base62(hashText(`${lead.detector}|${alert.device.key}|${lead.subject}`)),
      ...(patient === undefined ? {} : { patient_impact: patient }),
      ...(advice.length === 0 ? {} : { do: advice }),
      ...(caution.length === 0 ? {} : { do_not: caution }),
      // An observation of OCSF has no place for it: by the parameter that it is about.
      ...(Object.keys(pValues).length === 0 ? {} : { p_values: pValues }),
      frames: alert.frames.map((r) => ({ ...r })),
      related: findings.slice(1, 12).map((f) => ({ detector: f.detector, sentence: f.sentence, time: ms(f.tsUs) })),
    },
  };
  return {
    uid,
    version: alert.version,
    time: ms(alert.timeUs),
    start_time: ms(alert.startUs),
    end_time: ms(alert.endUs),
    severity_id: alert.severity,
    detector: lead.detector,
    detectors,
    title: lead.title,
    message: lead.sentence,
    device: alert.device.key,
    device_mac: alert.device.mac,
    device_ip: alert.device.ip,
    device_name: alert.device.hostname,
    device_type: alert.device.type,
    vlan: alert.device.vlan,
    parties: [...alert.parties].map((d) => d.key).sort(),
    attacks: techniques.map((t) => t.id),
    confidence_score: confidence,
    risk_score: risk,
    findings: alert.count,
    ocsf: JSON.stringify(ocsf),
  };
}

/** Whether a decision hides the alert: it is kept and shown where asked for, and goes to nobody. */
export function isMuted(row: AlertRow): boolean {
  // A quotation mark inside a text is escaped, so no name on the network can make this up.
  return row.ocsf.includes('"muted_by":"');
}

/**
 * The alert as a decision of the desk leaves it: muted by the rule or window of that name, or (undefined) not.
 * What the hot path has muted and the desk no longer does comes out as if it had never been.
 */
export function asMuted(row: AlertRow, mutedBy: string | undefined): AlertRow {
  if (isMuted(row) === (mutedBy !== undefined)) return row;
  const ocsf = JSON.parse(row.ocsf) as Record<string, unknown>;
  const { muted_by: _before, ...unmapped } = (ocsf['unmapped'] ?? {}) as Record<string, unknown>;
  return {
    ...row,
    ocsf: JSON.stringify({
      ...ocsf,
      is_alert: mutedBy === undefined && row.severity_id >= 3,
      status: mutedBy === undefined ? 'New' : 'Suppressed',
      status_id: mutedBy === undefined ? 1 : 3,
      unmapped: { ...(mutedBy === undefined ? {} : { muted_by: mutedBy }), ...unmapped },
    }),
  };
}

function sameDeed(a: RaisedFinding, b: RaisedFinding): boolean {
  return a.detector === b.detector && a.device === b.device && a.subject === b.subject;
}

function uniqueTechniques(findings: readonly RaisedFinding[]): Technique[] {
  const seen = new Map<string, Technique>();
  for (const f of findings) for (const t of f.techniques) if (!seen.has(t.id)) seen.set(t.id, t);
  return [...seen.values()];
}

/** The device as stored, with its OCSF Device Inventory Info (class 5001). */
export function toDeviceRow(
  device: Device,
  options: OcsfOptions,
  bytes: number,
  packets: number,
  risk: { score: number; level: number; parts: RiskPart[] },
): DeviceRow {
  const ips = [...device.addresses.values()]
    .filter((use) => use.endedUs === 0)
    .map((use) => use.ip)
    .sort();
  const fields = device.fields;
  const aeTitles = [...device.evidence.values()]
    .filter((evidence) => evidence.source === 'dicom.ae_title')
    .map((evidence) => evidence.value)
    .sort();
  const os = fields['os']?.value;
  const ocsf = {
    activity_id: 2,
    activity_name: 'Collect',
    category_name: 'Discovery',
    category_uid: 5,
    class_name: 'Device Inventory Info',
    class_uid: 5001,
    device: {
      ...deviceObject(device, options),
      first_seen_time: ms(device.firstUs),
      last_seen_time: ms(device.lastUs),
      ...(os === undefined ? {} : { os: { name: os, type_id: 0 } }),
      ...(ips.length < 2 ? {} : { ip_addresses: ips }),
      risk_score: risk.score,
      risk_level: RISK[risk.level],
      risk_level_id: risk.level,
    },
    metadata: {
      product: { name: 'Wardwatch', vendor_name: 'Wardwatch', version: options.productVersion },
      version: OCSF_VERSION,
    },
    severity: 'Informational',
    severity_id: 1,
    time: ms(device.lastUs),
    type_name: 'Device Inventory Info: Collect',
    type_uid: 500102,
    unmapped: { fields, is_gateway: device.isGateway, risk: risk.parts },
  };
  return {
    device: device.key,
    version: device.version,
    mac: device.mac,
    vlan: device.vlan,
    ip: device.ip,
    ips,
    hostname: device.hostname,
    type: device.type,
    vendor_name: device.vendor,
    model: device.model,
    is_gateway: device.isGateway,
    phase: device.learning ? 'learning' : 'watching',
    os: os ?? '',
    os_version: fields['os_version']?.value ?? '',
    firmware: fields['firmware']?.value ?? '',
    serial: fields['serial']?.value ?? '',
    ae_titles: aeTitles,
    confidence: fields['type']?.confidence ?? 0,
    risk_score: risk.score,
    risk_level: risk.level,
    risk: risk.parts,
    first_seen: ms(device.firstUs),
    last_seen: ms(device.lastUs),
    packets,
    bytes,
    fields,
    ocsf: JSON.stringify(ocsf),
  };
}
