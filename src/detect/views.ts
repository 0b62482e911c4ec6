import { hashNumbers } from '../lib/hash.ts';
import { isMulticastIp, isPrivate, macText } from '../lib/address.ts';
import type { AddressTexts } from '../lib/address-texts.ts';
import { bindingKey } from '../identity/device-table.ts';
import type { Device } from '../identity/device.ts';
import type { DeviceTable } from '../identity/device-table.ts';
import { FLOW_FLAG, FLOW_WORDS } from '../track/flow-table.ts';
import type { FlowTable } from '../track/flow-table.ts';
import { connState } from '../track/conn-state.ts';
import type { SegmentTable } from '../track/segments.ts';
import type { ArpView, Endpoint, FlowView } from './sdk.ts';

/** Stable key of an address in a segment, for sets. */
export function addressKey(words: Uint32Array, at: number, segment: number): number {
  return hashNumbers(words[at]!, words[at + 1], words[at + 2], words[at + 3], segment, 7);
}

/** Keys of the addresses of flows, each made once: they never change. A side is `2 × slot`, + 1 for the high end. */
class AddressKeys {
  readonly #keys: Float64Array;

  constructor(flows: number) {
    this.#keys = new Float64Array(flows * 4);
  }

  forget(slot: number): void {
    this.#keys.fill(0, slot * 4, slot * 4 + 4);
  }

