import type { DecidedField, FieldEvidence } from '../kernel/rows.ts';
import type { Device } from './device.ts';
import { NAME_SOURCES } from './evidence.ts';
import type { AtomHit, Knowledge, KnownRule } from './knowledge.ts';
import type { OuiTable } from './oui.ts';
import type { ProfileSpec } from './profile-schema.ts';
import { featuresOf } from './types/features.ts';

/** Decides what a device is from its evidence. Pure: the same evidence gives the same answer. */
export interface Decider {
  /** Sets `fields` and the plain fields of the device. */
  decide(device: Device): void;
}

/** Made-up evidence can make no surer than this. */
const UNVERIFIED_CEILING = 0.6;
/** Nothing makes surer than this: a network can be made to say anything. */
const CEILING = 0.99;
/** Below this a class is a guess that is not worth a word. */
const LEAST_TYPE = 0.3;
/** From this on a device's class is told to its partners. */
const TELL_PARTNERS = 0.7;
const LEAST_RUNNER_UP = 0.05;
/** What was learned elsewhere may look alike here: it makes no surer than this on its own. */
const LEARNED_CEILING = 0.9;
const MAX_EVIDENCE = 12;

/** Texts that are the value of a field as they stand, and how far they are to be trusted. */
const DIRECT: Readonly<Record<string, readonly (readonly [field: string, weight: number])[]>> = {
  'intellivue.manufacturer': [['vendor_name', 0.9]],
  'intellivue.model': [['model', 0.95]],
  'intellivue.serial': [['serial', 0.95]],
  'intellivue.software': [['firmware', 0.95]],
  'lldp.firmware': [['firmware', 0.9]],
  'lldp.manufacturer': [['vendor_name', 0.85]],
  'lldp.model': [['model', 0.9]],
  'lldp.serial': [['serial', 0.95]],
  'cdp.platform': [['model', 0.85]],
  'mdns.model': [['model', 0.75]],
  'mdns.vendor': [['vendor_name', 0.7]],
  'modbus.product': [['model', 0.8]],
  'modbus.revision': [['firmware', 0.8]],
  'modbus.vendor': [['vendor_name', 0.85]],
  'poct1a.model': [['model', 0.95]],
  'poct1a.serial': [['serial', 0.95]],
  'poct1a.software': [['firmware', 0.95]],
  'poct1a.vendor': [['vendor_name', 0.9]],
  'tls.organisation': [['vendor_name', 0.3]],
};

const HOSTNAMES: Readonly<Record<string, number>> = {
  'lldp.system_name': 0.95,
  'dhcp.hostname': 0.95,
  'snmp.sysname': 0.9,
  'dhcp.fqdn': 0.9,
  'dns.name': 0.9,
  'mdns.hostname': 0.85,
  'cdp.device_id': 0.85,
  'ntlm.computer': 0.8,
  'nbns.name': 0.8,
  'poct1a.name': 0.7,
  'tls.server_name': 0.6,
  'syslog.host': 0.5,
  'tls.certificate': 0.4,
};

interface Candidate {
  value: string;
  /** The strongest evidence of each family counts: two DHCP options come from the same hand. */
  readonly families: Map<string, number>;
  readonly verified: Map<string, number>;
  against: number;
  readonly evidence: FieldEvidence[];
}

/** Evidence for the values of one field. */
class Tally {
  readonly candidates = new Map<string, Candidate>();

  add(key: string, value: string, family: string, weight: number, verified: boolean, evidence: FieldEvidence): void {
    let c = this.candidates.get(key);
    if (c === undefined) {
      c = { value, families: new Map(), verified: new Map(), against: 1, evidence: [] };
      this.candidates.set(key, c);
    }
    if (weight < 0) {
      c.against = Math.min(c.against, 1 + weight);
      return;
    }
    if (weight > (c.families.get(family) ?? 0)) c.families.set(family, weight);
    if (verified && weight > (c.verified.get(family) ?? 0)) c.verified.set(family, weight);
    c.evidence.push(evidence);
  }

  /** Values by how strongly the evidence speaks for them, each alone: noisy-or over the families. */
  strengths(): { candidate: Candidate; strength: number }[] {
    return [...this.candidates.values()]
      .map((candidate) => ({ candidate, strength: strengthOf(candidate) }))
      .filter(({ strength }) => strength > 0)
      .sort((a, b) => b.strength - a.strength || (a.candidate.value < b.candidate.value ? -1 : 1));
  }

