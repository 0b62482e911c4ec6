import type { Severity } from '../kernel/rows.ts';
import { base62, hashText } from '../lib/hash.ts';
import type { Device } from '../identity/device.ts';
import type { RaisedFinding } from '../detect/engine.ts';
import type { DeviceClass } from '../detect/sdk.ts';
import type { AlertsConfig } from './config.ts';

const MAX_FINDINGS = 64;
const MAX_PARTIES = 64;

/** Where contributing frames lie: an origin (file, interface, topic partition) and the frames' range in it. */
export interface FrameRange {
  origin: string;
  first: number;
  last: number;
}

/** An alert while it grows. */
export interface OpenAlert {
  readonly uid: string;
  device: Device;
  version: number;
  severity: Severity;
  /** Event time at which the present severity was first reached. */
  timeUs: number;
  startUs: number;
  endUs: number;
  lastFindingUs: number;
  /** The finding that speaks for the alert: the first of the highest severity. */
  leading: RaisedFinding;
  /** Kept findings, one per detector, device and subject. */
  readonly findings: Map<string, RaisedFinding>;
  /** All that arrived, kept or not. */
  count: number;
  readonly parties: Set<Device>;
  readonly frames: FrameRange[];
  dirty: boolean;
}

export interface CorrelatorDeps {
  classOf: (type: string) => DeviceClass;
  /** Frames being processed: for evidence. */
  position: () => { origin: string; frame: number };
}

/**
 * Makes alerts of findings.
 *
 * Rule of fusion. A finding joins the open alert of the device it is about; failing that, the open alert of
 * another device if each names the other (the victim's side of the same deed); otherwise it opens one. An
 * alert is open until `episode_s` have passed without a finding. Severity is the highest of its findings',
 * and the alert is that of the device whose finding has it first: of who acts, not of who noticed.
 *
 * Rule of severity. What a detector calls medium or more is raised by one when a device whose failure can
 * harm a patient at once (a life-supporting class) is the actor or a target.
 */
export class Correlator {
  readonly #config: AlertsConfig;
  readonly #deps: CorrelatorDeps;
  readonly #open = new Map<Device, OpenAlert>();
  readonly #ended: OpenAlert[] = [];

  constructor(config: AlertsConfig, deps: CorrelatorDeps) {
    this.#config = config;
    this.#deps = deps;
  }

  get openCount(): number {
    return this.#open.size;
  }

