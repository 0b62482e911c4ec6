/**
 * First-seen sets: what each device has shown of a kind (peers, services, commands, names), how often, and
 * who else on the site does the same. The chance that the next thing is new is Good and Turing's estimate
 * (Good 1953): things seen once / things seen.
 */
interface Member {
  /** Times seen while learning; 0 = first seen afterwards. */
  learned: number;
}

interface DeviceSet {
  members: Map<number, Member>;
  learnedTotal: number;
  learnedOnce: number;
  learnedDistinct: number;
}

/** Devices that hold a key, to compare with others of the class. */
const MAX_HOLDERS = 64;
const MAX_SITE_KEYS = 262_144;

export interface HolderDevice {
  readonly slot: number;
  readonly type: string;
}

export interface NoveltyResult {
  isNew: boolean;
  known: number;
  newRate: number;
  sameClass: number;
  site: number;
}

export class NoveltySets {
  /** Members refused because a set was full. */
  overflow = 0;
  readonly #maxSetSize: number;
  readonly #devices = new Map<number, Map<string, DeviceSet>>();
  readonly #site = new Map<string, Map<number, HolderDevice[]>>();

  constructor(maxSetSize: number) {
    this.#maxSetSize = maxSetSize;
  }

  /** Notes `key` for the device; `learning` decides whether that makes it normal or merely known. */
  note(device: HolderDevice, set: string, key: number, learning: boolean): NoveltyResult {
    const mine = this.#setOf(device.slot, set);
    const holders = this.#holders(set, key);
    let site = 0;
    let sameClass = 0;
    for (let i = 0; i < holders.length; i++) {
      const other = holders[i]!;
      if (other === device) continue;
      site++;
      if (other.type === device.type) sameClass++;
    }
    const result: NoveltyResult = {
      isNew: false,
      known: mine.learnedDistinct,
      newRate: mine.learnedTotal === 0 ? 1 : mine.learnedOnce / mine.learnedTotal,
      sameClass,
      site,
    };
    const member = mine.members.get(key);
    if (member !== undefined) {
      if (learning) this.#learn(mine, member);
      return result;
    }
    result.isNew = !learning;
    if (mine.members.size >= this.#maxSetSize) {
      this.overflow++;
      // A set that overflowed cannot tell new from forgotten: it stays silent rather than wrong.
      result.isNew = false;
      return result;
    }
    const fresh: Member = { learned: 0 };
    mine.members.set(key, fresh);
    if (learning) {
      this.#learn(mine, fresh);
      if (holders.length < MAX_HOLDERS) holders.push(device);
    }
    return result;
  }

  knows(slot: number, set: string, key: number): boolean {
    return this.#devices.get(slot)?.get(set)?.members.has(key) ?? false;
  }

  /** Good-Turing estimate over one of the device's sets; 1 where nothing was seen. */
  newRate(slot: number, set: string): number {
    const mine = this.#devices.get(slot)?.get(set);
    return mine === undefined || mine.learnedTotal === 0 ? 1 : mine.learnedOnce / mine.learnedTotal;
  }

  save(): unknown {
    return { devices: this.#devices, site: this.#site, overflow: this.overflow };
  }

  /** Into sets that have seen nothing yet. */
  restore(saved: unknown): void {
    const { devices, site, overflow } = saved as {
      devices: Map<number, Map<string, DeviceSet>>;
      site: Map<string, Map<number, HolderDevice[]>>;
      overflow: number;
    };
    for (const [slot, sets] of devices) this.#devices.set(slot, sets);
    for (const [set, keys] of site) this.#site.set(set, keys);
    this.overflow = overflow;
  }

  forget(device: HolderDevice): void {
    this.#devices.delete(device.slot);
    for (const keys of this.#site.values())
      for (const [key, holders] of keys) {
        const at = holders.indexOf(device);
        if (at >= 0) holders.splice(at, 1);
        if (holders.length === 0) keys.delete(key);
      }
  }

  #learn(set: DeviceSet, member: Member): void {
    if (member.learned === 0) {
      set.learnedDistinct++;
      set.learnedOnce++;
    } else if (member.learned === 1) set.learnedOnce--;
    member.learned++;
    set.learnedTotal++;
  }

  #setOf(slot: number, name: string): DeviceSet {
    let sets = this.#devices.get(slot);
    if (sets === undefined) {
      sets = new Map();
      this.#devices.set(slot, sets);
    }
    let set = sets.get(name);
    if (set === undefined) {
      set = { members: new Map(), learnedTotal: 0, learnedOnce: 0, learnedDistinct: 0 };
      sets.set(name, set);
    }
    return set;
  }

  #holders(set: string, key: number): HolderDevice[] {
    let keys = this.#site.get(set);
    if (keys === undefined) {
      keys = new Map();
      this.#site.set(set, keys);
    }
    let holders = keys.get(key);
    if (holders === undefined) {
      holders = [];
      if (keys.size < MAX_SITE_KEYS) keys.set(key, holders);
    }
    return holders;
  }
}
