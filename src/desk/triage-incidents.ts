import { INCIDENT_SPAN_MS, relationOf } from '../alerts/incidents.ts';
import type { IncidentAlert } from '../alerts/incidents.ts';
import type { HistoryEntry, TriageItem } from './triage-rows.ts';
import { toItem } from './triage-table.ts';
import type { Actor, TriageRow, TriageTable } from './triage-table.ts';

export interface Incident {
  readonly id: number;
  readonly title: string;
  /** Uid of the alert that says most of it: the worst, of those the first. */
  readonly lead: string;
  readonly created: number;
  /** Of its alerts: how many, how many are open, the worst, the first and the last. */
  readonly alerts: number;
  readonly open: number;
  readonly severity: number;
  readonly first: number;
  readonly last: number;
  readonly devices: readonly string[];
  readonly attacks: readonly string[];
}

export interface IncidentDetails extends Incident {
  readonly items: readonly TriageItem[];
  readonly history: readonly HistoryEntry[];
}

/** Alerts that are looked at to place a new one. */
const CANDIDATES = 200;
const SHOWN = 1000;

/**
 * Which alerts belong together (the rule is in src/alerts/incidents.ts), and what people have changed about it.
 * Whatever a person has placed stays where it was put.
 */
export class TriageIncidents {
  readonly #table: TriageTable;

  constructor(table: TriageTable) {
    this.#table = table;
  }

  /** Puts an alert beside those it is related to; incidents that it connects become one, the older. */
  place(row: TriageRow, parties: readonly string[], outside: readonly string[]): void {
    if (row.pinned !== 0 || row.own_severity < 2 || row.muted !== 0) return;
    const table = this.#table;
    const own = toAlert(row, parties, outside);
    const names = [`d:${row.device}`, ...parties.map((key) => `d:${key}`), ...outside.map((end) => `e:${end}`)];
    let target = row.incident;
    let why = '';
    for (const name of names.slice(0, 32)) {
      // A few first: on a busy device they lead to the incident that all the others are in already.
      for (const limit of [12, CANDIDATES]) {
        const candidates = table.select(
          `a.id IN (SELECT id FROM triage_facets WHERE facet = ? AND time BETWEEN ? AND ? ORDER BY time DESC LIMIT ${CANDIDATES})
           AND a.id <> ? AND a.own_severity > 1 AND a.pinned = 0 AND a.muted = 0 AND (a.incident = 0 OR a.incident <> ?)`,
          [name, row.time - INCIDENT_SPAN_MS, row.time + INCIDENT_SPAN_MS, row.id, target],
          'a.time DESC',
          limit,
        );
        for (const other of candidates) {
          const relation = relationOf(own, toAlert(other, valuesOf(other, 'd:', other.device), valuesOf(other, 'e:')));
          if (relation === undefined) continue;
          why = relation;
          target = this.#join(table.byId(other.id)!, target, { who: '', cause: relation });
        }
        if (candidates.length < limit) break;
      }
    }
    if (why !== '') this.#join(table.byId(row.id)!, target, { who: '', cause: why });
  }