  /**
   * The best value with its chance among all: the odds of each against those of the others and of something
   * nobody thought of. Contradicting evidence so lowers the confidence instead of being outvoted in silence.
   */
  decide(least = 0): DecidedField | undefined {
    const strengths = this.strengths();
    const best = strengths[0];
    if (best === undefined || best.strength < least) return undefined;
    let total = 1;
    for (const { strength } of strengths) total += odds(strength);
    const second = strengths[1];
    const secondChance = second === undefined ? 0 : odds(second.strength) / total;
    const evidence = strongest(best.candidate.evidence);
    return {
      value: best.candidate.value,
      confidence: round(odds(best.strength) / total),
      ...(second === undefined || secondChance < LEAST_RUNNER_UP
        ? {}
        : { runner_up: { value: second.candidate.value, confidence: round(secondChance) } }),
      evidence,
    };
  }

  /** The same where one value does not rule out another: a device has many names. */
  strongestOf(): DecidedField | undefined {
    const [best, second] = this.strengths();
    if (best === undefined) return undefined;
    return {
      value: best.candidate.value,
      confidence: round(best.strength),
      ...(second === undefined
        ? {}
        : { runner_up: { value: second.candidate.value, confidence: round(second.strength) } }),
      evidence: strongest(best.candidate.evidence),
    };
  }
}

function strengthOf(c: Candidate): number {
  const all = noisyOr(c.families);
  return Math.max(noisyOr(c.verified), Math.min(all, UNVERIFIED_CEILING)) * c.against;
}

function noisyOr(families: ReadonlyMap<string, number>): number {
  let miss = 1;
  for (const weight of families.values()) miss *= 1 - weight;
  return Math.min(1 - miss, CEILING);
}

function odds(strength: number): number {
  return strength / (1 - strength);
}

function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}

