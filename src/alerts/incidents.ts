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
