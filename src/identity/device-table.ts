import { WardwatchError } from '../kernel/errors.ts';
import { hashNumbers, hashText } from '../lib/hash.ts';
import { isMulticastIp, macText } from '../lib/address.ts';
import { AddressTexts } from '../lib/address-texts.ts';
import { createCidrSet } from '../lib/cidr.ts';
import type { CidrSet } from '../lib/cidr.ts';
import type { SegmentTable } from '../track/segments.ts';
import type { IdentityConfig } from './config.ts';
import { Device } from './device.ts';
import type { AddressUse } from './device.ts';

const NONE = -1;
/** Who was heard within this time still has the address that it claimed. */
const HOLDS_US = 30_000_000;

/** Who holds an IP address in a segment, by its own word (ARP, DHCP, ND) or by use. */
export interface Binding {
  device: Device;
  claimed: boolean;
  sinceUs: number;
  lastUs: number;
}

/** An address in use: what there is to note when it is heard again. */
interface Recent {
  readonly device: Device;
  readonly use: AddressUse;
  readonly binding: Binding;
  readonly words: Uint32Array;
}

/** An address was claimed by one device while another one, heard of recently, held it. */
export interface BindingChange {
  ip: string;
  before: Device;
  after: Device;
  /** Event time at which the former holder last claimed or used the address. */
  beforeLastUs: number;
  source: 'arp' | 'dhcp' | 'nd' | 'use';
}

export interface DeviceTableListener {
  deviceAppeared(device: Device, nowUs: number): void;
  bindingChanged(change: BindingChange, nowUs: number): void;
  deviceForgotten(device: Device): void;
}

/**
 * The devices: found by MAC address and segment on an access tap, by IP address and segment on a routed one.
 * Lookups by number allocate nothing; everything else happens at the rate of new flows.
 */
export class DeviceTable {
  /** By slot, without holes: a forgotten device's slot goes to the one that it made room for. */
  readonly devices: Device[] = [];
  count = 0;
  evictions = 0;
  /** Texts of addresses, for whoever shows them. */
  readonly texts = new AddressTexts();
  readonly #config: IdentityConfig;
  readonly #segments: SegmentTable;
  readonly #listener: DeviceTableListener;
  readonly #networks: CidrSet;
  readonly #bindings = new Map<number, Binding>();
  readonly #usedBy = new Map<Device, number[]>();
  readonly #byAddress = new Map<number, Device>();
  /** Routed taps: the device of a hardware address (with its segment) that leases were given to. */
  readonly #byLease = new Map<string, Device>();
  /** The address that each device was heard with last, by slot: mostly it is heard with it again. */
  readonly #recent: (Recent | undefined)[] = [];
  readonly #lessees = new WeakSet<Device>();
  readonly #keyOui: Uint32Array;
  readonly #keyNic: Uint32Array;
  readonly #keySegment: Uint32Array;
  readonly #hash: Int32Array;
  readonly #mask: number;

  constructor(config: IdentityConfig, segments: SegmentTable, listener: DeviceTableListener) {
    this.#config = config;
    this.#segments = segments;
    this.#listener = listener;
    this.#networks = createCidrSet(config.networks);
    let size = 1;
    while (size < config.max_devices * 2) size *= 2;
    this.#hash = new Int32Array(size);
    this.#mask = size - 1;
    this.#keyOui = new Uint32Array(config.max_devices);
    this.#keyNic = new Uint32Array(config.max_devices);
    this.#keySegment = new Uint32Array(config.max_devices);
  }

