import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyId, openBundle, packBundle } from '../../src/identity/bundle/archive.ts';
import { activeBundle, importBundle, listBundles, rollBack } from '../../src/identity/bundle/folder.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const stranger = generateKeyPairSync('ed25519');
const keys = new Map([[keyId(publicKey), publicKey]]);
const created = '2026-01-31T00:00:00Z';
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const files = [
  { name: 'profiles/vendors.json', bytes: text('{}') },
  { name: 'oui.txt', bytes: text('001122\tMaker') },
];
const bundle = (version: number, key = privateKey): Uint8Array =>
  packBundle(files, { version, created, contents: { oui: 'makers' } }, key);

/** A bundle with a manifest as its maker likes, signed by a trusted key: the worst that can come. */
function forged(manifest: object, content: Uint8Array = new Uint8Array()): Uint8Array {
  const body = JSON.stringify(manifest);
  const head = Buffer.from(`WARDWATCH BUNDLE 1 ${Buffer.byteLength(body)}\n${body}\n`);
  return Buffer.concat([head, Buffer.from(`${sign(null, head, privateKey).toString('base64')}\n`), content]);
}
const manifestOf = (name: string, bytes = 0): object => ({
  version: 1,
  created,
  key_id: keyId(publicKey),
  contents: {},
  files: [{ name, bytes, sha256: createHash('sha256').update('').digest('hex') }],
});

describe('a bundle', () => {
  it('gives back what was put in, and the same bytes for the same files', () => {
    const bytes = bundle(1);
    expect(bundle(1)).toEqual(bytes);
    expect(packBundle([...files].reverse(), { version: 1, created, contents: { oui: 'makers' } }, privateKey)).toEqual(
      bytes,
    );
    const open = openBundle(bytes, keys, 'x');
    expect(open.manifest.version).toBe(1);
    expect(open.files.map((file) => [file.name, Buffer.from(file.bytes).toString()])).toEqual([
      ['oui.txt', '001122\tMaker'],
      ['profiles/vendors.json', '{}'],
    ]);
  });

  it.each([
    '../../etc/passwd',
    '/etc/passwd',
    'profiles/../oui.txt',
    'profiles/a/b/c.yaml',
    'profiles\\a\\b.yaml',
    'manifest.json',
    'current.json',
    'profiles/a/.yaml',
    'oui.txt\u0000',
    '',
  ])('refuses the name %j even under a trusted key', (name) => {
    expect(() => openBundle(forged(manifestOf(name)), keys, 'x')).toThrow(/manifest is not right/);
  });

  it('refuses sizes that are not there, and never makes room for them', () => {
    expect(() => openBundle(forged(manifestOf('oui.txt', 100_000_000)), keys, 'x')).toThrow(/cut short or added to/);
    expect(() => openBundle(forged(manifestOf('oui.txt', 1e15)), keys, 'x')).toThrow(/manifest is not right/);
    expect(() => openBundle(forged(manifestOf('oui.txt'), text('more')), keys, 'x')).toThrow(/cut short or added to/);
  });

  it('refuses a file that is named twice and one with another hash', () => {
    const twice = manifestOf('oui.txt') as { files: object[] };
    twice.files.push(twice.files[0]!);
    expect(() => openBundle(forged(twice), keys, 'x')).toThrow(/names a file twice/);
    expect(() => openBundle(forged(manifestOf('oui.txt', 1), text('x')), keys, 'x')).toThrow(/does not have the hash/);
  });

  it('refuses a stranger’s signature before it looks at anything else', () => {
    expect(() => openBundle(bundle(1, stranger.privateKey), keys, 'x')).toThrow(/not signed by a key that is trusted/);
    expect(() => openBundle(bundle(1), new Map(), 'x')).toThrow(/not signed by a key that is trusted/);
  });

  it('refuses every shortened and every changed copy', () => {
    const bytes = bundle(1);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), (length) => {
        expect(() => openBundle(bytes.slice(0, length), keys, 'x')).toThrow();
      }),
      { seed: 6, numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 7 }), (at, bit) => {
        const copy = bytes.slice();
        copy[at]! ^= 1 << bit;
        let open;
        try {
          open = openBundle(copy, keys, 'x');
        } catch {
          return;
        }
        // Base64 has bits that mean nothing: then nothing has changed either.
        expect(open.files).toEqual(openBundle(bytes, keys, 'x').files);
      }),
      { seed: 6, numRuns: 300 },
    );
  });

  it('refuses anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => openBundle(bytes, keys, 'x')).toThrow();
      }),
      { seed: 6 },
    );
  });
});

describe('the folder of bundles', () => {
  let dir: string;
  const put = (version: number, key = privateKey): string => {
    const file = join(dir, `${version}.bundle`);
    writeFileSync(file, bundle(version, key));
    return file;
  };
  const used = (): string | undefined => {
    const path = activeBundle(dir);
    return path === undefined
      ? undefined
      : String((JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')) as { version: number }).version);
  };
  const fine = (): void => undefined;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'wardwatch-bundle-'));
    mkdirSync(join(dir, 'keys'));
    writeFileSync(join(dir, 'keys', 'site.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('uses what was imported last and goes back one by one', () => {
    expect(used()).toBeUndefined();
    importBundle(dir, put(1), fine);
    importBundle(dir, put(2), fine);
    expect(used()).toBe('2');
    expect(listBundles(dir).map((one) => [one.manifest.version, one.isActive])).toEqual([
      [2, true],
      [1, false],
    ]);
    rollBack(dir);
    expect(used()).toBe('1');
    rollBack(dir);
    expect(used()).toBeUndefined();
    expect(() => rollBack(dir)).toThrow(/no bundle is in use/);
  });

  it('takes an older one only when asked', () => {
    importBundle(dir, put(2), fine);
    expect(() => importBundle(dir, put(1), fine)).toThrow(/older than 2/);
    expect(used()).toBe('2');
    importBundle(dir, put(1), fine, true);
    expect(used()).toBe('1');
  });

  it('may import the same one again', () => {
    importBundle(dir, put(1), fine);
    importBundle(dir, put(1), fine);
    expect(used()).toBe('1');
    expect(readdirSync(join(dir, 'bundles'))).toHaveLength(1);
  });

  it('keeps the old one whatever fails on the way, and leaves nothing behind', () => {
    importBundle(dir, put(1), fine);
    expect(() => importBundle(dir, put(3, stranger.privateKey), fine)).toThrow(/not signed/);
    expect(() =>
      importBundle(dir, put(4), (folder) => {
        expect(existsSync(join(folder, 'oui.txt'))).toBe(true);
        throw new Error('not fit');
      }),
    ).toThrow('not fit');
    expect(used()).toBe('1');
    expect(readdirSync(join(dir, 'bundles'))).toHaveLength(1);
  });

  it('is not led elsewhere by its own pointer', () => {
    writeFileSync(join(dir, 'current.json'), '{"history":["../../etc"]}');
    expect(() => activeBundle(dir)).toThrow(/is damaged/);
  });
});
