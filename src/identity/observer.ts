import type { Device, Evidence } from './device.ts';
import type { DeviceTable } from './device-table.ts';
import { EVIDENCE, MOST_HABITS, PORT_SOURCE } from './evidence.ts';
import type { Condition } from './evidence.ts';
import { ACT_OF_PORT } from './roles.ts';
import type { Act, RoleKey } from './roles.ts';
import { introduce } from './decide.ts';

/** One end of what was heard. */
export interface Party {
  readonly device: Device | undefined;
  readonly port: number;
  /** Stable key for counting distinct partners. */
  readonly key: number;
  readonly isRemote: boolean;
  readonly isMulticast: boolean;
}

/** An observation with who said it to whom. Valid during the call. */
export interface Heard {
  readonly kind: string;
  readonly flow: { readonly proto: string } | undefined;
  readonly speaker: Party;
  readonly listener: Party | undefined;
  text(field: string): string | undefined;
  number(field: string): number | undefined;
}

/** Services that everybody uses: partners in them say nothing about what a device is. */
const COMMON: ReadonlySet<Act> = new Set<Act>(['dhcp', 'dns', 'ntp', 'syslog', 'snmp', 'upnp', 'kerberos', 'ldap']);

/** Linux hands out ports from here on, others from 49152. */
const FIRST_EPHEMERAL = 32_768;

/** From this confidence on a class is not put in question by new behaviour. */
const SETTLED = 0.6;

const KEYS = new Map<Act, { serves: RoleKey; uses: RoleKey }>();
function keysOf(act: Act): { serves: RoleKey; uses: RoleKey } {
  let keys = KEYS.get(act);
  if (keys === undefined) {
    keys = { serves: `serves ${act}`, uses: `uses ${act}` };
    KEYS.set(act, keys);
  }
  return keys;
}

/** A role that was noted, and of whom. */
interface Noted {
  readonly act: Act;
  readonly serving: Device | undefined;
  readonly using: Device | undefined;
  readonly serverKey: number;
  readonly clientKey: number;
}

/** Places for what was noted last: what is said again costs one comparison. */
const PLACES = 16_384;

/** Both ends of a flow. */
interface FlowEnds {
  readonly proto: string;
  readonly orig: Party;
  readonly resp: Party;
}

/** Turns what is heard on the network into evidence about the devices that take part. */
export class IdentityObserver {
  readonly #devices: DeviceTable;
  readonly #words = new Uint32Array(4);
  readonly #rules = new Map(Object.entries(EVIDENCE));
  readonly #said: (Evidence | undefined)[] = new Array<Evidence | undefined>(PLACES).fill(undefined);
  readonly #sayers: (Device | undefined)[] = new Array<Device | undefined>(PLACES).fill(undefined);
  readonly #noted: (Noted | undefined)[] = new Array<Noted | undefined>(PLACES).fill(undefined);
  /** Names of ports by protocol and whether a group is spoken to, made once. */
  readonly #ports = new Map<string, (string | undefined)[]>();

  constructor(devices: DeviceTable) {
    this.#devices = devices;
  }

  /** A flow begins: where its sender goes. */
  flowStarted(flow: FlowEnds, nowUs: number): void {
    this.#goes(flow.proto, flow.orig, flow.resp, nowUs);
  }

  /** A flow has been answered: by its port, who serves whom. */
  flowEstablished(flow: FlowEnds, nowUs: number): void {
    const act = ACT_OF_PORT.get(flow.resp.port);
    if (act !== undefined && !flow.resp.isMulticast) this.#role(act, flow.resp, flow.orig, true, nowUs);
    // Of a connection that is older than the capture the server may have been heard first.
    if (flow.resp.port >= FIRST_EPHEMERAL) this.#goes(flow.proto, flow.resp, flow.orig, nowUs);
  }