  /** Slot of the device with this MAC address, or -1. */
  findMac(oui: number, nic: number, segment: number): number {
    for (let b = macHash(oui, nic, segment) & this.#mask; ; b = (b + 1) & this.#mask) {
      const entry = this.#hash[b]!;
      if (entry === 0) return NONE;
      const slot = entry - 1;
      if (this.#keyOui[slot] === oui && this.#keyNic[slot] === nic && this.#keySegment[slot] === segment) return slot;
    }
  }

  /** Device with a MAC address in text form, `aa:bb:cc:dd:ee:ff`. */
  byMac(mac: string, segment: number): Device | undefined {
    if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) return undefined;
    const hex = mac.replaceAll(':', '');
    const slot = this.findMac(Number.parseInt(hex.slice(0, 6), 16), Number.parseInt(hex.slice(6), 16), segment);
    return slot === NONE ? undefined : this.devices[slot];
  }

  /** The sender of a frame, made known when it is new; undefined for addresses that are no device's. */
  sender(oui: number, nic: number, segment: number, nowUs: number): Device | undefined {
    const slot = this.findMac(oui, nic, segment);
    if (slot !== NONE) return this.devices[slot];
    // Group addresses never send; all-zero is what broken or loopback captures show.
    if ((oui & 0x010000) !== 0 || (oui === 0 && nic === 0)) return undefined;
    const vlan = this.#segments.name(segment);
    const mac = macText(oui, nic);
    const device = this.#create(`${vlan}/${mac}`, oui, nic, mac, segment, vlan, nowUs);
    this.#insertHash(device.slot, oui, nic, segment);
    this.#listener.deviceAppeared(device, nowUs);
    return device;
  }

  /** Device behind an IP address, where MAC addresses say nothing. */
  byIp(
    words: Uint32Array,
    at: number,
    v6: boolean,
    segment: number,
    create: boolean,
    nowUs: number,
  ): Device | undefined {
    if (isMulticastIp(words, at, v6) || !this.#networks.has(words, at, v6)) return undefined;
    const id = bindingKey(words, at, segment);
    const known = this.#byAddress.get(id);
    if (known !== undefined || !create) return known;
    const vlan = this.#segments.name(segment);
    const ip = this.texts.of(words, at, v6);
    const device = this.#create(`${vlan}/${ip}`, 0, 0, '', segment, vlan, nowUs);
    device.useAddress(ip, v6, true, nowUs);
    this.#byAddress.set(id, device);
    this.#listener.deviceAppeared(device, nowUs);
    return device;
  }

  get keyedByIp(): boolean {
    return this.#config.tap === 'routed';
  }

  /** Holder of an IP address in a segment. */
  holder(words: Uint32Array, at: number, segment: number): Device | undefined {
    return this.#bindings.get(bindingKey(words, at, segment))?.device;
  }

  /** The same by {@link bindingKey}, for who asks often. */
  holderOf(key: number): Device | undefined {
    return this.#bindings.get(key)?.device;
  }

  binding(words: Uint32Array, at: number, segment: number): Binding | undefined {
    return this.#bindings.get(bindingKey(words, at, segment));
  }

  /** The device says by ARP, ND or DHCP that it has this address. */
  claim(
    device: Device,
    words: Uint32Array,
    at: number,
    v6: boolean,
    source: 'arp' | 'dhcp' | 'nd',
    nowUs: number,
  ): void {
    if (isUnspecified(words, at, v6) || isMulticastIp(words, at, v6)) return;
    const recent = this.#heardAgain(device, words, at, v6);
    if (recent !== undefined && recent.use.claimed && recent.binding.claimed && device.ip === recent.use.ip) {
      recent.use.lastUs = nowUs;
      recent.binding.lastUs = nowUs;
      return;
    }
    const ip = this.texts.of(words, at, v6);
    const binding = this.#bindings.get(bindingKey(words, at, device.segment));
    if (
      source !== 'dhcp' &&
      binding !== undefined &&
      binding.device !== device &&
      binding.claimed &&
      nowUs - binding.device.lastUs < HOLDS_US &&
      binding.device.ip === ip
    ) {
      // The holder is still there: a mere claim does not take its address away, nor make it the claimant's.
      this.#listener.bindingChanged(
        { ip, before: binding.device, after: device, beforeLastUs: binding.lastUs, source },
        nowUs,
      );
      return;
    }
    const use = device.useAddress(ip, v6, true, nowUs);
    this.#bind(device, words, at, ip, true, source, nowUs);
    this.#remember(device, words, at, use);
  }

