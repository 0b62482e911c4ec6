/** What the rule of incidents looks at. */
export interface IncidentAlert {
  readonly uid: string;
  /** Epoch milliseconds. */
  readonly time: number;
  readonly severity: number;
  /** Key of the device that acts. */
  readonly device: string;
  /** Keys of the other monitored devices. */
  readonly parties: readonly string[];
  /** Names of ends that are not monitored: addresses outside. */
  readonly outside: readonly string[];
  /** ATT&CK technique ids. */
  readonly attacks: readonly string[];
}

/** Alerts further apart than this are never related by themselves. */
export const INCIDENT_SPAN_MS = 24 * 3_600_000;

/** Why two alerts belong to one incident. */
export type Relation = 'same source' | 'victim acts' | 'same outside host';

const shares = (a: readonly string[], b: readonly string[]): boolean => a.some((one) => b.includes(one));

/** Sub-techniques count as their technique: T1071.001 and T1071 are one way of doing it. */
const techniques = (alert: IncidentAlert): string[] => alert.attacks.map((id) => id.split('.', 1)[0]!);

/**
 * The rule, as docs/explanation/incidents.md puts it in words. It looks at two alerts alone and is symmetric, so
 * that the incidents, which are the chains it makes, do not depend on the order in which alerts arrive.
 */
export function relationOf(one: IncidentAlert, other: IncidentAlert): Relation | undefined {
  const [a, b] =
    one.time < other.time || (one.time === other.time && one.uid < other.uid) ? [one, other] : [other, one];
  if (a.uid === b.uid || b.time - a.time > INCIDENT_SPAN_MS) return undefined;
  // What is worth no more than a note ties nothing together.
  if (a.severity < 2 || b.severity < 2) return undefined;
  const grave = a.severity >= 3 && b.severity >= 3;
  const sameWay = shares(techniques(a), techniques(b));
  if (a.device === b.device && (sameWay || grave)) return 'same source';
  if (a.severity >= 3 && a.parties.includes(b.device)) return 'victim acts';
  if (sameWay && shares(a.outside, b.outside)) return 'same outside host';
  return undefined;
}

/** An incident as a list of alerts, the earliest first, named after it. */
export interface IncidentGroup {
  readonly uid: string;
  readonly alerts: readonly string[];
  readonly relations: readonly Relation[];
}

/** Groups all alerts at once; those that are related to none are no incident. The order of `alerts` does not matter. */
export function groupIncidents(alerts: readonly IncidentAlert[]): IncidentGroup[] {
  const sorted = [...alerts].sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
  const parent = sorted.map((_, i) => i);
  const root = (i: number): number => {
    while (parent[i] !== i) i = parent[i] = parent[parent[i]!]!;
    return i;
  };
  const why = new Map<number, Set<Relation>>();
  const byName = new Map<string, number[]>();
  sorted.forEach((alert, i) => {
    const names = new Set([alert.device, ...alert.parties, ...alert.outside]);
    for (const name of names) {
      const others = byName.get(name) ?? [];
      byName.set(name, others);
      for (const j of others) {
        const relation = relationOf(sorted[j]!, alert);
        if (relation === undefined) continue;
        const [low, high] = [root(i), root(j)].sort((x, y) => x - y) as [number, number];
        parent[high] = low;
        const reasons = new Set([...(why.get(low) ?? []), ...(why.get(high) ?? []), relation]);
        why.delete(high);
        why.set(low, reasons);
      }
      others.push(i);
    }
  });
  const groups = new Map<number, number[]>();
  sorted.forEach((_, i) => {
    const r = root(i);
    groups.set(r, [...(groups.get(r) ?? []), i]);
  });
  return [...groups]
    .filter(([, members]) => members.length > 1)
    .map(([r, members]) => ({
      uid: `I${sorted[members[0]!]!.uid}`,
      alerts: members.map((i) => sorted[i]!.uid),
      relations: [...(why.get(r) ?? [])].sort(),
    }));
}
