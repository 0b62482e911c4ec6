import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { zstdCompressSync, zstdDecompressSync, constants } from 'node:zlib';
import { WardwatchError, describeError } from '../kernel/errors.ts';

/*
 * A sealed blob: magic "WWS1", kind (0 plain, 1 encrypted), then
 *   plain:      zstd of the content
 *   encrypted:  length of the key's name, the name, nonce (12), tag (16), AES-256-GCM of the zstd
 * The name under which the blob is stored is authenticated with it: a blob in another one's place is refused.
 */
const MAGIC = Buffer.from('WWS1');
const NONCE = 12;
const TAG = 16;
/** One level: the time of the hot path is dearer than the disk's room. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** Content beyond this is none of ours. */
const MAX_CONTENT = 1 << 30;

/** Keys by their names, in the order of the file: the first one encrypts. Empty: nothing is encrypted. */
export type StateKeys = ReadonlyMap<string, Uint8Array>;

/**
 * Reads the keys of the file, or of the environment.
 * @throws WardwatchError WW_CONFIG where they cannot be read
 */
export async function readStateKeys(
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<StateKeys> {
  let text = env['WARDWATCH_STATE_KEYS'];
  if (file !== undefined)
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      throw new WardwatchError(
        'WW_CONFIG',
        `the file of keys cannot be read: ${describeError(error)}`,
        'give state.key_file a file that the program may read',
        { cause: error },
      );
    }
  const keys = new Map<string, Uint8Array>();
  for (const line of (text ?? '').split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, name = '', value = ''] = /^\s*([\w.-]{1,64}):([A-Za-z0-9+/=]+)\s*$/.exec(line) ?? [];
    const key = Buffer.from(value, 'base64');
    if (name === '' || key.length !== 32)
      throw new WardwatchError(
        'WW_CONFIG',
        `line ${text!.split('\n').indexOf(line) + 1} of the state keys is none`,
        'write a name, a colon and 32 bytes in base64, such as: k1:$(openssl rand -base64 32)',
      );
    keys.set(name, new Uint8Array(key));
  }
  return keys;
}

/** Compresses, and encrypts where there is a key. */
export function seal(content: Uint8Array, name: string, keys: StateKeys): Uint8Array {
  const packed = zstdCompressSync(content, LEVEL);
  const first = keys.entries().next();
  if (first.done === true) return Buffer.concat([MAGIC, Buffer.from([0]), packed]);
  const [keyName, key] = first.value;
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(name));
  const hidden = Buffer.concat([cipher.update(packed), cipher.final()]);
  const id = Buffer.from(keyName);
  return Buffer.concat([MAGIC, Buffer.from([1, id.length]), id, nonce, cipher.getAuthTag(), hidden]);
}

/** @throws WardwatchError WW_MODEL that says why the blob cannot be opened */
export function unseal(blob: Uint8Array, name: string, keys: StateKeys): Uint8Array {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  if (bytes.length < 6 || !bytes.subarray(0, 4).equals(MAGIC)) throw refused('it is no stored state');
  let packed = bytes.subarray(5);
  if (bytes[4] === 1) {
    const at = 6 + bytes[5]!;
    const keyName = bytes.toString('latin1', 6, at);
    const key = keys.get(keyName);
    if (bytes.length < at + NONCE + TAG) throw refused('it ends too early');
    if (key === undefined) throw refused('it is encrypted with a key that is not here');
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(at, at + NONCE));
    decipher.setAAD(Buffer.from(name));
    decipher.setAuthTag(bytes.subarray(at + NONCE, at + NONCE + TAG));
    try {
      packed = Buffer.concat([decipher.update(bytes.subarray(at + NONCE + TAG)), decipher.final()]);
    } catch {
      throw refused('it was changed, or encrypted with another key of the same name');
    }
  } else if (bytes[4] !== 0) throw refused('it was written by another version of Wardwatch');
  try {
    return zstdDecompressSync(packed, { maxOutputLength: MAX_CONTENT });
  } catch {
    throw refused('it is damaged');
  }
}

function refused(why: string): WardwatchError {
  return new WardwatchError(
    'WW_MODEL',
    `stored state cannot be used: ${why}`,
    'an older one is used where there is one',
  );
}
