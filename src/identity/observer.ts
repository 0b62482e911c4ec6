import type { Device } from './device.ts';
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
    if (act !== undefined && !flow.resp.isMulticast) this.#role(act, flow.resp, flow.orig, true, true, nowUs);
    // Of a connection that is older than the capture the server may have been heard first.
    if (flow.resp.port >= FIRST_EPHEMERAL) this.#goes(flow.proto, flow.resp, flow.orig, nowUs);
  }

  /** Ports that a system hands out as it likes (RFC 6056) say nothing. */
  #goes(proto: string, from: Party, to: Party, nowUs: number): void {
    if (to.port === 0 || to.port >= FIRST_EPHEMERAL) return;
    const device = open(localDevice(from));
    if (device === undefined || device.isGateway) return;
    device.addEvidence(PORT_SOURCE, `${proto}/${to.port}${to.isMulticast ? ' group' : ''}`, nowUs, MOST_HABITS);
  }

  observed(heard: Heard, nowUs: number): void {
    const rules = EVIDENCE[heard.kind];
    if (rules === undefined) return;
    const { speaker, listener } = heard;
    if (rules.fields !== undefined && this.#ownWord(heard)) {
      for (const rule of rules.fields) {
        const about = rule.about === 'listener' ? listener : speaker;
        const device = rule.habit === true ? open(localDevice(about)) : localDevice(about);
        if (device === undefined || (rule.when !== undefined && !holds(heard, rule.when))) continue;
        let value = rule.number === undefined ? heard.text(rule.field) : named(heard.number(rule.field), rule.number);
        if (rule.part !== undefined && value !== undefined) value = rule.part(value);
        if (value !== undefined)
          device.addEvidence(rule.source, value, nowUs, rule.habit === true ? MOST_HABITS : undefined);
      }
    }
    if (rules.roles !== undefined)
      for (const rule of rules.roles) {
        if (rule.when !== undefined && !holds(heard, rule.when)) continue;
        if (rule.and !== undefined && !holds(heard, rule.and)) continue;
        if (rule.speaker === 'serves') this.#role(rule.act, speaker, listener, true, true, nowUs);
        // A datagram that asks for something does not show that anybody answers.
        else if (listener === undefined) this.#role(rule.act, undefined, speaker, false, true, nowUs);
        else this.#role(rule.act, listener, speaker, heard.flow?.proto === 'tcp', true, nowUs);
      }
    if (heard.kind === 'dns.response') this.#named(heard, nowUs);
  }

  /** DHCP through a relay comes from the relay's MAC address and speaks of another device. */
  #ownWord(heard: Heard): boolean {
    if (heard.kind !== 'dhcp.message') return true;
    const mac = heard.speaker.device?.mac;
    return mac === undefined || mac === '' || heard.text('mac') === mac;
  }

  #role(
    act: Act,
    server: Party | undefined,
    client: Party | undefined,
    noteServer: boolean,
    noteClient: boolean,
    nowUs: number,
  ): void {
    const keys = keysOf(act);
    const serving = open(localDevice(server));
    const using = open(localDevice(client));
    if (noteServer && serving !== undefined) {
      const peer = client === undefined || client.isMulticast ? 0 : client.key;
      if (serving.roles.note(keys.serves, peer, nowUs)) serving.undecided = true;
    }
    if (noteClient && using !== undefined) {
      const peer = server === undefined || server.isMulticast ? 0 : server.key;
      if (using.roles.note(keys.uses, peer, nowUs)) using.undecided = true;
    }
    if (noteServer && serving !== undefined && using !== undefined && serving !== using && !COMMON.has(act))
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
