import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { ClickHouseClient, ClickHouseClientConfigOptions } from '@clickhouse/client';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import type { StoreConfig } from './config.ts';

/** An open connection to ClickHouse, in this process or elsewhere. */
export interface Engine {
  readonly client: ClickHouseClient;
  /** The data folder or the server's address without credentials: for messages. */
  readonly place: string;
  close(): Promise<void>;
}

// Rows reach the client already encoded (see encode.ts), so that their size is known before they are sent.
const JSON_HANDLING = {
  parse: JSON.parse,
  stringify: (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value)),
};

/** Where the store of a configuration lives, for messages. */
export function placeOf(config: StoreConfig): string {
  return config.mode === 'embedded' ? resolve(config.path) : new URL(config.server.url).origin;
}

/**
 * Opens the engine.
 * @throws {WardwatchError} `WW_STORE` where the folder is used by another process or cannot be opened,
 * `WW_CONFIG` where a password or certificate cannot be read. A server is not contacted yet.
 */
export async function openEngine(config: StoreConfig): Promise<Engine> {
  return config.mode === 'embedded' ? openEmbedded(config) : openServer(config);
}

function openServer(config: StoreConfig): Engine {
  const { server } = config;
  const client = createClient({
    url: server.url,
    username: server.username,
    password: passwordOf(config),
    application: 'wardwatch',
    request_timeout: server.request_timeout_seconds * 1000,
    compression: { request: server.compress, response: server.compress },
    json: JSON_HANDLING,
    log: { level: ClickHouseLogLevel.OFF },
    // An insert is acknowledged when its part is written, not when the server has put it into a queue.
    // Older servers print 64-bit integers as strings unless told otherwise; ours stay below 2^53.
    clickhouse_settings: { async_insert: 0, wait_end_of_query: 1, output_format_json_quote_64bit_integers: 0 },
    ...(server.ca_file === undefined ? {} : { tls: { ca_cert: readSecret(server.ca_file, 'server.ca_file') } }),
  });
  return { client, place: placeOf(config), close: () => client.close() };
}

function passwordOf(config: StoreConfig): string {
  const { password_file: file, password_env: variable } = config.server;
  if (file !== undefined) {
    const content = readSecret(file, 'server.password_file').toString('utf8');
    return content.replace(/\r?\n$/, '');
  }
  if (variable === undefined) return '';
  const value = process.env[variable];
  if (value !== undefined) return value;
  throw new WardwatchError(
    'WW_CONFIG',
    `The environment variable ${variable} (store.server.password_env) is not set.`,
    'Set it to the password of the ClickHouse user, or use password_file.',
  );
}

function readSecret(path: string, key: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new WardwatchError(
      'WW_CONFIG',
      `Cannot read ${path} (store.${key}).`,
      'Check the path and the rights of the file.',
      { cause },
    );
  }
}

/**
 * The engine itself locks its folder as long as the process lives (also after a kill -9 the lock is gone at
 * once, which a file of ours could not promise); our file beside it only says who holds it.
 */
async function openEmbedded(config: StoreConfig): Promise<Engine> {
  if (!isMainThread) {
    throw new WardwatchError(
      'WW_STORE',
      'The embedded store cannot run in a worker thread.',
      'Start it on the main thread or in a child process: the engine brings the process down when its thread ends.',
    );
  }
  const path = resolve(config.path);
  const holder = join(path, 'wardwatch.pid');
  try {
    await mkdir(path, { recursive: true, mode: 0o750 });
  } catch (cause) {
    throw new WardwatchError(
      'WW_STORE',
      `Cannot create the store's folder ${path}.`,
      'Check the path and its rights.',
      { cause },
    );
  }
  // Loaded only here: the engine is a native library of several hundred megabytes.
  const { createChdbConnection } = await import('chdb/connection');
  const { drainPending } = await import('chdb');
  hideStandardInput();
  let connection;
  try {
    connection = createChdbConnection({ path });
  } catch (cause) {
    throw await whyNotOpened(path, holder, cause);
  }
  // Each of the two packages declares the interface between them for itself, and they differ in optional fields.
  const bridged = connection as unknown as NonNullable<ClickHouseClientConfigOptions['connection']>;
  const client = createClient({ connection: bridged, json: JSON_HANDLING, log: { level: ClickHouseLogLevel.OFF } });
  const close = async (): Promise<void> => {
    await rm(holder, { force: true });
    await client.close();
    await drainPending();
  };
  try {
    await writeFile(holder, `${process.pid} ${hostname()}\n`);
    await client.command({ query: 'SET async_insert = 0' });
    await client.command({ query: 'SET output_format_json_quote_64bit_integers = 0' });
  } catch (cause) {
    await close();
    throw cause;
  }
  return { client, place: path, close };
}

/**
 * The engine takes what a pipe or a file on standard input holds for data of its inserts, and then finds it is
 * none. So it gets an empty one: descriptor 0 is closed, and the next file that is opened has it.
 */
function hideStandardInput(): void {
  try {
    if (fstatSync(0).isCharacterDevice()) return;
    closeSync(0);
  } catch {
    // It was closed already.
  }
  openSync('/dev/null', 'r');
}

async function whyNotOpened(path: string, holder: string, cause: unknown): Promise<WardwatchError> {
  if (/only one active data directory/.test(describeError(cause))) {
    return new WardwatchError(
      'WW_STORE',
      `This process already has another embedded store open; ${path} cannot be opened beside it.`,
      'Stop the other store first, or use a ClickHouse server (mode: server).',
      { cause },
    );
  }
  const owner = await readFile(holder, 'utf8').catch(() => '');
  const who = /^(\d+) (\S+)$/.exec(owner.trim());
  // A process that was killed leaves its name behind: then something else is the matter.
  if (who !== null && (who[2] !== hostname() || isAlive(Number(who[1])))) {
    return new WardwatchError(
      'WW_STORE',
      `The store ${path} is in use by process ${who[1]} on ${who[2]}.`,
      'A data folder belongs to one process. Ask the running Wardwatch over its API, or stop it first.',
      { cause },
    );
  }
  return new WardwatchError(
    'WW_STORE',
    `The embedded store ${path} cannot be opened.`,
    'Check that this user may read and write the folder and that its disk has space left.',
    { cause },
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there but belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
