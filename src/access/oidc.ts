import { readFileSync } from 'node:fs';
import * as client from 'openid-client';
import type { Clock } from '../desk/clock.ts';
import { WardwatchError } from '../kernel/errors.ts';
import type { OidcConfig } from './config.ts';
import { ROLES } from './roles.ts';
import type { Role } from './roles.ts';
import { newSecret } from './secrets.ts';

/** How long somebody may take at the provider. */
const LASTS_MS = 600_000;
/** Sign-ins under way; more push the oldest out. */
const MOST = 1000;
const TIMEOUT_S = 10;

interface Transaction {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly to: string;
  readonly endsMs: number;
}

/** Whom the provider has signed in. */
export interface OidcPerson {
  /** Issuer and subject: the one name that the provider never gives to anybody else. */
  readonly subject: string;
  readonly name: string;
  /** Undefined where no group of the person has a role. */
  readonly role: Role | undefined;
  readonly vlans: readonly string[] | undefined;
  /** Where the browser wanted to go. */
  readonly to: string;
}

/** Sign-in by OpenID Connect: authorization code with PKCE (RFC 7636), state and nonce, bound to the browser. */
export interface Oidc {
  readonly label: string;
  /** Where to send the browser, and the secret that its cookie has to hold when it comes back. */
  begin(to: string): Promise<{ url: string; ticket: string }>;
  /** `query` is what the provider sent the browser back with. Fails where anything of it is not as it should be. */
  finish(ticket: string, query: string): Promise<OidcPerson>;
}

function secretOf(config: OidcConfig): string | undefined {
  const { client_secret_file: file, client_secret_env: variable } = config;
  if (file !== undefined) {
    try {
      return readFileSync(file, 'utf8').trim();
    } catch (cause) {
      throw new WardwatchError(
        'WW_CONFIG',
        `access.oidc.client_secret_file ${file} cannot be read`,
        'put the secret of the client there, readable for the account that runs Wardwatch',
        { cause },
      );
    }
  }
  if (variable === undefined) return undefined;
  const secret = process.env[variable];
  if (secret !== undefined && secret !== '') return secret;
  throw new WardwatchError('WW_CONFIG', `access.oidc: the variable ${variable} is not set`, 'set it to the secret');
}

const texts = (claim: unknown): string[] =>
  (Array.isArray(claim) ? claim : [claim])
    .filter((one): one is string | number => typeof one === 'string' || typeof one === 'number')
    .map(String);

/** Reads the secret at once (`WW_CONFIG`), asks the provider only when somebody signs in. */
export function createOidc(config: OidcConfig, clock: Pick<Clock, 'now'>): Oidc {
  const secret = secretOf(config);
  const redirect = `${config.public_url.replace(/\/$/, '')}/api/v1/oidc/callback`;
  const under = new Map<string, Transaction>();
  let found: Promise<client.Configuration> | undefined;

  const provider = async (): Promise<client.Configuration> => {
    found ??= client.discovery(
      new URL(config.issuer),
      config.client_id,
      undefined,
      secret === undefined ? client.None() : client.ClientSecretBasic(secret),
      {
        timeout: TIMEOUT_S,
        // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so to be noticed; asked for by name in the configuration
        execute: config.insecure_http ? [client.allowInsecureRequests] : [],
      },
    );
    try {
      return await found;
    } catch (error) {
      // A provider that was away is asked again by the next one who signs in.
      found = undefined;
      throw error;
    }
  };

  return {
    label: config.label,

    async begin(to) {
      const server = await provider();
      const ticket = newSecret();
      const verifier = client.randomPKCECodeVerifier();
      const transaction: Transaction = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier,
        to,
        endsMs: clock.now() + LASTS_MS,
      };
      const url = client.buildAuthorizationUrl(server, {
        redirect_uri: redirect,
        scope: config.scope,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        state: transaction.state,
        nonce: transaction.nonce,
      });
      under.set(ticket, transaction);
      for (const old of under.keys()) {
        if (under.size <= MOST) break;
        under.delete(old);
      }
      return { url: url.href, ticket };
    },

    async finish(ticket, query) {
      const transaction = under.get(ticket);
      under.delete(ticket);
      if (transaction === undefined || transaction.endsMs <= clock.now())
        throw new WardwatchError('WW_API', 'this sign-in was not begun here, or too long ago', 'begin it again');
      const server = await provider();
      const tokens = await client.authorizationCodeGrant(server, new URL(`${redirect}?${query}`), {
        pkceCodeVerifier: transaction.verifier,
        expectedState: transaction.state,
        expectedNonce: transaction.nonce,
        idTokenExpected: true,
      });
      const id = tokens.claims();
      if (id === undefined) throw new WardwatchError('WW_API', 'the provider sent no ID token', 'see its log');
      let claims: Record<string, unknown> = id;
      const wanted = [config.groups_claim, config.name_claim, config.vlans_claim ?? config.name_claim];
      // Many providers put groups into the user info alone, to keep the ID token small.
      if (wanted.some((name) => id[name] === undefined) && server.serverMetadata().userinfo_endpoint !== undefined)
        claims = { ...(await client.fetchUserInfo(server, tokens.access_token, id.sub)), ...id };
      const groups = texts(claims[config.groups_claim]);
      const name = claims[config.name_claim];
      return {
        subject: `${id.iss} ${id.sub}`,
        name: typeof name === 'string' ? name : id.sub,
        role: ROLES.findLast((role) => config.roles[role].some((group) => groups.includes(group))),
        // Without the claim nothing is seen: a provider that forgets it must not open everything.
        vlans: config.vlans_claim === undefined ? undefined : texts(claims[config.vlans_claim]),
        to: transaction.to,
      };
    },
  };
}
