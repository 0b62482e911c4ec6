import { WardwatchError } from '../kernel/errors.ts';
import { tame } from '../lib/tame.ts';
import type { Behaviour, ProfileSpec } from './profile-schema.ts';

/** A part of a JSON document that came from outside. */
type Part = Record<string, unknown>;

const MUD = 'ietf-mud:mud';
const ACLS = 'ietf-access-control-list:acls';
/** Names under which drafts of RFC 8519 put the same list. */
const DRAFT_ACLS = ['ietf-access-control-list:access-lists', 'access-lists', 'acls'];
const PROTOCOL = { tcp: 6, udp: 17 } as const;
const MAX_ENTRIES = 4096;
const MAX_PROBLEMS = 100;

/** Controllers that RFC 8520 section 8 names for everybody. */
const WELL_KNOWN: Readonly<Record<string, string>> = {
  dns: 'urn:ietf:params:mud:dns',
  ntp: 'urn:ietf:params:mud:ntp',
};

export interface MudOptions {
  /** Where the file will lie: https. Classes of controllers are named below the same host. */
  readonly mudUrl: string;
  /** RFC 3339, when it was last changed. */
  readonly lastUpdate: string;
}

/**
 * The declared behaviour of a profile as a MUD file (RFC 8520, YANG ietf-mud@2019-01-28 and the access lists of
 * RFC 8519): two objects side by side, final names only.
 */
export function exportMud(profile: ProfileSpec, options: MudOptions): Part {
  const host = urlOf(options.mudUrl).host;
  const slug = profile.id.replaceAll('/', '-');
  const acls: Part[] = [];
  const policies = { from: [] as Part[], to: [] as Part[] };
  for (const version of ['ipv4', 'ipv6'] as const)
    for (const way of ['from', 'to'] as const) {
      const name = `${slug}-${version === 'ipv4' ? 'v4' : 'v6'}${way === 'from' ? 'fr' : 'to'}`;
      acls.push({ name, type: `${version}-acl-type`, aces: { ace: entries(profile, way, version, host) } });
      policies[way].push({ name });
    }
  return {
    [MUD]: {
      'mud-version': 1,
      'mud-url': options.mudUrl,
      'last-update': options.lastUpdate,
      'cache-validity': 48,
      'is-supported': true,
      // The YANG allows 60 characters.
      systeminfo: profile.title.slice(0, 60),
      ...(profile.vendor === undefined ? {} : { 'mfg-name': profile.vendor }),
      ...(profile.model === undefined ? {} : { 'model-name': profile.model }),
      'from-device-policy': { 'access-lists': { 'access-list': policies.from } },
      'to-device-policy': { 'access-lists': { 'access-list': policies.to } },
    },
    [ACLS]: { acl: acls },
  };
}

function entries(profile: ProfileSpec, way: 'from' | 'to', version: 'ipv4' | 'ipv6', host: string): Part[] {
  const list: Part[] = [];
  for (const behaviour of profile.behaviour ?? [])
    for (const port of behaviour.ports ?? ['tcp/any', 'udp/any'])
      for (const peer of peersOf(behaviour, way, host)) {
        const [transport, number] = port.split('/') as ['tcp' | 'udp', string];
        // The port is the server's: it is the destination of what goes to the server.
        const toServer = (behaviour.does === 'uses') === (way === 'from');
        const l4: Part = {
          ...(number === 'any'
            ? {}
            : { [toServer ? 'destination-port' : 'source-port']: { operator: 'eq', port: Number(number) } }),
          ...(transport === 'tcp'
            ? { 'ietf-mud:direction-initiated': behaviour.does === 'uses' ? 'from-device' : 'to-device' }
            : {}),
        };
        list.push({
          name: `${way === 'from' ? 'fr' : 'to'}${list.length}-${behaviour.protocol}`,
          matches: {
            ...(peer.mud === undefined ? {} : { [MUD]: peer.mud }),
            [version]: { protocol: PROTOCOL[transport], ...peer.name },
            ...(Object.keys(l4).length === 0 ? {} : { [transport]: l4 }),
          },
          actions: { forwarding: 'accept' },
        });
      }
  return list;
}

