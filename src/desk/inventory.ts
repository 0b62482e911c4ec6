import type { DatabaseSync } from 'node:sqlite';
import { transaction } from './database.ts';

/**
 * `merge`: `device` is the same as `other`, which stands for both from then on. `split`: `device` is not part of
 * `other` after all. `distinct`: the two are two, whatever is suggested.
 */
export type MergeAct = 'merge' | 'split' | 'distinct';

/** Something that a person has said about which devices are one. */
export interface MergeEntry {
  readonly id: number;
  readonly act: MergeAct;
  readonly device: string;
  readonly other: string;
  readonly atMs: number;
  readonly who: string;
  readonly reason: string;
  /** 0 as long as it holds. */
  readonly undoneMs: number;
  readonly undoneBy: string;
}

/** Why something was not done, in words for who asked. */
export type MergeOutcome =
  { readonly kind: 'done'; readonly entry: MergeEntry } | { readonly kind: 'refused'; readonly why: string };

/** What one act has changed, so that it can be taken back: the device that stood for each before; `''` itself. */
interface Effects {
  readonly before: readonly (readonly [device: string, main: string])[];
  readonly after: readonly (readonly [device: string, main: string])[];
}

/** A device has a few hardware addresses (docking stations, randomised ones), not hundreds. */
const MAX_MEMBERS = 32;
const MAX_MERGED = 20_000;
const HISTORY = 100;

/** Which devices of the inventory are one, as people have said. What stands for several is always one of them. */
export class Merges {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Keys that are shown as part of another device, by that device. */
  all(): Map<string, string[]> {
    const members = new Map<string, string[]>();
    for (const row of this.#db.prepare('SELECT device, main FROM merges ORDER BY main, device').iterate()) {
      const main = String(row['main']);
      const list = members.get(main);
      if (list === undefined) members.set(main, [String(row['device'])]);
      else list.push(String(row['device']));
    }
    return members;
  }

  /** The key that stands for this one: itself where it was not merged. */
  mainOf(device: string): string {
    const row = this.#db.prepare('SELECT main FROM merges WHERE device = ?').get(device);
    return row === undefined ? device : String(row['main']);
  }

  /** The keys that this one stands for, its own first. */
  membersOf(main: string): string[] {
    const rows = this.#db.prepare('SELECT device FROM merges WHERE main = ? ORDER BY device').all(main);
    return [main, ...rows.map((row) => String(row['device']))];
  }

  isDistinct(a: string, b: string): boolean {
    const [low, high] = a < b ? [a, b] : [b, a];
    return this.#db.prepare('SELECT 1 FROM distinct_devices WHERE a = ? AND b = ?').get(low, high) !== undefined;
  }

  /** `device`, with all that it stands for, becomes part of what stands for `other`. */
  merge(device: string, other: string, who: string, reason: string, nowMs: number): MergeOutcome {
    return transaction(this.#db, () => {
      const main = this.mainOf(other);
      const from = this.mainOf(device);
      if (main === from) return { kind: 'refused', why: 'The two are one device already.' };
      const moved = this.membersOf(from);
      if (moved.length + this.membersOf(main).length > MAX_MEMBERS)
        return { kind: 'refused', why: `One device would have more than ${MAX_MEMBERS} parts.` };
      const count = Number(this.#db.prepare('SELECT count(*) AS n FROM merges').get()?.['n']);
      if (count >= MAX_MERGED) return { kind: 'refused', why: `There are ${MAX_MERGED} merged devices already.` };
      const effects: Effects = {
        before: moved.map((key) => [key, key === from ? '' : from]),
        after: moved.map((key) => [key, main]),
      };
      this.#apply(effects.after);
      return { kind: 'done', entry: this.#note('merge', from, main, who, reason, nowMs, effects) };
    });
  }

  /** `device` is shown by itself again. */
  split(device: string, who: string, reason: string, nowMs: number): MergeOutcome {
    return transaction(this.#db, () => {
      const main = this.mainOf(device);
      if (main === device) return { kind: 'refused', why: 'The device is not part of another one.' };
      const effects: Effects = { before: [[device, main]], after: [[device, '']] };
      this.#apply(effects.after);
      return { kind: 'done', entry: this.#note('split', device, main, who, reason, nowMs, effects) };
    });
  }

  /** The two are not one: it is not suggested again. */
  distinguish(device: string, other: string, who: string, reason: string, nowMs: number): MergeOutcome {
    return transaction(this.#db, () => {
      if (this.mainOf(device) === this.mainOf(other))
        return { kind: 'refused', why: 'The two are one device: split it first.' };
      if (this.isDistinct(device, other)) return { kind: 'refused', why: 'That was said before.' };
      this.#distinct(device, other, true);
      return {
        kind: 'done',
        entry: this.#note('distinct', device, other, who, reason, nowMs, { before: [], after: [] }),
      };
    });
  }

