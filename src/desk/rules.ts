import { MAX_DECISIONS } from '../alerts/decisions.ts';
import type { Decision, Scope } from '../alerts/decisions.ts';
import type { Actor, TriageFields, TriageRow, TriageTable } from './triage-table.ts';
import { whereOf } from './triage-sql.ts';
import type { SqlRow } from './triage-sql.ts';
import type { Resolution, TriageFilter } from './triage-rows.ts';

/**
 * The three acts. Learn: this is normal now. Mute: hide it, learn nothing. Close: dealt with; a repeat is a new
 * alert, unless the rule holds until a time, and then closes what comes until then.
 */
export type Act = 'learn' | 'mute' | 'close';

export interface NewRule {
  readonly act: Act;
  readonly scope: Scope;
  readonly reason: string;
  /** What alerts are resolved as, by learn and close. */
  readonly resolution: Resolution;
  /** Epoch milliseconds; 0 for a rule without an end (a close acts once then). */
  readonly until: number;
}

export interface Rule extends NewRule {
  readonly id: number;
  readonly owner: string;
  readonly created: number;
  /** Epoch microseconds of event time from which detectors obey it; 0 where they have not said so yet. */
  readonly effective_us: number;
  /** Epoch milliseconds; 0 where it was not undone. */
  readonly undone: number;
  readonly undone_by: string;
  /** Alerts and findings it has acted on. */
  readonly matches: number;
  /** Epoch milliseconds of the wall clock; 0 for never. */
  readonly last_match: number;
  /** `active`, `over` (its time is past, or a close that acted once), `undone`. */
  readonly status: 'active' | 'over' | 'undone';
  /** Worth a look: `never matches` for long, `expires soon`. */
  readonly remark: '' | 'never matches' | 'expires soon';
}

/** What a rule would have done. */
export interface Preview {
  /** Alerts of the last 30 days in its scope, and those that are open now, which it would act on. */
  readonly alerts: number;
  readonly open: number;
  readonly by_severity: Readonly<Record<string, number>>;
  readonly devices: number;
  readonly from: number;
  readonly to: number;
  /** Uids of the worst. */
  readonly examples: readonly string[];
}

export interface MaintenanceWindow {
  readonly id: number;
  readonly title: string;
  readonly scope: Scope;
  readonly act: 'informational' | 'mute';
  /** Epoch milliseconds of event time. */
  readonly from: number;
  readonly to: number;
  readonly owner: string;
  readonly created: number;
  readonly removed: number;
  readonly alerts: number;
}
export type NewWindow = Pick<MaintenanceWindow, 'title' | 'scope' | 'act' | 'from' | 'to'>;

const DAY_MS = 86_400_000;
const PREVIEW_MS = 30 * DAY_MS;
/** A rule that has met nothing for so long is shown as one to remove. */
const IDLE_MS = 30 * DAY_MS;
const SOON_MS = 3 * DAY_MS;
/** Alerts changed in one transaction; other work of the process has its turn between them. */
const CHUNK = 500;

const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Learn, mute and close, and the maintenance calendar: what acts on many alerts at once, and can be taken back. */
export class Rules {
  readonly #table: TriageTable;
  #active: Rule[] | undefined;
  #windows: MaintenanceWindow[] | undefined;
  #onDecisions: (decisions: readonly Decision[]) => void = () => {};

  constructor(table: TriageTable) {
    this.#table = table;
  }

  /** Called with the whole list whenever what detectors have to know has changed. */
  onDecisions(listener: (decisions: readonly Decision[]) => void): void {
    this.#onDecisions = listener;
  }

