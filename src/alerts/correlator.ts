import type { Severity } from '../kernel/rows.ts';
import { base62, hashText } from '../lib/hash.ts';
import type { Device } from '../identity/device.ts';
import type { RaisedFinding } from '../detect/engine.ts';
import type { DeviceClass } from '../detect/sdk.ts';
import { FalseAlarmBudget } from './budget.ts';
import type { AlertsConfig } from './config.ts';

const MAX_FINDINGS = 64;
const MAX_PARTIES = 64;
/** Notices are open for hours: they need not be looked at every second. */
const NOTICE_STEP_US = 60e6;
/** From here on a person has to look: an alert. Below it, a notice. */
const ALERT_FROM: Severity = 3;

/** Where contributing frames lie: an origin (file, interface, topic partition) and the frames' range in it. */
export interface FrameRange {
  origin: string;
  first: number;
  last: number;
}

/** An alert, or a notice (severity below medium), while it grows. */
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
 * Makes alerts and notices of findings.
 *
 * Rule of fusion. A finding joins the open alert of the device it is about; failing that, the open alert of
 * another device if each names the other (the victim's side of the same deed); otherwise it opens one, if it is
 * of medium severity or above. An alert is open until `episode_s` have passed without a finding. Severity is the
 * highest of its findings', and the alert is that of the device whose finding has it first: of who acts, not of who
 * noticed.
 *
 * Rule of notices. What is below medium and belongs to no alert is a notice: one row a device for `notice_s`, for
 * whoever wants to know what changed. When an alert opens on the device, what was noticed within `episode_s` before
 * it is told with it.
 *
 * Rule of severity. What a detector calls medium or more is raised by one when a device whose failure can
 * harm a patient at once (a life-supporting class) is the actor or a target.
 *
 * Rule of the budget. What stands on chance alone (`Finding.chance`) opens an alert only within the site's
 * false-alarm budget; beyond it, it is a notice. It may join any alert.
 */
export class Correlator {
  readonly budget: FalseAlarmBudget;
  readonly #config: AlertsConfig;
  readonly #deps: CorrelatorDeps;
  readonly #open = new Map<Device, OpenAlert>();
  readonly #notices = new Map<Device, OpenAlert>();
  readonly #ended: OpenAlert[] = [];

  constructor(config: AlertsConfig, deps: CorrelatorDeps) {
    this.#config = config;
    this.#deps = deps;
    this.budget = new FalseAlarmBudget(config.false_alarm_budget);
  }

  get openCount(): number {
    return this.#open.size;
  }

  add(finding: RaisedFinding): void {
    let severity = this.#severityOf(finding);
    const parties = partiesOf(finding);
    const alert = this.#find(finding, parties);
    if (alert !== undefined) {
      this.#join(alert, finding, severity, parties);
      return;
    }
    if (severity >= ALERT_FROM && finding.chance !== undefined && !this.budget.allows(finding.chance, finding.tsUs))
      severity = 2;
    if (severity < ALERT_FROM) {
      this.#notice(finding, severity, parties);
      return;
    }
    const opened = this.#begin(this.#open, finding, severity);
    for (const noticed of this.#notices.get(finding.device)?.findings.values() ?? [])
      if (finding.firstUs - noticed.tsUs <= this.#config.episode_s * 1e6)
        this.#join(opened, noticed, 2, partiesOf(noticed));
    this.#join(opened, finding, severity, parties);
  }

  /** Ends alerts that have been quiet, and notices that have been open for long; called every second of event time. */
  second(nowUs: number): void {
    const limit = nowUs - this.#config.episode_s * 1e6;
    for (const alert of this.#open.values()) if (alert.lastFindingUs < limit) this.#end(this.#open, alert);
    if (nowUs % NOTICE_STEP_US !== 0) return;
    const gathered = nowUs - this.#config.notice_s * 1e6;
    for (const notice of this.#notices.values()) if (notice.timeUs < gathered) this.#end(this.#notices, notice);
  }

  endAll(): void {
    for (const alert of this.#open.values()) this.#end(this.#open, alert);
    for (const notice of this.#notices.values()) this.#end(this.#notices, notice);
  }

  /** Alerts and notices that have changed since the last call, each once, with its new version. */
  takeChanged(): OpenAlert[] {
    const changed: OpenAlert[] = [];
    for (const list of [this.#ended, this.#open.values(), this.#notices.values()])
      for (const alert of list) if (alert.dirty) changed.push(alert);
    this.#ended.length = 0;
    for (const alert of changed) {
      alert.dirty = false;
      alert.version++;
    }
    return changed;
  }

  #begin(open: Map<Device, OpenAlert>, finding: RaisedFinding, severity: Severity): OpenAlert {
    if (open.size >= this.#config.max_open) this.#endQuietest(open);
    // A finding may open both a notice and, when it grows worse, an alert: two rows.
    const key = open === this.#notices ? `notice|${keyOf(finding)}` : keyOf(finding);
    const alert: OpenAlert = {
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
    open.set(finding.device, alert);
    return alert;
  }

  #notice(finding: RaisedFinding, severity: Severity, parties: Set<Device>): void {
    const own = this.#notices.get(finding.device);
    if (own !== undefined && finding.tsUs - own.startUs > this.#config.notice_s * 1e6) this.#end(this.#notices, own);
    let notice = this.#notices.get(finding.device);
    if (notice === undefined)
      for (const party of parties) {
        const other = this.#notices.get(party);
        if (other !== undefined && other.parties.has(finding.device) && this.#recent(other, finding)) notice = other;
      }
    notice ??= this.#begin(this.#notices, finding, severity);
    this.#join(notice, finding, severity, parties);
  }

  #join(alert: OpenAlert, finding: RaisedFinding, severity: Severity, parties: Set<Device>): void {
    const key = keyOf(finding);
    const place = this.#deps.position();
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

  save(): unknown {
    return { open: this.#open, notices: this.#notices, ended: this.#ended, budget: this.budget.save() };
  }

  /** Into a correlator that has heard nothing yet. */
  restore(saved: unknown): void {
    const { open, notices, ended, budget } = saved as {
      open: Map<Device, OpenAlert>;
      notices: Map<Device, OpenAlert>;
      ended: OpenAlert[];
      budget: unknown;
    };
    for (const [device, alert] of open) this.#open.set(device, alert);
    for (const [device, notice] of notices) this.#notices.set(device, notice);
    this.#ended.push(...ended);
    this.budget.restore(budget);
  }

  #find(finding: RaisedFinding, parties: Set<Device>): OpenAlert | undefined {
    const own = this.#open.get(finding.device);
    if (own !== undefined && this.#recent(own, finding)) return own;
    for (const party of parties) {
      const other = this.#open.get(party);
      if (other !== undefined && other.parties.has(finding.device) && this.#recent(other, finding)) return other;
    }
    if (own !== undefined) this.#end(this.#open, own);
    return undefined;
  }

  #recent(alert: OpenAlert, finding: RaisedFinding): boolean {
    return finding.firstUs - alert.lastFindingUs <= this.#config.episode_s * 1e6;
  }

  #handOver(alert: OpenAlert, device: Device): void {
    const open = this.#open.get(alert.device) === alert ? this.#open : this.#notices;
    if (device === alert.device || open.has(device)) return;
    open.delete(alert.device);
    alert.parties.add(alert.device);
    alert.parties.delete(device);
    alert.device = device;
    open.set(device, alert);
  }

  #end(open: Map<Device, OpenAlert>, alert: OpenAlert): void {
    open.delete(alert.device);
    this.#ended.push(alert);
  }

  #endQuietest(open: Map<Device, OpenAlert>): void {
    let quietest: OpenAlert | undefined;
    for (const alert of open.values())
      if (quietest === undefined || alert.lastFindingUs < quietest.lastFindingUs) quietest = alert;
    if (quietest !== undefined) this.#end(open, quietest);
  }

  #severityOf(finding: RaisedFinding): Severity {
    if (finding.severity < 3) return finding.severity;
    let lifeSupporting = this.#deps.classOf(finding.device.type).lifeSupporting;
    for (const party of partiesOf(finding)) if (this.#deps.classOf(party.type).lifeSupporting) lifeSupporting = true;
    return lifeSupporting ? (Math.min(5, finding.severity + 1) as Severity) : finding.severity;
  }
}

/** One kept finding for each detector, device and subject. */
function keyOf(finding: RaisedFinding): string {
  return `${finding.detector}|${finding.device.key}|${finding.subject}`;
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

/** Rows may be of either kind; this tells which. */
export function isAlert(row: { readonly severity_id: Severity }): boolean {
  return row.severity_id >= ALERT_FROM;
}
