import type { FrameBatch } from '../kernel/frames.ts';
import type { AlertRow, FlowRow, ObservationRow, ScoreRow, WindowRow } from '../kernel/rows.ts';
import { base62, hashNumbers, hashText } from '../lib/hash.ts';
import { ipText, macText } from '../lib/address.ts';
import type { AddressTexts } from '../lib/address-texts.ts';
import { TextTable } from '../lib/text-table.ts';
import { PacketDecoder } from '../decode/decoder.ts';
import { DECODE_EVENTS, LAYER, createPacketColumns } from '../decode/packets.ts';
import type { PacketColumns } from '../decode/packets.ts';
import type { Dissector } from '../decode/dissector.ts';
import { ObservationBuffer } from '../decode/observation-buffer.ts';
import type { ObservationListener, ObservationView } from '../decode/observation-buffer.ts';
import { communityId } from '../track/community-id.ts';
import type { TrackConfig } from '../track/config.ts';
import { connState, historyText } from '../track/conn-state.ts';
import { FLOW_FLAG, FLOW_WORDS } from '../track/flow-table.ts';
import { Streams } from '../track/streams.ts';
import { BLOCK_ROWS, Tracker } from '../track/tracker.ts';
import type { FlowListener } from '../track/tracker.ts';
import { Channels } from '../identity/channels.ts';
import type { IdentityConfig } from '../identity/config.ts';
import type { KnownClass } from '../identity/classes.ts';
import type { Decider } from '../identity/decide.ts';
import { Device } from '../identity/device.ts';
import { DeviceTable } from '../identity/device-table.ts';
import type { BindingChange, DeviceTableListener } from '../identity/device-table.ts';
import { IdentityObserver } from '../identity/observer.ts';
import type { Criticality } from '../identity/risk.ts';
import { F, FEATURES, FEATURE_COUNT } from '../features/catalogue.ts';
import { WindowCounters } from '../features/windows.ts';
import type { BaselineConfig } from '../baseline/config.ts';
import type { BaselineAct } from '../baseline/acts.ts';
import { Baselines } from '../baseline/baselines.ts';
import { NoveltySets } from '../baseline/novelty.ts';
import { describeBaseline } from '../baseline/report.ts';
import type { DeviceBaseline } from '../baseline/report.ts';
import { DetectEngine } from '../detect/engine.ts';
import type { DetectorStatus, RaisedFinding } from '../detect/engine.ts';
import type { LoadedDetector } from '../detect/load.ts';
import { ArpCursor, EndpointCursor, FlowCursor } from '../detect/views.ts';
import type { DeviceClass, MessageView } from '../detect/sdk.ts';
import { Correlator } from '../alerts/correlator.ts';
import type { OpenAlert } from '../alerts/correlator.ts';
import { EvidenceRing } from '../alerts/evidence.ts';
import { Decisions } from '../alerts/decisions.ts';
import type { Decision } from '../alerts/decisions.ts';
import type { AlertsConfig } from '../alerts/config.ts';
import type { StateReader, StateWriter } from '../state/codec.ts';
import { checkKind, stateKind } from './hot-path-state.ts';
import type { StateKind } from './hot-path-state.ts';
import { toAlertRow } from '../alerts/ocsf.ts';
import type { OcsfOptions } from '../alerts/ocsf.ts';
import { Inventory } from './inventory.ts';
import type { InventoryOutput } from './inventory.ts';

/** How far down the path frames go: for side-by-side timing. */
export type HotPathStage = 'decode' | 'flows' | 'app' | 'all';

export interface HotPathConfig {
  readonly track: TrackConfig;
  readonly identity: IdentityConfig;
  readonly baseline: BaselineConfig;
  readonly alerts: AlertsConfig;
  readonly seed: number;
  readonly stage: HotPathStage;
  /** 16 bytes: keys the hashes in which identifiers leave the decoder. */
  readonly tokenKey: Uint8Array;
  readonly productVersion: string;
}

/** Where rows go; what is not given is not built. Called in event time order, within `process` and `finish`. */
export interface HotPathOutput extends InventoryOutput {
  alert?(row: AlertRow): void;
  /** Frames around an alert, cut to what may be kept; comes again when there are more. */
  evidence?(uid: string, frames: FrameBatch): void;
  flow?(row: FlowRow): void;
  observation?(row: ObservationRow): void;
  score?(row: ScoreRow): void;
  window?(row: WindowRow): void;
}

export interface HotPathDeps {
  readonly dissectors: readonly Dissector[];
  readonly detectors: readonly LoadedDetector[];
  readonly classes: ReadonlyMap<string, KnownClass>;
  readonly decider: Decider;
  /** What a profile declares of the harm of a fault, by its id. */
  readonly criticality?: (profile: string) => Criticality | undefined;
  readonly output: HotPathOutput;
  readonly onDetectorFailure?: (id: string, reason: string) => void;
  /** What people decided before the first frame; see {@link HotPath.decide} for later ones. */
  readonly decisions?: readonly Decision[];
  /** What people did to baselines, in the order of event time. */
  readonly acts?: readonly BaselineAct[];
}

export interface HotPathCounters {
  framesRead: number;
  framesDecoded: number;
  /** By reason (a decode event). */
  framesUndecodable: Record<string, number>;
  decodeEvents: Record<string, number>;
  appEvents: Record<string, number>;
  flows: number;
  flowEvictions: number;
  openFlows: number;
  devices: number;
  deviceEvictions: number;
  /** Flows that found no place among the channels of their device. */
  channelOverflow: number;
  observations: number;
  alerts: number;
  streams: Streams['counters'];
  fragments: PacketDecoder['fragments']['counters'];
  textOverflow: number;
  /** Frames whose time stamp lay before that of an earlier frame. */
  timeWentBack: number;
}

/** A pause in the frames longer than this was not watched: nothing is concluded from it. */
const UNOBSERVED_US = 600_000_000;
const WINDOW_US = 10_000_000;
const LONG_WINDOW_US = 60_000_000;
/** Frames of an alert are shown with its first versions, from so long before it to so long after. */
const EVIDENCE_VERSIONS = 4;
const EVIDENCE_MARGIN_US = 10_000_000;
const OPEN_SEGMENT_US = 5_000_000;

