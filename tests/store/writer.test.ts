import { describe, expect, it } from 'vitest';
import { silentReporter } from '../../src/kernel/component.ts';
import { createTableWriter } from '../../src/store/writer.ts';
import type { TableWriter } from '../../src/store/writer.ts';
import { configOf } from './open.ts';
import type { StoreConfig } from '../../src/store/index.ts';

/** An engine whose every insert waits for a verdict of the test. */
function createEngine(limits: Partial<StoreConfig['write']>): {
  writer: TableWriter;
  /** The next insert: its lines, and how to end it. */
  next: () => Promise<{ lines: string[]; accept: () => void; reject: (error: unknown) => void }>;
  /** Inserts that have begun. */
  begun: () => number;
} {
  const arrived: { lines: string[]; accept: () => void; reject: (error: unknown) => void }[] = [];
  const waiting: (() => void)[] = [];
  let taken = 0;
  const insert = async (lines: string[]): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    arrived.push({ lines, accept: () => resolve(undefined), reject });
    waiting.shift()?.();
    await promise;
  };
  const { write } = configOf({ write: { retry_first_ms: 1, retry_max_ms: 2, ...limits } });
  return {
    writer: createTableWriter(write, { insert, reporter: silentReporter, table: 'alerts', place: 'here' }),
    async next() {
      if (arrived.length === taken) {
        const { promise, resolve } = Promise.withResolvers<undefined>();
        waiting.push(() => resolve(undefined));
        await promise;
      }
      return arrived[taken++]!;
    },
    begun: () => arrived.length,
  };
}

const serverGone = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const badRow = Object.assign(new Error('Cannot parse input'), {
  code: '27',
  type: 'CANNOT_PARSE_INPUT_ASSERTION_FAILED',
});

/** Lets everything run that needs neither a timer nor the system. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let ended = false;
  const end = (): void => {
    ended = true;
  };
  promise.then(end, end);
  await settle();
  return !ended;
}

describe('the writer of a table', () => {
  it('puts rows that come together into one insert, in their order', async () => {
    const { writer, next } = createEngine({ flush_ms: 1 });
    const writes = [writer.write(['a', 'b']), writer.write(['c'])];
    const insert = await next();
    expect(insert.lines).toEqual(['a', 'b', 'c']);
    expect(await isPending(writes[0]!)).toBe(true);
    insert.accept();
    await Promise.all(writes);
  });

  it('sends at once what is a batch by rows or by bytes', async () => {
    const rows = createEngine({ flush_ms: 60_000, batch_rows: 2 });
    const byRows = rows.writer.write(['a', 'b', 'c', 'd']);
    for (const expected of [
      ['a', 'b'],
      ['c', 'd'],
    ]) {
      const insert = await rows.next();
      expect(insert.lines).toEqual(expected);
      insert.accept();
    }
    await byRows;
    const bytes = createEngine({ flush_ms: 60_000, batch_bytes: 1024 });
    const byBytes = bytes.writer.write(['x'.repeat(2000), 'y'.repeat(2000)]);
    for (const expected of ['x', 'y']) {
      const insert = await bytes.next();
      expect(insert.lines).toEqual([expected.repeat(2000)]);
      insert.accept();
    }
    await byBytes;
  });

  it('lets writers wait while the buffer is full', async () => {
    const { writer, next, begun } = createEngine({ flush_ms: 60_000, batch_rows: 1, buffer_bytes: 1024 });
    const first = writer.write(['1'.repeat(1500)]);
    const second = writer.write(['2']);
    const insert = await next();
    await settle();
    expect(begun()).toBe(1);
    insert.accept();
    await first;
    const then = await next();
    expect(then.lines).toEqual(['2']);
    then.accept();
    await second;
  });

  it('tries again while the server is away, with the same rows', async () => {
    const { writer, next } = createEngine({ flush_ms: 0 });
    const write = writer.write(['a']);
    for (let i = 0; i < 3; i++) (await next()).reject(serverGone);
    const insert = await next();
    expect(insert.lines).toEqual(['a']);
    insert.accept();
    await write;
  });

  it('tells at once of rows that the engine will never take, and goes on with the next', async () => {
    const { writer, next } = createEngine({ flush_ms: 0, batch_rows: 1 });
    const bad = writer.write(['bad']);
    const good = writer.write(['good']);
    (await next()).reject(badRow);
    await expect(bad).rejects.toMatchObject({ code: 'WW_STORE', message: expect.stringContaining('27') as string });
    await expect(bad).rejects.not.toMatchObject({ message: expect.stringContaining('parse') as string });
    const insert = await next();
    expect(insert.lines).toEqual(['good']);
    insert.accept();
    await good;
  });

  it('gives up in time and tells all who wait', async () => {
    const { writer, next } = createEngine({ flush_ms: 60_000, batch_rows: 1, give_up_seconds: 0 });
    const writes = [writer.write(['a']), writer.write(['b'])];
    (await next()).reject(serverGone);
    for (const write of writes) await expect(write).rejects.toMatchObject({ code: 'WW_STORE' });
    const later = writer.write(['c']);
    (await next()).accept();
    await later;
  });

  it('sends what is buffered when it is closed, also what still waits for room, and takes nothing more', async () => {
    const { writer, next } = createEngine({ flush_ms: 60_000, batch_rows: 2, buffer_bytes: 1024 });
    const writes = [writer.write(['1'.repeat(1500)]), writer.write(['2'])];
    const closed = writer.close();
    await expect(writer.write(['3'])).rejects.toMatchObject({ code: 'WW_STORE' });
    (await next()).accept();
    (await next()).accept();
    await Promise.all(writes);
    await closed;
  });

  it('has one last try for what it could not send when it is closed', async () => {
    const { writer, next } = createEngine({ flush_ms: 0, retry_first_ms: 60_000, retry_max_ms: 60_000 });
    const write = writer.write(['a']);
    const failed = expect(write).rejects.toMatchObject({ code: 'WW_STORE' });
    (await next()).reject(serverGone);
    await settle();
    const closed = writer.close();
    (await next()).reject(serverGone);
    await failed;
    await closed;
  });
});
