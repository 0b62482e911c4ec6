import { appendFileSync, mkdtempSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DiskQueue, type DiskQueueConfig } from '../../src/bus/queue/index.ts';
import { silentReporter } from '../../src/kernel/component.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'wardwatch-queue-'));
const configOf = (dir: string, max_bytes = 1 << 20): DiskQueueConfig => ({ dir, max_bytes, fsync: 'never' });

function opened(dir: string, max_bytes?: number): { queue: DiskQueue; dropped: Record<string, number> } {
  const dropped: Record<string, number> = {};
  const reporter = {
    ...silentReporter,
    dropped: (_what: string, n: number, reason: string) => void (dropped[reason] = (dropped[reason] ?? 0) + n),
  };
  const queue = new DiskQueue(configOf(dir, max_bytes), reporter);
  queue.open();
  return { queue, dropped };
}

/** Takes everything of a partition: values, and frames told as lost. */
function drain(queue: DiskQueue, partition: number, maxBytes = 5000): (string | number)[] {
  const out: (string | number)[] = [];
  for (let head = queue.head(partition, maxBytes); head !== undefined; head = queue.head(partition, maxBytes)) {
    if (head.framesLost > 0) {
      out.push(head.framesLost);
      queue.lossTold(partition);
      continue;
    }
    out.push(...head.records.map(({ value }) => value.toString('latin1')));
    const frames = head.records.reduce((n, r) => n + r.frames, 0);
    queue.remove(partition, head.records.at(-1)!.mark, frames);
  }
  return out;
}

const record = fc.record({ partition: fc.nat(3), size: fc.nat(3000), frames: fc.nat(9) });

describe('queue on disk', () => {
  test('gives back what was put in, in order by partition, also by another process in the middle of it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 5, arbitrary: record }, fc.constantFrom('take', 'restart', 'kill')), {
          maxLength: 60,
        }),
        (steps) => {
          const dir = folder();
          let { queue } = opened(dir);
          const expected: string[][] = [[], [], [], []];
          let n = 0;
          for (const step of steps) {
            if (step === 'take') {
              const head = queue.head(n % 4, 4000);
              if (head === undefined) continue;
              const values = head.records.map(({ value }) => value.toString('latin1'));
              expect(values).toEqual(expected[n % 4]!.splice(0, values.length));
              queue.remove(n % 4, head.records.at(-1)!.mark, 0);
            } else if (typeof step === 'string') {
              // Killed: nothing is closed, nothing is said.
              if (step === 'restart') queue.close();
              ({ queue } = opened(dir));
            } else {
              const value = `${n++}`.padEnd(step.size, '.');
              expect(queue.append(step.partition, Buffer.from(value), step.frames)).toBeDefined();
              expected[step.partition]!.push(value);
            }
          }
          for (let p = 0; p < 4; p++) expect(drain(queue, p)).toEqual(expected[p]);
          expect(queue.frames).toBe(0);
          queue.close();
          expect(readdirSync(dir)).toEqual(['position.json']);
        },
      ),
      { seed: 7, numRuns: 60 },
    );
  });

  test('a torn tail is cut off at any byte, whole records before it stay', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(200), { minLength: 1, maxLength: 6 }),
        fc.nat(),
        fc.uint8Array(),
        (sizes, at, more) => {
          const dir = folder();
          const { queue } = opened(dir);
          const values = sizes.map((size, i) => `${i}`.padEnd(size, '#'));
          for (const value of values) queue.append(0, Buffer.from(value), 1);
          const [name] = readdirSync(dir).filter((file) => file.endsWith('.frames'));
          const path = join(dir, name!);
          const size = readFileSync(path).length;
          const cut = at % (size + 1);
          truncateSync(path, cut);
          appendFileSync(path, more);
          let end = 0;
          const whole = values.filter((value) => (end += 12 + value.length) <= cut);
          const again = opened(dir);
          expect(drain(again.queue, 0)).toEqual(whole);
          again.queue.append(0, Buffer.from('next'), 1);
          expect(drain(again.queue, 0)).toEqual(['next']);
        },
      ),
      { seed: 8, numRuns: 100 },
    );
  });

  test('files of any content are no harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, position) => {
        const dir = folder();
        writeFileSync(join(dir, '000000000001-0.frames'), bytes);
        writeFileSync(join(dir, 'position.json'), position);
        const { queue } = opened(dir);
        expect(drain(queue, 0)).toEqual([]);
      }),
      { seed: 9, numRuns: 100 },
    );
  });

  test('when it is full the oldest is dropped; every frame is given back or told as lost, exactly once', () => {
    const dir = folder();
    const { queue, dropped } = opened(dir);
    const value = Buffer.alloc(20_000, 'x');
    let put = 0;
    for (let n = 0; n < 200; n++) {
      queue.append(0, Buffer.concat([Buffer.from(String(n).padStart(4, '0')), value]), 7);
      put += 7;
    }
    const bytes = readdirSync(dir).reduce((sum, name) => sum + readFileSync(join(dir, name)).length, 0);
    expect(bytes).toBeLessThanOrEqual((1 << 20) + 200);
    queue.close();
    // What was dropped is known after a restart, too.
    const after = opened(dir).queue;
    const out = drain(after, 0, 100_000);
    const [lost, ...values] = out;
    expect(lost).toBe(dropped['queue on disk full']);
    expect(Number(lost) + values.length * 7).toBe(put);
    expect(values.map((v) => Number(String(v).slice(0, 4)))).toEqual(
      Array.from({ length: values.length }, (_, i) => 200 - values.length + i),
    );
  });

  test('what is being sent is not dropped meanwhile', () => {
    const { queue } = opened(folder());
    const value = Buffer.alloc(20_000, 'x');
    queue.append(0, Buffer.from('first'), 1);
    const head = queue.head(0, 1)!;
    for (let n = 0; n < 100; n++) queue.append(0, value, 1);
    expect(queue.head(0, 1)!.records[0]!.value.toString()).toBe('first');
    queue.remove(0, head.records[0]!.mark, 1);
    const lost = drain(queue, 0, 1_000_000).filter((item) => typeof item === 'number');
    expect(lost.length).toBe(1);
  });

  test('a folder that cannot be used, or is in use, is told', () => {
    const dir = folder();
    writeFileSync(join(dir, 'file'), '');
    expect(() => opened(join(dir, 'file', 'queue'))).toThrow(/bus\.kafka\.queue|cannot be used/);
    writeFileSync(join(dir, 'lock'), String(process.ppid));
    expect(() => opened(dir)).toThrow(/another sensor/);
  });
});
