import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

/**
 * Protection of Initial packets, RFC 9001 section 5.2 and RFC 9369 section 3.3: the keys follow from a salt of
 * the version and the connection id that the client chose first, so that everybody may read them.
 */
export interface InitialKeys {
  key: Uint8Array;
  iv: Uint8Array;
  headerKey: Uint8Array;
}

const TAG_BYTES = 16;
const SAMPLE_BYTES = 16;

export const VERSION_1 = 1;
export const VERSION_2 = 0x6b33_43cf;

function saltOf(version: number): string | undefined {
  if (version === VERSION_1) return '38762cf7f55934b34d179ae6a4c80cadccbb7f0a';
  if (version === VERSION_2) return '0dede3def700a6db819381be6e269dcbf9bd2ed9';
  const draft = draftOf(version);
  if (draft >= 33) return '38762cf7f55934b34d179ae6a4c80cadccbb7f0a';
  if (draft >= 29) return 'afbfec289993d24c9e9786f19c6111e04390a899';
  if (draft >= 23) return 'c3eef712c72ebb5a11a7d2432bb46365bef9f502';
  return undefined;
}

/** Number of the draft of the IETF, 0 where the version is none. */
export function draftOf(version: number): number {
  const draft = version & 0xff;
  return version >>> 8 === 0xff_0000 && draft >= 17 && draft <= 34 ? draft : 0;
}

/** Keys of the client's Initial packets, undefined where the version's salt is not known. */
export function clientKeys(version: number, connectionId: Uint8Array): InitialKeys | undefined {
  const salt = saltOf(version);
  if (salt === undefined) return undefined;
  const secret = createHmac('sha256', Buffer.from(salt, 'hex')).update(connectionId).digest();
  const client = expandLabel(secret, 'client in', 32);
  const prefix = version === VERSION_2 ? 'quicv2' : 'quic';
  return {
    key: expandLabel(client, `${prefix} key`, 16),
    iv: expandLabel(client, `${prefix} iv`, 12),
    headerKey: expandLabel(client, `${prefix} hp`, 16),
  };
}

/** HKDF-Expand-Label of RFC 8446 section 7.1 for at most one block of SHA-256. */
function expandLabel(secret: Uint8Array, label: string, length: number): Uint8Array {
  const info = Buffer.from(`\0${String.fromCharCode(length, label.length + 6)}tls13 ${label}\0\x01`, 'latin1');
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

/**
 * Plain payload of the packet whose first byte is at `start`, packet number at `numberAt` and end at `end`.
 * Undefined where it does not authenticate. The bytes given are not changed.
 */
export function openInitial(
  keys: InitialKeys,
  bytes: Uint8Array,
  start: number,
  numberAt: number,
  end: number,
): Uint8Array | undefined {
  const sampleAt = numberAt + 4;
  if (sampleAt + SAMPLE_BYTES > end) return undefined;
  const mask = createCipheriv('aes-128-ecb', keys.headerKey, null).update(
    bytes.subarray(sampleAt, sampleAt + SAMPLE_BYTES),
  );
  const first = bytes[start]! ^ (mask[0]! & 0x0f);
  const numberBytes = (first & 3) + 1;
  const header = bytes.slice(start, numberAt + numberBytes);
  header[0] = first;
  const nonce = Uint8Array.from(keys.iv);
  for (let i = 0; i < numberBytes; i++) {
    const at = numberAt - start + i;
    header[at] = header[at]! ^ mask[1 + i]!;
    nonce[12 - numberBytes + i] = nonce[12 - numberBytes + i]! ^ header[at];
  }
  const from = numberAt + numberBytes;
  if (end - from < TAG_BYTES) return undefined;
  const cipher = createDecipheriv('aes-128-gcm', keys.key, nonce);
  cipher.setAAD(header);
  cipher.setAuthTag(bytes.subarray(end - TAG_BYTES, end));
  const plain = cipher.update(bytes.subarray(from, end - TAG_BYTES));
  try {
    cipher.final();
  } catch {
    // node:crypto has no other way to say that the packet is not authentic.
    return undefined;
  }
  return plain;
}
