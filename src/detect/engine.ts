import { describeError } from '../kernel/errors.ts';
import type { ScoreRow } from '../kernel/rows.ts';
import { FEATURES, FEATURE_COUNT, featureIndex } from '../features/catalogue.ts';
import { NoveltySets } from '../baseline/novelty.ts';
import type { WindowBaseline } from '../baseline/windows.ts';
import type { WindowModels } from '../baseline/models.ts';
import type { Device } from '../identity/device.ts';
import type { LoadedDetector } from './load.ts';
import type {
  ArpView,
  BindingView,
  DetectorContext,
  DetectorHooks,
  DeviceClass,
  DeviceView,
  Endpoint,
  Finding,
  FlowView,
  MessageView,
  ModelScore,
  Novelty,
  Standing,
  Technique,
  WindowView,
} from './sdk.ts';

/** An endpoint as it was when the finding was made. */
export interface EndpointSnapshot {
  readonly device: Device | undefined;
  readonly ip: string;
  readonly mac: string;
  readonly port: number;
  readonly isPublic: boolean;
  readonly isRemote: boolean;
}

/** A finding with everything copied out of the cursors, and who made it. */
export interface RaisedFinding extends Omit<Finding, 'device' | 'evidence' | 'techniques'> {
  readonly detector: string;
  readonly analytic: string;
  readonly version: number;
  readonly device: Device;
  readonly techniques: readonly Technique[];
  readonly evidence: readonly {
    readonly src: EndpointSnapshot;
    readonly dst: EndpointSnapshot | undefined;
    readonly service: string;
  }[];
  /** What was new about it, where the detector went by a first-seen set: what a learn teaches. */
  readonly novel?: { readonly set: string; readonly key: number };
  /** The decision that hides it. */
  readonly mutedBy?: string;
}

export interface DetectorStatus {
  readonly id: string;
  readonly state: 'on' | 'failed';
  readonly reason: string;
  readonly findings: number;
}

interface Running {
  readonly loaded: LoadedDetector;
  readonly hooks: DetectorHooks;
  failed: string;
  findings: number;
  readonly kept: Kept;
}

/** When the detector wants to look at a device again: event time by slot, Infinity for never. */
interface Wakes {
  atUs: Float64Array;
  /** No wake is due before this. */
  earliestUs: number;
}

/** What a detector has asked to be kept, in the order of its calls. */
interface Kept {
  /** Per device, by slot. */
  readonly tables: unknown[][];
  readonly wakes: Wakes;
  readonly site: object[];
}

/** State of one detector as it is stored. */
interface StoredDetector {
  readonly id: string;
  readonly version: number;
  readonly failed: string;
  readonly findings: number;
  readonly kept: Kept;
}

export interface EngineOptions {
  readonly detectors: readonly LoadedDetector[];
  readonly novelty: NoveltySets;
  readonly models: WindowModels;
  readonly nowUs: () => number;
  readonly devices: () => Iterable<Device>;
  readonly deviceAt: (slot: number) => Device | undefined;
  readonly deviceBeside: (device: Device, mac: string) => Device | undefined;
  readonly classOf: (type: string) => DeviceClass;
  readonly blind: (device: DeviceView) => boolean;
  readonly onFinding: (finding: RaisedFinding) => void;
  readonly onScore: (score: ScoreRow) => void;
  /** A detector has thrown and is off from now on. */
  readonly onFailure: (id: string, reason: string) => void;
}

const MAX_EVIDENCE = 16;