  rules(): Rule[] {
    return this.#table.sql
      .all('SELECT * FROM triage_rules ORDER BY id DESC LIMIT 2000')
      .map((row) => this.#toRule(row));
  }

  rule(id: number): Rule | undefined {
    const row = this.#table.sql.get('SELECT * FROM triage_rules WHERE id = ?', id);
    return row === undefined ? undefined : this.#toRule(row);
  }

  /** Room for another one: detectors look through all of them at every finding. */
  get isFull(): boolean {
    return this.#activeRules().length >= MAX_DECISIONS;
  }

  /** What detectors have to obey: mutes and learns in force. */
  decisions(): Decision[] {
    return this.#activeRules().flatMap((rule) => toDecision(rule, rule.until * 1000));
  }

  /** Those, and what detectors have obeyed until it was undone: the input of a replay of what they have seen. */
  logged(): Decision[] {
    const undone = this.#table.sql.all(
      "SELECT * FROM triage_rules WHERE undone_ms > 0 AND ended_us > 0 AND act <> 'close' ORDER BY id DESC LIMIT ?",
      MAX_DECISIONS,
    );
    const past = undone.flatMap((row) => toDecision(this.#toRule(row), Number(row['ended_us'])));
    return [...this.decisions(), ...past].slice(0, MAX_DECISIONS);
  }

  /** Epoch milliseconds at which the rule behind a decision was made; 0 where there is none. */
  madeAt(id: string): number {
    return this.rule(ruleNumber(id))?.created ?? 0;
  }

  /**
   * Detectors have logged from when on they obey, until when they did, and how many findings each decision has met
   * since. Of several that began at different times the last one counts, and the first that ended: before and after
   * that, one of them showed what it found.
   */
  obeyed(decisions: readonly Decision[], hits: Readonly<Record<string, number>> = {}): void {
    this.#table.atomic(() => {
      for (const { id, from_us, until_us } of decisions) {
        const rule = ruleNumber(id);
        const { sql } = this.#table;
        sql.run('UPDATE triage_rules SET effective_us = max(effective_us, ?) WHERE id = ?', from_us, rule);
        if (until_us > 0)
          sql.run(
            `UPDATE triage_rules SET ended_us = CASE ended_us WHEN 0 THEN ? ELSE min(ended_us, ?) END
             WHERE id = ? AND undone_ms > 0`,
            until_us,
            until_us,
            rule,
          );
      }
      for (const [id, n] of Object.entries(hits)) this.#matched(ruleNumber(id), n);
    });
    this.#active = undefined;
  }

  preview(scope: Scope, nowMs: number, vlans?: readonly string[]): Preview {
    const { sql } = this.#table;
    const from = nowMs - PREVIEW_MS;
    const filter: TriageFilter = { ...scope, state: 'all', muted: 'with', vlans };
    const where = whereOf(sql, filter);
    const recent = `${where.sql} AND a.time >= ? AND a.time <= ?`;
    const bySeverity: Record<string, number> = {};
    let alerts = 0;
    let open = 0;
    for (const row of sql.all(
      `SELECT a.severity AS severity, count(*) AS n, sum(a.shelf < 2) AS open FROM triage_alerts a WHERE ${recent} GROUP BY a.severity`,
      ...where.values,
      from,
      nowMs,
    )) {
      bySeverity[String(row['severity'])] = Number(row['n']);
      alerts += Number(row['n']);
      open += Number(row['open']);
    }
    // What is open is acted on however old it is.
    open = sql.number(`SELECT count(*) FROM triage_alerts a WHERE ${where.sql} AND a.shelf < 2`, ...where.values);
    const devices = sql.number(
      `SELECT count(DISTINCT a.device) FROM triage_alerts a WHERE ${recent}`,
      ...where.values,
      from,
      nowMs,
    );
    const examples = this.#table
      .select(recent, [...where.values, from, nowMs], 'a.severity DESC, a.time DESC', 5)
      .map((row) => row.uid);
    return { alerts, open, by_severity: bySeverity, devices, from, to: nowMs, examples };
  }

  /** Makes a rule and acts on what is open. Resolves when it has acted on all of it; a crash between goes on later. */
  async create(rule: NewRule, owner: string): Promise<Rule> {
    const table = this.#table;
    const { id } = table.atomic(() =>
      table.sql.run(
        `INSERT INTO triage_rules (act, scope, reason, resolution, until_ms, owner, created_ms, pending)
         VALUES (?, ?, ?, ?, ?, ?, ?, 1)`,
        rule.act,
        JSON.stringify(rule.scope),
        rule.reason,
        rule.resolution,
        rule.until,
        owner,
        table.now(),
      ),
    );
    this.#changed();
    await this.#applyToOpen(this.rule(id)!);
    return this.rule(id)!;
  }

  /** Takes back what the rule did, where nobody has decided otherwise since. */
  async undo(id: number, who: string): Promise<Rule | undefined> {
    const table = this.#table;
    const before = this.rule(id);
    if (before === undefined || before.undone !== 0) return before;
    table.atomic(() =>
      table.sql.run(
        'UPDATE triage_rules SET undone_ms = ?, undone_by = ?, pending = 1 WHERE id = ?',
        table.now(),
        who,
        id,
      ),
    );
    this.#changed();
    await this.#takeBack(id, who);
    return this.rule(id);
  }

  /** Goes on with what a crash interrupted. */
  async resume(): Promise<void> {
    for (const row of this.#table.sql.all('SELECT * FROM triage_rules WHERE pending = 1 ORDER BY id')) {
      const rule = this.#toRule(row);
      if (rule.undone === 0) await this.#applyToOpen(rule);
      else await this.#takeBack(rule.id, rule.undone_by);
    }
  }

