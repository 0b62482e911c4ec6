/**
 * First-seen sets: what each device has shown of a kind (peers, services, commands, names), how often, and
 * who else on the site does the same. The chance that the next thing is new is Good and Turing's estimate
 * (Good 1953): things seen once / things seen.
 *
 * All sets of all devices lie in one table of columns with open addressing: about 30 bytes a member, and no
 * allocation but when the columns double. A member is found by its set (of one device) and key; the devices
 * that have learned the same key in a set of the same name are chained, to be counted when somebody asks.
 */

/** Devices that hold a key, to compare with others of the class. */
const MAX_HOLDERS = 64;
/** Members of all sets together: 1 GiB. */
const MAX_MEMBERS = 33_554_432;
const NONE = 0;
/** In the chain of holders: this member is not in it. */
const NO_HOLDER = -1;
/** A key has 53 bits at most: 21 of them above the lower 32, which leaves 11 for a count. */
const HIGH_MASK = 0x1f_ffff;
const LEARNED_SHIFT = 21;
const LEARNED_MAX = 0x7ff;

export interface HolderDevice {
  readonly slot: number;
  readonly type: string;
}

/** What the columns hold, for a file. Set ids are positions in `names`; 0 as a reference is nothing. */
interface SavedNovelty {
  readonly overflow: number;
  readonly names: readonly string[];
  readonly owners: {
    readonly slot: Int32Array;
    readonly set: Int32Array;
    readonly total: Float64Array;
    readonly once: Int32Array;
    readonly distinct: Int32Array;
  };
  readonly members: {
    /** Position of the set in `owners`. */
    readonly owner: Int32Array;
    readonly key: Float64Array;
    readonly learned: Int32Array;
    readonly holds: Uint8Array;
  };
}

/** The answer to a question about one set; it holds until the next question about a set of that name. */
export class NoveltyAnswer {
  isNew = false;
  known = 0;
  newRate = 1;
  readonly #sets: NoveltySets;
  readonly #set: number;
  #slot = 0;
  #type = '';
  #key = 0;

  constructor(sets: NoveltySets, set: number) {
    this.#sets = sets;
    this.#set = set;
  }

  ask(device: HolderDevice, key: number, known: number, newRate: number): this {
    this.isNew = false;
    this.known = known;
    this.newRate = newRate;
    this.#slot = device.slot;
    this.#type = device.type;
    this.#key = key;
    return this;
  }

  /** Other devices of the same class that have learned it. */
  get sameClass(): number {
    return this.#sets.holders(this.#set, this.#key, this.#slot, this.#type);
  }

  /** Other devices of the site that have learned it. */
  get site(): number {
    return this.#sets.holders(this.#set, this.#key, this.#slot, undefined);
  }
}

export class NoveltySets {
  /** Members refused because a set was full. */
  overflow = 0;
  readonly #maxSetSize: number;
  readonly #typeOf: (slot: number) => string;
  readonly #setIds = new Map<string, number>();
  readonly #names: string[] = [];
  readonly #answers: NoveltyAnswer[] = [];
  /** The set of a device that was asked about last, by name of set: questions come in runs. */
  readonly #lastSlot: number[] = [];
  readonly #lastOwner: number[] = [];

  /* One row a set of a device ("owner" of its members); row 0 is none. */
  #ownerSlot = new Int32Array(1024);
  #ownerSet = new Int32Array(1024);
  #ownerTotal = new Float64Array(1024);
  #ownerOnce = new Int32Array(1024);
  #ownerDistinct = new Int32Array(1024);
  #ownerSize = new Int32Array(1024);
  #ownerFirst = new Int32Array(1024);
  #ownerNext = new Int32Array(1024);
  #ownerRows = 1;
  #ownerFree = NONE;
  #ownerCount = 0;
  #ownerTable = new Int32Array(2048);
  /** First set of each device, by slot. */
  #firstOwner = new Int32Array(256);

  /* One row a member; row 0 is none. */
  #low = new Int32Array(4096);
  /** Upper bits of the key, and how often it was learned. */
  #high = new Uint32Array(4096);
  #owner = new Int32Array(4096);
  #nextOwn = new Int32Array(4096);
  #nextHolder = new Int32Array(4096);
  #rows = 1;
  #free = NONE;
  #count = 0;
  #table = new Int32Array(8192);
  /** First holder of each (set, key). */
  #siteTable = new Int32Array(8192);
  #siteCount = 0;

