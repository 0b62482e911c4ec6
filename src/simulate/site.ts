import { hashNumbers, hashText } from '../lib/hash.ts';
import { createPrng } from '../lib/prng.ts';
import type { Prng } from '../lib/prng.ts';
import { CENTRAL, ENDPOINTS, ROUTER, SERVERS, SWITCH } from './catalogue.ts';
import type { Make, Zone } from './catalogue.ts';
import { gatewayIp, Network } from './network.ts';
import type { Host } from './network.ts';
import { Timeline } from './timeline.ts';

/** A device of the site. */
export interface Device extends Host {
  readonly id: string;
  readonly make: Make;
  readonly random: Prng;
  readonly block: Block;
  /** Epoch seconds; undefined: from the beginning. */
  presentFrom?: number;
  readonly addresses: { ip: string; vlan: number; fromS: number }[];
}

export type ServerRole = keyof typeof SERVERS;

/** Up to 2,000 devices with servers of their own. */
export interface Block {
  readonly number: number;
  readonly servers: Record<ServerRole, Device>;
  /** Where images go now: another host after a move. */
  archive: Device;
  readonly devices: Device[];
}

/** Workstations fill the site up to its size. */
const FILLER = ENDPOINTS.find((e) => e.make.type === 'workstation')!.make;
const DEVICES_IN_BLOCK = 2000;
const HOSTS_IN_NETWORK = 180;
const OUTSIDE_MAC = '00:00:5e:00:53:01';

interface Subnet {
  readonly vlan: number;
  hosts: number;
}

/** A simulated site: its devices, where they are plugged in, and what they share. */
export class Site {
  readonly seed: number;
  readonly timeline: Timeline;
  readonly network: Network;
  /** Periods below a minute are this many times longer than in life. */
  readonly thin: number;
  readonly startUs: number;
  readonly devices: Device[] = [];
  readonly blocks: Block[] = [];
  readonly router: Device;
  /** Messages numbered so far. */
  messages = 0;
  /** The last messages that were sent on, for whoever listens in. */
  readonly overheard: { from: Device; to: Device; type: string; controlId: string; segments: string[] }[] = [];
  readonly outside = new Map<string, Host>();
  readonly #subnets = new Map<string, Subnet>();
  #vlans = 0;

  constructor(options: { seed: number; devices: number; startUs: number; thin: number }) {
    this.seed = options.seed;
    this.startUs = options.startUs;
    this.thin = options.thin;
    this.timeline = new Timeline(options.startUs);
    const random = createPrng(hashNumbers(options.seed, 0x5173));
    const gatewayMac = `${ROUTER.oui}:0d:d6:07`;
    this.network = new Network(this.timeline, gatewayMac, random, 0.0008);

    const blocks = Math.ceil(options.devices / DEVICES_IN_BLOCK);
    for (let b = 0; b < blocks; b++) this.#addBlock(b, Math.round((options.devices - 1) / blocks));
    const first = this.blocks[0]!;
    const servers = first.servers.infrastructure;
    this.router = {
      ...this.#host(ROUTER, 'gw', servers.vlan, gatewayIp(servers.ip), first),
      mac: gatewayMac,
    };
    this.devices.push(this.router);
  }

  #addBlock(number: number, size: number): void {
    const block = { number, devices: [] as Device[] } as { -readonly [K in keyof Block]: Block[K] };
    const roles = Object.entries(SERVERS).map(([role, make]) => [role, this.#add(make, block)]);
    block.servers = Object.fromEntries(roles) as Record<ServerRole, Device>;
    block.archive = block.servers.pacs;
    this.blocks.push(block);
    const total = ENDPOINTS.reduce((sum, e) => sum + e.share, 0);
    // The switches and central stations come with the networks.
    const rest = Math.max(0, size - roles.length - 7);
    for (const { share, make } of ENDPOINTS) {
      const n = Math.max(1, Math.round((rest * share) / total));
      for (let i = 0; i < n && block.devices.length < size; i++) this.#add(make, block);
    }
    while (block.devices.length < size) this.#add(FILLER, block);
  }

  /** A new device, given a place in the network of its zone; it is not started. */
  #add(make: Make, block: Block, zone: Zone = make.zone): Device {
    const subnet = this.#subnet(block, zone);
    const n = block.devices.length + 1;
    const id = `${make.prefix.toLowerCase()}-${block.number}-${n}`;
    const device = this.#host(make, id, subnet.vlan, this.#nextIp(subnet), block);
    block.devices.push(device);
    this.devices.push(device);
    return device;
  }