  /**
   * DHCP has given an IPv4 address to a hardware address. On an access tap that is a claim of the device with that
   * address. On a routed tap, where devices are found by IP address, it tells that another device is behind an
   * address from now on, or the same one behind another address.
   */
  leased(mac: string, words: Uint32Array, at: number, segment: number, nowUs: number): void {
    if (!this.keyedByIp) {
      const device = this.byMac(mac, segment);
      if (device !== undefined && !device.isGateway) this.claim(device, words, at, false, 'dhcp', nowUs);
      return;
    }
    if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) || isMulticastIp(words, at, false)) return;
    if (!this.#networks.has(words, at, false)) return;
    const id = bindingKey(words, at, segment);
    const ip = this.texts.of(words, at, false);
    const present = this.#byAddress.get(id);
    const lessee = `${segment} ${mac}`;
    let device = this.#byLease.get(lessee);
    if (device !== undefined && this.devices[device.slot] !== device) device = undefined;
    if (device === undefined) {
      // The first lease of an address tells whose it has been; another lessee is another device.
      const isFree = present !== undefined && !this.#lessees.has(present);
      const vlan = this.#segments.name(segment);
      device = isFree ? present : this.#create(`${vlan}/${mac}`, 0, 0, '', segment, vlan, nowUs);
      this.#byLease.set(lessee, device);
      this.#lessees.add(device);
      if (device !== present) this.#listener.deviceAppeared(device, nowUs);
    }
    device.useAddress(ip, false, true, nowUs);
    if (present === device) return;
    this.#byAddress.set(id, device);
    if (present === undefined) return;
    const beforeLastUs = present.lastUs;
    present.loseAddress(ip, nowUs);
    this.#listener.bindingChanged({ ip, before: present, after: device, beforeLastUs, source: 'dhcp' }, nowUs);
  }

  /** A packet with this source address came from the device. Called at the start of flows, not per packet. */
  sent(device: Device, words: Uint32Array, at: number, v6: boolean, nowUs: number): void {
    if (isUnspecified(words, at, v6)) return;
    const recent = this.#heardAgain(device, words, at, v6);
    if (recent !== undefined) {
      recent.use.lastUs = nowUs;
      recent.binding.lastUs = nowUs;
      return;
    }
    const ip = this.texts.of(words, at, v6);
    if (device.owns(ip)) {
      const use = device.useAddress(ip, v6, false, nowUs);
      this.#bind(device, words, at, ip, false, 'use', nowUs);
      this.#remember(device, words, at, use);
      return;
    }
    if (device.isGateway) return;
    const holder = this.holder(words, at, device.segment);
    if (holder !== undefined && holder !== device && !holder.isGateway) {
      // Somebody else's address: forwarded by a router, or forged. The binding stays, the change is told.
      this.#bind(device, words, at, ip, false, 'use', nowUs);
      return;
    }
    const isV4 = !v6;
    if (isV4 && device.addresses.size > 0) {
      device.strangers++;
      if (device.strangers >= this.#config.gateway_addresses || !this.#networks.has(words, at, v6)) {
        // What has been learned as an end of its own does not turn into a router: it forges addresses.
        if (!device.learning) return;
        this.#becomeGateway(device);
        return;
      }
    }
    if (device.addresses.size === 0 && isV4 && !this.#networks.has(words, at, v6)) {
      // The first address heard from it is public: what sends that in a clinical VLAN is a router.
      this.#becomeGateway(device);
      return;
    }
    const use = device.useAddress(ip, v6, false, nowUs);
    this.#bind(device, words, at, ip, false, 'use', nowUs);
    this.#remember(device, words, at, use);
  }

  /** The address with which the device was heard last, where it is this one and still its own. */
  #heardAgain(device: Device, words: Uint32Array, at: number, v6: boolean): Recent | undefined {
    const r = this.#recent[device.slot];
    return r !== undefined &&
      r.words[3] === words[at + 3] &&
      r.device === device &&
      r.use.v6 === v6 &&
      r.binding.device === device &&
      r.use.endedUs === 0 &&
      (!v6 || (r.words[0] === words[at] && r.words[1] === words[at + 1] && r.words[2] === words[at + 2]))
      ? r
      : undefined;
  }

  #remember(device: Device, words: Uint32Array, at: number, use: AddressUse | undefined): void {
    const binding = this.binding(words, at, device.segment);
    while (this.#recent.length <= device.slot) this.#recent.push(undefined);
    this.#recent[device.slot] =
      use === undefined || binding?.device !== device
        ? undefined
        : { device, use, binding, words: words.slice(at, at + 4) };
  }

  save(): unknown {
    return {
      devices: this.devices,
      evictions: this.evictions,
      bindings: this.#bindings,
      usedBy: this.#usedBy,
      byAddress: this.#byAddress,
      byLease: this.#byLease,
    };
  }

  /**
   * Into a table that has seen nothing yet; tells nobody.
   * @throws WardwatchError WW_MODEL where the devices are more than it can hold
   */
  restore(saved: unknown): void {
    const { devices, evictions, bindings, usedBy, byAddress, byLease } = saved as {
      devices: Device[];
      evictions: number;
      bindings: Map<number, Binding>;
      usedBy: Map<Device, number[]>;
      byAddress: Map<number, Device>;
      /** Files of before leases were kept have none. */
      byLease?: Map<string, Device>;
    };
    if (devices.length > this.#config.max_devices)
      throw new WardwatchError(
        'WW_MODEL',
        `the stored state has more devices than this detector may have (${devices.length})`,
        'set hotPath.identity.max_devices at least as high as before',
      );
    for (const device of devices) {
      const { slot, oui, nic, segment } = device;
      this.devices[slot] = device;
      this.#keyOui[slot] = oui;
      this.#keyNic[slot] = nic;
      this.#keySegment[slot] = segment;
      if (device.mac !== '') this.#insertHash(slot, oui, nic, segment);
    }
    this.count = devices.length;
    this.evictions = evictions;
    for (const [key, binding] of bindings) this.#bindings.set(key, binding);
    for (const [device, keys] of usedBy) this.#usedBy.set(device, keys);
    for (const [key, device] of byAddress) this.#byAddress.set(key, device);
    for (const [lessee, device] of byLease ?? []) {
      this.#byLease.set(lessee, device);
      this.#lessees.add(device);
    }
  }

  #becomeGateway(device: Device): void {
    device.isGateway = true;
    this.#recent[device.slot] = undefined;
    for (const use of [...device.addresses.values()])
      if (!use.claimed) {
        device.addresses.delete(use.ip);
        if (device.ip === use.ip) device.ip = '';
      }
    for (const use of device.addresses.values()) if (device.ip === '') device.ip = use.ip;
    for (const key of this.#usedBy.get(device) ?? []) {
      const binding = this.#bindings.get(key);
      if (binding?.device === device && !binding.claimed) this.#bindings.delete(key);
    }
    this.#usedBy.delete(device);
  }

  #bind(
    device: Device,
    words: Uint32Array,
    at: number,
    ip: string,
    claimed: boolean,
    source: BindingChange['source'],
    nowUs: number,
  ): void {
    const key = bindingKey(words, at, device.segment);
    const binding = this.#bindings.get(key);
    if (binding === undefined) {
      if (this.#bindings.size >= this.#config.max_devices * 4) return;
      this.#bindings.set(key, { device, claimed, sinceUs: nowUs, lastUs: nowUs });
      this.#noteUse(device, key);
      return;
    }
    if (binding.device === device) {
      binding.lastUs = nowUs;
      if (claimed) binding.claimed = true;
      return;
    }
    const change: BindingChange = {
      ip,
      before: binding.device,
      after: device,
      beforeLastUs: binding.lastUs,
      source,
    };
    // A mere use never takes an address away from who has claimed it.
    if (claimed || !binding.claimed) {
      // Its use of the address has ended; a router's never began.
      if (claimed) binding.device.loseAddress(ip, nowUs);
      binding.device = device;
      binding.claimed = claimed;
      binding.sinceUs = nowUs;
      binding.lastUs = nowUs;
      this.#noteUse(device, key);
    }
    this.#listener.bindingChanged(change, nowUs);
  }

  /** Only a few addresses are in use before a device is taken for a gateway: a short list is enough. */
  #noteUse(device: Device, key: number): void {
    const used = this.#usedBy.get(device);
    if (used === undefined) this.#usedBy.set(device, [key]);
    else if (used.length < 64) used.push(key);
  }

  #create(key: string, oui: number, nic: number, mac: string, segment: number, vlan: string, nowUs: number): Device {
    const slot = this.devices.length < this.#config.max_devices ? this.devices.length : this.#evict();
    const device = new Device(slot, key, hashText(key), oui, nic, mac, segment, vlan, nowUs);
    this.devices[slot] = device;
    this.#keyOui[slot] = oui;
    this.#keyNic[slot] = nic;
    this.#keySegment[slot] = segment;
    this.count++;
    return device;
  }

  #evict(): number {
    let oldest: Device | undefined;
    for (const device of this.devices) if (oldest === undefined || device.lastUs < oldest.lastUs) oldest = device;
    const victim = oldest!;
    this.evictions++;
    this.count--;
    if (victim.mac !== '') this.#removeHash(victim.slot, victim.oui, victim.nic, victim.segment);
    if (victim.mac === '')
      for (const [key, device] of this.#byAddress) if (device === victim) this.#byAddress.delete(key);
    if (victim.mac === '')
      for (const [lessee, device] of this.#byLease) if (device === victim) this.#byLease.delete(lessee);
    for (const key of this.#usedBy.get(victim) ?? [])
      if (this.#bindings.get(key)?.device === victim) this.#bindings.delete(key);
    this.#usedBy.delete(victim);
    this.#listener.deviceForgotten(victim);
    return victim.slot;
  }

  #insertHash(slot: number, oui: number, nic: number, segment: number): void {
    let b = macHash(oui, nic, segment) & this.#mask;
    while (this.#hash[b] !== 0) b = (b + 1) & this.#mask;
    this.#hash[b] = slot + 1;
  }

  #removeHash(slot: number, oui: number, nic: number, segment: number): void {
    const table = this.#hash;
    const mask = this.#mask;
    let b = macHash(oui, nic, segment) & mask;
    while (table[b] !== slot + 1) b = (b + 1) & mask;
    let hole = b;
    for (let j = (b + 1) & mask; table[j] !== 0; j = (j + 1) & mask) {
      const other = table[j]! - 1;
      const home = macHash(this.#keyOui[other]!, this.#keyNic[other]!, this.#keySegment[other]!) & mask;
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        table[hole] = table[j]!;
        hole = j;
      }
    }
    table[hole] = 0;
  }
}

function macHash(oui: number, nic: number, segment: number): number {
  let h = Math.imul(nic ^ Math.imul(oui, 0x85ebca6b), 0x9e3779b1) ^ Math.imul(segment, 0xc2b2ae35);
  h ^= h >>> 15;
  return h >>> 0;
}

/** Stable key of an address in a segment. */
export function bindingKey(words: Uint32Array, at: number, segment: number): number {
  return hashNumbers(words[at]!, words[at + 1], words[at + 2], words[at + 3], segment);
}

function isUnspecified(words: Uint32Array, at: number, v6: boolean): boolean {
  return words[at + 3] === 0 && (!v6 || (words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0));
}
