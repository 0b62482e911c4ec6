import type { BusDelivery, BusPositions } from '../bus/bus.ts';
import type { FrameBatch } from '../kernel/frames.ts';
import { describeError } from '../kernel/errors.ts';
import type { Reporter } from '../kernel/component.ts';
import { StateReader, StateWriter } from '../state/codec.ts';
import type { AnyStateClass } from '../state/codec.ts';
import type { FoundState, StateKeeper, StateLease } from '../state/keeper.ts';

/** What watches one partition, as far as its state is concerned (see HotPath). */
export interface Watcher {
  readonly nowUs: number;
  process(batch: FrameBatch): void;
  /** See HotPath.save. */
  save(writer: StateWriter, rewindUs: number): number;
  restore(reader: StateReader): readonly string[];
  rewind(batch: FrameBatch): void;
  endRewind(): number;
  /** See HotPath.interruptedBySave. */
  interruptedBySave(rewindUs: number): number;
}

export interface PartitionWorkDeps<W extends Watcher> {
  readonly keeper: StateKeeper;
  readonly classes: readonly AnyStateClass[];
  readonly reporter: Reporter;
  readonly rewindS: number;
  /** Where the state of a partition lies. */
  scopeOf(partition: number): string;
  /** A watcher that knows nothing yet. */
  open(partition: number): Promise<W>;
  /** Called for a watcher that goes on where a stored one stood. */
  resumed(watcher: W): void;
  /** Called for a watcher for which no state was found, before its first record. */
  begin(watcher: W): Promise<void>;
  /** Stores all rows that were made until now. State is stored only after the rows of what it has seen. */
  storeRows(): Promise<void>;
  commit(delivery: BusDelivery): Promise<void>;
  /** The watcher's partition is another's now, or over. */
  close(partition: number, watcher: W, why: 'lost' | 'end'): void;
  devices(watcher: W): number;
  /** Something is missing before these frames (see BusDelivery). */
  lost?(watcher: W, lost: NonNullable<BusDelivery['lost']>, batch: FrameBatch): void;
  told(message: string): void;
}

type Mark = readonly [offset: bigint, us: number];

interface Work<W> {
  readonly watcher: W;
  lease: StateLease;
  /** Offset after the last record that the watcher has seen. */
  next: bigint;
  /** Records before this one are read once more, none of their output counts. */
  rewindUntil: bigint | undefined;
  /** Offset after the last record that was read once more. */
  rewound: bigint;
  /** Where recent records lie in time, ascending. */
  marks: Mark[];
  last: BusDelivery | undefined;
  /** Records since the last stored state. */
  unsaved: number;
}

/** Marks are at least so far apart: as many as a rewind needs to begin where it should. */
const MARK_US = 1_000_000;

/**
 * Works partitions so that what comes out is the same whatever happens to the process: state and the offset it
 * stands for are stored together, after the rows made up to there; whoever takes a partition over begins at the
 * stored state. See docs/explanation/state.md.
 */
export class PartitionWork<W extends Watcher> {
  readonly #deps: PartitionWorkDeps<W>;
  readonly #works = new Map<number, Work<W>>();

  constructor(deps: PartitionWorkDeps<W>) {
    this.#deps = deps;
  }