/** Runs the detectors: calls their hooks, keeps their state per device, switches off the one that throws. */
export class DetectEngine {
  readonly #options: EngineOptions;
  readonly #running: Running[] = [];
  #flowStart: Running[] = [];
  #flowEstablished: Running[] = [];
  #flowEnd: Running[] = [];
  #message: Running[] = [];
  readonly #messageByKind = new Map<string, Running[]>();
  #window: Running[] = [];
  #binding: Running[] = [];
  #arp: Running[] = [];
  #device: Running[] = [];
  #second: Running[] = [];
  #heard: Running[] = [];
  #wake: Running[] = [];
  #learned: Running[] = [];
  #unobserved: Running[] = [];
  readonly #windowView: WindowCursor;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#windowView = new WindowCursor();
    for (const loaded of options.detectors) this.#running.push(this.#create(loaded, undefined));
    this.#schedule();
  }

  /** Makes a detector, with what it knew where there is something. */
  #create(loaded: LoadedDetector, stored: StoredDetector | undefined): Running {
    const wakes = stored?.kept.wakes ?? { atUs: new Float64Array(0), earliestUs: Infinity };
    const kept: Kept = { tables: [], wakes, site: [] };
    const entry: { running: Running | undefined } = { running: undefined };
    const ctx = this.#context(loaded, kept, stored?.kept, entry);
    try {
      const hooks = loaded.definition.create(ctx);
      const running: Running = { loaded, hooks, failed: stored?.failed ?? '', findings: stored?.findings ?? 0, kept };
      entry.running = running;
      return running;
    } catch (error) {
      const reason = describeError(error);
      this.#options.onFailure(loaded.definition.id, reason);
      return { loaded, hooks: {}, failed: reason, findings: 0, kept };
    }
  }

  /** What the detectors know, as a plain graph. */
  save(): unknown {
    return this.#running.map(({ loaded, failed, findings, kept }): StoredDetector => ({
      id: loaded.definition.id,
      version: loaded.definition.version,
      failed,
      findings,
      kept,
    }));
  }

  /**
   * Makes the detectors anew with what they knew. A detector that was not there, or in another version, begins
   * with nothing; the ids of those are given back.
   */
  restore(saved: unknown): string[] {
    const stored = new Map((saved as StoredDetector[]).map((s) => [s.id, s]));
    const anew: string[] = [];
    for (let i = 0; i < this.#running.length; i++) {
      const { loaded } = this.#running[i]!;
      const own = stored.get(loaded.definition.id);
      const fits = own !== undefined && own.version === loaded.definition.version;
      if (!fits) anew.push(loaded.definition.id);
      else this.#running[i] = this.#create(loaded, own);
    }
    this.#schedule();
    return anew;
  }

  status(): DetectorStatus[] {
    return this.#running.map((r) => ({
      id: r.loaded.definition.id,
      state: r.failed === '' ? 'on' : 'failed',
      reason: r.failed,
      findings: r.findings,
    }));
  }

  flowStarted(flow: FlowView): void {
    for (let i = 0; i < this.#flowStart.length; i++) {
      const r = this.#flowStart[i]!;
      try {
        r.hooks.onFlowStart!(flow);
      } catch (error) {
        this.#fail(r, error);
      }
    }
  }

  flowEstablished(flow: FlowView): void {
    for (let i = 0; i < this.#flowEstablished.length; i++) {
      const r = this.#flowEstablished[i]!;
      try {
        r.hooks.onFlowEstablished!(flow);
      } catch (error) {
        this.#fail(r, error);
      }
    }
  }

  flowEnded(flow: FlowView): void {
    for (let i = 0; i < this.#flowEnd.length; i++) {
      const r = this.#flowEnd[i]!;
      try {
        r.hooks.onFlowEnd!(flow);
      } catch (error) {
        this.#fail(r, error);
      }
    }
  }

  message(message: MessageView): void {
    const listeners = this.#listeners(message.kind);
    for (let i = 0; i < listeners.length; i++) {
      const r = listeners[i]!;
      try {
        r.hooks.onMessage!(message);
      } catch (error) {
        this.#fail(r, error);
      }
    }
  }

  /** A window has closed: scores it, writes the scores, tells the detectors. */
  window(
    device: Device,
    startUs: number,
    seconds: number,
    values: Float64Array,
    at: number,
    baseline: WindowBaseline | undefined,
  ): ModelScore | undefined {
    const view = this.#windowView;
    const model = device.learning
      ? undefined
      : this.#options.models.judge(device.slot, device.type, seconds, values, at);
    view.set(device, startUs, seconds, values, at, baseline, model);
    if (model !== undefined)
      this.#options.onScore({
        window_start: Math.floor(startUs / 1000),
        window_s: seconds,
        device: device.key,
        vlan: device.vlan,
        detector: 'unusual-behaviour',
        score: model.score,
        p_value: model.pValue,
        n_calibration: model.nCalibration,
        top_features: model.top.map((t) => t.feature),
      });
    for (let i = 0; i < this.#window.length; i++) {
      const r = this.#window[i]!;
      try {
        r.hooks.onWindow!(view);
      } catch (error) {
        this.#fail(r, error);
      }
    }
    return model;
  }

  binding(binding: BindingView): void {
    for (const r of this.#binding) this.#guard(r, () => r.hooks.onBinding!(binding));
  }

  arp(arp: ArpView): void {
    for (let i = 0; i < this.#arp.length; i++) {
      const r = this.#arp[i]!;
      try {
        r.hooks.onArp!(arp);
      } catch (error) {
        this.#fail(r, error);
      }
    }
  }

  deviceAppeared(device: DeviceView): void {
    for (const r of this.#device) this.#guard(r, () => r.hooks.onDevice!(device));
  }

  /** The device was heard in the second that ends; before {@link DetectEngine.second}. */
  heard(device: DeviceView): void {
    for (let i = 0; i < this.#heard.length; i++) {
      const r = this.#heard[i]!;
      try {
        r.hooks.onHeard!(device);
      } catch (error) {
        this.#fail(r, error);
      }
    }
  }

  learned(device: DeviceView): void {
    for (const r of this.#learned) this.#guard(r, () => r.hooks.onLearned!(device));
  }

  second(nowUs: number): void {
    for (const r of this.#second) this.#guard(r, () => r.hooks.onSecond!(nowUs));
    for (const r of this.#wake) if (r.kept.wakes.earliestUs <= nowUs) this.#guard(r, () => this.#wakeUp(r, nowUs));
  }

  /** Those that are due, by slot; in passing, when the next one is. */
  #wakeUp(r: Running, nowUs: number): void {
    const { wakes } = r.kept;
    wakes.earliestUs = Infinity;
    let next = Infinity;
    const n = wakes.atUs.length;
    for (let slot = 0; slot < n; slot++) {
      const atUs = wakes.atUs[slot]!;
      if (atUs > nowUs) {
        if (atUs < next) next = atUs;
        continue;
      }
      wakes.atUs[slot] = Infinity;
      const device = this.#options.deviceAt(slot);
      if (device !== undefined) r.hooks.onWake!(device, nowUs);
    }
    if (next < wakes.earliestUs) wakes.earliestUs = next;
  }

  unobserved(fromUs: number, toUs: number): void {
    for (const { kept } of this.#running) {
      kept.wakes.atUs.fill(Infinity);
      kept.wakes.earliestUs = Infinity;
    }
    for (const r of this.#unobserved) this.#guard(r, () => r.hooks.onUnobserved!(fromUs, toUs));
  }

  deviceForgotten(device: Device): void {
    const { slot } = device;
    for (const { kept } of this.#running) {
      for (const table of kept.tables) if (slot < table.length) table[slot] = undefined;
      if (slot < kept.wakes.atUs.length) kept.wakes.atUs[slot] = Infinity;
    }
    this.#options.novelty.forget(device);
  }

  #guard(r: Running, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#fail(r, error);
    }
  }

  #fail(r: Running, error: unknown): void {
    r.failed = describeError(error) || 'it threw nothing that says why';
    this.#schedule();
    this.#options.onFailure(r.loaded.definition.id, r.failed);
  }

  #schedule(): void {
    const on = this.#running.filter((r) => r.failed === '');
    this.#flowStart = on.filter((r) => r.hooks.onFlowStart !== undefined);
    this.#flowEstablished = on.filter((r) => r.hooks.onFlowEstablished !== undefined);
    this.#flowEnd = on.filter((r) => r.hooks.onFlowEnd !== undefined);
    this.#message = on.filter((r) => r.hooks.onMessage !== undefined);
    this.#messageByKind.clear();
    this.#window = on.filter((r) => r.hooks.onWindow !== undefined);
    this.#binding = on.filter((r) => r.hooks.onBinding !== undefined);
    this.#arp = on.filter((r) => r.hooks.onArp !== undefined);
    this.#device = on.filter((r) => r.hooks.onDevice !== undefined);
    this.#second = on.filter((r) => r.hooks.onSecond !== undefined);
    this.#heard = on.filter((r) => r.hooks.onHeard !== undefined);
    this.#wake = on.filter((r) => r.hooks.onWake !== undefined);
    this.#learned = on.filter((r) => r.hooks.onLearned !== undefined);
    this.#unobserved = on.filter((r) => r.hooks.onUnobserved !== undefined);
  }

  #listeners(kind: string): Running[] {
    let listeners = this.#messageByKind.get(kind);
    if (listeners === undefined) {
      const family = `${kind.slice(0, kind.indexOf('.'))}.*`;
      listeners = this.#message.filter((r) => {
        const kinds = r.hooks.messageKinds;
        return kinds === undefined || kinds.includes(kind) || kinds.includes(family);
      });
      this.#messageByKind.set(kind, listeners);
    }
    return listeners;
  }

  #context(
    loaded: LoadedDetector,
    kept: Kept,
    before: Kept | undefined,
    entry: { running: Running | undefined },
  ): DetectorContext<never> {
    const { novelty, nowUs, devices, deviceBeside, classOf, blind, onFinding } = this.#options;
    const definition = loaded.definition;
    const sets = new Map<string, number>();
    const setId = (set: string): number => {
      let id = sets.get(set);
      if (id === undefined) {
        id = novelty.setId(`${definition.id}:${set}`);
        sets.set(set, id);
      }
      return id;
    };
    /** The newest first sight: a finding at the same moment about the same device is about it. */
    const sight = { slot: -1, atUs: 0, set: '', key: 0 };
    const context: DetectorContext<Record<string, number | boolean | string>> = {
      params: loaded.params,
      nowUs,
      finding: (finding) => {
        if (entry.running !== undefined) entry.running.findings++;
        onFinding({
          ...finding,
          device: finding.device as Device,
          detector: definition.id,
          analytic: definition.analytic,
          version: definition.version,
          techniques: finding.techniques ?? definition.techniques,
          evidence: finding.evidence.slice(0, MAX_EVIDENCE).map((e) => ({
            src: snapshotEndpoint(e.src),
            dst: e.dst === undefined ? undefined : snapshotEndpoint(e.dst),
            service: e.service ?? '',
          })),
          ...(sight.slot === finding.device.slot && sight.atUs === nowUs()
            ? { novel: { set: `${definition.id}:${sight.set}`, key: sight.key } }
            : {}),
        });
      },
      novelty: (device, set, key): Novelty => {
        const noted = novelty.note(device, setId(set), key, device.learning);
        if (noted.isNew) {
          sight.slot = device.slot;
          sight.atUs = nowUs();
          sight.set = set;
          sight.key = key;
        }
        return noted;
      },
      knows: (device, set, key) => novelty.knows(device.slot, setId(set), key),
      perDevice: <T>(create: () => T) => {
        const table = (before?.tables[kept.tables.length] ?? []) as (T | undefined)[];
        kept.tables.push(table);
        return (device: DeviceView): T => {
          const { slot } = device;
          let value = table[slot];
          if (value === undefined) {
            value = create();
            // Without holes: an array with holes is looked up like a map.
            while (table.length <= slot) table.push(undefined);
            table[slot] = value;
          }
          return value;
        };
      },
      site: <T extends object>(create: () => T): T => {
        const state = (before?.site[kept.site.length] as T | undefined) ?? create();
        kept.site.push(state);
        return state;
      },
      wakeAt: (device, tsUs) => {
        const { wakes } = kept;
        const { slot } = device;
        if (slot >= wakes.atUs.length) {
          const longer = new Float64Array(Math.max(64, slot + 1, wakes.atUs.length * 2)).fill(Infinity);
          longer.set(wakes.atUs);
          wakes.atUs = longer;
        }
        wakes.atUs[slot] = tsUs;
        if (tsUs < wakes.earliestUs) wakes.earliestUs = tsUs;
      },
      devices,
      deviceBeside: (device, mac) => deviceBeside(device as Device, mac),
      blind,
      classOf: (device) => classOf(device.type),
    };
    // Each definition knows its own parameter names; the engine only passes them through.
    return context as DetectorContext<never>;
  }
}