  /** A device that joins later. */
  join(make: Make, block: Block): Device {
    const device = this.#add(make, block);
    device.presentFrom = this.timeline.nowUs / 1e6;
    return device;
  }

  /** A host that somebody plugs into a network; it is no device of the site. */
  rogue(name: string, near: Device, random: Prng): Host {
    const mac = `dc:a6:32:${[1, 2, 3].map(() => hex(random.int(256))).join(':')}`;
    const last = 230 + random.int(20);
    return {
      name,
      mac,
      vlan: near.vlan,
      ip: near.ip.replace(/\d+$/, String(last)),
      ttl: 64,
      off: false,
      clockSkewS: 0,
    };
  }

  /** Another place for a device, in a new or another network of a zone. */
  place(block: Block, zone: Zone): { vlan: number; ip: string } {
    const subnet = this.#subnet(block, zone);
    return { vlan: subnet.vlan, ip: this.#nextIp(subnet) };
  }

  /** A host outside, by name; the address follows from the name. */
  outsideHost(name: string): Host {
    let host = this.outside.get(name);
    if (host === undefined) {
      const h = hashText(name) >>> 0;
      // 198.18.0.0/15 is kept for test networks (RFC 2544).
      const ip = `198.${18 + (h & 1)}.${(h >>> 8) & 255}.${1 + ((h >>> 16) % 254)}`;
      host = { name, mac: OUTSIDE_MAC, vlan: 0, ip, ttl: 64, off: false, clockSkewS: 0 };
      if (this.outside.size < 20_000) this.outside.set(name, host);
    }
    return host;
  }

  /** How busy people are, 0 to 1: shifts from 6:30 and 14:30, quiet nights, and offices closed at weekends. */
  busy(kind: 'ward' | 'office'): number {
    const seconds = this.timeline.nowUs / 1e6;
    const hour = (seconds % 86_400) / 3600;
    const weekday = (Math.floor(seconds / 86_400) + 4) % 7;
    if (kind === 'office') {
      if (weekday === 0 || weekday === 6) return 0.05;
      return hour >= 7.5 && hour < 17.5 ? 1 : hour >= 6.5 && hour < 20 ? 0.3 : 0.02;
    }
    if (hour >= 6.5 && hour < 14.5) return 1;
    return hour >= 14.5 && hour < 22 ? 0.6 : 0.25;
  }

  #subnet(block: Block, zone: Zone): Subnet {
    const key = `${block.number}/${zone}`;
    let subnet = this.#subnets.get(key);
    if (subnet === undefined || subnet.hosts >= HOSTS_IN_NETWORK) {
      subnet = { vlan: 100 + this.#vlans++, hosts: 0 };
      this.#subnets.set(key, subnet);
      this.#add({ ...SWITCH, zone }, block, zone);
      if (zone === 'ward') this.#add(CENTRAL, block, zone);
    }
    return subnet;
  }

  #nextIp(subnet: Subnet): string {
    const index = subnet.vlan - 100;
    return `10.${64 + (index >> 8)}.${index & 255}.${10 + subnet.hosts++}`;
  }

  #host(make: Make, id: string, vlan: number, ip: string, block: Block): Device {
    const n = this.devices.length;
    const h = hashNumbers(this.seed, n, 0x3ac) >>> 0;
    const mac = `${make.oui}:${hex(h & 255)}:${hex((n >> 8) & 255)}:${hex(n & 255)}`;
    const random = createPrng(hashNumbers(this.seed, n, 0xde71ce));
    const name = make.prefix === 'SEP' ? `SEP${mac.replaceAll(':', '').toUpperCase()}` : id;
    return {
      id,
      name,
      make,
      mac,
      vlan,
      ip,
      ttl: make.ttl,
      off: false,
      clockSkewS: (random.double() - 0.5) * 2,
      random,
      block,
      addresses: [{ ip, vlan, fromS: this.startUs / 1e6 }],
    };
  }
}

function hex(n: number): string {
  return n.toString(16).padStart(2, '0');
}
