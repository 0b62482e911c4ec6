/**
 * All that a detector may import. A detector is a folder with an `index.ts` whose default export is made by
 * {@link defineDetector}. It is pure of input and output: it is told of flows, messages, windows, addresses
 * and seconds in event time, and speaks by `ctx.finding`. It never sees a clock, a file or a payload.
 *
 * A detector that throws is switched off and reported; the others go on.
 */
import { hashNumbers, hashText } from '../lib/hash.ts';

export type Severity = 1 | 2 | 3 | 4 | 5;
export const INFORMATIONAL = 1;
export const LOW = 2;
export const MEDIUM = 3;
export const HIGH = 4;
export const CRITICAL = 5;

/** A technique of MITRE ATT&CK. */
export interface Technique {
  readonly id: string;
  readonly name: string;
  readonly matrix: 'ics' | 'enterprise';
}

export interface DetectorMeta<P extends Record<string, ParamSpec>> {
  /** Name of the folder: kebab-case. */
  readonly id: string;
  readonly version: number;
  readonly status: 'experimental' | 'test' | 'stable' | 'retired';
  readonly title: string;
  /** One sentence: what it sees. */
  readonly summary: string;
  /** OCSF analytic type: how it comes to its judgement. */
  readonly analytic: 'rule' | 'behavioral' | 'statistical' | 'learning' | 'fingerprinting';
  readonly techniques: readonly Technique[];
  readonly params: P;
}

/** A parameter that a site may set under `detection.detectors.<id>`. */
export interface ParamSpec {
  readonly default: number | boolean | string;
  readonly min?: number;
  readonly max?: number;
  readonly unit?: string;
  readonly doc: string;
}
export type ParamValues<P extends Record<string, ParamSpec>> = {
  readonly [K in keyof P]: P[K]['default'] extends number ? number : P[K]['default'] extends boolean ? boolean : string;
};

/** A monitored device as a detector sees it. The object is the same for the device's whole life. */
export interface DeviceView {
  /** Small number, reused after the device is forgotten: for tables of the detector's own ({@link DetectorContext.perDevice}). */
  readonly slot: number;
  /** Stable over runs and machines: for keys of sets. */
  readonly id: number;
  /** `<vlan>/<mac>`. */
  readonly key: string;
  readonly mac: string;
  readonly ip: string;
  readonly vlan: string;
  readonly hostname: string;
  /** Device class of profiles/classes.json, `unknown` until decided. */
  readonly type: string;
  readonly vendor: string;
  readonly model: string;
  readonly isGateway: boolean;
  /** Normal behaviour is still being learned: what is new is learned, not reported. */
  readonly learning: boolean;
  readonly firstUs: number;
  /** Event time of the last frame from it. */
  readonly lastUs: number;
  /** Frames and bytes it has sent so far. */
  readonly packets: number;
  readonly bytes: number;
}

/** One end of a flow. */
export interface Endpoint {
  /** The monitored device, undefined where the address lies behind a gateway, is a group, or has never spoken. */
  readonly device: DeviceView | undefined;
  readonly ip: string;
  readonly mac: string;
  readonly port: number;
  /** Stable key for sets: the device's where there is one, else the address's. */
  readonly key: number;
  /** Outside private and site ranges. */
  readonly isPublic: boolean;
  /** Behind a gateway: not on a monitored segment. */
  readonly isRemote: boolean;
  readonly isMulticast: boolean;
}

