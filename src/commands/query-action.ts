import { WardwatchError, describeError } from '../kernel/errors.ts';
import { tame } from '../lib/tame.ts';

export interface QueryRequest {
  readonly url?: string;
  readonly token?: string;
  readonly json?: boolean;
  readonly config?: string;
}

interface Answer {
  columns: { name: string }[];
  rows: unknown[][];
  truncated: boolean;
}

const TIMEOUT_MS = 330_000;
const MAX_CELL = 80;

/** Sends the statement to the running API and prints the answer: a data folder belongs to one process. */
export async function askSql(sql: string, request: QueryRequest): Promise<void> {
  const url = await apiUrl(request);
  const { columns, rows, truncated } = await ask(url, sql, request.token ?? process.env['WARDWATCH_TOKEN']);
  const names = columns.map((column) => column.name);
  if (request.json === true)
    for (const row of rows)
      process.stdout.write(`${JSON.stringify(Object.fromEntries(names.map((name, i) => [name, row[i]])))}\n`);
  else process.stdout.write(table(names, rows));
  if (truncated) process.stderr.write(`only the first ${rows.length} rows; ask for fewer with LIMIT or WHERE\n`);
}

async function apiUrl(request: QueryRequest): Promise<URL> {
  if (request.url !== undefined) {
    if (URL.canParse(request.url)) return new URL('/api/v1/query', request.url);
    throw new WardwatchError('WW_USAGE', `${tame(request.url)} is no address`, 'write it as http://host:port');
  }
  const { loadConfig } = await import('../config/index.ts');
  const { host, port } = loadConfig({ file: request.config }).config.api;
  const reachable = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return new URL(`http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}/api/v1/query`);
}

async function ask(url: URL, sql: string, token: string | undefined): Promise<Answer> {
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ sql }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    const reason = describeError(cause instanceof Error && cause.cause !== undefined ? cause.cause : cause);
    throw new WardwatchError(
      'WW_API',
      `no Wardwatch answers at ${url.origin}: ${tame(reason)}`,
      'start it with `wardwatch run`, or say with --url where it runs',
      { cause },
    );
  }
  const body = (await answer.json().catch(() => ({}))) as Partial<Answer> & { detail?: unknown; remedy?: unknown };
  if (!answer.ok) {
    const detail = typeof body.detail === 'string' ? tame(body.detail, 400) : `status ${answer.status}`;
    const remedy = typeof body.remedy === 'string' ? tame(body.remedy, 400) : 'see the log of the server';
    throw new WardwatchError(answer.status === 400 ? 'WW_USAGE' : 'WW_API', detail, remedy);
  }
  if (!Array.isArray(body.rows) || !Array.isArray(body.columns))
    throw new WardwatchError('WW_API', `what answers at ${url.origin} is no Wardwatch`, 'say with --url where it runs');
  return { columns: body.columns, rows: body.rows, truncated: body.truncated === true };
}

function table(names: readonly string[], rows: readonly unknown[][]): string {
  const cells = [
    names.map((name) => tame(name, MAX_CELL)),
    ...rows.map((row) =>
      names.map((_, i) => tame(typeof row[i] === 'string' ? row[i] : JSON.stringify(row[i] ?? null), MAX_CELL)),
    ),
  ];
  const widths = names.map((_, column) => cells.reduce((width, row) => Math.max(width, row[column]!.length), 0));
  return cells
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
