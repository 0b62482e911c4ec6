/**
 * A ClickHouse server for tests: as much of the HTTP interface as a client needs, over the embedded engine.
 * Runs as a process of its own (see start.ts), so that the engine's end cannot take the tests along.
 * After https://clickhouse.com/docs/interfaces/http.
 */
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { gunzipSync, gzipSync } from 'node:zlib';
import { Session } from 'chdb';

/** What the parent passes as the first argument, JSON. */
export interface FrontOptions {
  path: string;
  username: string;
  password: string;
  tls?: { key: string; cert: string };
}

interface Request {
  query: string;
  body: Buffer;
  search: URLSearchParams;
  format: string;
  readonly: boolean;
}

/** Parameters of the HTTP layer itself; any other is a setting of the engine. */
const OF_HTTP = new Set([
  'query',
  'query_id',
  'session_id',
  'database',
  'default_format',
  'user',
  'password',
  'role',
  'wait_end_of_query',
  'enable_http_compression',
  'send_progress_in_http_headers',
]);
const MAX_BODY = 256 * 1024 * 1024;

const options = JSON.parse(process.argv[2] ?? '{}') as FrontOptions;
const session = new Session(options.path);
/** Requests run one after the other: settings, parameters and the database belong to the one session. */
let last: Promise<unknown> = Promise.resolve();

const answer = (request: IncomingMessage, response: ServerResponse): void => {
  handle(request, response).catch((error: unknown) => {
    fail(response, error instanceof Error ? error.message : String(error));
  });
};
const limits = { maxHeaderSize: 1_048_576, requestTimeout: 120_000 };
const server =
  options.tls === undefined
    ? createHttpServer(limits, answer)
    : createHttpsServer({ ...limits, ...options.tls }, answer);
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 });
});
process.on('disconnect', () => {
  session.close();
  process.exit(0);
});

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (url.pathname === '/ping') {
    response.end('Ok.\n');
    return;
  }
  if (!isKnown(request, url.searchParams)) {
    fail(
      response,
      'Code: 516. DB::Exception: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)',
    );
    return;
  }
  const sent = await readBody(request);
  const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
  const inUrl = url.searchParams.get('query');
  const run = last.then(() =>
    execute({
      query: inUrl ?? body.toString('utf8'),
      body: inUrl === null ? Buffer.alloc(0) : body,
      search: url.searchParams,
      format: url.searchParams.get('default_format') ?? 'TabSeparated',
      readonly: request.method === 'GET',
    }),
  );
  last = run.catch(() => undefined);
  const { bytes, rowsRead } = await run;
  response.setHeader('X-ClickHouse-Query-Id', url.searchParams.get('query_id') ?? '');
  response.setHeader('X-ClickHouse-Timezone', 'UTC');
  response.setHeader(
    'X-ClickHouse-Summary',
    JSON.stringify({ read_rows: String(rowsRead), result_rows: String(rowsRead) }),
  );
  const mayZip =
    url.searchParams.get('enable_http_compression') === '1' &&
    /\bgzip\b/.test(String(request.headers['accept-encoding']));
  if (mayZip) response.setHeader('Content-Encoding', 'gzip');
  response.end(mayZip ? gzipSync(bytes) : bytes);
}

function isKnown(request: IncomingMessage, search: URLSearchParams): boolean {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const [basicUser, ...basicPassword] = Buffer.from(basic ?? '', 'base64')
    .toString('utf8')
    .split(':');
  const user =
    request.headers['x-clickhouse-user'] ?? search.get('user') ?? (basic === undefined ? 'default' : basicUser);
  const password =
    request.headers['x-clickhouse-key'] ??
    search.get('password') ??
    (basic === undefined ? '' : basicPassword.join(':'));
  return user === options.username && password === options.password;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error('Code: 191. DB::Exception: The body is too large. (LIMIT_EXCEEDED)');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Parameters go in as SET param_x, whose value the engine reads just as that of `?param_x=`. */
async function execute(request: Request): Promise<{ bytes: Uint8Array; rowsRead: number }> {
  if (request.readonly && !/^\s*(SELECT|WITH|SHOW|DESCRIBE|EXISTS|EXPLAIN)\b/i.test(request.query)) {
    throw new Error('Code: 164. DB::Exception: Cannot execute query in readonly mode. (READONLY)');
  }
  const changed: string[] = [];
  try {
    const database = request.search.get('database');
    if (database !== null && database !== 'default') await session.queryAsync(`USE ${identifier(database)}`);
    for (const [name, value] of request.search) {
      if (OF_HTTP.has(name)) continue;
      await session.queryAsync(
        `SET ${identifier(name)} = '${value.replaceAll(/['\\]/g, '\\$&').replaceAll('\0', '\\0')}'`,
      );
      if (!name.startsWith('param_')) changed.push(name);
    }
    const text = request.body.length === 0 ? request.query : `${request.query}\n${request.body.toString('utf8')}`;
    const result = await session.queryAsync(text, { format: request.format });
    return { bytes: result.bytes(), rowsRead: result.rowsRead };
  } finally {
    await session.queryAsync('USE default');
    for (const name of changed) await session.queryAsync(`SET ${name} = DEFAULT`);
  }
}

function identifier(name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name;
  throw new Error('Code: 62. DB::Exception: Not a name. (SYNTAX_ERROR)');
}

function fail(response: ServerResponse, message: string): void {
  const code = /Code: (\d+)/.exec(message)?.[1] ?? '1002';
  const status: Record<string, number> = {
    516: 401,
    192: 401,
    164: 403,
    497: 403,
    60: 404,
    81: 404,
    115: 404,
    62: 400,
    27: 400,
  };
  response.statusCode = status[code] ?? 500;
  response.setHeader('X-ClickHouse-Exception-Code', code);
  response.end(message);
}