  /** Takes an act back, where nothing that came later rests on it; undefined where there is no such act. */
  undo(id: number, who: string, nowMs: number): MergeOutcome | undefined {
    return transaction(this.#db, () => {
      const row = this.#db.prepare('SELECT * FROM merge_acts WHERE id = ?').get(id);
      if (row === undefined) return undefined;
      const entry = entryOf(row);
      if (entry.undoneMs !== 0) return { kind: 'refused', why: 'It was taken back before.' };
      if (entry.act === 'distinct') this.#distinct(entry.device, entry.other, false);
      else {
        const { before, after } = JSON.parse(String(row['effects'])) as Effects;
        const holds = after.every(([key, main]) => this.mainOf(key) === (main === '' ? key : main));
        // What has parts cannot become one; what is a part cannot have some.
        const mains = before.map(([, main]) => main).filter((main) => main !== '');
        const fits = mains.every((main) => this.mainOf(main) === main || after.some(([key]) => key === main));
        const whole = before.every(([key, main]) => main === '' || this.membersOf(key).length === 1);
        if (!holds || !fits || !whole)
          return { kind: 'refused', why: 'The devices were merged or split again since: take that back first.' };
        this.#apply(before);
      }
      this.#db.prepare('UPDATE merge_acts SET undone_ms = ?, undone_by = ? WHERE id = ?').run(nowMs, who, id);
      return { kind: 'done', entry: { ...entry, undoneMs: nowMs, undoneBy: who } };
    });
  }

  /** What was said about these devices, the newest first. */
  history(devices: readonly string[]): MergeEntry[] {
    const marks = devices.slice(0, MAX_MEMBERS).map(() => '?');
    const keys = devices.slice(0, MAX_MEMBERS);
    return this.#db
      .prepare(
        `SELECT * FROM merge_acts WHERE device IN (${marks.join(', ')}) OR other IN (${marks.join(', ')})
         ORDER BY id DESC LIMIT ${HISTORY}`,
      )
      .all(...keys, ...keys)
      .map(entryOf);
  }

  entry(id: number): MergeEntry | undefined {
    const row = this.#db.prepare('SELECT * FROM merge_acts WHERE id = ?').get(id);
    return row === undefined ? undefined : entryOf(row);
  }

  #apply(mains: Effects['after']): void {
    const put = this.#db.prepare(
      'INSERT INTO merges (device, main) VALUES (?1, ?2) ON CONFLICT (device) DO UPDATE SET main = ?2',
    );
    const drop = this.#db.prepare('DELETE FROM merges WHERE device = ?');
    for (const [device, main] of mains)
      if (main === '') drop.run(device);
      else put.run(device, main);
  }

  #distinct(one: string, other: string, is: boolean): void {
    const pair = one < other ? [one, other] : [other, one];
    this.#db
      .prepare(
        is
          ? 'INSERT OR IGNORE INTO distinct_devices (a, b) VALUES (?, ?)'
          : 'DELETE FROM distinct_devices WHERE a = ? AND b = ?',
      )
      .run(...pair);
  }

  #note(
    act: MergeAct,
    device: string,
    other: string,
    who: string,
    reason: string,
    atMs: number,
    effects: Effects,
  ): MergeEntry {
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO merge_acts (act, device, other, at_ms, who, reason, effects) VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(act, device, other, atMs, who, reason, JSON.stringify(effects));
    return { id: Number(lastInsertRowid), act, device, other, atMs, who, reason, undoneMs: 0, undoneBy: '' };
  }
}

function entryOf(row: Readonly<Record<string, unknown>>): MergeEntry {
  return {
    id: Number(row['id']),
    act: String(row['act']) as MergeAct,
    device: String(row['device']),
    other: String(row['other']),
    atMs: Number(row['at_ms']),
    who: String(row['who']),
    reason: String(row['reason']),
    undoneMs: Number(row['undone_ms']),
    undoneBy: String(row['undone_by']),
  };
}
