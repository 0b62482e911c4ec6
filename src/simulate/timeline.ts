import { createFrameBatch } from '../kernel/frames.ts';
import type { FrameBatch } from '../kernel/frames.ts';

/** What a device does over time: yields the seconds after which it goes on. */
export type Script = Generator<number, void, void>;

const ETHERNET = 1;

/** A heap of values by (time, order of arrival): the earliest comes out first. */
class TimeHeap<T> {
  readonly #ts: number[] = [];
  readonly #order: number[] = [];
  readonly #value: T[] = [];
  #arrived = 0;

  get size(): number {
    return this.#ts.length;
  }

  /** Time of the earliest, Infinity when there is none. */
  get nextUs(): number {
    return this.#ts[0] ?? Infinity;
  }

  push(ts: number, value: T): void {
    const order = this.#arrived++;
    let i = this.#ts.length;
    this.#ts.push(ts);
    this.#order.push(order);
    this.#value.push(value);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (this.#ts[parent]! <= ts) break;
      this.#ts[i] = this.#ts[parent]!;
      this.#order[i] = this.#order[parent]!;
      this.#value[i] = this.#value[parent]!;
      i = parent;
    }
    this.#ts[i] = ts;
    this.#order[i] = order;
    this.#value[i] = value;
  }

  pop(): T {
    const out = this.#value[0]!;
    const ts = this.#ts.pop()!;
    const order = this.#order.pop()!;
    const value = this.#value.pop()!;
    const n = this.#ts.length;
    if (n === 0) return out;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= n) break;
      if (child + 1 < n && this.#before(child + 1, child)) child++;
      if (ts < this.#ts[child]! || (ts === this.#ts[child] && order < this.#order[child]!)) break;
      this.#ts[i] = this.#ts[child]!;
      this.#order[i] = this.#order[child]!;
      this.#value[i] = this.#value[child]!;
      i = child;
    }
    this.#ts[i] = ts;
    this.#order[i] = order;
    this.#value[i] = value;
    return out;
  }

  #before(a: number, b: number): boolean {
    return this.#ts[a]! < this.#ts[b]! || (this.#ts[a] === this.#ts[b] && this.#order[a]! < this.#order[b]!);
  }
}

/**
 * Event time: scripts run in the order of time and write frames at the present or a little ahead of it. A frame
 * leaves when no script can write an earlier one any more, so only the frames of the next moments are held.
 */
export class Timeline {
  /** Epoch microseconds, an integer. */
  nowUs: number;
  readonly #tasks = new TimeHeap<Script>();
  readonly #frames = new TimeHeap<Uint8Array>();
  /** Most frames that were held at one time. */
  held = 0;

  constructor(startUs: number) {
    this.nowUs = startUs;
  }

  start(script: Script, atUs = this.nowUs): void {
    this.#tasks.push(Math.max(Math.ceil(atUs), this.nowUs), script);
  }

  /** @param tsUs not before the present */
  frame(tsUs: number, bytes: Uint8Array): void {
    this.#frames.push(Math.max(Math.floor(tsUs), this.nowUs), bytes);
    if (this.#frames.size > this.held) this.held = this.#frames.size;
  }

  /** Frames up to, not including, `untilUs`, at most `batchFrames` a batch; the batch is used again. */
  *run(untilUs: number, batchFrames: number, origin: string): Generator<FrameBatch> {
    let batch = createFrameBatch(batchFrames, new Uint8Array(batchFrames * 256));
    let at = 0;
    let first = 0;
    const rewind = (): void => {
      first += batch.count;
      batch.count = 0;
      at = 0;
    };
    for (;;) {
      const taskUs = this.#tasks.nextUs;
      while (this.#frames.nextUs <= taskUs && this.#frames.nextUs < untilUs) {
        const tsUs = this.#frames.nextUs;
        const bytes = this.#frames.pop();
        if (at + bytes.length > batch.bytes.length || batch.count === batchFrames) {
          if (batch.count > 0) yield batch;
          rewind();
          if (bytes.length > batch.bytes.length) batch = createFrameBatch(batchFrames, new Uint8Array(bytes.length));
        }
        const i = batch.count++;
        batch.bytes.set(bytes, at);
        batch.offset[i] = at;
        batch.capLen[i] = bytes.length;
        batch.wireLen[i] = bytes.length;
        batch.tsUs[i] = tsUs;
        batch.linkType[i] = ETHERNET;
        batch.origin = origin;
        batch.firstFrame = first;
        at += bytes.length;
      }
      if (taskUs >= untilUs) break;
      this.nowUs = taskUs;
      const script = this.#tasks.pop();
      const step = script.next();
      if (step.done !== true) this.#tasks.push(taskUs + Math.max(1, Math.round(step.value * 1e6)), script);
    }
    if (batch.count > 0) yield batch;
  }
}
