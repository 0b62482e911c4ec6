import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { ClickHouseClient, ClickHouseClientConfigOptions } from '@clickhouse/client';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { checkParsed, normaliseSql } from './analyst-sql.ts';
import type { StoreConfig } from './config.ts';
import type { SqlAnswer } from './contract.ts';
import { kindOfFailure } from './failures.ts';

/** A connection of its own for the questions of analysts: it can only read, within limits of rows, time and memory. */
export interface Analysts {
  /**
   * @throws {WardwatchError} `WW_USAGE` where the statement is not allowed, wrong, or reaches a limit; `WW_CONFIG`
   * where a server has no user for analysts.
   */
  ask(sql: string): Promise<SqlAnswer>;
  close(): Promise<void>;
}

/** Statements that run at the same time. */
const MAX_AT_ONCE = 2;
const MAX_MESSAGE = 400;

/** Opened when the first question comes; the store has to be open by then. */
export function createAnalysts(config: StoreConfig): Analysts {
  const { database, analysts: limits } = config;
  let opening: Promise<ClickHouseClient> | undefined;
  let running = 0;

  const ask = async (sql: string): Promise<SqlAnswer> => {
    const statement = normaliseSql(sql);
    opening ??= open(config);
    const client = await opening.catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    const started = performance.now();
    try {
      const parsed = await client.query({ query: `EXPLAIN AST ${statement}`, format: 'TabSeparatedRaw' });
      checkParsed(linesOf(await parsed.text()), statement, database);
      const answer = await client.query({ query: statement, format: 'JSONCompact' });
      const { meta = [], data } = await answer.json<unknown[]>();
      return {
        columns: meta.map(({ name, type }) => ({ name, type })),
        rows: data.slice(0, limits.max_rows),
        truncated: data.length > limits.max_rows,
        elapsed_ms: Math.round(performance.now() - started),
      };
    } catch (error) {
      throw readable(error, limits);
    }
  };

  return {
    async ask(sql) {
      if (running >= MAX_AT_ONCE)
        throw new WardwatchError(
          'WW_USAGE',
          `${MAX_AT_ONCE} statements are running already.`,
          'Wait for one of them to end, then send it again.',
        );
      running++;
      try {
        return await ask(sql);
      } finally {
        running--;
      }
    },
    async close() {
      const client = await opening?.catch(() => undefined);
      opening = undefined;
      await client?.close();
    },
  };
}

async function open(config: StoreConfig): Promise<ClickHouseClient> {
  return config.mode === 'embedded' ? openEmbedded(config) : openServer(config);
}

/** Users cannot be made in the embedded engine; `readonly = 1` holds for the connection that set it, and for ever. */
async function openEmbedded(config: StoreConfig): Promise<ClickHouseClient> {
  const { createChdbConnection } = await import('chdb/connection');
  const connection = createChdbConnection({ path: resolve(config.path) });
  const client = createClient({
    connection: connection as unknown as NonNullable<ClickHouseClientConfigOptions['connection']>,
    log: { level: ClickHouseLogLevel.OFF },
  });
  const { max_rows, max_seconds, max_memory_bytes } = config.analysts;
  const settings = [
    ...['final = 1', 'output_format_json_quote_64bit_integers = 0', 'max_threads = 2', 'max_ast_elements = 20000'],
    ...[`max_execution_time = ${max_seconds}`, `max_memory_usage = ${max_memory_bytes}`],
    // One more than is shown, so that it can be said that there are more.
    ...[`max_result_rows = ${max_rows + 1}`, "result_overflow_mode = 'break'", 'max_result_bytes = 67108864'],
    // Last: from here on nothing can be changed on this connection.
    'readonly = 1',
  ];
  await client.command({ query: `USE ${config.database}` });
  for (const setting of settings) await client.command({ query: `SET ${setting}` });
  return client;
}

/** The user of the server that can only read: its rights and limits are the server's own (docs/how-to/query.md). */
async function openServer(config: StoreConfig): Promise<ClickHouseClient> {
  const { username, password_file: file, password_env: variable } = config.analysts;
  if (username === undefined)
    throw new WardwatchError(
      'WW_CONFIG',
      'There is no ClickHouse user for analysts.',
      'Make one that can only read (docs/how-to/query.md) and name it in store.analysts.username.',
    );
  const client = createClient({
    url: config.server.url,
    username,
    password: file === undefined ? (variable === undefined ? '' : (process.env[variable] ?? '')) : secret(file),
    application: 'wardwatch-analysts',
    database: config.database,
    request_timeout: config.server.request_timeout_seconds * 1000,
    log: { level: ClickHouseLogLevel.OFF },
    ...(config.server.ca_file === undefined ? {} : { tls: { ca_cert: readFileSync(config.server.ca_file) } }),
  });
  const answer = await client.query({ query: "SELECT getSetting('readonly') AS readonly", format: 'JSONEachRow' });
  const [row] = await answer.json<{ readonly: number | string }>();
  if (Number(row?.readonly) !== 1) {
    await client.close();
    throw new WardwatchError(
      'WW_CONFIG',
      `The ClickHouse user ${username} can do more than read.`,
      'Give it `SETTINGS readonly = 1` (docs/how-to/query.md).',
    );
  }
  return client;
}

/** EXPLAIN answers in the default format, whatever is asked for: CSV in the embedded engine, plain on a server. */
function linesOf(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (line.startsWith('"') && line.endsWith('"') ? line.slice(1, -1).replaceAll('""', '"') : line));
}

function secret(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new WardwatchError(
      'WW_CONFIG',
      `Cannot read ${path} (store.analysts.password_file).`,
      'Check the path and the rights of the file.',
      { cause },
    );
  }
}

/** The engine's own words about a statement are for its author, who wrote what they quote. */
function readable(error: unknown, limits: StoreConfig['analysts']): WardwatchError {
  if (error instanceof WardwatchError) return error;
  const text = describeError(error)
    .replace(/^Code: \d+\. /, '')
    .replaceAll(/DB::(Exception: )?/g, '')
    .split('\n', 1)[0]!
    .slice(0, MAX_MESSAGE);
  if (/Timeout exceeded|TIMEOUT/.test(text))
    return usage(
      `The statement took longer than ${limits.max_seconds} s.`,
      'Ask for a shorter time, or for fewer devices.',
      error,
    );
  if (/memory limit/i.test(text))
    return usage(
      'The statement needs more memory than it may have.',
      'Group by fewer values, or ask for fewer rows.',
      error,
    );
  if (!(error instanceof SyntaxError) && kindOfFailure(error) === 'away' && /ECONN|socket|network/i.test(text))
    return new WardwatchError('WW_STORE', 'The store cannot be reached.', 'Try again.', { cause: error });
  return usage(text.endsWith('.') ? text : `${text}.`, 'Columns and tables are listed in docs/how-to/query.md.', error);
}

function usage(message: string, remedy: string, cause: unknown): WardwatchError {
  return new WardwatchError('WW_USAGE', message, remedy, { cause });
}
