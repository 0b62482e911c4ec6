import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { SASLOptions } from 'kafkajs';
import { WardwatchError, describeError } from '../../kernel/errors.ts';
import type { KafkaConnectionConfig } from './config.ts';

type SaslConfig = NonNullable<KafkaConnectionConfig['sasl']>;
type OauthConfig = NonNullable<SaslConfig['oauth']>;

const TOKEN_TIMEOUT_MS = 10_000;
const MAX_TOKEN_BYTES = 65_536;
/** A token is asked for anew so long before its end, for the way to the broker and for clocks that differ. */
const RENEW_BEFORE_MS = 30_000;
const run = promisify(execFile);

/** @throws WardwatchError WW_CONFIG that names the setting */
export async function readSetting(file: string, what: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new WardwatchError(
      'WW_CONFIG',
      `The file of kafka.${what} cannot be read: ${describeError(error)}.`,
      `Correct kafka.${what}, or let the account that runs Wardwatch read the file.`,
      { cause: error },
    );
  }
}

/** A secret from a file or a variable, without the line end that editors add. */
async function secretOf(
  file: string | undefined,
  variable: string | undefined,
  what: string,
): Promise<string | undefined> {
  if (file !== undefined) return (await readSetting(file, what)).replace(/\r?\n$/, '');
  const secret = variable === undefined ? undefined : process.env[variable];
  return secret === '' ? undefined : secret;
}

async function passwordOf(sasl: SaslConfig, username: string): Promise<string> {
  const password = await secretOf(sasl.password_file, sasl.password_env, 'sasl.password_file');
  if (password !== undefined) return password;
  throw new WardwatchError(
    'WW_CONFIG',
    `There is no password for the Kafka user ${username}.`,
    'Set kafka.sasl.password_file to a file that holds it, or kafka.sasl.password_env to a set variable.',
  );
}

/**
 * The way of signing in as kafkajs wants it.
 * @throws WardwatchError WW_CONFIG where a password, or the source of a token, is missing
 */
export async function signIn(sasl: SaslConfig): Promise<SASLOptions> {
  const { mechanism, username } = sasl;
  if (mechanism === 'oauthbearer') {
    if (sasl.oauth === undefined) throw noSource();
    return { mechanism, oauthBearerProvider: tokenProvider(sasl.oauth) };
  }
  if (username === undefined)
    throw new WardwatchError('WW_CONFIG', `There is no user for ${mechanism}.`, 'Set kafka.sasl.username.');
  const account = { username, password: await passwordOf(sasl, username) };
  // Spelled out, because the type of kafkajs is one of three and not one with three names.
  if (mechanism === 'plain') return { mechanism, ...account };
  if (mechanism === 'scram-sha-256') return { mechanism, ...account };
  return { mechanism, ...account };
}

function noSource(): WardwatchError {
  return new WardwatchError(
    'WW_CONFIG',
    'OAUTHBEARER needs exactly one source of tokens.',
    'Set one of kafka.sasl.oauth.token_file, token_command and token_url (with client_id and a secret).',
  );
}

function tokenError(why: string, cause?: unknown): WardwatchError {
  return new WardwatchError(
    'WW_BROKER',
    `There is no token for Kafka: ${why}.`,
    'Check kafka.sasl.oauth: what it names must give a token that has not ended.',
    cause === undefined ? {} : { cause },
  );
}

/** kafkajs calls it for every connection and when a session ends: what still holds is given again. */
function tokenProvider(oauth: OauthConfig): () => Promise<{ value: string }> {
  const sources = [oauth.token_file, oauth.token_command, oauth.token_url].filter((source) => source !== undefined);
  if (sources.length !== 1) throw noSource();
  let held: { value: string; untilMs: number } | undefined;
  let asking: Promise<{ value: string }> | undefined;

  async function ask(): Promise<{ value: string }> {
    const { value, untilMs } = await freshToken(oauth);
    if (!/^[\x21-\x7e]+$/.test(value)) throw tokenError('what came is no token');
    const endMs = endOf(value);
    // The broker would say so in a way (RFC 7628 section 3.2.3) that kafkajs takes for a closed connection.
    if (endMs > 0 && endMs < Date.now()) throw tokenError('the one that came has ended');
    held = { value, untilMs: untilMs ?? endMs };
    return { value };
  }
  return () => {
    // A file costs nothing, and whoever writes it knows best.
    const isHeld = held !== undefined && oauth.token_file === undefined && Date.now() < held.untilMs - RENEW_BEFORE_MS;
    if (isHeld) return Promise.resolve({ value: held!.value });
    asking ??= ask().finally(() => (asking = undefined));
    return asking;
  };
}

/** The end that a token (RFC 7519) tells of itself, as epoch milliseconds; 0 where it tells none. */
function endOf(token: string): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const { exp } = claims as { exp?: unknown };
    return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : 0;
  } catch {
    return 0;
  }
}

async function freshToken(oauth: OauthConfig): Promise<{ value: string; untilMs?: number }> {
  if (oauth.token_file !== undefined)
    return { value: (await readSetting(oauth.token_file, 'sasl.oauth.token_file')).trim() };
  if (oauth.token_command !== undefined) {
    const [program = '', ...args] = oauth.token_command;
    try {
      const { stdout } = await run(program, args, { timeout: TOKEN_TIMEOUT_MS, maxBuffer: MAX_TOKEN_BYTES });
      return { value: stdout.trim() };
    } catch (error) {
      // What the program wrote may be a token: how it ended is enough.
      const { code } = error as { code?: unknown };
      throw tokenError(
        `the command of token_command failed (${typeof code === 'string' || typeof code === 'number' ? code : 'ended by a signal'})`,
      );
    }
  }
  return tokenFrom(oauth.token_url ?? '', oauth);
}

async function tokenFrom(url: string, oauth: OauthConfig): Promise<{ value: string; untilMs?: number }> {
  const { client_id: client, client_secret_file: file, client_secret_env: variable } = oauth;
  const secret = await secretOf(file, variable, 'sasl.oauth.client_secret_file');
  if (client === undefined || secret === undefined)
    throw tokenError('token_url needs client_id, and client_secret_file or client_secret_env');
  let answer: unknown;
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS),
      headers: {
        // RFC 6749 section 2.3.1: both parts are form-encoded before they are put together.
        authorization: `Basic ${Buffer.from(`${encodeURIComponent(client)}:${encodeURIComponent(secret)}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        ...(oauth.scope === undefined ? {} : { scope: oauth.scope }),
      }),
    });
    const text = await response.text();
    if (!response.ok || text.length > MAX_TOKEN_BYTES) throw new Error(`status ${response.status}`);
    answer = JSON.parse(text);
  } catch (error) {
    throw tokenError(`token_url gave none (${error instanceof SyntaxError ? 'no JSON' : describeError(error)})`, error);
  }
  const { access_token: value, expires_in: seconds } = answer as { access_token?: unknown; expires_in?: unknown };
  if (typeof value !== 'string') throw tokenError('token_url answered without access_token');
  return typeof seconds === 'number' ? { value, untilMs: Date.now() + seconds * 1000 } : { value };
}