  /** Puts an alert into an incident and gives its number: the older of the two where it is in one already. */
  #join(row: TriageRow, incident: number, actor: Actor): number {
    if (row.incident === incident && incident !== 0) return incident;
    if (row.incident !== 0 && incident !== 0) {
      const into = Math.min(row.incident, incident);
      this.#move(Math.max(row.incident, incident), into, actor);
      return into;
    }
    if (row.incident !== 0) return row.incident;
    const target = incident === 0 ? this.#create(row) : incident;
    this.#table.change(row, { incident: target }, 'joined an incident', actor);
    return target;
  }

  /** The newest first. */
  list(limit: number, vlans?: readonly string[]): Incident[] {
    const [seen, values] = visible(vlans);
    return this.#table.sql
      .all(
        `SELECT i.id FROM triage_incidents i WHERE i.merged_into = 0
           AND EXISTS (SELECT 1 FROM triage_alerts a WHERE a.incident = i.id AND ${seen}) ORDER BY i.id DESC LIMIT ?`,
        ...values,
        limit,
      )
      .map((row) => this.#summary(Number(row['id']), vlans)!);
  }

  /** Undefined where there is none, or none for these eyes; one that was merged is found under its new number. */
  get(id: number, vlans?: readonly string[]): IncidentDetails | undefined {
    const found = this.#table.sql.get('SELECT * FROM triage_incidents WHERE id = ?', id);
    if (found === undefined) return undefined;
    const merged = Number(found['merged_into']);
    if (merged !== 0) return this.get(merged, vlans);
    const summary = this.#summary(id, vlans);
    if (summary === undefined) return undefined;
    const [seen, values] = visible(vlans);
    return {
      ...summary,
      items: this.#table.select(`a.incident = ? AND ${seen}`, [id, ...values], 'a.time, a.id', SHOWN).map(toItem),
      history: this.#history(id),
    };
  }

  /** A person puts one incident into another. */
  merge(id: number, into: number, who: string): boolean {
    return this.#table.atomic(() => {
      if (id === into || this.#summary(id) === undefined || this.#summary(into) === undefined) return false;
      this.#move(id, into, { who, cause: '' });
      return true;
    });
  }

  /** A person takes alerts out of an incident into a new one, or out of all. Gives the number of the new one. */
  split(id: number, uids: readonly string[], who: string, into: 'new' | 'none'): number | undefined {
    const table = this.#table;
    return table.atomic(() => {
      const rows = uids.map((uid) => table.byUid(uid)).filter((row) => row?.incident === id) as TriageRow[];
      if (rows.length === 0 || rows.length !== uids.length) return undefined;
      const target = into === 'new' ? this.#create(rows[0]!) : 0;
      for (const row of rows)
        table.change(row, { incident: target, pinned: 1 }, 'split from an incident', { who, cause: `incident ${id}` });
      this.#note(id, who, `${rows.length} alerts split off${target === 0 ? '' : ` to incident ${target}`}`);
      if (target !== 0) this.#note(target, who, `split from incident ${id}`);
      return target;
    });
  }

  /** A person puts alerts into an incident. */
  add(id: number, uids: readonly string[], who: string): boolean {
    const table = this.#table;
    return table.atomic(() => {
      const rows = uids.map((uid) => table.byUid(uid));
      if (this.#summary(id) === undefined || rows.some((row) => row === undefined)) return false;
      for (const row of rows as TriageRow[])
        table.change(row, { incident: id, pinned: 1 }, 'joined an incident', { who, cause: '' });
      this.#note(id, who, `${rows.length} alerts added`);
      return true;
    });
  }

  #create(row: TriageRow): number {
    return this.#table.sql.run(
      'INSERT INTO triage_incidents (uid, created_ms) VALUES (?, ?)',
      `I${row.uid}`,
      this.#table.now(),
    ).id;
  }

  #move(from: number, into: number, actor: Actor): void {
    const table = this.#table;
    for (const row of table.select('a.incident = ?', [from], 'a.id', 100_000))
      table.change(row, { incident: into, ...(actor.who === '' ? {} : { pinned: 1 }) }, 'incident merged', actor);
    table.sql.run('UPDATE triage_incidents SET merged_into = ? WHERE id = ?', into, from);
    this.#note(into, actor.who, `incident ${from} merged into it${actor.cause === '' ? '' : ` (${actor.cause})`}`);
  }

  #note(id: number, who: string, what: string): void {
    this.#table.sql.run(
      'INSERT INTO triage_incident_history (incident, at_ms, who, what) VALUES (?, ?, ?, ?)',
      id,
      this.#table.now(),
      who,
      what,
    );
  }

  #history(id: number): HistoryEntry[] {
    return this.#table.sql
      .all('SELECT * FROM triage_incident_history WHERE incident = ? ORDER BY id LIMIT 500', id)
      .map((row) => ({
        id: Number(row['id']),
        at: Number(row['at_ms']),
        who: String(row['who']),
        what: String(row['what']),
        cause: '',
        changes: {},
        comment: '',
      }));
  }

  #summary(id: number, vlans?: readonly string[]): Incident | undefined {
    const { sql } = this.#table;
    const [seen, values] = visible(vlans);
    const row = sql.get(
      `SELECT i.id, i.created_ms, count(*) AS n, sum(a.shelf < 2) AS open, max(a.severity) AS severity,
         min(a.time) AS first, max(a.time) AS last
       FROM triage_incidents i JOIN triage_alerts a ON a.incident = i.id
       WHERE i.id = ? AND i.merged_into = 0 AND ${seen} GROUP BY i.id`,
      id,
      ...values,
    );
    if (row === undefined) return undefined;
    const members = sql.all(
      `SELECT a.uid, a.severity, a.device, a.attacks FROM triage_alerts a WHERE a.incident = ? AND ${seen} ORDER BY a.time, a.id LIMIT ${SHOWN}`,
      id,
      ...values,
    );
    const devices = [...new Set(members.map((one) => String(one['device'])))];
    const lead = members.find((one) => Number(one['severity']) === Number(row['severity'])) ?? members[0];
    const attacks = [...new Set(members.flatMap((one) => JSON.parse(String(one['attacks'])) as string[]))].sort();
    return {
      id,
      title: titleOf(Number(row['n']), devices),
      lead: String(lead?.['uid'] ?? ''),
      created: Number(row['created_ms']),
      alerts: Number(row['n']),
      open: Number(row['open']),
      severity: Number(row['severity']),
      first: Number(row['first']),
      last: Number(row['last']),
      devices: devices.slice(0, 64),
      attacks: attacks.slice(0, 64),
    };
  }
}

function visible(vlans: readonly string[] | undefined): [string, string[]] {
  if (vlans === undefined) return ['1', []];
  const list = vlans.slice(0, 500);
  return [list.length === 0 ? '0' : `a.vlan IN (${list.map(() => '?').join(', ')})`, list];
}

function titleOf(alerts: number, devices: readonly string[]): string {
  const more = devices.length - 1;
  return `${alerts} alerts from ${devices[0] ?? 'unknown'}${more > 0 ? ` and ${more} more device${more === 1 ? '' : 's'}` : ''}`;
}

function valuesOf(row: TriageRow, prefix: string, except = ''): string[] {
  return row.facets
    .filter((facet) => facet.startsWith(prefix))
    .map((facet) => facet.slice(prefix.length))
    .filter((value) => value !== except);
}

function toAlert(row: TriageRow, parties: readonly string[], outside: readonly string[]): IncidentAlert {
  return {
    uid: row.uid,
    time: row.time,
    severity: row.own_severity,
    device: row.device,
    parties,
    outside,
    attacks: row.attacks,
  };
}
