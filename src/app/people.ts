import type { DatabaseSync } from 'node:sqlite';
import { isIP } from 'node:net';
import { Access } from '../access/index.ts';
import type { Config } from '../config/index.ts';
import { WardwatchError } from '../kernel/errors.ts';

/** Whether only this machine can reach what listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * People and the audit log as the configuration has them. Fails with `WW_CONFIG` where sign-in is off while others
 * than this machine can reach the API, and where a secret cannot be read.
 */
export function createAccessOf(config: Config, desk: DatabaseSync): Access {
  if (config.access.sign_in === 'off' && !isLoopback(config.api.host))
    throw new WardwatchError(
      'WW_CONFIG',
      `access.sign_in is off, and others than this machine reach the API on ${config.api.host}`,
      'set access.sign_in to required, or api.host to 127.0.0.1',
    );
  return new Access(config.access, { desk });
}

/** What the terminal says about the first admin; undefined where there is one or none is needed. */
export function firstAdminNote(access: Access, url: string): string | undefined {
  const code = access.config.sign_in === 'off' ? undefined : access.setupCode();
  return code === undefined ? undefined : `There is no admin yet. Make one at ${url}sign-in with the code ${code}\n`;
}