  /** Applies all rules in force and the calendar to an alert that has arrived or changed. */
  apply(row: TriageRow): TriageRow {
    let after = this.#applyWindows(row);
    for (const rule of this.#activeRules()) {
      if (!this.#acts(rule, after)) continue;
      const filter: TriageFilter = { ...rule.scope, state: 'all', muted: 'with' };
      const where = whereOf(this.#table.sql, filter, true);
      if (
        this.#table.sql.get(`SELECT 1 FROM triage_alerts a WHERE a.id = ? AND ${where.sql}`, after.id, ...where.values)
      )
        after = this.#act(rule, after);
    }
    return after;
  }

  windows(): MaintenanceWindow[] {
    this.#windows ??= this.#table.sql
      .all(
        `SELECT w.*, (SELECT count(*) FROM triage_alerts a WHERE a.maintenance = w.id) AS alerts
         FROM triage_windows w ORDER BY w.from_ms DESC LIMIT 2000`,
      )
      .map(toWindow);
    return this.#windows;
  }

  async addWindow(window: NewWindow, owner: string): Promise<MaintenanceWindow> {
    const table = this.#table;
    const { id } = table.atomic(() =>
      table.sql.run(
        'INSERT INTO triage_windows (title, scope, act, from_ms, to_ms, owner, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
        window.title,
        JSON.stringify(window.scope),
        window.act,
        window.from,
        window.to,
        owner,
        table.now(),
      ),
    );
    this.#windows = undefined;
    const where = whereOf(table.sql, {
      ...window.scope,
      from_ms: window.from,
      to_ms: window.to,
      state: 'all',
      muted: 'with',
    });
    await this.#each(`a.maintenance = 0 AND ${where.sql}`, where.values, (row) => this.#applyWindows(row));
    this.#windows = undefined;
    return this.windows().find((one) => one.id === id)!;
  }

  /** Removes a window and takes its marks off. */
  async removeWindow(id: number, who: string): Promise<MaintenanceWindow | undefined> {
    const table = this.#table;
    const found = this.windows().find((one) => one.id === id);
    if (found === undefined || found.removed !== 0) return found;
    table.atomic(() => table.sql.run('UPDATE triage_windows SET removed_ms = ? WHERE id = ?', table.now(), id));
    this.#windows = undefined;
    await this.#each('a.maintenance = ?', [id], (row) => {
      const plain = table.change(
        row,
        { maintenance: 0, severity: row.own_severity, ...(row.muted === -id ? { muted: 0 } : {}) },
        'maintenance window removed',
        { who, cause: `window ${id}` },
      );
      return this.apply(plain);
    });
    this.#windows = undefined;
    return this.windows().find((one) => one.id === id);
  }

