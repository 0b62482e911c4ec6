import { createHash } from 'node:crypto';
import type { AlertRow } from '../kernel/rows.ts';

/** Namespace of our deterministic identifiers (RFC 9562 version 5), and that which STIX 2.1 section 2.9 prescribes. */
const OURS = '6f0c3a52-2a55-5d0e-9a52-0d4a2a3e8f11';
const STIX = '00abedb4-aa42-466c-9c01-fed23315a9b7';

function uuid5(namespace: string, name: string): string {
  const digest = createHash('sha1')
    .update(Buffer.from(namespace.replaceAll('-', ''), 'hex'))
    .update(name)
    .digest();
  digest[6] = (digest[6]! & 0x0f) | 0x50;
  digest[8] = (digest[8]! & 0x3f) | 0x80;
  const hex = digest.toString('hex', 0, 16);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

const time = (ms: number): string => new Date(ms).toISOString();
type Json = Record<string, unknown>;

/** An end of a pair of endpoints as it stands in the OCSF object of an alert. */
export interface EvidenceEnd {
  readonly ip: string;
  readonly mac: string;
  readonly name: string;
  readonly key: string;
  readonly type: string;
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The ends of an alert's evidence, each once, its own device among them. */
export function endsOf(row: AlertRow): EvidenceEnd[] {
  let body: unknown;
  try {
    body = JSON.parse(row.ocsf);
  } catch {
    body = undefined;
  }
  const ends = new Map<string, EvidenceEnd>();
  const add = (end: EvidenceEnd): void => {
    const name = end.key || end.ip || end.mac;
    if (name !== '' && !ends.has(name)) ends.set(name, end);
  };
  add({
    ip: row.device_ip,
    mac: row.device_mac,
    name: row.device_name,
    key: row.device,
    type: row.device_type,
  });
  const pairs = isObject(body) && Array.isArray(body['evidences']) ? body['evidences'].filter(isObject) : [];
  for (const pair of pairs)
    for (const end of [pair['src_endpoint'], pair['dst_endpoint']])
      if (isObject(end))
        add({
          ip: text(end['ip']),
          mac: text(end['mac']),
          name: text(end['hostname']),
          key: text(end['uid']),
          type: text(end['type']),
        });
  return [...ends.values()];
}

/** An incident in the form in which it is exported. */
export interface ExportedIncident {
  readonly id: number;
  /** Stable over all exports. */
  readonly uid: string;
  readonly title: string;
  readonly created: number;
  /** In the order of time, the earliest first. */
  readonly alerts: readonly AlertRow[];
}

/**
 * A STIX 2.1 bundle: an incident and a grouping of all, an observed-data for each alert with the addresses of its
 * ends, and an attack-pattern for each ATT&CK technique. Identifiers depend on what they stand for, so that a second
 * export is the same.
 */
export function toStix(incident: ExportedIncident, productVersion: string): Json {
  const objects = new Map<string, Json>();
  const created = time(incident.created);
  const last = incident.alerts.reduce((latest, row) => Math.max(latest, row.end_time), incident.created);
  const author = `identity--${uuid5(OURS, 'wardwatch')}`;
  const common = { spec_version: '2.1', created, modified: time(last), created_by_ref: author };
  const put = (object: Json & { id: string }): string => {
    objects.set(object.id, object);
    return object.id;
  };
  put({ type: 'identity', id: author, ...common, name: `Wardwatch ${productVersion}`, identity_class: 'system' });

  /** Cyber observables have identifiers of their contents (section 2.9). */
  const observable = (type: string, value: string): string =>
    put({ type, spec_version: '2.1', id: `${type}--${uuid5(STIX, JSON.stringify({ value }))}`, value });
  const references: string[] = [];
  for (const row of incident.alerts) {
    const seen = new Set<string>();
    for (const end of endsOf(row).slice(0, 50)) {
      if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(end.mac)) seen.add(observable('mac-addr', end.mac));
      if (/^\d{1,3}(\.\d{1,3}){3}$/.test(end.ip)) seen.add(observable('ipv4-addr', end.ip));
      else if (end.ip.includes(':')) seen.add(observable('ipv6-addr', end.ip));
    }
    for (const id of row.attacks) {
      references.push(
        put({
          type: 'attack-pattern',
          id: `attack-pattern--${uuid5(OURS, id)}`,
          ...common,
          name: id,
          external_references: [
            {
              source_name: 'mitre-attack',
              external_id: id,
              url: `https://attack.mitre.org/techniques/${id.replace('.', '/')}`,
            },
          ],
        }),
      );
    }
    if (seen.size === 0) continue;
    const note = uuid5(OURS, row.uid);
    const observed = put({
      type: 'observed-data',
      id: `observed-data--${note}`,
      ...common,
      first_observed: time(row.start_time),
      last_observed: time(Math.max(row.end_time, row.start_time)),
      number_observed: Math.max(1, Math.min(999_999_999, row.findings)),
      object_refs: [...seen],
    });
    references.push(observed);
    references.push(
      put({
        type: 'note',
        id: `note--${note}`,
        ...common,
        abstract: row.title,
        content: row.message,
        object_refs: [observed],
        external_references: [{ source_name: 'wardwatch', external_id: row.uid }],
      }),
    );
  }
  const key = uuid5(OURS, incident.uid);
  const first = put({
    type: 'incident',
    id: `incident--${key}`,
    ...common,
    name: incident.title,
    description: incident.alerts.map((row) => `${time(row.time)} ${row.title}: ${row.message}`).join('\n'),
    external_references: [{ source_name: 'wardwatch', external_id: String(incident.id) }],
  });
  put({
    type: 'grouping',
    id: `grouping--${key}`,
    ...common,
    name: incident.title,
    context: 'suspicious-activity',
    object_refs: [...new Set([first, ...references])],
  });
  return { type: 'bundle', id: `bundle--${key}`, objects: [...objects.values()] };
}
