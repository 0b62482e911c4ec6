import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { WardwatchError, describeError } from '../kernel/errors.ts';

/*
 * A sealed value: magic "WWF1", flags (bit 0: the content is compressed by zstd), length of the key's name, the
 * name, nonce (12), tag (16), AES-256-GCM of the content (NIST SP 800-38D). Authenticated with it: everything
 * before the nonce, and where the value belongs, so that neither a flag can be turned nor a value be put elsewhere.
 */
const MAGIC = 0x57574631;
const HEAD = 6;
const NONCE = 12;
const TAG = 16;
const COMPRESSED = 1;
/** One level: the sensor's time is dearer than the broker's room. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
/** No record of ours grows to more. */
const MAX_CONTENT_BYTES = 8 * 1024 * 1024;
const NAME = /^[\w.-]{1,64}$/;

/** Keys by their names, in the order of the file: the first one writes, all read. Empty: nothing is encrypted. */
export type FrameKeys = ReadonlyMap<string, Uint8Array>;

/** The environment variable that may hold what a file of keys holds. */
export const FRAME_KEYS_VARIABLE = 'WARDWATCH_FRAMES_KEYS';

/**
 * Reads the keys of frames from a file or, without one, from the environment.
 * @throws WardwatchError WW_CONFIG where they cannot be read; the message never holds a part of a key
 */
export async function readFrameKeys(
  file: string | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<FrameKeys> {
  let text = env[FRAME_KEYS_VARIABLE] ?? '';
  if (file !== undefined)
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      throw new WardwatchError(
        'WW_CONFIG',
        `The file of kafka.encryption.key_file cannot be read: ${describeError(error)}.`,
        'Correct the setting, or let the account that runs Wardwatch read the file.',
        { cause: error },
      );
    }
  const keys = new Map<string, Uint8Array>();
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, name = '', value = ''] = /^\s*([^\s:]+):([A-Za-z0-9+/]{43}=)\s*$/.exec(line) ?? [];
    if (!NAME.test(name) || keys.has(name))
      throw new WardwatchError(
        'WW_CONFIG',
        `Line ${index + 1} of the keys of frames is no key${keys.has(name) ? ' of its own: its name is taken' : ''}.`,
        'Write a name, a colon and 32 bytes in base64, such as: k1:$(openssl rand -base64 32)',
      );
    keys.set(name, new Uint8Array(Buffer.from(value, 'base64')));
  }
  return keys;
}

export function isSealed(value: Uint8Array): boolean {
  return value.length >= 4 && value[0] === 0x57 && value[1] === 0x57 && value[2] === 0x46 && value[3] === 0x31;
}

/**
 * Compresses where that makes it smaller, and encrypts with the first key.
 * @param place where the value belongs, such as `topic[partition]`: it opens only there
 */
export function sealValue(content: Uint8Array, place: string, keys: FrameKeys): Buffer {
  const first = keys.entries().next();
  if (first.done === true) throw new RangeError('no key');
  const [name, key] = first.value;
  const packed = zstdCompressSync(content, LEVEL);
  const isSmaller = packed.length < content.length;
  const head = Buffer.alloc(HEAD + name.length);
  head.writeUInt32BE(MAGIC, 0);
  head[4] = isSmaller ? COMPRESSED : 0;
  head[5] = name.length;
  head.write(name, HEAD, 'latin1');
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.concat([head, Buffer.from(place)]));
  const hidden = cipher.update(isSmaller ? packed : content);
  cipher.final();
  return Buffer.concat([head, nonce, cipher.getAuthTag(), hidden]);
}

/**
 * The content of a sealed value, or why it cannot be had: one of a closed set of reasons. It is no exception,
 * because on a topic it is data.
 */
export function openValue(value: Uint8Array, place: string, keys: FrameKeys): Buffer | string {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length < HEAD || bytes.length < HEAD + bytes[5]! + NONCE + TAG) return 'encrypted, and cut off';
  const at = HEAD + bytes[5]!;
  const head = bytes.subarray(0, at);
  const key = keys.get(head.toString('latin1', HEAD));
  if (key === undefined) return 'encrypted with a key that is not here';
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(at, at + NONCE), { authTagLength: TAG });
  decipher.setAAD(Buffer.concat([head, Buffer.from(place)]));
  decipher.setAuthTag(bytes.subarray(at + NONCE, at + NONCE + TAG));
  const packed = decipher.update(bytes.subarray(at + NONCE + TAG));
  try {
    decipher.final();
  } catch {
    return 'encrypted with another key of that name, or changed';
  }
  if ((bytes[4]! & COMPRESSED) === 0) return packed;
  try {
    return zstdDecompressSync(packed, { maxOutputLength: MAX_CONTENT_BYTES });
  } catch {
    return 'encrypted, and too large or damaged inside';
  }
}