  address(side: number, words: Uint32Array, at: number, segment: number): number {
    const known = this.#keys[side * 2]!;
    return known === 0 ? (this.#keys[side * 2] = addressKey(words, at, segment)) : known;
  }

  binding(side: number, words: Uint32Array, at: number, segment: number): number {
    const known = this.#keys[side * 2 + 1]!;
    return known === 0 ? (this.#keys[side * 2 + 1] = bindingKey(words, at, segment)) : known;
  }
}

/** One end of the flow under the cursor; texts are made when asked for. */
export class EndpointCursor implements Endpoint {
  device: Device | undefined;
  /** Device by MAC address, a gateway included: for who sent it, not for who it is. */
  carrier: Device | undefined;
  port = 0;
  key = 0;
  isPublic = false;
  isRemote = false;
  isMulticast = false;
  readonly #words = new Uint32Array(4);
  readonly #texts: AddressTexts;
  #v6 = false;
  #hasIp = false;
  #oui = 0;
  #nic = 0;
  #ip: string | undefined;
  #mac: string | undefined;

  constructor(texts: AddressTexts) {
    this.#texts = texts;
  }

  get ip(): string {
    if (this.#ip === undefined) this.#ip = this.#hasIp ? this.#texts.of(this.#words, 0, this.#v6) : '';
    return this.#ip;
  }

  get mac(): string {
    if (this.#mac === undefined) this.#mac = this.#oui === 0 && this.#nic === 0 ? '' : macText(this.#oui, this.#nic);
    return this.#mac;
  }

  set(
    words: Uint32Array,
    at: number,
    v6: boolean,
    oui: number,
    nic: number,
    port: number,
    carrier: Device | undefined,
    devices: DeviceTable,
    segment: number,
    keys: AddressKeys,
    side: number,
  ): void {
    this.#ip = undefined;
    this.#mac = undefined;
    this.#hasIp = true;
    this.#v6 = v6;
    const own = this.#words;
    own[0] = words[at]!;
    own[1] = words[at + 1]!;
    own[2] = words[at + 2]!;
    own[3] = words[at + 3]!;
    this.#oui = oui;
    this.#nic = nic;
    this.port = port;
    this.carrier = carrier;
    this.isMulticast = isMulticastIp(words, at, v6);
    this.isPublic = !this.isMulticast && !isPrivate(words, at, v6);
    this.device = undefined;
    this.isRemote = false;
    if (!this.isMulticast) {
      if (carrier !== undefined && (!carrier.isGateway || carrier.owns(this.ip))) this.device = carrier;
      else if (carrier !== undefined) this.isRemote = true;
      else this.device = devices.holderOf(keys.binding(side, words, at, segment));
      if (this.device !== undefined && this.device.isGateway && !this.device.owns(this.ip)) {
        this.device = undefined;
        this.isRemote = true;
      }
    }
    this.key = this.device !== undefined ? this.device.id : keys.address(side, words, at, segment);
  }

  /** For speakers of layer 2 protocols. */
  setDevice(device: Device): void {
    this.#ip = device.ip;
    this.#mac = device.mac;
    this.#hasIp = false;
    this.#oui = device.oui;
    this.#nic = device.nic;
    this.port = 0;
    this.carrier = device;
    this.device = device;
    this.key = device.id;
    this.isPublic = false;
    this.isRemote = false;
    this.isMulticast = false;
  }
}

const PROTO: readonly FlowView['proto'][] = Array.from({ length: 256 }, (_, n) =>
  n === 6 ? 'tcp' : n === 17 ? 'udp' : n === 1 || n === 58 ? 'icmp' : 'other',
);

/** A flow of the table in the form in which detectors see it. */
export class FlowCursor implements FlowView {
  slot = -1;
  readonly orig: EndpointCursor;
  readonly resp: EndpointCursor;
  proto: FlowView['proto'] = 'other';
  ipProto = 0;
  /** Set by the hot path with each frame. */
  ttl = 0;
  ttlOfOrig = true;
  readonly #flows: FlowTable;
  readonly #devices: DeviceTable;
  readonly #segments: SegmentTable;
  readonly #services: () => readonly string[];
  readonly #keys: AddressKeys;

  constructor(flows: FlowTable, devices: DeviceTable, segments: SegmentTable, services: () => readonly string[]) {
    this.#flows = flows;
    this.#devices = devices;
    this.#segments = segments;
    this.#services = services;
    this.#keys = new AddressKeys(flows.capacity);
    this.orig = new EndpointCursor(devices.texts);
    this.resp = new EndpointCursor(devices.texts);
  }

  /** The slot has got another flow. */
  began(slot: number): void {
    this.#keys.forget(slot);
  }

  bind(slot: number): this {
    const t = this.#flows;
    this.slot = slot;
    const meta = t.meta(slot);
    this.ipProto = meta & 255;
    this.proto = PROTO[this.ipProto]!;
    const v6 = (meta & 256) !== 0;
    const segment = meta >>> 9;
    const high = t.origIsHigh(slot) === 1;
    const ports = t.ports(slot);
    const a = slot * FLOW_WORDS;
    const od = t.origDevice(slot);
    const rd = t.respDevice(slot);
    const devices = this.#devices.devices;
    this.orig.set(
      t.words,
      high ? a + 4 : a,
      v6,
      t.origOui(slot),
      t.origNic(slot),
      high ? ports & 0xffff : ports >>> 16,
      od >= 0 ? devices[od] : undefined,
      this.#devices,
      segment,
      this.#keys,
      slot * 2 + (high ? 1 : 0),
    );
    this.resp.set(
      t.words,
      high ? a : a + 4,
      v6,
      t.respOui(slot),
      t.respNic(slot),
      high ? ports >>> 16 : ports & 0xffff,
      rd >= 0 ? devices[rd] : undefined,
      this.#devices,
      segment,
      this.#keys,
      slot * 2 + (high ? 0 : 1),
    );
    return this;
  }

  get service(): string {
    const index = this.#flows.service(this.slot);
    return index === 0 ? '' : (this.#services()[index - 1] ?? '');
  }
  get startUs(): number {
    return this.#flows.startUs(this.slot);
  }
  get lastUs(): number {
    return this.#flows.lastUs(this.slot);
  }
  get fromStart(): boolean {
    return (this.#flows.flags(this.slot) & FLOW_FLAG.fromStart) !== 0;
  }
  get established(): boolean {
    return (this.#flows.flags(this.slot) & FLOW_FLAG.established) !== 0;
  }
  get origPkts(): number {
    return this.#flows.origPkts(this.slot);
  }
  get respPkts(): number {
    return this.#flows.respPkts(this.slot);
  }
  get origBytes(): number {
    return this.#flows.origBytes(this.slot);
  }
  get respBytes(): number {
    return this.#flows.respBytes(this.slot);
  }
  get missedBytes(): number {
    return this.#flows.missedBytes(this.slot);
  }
  get connState(): string {
    return connState(this.#flows, this.slot);
  }
  get vlan(): string {
    return this.#segments.name(this.#flows.meta(this.slot) >>> 9);
  }
}

/** The ARP packet at hand; texts are made when asked for. */
export class ArpCursor implements ArpView {
  sender: Device | undefined;
  senderKey = 0;
  targetKey = 0;
  isRequest = false;
  isGratuitous = false;
  readonly #texts: AddressTexts;
  #words: Uint32Array = new Uint32Array(8);
  #at = 0;
  #oui = 0;
  #nic = 0;

  constructor(texts: AddressTexts) {
    this.#texts = texts;
  }

  /** `words[at …]`: sender and target, four each; `oui` and `nic` as the packet has them inside. */
  set(
    words: Uint32Array,
    at: number,
    sender: Device | undefined,
    oui: number,
    nic: number,
    segment: number,
    isRequest: boolean,
  ): void {
    this.#words = words;
    this.#at = at;
    this.#oui = oui;
    this.#nic = nic;
    this.sender = sender;
    this.senderKey = addressKey(words, at, segment);
    this.targetKey = addressKey(words, at + 4, segment);
    this.isRequest = isRequest;
    this.isGratuitous = words[at + 3] === words[at + 7];
  }

  get senderMac(): string {
    return macText(this.#oui, this.#nic);
  }
  get senderIp(): string {
    return this.#words[this.#at + 3] === 0 ? '' : this.#texts.of(this.#words, this.#at, false);
  }
  get targetIp(): string {
    return this.#texts.of(this.#words, this.#at + 4, false);
  }
}
