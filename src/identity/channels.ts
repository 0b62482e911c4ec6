import type { ChannelRow, PeerKind } from '../kernel/rows.ts';
import { hashNumbers } from '../lib/hash.ts';
import type { Device } from './device.ts';

/** One end of a flow, as the hot path shows it. Valid during the call. */
export interface ChannelEnd {
  readonly device: Device | undefined;
  readonly key: number;
  readonly ip: string;
  readonly port: number;
  readonly isRemote: boolean;
  readonly isPublic: boolean;
  readonly isMulticast: boolean;
}

/** The flow under the cursor. Valid during the call. */
export interface ChannelFlow {
  readonly slot: number;
  readonly orig: ChannelEnd;
  readonly resp: ChannelEnd;
  readonly proto: string;
  readonly ipProto: number;
  readonly service: string;
  readonly established: boolean;
  readonly origBytes: number;
  readonly respBytes: number;
  readonly lastUs: number;
}

/** All that one device and one peer did in one service and direction. */
export interface Channel {
  readonly key: number;
  readonly peer: string;
  readonly peerSlot: number;
  readonly peerKind: PeerKind;
  readonly isClient: boolean;
  readonly proto: string;
  readonly port: number;
  readonly learned: boolean;
  readonly firstUs: number;
  lastUs: number;
  service: string;
  peerName: string;
  peerType: string;
  commands: string[];
  flows: number;
  /** Time between the beginnings of flows: how many, when the last one began, the mean and the mean deviation from it. */
  gaps: number;
  beganUs: number;
  gapMeanS: number;
  gapDeviationS: number;
  bytesOut: number;
  bytesIn: number;
  version: number;
  writtenVersion: number;
}

const MAX_COMMANDS = 12;
const MAX_NAME = 253;
/** What was not seen for so long gives its place to what is. */
const STALE_US = 7 * 86_400_000_000;
/** Key of the channel that takes what finds no place: one for each direction. */
const REST = { in: 1, out: 2 };

/** Protocols that carry data of patients in clear (their standards; CISA ICSMA-25-030-01 for contec). */
const PHI_SERVICES: ReadonlySet<string> = new Set([
  'hl7',
  'dicom',
  'astm',
  'poct1a',
  'intellivue',
  'carescape',
  'contec',
]);
/** Clinical protocols without data of patients of their own. */
const CLINICAL_SERVICES: ReadonlySet<string> = new Set([...PHI_SERVICES, 'wsdiscovery', 'sdc', 'fhir', 'alaris']);
const ENCRYPTED_SERVICES: ReadonlySet<string> = new Set(['ssl', 'quic', 'ssh']);
/** Registered ports of clinical protocols inside TLS (IANA: 2762 dicom-tls, 2575 hl7; 3613 Alaris). */
const CLINICAL_PORTS: ReadonlySet<number> = new Set([104, 11112, 2575, 2762, 3613, 24105, 24005]);

/** Fields that name what a message asks for; the first that a message has counts. */
const COMMAND_FIELDS = [
  'message_type',
  'command',
  'function',
  'operation',
  'method',
  'verb',
  'dialect',
  'service',
] as const;
/** What such a field may hold to be kept: names of a protocol, no text of a device's own. */
const COMMAND = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/;
const MAX_SAYINGS = 4096;

/** What of an observation is kept with a channel. */
export interface ChannelMessage {
  readonly kind: string;
  text(field: string): string | undefined;
}

/**
 * Keeps for each device with whom it talks, in what, since when: bounded, and written to the store, where it
 * outlives the flows. Works at the rate of flows and messages, never of packets.
 */
export class Channels {
  /** Flows that were counted into the rest because the device's table was full. */
  overflow = 0;
  readonly #max: number;
  readonly #ofDevice = new Map<Device, Map<number, Channel>>();
  /** Channels of the open flows: 2 × slot for the originator, + 1 for the responder. */
  readonly #ofFlow: (Channel | undefined)[] = [];
  readonly #changed = new Set<Device>();
  readonly #sayings = new Map<string, Map<string, string>>();

