import type { Scope } from '../alerts/decisions.ts';
import type { AlertRow } from '../kernel/rows.ts';

export type TriageState = 'new' | 'in_progress' | 'resolved';
export type Resolution = 'true_positive' | 'false_positive' | 'benign' | 'test';

/** What people and rules have made of an alert. The alert itself is in the store and is never rewritten. */
export interface TriageItem {
  readonly uid: string;
  /** Version of the alert that the desk knows. */
  readonly version: number;
  /** Grows with every decision about the alert: what an edit names as the state that it was made on. */
  readonly revision: number;
  /** Place in the order of changes of all alerts (see the poll API). */
  readonly sequence: number;
  /** Epoch milliseconds, of the alert. */
  readonly time: number;
  readonly state: TriageState;
  readonly resolution: Resolution | '';
  readonly note: string;
  readonly assignee: string;
  readonly tags: readonly string[];
  /** As the queue sorts it: that of the alert, or 1 in a maintenance window. */
  readonly severity: number;
  /** Number of the rule that hides it, 0 for none. */
  readonly muted_by: number;
  /** Number of the rule that resolved it, 0 for none. */
  readonly resolved_by: number;
  /** Number of the maintenance window that it falls into, 0 for none. */
  readonly maintenance: number;
  readonly incident: number;
  /** How often it came back after it was resolved. */
  readonly reopened: number;
  /** Uid of an earlier alert of the same detector, device and subject that was resolved; empty for none. */
  readonly repeat_of: string;
}

export type TriageSort = 'time' | 'severity';

/** Which alerts: all that is named must hold. */
export interface TriageFilter extends Scope {
  /** `open` are new and in progress. */
  readonly state?: TriageState | 'open' | 'all';
  readonly resolution?: Resolution;
  /** Those that a rule hides: left out, alone, or among the others. */
  readonly muted?: 'without' | 'only' | 'with';
  readonly severity?: number;
  /** Name of a user; `-` for nobody. */
  readonly assignee?: string;
  readonly tag?: string;
  readonly incident?: number;
  /** Detector that contributed, also where others did. */
  readonly contributed?: string;
  /** Key of a device that acted or took part. */
  readonly involved?: string;
  /** Words that must all occur, from the beginning of a word on. */
  readonly text?: string;
  /** VLANs that may be seen; undefined for all. */
  readonly vlans?: readonly string[] | undefined;
}

/** One entry of an alert's history; `cause` is the rule, window or incident behind it, empty for a person. */
export interface HistoryEntry {
  readonly id: number;
  /** Epoch milliseconds of the wall clock. */
  readonly at: number;
  readonly who: string;
  readonly what: string;
  readonly cause: string;
  readonly changes: Readonly<Record<string, readonly [from: unknown, to: unknown]>>;
  readonly comment: string;
}

const MAX_FACETS = 64;

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What the desk reads out of the alert's OCSF object. */
export interface AlertDetails {
  /** Names (key, IP, MAC) that are an end of every pair of endpoints, the alert's own device aside. */
  readonly peers: readonly string[];
  /** The service of every pair, where it is the same. */
  readonly service: string;
  /** Names of all ends, for incidents: remote ones too. */
  readonly ends: readonly string[];
  /** Same detector, device and subject: the same text. */
  readonly pattern: string;
  /** Name of the decision that muted it in the hot path. */
  readonly mutedBy: string;
}

export function detailsOf(row: AlertRow): AlertDetails {
  let ocsf: unknown;
  try {
    ocsf = JSON.parse(row.ocsf);
  } catch {
    ocsf = undefined;
  }
  const body = isObject(ocsf) ? ocsf : {};
  const unmapped = isObject(body['unmapped']) ? body['unmapped'] : {};
  const pairs = Array.isArray(body['evidences']) ? body['evidences'].filter(isObject) : [];
  const own = new Set([row.device, row.device_ip, row.device_mac]);
  let peers: Set<string> | undefined;
  const ends = new Set<string>();
  const services = new Set<string>();
  for (const pair of pairs) {
    const names = new Set<string>();
    for (const end of [pair['src_endpoint'], pair['dst_endpoint']]) {
      if (!isObject(end)) continue;
      const { uid, ip, mac } = end;
      for (const name of [textOf(uid), textOf(ip), textOf(mac)]) {
        if (name === '') continue;
        if (!own.has(name)) names.add(name);
      }
      const name = textOf(uid) || textOf(ip);
      if (name !== '' && !own.has(name)) ends.add(name);
    }
    peers = peers === undefined ? names : new Set([...peers].filter((name) => names.has(name)));
    services.add(textOf(isObject(pair['data']) ? pair['data']['service'] : undefined));
  }
  return {
    peers: [...(peers ?? [])].slice(0, 8),
    service: services.size === 1 ? [...services][0]! : '',
    ends: [...ends].slice(0, MAX_FACETS),
    pattern: textOf(unmapped['pattern']),
    mutedBy: textOf(unmapped['muted_by']),
  };
}

/**
 * What an alert can be found by besides its columns, each a letter and a value: `d` a device that acted or took
 * part, `e` any other end, `a` a detector that contributed, `x` the only detector, `p` a peer of every pair of
 * endpoints, `s` the service of every pair, `r` the pattern. Tags (`t`) and the assignee (`w`) are added by the desk.
 */
export function facetsOf(row: AlertRow, details: AlertDetails): string[] {
  const facets = new Set<string>();
  facets.add(`d:${row.device}`);
  for (const party of row.parties.slice(0, MAX_FACETS)) facets.add(`d:${party}`);
  for (const detector of row.detectors.slice(0, 16)) facets.add(`a:${detector}`);
  if (row.detectors.length <= 1) facets.add(`x:${row.detector}`);
  for (const peer of details.peers) facets.add(`p:${peer}`);
  if (details.service !== '') facets.add(`s:${details.service}`);
  if (details.pattern !== '') facets.add(`r:${details.pattern}`);
  for (const end of details.ends.slice(0, 24)) if (!row.parties.includes(end)) facets.add(`e:${end}`);
  return [...facets];
}

/** What the text search looks through. */
export function wordsOf(row: AlertRow): string {
  return [row.title, row.message, row.device_name, row.device_ip, row.device_mac, row.device_type, row.detector].join(
    '\n',
  );
}