/** A flow at the moment of the call. Reused between calls: keep nothing but what you copy. */
export interface FlowView {
  /** Small number, unique while the flow lives. */
  readonly slot: number;
  readonly orig: Endpoint;
  readonly resp: Endpoint;
  readonly proto: 'tcp' | 'udp' | 'icmp' | 'other';
  readonly ipProto: number;
  /** Application protocol recognised so far, empty if none. */
  readonly service: string;
  readonly startUs: number;
  readonly lastUs: number;
  /** The start of the flow was seen (a TCP SYN; always for others). */
  readonly fromStart: boolean;
  readonly established: boolean;
  readonly origPkts: number;
  readonly respPkts: number;
  readonly origBytes: number;
  readonly respBytes: number;
  /** Payload bytes that were sent and not seen, of both sides. */
  readonly missedBytes: number;
  /** In `onFlowStart` and `onFlowEstablished`: hop limit of the frame at hand, and whether the originator sent it. */
  readonly ttl: number;
  readonly ttlOfOrig: boolean;
  /** Zeek's conn_state; meaningful in `onFlowEnd`. */
  readonly connState: string;
  readonly vlan: string;
}

/** An application message (src/decode/app/<protocol>/events.ts, docs/reference/observations.md). */
export interface MessageView {
  readonly kind: string;
  /** The flow that carried it; its `orig` need not be the speaker. Undefined for layer 2 protocols. */
  readonly flow: FlowView | undefined;
  readonly fromOrig: boolean;
  readonly speaker: Endpoint;
  readonly listener: Endpoint | undefined;
  text(field: string): string | undefined;
  /** Numbers, and tokens (keyed hashes) to compare. */
  number(field: string): number | undefined;
}

/** A device's window that has just closed. */
export interface WindowView {
  readonly device: DeviceView;
  readonly startUs: number;
  readonly seconds: number;
  /** Value of a feature (src/features/catalogue.ts). */
  value(feature: string): number;
  readonly features: readonly string[];
  /** Where the value stands among the device's own learned windows; undefined while there are too few. */
  standing(feature: string): Standing | undefined;
  /** Isolation forest of the device's class with range term; undefined while there is no model. */
  readonly model: ModelScore | undefined;
}

export interface Standing {
  /** Learned windows. */
  readonly n: number;
  readonly median: number;
  /** Usual range: the 0.5 and 99.5 % quantiles of what was learned. */
  readonly low: number;
  readonly high: number;
  /** The largest that was learned. */
  readonly most: number;
  /** Robust z on log1p: (log1p(x) - median) / max(1.4826 MAD, floor). */
  readonly z: number;
}

export interface ModelScore {
  readonly score: number;
  /** Conformal: share of calibration windows at least as odd, at least 1/(n+1). */
  readonly pValue: number;
  readonly nCalibration: number;
  /** The same extrapolated beyond what calibration has seen, or marked as not calibrated: for {@link Finding.chance}. */
  readonly chance: { readonly pValue: number; readonly calibrated: boolean };
  /** Features that carried the score, first = most. */
  readonly top: readonly { readonly feature: string; readonly weight: number }[];
}

/** A device is heard to hold an address that another device held. */
export interface BindingView {
  readonly ip: string;
  readonly before: DeviceView;
  readonly after: DeviceView;
  /** When the former holder was last heard with it. */
  readonly beforeLastUs: number;
  /** `arp`, `dhcp`, `nd`: the new holder claims it; `use`: it only sends from it. */
  readonly source: 'arp' | 'dhcp' | 'nd' | 'use';
}

/** ARP as it passes; requests and answers. Reused between calls. */
export interface ArpView {
  readonly sender: DeviceView | undefined;
  readonly senderMac: string;
  readonly senderIp: string;
  readonly senderKey: number;
  readonly targetIp: string;
  readonly targetKey: number;
  readonly isRequest: boolean;
  readonly isGratuitous: boolean;
}

/** What the baseline says of something that may be new. It holds until the next question about a set of that name. */
export interface Novelty {
  /** Not in what was learned and not reported before. */
  readonly isNew: boolean;
  /** How many different things of this kind the device has shown while learning. */
  readonly known: number;
  /** Good-Turing estimate of the chance that the next thing of this kind is new: once-seen / all seen. */
  readonly newRate: number;
  /** Other devices of the same class (then: of the site) that do the same. */
  readonly sameClass: number;
  readonly site: number;
}