  constructor(maxPerDevice: number) {
    this.#max = maxPerDevice;
  }

  of(device: Device): Iterable<Channel> {
    return this.#ofDevice.get(device)?.values() ?? [];
  }

  /** A flow was answered, or ended without that but as a datagram flow. */
  began(flow: ChannelFlow, nowUs: number): void {
    this.#open(flow, flow.orig, flow.resp, true, nowUs);
    this.#open(flow, flow.resp, flow.orig, false, nowUs);
  }

  ended(flow: ChannelFlow, nowUs: number): void {
    const at = flow.slot * 2;
    if (this.#ofFlow[at] === undefined && this.#ofFlow[at + 1] === undefined) {
      // A datagram that nobody answers is a channel as well (syslog, telemetry); a refused connection is none.
      if (flow.established || (flow.proto === 'udp' && flow.origBytes > 0)) this.began(flow, nowUs);
      else return;
    }
    this.#close(at, flow, flow.origBytes, flow.respBytes);
    this.#close(at + 1, flow, flow.respBytes, flow.origBytes);
  }

  /** A message was understood on an open flow. */
  message(slot: number, message: ChannelMessage, nowUs: number): void {
    const a = this.#ofFlow[slot * 2];
    const b = this.#ofFlow[slot * 2 + 1];
    if (a === undefined && b === undefined) return;
    const kind = message.kind;
    let name: string | undefined;
    if (kind === 'tls.client_hello') name = message.text('sni');
    else if (kind === 'http.request') name = message.text('host');
    const full =
      (a === undefined || a.commands.length >= MAX_COMMANDS) && (b === undefined || b.commands.length >= MAX_COMMANDS);
    const said = full ? kind : this.#saying(message);
    if (a !== undefined) this.#said(a, said, name, nowUs);
    if (b !== undefined) this.#said(b, said, undefined, nowUs);
  }

