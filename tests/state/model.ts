/**
 * A model of many detectors on one topic: the real coordination (PartitionWork, StateKeeper, codec, seals) over a
 * broker, a state store and a table of alerts in memory, driven by a seeded schedule of faults. What watches is
 * small and strict: what it says depends on every record that it has seen, in order, so that one record lost,
 * doubled or seen out of turn changes all that follows.
 */
import type { BusDelivery } from '../../src/bus/bus.ts';
import { createFrameBatch } from '../../src/kernel/frames.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { hashNumbers } from '../../src/lib/hash.ts';
import { createPrng } from '../../src/lib/prng.ts';
import type { Prng } from '../../src/lib/prng.ts';
import { PartitionWork } from '../../src/app/partition-work.ts';
import type { Watcher } from '../../src/app/partition-work.ts';
import type { StateReader, StateWriter } from '../../src/state/codec.ts';
import { createStateKeeper } from '../../src/state/keeper.ts';
import type { StateStore } from '../../src/state/store.ts';

/** Thrown where the process is dead: nothing after it happens. */
class Dead extends Error {}

/** One process as far as its store and its rows can tell. */
class Process {
  #alive = true;
  /** A call: it may change between two looks. */
  isAlive(): boolean {
    return this.#alive;
  }
  kill(): void {
    this.#alive = false;
  }
}

export interface Faults {
  crash: number;
  revoke: number;
  duplicate: number;
  zombie: number;
  damage: number;
}

/** Says an alert at every seventh record; a `buffer` of the last records is never stored, as payload is not. */
class ModelWatcher implements Watcher {
  nowUs = 0;
  #seen = 0;
  #sum = 7;
  #buffer: number[] = [];
  #rewinding = false;
  readonly #partition: number;
  readonly #say: (uid: string, text: string) => void;

  constructor(partition: number, say: (uid: string, text: string) => void) {
    this.#partition = partition;
    this.#say = say;
  }