/** What was expected and what was seen, for one quantity: becomes a row of the alert's table. */
export interface Anomaly {
  /** `peer`, `service`, `peers_out`, … */
  readonly parameter: string;
  readonly expected: string;
  readonly seen: string;
  readonly unit?: string;
  /** Windows or things learned behind `expected`. */
  readonly learned?: number;
  readonly pValue?: number;
  /** OCSF observed_pattern, one word or two: `NEW`, `ABOVE RANGE`, `PERIODIC`, `ABSENT`. */
  readonly pattern: string;
}

export interface Finding {
  /** Who acts, where it is a monitored device; else the victim. */
  readonly device: DeviceView;
  /** What it is about, stable over repetitions: findings of the same detector, device and subject are one. */
  readonly subject: string;
  readonly severity: Severity;
  /** 0 to 100. */
  readonly confidence: number;
  /** Event time of the frame that made it decidable. */
  readonly tsUs: number;
  /** First contributing frame. */
  readonly firstUs: number;
  readonly title: string;
  /** One sentence in plain words: who did what to whom, in numbers. */
  readonly sentence: string;
  /** Defaults to the detector's. */
  readonly techniques?: readonly Technique[];
  /** Pairs of endpoints that show it, most telling first; at most 16 are kept. */
  readonly evidence: readonly {
    readonly src: Endpoint;
    readonly dst: Endpoint | undefined;
    readonly service?: string;
  }[];
  readonly anomalies: readonly Anomaly[];
  /**
   * Where the finding stands on chance alone: how likely something as odd is where nothing is wrong. It becomes an
   * alert only within the site's false-alarm budget (src/alerts/budget.ts).
   */
  readonly chance?: { readonly pValue: number; readonly calibrated: boolean };
  /** What it could mean for a patient, one sentence, where it could mean something. */
  readonly patient?: string;
  readonly advice?: readonly string[];
  /** What not to do. */
  readonly caution?: readonly string[];
}

export interface DetectorContext<P> {
  readonly params: P;
  /** Event time reached, epoch microseconds. */
  nowUs(): number;
  finding(finding: Finding): void;
  /**
   * Asks whether `key` is new for the device in the set `set`, and remembers it: while the device learns it is
   * learned, afterwards it is new once.
   */
  novelty(device: DeviceView, set: string, key: number): Novelty;
  /** Whether the device has learned or shown it, without remembering. */
  knows(device: DeviceView, set: string, key: number): boolean;
  /** State per device: made on first use, dropped when the device is forgotten. */
  perDevice<T>(create: () => T): (device: DeviceView) => T;
  /**
   * State of the detector as a whole: a Map, Set, array or object that `create` makes. What a detector knows
   * and keeps in variables of its own instead is lost at a restart. Plain values only (no functions, no
   * classes); it may refer to devices. The same calls in the same order at every start.
   */
  site<T extends object>(create: () => T): T;
  /**
   * Calls `onWake` at the first second from `tsUs` on. One moment a device: the last one set counts. All are
   * dropped where nothing was watched for a while (`onUnobserved`).
   */
  wakeAt(device: DeviceView, tsUs: number): void;
  /** Every monitored device: not for what happens often. */
  devices(): Iterable<DeviceView>;
  /** The device with this MAC address in the segment of another one. */
  deviceBeside(device: DeviceView, mac: string): DeviceView | undefined;
  /** True while the mirror is blind or half-blind for the device's segment: silence proves nothing then. */
  blind(device: DeviceView): boolean;
  /** Device classes: what the class means for patients. */
  classOf(device: DeviceView): DeviceClass;
}

export interface DeviceClass {
  readonly id: string;
  readonly title: string;
  readonly medical: boolean;
  readonly lifeSupporting: boolean;
  /** Carries or stores patient data as a rule. */
  readonly phi: boolean;
  /** Runs on behalf of people who use it for many things: workstations, phones. New peers are less telling. */
  readonly interactive: boolean;
  /** Serves others: servers, gateways. New clients are less telling. */
  readonly server: boolean;
  /** Does the network's own work: switches, routers, access points, management. */
  readonly infrastructure: boolean;
}