function peersOf(behaviour: Behaviour, way: 'from' | 'to', host: string): { mud?: Part; name?: Part }[] {
  if (behaviour.hosts !== undefined)
    return behaviour.hosts.map((name) => ({
      name: { [`ietf-acldns:${way === 'from' ? 'dst' : 'src'}-dnsname`]: name },
    }));
  const known = behaviour.does === 'uses' ? WELL_KNOWN[behaviour.protocol] : undefined;
  if (known !== undefined) return [{ mud: { controller: known } }];
  const peers = behaviour.peers ?? [];
  if (peers.length === 0) return [{ mud: { 'my-controller': [null] } }];
  return peers.map((peer) =>
    peer === 'local'
      ? { mud: { 'local-networks': [null] } }
      : peer === 'internet' || peer === 'vendor'
        ? {}
        : { mud: { controller: `https://${host}/class/${peer}` } },
  );
}

/** What a MUD file declares, read leniently: draft names are accepted, nothing else is guessed. */
export interface ImportedMud {
  readonly mudUrl: string;
  readonly title: string;
  readonly vendor: string;
  readonly model: string;
  readonly behaviour: Behaviour[];
  /** What the file has that a profile cannot hold, and what is wrong with it by the YANG. */
  readonly notes: string[];
}

/** Reads a MUD file. Throws where it is none at all. */
export function importMud(document: unknown): ImportedMud {
  const root = part(document);
  const mud = part(root?.[MUD] ?? root?.['mud']);
  if (root === undefined || mud === undefined)
    throw new WardwatchError(
      'WW_PROFILE',
      'this is no MUD file: it has no ietf-mud:mud object',
      'give a file as RFC 8520 section 4 describes it',
    );
  const notes: string[] = [];
  let acls = part(root[ACLS]);
  for (const draft of DRAFT_ACLS) {
    if (acls !== undefined) break;
    acls = part(root[draft]);
    if (acls !== undefined) notes.push(`${draft} is a draft's name for ${ACLS}`);
  }
  if (acls === undefined) {
    acls = part(mud[ACLS]) ?? part(mud['acls']);
    if (acls !== undefined) notes.push(`${ACLS} stands inside of ${MUD}; they belong side by side`);
  }
  const from = policyNames(mud['from-device-policy']);
  const to = policyNames(mud['to-device-policy']);
  const behaviour = new Map<string, Behaviour>();
  let left = MAX_ENTRIES;
  for (const acl of parts(acls?.['acl'])) {
    const name = text(acl['name'] ?? acl['acl-name']);
    const way = from.includes(name) ? 'from' : to.includes(name) ? 'to' : undefined;
    if (way === undefined) {
      notes.push(`the access list ${tame(name, 60)} is in no policy and was left out`);
      continue;
    }
    for (const ace of parts(part(acl['aces'] ?? acl['access-list-entries'])?.['ace'])) {
      if (left-- <= 0) {
        notes.push(`more than ${MAX_ENTRIES} entries; the rest was left out`);
        break;
      }
      readEntry(ace, way, behaviour, notes);
    }
  }
  for (const problem of checkMud(document)) notes.push(problem);
  return {
    mudUrl: text(mud['mud-url']),
    title: text(mud['systeminfo']),
    vendor: text(mud['mfg-name']),
    model: text(mud['model-name']),
    behaviour: [...behaviour.values()],
    notes: [...new Set(notes)].slice(0, MAX_PROBLEMS),
  };
}