  process(batch: { tsUs: Float64Array }): void {
    const us = batch.tsUs[0]!;
    this.nowUs = us;
    this.#seen++;
    this.#keep(us);
    this.#sum = hashNumbers(this.#sum, us, this.#seen, this.#buffer[0], this.#buffer.length);
    if (this.#seen % 7 === 0) this.#say(`${this.#partition}-${this.#seen}`, String(this.#sum));
  }

  save(writer: StateWriter): number {
    writer.value({ nowUs: this.nowUs, seen: this.#seen, sum: this.#sum, kept: this.#buffer.length });
    return this.#buffer[0] ?? Infinity;
  }

  restore(reader: StateReader): string[] {
    const { nowUs, seen, sum } = reader.value() as { nowUs: number; seen: number; sum: number };
    this.nowUs = nowUs;
    this.#seen = seen;
    this.#sum = sum;
    this.#rewinding = true;
    return [];
  }

  rewind(batch: { tsUs: Float64Array }): void {
    if (!this.#rewinding) throw new Error('told to rewind without need');
    this.#keep(batch.tsUs[0]!);
  }

  endRewind(): number {
    this.#rewinding = false;
    return 0;
  }

  interruptedBySave(): number {
    return 0;
  }

  #keep(us: number): void {
    this.#buffer.push(us);
    // What lies more than three seconds back is dealt with.
    while (us - this.#buffer[0]! > 3e6) this.#buffer.shift();
  }
}

const PARTITIONS = 2;

/** Every call waits for its turn, which the schedule gives; a dead process waits for ever. */
class Turns {
  readonly #waiting: (() => void)[] = [];
  readonly #random: Prng;

  constructor(random: Prng) {
    this.#random = random;
  }

  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  get count(): number {
    return this.#waiting.length;
  }

  next(): boolean {
    if (this.#waiting.length === 0) return false;
    const at = this.#random.int(this.#waiting.length);
    this.#waiting.splice(at, 1)[0]!();
    return true;
  }
}

export interface ModelResult {
  /** What is wrong: alerts that are missing, wrong, or said in two ways. */
  readonly wrong: string[];
  readonly faults: Faults;
  readonly restores: number;
}

function memoryStore(): StateStore {
  const scopes = new Map<string, Map<string, Uint8Array>>();
  const scopeOf = (scope: string): Map<string, Uint8Array> => {
    let all = scopes.get(scope);
    if (all === undefined) scopes.set(scope, (all = new Map<string, Uint8Array>()));
    return all;
  };
  return {
    where: 'in memory',
    list: (scope) => Promise.resolve([...scopeOf(scope).keys()]),
    read: (scope, name) => Promise.resolve(scopeOf(scope).get(name)),
    write: (scope, name, blob) => Promise.resolve(void scopeOf(scope).set(name, blob.slice())),
    remove: (scope, names) => {
      for (const name of names) scopeOf(scope).delete(name);
      return Promise.resolve();
    },
  };
}

/** One schedule, over a store that is empty. */
export async function runModel(seed: number, stored: StateStore = memoryStore()): Promise<ModelResult> {
  const random = createPrng(seed);
  const turns = new Turns(random);
  const faults: Faults = { crash: 0, revoke: 0, duplicate: 0, zombie: 0, damage: 0 };
  const records = 20 + random.int(40);
  const alerts = new Map<string, Set<string>>();
  let restores = 0;
  /** Calls that are on their way into the store or back: nothing else happens meanwhile. */
  let underWay = 0;

  const storeOf = (process: Process): StateStore => {
    const step = async <T>(act: () => Promise<T>): Promise<T> => {
      if (!process.isAlive()) throw new Dead();
      await turns.wait();
      // It may have died while the call was under way: then the call may have arrived or not.
      if (!process.isAlive() && random.int(2) === 0) throw new Dead();
      underWay++;
      const result = await act().finally(() => underWay--);
      if (!process.isAlive()) throw new Dead();
      return result;
    };
    return {
      where: stored.where,
      list: (scope) => step(() => stored.list(scope)),
      read: (scope, name) => step(() => stored.read(scope, name)),
      write: (scope, name, blob) => step(() => stored.write(scope, name, blob)),
      remove: (scope, names) => step(() => stored.remove(scope, names)),
    };
  };

  const batchOf = (partition: number, offset: bigint): BusDelivery => {
    const batch = createFrameBatch(1, new Uint8Array(0));
    batch.tsUs[0] = 1e12 + Number(offset) * 700_000 + partition;
    batch.count = 1;
    return { partition, offset, batch };
  };

  /** A detector: takes what it is given in turn, until it dies or the group puts it out. */
  const startDetector = () => {
    const process = new Process();
    const rows: [string, string][] = [];
    const work: PartitionWork<ModelWatcher> = new PartitionWork({
      keeper: createStateKeeper(storeOf(process), { keys: new Map(), reporter: silentReporter }),
      classes: [],
      reporter: silentReporter,
      rewindS: 3600,
      scopeOf: (partition) => `partition-${partition}`,
      resumed: () => undefined,
      open: (partition) => Promise.resolve(new ModelWatcher(partition, (uid, text) => rows.push([uid, text]))),
      begin: () => Promise.resolve(),
      storeRows: async () => {
        const taken = rows.splice(0);
        if (!process.isAlive()) throw new Dead();
        await turns.wait();
        if (!process.isAlive() && random.int(2) === 0) throw new Dead();
        for (const [uid, text] of taken) {
          const said = alerts.get(uid);
          if (said === undefined) alerts.set(uid, new Set([text]));
          else said.add(text);
        }
        if (!process.isAlive()) throw new Dead();
      },
      commit: () => Promise.resolve(),
      close: () => undefined,
      devices: () => 0,
      told: (message) => {
        if (message.includes('restored')) restores++;
        if (message.includes('begins anew')) throw new Error(message);
      },
    });
    const positions = new Map<number, bigint>();
    /** What the group has told, and this detector has not heard yet. */
    let told: readonly number[] | undefined;
    const deaf = { turns: 0 };

    const life = async (): Promise<void> => {
      for (;;) {
        await turns.wait();
        if (!process.isAlive()) return;
        if (deaf.turns > 0) deaf.turns--;
        else if (told !== undefined) {
          const partitions = told;
          told = undefined;
          const answer = await work.assign(partitions);
          positions.clear();
          for (const p of partitions) positions.set(p, answer.get(p) ?? 0n);
          continue;
        }
        const mine = [...positions.keys()];
        if (mine.length > 0) {
          const partition = mine[random.int(mine.length)]!;
          const at = positions.get(partition)!;
          if (at < BigInt(records)) {
            work.take(batchOf(partition, at));
            positions.set(partition, at + 1n);
            if (random.int(8) === 0) {
              faults.duplicate++;
              work.take(batchOf(partition, at));
            }
          }
        }
        if (random.int(5) === 0) await work.save();
        if (mine.length > 0 && mine.every((p) => positions.get(p)! >= BigInt(records)) && work.unsaved > 0)
          await work.save();
      }
    };
    const ended = life().catch((error: unknown) => {
      if (!(error instanceof Dead)) throw error;
    });
    return {
      process,
      ended,
      assign: (partitions: readonly number[], late: number) => {
        told = partitions;
        deaf.turns = late;
      },
      done: (partition: number) =>
        told === undefined && positions.get(partition) === BigInt(records) && work.unsaved === 0,
    };
  };

  type Detector = ReturnType<typeof startDetector>;
  let members: Detector[] = [startDetector()];
  const everybody: Detector[] = [...members];
  let owners: Detector[] = [];
  const rebalance = (): void => {
    owners = Array.from({ length: PARTITIONS }, (_, p) => members[(p + random.int(members.length)) % members.length]!);
    for (const member of members) {
      const late = random.int(4) === 0 ? random.int(12) : 0;
      if (late > 0) faults.zombie++;
      member.assign(
        owners.flatMap((owner, p) => (owner === member ? [p] : [])),
        late,
      );
    }
  };
  rebalance();
  const join = (): void => {
    const fresh = startDetector();
    members.push(fresh);
    everybody.push(fresh);
  };

  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  let trouble = 3 + random.int(12);
  for (let step = 0; step < 20_000; step++) {
    // A turn, and whatever follows from it without another one.
    turns.next();
    for (let i = 0; i < 12; i++) await Promise.resolve();
    while (underWay > 0) await settle();
    if (turns.count === 0) await settle();
    if (trouble > 0 && random.int(25) === 0) {
      trouble--;
      const kind = random.int(10);
      if (kind < 4) {
        faults.crash++;
        const victim = members[random.int(members.length)]!;
        victim.process.kill();
        members = members.filter((m) => m !== victim);
        if (members.length === 0) join();
      } else if (kind < 6 && members.length < 3) join();
      else if (kind < 7 && members.length > 1) {
        // Put out of the group without knowing it: it goes on for a while.
        const zombie = members[random.int(members.length)]!;
        members = members.filter((m) => m !== zombie);
        faults.zombie++;
        zombie.assign([], random.int(40));
      } else if (kind < 8) {
        const names = await stored.list('partition-0');
        const newest = names
          .filter((n) => n.endsWith('.chunk'))
          .sort()
          .at(-1);
        // The newest stored state is damaged on the disk: the one before it is there.
        if (names.filter((n) => n.endsWith('.manifest')).length > 1 && newest !== undefined) {
          faults.damage++;
          await stored.write('partition-0', newest, new Uint8Array([1, 2, 3]));
        }
      } else faults.revoke++;
      rebalance();
    } else if (trouble === 0 && owners.every((owner, p) => owner.done(p))) break;
  }
  for (const detector of everybody) detector.process.kill();
  for (let left = 0; left < 50; left++) {
    while (turns.next()) await Promise.resolve();
    await settle();
  }
  await Promise.all(everybody.map((d) => d.ended));

  const wrong: string[] = [];
  for (let p = 0; p < PARTITIONS; p++) {
    const expected = new Map<string, string>();
    const undisturbed = new ModelWatcher(p, (uid, text) => expected.set(uid, text));
    for (let at = 0; at < records; at++) undisturbed.process(batchOf(p, BigInt(at)).batch);
    for (const [uid, text] of expected) {
      const said = alerts.get(uid);
      if (said === undefined) wrong.push(`${uid} is missing`);
      else if (said.size > 1 || !said.has(text)) wrong.push(`${uid} says ${[...said].join(' and ')}, not ${text}`);
      alerts.delete(uid);
    }
  }
  for (const uid of alerts.keys()) wrong.push(`${uid} should not be`);
  return { wrong, faults, restores };
}