export interface DetectorHooks {
  onFlowStart?(flow: FlowView): void;
  /** TCP: handshake complete or data both ways; others: the first answer. */
  onFlowEstablished?(flow: FlowView): void;
  onFlowEnd?(flow: FlowView): void;
  onMessage?(message: MessageView): void;
  /** Kinds of messages that `onMessage` is called for; all when absent. `dns.*` takes all of a protocol. */
  readonly messageKinds?: readonly string[];
  /** Windows of 10 and 60 seconds, of devices that were active in them. */
  onWindow?(window: WindowView): void;
  onBinding?(binding: BindingView): void;
  onArp?(arp: ArpView): void;
  onDevice?(device: DeviceView): void;
  /** Once a second, for each device that was heard in it; before `onSecond`. */
  onHeard?(device: DeviceView): void;
  /** Every second of event time. */
  onSecond?(nowUs: number): void;
  /** The moment that was set by {@link DetectorContext.wakeAt} has come; after `onSecond`. */
  onWake?(device: DeviceView, nowUs: number): void;
  /** Learning has ended for the device. */
  onLearned?(device: DeviceView): void;
  /** Nothing was watched between these moments (between recordings, sensor away): no silence, no rates across it. */
  onUnobserved?(fromUs: number, toUs: number): void;
}

export interface DetectorDefinition<
  P extends Record<string, ParamSpec> = Record<string, ParamSpec>,
> extends DetectorMeta<P> {
  create(ctx: DetectorContext<ParamValues<P>>): DetectorHooks;
}

/** Gives the definition back with its types checked. */
export function defineDetector<const P extends Record<string, ParamSpec>>(
  definition: DetectorDefinition<P>,
): DetectorDefinition<P> {
  return definition;
}

/** `3 addresses`, `1 address`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** How a device is called in a sentence: host name, else type and address. */
export function nameOf(device: DeviceView): string {
  if (device.hostname !== '') return device.hostname;
  const what = device.type === 'unknown' ? (device.vendor === '' ? 'device' : `${device.vendor} device`) : device.type;
  return `${what} ${device.ip || device.mac}`;
}

export function nameOfEndpoint(end: Endpoint): string {
  return end.device !== undefined && !end.isRemote ? nameOf(end.device) : end.ip || end.mac;
}

/** A copy of an endpoint that outlives the call it was given in. */
export function keepEndpoint(end: Endpoint): Endpoint {
  const { device, ip, mac, port, key, isPublic, isRemote, isMulticast } = end;
  return { device, ip, mac, port, key, isPublic, isRemote, isMulticast };
}

/** A device as an endpoint, for evidence that is no flow. */
export function endpointOf(device: DeviceView, port = 0): Endpoint {
  const { ip, mac, id } = device;
  return { device, ip, mac, port, key: id, isPublic: false, isRemote: false, isMulticast: false };
}

/** An address nobody has been heard from, for evidence. */
export function endpointAt(ip: string, key = 0, mac = ''): Endpoint {
  return { device: undefined, ip, mac, port: 0, key, isPublic: false, isRemote: false, isMulticast: false };
}

/** One stable key out of several, for sets: (address, port, protocol) and the like. */
export function keyOf(a: number, b: number, c = 0): number {
  return hashNumbers(a, b, c);
}

/** The same for a text: an application entity title, a domain, a command. */
export function keyOfText(text: string): number {
  return hashText(text);
}

/** A rate and its limit as people read them: 1234.5 -> `1,230`; small numbers keep two digits. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const magnitude = Math.abs(value);
  const rounded =
    magnitude >= 1000
      ? Math.round(value / 10) * 10
      : magnitude >= 10
        ? Math.round(value)
        : Math.round(value * 100) / 100;
  return String(rounded).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}