function snapshotEndpoint(end: Endpoint): EndpointSnapshot {
  return {
    device: end.device as Device | undefined,
    ip: end.ip,
    mac: end.mac,
    port: end.port,
    isPublic: end.isPublic,
    isRemote: end.isRemote,
  };
}

const FEATURE_NAMES: readonly string[] = FEATURES.map((f) => f.name);

class WindowCursor implements WindowView {
  device!: Device;
  startUs = 0;
  seconds = 0;
  model: ModelScore | undefined;
  readonly features = FEATURE_NAMES;
  #values: Float64Array = new Float64Array(FEATURE_COUNT);
  #at = 0;
  #baseline: WindowBaseline | undefined;

  set(
    device: Device,
    startUs: number,
    seconds: number,
    values: Float64Array,
    at: number,
    baseline: WindowBaseline | undefined,
    model: ModelScore | undefined,
  ): void {
    this.device = device;
    this.startUs = startUs;
    this.seconds = seconds;
    this.#values = values;
    this.#at = at;
    this.#baseline = baseline;
    this.model = model;
  }

  value(feature: string): number {
    const f = featureIndex(feature);
    return f === undefined ? 0 : this.#values[this.#at + f]!;
  }

  standing(feature: string): Standing | undefined {
    const f = featureIndex(feature);
    return f === undefined ? undefined : this.#baseline?.standing(f, this.#values[this.#at + f]!);
  }
}
