/** The same of every place where state can lie: a folder, the embedded engine, a server over HTTP. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentReporter } from '../../src/kernel/component.ts';
import { createFolderStore } from '../../src/state/folder.ts';
import { createStateKeeper } from '../../src/state/keeper.ts';
import type { StateKeeper, StatePoint } from '../../src/state/keeper.ts';
import type { StateStore } from '../../src/state/store.ts';
import { openEngine } from '../../src/store/engine.ts';
import type { Engine } from '../../src/store/engine.ts';
import { migrate } from '../../src/store/migrate.ts';
import { createStateTable, stateTableOf } from '../../src/store/state-table.ts';
import { migrateStore } from '../../src/store/index.ts';
import { configOf, embeddedPlace, serverPlace } from '../store/open.ts';
import { startClickHouse } from '../support/clickhouse/start.ts';
import type { TestServer } from '../support/clickhouse/start.ts';
import { runModel } from './model.ts';

const SLOW = 180_000;
/** Schedules of the model over a server; each takes some hundred requests. */
const SCHEDULES = Number(process.env['WARDWATCH_MODEL_STORED'] ?? 1);

interface Opened {
  readonly store: StateStore;
  /** Merges what ClickHouse would merge some time. */
  merge(): Promise<void>;
  close(): Promise<void>;
}

const at = (offset: bigint): StatePoint => ({ offset, rewindOffset: offset, eventUs: 1, marks: [], devices: 1 });

function stateContract(where: string, open: () => Promise<Opened>): void {
  describe(`state in ${where}`, () => {
    let opened: Opened;
    let store: StateStore;
    const keeper = (): StateKeeper => createStateKeeper(store, { keys: new Map(), reporter: silentReporter });
    beforeAll(async () => {
      opened = await open();
      ({ store } = opened);
    }, SLOW);
    afterAll(() => opened.close(), SLOW);

    it(
      'gives back what was written, whatever the bytes and their number',
      async () => {
        const blobs = [new Uint8Array(0), new Uint8Array([0, 255, 10, 39, 92]), new Uint8Array(randomBytes(3_000_000))];
        for (const [i, blob] of blobs.entries()) {
          await store.write('bytes', `${i}.chunk`, blob);
          expect(Buffer.compare((await store.read('bytes', `${i}.chunk`))!, blob)).toBe(0);
        }
        expect((await store.list('bytes')).sort()).toEqual(['0.chunk', '1.chunk', '2.chunk']);
        expect(await store.list('other')).toEqual([]);
        expect(await store.read('other', '0.chunk')).toBeUndefined();
      },
      SLOW,
    );

    it(
      'lists no more what was removed, after a merge too',
      async () => {
        await store.write('gone', 'a', new Uint8Array([1]));
        await store.write('gone', 'b', new Uint8Array([2]));
        await store.remove('gone', ['a', 'never-there']);
        for (let i = 0; i < 2; i++) {
          expect(await store.list('gone')).toEqual(['b']);
          expect(await store.read('gone', 'a')).toBeUndefined();
          expect([...(await store.read('gone', 'b'))!]).toEqual([2]);
          await opened.merge();
        }
      },
      SLOW,
    );

    it(
      'belongs to the last owner; two states are kept',
      async () => {
        const blocks = [new Uint8Array(randomBytes(300_000)), new Uint8Array(randomBytes(10))];
        const former = await keeper().take('p');
        for (const offset of [3n, 4n, 5n]) expect(await former.save(blocks, at(offset))).toBe(true);
        expect((await store.list('p')).filter((name) => name.endsWith('.manifest'))).toHaveLength(2);
        const present = await keeper().take('p');
        expect(present.found?.offset).toBe(5n);
        expect(Buffer.compare(Buffer.concat(present.found!.blocks), Buffer.concat(blocks))).toBe(0);
        expect(await former.isMine()).toBe(false);
        expect(await former.save(blocks, at(50n))).toBe(false);
        expect(await present.save(blocks, at(6n))).toBe(true);
        expect((await keeper().take('p')).found?.offset).toBe(6n);
      },
      SLOW,
    );
  });
}

stateContract('a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wardwatch-state-'));
  return Promise.resolve({
    store: createFolderStore(folder),
    merge: () => Promise.resolve(),
    close() {
      rmSync(folder, { recursive: true, force: true });
      return Promise.resolve();
    },
  });
});

stateContract('the embedded engine', async () => {
  const { config, clear } = await embeddedPlace();
  const engine: Engine = await openEngine(config);
  await migrate(engine, config);
  return {
    store: stateTableOf(() => Promise.resolve(engine), config, { reporter: silentReporter }),
    async merge() {
      await engine.client.command({ query: 'OPTIMIZE TABLE wardwatch.state_blobs FINAL' });
    },
    async close() {
      await engine.close();
      await clear();
    },
  };
});

describe('a server', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startClickHouse();
  }, SLOW);
  afterAll(() => server.stop(), SLOW);

  const open = async (): Promise<Opened> => {
    const { config, clear } = serverPlace(server);
    await migrateStore(config);
    const store = createStateTable(config, { reporter: silentReporter });
    return {
      store,
      merge: () => server.command(`OPTIMIZE TABLE ${config.database}.state_blobs FINAL`),
      async close() {
        await store.close?.();
        await clear();
      },
    };
  };
  stateContract('its table', open);

  it(
    'loses and doubles no alert under crashes, rebalances, duplicates, late leavers and damage',
    async () => {
      for (let seed = 1; seed <= SCHEDULES; seed++) {
        const opened = await open();
        try {
          expect((await runModel(seed, opened.store)).wrong, `schedule ${seed}`).toEqual([]);
        } finally {
          await opened.close();
        }
      }
    },
    SLOW * Math.max(1, SCHEDULES / 4),
  );

  it('that is away is waited for, no longer than rows are', async () => {
    const counted: string[] = [];
    const reporter = { ...silentReporter, count: (name: string) => void counted.push(name) };
    const config = configOf({
      mode: 'server',
      server: { url: 'http://127.0.0.1:1' },
      write: { retry_first_ms: 1, give_up_seconds: 0.05 },
    });
    const store = createStateTable(config, { reporter });
    await expect(store.list('p')).rejects.toMatchObject({ code: 'WW_STORE', message: /cannot be reached/ });
    expect(counted).toContain('store_retries');
    await store.close?.();
  });
});