  get watchers(): readonly W[] {
    return [...this.#works.values()].map((w) => w.watcher);
  }

  /** Records whose state is not stored yet. */
  get unsaved(): number {
    let n = 0;
    for (const work of this.#works.values()) n += work.unsaved;
    return n;
  }

  /** A new assignment: everything is taken up from what is stored. Returns where to begin. */
  async assign(partitions: readonly number[]): Promise<BusPositions> {
    const positions = new Map<number, bigint>();
    for (const [partition, work] of this.#works) {
      const keeps = partitions.includes(partition) && (await work.lease.isMine());
      if (!keeps) {
        this.#works.delete(partition);
        this.#deps.close(partition, work.watcher, 'lost');
        continue;
      }
      // Nobody had it in between: it goes on behind the last record that it has seen.
      if (work.rewindUntil === undefined) positions.set(partition, work.next);
      else {
        this.#works.delete(partition);
        this.#deps.close(partition, work.watcher, 'lost');
      }
      work.last = undefined;
    }
    for (const partition of partitions) {
      if (this.#works.has(partition)) continue;
      const work = await this.#takeUp(partition);
      this.#works.set(partition, work);
      const { found } = work.lease;
      if (found !== undefined && work.rewindUntil !== undefined) positions.set(partition, found.rewindOffset);
    }
    return positions;
  }

  async #takeUp(partition: number): Promise<Work<W>> {
    const lease = await this.#deps.keeper.take(this.#deps.scopeOf(partition));
    const { found, refused } = lease;
    for (const why of refused) this.#deps.told(`partition ${partition}: a stored state is passed over: ${why}`);
    const restored = found === undefined ? undefined : await this.#restore(partition, found);
    if (found !== undefined && restored !== undefined) {
      const marks = [...found.marks];
      return {
        watcher: restored,
        lease,
        next: found.offset,
        rewindUntil: found.offset,
        rewound: 0n,
        marks,
        last: undefined,
        unsaved: 0,
      };
    }
    const watcher = await this.#deps.open(partition);
    await this.#deps.begin(watcher);
    return { watcher, lease, next: 0n, rewindUntil: undefined, rewound: 0n, marks: [], last: undefined, unsaved: 0 };
  }

  async #restore(partition: number, found: FoundState): Promise<W | undefined> {
    const watcher = await this.#deps.open(partition);
    try {
      const anew = watcher.restore(new StateReader(found.blocks, this.#deps.classes));
      this.#deps.resumed(watcher);
      this.#deps.told(`partition ${partition}: restored ${found.devices} devices`);
      if (anew.length > 0) this.#deps.told(`these detectors begin anew, they are new or changed: ${anew.join(', ')}`);
      return watcher;
    } catch (error) {
      this.#deps.told(`partition ${partition} begins anew: ${describeError(error)}`);
      return undefined;
    }
  }

  /** Takes a record. It counts as dealt with when {@link PartitionWork.save} has stored its state. */
  take(delivery: BusDelivery): void {
    const { partition, offset, batch } = delivery;
    const work = this.#works.get(partition);
    if (work === undefined) return;
    if (work.rewindUntil !== undefined) {
      if (offset < work.rewindUntil) {
        if (offset >= work.rewound) work.watcher.rewind(batch);
        work.rewound = offset + 1n;
        return;
      }
      this.#endRewind(work);
    }
    // Delivered twice: it has been seen.
    if (offset < work.next) return;
    if (batch.count > 0) {
      const us = batch.tsUs[0]!;
      const lastMark = work.marks.at(-1);
      if (lastMark === undefined || us - lastMark[1] >= MARK_US) work.marks.push([offset, us]);
    }
    if (delivery.lost !== undefined) this.#deps.lost?.(work.watcher, delivery.lost, batch);
    work.watcher.process(batch);
    work.next = offset + 1n;
    work.last = delivery;
    work.unsaved++;
  }

  #endRewind(work: Work<W>): void {
    const lost = work.watcher.endRewind();
    work.rewindUntil = undefined;
    if (lost > 0) {
      this.#deps.reporter.count('state_resynchronised_flows', lost);
      this.#deps.reporter.log('info', 'conversations go on as after a loss', { flows: lost });
    }
  }

  /** False where a snapshot would interrupt a conversation: a few records later it mostly does not. */
  get isGoodMoment(): boolean {
    const rewindUs = this.#deps.rewindS * 1e6;
    return this.watchers.every((w) => w.interruptedBySave(rewindUs) === 0);
  }

  /** Stores rows, then the state of all partitions, then tells the group. */
  async save(): Promise<void> {
    const taken = [...this.#works];
    // What the state has seen is fixed now; records that come while it is being stored belong to the next one.
    const saved = taken.map(([partition, work]) => ({ partition, work, made: this.#snapshot(work) }));
    await this.#deps.storeRows();
    for (const { partition, work, made } of saved) {
      if (made === undefined || this.#works.get(partition) !== work) continue;
      const { blocks, delivery, records, point } = made;
      if (!(await work.lease.save(blocks, point))) {
        // The group has not told us of another owner: one that it has put out may have come late, and a partition
        // that nobody stores would stand still. If we are the one put out, the group tells us soon; until then two
        // work, and what they make has the same ids.
        this.#deps.reporter.count('state_overtaken');
        work.lease = await this.#deps.keeper.take(this.#deps.scopeOf(partition));
        continue;
      }
      work.unsaved -= records;
      if (delivery === undefined) continue;
      try {
        await this.#deps.commit(delivery);
      } catch (error) {
        // The state is stored and says where to begin; the group's own offset is for people and lag metrics.
        this.#deps.reporter.log('warn', 'a position was not committed; it is tried again with the next', {
          partition,
          error: describeError(error),
        });
      }
    }
  }

  #snapshot(work: Work<W>) {
    if (work.unsaved === 0 || work.rewindUntil !== undefined) return undefined;
    const { watcher, marks, next } = work;
    const rewindUs = this.#deps.rewindS * 1e6;
    const writer = new StateWriter(this.#deps.classes);
    const fromUs = watcher.save(writer, rewindUs);
    const blocks = writer.finish();
    // The record before the first mark that is too late; one more, because frames may lie a little out of order.
    let at = marks.length;
    while (at > 0 && marks[at - 1]![1] > fromUs) at--;
    const rewindOffset = fromUs === Infinity ? next : (marks[Math.max(0, at - 2)]?.[0] ?? next);
    let old = 0;
    while (old + 2 < marks.length && marks[old + 2]![1] < watcher.nowUs - rewindUs) old++;
    work.marks = marks.slice(old);
    const point = {
      offset: next,
      rewindOffset,
      eventUs: watcher.nowUs,
      marks: work.marks,
      devices: this.#deps.devices(watcher),
    };
    return { blocks, point, delivery: work.last, records: work.unsaved };
  }

  /** The end: rows and state are stored, then the watchers are closed. */
  async end(): Promise<void> {
    await this.save();
    for (const [partition, work] of this.#works) this.#deps.close(partition, work.watcher, 'end');
    this.#works.clear();
  }
}
