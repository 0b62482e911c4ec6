import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import argon2 from 'argon2';

/** Argon2id as OWASP's Password Storage Cheat Sheet asks for at least: 19 MiB, two passes, one lane. */
const COST = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Longer ones are not hashed: a request must not buy much work. */
export const LONGEST_PASSWORD = 256;

/** The same password typed on another keyboard is another sequence of code points (NIST SP 800-63B, 3.1.1.2). */
const normal = (password: string): string => password.normalize('NFKC');

export async function hashPassword(password: string): Promise<string> {
  return argon2.hash(normal(password), COST);
}

let nobodys: Promise<string> | undefined;

/**
 * Whether the password is that of `hash`. Without a hash (no such user, or one without a password) the answer is
 * no, after the same work: how long it takes does not tell who has an account.
 */
export async function isPassword(hash: string, password: string): Promise<boolean> {
  if (hash === '') {
    nobodys ??= hashPassword(randomBytes(24).toString('base64'));
    await argon2.verify(await nobodys, normal(password));
    return false;
  }
  return argon2.verify(hash, normal(password));
}

/** Something random that nobody guesses: 256 bits. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** What the database keeps of a random secret. It has nothing to guess, so a fast hash does. */
export const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** Compares texts in a time that does not depend on where they differ. */
export function isSame(a: string, b: string): boolean {
  return timingSafeEqual(hashSecret(a), hashSecret(b));
}

/** Letters and digits that are not mistaken for each other when read from a screen (Crockford's base 32). */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A code for a person to type: groups of four, 5 bits a character. */
export function newCode(groups: number): string {
  const letters = [...randomBytes(groups * 4)].map((byte) => ALPHABET[byte & 31]!);
  return Array.from({ length: groups }, (_, i) => letters.slice(i * 4, i * 4 + 4).join('')).join('-');
}

/** The code as it was made, however it was typed. */
export function readCode(typed: string): string {
  const letters = typed
    .toUpperCase()
    .replaceAll('O', '0')
    .replaceAll(/[IL]/g, '1')
    .replaceAll(/[^0-9A-Z]/g, '');
  return letters.replaceAll(/(.{4})(?=.)/g, '$1-');
}
