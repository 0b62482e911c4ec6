import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { endsOf } from './incidents-stix.ts';
import type { ExportedIncident } from './incidents-stix.ts';

function uuidOf(name: string): string {
  const hex = createHash('sha256').update(`wardwatch ${name}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** MISP's levels of threat: 1 high, 2 medium, 3 low. */
const LEVEL: Record<number, string> = { 5: '1', 4: '1', 3: '2' };

/** An incident as a MISP event (MISP core format), unpublished and for the own organisation: a person shares it. */
export function toMisp(incident: ExportedIncident): Record<string, unknown> {
  const attributes = new Map<string, Record<string, unknown>>();
  const techniques = new Set<string>();
  let worst = 1;
  for (const row of incident.alerts) {
    worst = Math.max(worst, row.severity_id);
    row.attacks.forEach((id) => techniques.add(id));
    const timestamp = String(Math.floor(row.time / 1000));
    const add = (category: string, type: string, value: string, comment: string): void => {
      const name = `${type} ${value}`;
      if (value === '' || attributes.has(name)) return;
      attributes.set(name, {
        uuid: uuidOf(`${incident.uid} ${name}`),
        category,
        type,
        value,
        comment,
        timestamp,
        to_ids: false,
        distribution: '5',
      });
    };
    add('Internal reference', 'text', `${new Date(row.time).toISOString()} ${row.title}: ${row.message}`, row.uid);
    for (const end of endsOf(row).slice(0, 50)) {
      const own = end.key === row.device;
      const comment = [own ? 'acts' : 'takes part', end.type, end.name].filter((one) => one !== '').join(', ');
      if (isIP(end.ip) !== 0) add('Network activity', own ? 'ip-src' : 'ip-dst', end.ip, comment);
      // Behind a router the hardware address is the router's.
      if (end.key !== '' && end.mac !== '') add('Network activity', 'mac-address', end.mac, comment);
    }
  }
  const first = incident.alerts[0]?.time ?? incident.created;
  return {
    Event: {
      uuid: uuidOf(incident.uid),
      info: incident.title,
      date: new Date(first).toISOString().slice(0, 10),
      timestamp: String(Math.floor((incident.alerts.at(-1)?.end_time ?? incident.created) / 1000)),
      threat_level_id: LEVEL[worst] ?? '3',
      analysis: '1',
      distribution: '0',
      published: false,
      Tag: [...techniques].sort().map((id) => ({ name: `mitre-attack:technique="${id}"` })),
      Attribute: [...attributes.values()],
    },
  };
}