function readEntry(ace: Part, way: 'from' | 'to', into: Map<string, Behaviour>, notes: string[]): void {
  const name = tame(text(ace['name'] ?? ace['rule-name']), 60);
  const actions = part(ace['actions']);
  if (text(actions?.['forwarding']) !== 'accept' && actions?.['permit'] === undefined) {
    notes.push(`${name}: only entries that accept can be declared`);
    return;
  }
  const given = part(ace['matches']) ?? {};
  // Drafts put the layers one level deeper.
  const matches: Part = { ...given, ...part(given['l3']), ...part(given['l4']) };
  const transport =
    part(matches['tcp']) !== undefined ? 'tcp' : part(matches['udp']) !== undefined ? 'udp' : byNumber(matches);
  if (transport === undefined) {
    notes.push(`${name}: neither TCP nor UDP, left out`);
    return;
  }
  const l4 = part(matches[transport]) ?? {};
  const source = portOf(l4, 'source-port', notes, name);
  const destination = portOf(l4, 'destination-port', notes, name);
  const initiated = text(
    l4['ietf-mud:direction-initiated'] ?? l4['direction-initiated'] ?? matches['ietf-mud:direction-initiated'],
  );
  // Who opens the connection says who serves; without that the side with the fixed port does.
  const serves =
    initiated !== ''
      ? initiated === 'to-device'
      : way === 'from'
        ? source > 0 && destination === 0
        : destination > 0 && source === 0;
  const port = way === 'from' ? (serves ? source : destination) : serves ? destination : source;
  const mud = part(matches[MUD]) ?? {};
  const ip = part(matches['ipv4']) ?? part(matches['ipv6']) ?? {};
  const host = text(ip[way === 'from' ? 'ietf-acldns:dst-dnsname' : 'ietf-acldns:src-dnsname']).toLowerCase();
  const hosts = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(host) ? [host] : undefined;
  const controller = text(mud['controller']);
  const known = Object.entries(WELL_KNOWN).find(([, urn]) => urn === controller)?.[0];
  const cls = /\/class\/([a-z0-9-]+)$/.exec(controller)?.[1];
  const local = ['local-networks', 'same-manufacturer', 'manufacturer', 'model'].some((key) => mud[key] !== undefined);
  const peers =
    cls !== undefined
      ? [cls]
      : local
        ? ['local']
        : hosts === undefined && Object.keys(mud).length === 0
          ? ['internet']
          : undefined;
  const ports = [`${transport}/${port === 0 ? 'any' : port}`];
  const protocol = known ?? transport;
  const key = JSON.stringify([serves, protocol, ports, peers, hosts]);
  if (!into.has(key))
    into.set(key, {
      does: serves ? 'serves' : 'uses',
      protocol,
      ports,
      ...(peers === undefined ? {} : { peers }),
      ...(hosts === undefined ? {} : { hosts }),
      ...(controller !== '' && known === undefined && cls === undefined
        ? { note: `MUD controller ${tame(controller, 200)}` }
        : {}),
    });
}

function byNumber(matches: Part): 'tcp' | 'udp' | undefined {
  const number = (part(matches['ipv4']) ?? part(matches['ipv6']))?.['protocol'];
  return number === PROTOCOL.tcp ? 'tcp' : number === PROTOCOL.udp ? 'udp' : undefined;
}

/** 0 where no single port is given. */
function portOf(l4: Part, which: string, notes: string[], name: string): number {
  const given = part(l4[which]) ?? part(l4[`${which}-range-or-operator`]);
  if (given === undefined) return 0;
  const nested = part(given['port-range-or-operator']) ?? given;
  const port = nested['port'] ?? (nested['lower-port'] === nested['upper-port'] ? nested['lower-port'] : undefined);
  if (
    typeof port === 'number' &&
    Number.isInteger(port) &&
    port > 0 &&
    port < 65_536 &&
    text(nested['operator'] ?? 'eq') === 'eq'
  )
    return port;
  notes.push(`${name}: ${which} is no single port; any port was taken`);
  return 0;
}

/**
 * What is wrong with a MUD file by the YANG modules ietf-mud@2019-01-28 and ietf-access-control-list: mandatory
 * leaves, types, ranges, names that refer to nothing. Empty where it is right.
 */
