import { WardwatchError } from '../kernel/errors.ts';

/**
 * Which findings and alerts a rule is about: all that is named must hold, what is left out always does.
 * Values are those of alerts: keys of devices, ids of detectors, names of services.
 */
export interface Scope {
  /** Key of the device that acts. */
  readonly device?: string;
  /** Class of that device, as in profiles/classes.json. */
  readonly device_type?: string;
  /** Any other end: key of a device, IP address or MAC address. */
  readonly peer?: string;
  readonly service?: string;
  readonly detector?: string;
  readonly vlan?: string;
  /** Epoch milliseconds of event time, both included. */
  readonly from_ms?: number;
  readonly to_ms?: number;
  /** Minutes of the day in `zone` (IANA); `to` before `from` goes over midnight. */
  readonly daily?: { readonly from: number; readonly to: number; readonly zone: string };
}

/**
 * What a person decided for findings to come. A mute hides them, a learn takes them for normal. A decision holds
 * for findings whose event time lies between `from_us` and `until_us`: it is part of the input, so that a replay
 * with the same decisions gives the same alerts.
 */
export interface Decision {
  /** Stable name of the rule behind it, such as `r12`. */
  readonly id: string;
  readonly act: 'learn' | 'mute';
  readonly scope: Scope;
  /** Epoch microseconds of event time from which it holds; 0: from when the detectors hear of it, which they log. */
  readonly from_us: number;
  /** Epoch microseconds of event time at which it ends; 0: never. */
  readonly until_us: number;
}

/** What a decision needs to know of a finding. */
export interface Judged {
  readonly detector: string;
  readonly tsUs: number;
  readonly device: { readonly key: string; readonly type: string; readonly vlan: string };
  readonly evidence: readonly {
    readonly src: JudgedEnd;
    readonly dst: JudgedEnd | undefined;
    readonly service: string;
  }[];
}
interface JudgedEnd {
  readonly device: { readonly key: string } | undefined;
  readonly ip: string;
  readonly mac: string;
}

/** What the watcher of a partition has logged of a decision: it belongs to the input, like the decision itself. */
export interface Obeyed {
  readonly id: string;
  readonly partition: number;
  /** Epoch microseconds of event time from which it obeyed, and from which on it did no more; 0: it still does. */
  readonly from_us: number;
  readonly until_us: number;
  /** Findings that the decision has met there since the process began. */
  readonly hits: number;
}

/** A finding is decided about at most so long, in event time, after what it tells of. */
const REMEMBERED_US = 86_400e6;

/** More than this in force is refused where rules are made. */
export const MAX_DECISIONS = 2000;

const clocks = new Map<string, Intl.DateTimeFormat>();

/** Minute of the day, 0 to 1439, of an epoch millisecond in a time zone. */
export function minuteOfDay(epochMs: number, zone: string): number {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    if (clocks.size < 64) clocks.set(zone, clock);
  }
  const [hours, minutes] = clock.format(epochMs).split(':').map(Number);
  return (hours ?? 0) * 60 + (minutes ?? 0);
}

/** Whether a minute of the day lies in a daily window. */
export function isWithin(minute: number, from: number, to: number): boolean {
  return from <= to ? minute >= from && minute <= to : minute >= from || minute <= to;
}

function isEnd(end: JudgedEnd | undefined, peer: string): boolean {
  return end !== undefined && (end.device?.key === peer || end.ip === peer || end.mac === peer);
}

/** Whether a finding lies in a scope. */
export function inScope(scope: Scope, finding: Judged): boolean {
  if (scope.detector !== undefined && scope.detector !== finding.detector) return false;
  const { device } = finding;
  if (scope.device !== undefined && scope.device !== device.key) return false;
  if (scope.device_type !== undefined && scope.device_type !== device.type) return false;
  if (scope.vlan !== undefined && scope.vlan !== device.vlan) return false;
  const { peer, service } = scope;
  // Every pair must go to the peer: a scan of forty hosts is not excused because one of them is allowed.
  if (peer !== undefined) {
    const pairs = finding.evidence;
    if (pairs.length === 0 || !pairs.every((pair) => isEnd(pair.src, peer) || isEnd(pair.dst, peer))) return false;
  }
  if (service !== undefined) {
    const pairs = finding.evidence;
    if (pairs.length === 0 || !pairs.every((pair) => pair.service === service)) return false;
  }
  const ms = finding.tsUs / 1000;
  if (scope.from_ms !== undefined && ms < scope.from_ms) return false;
  if (scope.to_ms !== undefined && ms > scope.to_ms) return false;
  const { daily } = scope;
  return daily === undefined || isWithin(minuteOfDay(ms, daily.zone), daily.from, daily.to);
}

/**
 * The decisions in force in one hot path. It is asked once a finding, which is rare, so it simply looks through
 * them; the first that fits wins, a learn before a mute.
 */
export class Decisions {
  #all: readonly Decision[];
  readonly #hits = new Map<string, number>();

  constructor(decisions: readonly Decision[] = []) {
    this.#all = ordered(decisions);
  }

  /** All of them, each with the time from which it holds: what a snapshot has to keep. */
  get all(): readonly Decision[] {
    return this.#all;
  }

