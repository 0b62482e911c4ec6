import type { DecidedField } from '../kernel/rows.ts';
import { Roles } from './roles.ts';

/** One thing that was seen and says something about what a device is. */
export interface Evidence {
  /** `oui`, `dhcp.hostname`, `dhcp.vendor_class`, `hl7.sending_app`, `dicom.ae_title`, … */
  readonly source: string;
  readonly value: string;
  readonly firstUs: number;
  lastUs: number;
  count: number;
}

/** An address that a device has used. */
export interface AddressUse {
  readonly ip: string;
  readonly v6: boolean;
  /** Since when it has had it, this time. */
  firstUs: number;
  lastUs: number;
  /** The device said so itself (ARP, DHCP, ND); else it merely sent from it. */
  claimed: boolean;
  /** When another device got it; 0 as long as it is this one's. */
  endedUs: number;
  /** `lastUs` when it was last told. */
  toldUs: number;
}

const MAX_ADDRESSES = 16;
const MAX_EVIDENCE = 96;
/** Room that is left for what a device says of itself, whatever else it does. */
const OWN_WORDS = 32;

/** A monitored device: who it is and what is known of it. Counters of its traffic are in columns elsewhere. */
export class Device {
  readonly slot: number;
  readonly key: string;
  readonly oui: number;
  readonly nic: number;
  readonly mac: string;
  readonly segment: number;
  readonly vlan: string;
  /** Stable number for sets and tables: a hash of the key. */
  readonly id: number;
  readonly firstUs: number;
  lastUs: number;
  packets = 0;
  bytes = 0;
  /** Best present address: the last claimed one, else the last used. */
  ip = '';
  isGateway = false;
  /** Distinct source addresses never claimed: what tells a gateway. */
  strangers = 0;
  /** Still learning what this device normally does. */
  learning = true;
  /** Grows with everything new that is known of it. */
  version = 0;
  readonly addresses = new Map<string, AddressUse>();
  /** Times that are over and not told yet. */
  #past: AddressUse[] = [];
  readonly evidence = new Map<string, Evidence>();
  /** What it does on the network, and with whom. */
  readonly roles = new Roles<Device>();
  fields: Record<string, DecidedField> = {};
  type = 'unknown';
  vendor = '';
  model = '';
  hostname = '';
  /** Evidence has come since the fields were decided. */
  undecided = true;

  constructor(
    slot: number,
    key: string,
    id: number,
    oui: number,
    nic: number,
    mac: string,
    segment: number,
    vlan: string,
    nowUs: number,
  ) {
    this.slot = slot;
    this.key = key;
    this.id = id;
    this.oui = oui;
    this.nic = nic;
    this.mac = mac;
    this.segment = segment;
    this.vlan = vlan;
    this.firstUs = nowUs;
    this.lastUs = nowUs;
  }

  /** Locally administered addresses (randomised by phones and laptops) say nothing about the maker. */
  get hasRandomMac(): boolean {
    return (this.oui & 0x020000) !== 0;
  }

  owns(ip: string): boolean {
    return this.addresses.has(ip);
  }

  useAddress(ip: string, v6: boolean, claimed: boolean, nowUs: number): AddressUse | undefined {
    let use = this.addresses.get(ip);
    if (use === undefined) {
      if (this.addresses.size >= MAX_ADDRESSES) {
        let oldest: AddressUse | undefined;
        for (const a of this.addresses.values()) if (oldest === undefined || a.lastUs < oldest.lastUs) oldest = a;
        if (oldest !== undefined) {
          this.addresses.delete(oldest.ip);
          this.#remember(oldest);
        }
      }
      use = { ip, v6, firstUs: nowUs, lastUs: nowUs, claimed, endedUs: 0, toldUs: 0 };
      this.addresses.set(ip, use);
    } else if (use.endedUs !== 0) {
      // It has it again: another time begins.
      this.#remember({ ...use });
      use.firstUs = nowUs;
      use.endedUs = 0;
      use.toldUs = 0;
      use.claimed = claimed;
    }
    use.lastUs = nowUs;
    if (claimed) use.claimed = true;
    const present = this.#present();
    // IPv4 is what people look for; a claim beats a mere use, the newest claim beats an older one.
    if (
      present === undefined ||
      (present.v6 && !v6) ||
      (present.v6 === v6 && (claimed ? ip !== this.ip : !present.claimed && !present.v6))
    )
      this.#setIp(ip);
    return use;
  }

  /** Another device has the address now. */
  loseAddress(ip: string, nowUs: number): void {
    const use = this.addresses.get(ip);
    if (use === undefined || use.endedUs !== 0) return;
    use.endedUs = nowUs;
    this.version++;
    if (this.ip !== ip) return;
    let best: AddressUse | undefined;
    for (const other of this.addresses.values())
      if (other.endedUs === 0 && (best === undefined || (best.v6 && !other.v6) || other.lastUs > best.lastUs))
        best = other;
    this.#setIp(best?.ip ?? '');
  }

  save(): object {
    return Object.assign({}, this, { past: this.#past });
  }

  /** Takes over all that the device was when it was saved. */
  restore(saved: object): void {
    const { past, ...fields } = saved as { past: AddressUse[] };
    Object.assign(this, fields);
    this.#past = past;
  }

  /** Addresses of which something is new since this was last asked, past ones included. */
  takeAddresses(): AddressUse[] {
    const news = this.#past;
    this.#past = [];
    for (const use of this.addresses.values())
      if (use.toldUs !== use.lastUs) {
        use.toldUs = use.lastUs;
        news.push(use);
      }
    return news;
  }

  #present(): AddressUse | undefined {
    const use = this.addresses.get(this.ip);
    return use?.endedUs === 0 ? use : undefined;
  }

  #remember(use: AddressUse): void {
    if (use.toldUs !== use.lastUs && this.#past.length < MAX_ADDRESSES) this.#past.push(use);
  }

  #setIp(ip: string): void {
    if (this.ip === ip) return;
    this.ip = ip;
    this.version++;
  }

  /** `most`: how many values of this source are kept; as many as there is room for where nothing is said. What is kept of it is given back. */
  addEvidence(source: string, value: string, nowUs: number, most?: number): Evidence | undefined {
    if (value === '') return undefined;
    const key = `${source}\u0000${value}`;
    const known = this.evidence.get(key);
    if (known !== undefined) {
      known.lastUs = nowUs;
      known.count++;
      return known;
    }
    if (this.evidence.size >= MAX_EVIDENCE - (most === undefined ? 0 : OWN_WORDS)) return undefined;
    if (most !== undefined) {
      let same = 0;
      for (const e of this.evidence.values()) if (e.source === source) same++;
      if (same >= most) return undefined;
    }
    const fresh: Evidence = { source, value, firstUs: nowUs, lastUs: nowUs, count: 1 };
    this.evidence.set(key, fresh);
    this.undecided = true;
    return fresh;
  }
}