function strongest(evidence: readonly FieldEvidence[]): FieldEvidence[] {
  const seen = new Set<string>();
  return [...evidence]
    .sort((a, b) => b.weight - a.weight || compare(a.source, b.source) || compare(a.value, b.value))
    .filter((e) => {
      const key = `${e.source}\u0000${e.value}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    })
    .slice(0, MAX_EVIDENCE);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What of the evidence a condition rests on. */
interface Ground {
  readonly source: string;
  readonly value: string;
  readonly family: string;
  readonly firstUs: number;
  readonly taken: AtomHit['taken'];
}

/** What each condition that holds rests on: the best of each family of evidence, in the order of the families. */
type Grounds = Map<number, Ground[]>;

function addGround(grounds: Grounds, atom: number, here: Ground): void {
  const known = grounds.get(atom);
  if (known === undefined) {
    grounds.set(atom, [here]);
    return;
  }
  const at = known.findIndex((other) => other.family >= here.family);
  if (at < 0) known.push(here);
  else if (known[at]!.family !== here.family) known.splice(at, 0, here);
  else if (isBetter(here, known[at]!)) known[at] = here;
}

/** More taken out of the text; of equals the one that comes first in the alphabet, whenever it was seen. */
function isBetter(a: Ground, b: Ground): boolean {
  const more = Object.keys(a.taken).length - Object.keys(b.taken).length;
  return more > 0 || (more === 0 && (compare(a.source, b.source) || compare(a.value, b.value)) < 0);
}

/** Combines all evidence of a device by the declared knowledge. */
export function createDecider(knowledge: Knowledge, oui: OuiTable): Decider {
  const { vendors, profiles } = knowledge;
  return {
    decide(device) {
      const grounds: Grounds = new Map();
      const fields: Record<string, Tally> = {};
      const tally = (field: string): Tally => (fields[field] ??= new Tally());
      const put = (field: string, value: string, weight: number, ground: Ground, verified = true): void => {
        const text = field === 'vendor_name' ? vendors.canonical(value).name : value;
        tally(field).add(
          field === 'hostname' ? text.toLowerCase() : squash(text),
          text,
          ground.family,
          weight,
          verified,
          evidenceOf(ground, weight),
        );
      };
      const see = (source: string, value: string, firstUs: number): void => {
        const family = familyOf(source);
        for (const { atom, taken } of knowledge.ofText(source, value))
          addGround(grounds, atom, { source, value, family, firstUs, taken });
      };

      const maker = device.mac === '' || device.hasRandomMac ? '' : oui.vendor(device.oui);
      if (maker !== '') {
        see('oui', maker, device.firstUs);
        const vendor = vendors.canonical(maker);
        const weight = vendor.kind === 'component' ? 0.3 : vendor.kind === 'computer' ? 0.75 : 0.85;
        put('vendor_name', maker, weight, ground('oui', maker, device.firstUs));
      }
      if (device.isGateway) see('network.role', 'gateway', device.firstUs);
      else if (device.hasRandomMac && !VIRTUAL_OUIS.has(device.oui))
        see('network.role', 'random-address', device.firstUs);
      for (const e of device.evidence.values()) {
        // A gateway's MAC address carries the words of everybody behind it.
        if (device.isGateway && !OWN_WORDS_OF_GATEWAYS.has(familyOf(e.source))) continue;
        see(e.source, e.value, e.firstUs);
        const here = ground(e.source, e.value, e.firstUs);
        for (const [field, weight] of DIRECT[e.source] ?? []) put(field, e.value, weight, here);
        const named = HOSTNAMES[e.source];
        if (named !== undefined) {
          const host = hostLabel(e.value);
          if (host !== '') put('hostname', host, named, here);
        }
        registered(e.source, e.value, here, put);
        // Apps for devices of others run on phones, which have random addresses and many makers' clouds.
        if (CLOUD_SOURCES.has(e.source) && !device.hasRandomMac) {
          const cloud = vendors.byCloud(e.value);
          if (cloud !== undefined) put('vendor_name', cloud, 0.6, { ...here, family: 'cloud' });
        }
      }
      for (const use of device.roles.uses.values()) {
        if (device.isGateway && !/^(serves (dhcp|dns|ntp|snmp|ssh|telnet))$/.test(use.role)) continue;
        const peers = use.peers.length;
        const here: Ground = {
          source: 'role',
          value: peers > 1 ? `${use.role} (${peers} partners)` : use.role,
          family: `role:${roleFamily(use.role)}`,
          firstUs: use.firstUs,
          taken: {},
        };
        for (const atom of knowledge.ofRole(use)) addGround(grounds, atom, here);
      }

      const byProfile = new Map<number, Tally>();
      const types = tally('type');
      const considered = new Set<number>();
      for (const atom of grounds.keys())
        for (const index of knowledge.rulesOf[atom]!) {
          if (considered.has(index)) continue;
          considered.add(index);
          const rule = knowledge.rules[index]!;
          if (!rule.atoms.every((a) => grounds.has(a))) continue;
          applyRule(rule, grounds, byProfile, types);
        }
      for (const [atom, all] of grounds) {
        const platform = knowledge.platforms.get(atom);
        if (platform === undefined) continue;
        for (const here of all) {
          const os = here.taken.os ?? platform.os;
          const version = here.taken.os_version ?? platform.version;
          if (os !== '') put('os', os, platform.weight, here);
          if (version !== '') put('os_version', version, platform.weight, here);
        }
      }

      learned(device, types, put);
      const type = types.decide(LEAST_TYPE);
      let bestProfile: { index: number; strength: number; order: number } | undefined;
      for (const [index, own] of byProfile) {
        const profile = profiles[index]!;
        const first = own.strengths()[0];
        if (first === undefined || profile.class !== type?.value) continue;
        const evidence: FieldEvidence = {
          source: 'profile',
          value: profile.id,
          weight: round(first.strength),
          time: Math.floor(device.firstUs / 1000),
        };
        const order =
          specificity(profile, first.strength) + noisyOr(first.candidate.families) * first.candidate.against;
        if (
          bestProfile === undefined ||
          order > bestProfile.order ||
          (order === bestProfile.order && profile.id < profiles[bestProfile.index]!.id)
        )
          bestProfile = { index, strength: first.strength, order };
        const beyondOui = withoutFamily(first.candidate, 'oui');
        if (profile.vendor !== undefined && beyondOui > 0)
          tally('vendor_name').add(
            squash(profile.vendor),
            profile.vendor,
            'profile',
            profile.hosted === true ? beyondOui * 0.3 : beyondOui * 0.95,
            true,
            evidence,
          );
      }
      takeOut(knowledge, grounds, byProfile, put);
      if (bestProfile !== undefined) {
        const profile = profiles[bestProfile.index]!;
        // What the device says of its own model is worth more than the name of a family of models.
        if (profile.model !== undefined && (fields['model']?.strengths()[0]?.strength ?? 0) < 0.5)
          tally('model').add(squash(profile.model), profile.model, 'profile', bestProfile.strength, true, {
            source: 'profile',
            value: profile.id,
            weight: round(bestProfile.strength),
            time: Math.floor(device.firstUs / 1000),
          });
      }

      const decided: Record<string, DecidedField> = {};
      if (type !== undefined) decided['type'] = type;
      for (const field of FIELDS) {
        const value = field === 'hostname' ? fields[field]?.strongestOf() : fields[field]?.decide();
        if (value !== undefined) decided[field] = value;
      }
      if (bestProfile !== undefined)
        decided['profile'] = {
          value: profiles[bestProfile.index]!.id,
          confidence: round(bestProfile.strength),
          evidence: [],
        };
      apply(device, decided);
      tellPartners(device);
    },
  };

  /** What the device is like among those that a site has taught: one kind of evidence beside the others. */
  function learned(
    device: Device,
    types: Tally,
    put: (field: string, value: string, weight: number, ground: Ground) => void,
  ): void {
    if (knowledge.types === undefined || device.isGateway) return;
    const answer = knowledge.types.classify(featuresOf(device));
    if (answer === undefined) return;
    const { type } = answer;
    const here = ground('learned', type.name, device.firstUs);
    const weight = Math.min(answer.confidence, LEARNED_CEILING);
    if (type.class !== undefined)
      types.add(type.class, type.class, here.family, weight, true, evidenceOf(here, weight));
    if (type.vendor !== undefined) put('vendor_name', type.vendor, weight, here);
    if (type.model !== undefined) put('model', type.model, weight, here);
  }

  function registered(
    source: string,
    value: string,
    here: Ground,
    put: (field: string, value: string, weight: number, ground: Ground) => void,
  ): void {
    let name: string | undefined;
    let weight = 0.85;
    if (source === 'bacnet.vendor_id') name = vendors.byBacnet(value);
    else if (source === 'snmp.enterprise') name = vendors.byEnterprise(value);
    else if (source === 'snmp.sysobjectid') name = vendors.byEnterprise(enterpriseOf(value));
    else if (source === 'dicom.implementation_uid') {
      name = vendors.byDicomUid(value);
      weight = 0.6;
    }
    if (name !== undefined) put('vendor_name', name, weight, here);
    // ASTM H-5: name, version and serial number, separated as the sender likes, mostly by a caret.
    if (source === 'astm.sender') {
      const [model, , serial] = value.split('^');
      if (model !== undefined && model.trim() !== '') put('model', model.trim(), 0.75, here);
      if (serial !== undefined && serial.trim() !== '') put('serial', serial.trim(), 0.7, here);
    }
  }

  function applyRule(rule: KnownRule, grounds: Grounds, byProfile: Map<number, Tally>, types: Tally): void {
    const profile = profiles[rule.profile]!;
    let own = byProfile.get(rule.profile);
    if (own === undefined) {
      own = new Tally();
      byProfile.set(rule.profile, own);
    }
    // What speaks against one model does not speak against its class.
    const isModel = profile.vendor !== undefined || profile.model !== undefined;
    const speak = (family: string, evidence: FieldEvidence): void => {
      own.add('', profile.id, family, rule.weight, rule.verified, evidence);
      if (rule.weight > 0 || !isModel)
        types.add(profile.class, profile.class, family, rule.weight, rule.verified, evidence);
    };
    if (rule.atoms.length === 1) {
      for (const here of grounds.get(rule.atoms[0]!)!) speak(here.family, evidenceOf(here, rule.weight));
      return;
    }
    const parts = rule.atoms.map((atom) => grounds.get(atom)![0]!);
    speak([...new Set(parts.map((part) => part.family))].sort().join('+'), {
      source: 'several',
      value: parts.map((part) => `${part.source}: ${part.value}`).join('; '),
      weight: rule.weight,
      time: Math.floor(Math.max(...parts.map((part) => part.firstUs)) / 1000),
    });
  }
}

/** Where a device says by name to whom it goes. */
const CLOUD_SOURCES: ReadonlySet<string> = new Set(['dns.query', 'tls.asks', 'http.host']);
/** Locally administered prefixes that hypervisors and containers use: QEMU, Docker, Hyper-V and Xen by their manuals. */
const VIRTUAL_OUIS: ReadonlySet<number> = new Set([0x525400, 0x024200, 0x0a0027, 0x020054]);

const FIELDS = ['vendor_name', 'model', 'hostname', 'os', 'os_version', 'firmware', 'serial'] as const;
const OWN_WORDS_OF_GATEWAYS: ReadonlySet<string> = new Set(['lldp', 'cdp', 'snmp', 'ssh', 'name']);
const TAKEN = ['model', 'firmware', 'serial', 'hostname'] as const;

/** Fields that patterns of matching profiles have taken out of texts. */
function takeOut(
  knowledge: Knowledge,
  grounds: Grounds,
  byProfile: ReadonlyMap<number, Tally>,
  put: (field: string, value: string, weight: number, ground: Ground, verified?: boolean) => void,
): void {
  for (const [atom, all] of grounds)
    for (const here of all) {
      if (Object.keys(here.taken).length === 0) continue;
      for (const index of knowledge.rulesOf[atom]!) {
        const rule = knowledge.rules[index]!;
        if (rule.weight < 0 || !byProfile.has(rule.profile) || !rule.atoms.every((a) => grounds.has(a))) continue;
        for (const field of TAKEN) {
          const value = here.taken[field];
          if (value !== undefined) put(field, value, Math.max(rule.weight, 0.5), here, rule.verified);
        }
        if (here.taken.vendor !== undefined) put('vendor_name', here.taken.vendor, 0.6, here, rule.verified);
      }
    }
}

/** What says more comes first, as long as it is likely: a model, then a maker's family, then a class. */
function specificity(profile: ProfileSpec, strength: number): number {
  if (strength < 0.5) return 0;
  return profile.model !== undefined ? 3 : profile.vendor !== undefined ? 2 : 1;
}

function withoutFamily(candidate: Candidate, family: string): number {
  const rest: Candidate = {
    ...candidate,
    families: new Map([...candidate.families].filter(([name]) => name !== family)),
    verified: new Map([...candidate.verified].filter(([name]) => name !== family)),
  };
  return strengthOf(rest);
}

function ground(source: string, value: string, firstUs: number): Ground {
  return { source, value, family: familyOf(source), firstUs, taken: {} };
}

function evidenceOf(here: Ground, weight: number): FieldEvidence {
  return { source: here.source, value: here.value, weight, time: Math.floor(here.firstUs / 1000) };
}

const FAMILY = new Map<string, string>(NAME_SOURCES.map((source) => [source, 'name']));
function familyOf(source: string): string {
  let family = FAMILY.get(source);
  if (family === undefined) {
    const dot = source.indexOf('.');
    family = dot < 0 ? source : source.slice(0, dot);
    FAMILY.set(source, family);
  }
  return family;
}

/** `serves dicom-store` and `uses dicom` are told by the same messages. */
function roleFamily(role: string): string {
  const [kind, act = ''] = role.split(' ');
  return kind === 'client' || kind === 'server'
    ? 'partner'
    : act.replace(/-(store|query|worklist|mpps|print|adt|orders|results|register)$/, '');
}

/** First label of a name; empty for addresses and reverse names. */
function hostLabel(name: string): string {
  if (/^[0-9.:[\]a-f]*$/i.test(name) && /[.:]/.test(name)) return '';
  const label = name.split('.')[0] ?? '';
  return label === '*' ? '' : label;
}

/** `1.3.6.1.4.1.9.1.516` has the enterprise number 9. */
function enterpriseOf(oid: string): string {
  return /^\.?1\.3\.6\.1\.4\.1\.(\d+)/.exec(oid)?.[1] ?? '';
}

/** For comparing values: `IntelliVue MX750` and `INTELLIVUE_MX750` are the same. */
function squash(text: string): string {
  return text.toLowerCase().replace(/[\s_.,-]+/g, '');
}

/** Whom a device serves says what it is: each device tells its partners what it is, once that is sure enough. */
function tellPartners(device: Device): void {
  const type = device.fields['type'];
  if (type === undefined || type.confidence < TELL_PARTNERS) return;
  for (const server of device.roles.servers)
    if (server.roles.note(`client ${type.value}`, device.id, device.lastUs)) server.undecided = true;
  for (const client of device.roles.clients)
    if (client.roles.note(`server ${type.value}`, device.id, device.lastUs)) client.undecided = true;
}

/** Two devices talk, one as the client of the other: from now on each hears what the other is. */
export function introduce(client: Device, server: Device, nowUs: number): void {
  const clientType = client.fields['type'];
  const serverType = server.fields['type'];
  if (client.roles.meet('servers', server) && serverType !== undefined && serverType.confidence >= TELL_PARTNERS)
    if (client.roles.note(`server ${serverType.value}`, server.id, nowUs)) client.undecided = true;
  if (server.roles.meet('clients', client) && clientType !== undefined && clientType.confidence >= TELL_PARTNERS)
    if (server.roles.note(`client ${clientType.value}`, client.id, nowUs)) server.undecided = true;
}

/** Writes decided fields to the device. */
function apply(device: Device, fields: Record<string, DecidedField>): void {
  device.fields = fields;
  device.hostname = fields['hostname']?.value ?? '';
  device.vendor = fields['vendor_name']?.value ?? '';
  device.model = fields['model']?.value ?? '';
  device.type = fields['type']?.value ?? 'unknown';
  device.undecided = false;
  device.version++;
}
