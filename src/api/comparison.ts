import type { ProfileSpec } from '../identity/profile-schema.ts';
import type { StoredChannel } from '../store/contract.ts';
import type { ComparedRow, Comparison } from './schemas-inventory.ts';

/** Names of protocols in profiles for what dissectors call otherwise. */
const ALIASES: Readonly<Record<string, string>> = {
  ssl: 'tls',
  krb: 'kerberos',
  rfb: 'vnc',
  dce_rpc: 'dcerpc',
  wsdiscovery: 'ws-discovery',
  quic: 'tls',
  llmnr: 'llmnr',
};
const protocolOf = (service: string): string => ALIASES[service] ?? service;
const MAX_NAMES = 12;

/**
 * Puts what a profile declares beside what the device's channels show. A channel belongs to a declaration with
 * the same side and protocol, or the same port where the protocol was not recognised.
 */
export function compare(profile: ProfileSpec | undefined, channels: readonly StoredChannel[]): Comparison {
  const rows = new Map<string, ComparedRow>();
  const rowOf = (does: string, protocol: string): ComparedRow => {
    const key = `${does} ${protocol}`;
    let row = rows.get(key);
    if (row === undefined) {
      row = {
        does,
        protocol,
        ports: [],
        declared: false,
        learned: false,
        observed: false,
        verdict: 'no-profile',
        declared_peers: [],
        peers: [],
        external: [],
        commands: [],
        first_seen: null,
        last_seen: null,
      };
      rows.set(key, row);
    }
    return row;
  };
  for (const behaviour of profile?.behaviour ?? []) {
    const row = rowOf(behaviour.does, behaviour.protocol);
    row.declared = true;
    add(row.ports, behaviour.ports ?? []);
    add(row.declared_peers, [...(behaviour.peers ?? []), ...(behaviour.hosts ?? [])]);
  }
  for (const channel of channels) {
    if (channel.peer === '*') continue;
    const does = channel.direction === 'out' ? 'uses' : 'serves';
    const port = `${channel.proto}/${channel.port}`;
    const declared = (profile?.behaviour ?? []).find(
      (behaviour) =>
        behaviour.does === does &&
        (channel.service === ''
          ? (behaviour.ports ?? []).includes(port)
          : behaviour.protocol === protocolOf(channel.service)),
    );
    const row = rowOf(does, declared?.protocol ?? (channel.service === '' ? port : protocolOf(channel.service)));
    add(row.ports, [port]);
    if (channel.learned) row.learned = true;
    // What was learned and is still going on is observed as well.
    if (!channel.learned || channel.last_seen > channel.first_seen) row.observed = true;
    if (channel.peer_kind === 'external') add(row.external, [channel.peer_name || channel.peer]);
    add(row.peers, [channel.peer_type || channel.peer_kind]);
    add(row.commands, channel.commands);
    row.first_seen = Math.min(row.first_seen ?? channel.first_seen, channel.first_seen);
    row.last_seen = Math.max(row.last_seen ?? channel.last_seen, channel.last_seen);
  }
  for (const row of rows.values()) {
    const seen = row.learned || row.observed;
    if (profile === undefined) row.verdict = 'no-profile';
    else if (row.declared) row.verdict = seen ? 'declared-and-seen' : 'declared-unused';
    else row.verdict = row.learned ? 'undeclared' : 'undeclared-new';
  }
  const order = ['undeclared-new', 'undeclared', 'no-profile', 'declared-and-seen', 'declared-unused'];
  const sorted = [...rows.values()].sort(
    (a, b) =>
      order.indexOf(a.verdict) - order.indexOf(b.verdict) ||
      (a.does < b.does ? -1 : a.does > b.does ? 1 : a.protocol < b.protocol ? -1 : 1),
  );
  return {
    profile: profile?.id ?? null,
    profile_title: profile?.title ?? null,
    rows: sorted,
    declared_unused: sorted.filter((row) => row.verdict === 'declared-unused').length,
    undeclared: sorted.filter((row) => row.verdict === 'undeclared' || row.verdict === 'undeclared-new').length,
  };
}

function add(list: string[], values: readonly string[]): void {
  for (const value of values) if (value !== '' && list.length < MAX_NAMES && !list.includes(value)) list.push(value);
}