  #changed(): void {
    this.#active = undefined;
    this.#onDecisions(this.decisions());
  }

  #activeRules(): Rule[] {
    const now = this.#table.now();
    this.#active ??= this.#table.sql
      .all("SELECT * FROM triage_rules WHERE undone_ms = 0 AND (act <> 'close' OR until_ms > 0) ORDER BY id")
      .map((row) => this.#toRule(row));
    return this.#active.filter((rule) => rule.until === 0 || rule.until > now);
  }

  #acts(rule: Rule, row: TriageRow): boolean {
    return rule.act === 'mute' ? row.muted === 0 && row.state !== 'resolved' : row.state !== 'resolved';
  }

  #act(rule: Rule, row: TriageRow): TriageRow {
    const wanted: Partial<TriageFields> =
      rule.act === 'mute'
        ? { muted: rule.id }
        : { state: 'resolved', resolution: rule.resolution, note: rule.reason, resolved_by: rule.id };
    const what = rule.act === 'mute' ? 'muted' : rule.act === 'learn' ? 'learned' : 'closed';
    const before = Object.fromEntries(Object.keys(wanted).map((name) => [name, row[name as keyof TriageFields]]));
    this.#table.sql.run(
      'INSERT OR REPLACE INTO triage_effects VALUES (?, ?, ?)',
      rule.id,
      row.id,
      JSON.stringify(before),
    );
    this.#matched(rule.id, 1);
    return this.#table.change(row, wanted, what, { who: rule.owner, cause: `rule ${rule.id}` });
  }

  #matched(rule: number, n: number): void {
    this.#table.sql.run(
      'UPDATE triage_rules SET matches = matches + ?, last_match_ms = ? WHERE id = ?',
      n,
      this.#table.now(),
      rule,
    );
  }

  async #applyToOpen(rule: Rule): Promise<void> {
    const where = whereOf(this.#table.sql, { ...rule.scope, state: 'open', muted: 'with' });
    const what = rule.act === 'mute' ? 'a.muted = 0 AND ' : '';
    await this.#each(`${what}${where.sql}`, where.values, (row) =>
      this.#acts(rule, row) ? this.#act(rule, row) : row,
    );
    this.#table.atomic(() => this.#table.sql.run('UPDATE triage_rules SET pending = 0 WHERE id = ?', rule.id));
    this.#active = undefined;
  }

  async #takeBack(id: number, who: string): Promise<void> {
    const table = this.#table;
    const actor: Actor = { who, cause: `rule ${id}` };
    for (;;) {
      const effects = table.sql.all('SELECT * FROM triage_effects WHERE rule = ? ORDER BY alert LIMIT ?', id, CHUNK);
      table.atomic(() => {
        for (const effect of effects) {
          const row = table.byId(Number(effect['alert']));
          table.sql.run('DELETE FROM triage_effects WHERE rule = ? AND alert = ?', id, Number(effect['alert']));
          if (row === undefined) continue;
          // Only what still stands as the rule left it: what a person decided since is theirs.
          const before = JSON.parse(String(effect['before'])) as Partial<TriageFields>;
          const isOurs = 'muted' in before ? row.muted === id : row.resolved_by === id && row.state === 'resolved';
          if (!isOurs) continue;
          // Another rule may want what this one let go.
          this.apply(table.change(row, before, 'undone', actor));
        }
        if (effects.length < CHUNK) table.sql.run('UPDATE triage_rules SET pending = 0 WHERE id = ?', id);
      });
      if (effects.length < CHUNK) break;
      await breathe();
    }
    this.#active = undefined;
  }

  /** Every alert that meets a condition, in transactions of a bounded size. */
  async #each(
    where: string,
    values: Parameters<TriageTable['select']>[1],
    work: (row: TriageRow) => TriageRow,
  ): Promise<void> {
    let after = 0;
    for (;;) {
      const rows = this.#table.select(`a.id > ? AND ${where}`, [after, ...values], 'a.id', CHUNK);
      this.#table.atomic(() => rows.forEach(work));
      if (rows.length < CHUNK) return;
      after = rows.at(-1)!.id;
      await breathe();
    }
  }

  #applyWindows(row: TriageRow): TriageRow {
    if (row.maintenance !== 0) return row;
    for (const window of this.windows()) {
      if (window.removed !== 0 || row.time < window.from || row.time > window.to) continue;
      const where = whereOf(this.#table.sql, { ...window.scope, state: 'all', muted: 'with' }, true);
      if (
        !this.#table.sql.get(`SELECT 1 FROM triage_alerts a WHERE a.id = ? AND ${where.sql}`, row.id, ...where.values)
      )
        continue;
      return this.#table.change(
        row,
        {
          maintenance: window.id,
          severity: 1,
          // A window is told from a rule by its sign.
          ...(window.act === 'mute' && row.muted === 0 ? { muted: -window.id } : {}),
        },
        'in maintenance',
        { who: window.owner, cause: `window ${window.id}` },
      );
    }
    return row;
  }

  #toRule(row: SqlRow): Rule {
    const number = (name: string): number => Number(row[name]);
    const act = String(row['act']) as Act;
    const until = number('until_ms');
    const now = this.#table.now();
    const undone = number('undone_ms');
    const isOver = act === 'close' && until === 0 ? number('pending') === 0 : until > 0 && until <= now;
    const status = undone !== 0 ? 'undone' : isOver ? 'over' : 'active';
    const lastMatch = number('last_match_ms');
    const idle = now - Math.max(lastMatch, number('created_ms')) > IDLE_MS;
    return {
      id: number('id'),
      act,
      scope: JSON.parse(String(row['scope'])) as Scope,
      reason: String(row['reason']),
      resolution: String(row['resolution']) as Resolution,
      until,
      owner: String(row['owner']),
      created: number('created_ms'),
      effective_us: number('effective_us'),
      undone,
      undone_by: String(row['undone_by']),
      matches: number('matches'),
      last_match: lastMatch,
      status,
      remark:
        status !== 'active' ? '' : until > 0 && until - now < SOON_MS ? 'expires soon' : idle ? 'never matches' : '',
    };
  }
}

/** None where a rule acts on what is there alone. */
function toDecision({ id, act, scope, effective_us }: Rule, until_us: number): Decision[] {
  return act === 'close' ? [] : [{ id: `r${id}`, act, scope, from_us: effective_us, until_us }];
}

function ruleNumber(id: string): number {
  return Number(/^r(\d{1,12})$/.exec(id)?.[1] ?? 0);
}

function toWindow(row: SqlRow): MaintenanceWindow {
  const number = (name: string): number => Number(row[name]);
  return {
    id: number('id'),
    title: String(row['title']),
    scope: JSON.parse(String(row['scope'])) as Scope,
    act: String(row['act']) as MaintenanceWindow['act'],
    from: number('from_ms'),
    to: number('to_ms'),
    owner: String(row['owner']),
    created: number('created_ms'),
    removed: number('removed_ms'),
    alerts: number('alerts'),
  };
}