  /** Nothing was watched for a while: it is no pause between two flows. */
  unobserved(): void {
    for (const channels of this.#ofDevice.values()) for (const channel of channels.values()) channel.beganUs = 0;
  }

  forget(device: Device): void {
    this.#ofDevice.delete(device);
    this.#changed.delete(device);
  }

  save(): unknown {
    return { ofDevice: this.#ofDevice, ofFlow: this.#ofFlow, changed: this.#changed, overflow: this.overflow };
  }

  /** Into a table that has seen nothing yet. */
  restore(saved: unknown): void {
    const { ofDevice, ofFlow, changed, overflow } = saved as {
      ofDevice: Map<Device, Map<number, Channel>>;
      ofFlow: (Channel | undefined)[];
      changed: Set<Device>;
      overflow: number;
    };
    for (const [device, channels] of ofDevice) this.#ofDevice.set(device, channels);
    ofFlow.forEach((channel, at) => {
      if (channel !== undefined) this.#ofFlow[at] = channel;
    });
    for (const device of changed) this.#changed.add(device);
    this.overflow = overflow;
  }

  /** Devices with channels to be written, since this was last asked. */
  takeChanged(): Device[] {
    const devices = [...this.#changed];
    this.#changed.clear();
    return devices;
  }

  markAll(): void {
    for (const device of this.#ofDevice.keys()) this.#changed.add(device);
  }

  /** Rows of a device that are not written yet, or with all of them where its own type has changed. */
  rows(device: Device, devices: readonly Device[], hasPhi: (type: string) => boolean, all: boolean): ChannelRow[] {
    const rows: ChannelRow[] = [];
    for (const channel of this.of(device)) {
      const peer = devices[channel.peerSlot];
      const peerType = peer !== undefined && peer.key === channel.peer ? peer.type : channel.peerType;
      if (peerType !== channel.peerType) {
        channel.peerType = peerType;
        channel.version++;
      } else if (all) channel.version++;
      if (channel.version === channel.writtenVersion) continue;
      channel.writtenVersion = channel.version;
      rows.push(toRow(device, channel, hasPhi));
    }
    return rows;
  }

  /** `hl7.message ORU`, made once for each pair. */
  #saying(message: ChannelMessage): string {
    const kind = message.kind;
    let command: string | undefined;
    for (let i = 0; i < COMMAND_FIELDS.length && command === undefined; i++) command = message.text(COMMAND_FIELDS[i]!);
    if (command === undefined) return kind;
    let sayings = this.#sayings.get(kind);
    if (sayings === undefined) this.#sayings.set(kind, (sayings = new Map<string, string>()));
    let said = sayings.get(command);
    if (said === undefined) {
      if (sayings.size >= MAX_SAYINGS) return kind;
      said = COMMAND.test(command) ? `${kind} ${command}` : kind;
      sayings.set(command, said);
    }
    return said;
  }

  #open(flow: ChannelFlow, mine: ChannelEnd, other: ChannelEnd, isClient: boolean, nowUs: number): void {
    const device = mine.device;
    if (device === undefined || device.isGateway || mine.isRemote || mine.isMulticast) return;
    if (!isClient && flow.resp.isMulticast) return;
    let channels = this.#ofDevice.get(device);
    if (channels === undefined) this.#ofDevice.set(device, (channels = new Map<number, Channel>()));
    const port = flow.resp.port;
    const key = hashNumbers(other.key, port, flow.ipProto, isClient ? 1 : 0);
    let channel = channels.get(key);
    if (channel === undefined) {
      channel =
        channels.size < this.#max || makeRoom(channels, nowUs)
          ? newChannel(key, flow, device, other, isClient, nowUs)
          : this.#rest(channels, device, isClient, nowUs);
      channels.set(channel.key, channel);
    }
    noteGap(channel, nowUs);
    channel.flows++;
    channel.version++;
    channel.lastUs = Math.max(channel.lastUs, nowUs);
    if (channel.service === '' && flow.service !== '') channel.service = flow.service;
    this.#ofFlow[flow.slot * 2 + (isClient ? 0 : 1)] = channel;
    this.#changed.add(device);
  }

  #rest(channels: Map<number, Channel>, device: Device, isClient: boolean, nowUs: number): Channel {
    this.overflow++;
    const key = isClient ? REST.out : REST.in;
    return (
      channels.get(key) ?? {
        ...blank(key, isClient, nowUs, device.learning),
        peer: '*',
        peerSlot: -1,
        peerKind: 'group',
        proto: '',
        port: 0,
      }
    );
  }

  #close(at: number, flow: ChannelFlow, out: number, back: number): void {
    const channel = this.#ofFlow[at];
    if (channel === undefined) return;
    this.#ofFlow[at] = undefined;
    channel.bytesOut += out;
    channel.bytesIn += back;
    channel.lastUs = Math.max(channel.lastUs, flow.lastUs);
    if (flow.service !== '' && channel.peer !== '*') channel.service = flow.service;
    channel.version++;
    const device = (at & 1) === 0 ? flow.orig.device : flow.resp.device;
    if (device !== undefined) this.#changed.add(device);
  }

  #said(channel: Channel, said: string, name: string | undefined, nowUs: number): void {
    channel.lastUs = nowUs;
    if (name !== undefined && channel.peerName === '') channel.peerName = name.slice(0, MAX_NAME);
    if (channel.commands.length < MAX_COMMANDS && !channel.commands.includes(said)) {
      channel.commands.push(said);
      channel.version++;
    }
  }
}

/** Several connections in the same second are one beginning: browsers and viewers open them side by side. */
const MIN_GAP_S = 1;