/** Counters of the decoder as they are stored. */
interface StoredDecoder {
  readonly eventCounts: Float64Array;
  readonly fragments: PacketDecoder['fragments']['counters'];
}

interface StoredNumbers {
  readonly undecodable: Float64Array;
  readonly appEvents: Map<string, number>;
  readonly framesRead: number;
  readonly framesDecoded: number;
  readonly flowsEnded: number;
  readonly observed: number;
  readonly alerts: number;
  readonly timeWentBack: number;
  readonly nowUs: number;
  readonly secondUs: number;
  readonly startedUs: number;
  readonly observedS: number;
  readonly learningClosed: boolean;
}

const UNKNOWN_CLASS: DeviceClass = {
  id: 'unknown',
  title: 'Unknown device',
  medical: false,
  lifeSupporting: false,
  phi: false,
  interactive: false,
  server: false,
  infrastructure: false,
};

/**
 * The hot path: frames in, rows out. Everything that is decided here is decided by the frames' own time
 * stamps and contents, never by the clock or the size of a batch, so the same frames give the same rows.
 * See docs/explanation/life-of-a-packet.md.
 */
export class HotPath implements FlowListener, DeviceTableListener, ObservationListener {
  readonly #config: HotPathConfig;
  readonly #deps: HotPathDeps;
  readonly #out: HotPathOutput;
  readonly #decoder = new PacketDecoder();
  #columns: PacketColumns = createPacketColumns(4096);
  readonly #tracker: Tracker;
  readonly #streams: Streams;
  readonly #devices: DeviceTable;
  readonly #identity: IdentityObserver;
  readonly #observations: ObservationBuffer;
  readonly #engine: DetectEngine;
  readonly #correlator: Correlator;
  readonly #decisions: Decisions;
  readonly #evidence: EvidenceRing | undefined;
  /** Findings that a decision hides become alerts of their own, which say so: they lift no other one. */
  readonly #muted: Correlator;
  readonly #novelty: NoveltySets;
  /** The set by which learning is judged to be over. */
  readonly #short: WindowCounters;
  readonly #long: WindowCounters;
  readonly #baselines: Baselines;
  readonly #flow: FlowCursor;
  readonly #message: MessageCursor;
  readonly #arpView: ArpCursor;
  readonly #ocsf: OcsfOptions;
  /** Bit 0: what the originator sends leaves the monitored segments; bit 1: what the responder sends does. */
  readonly #leaves: Uint8Array;
  /** Slots of the devices heard in the running second. */
  readonly #heard: Int32Array;
  #heardCount = 0;
  readonly #ja3 = new Map<number, string>();
  readonly #ja4 = new Map<number, string>();
  readonly #channels: Channels;
  readonly #inventory: Inventory;
  readonly #segmentLastUs: number[] = [];
  readonly #undecodable = new Float64Array(DECODE_EVENTS.length);
  readonly #appEvents = new Map<string, number>();
  #framesRead = 0;
  #framesDecoded = 0;
  #flowsEnded = 0;
  #observed = 0;
  #alerts = 0;
  #timeWentBack = 0;
  #nowUs = 0;
  #secondUs = 0;
  #startedUs = 0;
  #observedS = 0;
  #learningClosed = false;
  #origin = '';
  #frame = 0;
  #currentSlot = -1;
  /** After a restore, while frames from before it are read: what to put back at the end of that. */
  #rewinding: { readonly decoder: StoredDecoder; nowUs: number } | undefined;