  constructor(maxSetSize: number, typeOf: (slot: number) => string) {
    this.#maxSetSize = maxSetSize;
    this.#typeOf = typeOf;
  }

  /** Members of all sets. */
  get count(): number {
    return this.#count;
  }

  /** Bytes of memory that the columns hold. */
  get bytes(): number {
    return (
      this.#low.length * 20 +
      this.#ownerSlot.length * 36 +
      (this.#table.length + this.#siteTable.length + this.#ownerTable.length + this.#firstOwner.length) * 4
    );
  }

  /** Number of the sets with this name. */
  setId(name: string): number {
    let id = this.#setIds.get(name);
    if (id === undefined) {
      id = this.#names.length;
      this.#setIds.set(name, id);
      this.#names.push(name);
      this.#answers.push(new NoveltyAnswer(this, id));
      this.#lastSlot.push(-1);
      this.#lastOwner.push(NONE);
    }
    return id;
  }

  /** Notes `key` for the device; `learning` decides whether that makes it normal or merely known. */
  note(device: HolderDevice, set: number, key: number, learning: boolean): NoveltyAnswer {
    let owner = this.#ownerOf(device.slot, set);
    if (owner === NONE) owner = this.#addOwner(device.slot, set);
    const total = this.#ownerTotal[owner]!;
    const answer = this.#answers[set]!.ask(
      device,
      key,
      this.#ownerDistinct[owner]!,
      total === 0 ? 1 : this.#ownerOnce[owner]! / total,
    );
    const member = this.#find(owner, key);
    if (member !== NONE) {
      if (learning) this.#learn(owner, member);
      return answer;
    }
    if (this.#ownerSize[owner]! >= this.#maxSetSize || this.#count >= MAX_MEMBERS) {
      // A set that overflowed cannot tell new from forgotten: it stays silent rather than wrong.
      this.overflow++;
      return answer;
    }
    answer.isNew = !learning;
    const fresh = this.#addMember(owner, key);
    if (learning) {
      this.#learn(owner, fresh);
      this.#addHolder(fresh, set);
    }
    return answer;
  }

  knows(slot: number, set: number, key: number): boolean {
    const owner = this.#ownerOf(slot, set);
    return owner !== NONE && this.#find(owner, key) !== NONE;
  }

  /** Good-Turing estimate over one of the device's sets; 1 where nothing was seen. */
  newRate(slot: number, set: number): number {
    const owner = this.#ownerOf(slot, set);
    const total = this.#ownerTotal[owner]!;
    return owner === NONE || total === 0 ? 1 : this.#ownerOnce[owner]! / total;
  }