  /** How many findings each has caught since this was last asked. */
  takeHits(): Record<string, number> {
    const hits = Object.fromEntries([...this.#hits].sort(([a], [b]) => (a < b ? -1 : 1)));
    this.#hits.clear();
    return hits;
  }

  /**
   * Takes the whole list anew. Those without a time hold from `nowUs` on, which is event time; those that were
   * here keep theirs; those that are in the list no more end now, or when `ends` says that they did. Returns all
   * with their times, the ended ones too, to be logged.
   */
  replace(
    decisions: readonly Decision[],
    nowUs: number,
    ends: ReadonlyMap<string, number> = new Map(),
  ): readonly Decision[] {
    const before = new Map(this.#all.map((one) => [one.id, one]));
    for (const { id } of decisions) before.delete(id);
    // What tells of a time before the end is still judged by it, as a replay would.
    const ended = [...before.values()]
      .map((one) => {
        const end = ends.get(one.id) ?? Math.max(1, nowUs);
        return one.until_us > 0 && one.until_us <= end ? one : { ...one, until_us: end };
      })
      .filter((one) => one.until_us > nowUs - REMEMBERED_US)
      .slice(-MAX_DECISIONS);
    const own = new Map(this.#all.map((one) => [one.id, one.from_us]));
    this.#all = ordered([
      ...decisions.map((one) => (one.from_us > 0 ? one : { ...one, from_us: own.get(one.id) ?? nowUs })),
      ...ended,
    ]);
    return this.#all;
  }

  save(): unknown {
    return { all: this.#all, hits: this.#hits };
  }

  /** What was decided since then holds from the stored event time on; what was decided before keeps its time. */
  restore(saved: unknown, present: readonly Decision[] | undefined, nowUs: number): void {
    const { all, hits } = saved as { all: readonly Decision[]; hits: Map<string, number> };
    this.#all = all;
    for (const [id, n] of hits) this.#hits.set(id, n);
    if (present !== undefined) this.replace(present, nowUs);
  }

  judge(finding: Judged): Decision | undefined {
    const all = this.#all;
    for (let i = 0; i < all.length; i++) {
      const one = all[i]!;
      if (finding.tsUs < one.from_us || (one.until_us > 0 && finding.tsUs >= one.until_us)) continue;
      if (!inScope(one.scope, finding)) continue;
      this.#hits.set(one.id, (this.#hits.get(one.id) ?? 0) + 1);
      return one;
    }
    return undefined;
  }
}

function ordered(decisions: readonly Decision[]): Decision[] {
  return [...decisions].sort((a, b) => (a.act !== b.act ? (a.act < b.act ? -1 : 1) : a.id < b.id ? -1 : 1));
}

const TEXTS = ['device', 'device_type', 'peer', 'service', 'detector', 'vlan'] as const;
const TIMES = ['from_ms', 'to_ms'] as const;

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMinute(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 1440;
}

/** Whether it is the name of a time zone that this machine knows (IANA). */
export function isZone(zone: unknown): zone is string {
  if (typeof zone !== 'string' || zone.length > 64) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

function readScope(value: unknown): Scope | undefined {
  if (!isObject(value)) return undefined;
  const scope: { -readonly [K in keyof Scope]: Scope[K] } = {};
  for (const [name, part] of Object.entries(value)) {
    const text = TEXTS.find((known) => known === name);
    const time = TIMES.find((known) => known === name);
    if (text !== undefined && typeof part === 'string' && part.length <= 512) scope[text] = part;
    else if (time !== undefined && Number.isSafeInteger(part)) scope[time] = part as number;
    else if (name === 'daily' && isObject(part)) {
      const { from, to, zone } = part;
      if (!isMinute(from) || !isMinute(to) || !isZone(zone)) return undefined;
      scope.daily = { from, to, zone };
    } else return undefined;
  }
  return scope;
}

/**
 * Reads a file of decisions: `{"decisions": [{"id", "act", "scope", "from_us", "until_us"}]}`, as
 * `GET /api/v1/rules/decisions` gives it.
 * @throws {WardwatchError} `WW_USAGE` that names the entry at fault
 */
export function readDecisions(text: string): Decision[] {
  const fail = (what: string): WardwatchError =>
    new WardwatchError('WW_USAGE', `the decisions cannot be read: ${what}`, 'take the file from the console (Rules)');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw fail('it is not JSON');
  }
  const list = isObject(parsed) ? parsed['decisions'] : undefined;
  if (!Array.isArray(list)) throw fail('there is no list `decisions`');
  if (list.length > MAX_DECISIONS) throw fail(`there are more than ${MAX_DECISIONS}`);
  return list.map((entry: unknown, i) => {
    const value = isObject(entry) ? entry : {};
    const { id, act, from_us = 0, until_us = 0 } = value;
    const scope = readScope(value['scope']);
    const isTime = (time: unknown): time is number => Number.isSafeInteger(time) && (time as number) >= 0;
    if (typeof id !== 'string' || id === '' || id.length > 64) throw fail(`entry ${i} has no \`id\``);
    if (act !== 'learn' && act !== 'mute') throw fail(`\`act\` of entry ${i} is neither learn nor mute`);
    if (scope === undefined) throw fail(`the scope of entry ${i} is not one`);
    if (!isTime(from_us) || !isTime(until_us)) throw fail(`a time of entry ${i} is not epoch microseconds`);
    return { id, act, scope, from_us, until_us };
  });
}