  constructor(config: HotPathConfig, deps: HotPathDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#out = deps.output;
    const ports = deps.dissectors.flatMap((d) => [...d.ports]);
    this.#tracker = new Tracker(config.track, this, ports);
    this.#devices = new DeviceTable(config.identity, this.#tracker.segments, this);
    this.#identity = new IdentityObserver(this.#devices);
    this.#observations = new ObservationBuffer(new TextTable(262_144), config.tokenKey, this);
    this.#streams = new Streams(deps.dissectors, config.track, this.#tracker, this.#observations);
    this.#flow = new FlowCursor(
      this.#tracker.flows,
      this.#devices,
      this.#tracker.segments,
      () => this.#streams.services,
    );
    this.#message = new MessageCursor(this.#flow, this.#devices.texts);
    this.#arpView = new ArpCursor(this.#devices.texts);
    this.#novelty = new NoveltySets(config.baseline.max_set_size, (slot) => this.#devices.devices[slot]?.type ?? '');
    this.#baselines = new Baselines(config.baseline, {
      seed: config.seed,
      novelty: this.#novelty,
      acts: deps.acts ?? [],
    });
    const slots = config.stage === 'all' ? config.identity.max_devices : 1;
    this.#short = new WindowCounters(slots);
    this.#long = new WindowCounters(slots);
    this.#leaves = new Uint8Array(config.track.max_flows);
    this.#heard = new Int32Array(slots);
    this.#ocsf = {
      productVersion: config.productVersion,
      ocsfTypeId: (type) => deps.classes.get(type)?.ocsfTypeId ?? 0,
      harm: (type) => deps.classes.get(type)?.harm ?? 'minor',
    };
    this.#channels = new Channels(config.identity.max_channels);
    this.#inventory = new Inventory({
      output: deps.output,
      channels: this.#channels,
      classes: deps.classes,
      criticality: deps.criticality ?? (() => undefined),
      ocsf: this.#ocsf,
    });
    const classOf = (type: string): DeviceClass => deps.classes.get(type) ?? UNKNOWN_CLASS;
    this.#engine = new DetectEngine({
      detectors: config.stage === 'all' ? deps.detectors : [],
      novelty: this.#novelty,
      models: this.#baselines.models,
      nowUs: () => this.#nowUs,
      devices: () => this.#devices.devices,
      deviceAt: (slot) => this.#devices.devices[slot],
      deviceBeside: (device, mac) => this.#devices.byMac(mac, device.segment),
      classOf,
      blind: (device) => this.#isBlind(device as Device),
      onFinding: (finding) => this.#found(finding),
      onScore: (score) => this.#out.score?.(score),
      onFailure: (id, reason) => deps.onDetectorFailure?.(id, reason),
    });
    const correlatorDeps = { classOf, position: () => ({ origin: this.#origin, frame: this.#frame }) };
    this.#correlator = new Correlator(config.alerts, correlatorDeps);
    this.#decisions = new Decisions(deps.decisions);
    const { frames, frames_per_alert: framesPerAlert, payload } = config.alerts.evidence;
    this.#evidence =
      deps.output.evidence === undefined || frames === 0
        ? undefined
        : new EvidenceRing({ frames, framesPerAlert, payload });
    this.#muted = new Correlator(config.alerts, correlatorDeps);
  }

  /**
   * Takes what people have decided, all of it. What has no time yet holds from the present event time on, what is
   * not in the list any more ends now, or when `ends` says; the list comes back with these times and with what has
   * ended, which belong to the input of a replay.
   */
  decide(decisions: readonly Decision[], ends?: ReadonlyMap<string, number>): readonly Decision[] {
    return this.#decisions.replace(decisions, this.#nowUs, ends);
  }

  /** How many findings each decision has met since this was last asked. */
  takeDecisionHits(): Record<string, number> {
    return this.#decisions.takeHits();
  }

  #found(finding: RaisedFinding): void {
    const decision = this.#decisions.judge(finding);
    if (decision === undefined) this.#correlator.add(finding);
    else if (decision.act === 'mute') this.#muted.add({ ...finding, mutedBy: decision.id });
    else if (finding.novel !== undefined)
      this.#novelty.note(finding.device, this.#novelty.setId(finding.novel.set), finding.novel.key, true);
  }

  /** Event time reached, epoch microseconds. */
  get nowUs(): number {
    return this.#nowUs;
  }

  /** Time of the first frame, epoch microseconds; 0 before it. */
  get startedUs(): number {
    return this.#startedUs;
  }

  process(batch: FrameBatch): void {
    if (batch.count > this.#columns.capacity) this.#columns = createPacketColumns(batch.count);
    const p = this.#columns;
    this.#origin = batch.origin;
    this.#framesRead += batch.count;
    // In blocks, so that the rows of a block are still in the cache when its packets are worked on.
    for (let from = 0; from < batch.count; from += BLOCK_ROWS)
      this.#block(batch, p, from, Math.min(from + BLOCK_ROWS, batch.count));
  }

  #block(batch: FrameBatch, p: PacketColumns, from: number, to: number): void {
    this.#decoder.decode(batch, p, from, to);
    const stage = this.#config.stage;
    if (stage === 'decode') {
      for (let i = from; i < to; i++) {
        if (p.layer[i] === LAYER.none) this.#undecodable[p.event[i]!]!++;
        else this.#framesDecoded++;
      }
      return;
    }
    const tracker = this.#tracker;
    const { clock } = tracker;
    tracker.prepare(p, from, to);
    if (stage !== 'flows') this.#streams.prepare();
    for (let i = from; i < to; i++) {
      const ts = batch.tsUs[i]!;
      if (ts > this.#nowUs) this.#advance(ts);
      else if (ts < this.#nowUs) this.#back(ts);
      clock[0] = this.#nowUs;
      if (p.layer[i] === LAYER.none) {
        this.#undecodable[p.event[i]!]!++;
        continue;
      }
      this.#framesDecoded++;
      this.#frame = batch.firstFrame + i;
      this.#flow.ttl = p.ttl[i]!;
      const slot = tracker.track(p, i);
      this.#currentSlot = slot;
      if (this.#evidence !== undefined) this.#keepFrame(this.#evidence, batch, p, i, slot);
      if (stage === 'flows') continue;
      if (slot >= 0) {
        const direction = tracker.direction;
        if (stage === 'all') this.#account(p, i, slot, direction, batch.wireLen[i]!);
        if (p.payLen[i]! > 0 || p.tcpFlags[i] !== 0) {
          if (p.reassembled[i] === 1) this.#streams.packet(p, i, p.scratch, p.scratchView, slot);
          else this.#streams.packet(p, i, batch.bytes, batch.view, slot);
        }
      } else if (stage === 'all') this.#noFlow(p, i, batch);
      else if (p.layer[i] === LAYER.control) this.#streams.control(p, i, batch.bytes, batch.view);
    }
  }

  #keepFrame(ring: EvidenceRing, batch: FrameBatch, p: PacketColumns, i: number, slot: number): void {
    const { flows } = this.#tracker;
    if (slot >= 0) {
      ring.keep(batch, p, i, flows.origDevice(slot), flows.respDevice(slot));
    } else if (p.hasMac[i] === 1) {
      const segment = this.#tracker.segments.id(p.vlan[i]!, p.vni[i]!);
      const src = this.#devices.findMac(p.srcOui[i]!, p.srcNic[i]!, segment);
      ring.keep(batch, p, i, src, this.#devices.findMac(p.dstOui[i]!, p.dstNic[i]!, segment));
    }
  }

  /** Shows the frames of an alert while it is young: what made it, and what came in the seconds after. */
  #showFrames(ring: EvidenceRing, uid: string, alert: OpenAlert): void {
    if (alert.version > EVIDENCE_VERSIONS || alert.severity < 2) return;
    const devices = new Set([alert.device.slot]);
    for (const party of alert.parties) devices.add(party.slot);
    const frames = ring.slice(devices, alert.startUs - EVIDENCE_MARGIN_US, alert.endUs + EVIDENCE_MARGIN_US);
    if (frames !== undefined) this.#out.evidence?.(uid, frames);
  }

  /** Nothing was watched between two recordings: flows end, windows are dropped, silence means nothing. */
  unobserved(fromUs: number, toUs: number): void {
    this.#tracker.endAll(this.#nowUs);
    this.#closeWindows(this.#nowUs, true);
    this.#channels.unobserved();
    this.#engine.unobserved(fromUs, toUs);
    this.#segmentLastUs.length = 0;
    this.#correlator.second(toUs);
    this.#muted.second(toUs);
    this.#flushAlerts();
    this.#heardCount = 0;
    this.#secondUs = 0;
  }

  /** Learning is over for all devices known now: models are trained, what is new from here on is reported. */
  closeLearning(): void {
    this.#decideAll();
    for (const device of this.#devices.devices) this.#endLearning(device, 'learning was closed for the whole site');
    this.#baselines.trainAll(this.#devices.devices, this.#nowUs);
    this.#learningClosed = true;
  }

  get learningClosed(): boolean {
    return this.#learningClosed;
  }

  /** End of the input: flows end, alerts take their last form, the inventory is written. */
  finish(): void {
    this.#tracker.endAll(this.#nowUs);
    this.#closeWindows(this.#nowUs, true);
    this.#correlator.endAll();
    this.#muted.endAll();
    this.#flushAlerts();
    this.writeDevices(true);
  }

  /**
   * Writes every device of which something is known that was not when it was last written; that it merely was
   * heard again is worth a row once a minute of event time, or with `all`.
   */
  writeDevices(all = false): void {
    // What a device is decides how bad things are, and this is called by the clock: only windows decide.
    if (all) this.#decideAll();
    this.#inventory.write(this.#devices.devices, this.#nowUs, all);
  }

  // ---- what outlives a restart ----

  /**
   * Writes all that is known, between two batches. Payload is not part of it: flows that stand inside of a
   * message are read once more after a restart, if they began within `rewindUs` of event time.
   *
   * @returns event time from which on frames must be given to {@link HotPath.rewind} after a restore; Infinity
   * where none is needed
   */
  save(writer: StateWriter, rewindUs: number): number {
    const used = this.#tracker.flows.usedSlots;
    const streams = this.#streams.save(this.#nowUs - rewindUs);
    writer.value(this.#kind());
    // First, because all others refer to them.
    writer.value(this.#devices.save());
    writer.value({
      tracker: this.#tracker.save(),
      streams: streams.state,
      novelty: this.#novelty.save(),
      short: this.#short.save(),
      long: this.#long.save(),
      baselines: this.#baselines.save(),
      engine: this.#engine.save(),
      correlator: this.#correlator.save(),
      muted: this.#muted.save(),
      decisions: this.#decisions.save(),
      channels: this.#channels.save(),
      inventory: this.#inventory.save(this.#devices.devices),
      nowUs: this.#nowUs,
      leaves: this.#leaves.subarray(0, used),
      ja3: this.#ja3,
      ja4: this.#ja4,
      segmentLastUs: this.#segmentLastUs,
    });
    const { eventCounts, fragments } = this.#decoder;
    const decoder: StoredDecoder = { eventCounts, fragments: fragments.counters };
    writer.value(decoder);
    const numbers: StoredNumbers = {
      undecodable: this.#undecodable,
      appEvents: this.#appEvents,
      framesRead: this.#framesRead,
      framesDecoded: this.#framesDecoded,
      flowsEnded: this.#flowsEnded,
      observed: this.#observed,
      alerts: this.#alerts,
      timeWentBack: this.#timeWentBack,
      nowUs: this.#nowUs,
      secondUs: this.#secondUs,
      startedUs: this.#startedUs,
      observedS: this.#observedS,
      learningClosed: this.#learningClosed,
    };
    writer.value(numbers);
    const fragmentsUs = fragments.pending > 0 ? this.#nowUs - fragments.timeoutUs : Infinity;
    return Math.min(streams.earliestUs, fragmentsUs);
  }

  /** Conversations that a snapshot at this moment would interrupt: at most moments there are none. */
  interruptedBySave(rewindUs: number): number {
    return this.#streams.interruptedBefore(this.#nowUs - rewindUs);
  }

  /**
   * Takes over what another hot path has saved, before the first frame. Afterwards come the frames from before
   * it, if any are needed ({@link HotPath.rewind}), then {@link HotPath.endRewind}.
   *
   * @returns ids of detectors that begin with nothing: they are new, or of another version
   * @throws WardwatchError WW_MODEL where it does not fit, or is none; this hot path is useless then
   */
  restore(reader: StateReader): string[] {
    checkKind(reader.value() as StateKind, this.#kind());
    this.#devices.restore(reader.value());
    const parts = reader.value() as {
      tracker: unknown;
      streams: unknown;
      novelty: unknown;
      short: unknown;
      long: unknown;
      baselines: unknown;
      engine: unknown;
      correlator: unknown;
      muted: unknown;
      decisions: unknown;
      channels: unknown;
      inventory: unknown;
      nowUs: number;
      leaves: Uint8Array;
      ja3: Map<number, string>;
      ja4: Map<number, string>;
      segmentLastUs: number[];
    };
    this.#tracker.restore(parts.tracker);
    this.#streams.restore(parts.streams);
    this.#novelty.restore(parts.novelty);
    this.#short.restore(parts.short);
    this.#long.restore(parts.long);
    this.#baselines.restore(parts.baselines);
    this.#correlator.restore(parts.correlator);
    this.#muted.restore(parts.muted);
    this.#decisions.restore(parts.decisions, this.#deps.decisions, parts.nowUs);
    this.#channels.restore(parts.channels);
    this.#inventory.restore(parts.inventory);
    this.#leaves.set(parts.leaves);
    for (const [slot, text] of parts.ja3) this.#ja3.set(slot, text);
    for (const [slot, text] of parts.ja4) this.#ja4.set(slot, text);
    this.#segmentLastUs.push(...parts.segmentLastUs);
    this.#rewinding = { decoder: reader.value() as StoredDecoder, nowUs: 0 };
    const numbers = reader.value() as StoredNumbers;
    this.#undecodable.set(numbers.undecodable);
    for (const [name, n] of numbers.appEvents) this.#appEvents.set(name, n);
    this.#framesRead = numbers.framesRead;
    this.#framesDecoded = numbers.framesDecoded;
    this.#flowsEnded = numbers.flowsEnded;
    this.#observed = numbers.observed;
    this.#alerts = numbers.alerts;
    this.#timeWentBack = numbers.timeWentBack;
    this.#nowUs = numbers.nowUs;
    this.#secondUs = numbers.secondUs;
    this.#startedUs = numbers.startedUs;
    this.#observedS = numbers.observedS;
    this.#learningClosed = numbers.learningClosed;
    for (const device of this.#devices.devices) if (device.lastUs >= this.#secondUs) this.#hear(device.slot);
    return this.#engine.restore(parts.engine);
  }

  /** Frames from before the restored moment, in their order: only buffers are rebuilt, nothing is put out. */
  rewind(batch: FrameBatch): void {
    const rewinding = this.#rewinding;
    if (rewinding === undefined) return;
    if (batch.count > this.#columns.capacity) this.#columns = createPacketColumns(batch.count);
    const p = this.#columns;
    this.#decoder.decode(batch, p);
    const flows = this.#tracker.flows;
    for (let i = 0; i < batch.count; i++) {
      rewinding.nowUs = Math.max(rewinding.nowUs, batch.tsUs[i]!);
      this.#tracker.clock[0] = rewinding.nowUs;
      if (p.layer[i] === LAYER.none || (p.payLen[i] === 0 && p.tcpFlags[i] === 0)) continue;
      const slot = this.#tracker.recall(p, i);
      // Before its start it was another flow with the same ports.
      if (slot < 0 || !this.#streams.isRewinding(slot) || rewinding.nowUs < flows.startUs(slot)) continue;
      if (p.reassembled[i] === 1) this.#streams.packet(p, i, p.scratch, p.scratchView, slot);
      else this.#streams.packet(p, i, batch.bytes, batch.view, slot);
    }
  }

  /**
   * The restored moment is reached: what comes now is new.
   *
   * @returns flows whose messages at hand could not be rebuilt: they go on as if bytes had been lost
   */
  endRewind(): number {
    const rewinding = this.#rewinding;
    if (rewinding === undefined) return 0;
    const lost = this.#streams.endRewind();
    this.#decoder.eventCounts.set(rewinding.decoder.eventCounts);
    Object.assign(this.#decoder.fragments.counters, rewinding.decoder.fragments);
    this.#rewinding = undefined;
    return lost;
  }

  #kind(): StateKind {
    return stateKind(this.#config.identity.tap, this.#config.seed, this.#config.tokenKey);
  }

  /** Baselines of the devices with this key, MAC or IP address, or host name. */
  baselinesOf(name: string): DeviceBaseline[] {
    const found = this.#devices.devices.filter(
      (d) => !d.isGateway && (d.key === name || d.mac === name || d.hostname === name || d.addresses.has(name)),
    );
    return found.map((d) => describeBaseline(d, this.#baselines, this.#channels.of(d), this.#nowUs));
  }

  detectorStatus(): DetectorStatus[] {
    return this.#engine.status();
  }

  /** Share of devices that have finished learning. */
  learningProgress(): number {
    let known = 0;
    let done = 0;
    for (const device of this.#devices.devices) {
      if (device.isGateway) continue;
      known++;
      if (!device.learning) done++;
    }
    return known === 0 ? 0 : done / known;
  }

  counters(): HotPathCounters {
    const named = (counts: Float64Array): Record<string, number> =>
      Object.fromEntries([...counts].map((n, i) => [DECODE_EVENTS[i]!, n] as const).filter(([, n]) => n > 0));
    return {
      framesRead: this.#framesRead,
      framesDecoded: this.#framesDecoded,
      framesUndecodable: named(this.#undecodable),
      decodeEvents: named(this.#decoder.eventCounts),
      appEvents: Object.fromEntries([...this.#appEvents].sort(([a], [b]) => (a < b ? -1 : 1))),
      flows: this.#flowsEnded,
      flowEvictions: this.#tracker.flows.evictions,
      openFlows: this.#tracker.flows.count,
      devices: this.#devices.count,
      deviceEvictions: this.#devices.evictions,
      channelOverflow: this.#channels.overflow,
      observations: this.#observed,
      alerts: this.#alerts,
      streams: this.#streams.counters,
      fragments: this.#decoder.fragments.counters,
      textOverflow: this.#observations.texts.overflow,
      timeWentBack: this.#timeWentBack,
    };
  }

  // ---- time ----

  #advance(ts: number): void {
    if (this.#secondUs === 0) {
      this.#secondUs = Math.floor(ts / 1e6) * 1e6;
      if (this.#startedUs === 0) this.#startedUs = ts;
      this.#nowUs = ts;
      return;
    }
    if (ts - this.#nowUs > UNOBSERVED_US) {
      this.unobserved(this.#nowUs, ts);
      this.#nowUs = ts;
      this.#secondUs = Math.floor(ts / 1e6) * 1e6;
      return;
    }
    while (ts >= this.#secondUs + 1e6) {
      this.#secondUs += 1e6;
      this.#nowUs = this.#secondUs;
      this.#second(this.#secondUs);
    }
    this.#nowUs = ts;
  }

  /** A few frames out of order are usual; a clock that was set back begins a new recording. */
  #back(ts: number): void {
    this.#timeWentBack++;
    if (this.#nowUs - ts <= UNOBSERVED_US) return;
    this.unobserved(this.#nowUs, ts);
    this.#nowUs = ts;
    this.#secondUs = Math.floor(ts / 1e6) * 1e6;
  }

  #second(nowUs: number): void {
    this.#observedS++;
    this.#tracker.expire(nowUs);
    if (this.#config.stage !== 'all') return;
    if (nowUs % WINDOW_US === 0) this.#closeWindows(nowUs, false);
    this.#baselines.second(this.#devices.devices, nowUs);
    for (let i = 0; i < this.#heardCount; i++) this.#engine.heard(this.#devices.devices[this.#heard[i]!]!);
    this.#heardCount = 0;
    this.#engine.second(nowUs);
    this.#correlator.second(nowUs);
    this.#muted.second(nowUs);
    this.#flushAlerts();
  }

  #closeWindows(nowUs: number, cut: boolean): void {
    if (this.#config.stage !== 'all') return;
    this.#decideAll();
    const short = this.#short;
    const start = Math.floor((nowUs - 1) / WINDOW_US) * WINDOW_US;
    for (let a = 0; a < short.activeCount; a++) {
      const slot = short.active[a]!;
      const device = this.#devices.devices[slot];
      if (device === undefined || device.isGateway) continue;
      short.finish(slot);
      this.#window(device, start, 10, short, cut);
      short.foldInto(this.#long, slot);
    }
    short.clearAll();
    const longDone = cut || nowUs % LONG_WINDOW_US === 0;
    if (!longDone) return;
    const longStart = Math.floor((nowUs - 1) / LONG_WINDOW_US) * LONG_WINDOW_US;
    for (let a = 0; a < this.#long.activeCount; a++) {
      const slot = this.#long.active[a]!;
      const device = this.#devices.devices[slot];
      if (device === undefined) continue;
      this.#long.finish(slot);
      this.#window(device, longStart, 60, this.#long, cut);
      if (device.learning && !cut && this.#baselines.hasLearned(device, nowUs))
        this.#endLearning(device, 'its behaviour has become stable, or the longest time of learning is over');
    }
    this.#long.clearAll();
  }

  #window(device: Device, startUs: number, seconds: number, counters: WindowCounters, cut: boolean): void {
    const at = device.slot * FEATURE_COUNT;
    const own = this.#baselines.windows(device.slot, seconds);
    const model = this.#engine.window(device, startUs, seconds, counters.values, at, own);
    if (model !== undefined && seconds === 10) this.#correlator.budget.tested(this.#nowUs);
    // A window that was cut short is no example of a whole one.
    if (!cut) this.#baselines.took(device, startUs, seconds, counters.values, at, model?.pValue);
    if (this.#out.window !== undefined) {
      const features: Record<string, number> = {};
      for (let f = 0; f < FEATURE_COUNT; f++) features[FEATURES[f]!.name] = counters.values[at + f]!;
      this.#out.window({
        window_start: Math.floor(startUs / 1000),
        window_s: seconds,
        device: device.key,
        vlan: device.vlan,
        features,
      });
    }
  }

  // ---- learning ----

  #endLearning(device: Device, why: string): void {
    if (!device.learning) return;
    device.learning = false;
    device.version++;
    this.#baselines.ended(device, this.#nowUs, why);
    this.#engine.learned(device);
  }

  // ---- packets ----

  #account(p: PacketColumns, i: number, slot: number, direction: number, wireBytes: number): void {
    const flows = this.#tracker.flows;
    const fromOrig = direction === 0;
    const src = fromOrig ? flows.origDevice(slot) : flows.respDevice(slot);
    const dst = fromOrig ? flows.respDevice(slot) : flows.origDevice(slot);
    const payload = p.payWire[i]!;
    const short = this.#short;
    if (src >= 0) {
      const device = this.#devices.devices[src]!;
      if (device.lastUs < this.#secondUs) this.#hear(src);
      device.lastUs = this.#nowUs;
      device.packets++;
      device.bytes += wireBytes;
      this.#segmentLastUs[device.segment] = this.#nowUs;
      if (!device.isGateway) {
        const group = (flows.flags(slot) & FLOW_FLAG.multicast) !== 0;
        const external = (this.#leaves[slot]! & (fromOrig ? 1 : 2)) !== 0;
        short.sent(src, wireBytes, payload, group, external);
        const layer = p.layer[i]!;
        if (layer === LAYER.tcp) {
          const flags = p.tcpFlags[i]!;
          if ((flags & 18) === 2) short.add(src, F.syn_out, 1);
          else if ((flags & 4) !== 0) short.add(src, F.rst_out, 1);
        } else if (layer === LAYER.icmp) short.add(src, F.icmp_out, 1);
      }
    }
    if (dst >= 0 && !this.#devices.devices[dst]!.isGateway) short.received(dst, wireBytes, payload);
  }

  /** The first frame of a device in this second. */
  #hear(slot: number): void {
    if (this.#heardCount < this.#heard.length) this.#heard[this.#heardCount++] = slot;
  }

  /** Frames that belong to no flow: ARP, layer 2 protocols, fragments, what could not be decoded to its end. */
  #noFlow(p: PacketColumns, i: number, batch: FrameBatch): void {
    if (p.hasMac[i] !== 1) return;
    const segment = this.#tracker.segments.id(p.vlan[i]!, p.vni[i]!);
    const device = this.#devices.sender(p.srcOui[i]!, p.srcNic[i]!, segment, this.#nowUs);
    if (device === undefined) return;
    const wire = batch.wireLen[i]!;
    if (device.lastUs < this.#secondUs) this.#hear(device.slot);
    device.lastUs = this.#nowUs;
    device.packets++;
    device.bytes += wire;
    this.#segmentLastUs[segment] = this.#nowUs;
    const group = (p.dstOui[i]! & 0x010000) !== 0;
    if (!device.isGateway) this.#short.sent(device.slot, wire, 0, group, false);
    if (!group) {
      const dst = this.#devices.findMac(p.dstOui[i]!, p.dstNic[i]!, segment);
      if (dst >= 0 && !this.#devices.devices[dst]!.isGateway) this.#short.received(dst, wire, 0);
    }
    const layer = p.layer[i]!;
    if (layer === LAYER.arp) this.#arp(p, i, batch, device, segment);
    else if (layer === LAYER.control) {
      this.#message.setLayer2(device);
      this.#streams.control(p, i, batch.bytes, batch.view);
    }
  }

  #arp(p: PacketColumns, i: number, batch: FrameBatch, device: Device, segment: number): void {
    const at = i * 8;
    const isRequest = p.srcPort[i] === 1;
    const senderIp = p.ip[at + 3]!;
    const targetIp = p.ip[at + 7]!;
    if (isRequest && senderIp !== targetIp && !device.isGateway) this.#short.add(device.slot, F.arp_out, 1);
    // The hardware address inside may differ from the frame's: then the frame's sender claims nothing by it.
    const o = p.l4Off[i]! + 8;
    const oui = batch.view.getUint16(o) * 256 + batch.bytes[o + 2]!;
    const nic = batch.bytes[o + 3]! * 65_536 + batch.view.getUint16(o + 4);
    const claimant =
      oui === device.oui && nic === device.nic ? device : this.#devices.sender(oui, nic, segment, this.#nowUs);
    // A probe (RFC 5227) asks with sender 0 and claims nothing.
    if (claimant !== undefined && senderIp !== 0) this.#devices.claim(claimant, p.ip, at, false, 'arp', this.#nowUs);
    this.#arpView.set(p.ip, at, claimant, oui, nic, segment, isRequest);
    this.#engine.arp(this.#arpView);
  }

  // ---- FlowListener ----

  deviceOf(
    oui: number,
    nic: number,
    hasMac: boolean,
    segment: number,
    words: Uint32Array,
    at: number,
    v6: boolean,
    sender: boolean,
    nowUs: number,
  ): number {
    if (this.#config.stage !== 'all') return -1;
    if (!hasMac || this.#devices.keyedByIp || (oui === 0 && nic === 0)) {
      const device = this.#devices.byIp(words, at, v6, segment, sender, nowUs);
      return device === undefined ? -1 : device.slot;
    }
    if (!sender) return this.#devices.findMac(oui, nic, segment);
    const device = this.#devices.sender(oui, nic, segment, nowUs);
    if (device === undefined) return -1;
    this.#devices.sent(device, words, at, v6, nowUs);
    return device.slot;
  }

  flowStarted(slot: number, _nowUs: number): void {
    if (this.#config.stage !== 'all') return;
    this.#flow.began(slot);
    const flow = this.#flow.bind(slot);
    flow.ttlOfOrig = (this.#tracker.flows.flags(slot) & FLOW_FLAG.flipped) === 0;
    const { orig, resp } = flow;
    this.#leaves[slot] = (resp.isRemote || resp.isPublic ? 1 : 0) | (orig.isRemote || orig.isPublic ? 2 : 0);
    if (orig.device !== undefined && !orig.device.isGateway)
      this.#short.began(orig.device.slot, resp.key, hashNumbers(resp.key, resp.port, flow.ipProto));
    if (resp.device !== undefined && !resp.device.isGateway && !resp.isMulticast)
      this.#short.wasContacted(resp.device.slot, orig.key);
    this.#identity.flowStarted(flow, this.#nowUs);
    this.#engine.flowStarted(flow);
  }

  flowEstablished(slot: number, _nowUs: number): void {
    if (this.#config.stage !== 'all') return;
    const flow = this.#flow.bind(slot);
    flow.ttlOfOrig = this.#tracker.direction === 0;
    this.#identity.flowEstablished(flow, this.#nowUs);
    this.#channels.began(flow, this.#nowUs);
    this.#engine.flowEstablished(flow);
  }

  flowMoved(): void {
    // Which device sent is already corrected; that a flow changed its MAC address shows in the bindings.
  }

  flowEnded(slot: number, _nowUs: number): void {
    this.#flowsEnded++;
    this.#streams.close(slot);
    if (this.#config.stage === 'all') {
      const flow = this.#flow.bind(slot);
      const failed =
        flow.proto === 'tcp' && (flow.connState === 'S0' || flow.connState === 'REJ' || flow.connState === 'RSTOS0');
      if (failed) {
        if (flow.orig.device !== undefined && !flow.orig.device.isGateway)
          this.#short.add(flow.orig.device.slot, F.failed_out, 1);
        if (flow.resp.device !== undefined && !flow.resp.device.isGateway)
          this.#short.add(flow.resp.device.slot, F.failed_in, 1);
      }
      this.#engine.flowEnded(flow);
      this.#channels.ended(flow, this.#nowUs);
    }
    if (this.#out.flow !== undefined) this.#out.flow(this.#flowRow(slot));
    if (this.#ja3.size > 0) this.#ja3.delete(slot);
    if (this.#ja4.size > 0) this.#ja4.delete(slot);
  }

  #flowUid(slot: number, community: string): string {
    const flows = this.#tracker.flows;
    const segment = flows.meta(slot) >>> 9;
    return (
      'C' +
      base62(hashText(`${community}|${flows.startUs(slot)}|${this.#tracker.segments.name(segment)}`)) +
      base62(
        hashNumbers(
          flows.startUs(slot),
          flows.ports(slot),
          flows.words[slot * FLOW_WORDS + 3],
          flows.words[slot * FLOW_WORDS + 7],
        ),
      ).slice(0, 8)
    );
  }

  #flowRow(slot: number): FlowRow {
    const flows = this.#tracker.flows;
    const meta = flows.meta(slot);
    const v6 = (meta & 256) !== 0;
    const proto = meta & 255;
    const segment = meta >>> 9;
    const high = flows.origIsHigh(slot) === 1;
    const ports = flows.ports(slot);
    const a = slot * FLOW_WORDS;
    const community = communityId(flows, slot);
    const service = flows.service(slot);
    const vlan = this.#tracker.segments.vlan[segment] ?? 0;
    const vni = this.#tracker.segments.vni[segment] ?? 0;
    const ja3 = this.#ja3.get(slot);
    const ja4 = this.#ja4.get(slot);
    const origMac = flows.origOui(slot) !== 0 || flows.origNic(slot) !== 0;
    const respMac = flows.respOui(slot) !== 0 || flows.respNic(slot) !== 0;
    return {
      ts: flows.startUs(slot) / 1e6,
      uid: this.#flowUid(slot, community),
      'id.orig_h': ipText(flows.words, high ? a + 4 : a, v6),
      'id.orig_p': high ? ports & 0xffff : ports >>> 16,
      'id.resp_h': ipText(flows.words, high ? a : a + 4, v6),
      'id.resp_p': high ? ports >>> 16 : ports & 0xffff,
      proto: proto === 6 ? 'tcp' : proto === 17 ? 'udp' : proto === 1 || proto === 58 ? 'icmp' : 'unknown_transport',
      ...(service === 0 ? {} : { service: this.#streams.services[service - 1]! }),
      duration: (flows.lastUs(slot) - flows.startUs(slot)) / 1e6,
      orig_bytes: flows.origBytes(slot),
      resp_bytes: flows.respBytes(slot),
      conn_state: connState(flows, slot),
      history: historyText(flows, slot),
      orig_pkts: flows.origPkts(slot),
      orig_ip_bytes: flows.origIpBytes(slot),
      resp_pkts: flows.respPkts(slot),
      resp_ip_bytes: flows.respIpBytes(slot),
      missed_bytes: flows.missedBytes(slot),
      ...(origMac ? { orig_l2_addr: macText(flows.origOui(slot), flows.origNic(slot)) } : {}),
      ...(respMac ? { resp_l2_addr: macText(flows.respOui(slot), flows.respNic(slot)) } : {}),
      ...(vlan === 0 ? {} : { vlan: vlan & 0xfff }),
      ...(vlan >>> 12 === 0 ? {} : { inner_vlan: vlan >>> 12 }),
      ...(vni === 0 ? {} : { vni }),
      community_id: community,
      ...(ja3 === undefined ? {} : { ja3 }),
      ...(ja4 === undefined ? {} : { ja4 }),
    };
  }

  // ---- DeviceTableListener ----

  deviceAppeared(device: Device, _nowUs: number): void {
    this.#hear(device.slot);
    this.#engine.deviceAppeared(device);
  }

  bindingChanged(change: BindingChange, nowUs: number): void {
    this.#engine.binding(change);
    this.#inventory.bindingChanged(change, nowUs);
  }

  deviceForgotten(device: Device): void {
    this.#engine.deviceForgotten(device);
    this.#channels.forget(device);
    this.#inventory.forget(device);
    this.#short.clear(device.slot);
    this.#long.clear(device.slot);
    this.#baselines.forget(device.slot);
  }

  // ---- ObservationListener ----

  observed(observation: ObservationView): void {
    if (this.#rewinding !== undefined) return;
    this.#observed++;
    const slot = this.#currentSlot;
    const kind = observation.kind;
    if (kind === 'tls.client_hello' && slot >= 0) {
      const ja3 = observation.text('ja3');
      const ja4 = observation.text('ja4');
      if (ja3 !== undefined) this.#ja3.set(slot, ja3);
      if (ja4 !== undefined) this.#ja4.set(slot, ja4);
    }
    if (this.#config.stage !== 'all') return;
    const message = this.#message;
    if (slot >= 0) message.setFlow(this.#flow.bind(slot), this.#tracker.direction === 0);
    message.observation = observation;
    const speaker = message.speaker.device;
    if (speaker !== undefined && !message.speaker.isRemote) {
      this.#short.add(speaker.slot, F.messages_out, 1);
    }
    this.#identity.observed(message, this.#nowUs);
    if (slot >= 0) this.#channels.message(slot, observation, this.#nowUs);
    this.#engine.message(message);
    if (this.#out.observation !== undefined) {
      const community = slot >= 0 ? communityId(this.#tracker.flows, slot) : '';
      this.#out.observation({
        ts: this.#nowUs / 1e6,
        flow_uid: slot >= 0 ? this.#flowUid(slot, community) : '',
        device: speaker?.key ?? '',
        protocol: kind.slice(0, kind.indexOf('.')),
        kind,
        ...observation.toFields(),
      });
    }
  }

  decodeEvent(name: string): void {
    if (this.#rewinding !== undefined) return;
    this.#appEvents.set(name, (this.#appEvents.get(name) ?? 0) + 1);
  }

  // ---- the rest ----

  /** Twice: what one device turns out to be is evidence about its partners. */
  #decideAll(): void {
    for (let round = 0; round < 2; round++)
      for (const device of this.#devices.devices) if (device.undecided) this.#deps.decider.decide(device);
  }

  #isBlind(device: Device): boolean {
    const last = this.#segmentLastUs[device.segment];
    return last === undefined || this.#nowUs - last > OPEN_SEGMENT_US;
  }

  #flushAlerts(): void {
    for (const alert of this.#muted.takeChanged()) this.#out.alert?.(toAlertRow(alert, this.#ocsf));
    for (const alert of this.#correlator.takeChanged()) {
      if (alert.version === 1) this.#alerts++;
      this.#inventory.alerted(alert.device, alert.severity, this.#nowUs);
      const row = toAlertRow(alert, this.#ocsf);
      if (this.#evidence !== undefined) this.#showFrames(this.#evidence, row.uid, alert);
      this.#out.alert?.(row);
    }
  }
}

/** The message under the cursor, in the form in which detectors see it. */
class MessageCursor implements MessageView {
  flow: FlowCursor | undefined;
  fromOrig = true;
  observation!: ObservationView;
  readonly #flow: FlowCursor;
  readonly #layer2: EndpointCursor;
  #speaker: EndpointCursor;
  #listener: EndpointCursor | undefined;

  constructor(flow: FlowCursor, texts: AddressTexts) {
    this.#flow = flow;
    this.#layer2 = new EndpointCursor(texts);
    this.#speaker = flow.orig;
  }

  get kind(): string {
    return this.observation.kind;
  }
  get speaker(): EndpointCursor {
    return this.#speaker;
  }
  get listener(): EndpointCursor | undefined {
    return this.#listener;
  }

  setFlow(flow: FlowCursor, fromOrig: boolean): void {
    this.flow = this.#flow;
    this.fromOrig = fromOrig;
    this.#speaker = fromOrig ? flow.orig : flow.resp;
    this.#listener = fromOrig ? flow.resp : flow.orig;
  }

  setLayer2(device: Device): void {
    this.flow = undefined;
    this.fromOrig = true;
    this.#layer2.setDevice(device);
    this.#speaker = this.#layer2;
    this.#listener = undefined;
  }

  text(field: string): string | undefined {
    return this.observation.text(field);
  }

  number(field: string): number | undefined {
    return this.observation.number(field);
  }
}
