import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sliceBatch } from '../../src/app/frames.ts';
import { silentReporter } from '../../src/kernel/component.ts';
import { decodeCapture } from '../../src/sources/pcap/decode.ts';
import { createFolderStore } from '../../src/state/folder.ts';
import { createStateKeeper } from '../../src/state/keeper.ts';
import type { StateKeeper, StatePoint } from '../../src/state/keeper.ts';
import { readStateKeys, unseal } from '../../src/state/seal.ts';
import type { StateKeys } from '../../src/state/seal.ts';
import { canariesOf, leaked } from '../spine/canaries.ts';
import { describeWithCaptures } from '../support/captures.ts';
import { createPath, snapshot } from './paths.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardwatch-state-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const NO_KEYS: StateKeys = new Map();
const keeper = (keys = NO_KEYS): StateKeeper =>
  createStateKeeper(createFolderStore(folder), { keys, reporter: silentReporter });
const at = (offset: bigint): StatePoint => ({
  offset,
  rewindOffset: offset - 1n,
  eventUs: Number(offset) * 1000,
  marks: [[offset - 1n, 5]],
  devices: 3,
});
const block = (text: string): Uint8Array => Buffer.from(text.repeat(50));
const files = (kind: string): string[] => readdirSync(join(folder, 'p')).filter((name) => name.endsWith(kind));
const keysOf = (text: string): Promise<StateKeys> => readStateKeys(undefined, { WARDWATCH_STATE_KEYS: text });
const key = (byte: number): string => Buffer.alloc(32, byte).toString('base64');

describe('stored state', () => {
  it('is found by the next owner, the newest first, with all that it stands for', async () => {
    const first = await keeper().take('p');
    expect(first.found).toBeUndefined();
    expect(await first.save([block('a'), block('b')], at(9n))).toBe(true);
    expect(await first.save([block('c')], at(10n))).toBe(true);
    const { found, refused } = await keeper().take('p');
    expect(refused).toEqual([]);
    expect(found).toMatchObject(at(10n));
    expect(found!.blocks.map((b) => Buffer.from(b).toString())).toEqual([block('c').toString()]);
  });

  it('belongs to who took it last: the former owner stores nothing any more', async () => {
    const former = await keeper().take('p');
    expect(await former.save([block('a')], at(5n))).toBe(true);
    const present = await keeper().take('p');
    expect(await former.isMine()).toBe(false);
    expect(await former.save([block('late')], at(50n))).toBe(false);
    expect(await present.save([block('b')], at(6n))).toBe(true);
    expect((await keeper().take('p')).found?.offset).toBe(6n);
  });

  it('keeps two, so that the one before is used where the newest is damaged, cut or gone', async () => {
    const lease = await keeper().take('p');
    for (const offset of [5n, 6n, 7n]) await lease.save([block(`state ${offset}`)], at(offset));
    expect(files('.manifest')).toHaveLength(2);
    const newest = join(folder, 'p', files('.chunk').sort().at(-1)!);
    const good = readFileSync(newest);
    for (const bad of [
      Buffer.concat([good.subarray(0, -1), Buffer.from([1])]),
      good.subarray(0, 10),
      Buffer.alloc(0),
    ]) {
      writeFileSync(newest, bad);
      const { found, refused } = await keeper().take('p');
      expect(found?.offset).toBe(6n);
      expect(refused).toEqual(['a part of it is damaged']);
    }
    rmSync(newest);
    expect((await keeper().take('p')).refused).toEqual(['a part of it is gone']);
  });

  it('is encrypted where there is a key; old keys read, the first one writes', async () => {
    const one = await keysOf(`old:${key(1)}`);
    await (await keeper(one).take('p')).save([block('secret')], at(5n));
    for (const name of files('chunk').concat(files('manifest')))
      expect(readFileSync(join(folder, 'p', name)).includes('secret')).toBe(false);
    expect((await keeper().take('p')).refused.at(0)).toMatch(/encrypted with a key that is not here/);
    const both = await keysOf(`# rotated\nnew:${key(2)}\nold:${key(1)}\n`);
    const lease = await keeper(both).take('p');
    expect(lease.found?.offset).toBe(5n);
    await lease.save([block('secret')], at(6n));
    expect((await keeper(await keysOf(`new:${key(2)}`)).take('p')).found?.offset).toBe(6n);
    expect((await keeper(await keysOf(`new:${key(3)}`)).take('p')).refused.at(0)).toMatch(/changed, or encrypted/);
    // A blob in another one's place is refused, whoever put it there.
    const name = files('.chunk').sort().at(-1)!;
    expect(() => unseal(readFileSync(join(folder, 'p', name)), `p/other`, both)).toThrow(/changed/);
  });

  it('says what is wrong with a key, not the key', async () => {
    await expect(keysOf(`k1:${key(1)}\nk2:c2hvcnQ=`)).rejects.toThrow(/line 2 of the state keys is none/);
    await expect(readStateKeys(join(folder, 'none'), {})).rejects.toThrow(/cannot be read/);
  });
});

describeWithCaptures('stored state and patients', (captures) => {
  it('holds nothing of an invented patient, at any moment', { timeout: 120_000 }, async () => {
    const clinical = join(captures, 'clinical');
    const canaries = canariesOf(clinical);
    const { batch } = decodeCapture(gunzipSync(readFileSync(join(clinical, 'C-hl7_replay.pcap.gz'))), 'capture');
    const path = await createPath([]);
    let moments = 0;
    for (let from = 0; from < batch.count; from += 331, moments++) {
      path.process(sliceBatch(batch, from, Math.min(batch.count, from + 331)));
      const { blocks } = snapshot(path);
      expect(leaked(Buffer.concat(blocks), canaries)).toEqual([]);
    }
    expect(moments).toBeGreaterThan(40);
  });
});