  add(finding: RaisedFinding): void {
    const severity = this.#severityOf(finding);
    const parties = partiesOf(finding);
    let alert = this.#find(finding, parties);
    const key = `${finding.detector}|${finding.device.key}|${finding.subject}`;
    const place = this.#deps.position();
    if (alert === undefined) {
      if (this.#open.size >= this.#config.max_open) this.#endQuietest();
      alert = {
        uid: base62(hashText(`${key}|${finding.firstUs}`)) + base62(hashText(`${finding.firstUs}|${key}`, 1)),
        device: finding.device,
        version: 0,
        severity,
        timeUs: finding.tsUs,
        startUs: finding.firstUs,
        endUs: finding.tsUs,
        lastFindingUs: finding.tsUs,
        leading: finding,
        findings: new Map(),
        count: 0,
        parties: new Set(),
        frames: [],
        dirty: true,
      };
      this.#open.set(finding.device, alert);
    }
    alert.count++;
    alert.dirty = true;
    if (alert.findings.size < MAX_FINDINGS || alert.findings.has(key)) alert.findings.set(key, finding);
    if (severity > alert.severity) {
      alert.severity = severity;
      alert.timeUs = finding.tsUs;
      alert.leading = finding;
      this.#handOver(alert, finding.device);
    } else if (alert.leading.detector === finding.detector && alert.leading.subject === finding.subject) {
      // The same deed going on: its latest numbers are the ones to show.
      if (severity === alert.severity) alert.leading = finding;
    }
    alert.startUs = Math.min(alert.startUs, finding.firstUs);
    alert.endUs = Math.max(alert.endUs, finding.tsUs);
    alert.lastFindingUs = Math.max(alert.lastFindingUs, finding.tsUs);
    for (const party of parties)
      if (party !== alert.device && alert.parties.size < MAX_PARTIES) alert.parties.add(party);
    const range = alert.frames.at(-1);
    if (range !== undefined && range.origin === place.origin) range.last = Math.max(range.last, place.frame);
    else if (alert.frames.length < 16)
      alert.frames.push({ origin: place.origin, first: place.frame, last: place.frame });
  }

  /** Ends alerts that have been quiet; called every second of event time. */
  second(nowUs: number): void {
    const limit = nowUs - this.#config.episode_s * 1e6;
    for (const alert of this.#open.values()) if (alert.lastFindingUs < limit) this.#end(alert);
  }

  endAll(): void {
    for (const alert of this.#open.values()) this.#end(alert);
  }

  /** Alerts that have changed since the last call, each once, with its new version. */
  takeChanged(): OpenAlert[] {
    const changed: OpenAlert[] = [];
    for (const alert of this.#ended) if (alert.dirty) changed.push(alert);
    this.#ended.length = 0;
    for (const alert of this.#open.values()) if (alert.dirty) changed.push(alert);
    for (const alert of changed) {
      alert.dirty = false;
      alert.version++;
    }
    return changed;
  }

  save(): unknown {
    return { open: this.#open, ended: this.#ended };
  }

  /** Into a correlator that has heard nothing yet. */
  restore(saved: unknown): void {
    const { open, ended } = saved as { open: Map<Device, OpenAlert>; ended: OpenAlert[] };
    for (const [device, alert] of open) this.#open.set(device, alert);
    this.#ended.push(...ended);
  }

  #find(finding: RaisedFinding, parties: Set<Device>): OpenAlert | undefined {
    const own = this.#open.get(finding.device);
    if (own !== undefined && this.#recent(own, finding)) return own;
    for (const party of parties) {
      const other = this.#open.get(party);
      if (other !== undefined && other.parties.has(finding.device) && this.#recent(other, finding)) return other;
    }
    if (own !== undefined) this.#end(own);
    return undefined;
  }

  #recent(alert: OpenAlert, finding: RaisedFinding): boolean {
    return finding.firstUs - alert.lastFindingUs <= this.#config.episode_s * 1e6;
  }

  #handOver(alert: OpenAlert, device: Device): void {
    if (device === alert.device || this.#open.has(device)) return;
    this.#open.delete(alert.device);
    alert.parties.add(alert.device);
    alert.parties.delete(device);
    alert.device = device;
    this.#open.set(device, alert);
  }

  #end(alert: OpenAlert): void {
    this.#open.delete(alert.device);
    this.#ended.push(alert);
  }

  #endQuietest(): void {
    let quietest: OpenAlert | undefined;
    for (const alert of this.#open.values())
      if (quietest === undefined || alert.lastFindingUs < quietest.lastFindingUs) quietest = alert;
    if (quietest !== undefined) this.#end(quietest);
  }

  #severityOf(finding: RaisedFinding): Severity {
    if (finding.severity < 3) return finding.severity;
    let lifeSupporting = this.#deps.classOf(finding.device.type).lifeSupporting;
    for (const party of partiesOf(finding)) if (this.#deps.classOf(party.type).lifeSupporting) lifeSupporting = true;
    return lifeSupporting ? (Math.min(5, finding.severity + 1) as Severity) : finding.severity;
  }
}

function partiesOf(finding: RaisedFinding): Set<Device> {
  const parties = new Set<Device>();
  for (const { src, dst } of finding.evidence) {
    if (src.device !== undefined && !src.isRemote) parties.add(src.device);
    if (dst?.device !== undefined && !dst.isRemote) parties.add(dst.device);
  }
  parties.delete(finding.device);
  return parties;
}