function noteGap(channel: Channel, nowUs: number): void {
  const gapS = (nowUs - channel.beganUs) / 1e6;
  if (channel.beganUs !== 0 && gapS < MIN_GAP_S) return;
  if (channel.beganUs !== 0) {
    channel.gaps++;
    // Of the last twenty or so: a rhythm that changed is forgotten.
    const weight = 1 / Math.min(channel.gaps, 20);
    channel.gapMeanS += (gapS - channel.gapMeanS) * weight;
    channel.gapDeviationS += (Math.abs(gapS - channel.gapMeanS) - channel.gapDeviationS) * weight;
  }
  channel.beganUs = nowUs;
}

function blank(
  key: number,
  isClient: boolean,
  nowUs: number,
  learned: boolean,
): Omit<Channel, 'peer' | 'peerSlot' | 'peerKind' | 'proto' | 'port'> {
  return {
    key,
    isClient,
    learned,
    firstUs: nowUs,
    lastUs: nowUs,
    service: '',
    peerName: '',
    peerType: '',
    commands: [],
    flows: 0,
    gaps: 0,
    beganUs: 0,
    gapMeanS: 0,
    gapDeviationS: 0,
    bytesOut: 0,
    bytesIn: 0,
    version: 0,
    writtenVersion: 0,
  };
}

function newChannel(
  key: number,
  flow: ChannelFlow,
  device: Device,
  other: ChannelEnd,
  isClient: boolean,
  nowUs: number,
): Channel {
  const peer = other.isRemote || other.isMulticast ? undefined : other.device;
  return {
    ...blank(key, isClient, nowUs, device.learning),
    peer: peer?.key ?? other.ip,
    peerSlot: peer?.slot ?? -1,
    peerKind: other.isMulticast ? 'group' : peer !== undefined ? 'device' : other.isPublic ? 'external' : 'site',
    proto: flow.proto,
    port: flow.resp.port,
  };
}

/** Lets go of what was not seen for days. */
function makeRoom(channels: Map<number, Channel>, nowUs: number): boolean {
  let oldest: Channel | undefined;
  for (const channel of channels.values()) {
    if (channel.key === REST.in || channel.key === REST.out) continue;
    if (oldest === undefined || channel.lastUs < oldest.lastUs) oldest = channel;
  }
  if (oldest === undefined || nowUs - oldest.lastUs < STALE_US) return false;
  return channels.delete(oldest.key);
}

function encryptionOf(channel: { service: string }): 'yes' | 'no' | 'unknown' {
  if (channel.service === '') return 'unknown';
  return ENCRYPTED_SERVICES.has(channel.service) ? 'yes' : 'no';
}

function toRow(device: Device, channel: Channel, hasPhi: (type: string) => boolean): ChannelRow {
  const encrypted = encryptionOf(channel);
  const local = channel.peerKind === 'device' || channel.peerKind === 'site';
  const phi = PHI_SERVICES.has(channel.service)
    ? 'yes'
    : // What is inside cannot be read: both ends handle data of patients, so it may well be that.
      channel.service === 'fhir' ||
        (encrypted !== 'no' &&
          local &&
          hasPhi(device.type) &&
          (hasPhi(channel.peerType) || CLINICAL_PORTS.has(channel.port)))
      ? 'likely'
      : 'no';
  return {
    device: device.key,
    peer: channel.peer,
    peer_kind: channel.peerKind,
    peer_name: channel.peerName,
    type: device.type,
    peer_type: channel.peerType,
    direction: channel.isClient ? 'out' : 'in',
    proto: channel.proto,
    port: channel.port,
    service: channel.service,
    encrypted,
    phi,
    is_clinical: phi !== 'no' || CLINICAL_SERVICES.has(channel.service),
    commands: channel.commands,
    learned: channel.learned,
    first_seen: Math.floor(channel.firstUs / 1000),
    last_seen: Math.floor(channel.lastUs / 1000),
    flows: channel.flows,
    bytes_out: channel.bytesOut,
    bytes_in: channel.bytesIn,
    version: channel.version,
  };
}
