import { execFileSync, fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentReporter } from '../../src/kernel/component.ts';
import { createStore, migrateStore } from '../../src/store/index.ts';
import type { StoreConfig } from '../../src/store/index.ts';
import { storeContract } from './contract.ts';
import { configOf, embeddedPlace } from './open.ts';
import { alertRow } from './rows.ts';

storeContract('embedded', embeddedPlace);

interface Word {
  started?: boolean;
  stored?: string[];
  failed?: string;
  code?: string;
  remedy?: string;
}

describe('the folder of the embedded engine', () => {
  let folder: string;
  let config: StoreConfig;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'wardwatch-embedded-'));
    config = configOf({ path: join(folder, 'store') });
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await end(child);
    rmSync(folder, { recursive: true, force: true });
  });

  const startChild = (): ChildProcess => {
    const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [JSON.stringify(config)], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    children.push(child);
    return child;
  };

  it('belongs to one process: another is told who has it, and may have it afterwards', async () => {
    const owner = startChild();
    expect(await word(owner)).toEqual({ started: true });
    const second = await word(startChild());
    expect(second.code).toBe('WW_STORE');
    expect(second.failed).toContain(`process ${owner.pid}`);
    expect(second.remedy).toMatch(/one process/);
    await end(owner);
    const store = createStore(config, { reporter: silentReporter });
    await store.start();
    await store.stop();
    expect(existsSync(join(config.path, 'wardwatch.pid'))).toBe(false);
  });

  it('keeps every acknowledged row through a kill -9', async () => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round++) {
      const child = startChild();
      await word(child);
      const enough = Promise.withResolvers<undefined>();
      let n = 0;
      child.on('message', (message: Word) => {
        acknowledged.push(...(message.stored ?? []));
        if (++n === 15) enough.resolve(undefined);
        else child.send({ uids: [`${round}-${n}-a`, `${round}-${n}-b`] });
      });
      // Two writers, so that one write is under way when the process ends.
      child.send({ uids: [`${round}-first`] });
      child.send({ uids: [`${round}-other`] });
      await enough.promise;
      await end(child);
    }
    expect(acknowledged.length).toBeGreaterThan(60);
    const store = createStore(config, { reporter: silentReporter });
    await store.start();
    const found = new Set((await store.alerts({}, 10_000)).rows.map((row) => row.uid));
    await store.stop();
    expect(acknowledged.filter((uid) => !found.has(uid))).toEqual([]);
  });

  it('is the only one that this process can have open', async () => {
    const store = createStore(config, { reporter: silentReporter });
    await store.start();
    await expect(migrateStore(configOf({ path: join(folder, 'other') }))).rejects.toMatchObject({
      code: 'WW_STORE',
      message: expect.stringContaining('already has another') as string,
    });
    await store.write({ alerts: [alertRow('still here')] });
    await store.stop();
    expect(await migrateStore(configOf({ path: join(folder, 'other') }))).toContain('table alerts');
  });

  it('cannot be made: the error names it', async () => {
    writeFileSync(join(folder, 'file'), '');
    const path = join(folder, 'file', 'store');
    await expect(migrateStore(configOf({ path }))).rejects.toMatchObject({
      code: 'WW_STORE',
      message: expect.stringContaining(path) as string,
    });
  });

  it('on a full disk: the writer is told, and rows go in when there is space again', async ({ skip }) => {
    const mount = join(folder, 'small');
    rmSync(mount, { recursive: true, force: true });
    try {
      execFileSync('mkdir', [mount]);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', mount], { stdio: 'ignore' });
    } catch {
      console.warn('SKIPPED, no right to mount a small tmpfs: full disk');
      skip();
    }
    try {
      const store = createStore(
        configOf({ path: join(mount, 'store'), write: { retry_first_ms: 1, retry_max_ms: 2, give_up_seconds: 0.05 } }),
        { reporter: silentReporter },
      );
      await store.start();
      await store.write({ alerts: [alertRow('before')] });
      const filler = join(mount, 'filler');
      const { bavail, bsize } = statfsSync(mount);
      writeFileSync(filler, Buffer.alloc(bavail * bsize - 8192));
      const rows = {
        alerts: Array.from({ length: 500 }, (_, i) => alertRow(`full-${i}`, { message: `${i}`.repeat(200) })),
      };
      await expect(store.write(rows)).rejects.toMatchObject({ code: 'WW_DISK_FULL' });
      expect((await store.alert('before'))?.uid).toBe('before');
      rmSync(filler);
      await store.write(rows);
      expect((await store.alerts({}, 1)).total).toBe(501);
      await store.stop();
    } finally {
      execFileSync('umount', ['-l', mount]);
    }
  });
});

async function word(child: ChildProcess): Promise<Word> {
  const [message] = (await once(child, 'message')) as [Word];
  return message;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
