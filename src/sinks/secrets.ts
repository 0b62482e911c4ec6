import { readFile } from 'node:fs/promises';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import type { TlsConfig } from './config.ts';

/** A file that an endpoint needs. Fails with `WW_CONFIG`; what is in it is never repeated. */
export async function readFor(endpoint: string, setting: string, file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw new WardwatchError(
      'WW_CONFIG',
      `the file of ${setting} of the endpoint ${endpoint} cannot be read: ${describeError(error)}`,
      `correct ${setting}, or let the account that runs Wardwatch read the file`,
      { cause: error },
    );
  }
}

/** A variable of the environment that an endpoint needs. Fails with `WW_CONFIG` where it is not set. */
export function variableFor(endpoint: string, setting: string, name: string): string {
  const value = process.env[name]?.trim();
  if (value !== undefined && value !== '') return value;
  throw new WardwatchError(
    'WW_CONFIG',
    `the variable ${name} that ${setting} of the endpoint ${endpoint} names is not set`,
    `set it, or correct ${setting}`,
  );
}

/** Certificates and key of an endpoint, in the form that Node takes. */
export async function readTls(
  endpoint: string,
  config: TlsConfig,
): Promise<{ ca?: string; cert?: string; key?: string }> {
  const read: { ca?: string; cert?: string; key?: string } = {};
  for (const name of ['ca', 'cert', 'key'] as const) {
    const file = config[name];
    if (file !== undefined) read[name] = await readFor(endpoint, `tls.${name}`, file);
  }
  return read;
}