export function checkMud(document: unknown): string[] {
  const wrong: string[] = [];
  const root = part(document);
  const mud = part(root?.[MUD]);
  if (root === undefined || mud === undefined) return [`${MUD} is missing`];
  for (const key of Object.keys(root))
    if (key !== MUD && key !== ACLS) wrong.push(`${tame(key, 80)} does not belong into a MUD file`);
  if (mud['mud-version'] !== 1) wrong.push('mud-version must be 1');
  if (!/^https:\/\/\S+$/.test(text(mud['mud-url']))) wrong.push('mud-url must be an https URL');
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text(mud['last-update'])))
    wrong.push('last-update must be a date and time of RFC 3339');
  if (typeof mud['is-supported'] !== 'boolean') wrong.push('is-supported must be true or false');
  const validity = mud['cache-validity'];
  if (
    validity !== undefined &&
    !(typeof validity === 'number' && Number.isInteger(validity) && validity >= 1 && validity <= 168)
  )
    wrong.push('cache-validity must be an integer from 1 to 168 hours');
  if (text(mud['systeminfo']).length > 60) wrong.push('systeminfo must have at most 60 characters');
  for (const key of Object.keys(mud))
    if (!MUD_LEAVES.has(key) && !key.includes(':')) wrong.push(`${tame(key, 80)} is no leaf of ${MUD}`);
  const lists = parts(part(root[ACLS])?.['acl']);
  const names = lists.map((acl) => text(acl['name']));
  if (new Set(names).size < names.length) wrong.push('two access lists have the same name');
  for (const policy of ['from-device-policy', 'to-device-policy'])
    for (const name of policyNames(mud[policy]))
      if (!names.includes(name)) wrong.push(`${policy} names ${tame(name, 60)}, which is no access list of the file`);
  for (const acl of lists.slice(0, MAX_ENTRIES)) {
    const name = tame(text(acl['name']), 60);
    if (name === '') wrong.push('an access list has no name');
    const type = text(acl['type']).replace(/^ietf-access-control-list:/, '');
    if (type !== '' && !/^(ipv4|ipv6|eth|mixed-eth-ipv4|mixed-eth-ipv6|mixed-eth-ipv4-ipv6)-acl-type$/.test(type))
      wrong.push(`${name}: type ${tame(type, 40)} is none of RFC 8519`);
    const aces = parts(part(acl['aces'])?.['ace']).slice(0, MAX_ENTRIES);
    const entryNames = aces.map((ace) => text(ace['name']));
    if (new Set(entryNames).size < entryNames.length) wrong.push(`${name}: two entries have the same name`);
    for (const ace of aces) {
      const forwarding = text(part(ace['actions'])?.['forwarding']).replace(/^ietf-access-control-list:/, '');
      if (!['accept', 'drop', 'reject'].includes(forwarding))
        wrong.push(`${name}/${tame(text(ace['name']), 60)}: actions must have forwarding accept, drop or reject`);
      const matches = part(ace['matches']) ?? {};
      for (const key of Object.keys(matches))
        if (!MATCHES.has(key))
          wrong.push(`${name}/${tame(text(ace['name']), 60)}: ${tame(key, 60)} is no match of RFC 8519 or RFC 8520`);
    }
  }
  return wrong.slice(0, MAX_PROBLEMS);
}

const MUD_LEAVES: ReadonlySet<string> = new Set([
  'mud-version',
  'mud-url',
  'last-update',
  'mud-signature',
  'cache-validity',
  'is-supported',
  'systeminfo',
  'mfg-name',
  'model-name',
  'firmware-rev',
  'software-rev',
  'documentation',
  'extensions',
  'from-device-policy',
  'to-device-policy',
]);
const MATCHES: ReadonlySet<string> = new Set([
  MUD,
  'eth',
  'ipv4',
  'ipv6',
  'tcp',
  'udp',
  'icmp',
  'egress-interface',
  'ingress-interface',
]);

function policyNames(policy: unknown): string[] {
  const lists = part(part(policy)?.['access-lists']);
  return parts(lists?.['access-list']).map((list) => text(list['name'] ?? list['acl-name']));
}

function part(value: unknown): Part | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Part) : undefined;
}

function parts(value: unknown): Part[] {
  return Array.isArray(value) ? value.map(part).filter((p): p is Part => p !== undefined) : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function urlOf(url: string): URL {
  if (URL.canParse(url) && url.startsWith('https://')) return new URL(url);
  throw new WardwatchError(
    'WW_USAGE',
    `${tame(url, 200)} is no https URL`,
    'a MUD URL begins with https:// (RFC 8520 section 1.5)',
  );
}
