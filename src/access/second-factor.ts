import { Secret, TOTP } from 'otpauth';
import { hashSecret, newCode, readCode } from './secrets.ts';

const ISSUER = 'Wardwatch';
const PERIOD_S = 30;
const CODES = 10;

const totpOf = (secret: string, name: string): TOTP =>
  new TOTP({
    issuer: ISSUER,
    label: name,
    algorithm: 'SHA1',
    digits: 6,
    period: PERIOD_S,
    secret: Secret.fromBase32(secret),
  });

/** A new secret (160 bits, RFC 4226 section 4) in base 32, and the address that authenticator programs read. */
export function newTotp(name: string): { secret: string; uri: string } {
  const secret = new Secret({ size: 20 }).base32;
  return { secret, uri: totpOf(secret, name).toString() };
}

/**
 * The time step that a code belongs to, the present one or its neighbours (RFC 6238, section 5.2); undefined where
 * it is wrong or not later than `used`: a code works once.
 */
export function stepOf(secret: string, code: string, nowMs: number, used: number): number | undefined {
  const digits = code.replaceAll(/\s/g, '');
  if (!/^\d{6}$/.test(digits)) return undefined;
  const delta = totpOf(secret, '').validate({ token: digits, timestamp: nowMs, window: 1 });
  if (delta === null) return undefined;
  const step = Math.floor(nowMs / 1000 / PERIOD_S) + delta;
  return step > used ? step : undefined;
}

/** Codes to write down; each replaces the one-time code once. */
export const newRecoveryCodes = (): string[] => Array.from({ length: CODES }, () => newCode(4));

/** What the database keeps of a recovery code: 80 random bits need no slow hash. */
export const hashRecoveryCode = (typed: string): Buffer => hashSecret(readCode(typed));