  /** Ports that a system hands out as it likes (RFC 6056) say nothing. */
  #goes(proto: string, from: Party, to: Party, nowUs: number): void {
    if (to.port === 0 || to.port >= FIRST_EPHEMERAL) return;
    const device = open(localDevice(from));
    if (device === undefined || device.isGateway) return;
    this.#say(device, PORT_SOURCE, this.#portName(proto, to.port, to.isMulticast), to.port, nowUs, MOST_HABITS);
  }

  #portName(proto: string, port: number, group: boolean): string {
    const kind = group ? ' group' : '';
    let names = this.#ports.get(group ? proto + kind : proto);
    if (names === undefined) {
      names = new Array<string | undefined>(FIRST_EPHEMERAL).fill(undefined);
      this.#ports.set(proto + kind, names);
    }
    return (names[port] ??= `${proto}/${port}${kind}`);
  }

  /** `sort` tells apart what the same device says, as well as a small number can. */
  #say(device: Device, source: string, value: string, sort: number, nowUs: number, most: number | undefined): void {
    const place = (device.slot * 31 + sort) & (PLACES - 1);
    const known = this.#said[place];
    if (known !== undefined && this.#sayers[place] === device && known.value === value && known.source === source) {
      known.lastUs = nowUs;
      known.count++;
      return;
    }
    this.#said[place] = device.addEvidence(source, value, nowUs, most);
    this.#sayers[place] = device;
  }

  observed(heard: Heard, nowUs: number): void {
    const rules = this.#rules.get(heard.kind);
    if (rules === undefined) return;
    const { speaker, listener } = heard;
    if (rules.fields !== undefined && this.#ownWord(heard)) {
      for (let i = 0; i < rules.fields.length; i++) {
        const rule = rules.fields[i]!;
        const about = rule.about === 'listener' ? listener : speaker;
        const device = rule.habit === true ? open(localDevice(about)) : localDevice(about);
        if (device === undefined || (rule.when !== undefined && !holds(heard, rule.when))) continue;
        let value = rule.number === undefined ? heard.text(rule.field) : named(heard.number(rule.field), rule.number);
        if (rule.part !== undefined && value !== undefined) value = rule.part(value);
        if (value !== undefined)
          this.#say(device, rule.source, value, i, nowUs, rule.habit === true ? MOST_HABITS : undefined);
      }
    }
    if (rules.roles !== undefined)
      for (const rule of rules.roles) {
        if (rule.when !== undefined && !holds(heard, rule.when)) continue;
        if (rule.and !== undefined && !holds(heard, rule.and)) continue;
        if (rule.speaker === 'serves') this.#role(rule.act, speaker, listener, true, nowUs);
        // A datagram that asks for something does not show that anybody answers.
        else if (listener === undefined) this.#role(rule.act, undefined, speaker, false, nowUs);
        else this.#role(rule.act, listener, speaker, heard.flow?.proto === 'tcp', nowUs);
      }
    if (heard.kind === 'dns.response') this.#named(heard, nowUs);
    else if (heard.kind === 'dhcp.message') this.#leased(heard, nowUs);
  }

  /** A lease was given (RFC 2131 4.3.1): the address is that hardware address's from now on. */
  #leased(heard: Heard, nowUs: number): void {
    if (heard.text('message_type') !== 'ACK') return;
    const mac = heard.text('mac');
    const ip = heard.text('your_ip');
    const segment = (heard.speaker.device ?? heard.listener?.device)?.segment;
    if (mac === undefined || ip === undefined || segment === undefined || !readIpv4(ip, this.#words)) return;
    this.#devices.leased(mac, this.#words, 0, segment, nowUs);
  }

  /** DHCP through a relay comes from the relay's MAC address and speaks of another device. */
  #ownWord(heard: Heard): boolean {
    if (heard.kind !== 'dhcp.message') return true;
    const mac = heard.speaker.device?.mac;
    return mac === undefined || mac === '' || heard.text('mac') === mac;
  }

  #role(act: Act, server: Party | undefined, client: Party | undefined, noteServer: boolean, nowUs: number): void {
    const serving = noteServer ? open(localDevice(server)) : undefined;
    const using = open(localDevice(client));
    if (serving === undefined && using === undefined) return;
    // Whom it was noted of in this role with these partners, it is known of.
    const serverKey = server === undefined || server.isMulticast ? 0 : server.key;
    const clientKey = client === undefined || client.isMulticast ? 0 : client.key;
    const place = ((serving?.slot ?? -1) * 31 + (using?.slot ?? -1) * 17 + act.length) & (PLACES - 1);
    const noted = this.#noted[place];
    if (
      noted !== undefined &&
      noted.act === act &&
      noted.serving === serving &&
      noted.using === using &&
      noted.serverKey === serverKey &&
      noted.clientKey === clientKey
    )
      return;
    this.#noted[place] = { act, serving, using, serverKey, clientKey };
    const keys = keysOf(act);
    if (serving?.roles.note(keys.serves, clientKey, nowUs) === true) serving.undecided = true;
    if (using?.roles.note(keys.uses, serverKey, nowUs) === true) using.undecided = true;
    if (serving !== undefined && using !== undefined && serving !== using && !COMMON.has(act))
      introduce(using, serving, nowUs);
  }

  /** The name server says which name an address has; told only where that address is one device's. */
  #named(heard: Heard, nowUs: number): void {
    const segment = (heard.listener?.device ?? heard.speaker.device)?.segment;
    if (segment === undefined || heard.number('rcode') !== 0 || heard.text('query_type') !== 'A') return;
    const name = heard.text('name');
    const address = heard.text('addresses');
    if (name === undefined || address === undefined || !readIpv4(address, this.#words)) return;
    const device = this.#devices.holder(this.#words, 0, segment);
    if (device !== undefined && device.owns(address)) device.addEvidence('dns.name', name, nowUs);
  }
}

function named(value: number | undefined, names: true | Readonly<Record<number, string>>): string | undefined {
  if (value === undefined || names === true) return value?.toString();
  return Object.entries(names)
    .filter(([bit]) => (value & (1 << Number(bit))) !== 0)
    .map(([, name]) => name)
    .join(' ');
}

/**
 * Undefined for a device that is known and has learned what it normally does. What it begins to do later is
 * behaviour to be judged, no evidence of what it is: a workstation that takes to polling monitors has not
 * become a central station.
 */
function open(device: Device | undefined): Device | undefined {
  const settled = device !== undefined && !device.learning && (device.fields['type']?.confidence ?? 0) >= SETTLED;
  return settled ? undefined : device;
}

function localDevice(party: Party | undefined): Device | undefined {
  return party === undefined || party.isRemote ? undefined : party.device;
}

function holds(heard: Heard, condition: Condition): boolean {
  const field = condition[0];
  const text = heard.text(field);
  const number = text === undefined ? heard.number(field) : undefined;
  if (text === undefined && number === undefined) return false;
  for (let i = 1; i < condition.length; i++) {
    const wanted = condition[i];
    if (wanted === '+' ? text !== undefined || number! > 0 : wanted === text || wanted === number) return true;
  }
  return false;
}

/** Dotted quad into the last of four words; false for anything else. */
function readIpv4(text: string, words: Uint32Array): boolean {
  const parts = text.split('.');
  if (parts.length !== 4) return false;
  let word = 0;
  for (const part of parts) {
    const byte = Number(part);
    if (!/^\d{1,3}$/.test(part) || byte > 255) return false;
    word = word * 256 + byte;
  }
  words[3] = word;
  return true;
}
