import { createHmac, createPrivateKey, createPublicKey, sign as signBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** Signs for one secret; the text that stands in `webhook-signature`. */
export type Signer = (content: Buffer) => string;

/** PKCS #8 (RFC 8410) in front of the 32 bytes of an Ed25519 seed. */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

function bytesOf(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '') ? bytes : undefined;
}

/** The 32 bytes of the seed, or the 64 of seed and public key; undefined where the two do not belong together. */
function ed25519Key(bytes: Buffer): KeyObject | undefined {
  if (bytes.length !== 32 && bytes.length !== 64) return undefined;
  const der = Buffer.concat([ED25519_PKCS8, bytes.subarray(0, 32)]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicBytes = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
  return bytes.length === 32 || publicBytes.equals(bytes.subarray(32)) ? key : undefined;
}

/**
 * A signer for a secret as Standard Webhooks 1.0.0 writes it: `whsec_` and base64 of 24 to 64 bytes (HMAC-SHA256,
 * `v1`), or `whsk_` and base64 of an Ed25519 key (`v1a`). Undefined where it is neither.
 */
export function createSigner(secret: string): Signer | undefined {
  if (secret.startsWith('whsec_')) {
    const key = bytesOf(secret.slice('whsec_'.length));
    if (key === undefined || key.length < 24 || key.length > 64) return undefined;
    return (content) => `v1,${createHmac('sha256', key).update(content).digest('base64')}`;
  }
  if (secret.startsWith('whsk_')) {
    const bytes = bytesOf(secret.slice('whsk_'.length));
    const key = bytes === undefined ? undefined : ed25519Key(bytes);
    return key === undefined ? undefined : (content) => `v1a,${signBytes(null, content, key).toString('base64')}`;
  }
  return undefined;
}

/**
 * The three headers of Standard Webhooks for one attempt. What is signed is `id.timestamp.body`, in the very bytes
 * that are sent.
 */
export function signedHeaders(
  id: string,
  nowMs: number,
  body: Buffer,
  signers: readonly Signer[],
): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signers.map((sign) => sign(content)).join(' '),
  };
}
