import { createHash, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { Type } from 'typebox';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import { WardwatchError, describeError } from '../../kernel/errors.ts';
import { tame } from '../../lib/tame.ts';

/**
 * A bundle of knowledge is one file:
 *
 *     WARDWATCH BUNDLE 1 <bytes of the manifest>\n
 *     <manifest, JSON>\n
 *     <Ed25519 signature of the two lines above, base64>\n
 *     <the files, one after the other, in the order of the manifest>
 *
 * Nothing is packed and nothing is linked, so that no file grows when it is opened and none lies elsewhere; the names
 * are those of a fixed list. The same files, version and time give the same bytes.
 */
const MAGIC = 'WARDWATCH BUNDLE 1 ';
const MAX_MANIFEST = 1024 * 1024;
const MAX_FILES = 8192;
/** The largest bundle that is read. */
export const MAX_BUNDLE = 128 * 1024 * 1024;

/** Files that a bundle may hold; everything else is refused. */
const NAME =
  '^(oui\\.txt|types\\.json|profiles/(vendors\\.json|platforms\\.yaml|[a-z0-9][a-z0-9-]{0,63}/[a-z0-9][a-z0-9-]{0,63}\\.yaml))$';

const manifestSchema = Type.Object(
  {
    version: Type.Integer({ minimum: 1 }),
    created: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}Z$' }),
    key_id: Type.String({ pattern: '^[0-9a-f]{16}$' }),
    contents: Type.Record(Type.String({ pattern: '^(oui|profiles|types)$' }), Type.String({ maxLength: 200 })),
    files: Type.Array(
      Type.Object(
        {
          name: Type.String({ pattern: NAME }),
          bytes: Type.Integer({ minimum: 0, maximum: MAX_BUNDLE }),
          sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: MAX_FILES },
    ),
  },
  { additionalProperties: false },
);

/** What a bundle says of itself, under its signature. */
export type BundleManifest = Static<typeof manifestSchema>;

export interface BundleFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface OpenBundle {
  readonly manifest: BundleManifest;
  readonly files: readonly BundleFile[];
}

function refuse(what: string, remedy: string, cause?: unknown): never {
  throw new WardwatchError('WW_BUNDLE', what, remedy, { cause });
}

/** First 64 bits of the SHA-256 of a public key (SPKI, DER), as hexadecimal digits. */
export function keyId(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
}

/**
 * Reads an Ed25519 key in PEM.
 * @throws {WardwatchError} `WW_BUNDLE`
 */
export function readKey(pem: string, kind: 'private' | 'public', file: string): KeyObject {
  let key: KeyObject;
  try {
    key = kind === 'private' ? createPrivateKey(pem) : createPublicKey(pem);
  } catch (error) {
    return refuse(`${file} holds no ${kind} key: ${describeError(error)}`, 'openssl genpkey -algorithm ed25519', error);
  }
  if (key.asymmetricKeyType !== 'ed25519')
    return refuse(`${file} holds a key of another kind than Ed25519`, 'openssl genpkey -algorithm ed25519');
  return key;
}

/**
 * Makes a bundle.
 * @param about `created` in UTC, `2026-01-31T00:00:00Z`; `contents` says what is in it, in words
 * @throws {WardwatchError} `WW_BUNDLE` for a name that a bundle may not hold
 */
export function packBundle(
  files: readonly BundleFile[],
  about: Pick<BundleManifest, 'version' | 'created' | 'contents'>,
  key: KeyObject,
): Uint8Array {
  const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const manifest: BundleManifest = {
    version: about.version,
    created: about.created,
    key_id: keyId(createPublicKey(key)),
    contents: about.contents,
    files: sorted.map(({ name, bytes }) => ({
      name,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
    })),
  };
  checkManifest(manifest);
  const text = JSON.stringify(manifest);
  const head = Buffer.from(`${MAGIC}${Buffer.byteLength(text)}\n${text}\n`);
  const signature = sign(null, head, key).toString('base64');
  return Buffer.concat([head, Buffer.from(`${signature}\n`), ...sorted.map(({ bytes }) => bytes)]);
}

function checkManifest(value: unknown): asserts value is BundleManifest {
  if (!Value.Check(manifestSchema, value)) {
    const first = Value.Errors(manifestSchema, value)[0];
    refuse(
      `the manifest is not right: ${tame(first?.instancePath ?? '', 80)} ${tame(first?.message ?? '', 120)}`,
      'make the bundle with `wardwatch bundle create`',
    );
  }
  const names = value.files.map((file) => file.name);
  if (new Set(names).size !== names.length) refuse('the manifest names a file twice', 'make the bundle anew');
}

/**
 * Opens a bundle: first the signature, then everything else, so that nothing of what a stranger wrote is looked at.
 * @param keys trusted public keys, by their id
 * @throws {WardwatchError} `WW_BUNDLE`: no bundle, cut short, signed by nobody trusted, or changed
 */
export function openBundle(bytes: Uint8Array, keys: ReadonlyMap<string, KeyObject>, file: string): OpenBundle {
  const again = 'get the bundle again from where it comes from';
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data.length > MAX_BUNDLE) refuse(`${file} is longer than ${MAX_BUNDLE} bytes`, again);
  const line = /^WARDWATCH BUNDLE 1 (\d{1,7})\n/.exec(data.subarray(0, 32).toString('latin1'));
  const length = Number(line?.[1]);
  if (line === null || length > MAX_MANIFEST) return refuse(`${file} is no bundle of Wardwatch`, again);
  const headEnd = line[0].length + length + 1;
  const signatureEnd = data.indexOf(10, headEnd);
  if (headEnd > data.length || signatureEnd < 0 || signatureEnd - headEnd > 100 || data[headEnd - 1] !== 10)
    return refuse(`${file} is cut short or damaged`, again);
  const head = data.subarray(0, headEnd);
  const signature = Buffer.from(data.subarray(headEnd, signatureEnd).toString('latin1'), 'base64');
  const signer = [...keys].find(([, key]) => verify(null, head, key, signature));
  if (signer === undefined)
    return refuse(
      `${file} is not signed by a key that is trusted here, or was changed`,
      'put the public key of its maker into the folder of keys if you trust it, else do not use the bundle',
    );
  let manifest: unknown;
  try {
    manifest = JSON.parse(head.subarray(line[0].length, headEnd - 1).toString('utf8'));
  } catch (error) {
    return refuse(`${file}: the manifest is no JSON: ${describeError(error)}`, again, error);
  }
  checkManifest(manifest);
  if (manifest.key_id !== signer[0]) return refuse(`${file} names another key than the one that signed it`, again);
  let at = signatureEnd + 1;
  const total = manifest.files.reduce((sum, entry) => sum + entry.bytes, at);
  if (total !== data.length)
    return refuse(`${file} has ${data.length} bytes where its manifest says ${total}: cut short or added to`, again);
  const files = manifest.files.map(({ name, bytes: size, sha256 }) => {
    const content = data.subarray(at, at + size);
    at += size;
    if (createHash('sha256').update(content).digest('hex') !== sha256)
      return refuse(`${file}: ${name} does not have the hash that the manifest names`, again);
    return { name, bytes: content };
  });
  return { manifest, files };
}