  /** Devices other than that of `slot` which have learned the key; with `type` only those of this class. */
  holders(set: number, key: number, slot: number, type: string | undefined): number {
    let n = 0;
    const bucket = this.#siteBucket(set, key | 0, Math.floor(key / 4_294_967_296));
    for (let m = this.#siteTable[bucket]!; m !== NONE; m = this.#nextHolder[m]!) {
      const other = this.#ownerSlot[this.#owner[m]!]!;
      if (other !== slot && (type === undefined || this.#typeOf(other) === type)) n++;
    }
    return n;
  }

  forget(device: HolderDevice): void {
    const { slot } = device;
    if (slot >= this.#firstOwner.length) return;
    let owner = this.#firstOwner[slot]!;
    this.#firstOwner[slot] = NONE;
    while (owner !== NONE) {
      const set = this.#ownerSet[owner]!;
      for (let m = this.#ownerFirst[owner]!; m !== NONE;) {
        const next = this.#nextOwn[m]!;
        if (this.#nextHolder[m] !== NO_HOLDER) this.#removeHolder(m, set);
        this.#removeMember(m);
        m = next;
      }
      const next = this.#ownerNext[owner]!;
      this.#removeOwner(owner);
      if (this.#lastSlot[set] === slot) this.#lastSlot[set] = -1;
      owner = next;
    }
  }

  /** What has been noted, in columns. */
  save(): unknown {
    const place = new Int32Array(this.#ownerRows);
    const owners = {
      slot: new Int32Array(this.#ownerCount),
      set: new Int32Array(this.#ownerCount),
      total: new Float64Array(this.#ownerCount),
      once: new Int32Array(this.#ownerCount),
      distinct: new Int32Array(this.#ownerCount),
    };
    const members = {
      owner: new Int32Array(this.#count),
      key: new Float64Array(this.#count),
      learned: new Int32Array(this.#count),
      holds: new Uint8Array(this.#count),
    };
    let n = 0;
    for (const row of this.#ownerTable) {
      if (row === NONE) continue;
      place[row] = n;
      owners.slot[n] = this.#ownerSlot[row]!;
      owners.set[n] = this.#ownerSet[row]!;
      owners.total[n] = this.#ownerTotal[row]!;
      owners.once[n] = this.#ownerOnce[row]!;
      owners.distinct[n] = this.#ownerDistinct[row]!;
      n++;
    }
    n = 0;
    for (const row of this.#table) {
      if (row === NONE) continue;
      members.owner[n] = place[this.#owner[row]!]!;
      members.key[n] = (this.#high[row]! & HIGH_MASK) * 4_294_967_296 + (this.#low[row]! >>> 0);
      members.learned[n] = this.#high[row]! >>> LEARNED_SHIFT;
      members.holds[n] = this.#nextHolder[row] === NO_HOLDER ? 0 : 1;
      n++;
    }
    const saved: SavedNovelty = { overflow: this.overflow, names: [...this.#names], owners, members };
    return saved;
  }

  /** Into sets that have seen nothing yet. */
  restore(saved: unknown): void {
    const { overflow, names, owners, members } = saved as SavedNovelty;
    this.overflow = overflow;
    const sets = names.map((name) => this.setId(name));
    const rows = new Int32Array(owners.slot.length);
    for (let i = 0; i < rows.length; i++) {
      const row = this.#addOwner(owners.slot[i]!, sets[owners.set[i]!]!);
      rows[i] = row;
      this.#ownerTotal[row] = owners.total[i]!;
      this.#ownerOnce[row] = owners.once[i]!;
      this.#ownerDistinct[row] = owners.distinct[i]!;
    }
    for (let i = 0; i < members.owner.length; i++) {
      const owner = rows[members.owner[i]!]!;
      const row = this.#addMember(owner, members.key[i]!);
      this.#high[row]! |= members.learned[i]! << LEARNED_SHIFT;
      if (members.holds[i] === 1) this.#addHolder(row, this.#ownerSet[owner]!);
    }
  }

  #learn(owner: number, member: number): void {
    const word = this.#high[member]!;
    const learned = word >>> LEARNED_SHIFT;
    if (learned === 0) {
      this.#ownerDistinct[owner]!++;
      this.#ownerOnce[owner]!++;
    } else if (learned === 1) this.#ownerOnce[owner]!--;
    if (learned < LEARNED_MAX) this.#high[member] = word + (1 << LEARNED_SHIFT);
    this.#ownerTotal[owner]!++;
  }

  // ---- sets of devices ----

  #ownerOf(slot: number, set: number): number {
    if (this.#lastSlot[set] === slot) return this.#lastOwner[set]!;
    const mask = this.#ownerTable.length - 1;
    for (let b = ownerHash(slot, set) & mask; ; b = (b + 1) & mask) {
      const row = this.#ownerTable[b]!;
      if (row === NONE) return NONE;
      if (this.#ownerSlot[row] === slot && this.#ownerSet[row] === set) {
        this.#lastSlot[set] = slot;
        this.#lastOwner[set] = row;
        return row;
      }
    }
  }

  #addOwner(slot: number, set: number): number {
    let row = this.#ownerFree;
    if (row !== NONE) this.#ownerFree = this.#ownerNext[row]!;
    else {
      if (this.#ownerRows === this.#ownerSlot.length) this.#growOwners();
      row = this.#ownerRows++;
    }
    if (slot >= this.#firstOwner.length) {
      const longer = new Int32Array(Math.max(slot + 1, this.#firstOwner.length * 2));
      longer.set(this.#firstOwner);
      this.#firstOwner = longer;
    }
    this.#ownerSlot[row] = slot;
    this.#ownerSet[row] = set;
    this.#ownerTotal[row] = 0;
    this.#ownerOnce[row] = 0;
    this.#ownerDistinct[row] = 0;
    this.#ownerSize[row] = 0;
    this.#ownerFirst[row] = NONE;
    this.#ownerNext[row] = this.#firstOwner[slot]!;
    this.#firstOwner[slot] = row;
    this.#ownerCount++;
    this.#placeOwner(row);
    return row;
  }

  #placeOwner(row: number): void {
    const mask = this.#ownerTable.length - 1;
    let b = ownerHash(this.#ownerSlot[row]!, this.#ownerSet[row]!) & mask;
    while (this.#ownerTable[b] !== NONE) b = (b + 1) & mask;
    this.#ownerTable[b] = row;
  }

  #removeOwner(row: number): void {
    const table = this.#ownerTable;
    const mask = table.length - 1;
    let hole = ownerHash(this.#ownerSlot[row]!, this.#ownerSet[row]!) & mask;
    while (table[hole] !== row) hole = (hole + 1) & mask;
    for (let j = (hole + 1) & mask; table[j] !== NONE; j = (j + 1) & mask) {
      const other = table[j]!;
      const home = ownerHash(this.#ownerSlot[other]!, this.#ownerSet[other]!) & mask;
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        table[hole] = other;
        hole = j;
      }
    }
    table[hole] = NONE;
    this.#ownerNext[row] = this.#ownerFree;
    this.#ownerFree = row;
    this.#ownerCount--;
  }

  #growOwners(): void {
    const size = this.#ownerSlot.length * 2;
    this.#ownerSlot = longer(this.#ownerSlot, size);
    this.#ownerSet = longer(this.#ownerSet, size);
    const total = new Float64Array(size);
    total.set(this.#ownerTotal);
    this.#ownerTotal = total;
    this.#ownerOnce = longer(this.#ownerOnce, size);
    this.#ownerDistinct = longer(this.#ownerDistinct, size);
    this.#ownerSize = longer(this.#ownerSize, size);
    this.#ownerFirst = longer(this.#ownerFirst, size);
    this.#ownerNext = longer(this.#ownerNext, size);
    // The columns are full: every row is in use.
    this.#ownerTable = new Int32Array(size * 2);
    for (let row = 1; row < this.#ownerRows; row++) this.#placeOwner(row);
  }

  // ---- members ----

  #find(owner: number, key: number): number {
    const low = key | 0;
    const high = Math.floor(key / 4_294_967_296);
    const table = this.#table;
    const mask = table.length - 1;
    for (let b = keyHash(owner, low, high) & mask; ; b = (b + 1) & mask) {
      const row = table[b]!;
      if (row === NONE) return NONE;
      if (this.#low[row] === low && this.#owner[row] === owner && (this.#high[row]! & HIGH_MASK) === high) return row;
    }
  }

  #addMember(owner: number, key: number): number {
    let row = this.#free;
    if (row !== NONE) this.#free = this.#nextOwn[row]!;
    else {
      if (this.#rows === this.#low.length) this.#grow();
      row = this.#rows++;
    }
    this.#low[row] = key | 0;
    this.#high[row] = Math.floor(key / 4_294_967_296);
    this.#owner[row] = owner;
    this.#nextOwn[row] = this.#ownerFirst[owner]!;
    this.#ownerFirst[owner] = row;
    this.#ownerSize[owner]!++;
    this.#nextHolder[row] = NO_HOLDER;
    this.#count++;
    this.#place(row);
    return row;
  }

  #place(row: number): void {
    const mask = this.#table.length - 1;
    let b = keyHash(this.#owner[row]!, this.#low[row]!, this.#high[row]! & HIGH_MASK) & mask;
    while (this.#table[b] !== NONE) b = (b + 1) & mask;
    this.#table[b] = row;
  }

  #removeMember(row: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let hole = keyHash(this.#owner[row]!, this.#low[row]!, this.#high[row]! & HIGH_MASK) & mask;
    while (table[hole] !== row) hole = (hole + 1) & mask;
    for (let j = (hole + 1) & mask; table[j] !== NONE; j = (j + 1) & mask) {
      const other = table[j]!;
      const home = keyHash(this.#owner[other]!, this.#low[other]!, this.#high[other]! & HIGH_MASK) & mask;
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        table[hole] = other;
        hole = j;
      }
    }
    table[hole] = NONE;
    this.#nextOwn[row] = this.#free;
    this.#free = row;
    this.#count--;
  }

  #grow(): void {
    const size = this.#low.length * 2;
    this.#low = longer(this.#low, size);
    const high = new Uint32Array(size);
    high.set(this.#high);
    this.#high = high;
    this.#owner = longer(this.#owner, size);
    this.#nextOwn = longer(this.#nextOwn, size);
    this.#nextHolder = longer(this.#nextHolder, size);
    // The columns are full: every row is in use.
    this.#table = new Int32Array(size * 2);
    for (let row = 1; row < this.#rows; row++) this.#place(row);
  }

  // ---- who else ----

  /** Bucket of the first holder, or the empty one where it would be. */
  #siteBucket(set: number, low: number, high: number): number {
    const table = this.#siteTable;
    const mask = table.length - 1;
    for (let b = keyHash(set, low, high) & mask; ; b = (b + 1) & mask) {
      const row = table[b]!;
      if (
        row === NONE ||
        (this.#low[row] === low && (this.#high[row]! & HIGH_MASK) === high && this.#ownerSet[this.#owner[row]!] === set)
      )
        return b;
    }
  }

  #addHolder(row: number, set: number): void {
    const bucket = this.#siteBucket(set, this.#low[row]!, this.#high[row]! & HIGH_MASK);
    const first = this.#siteTable[bucket]!;
    let n = 0;
    for (let m = first; m !== NONE; m = this.#nextHolder[m]!) if (++n >= MAX_HOLDERS) return;
    this.#nextHolder[row] = first;
    this.#siteTable[bucket] = row;
    if (first === NONE && ++this.#siteCount * 2 > this.#siteTable.length) this.#growSite();
  }

  #removeHolder(row: number, set: number): void {
    const table = this.#siteTable;
    const bucket = this.#siteBucket(set, this.#low[row]!, this.#high[row]! & HIGH_MASK);
    const next = this.#nextHolder[row]!;
    if (table[bucket] !== row) {
      let before = table[bucket]!;
      while (this.#nextHolder[before] !== row) before = this.#nextHolder[before]!;
      this.#nextHolder[before] = next;
      return;
    }
    table[bucket] = next;
    if (next !== NONE) return;
    this.#siteCount--;
    const mask = table.length - 1;
    let hole = bucket;
    for (let j = (hole + 1) & mask; table[j] !== NONE; j = (j + 1) & mask) {
      const other = table[j]!;
      const home = keyHash(this.#ownerSet[this.#owner[other]!]!, this.#low[other]!, this.#high[other]! & HIGH_MASK);
      if (((j - (home & mask)) & mask) >= ((j - hole) & mask)) {
        table[hole] = other;
        hole = j;
      }
    }
    table[hole] = NONE;
  }

  #growSite(): void {
    const old = this.#siteTable;
    this.#siteTable = new Int32Array(old.length * 2);
    const mask = this.#siteTable.length - 1;
    for (const row of old) {
      if (row === NONE) continue;
      let b = keyHash(this.#ownerSet[this.#owner[row]!]!, this.#low[row]!, this.#high[row]! & HIGH_MASK) & mask;
      while (this.#siteTable[b] !== NONE) b = (b + 1) & mask;
      this.#siteTable[b] = row;
    }
  }
}

function longer(column: Int32Array, size: number): Int32Array<ArrayBuffer> {
  const next = new Int32Array(size);
  next.set(column);
  return next;
}

function ownerHash(slot: number, set: number): number {
  const h = Math.imul(slot ^ Math.imul(set, 0x85ebca6b), 0x9e3779b1);
  return h ^ (h >>> 15);
}

function keyHash(owner: number, low: number, high: number): number {
  let h = Math.imul(low ^ Math.imul(owner, 0x9e3779b1), 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h ^ high, 0xc2b2ae35);
  return h ^ (h >>> 13);
}
