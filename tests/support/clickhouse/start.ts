import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FrontOptions } from './front.ts';

/** A ClickHouse server to test against: a real one where CLICKHOUSE_URL names it, else {@link FrontOptions the front}. */
export interface TestServer {
  /** Without credentials. */
  url: string;
  username: string;
  password: string;
  /** False where it is the front of the tests. */
  real: boolean;
  /** Runs a statement as its user. */
  command(query: string): Promise<void>;
  stop(): Promise<void>;
}

/** `CLICKHOUSE_URL` may hold user and password, as in `http://default:secret@localhost:8123`. */
export async function startClickHouse(): Promise<TestServer> {
  const given = process.env['CLICKHOUSE_URL'];
  if (given === undefined || given === '') return startFront({});
  const url = new URL(given);
  return {
    url: url.origin,
    username: decodeURIComponent(url.username) || 'default',
    password: decodeURIComponent(url.password),
    real: true,
    command: (query) =>
      post(url.origin, decodeURIComponent(url.username) || 'default', decodeURIComponent(url.password), query),
    async stop() {},
  };
}

/** Always the front: for what needs a server of one's own, such as a certificate. */
export async function startFront(wish: Pick<FrontOptions, 'tls'>): Promise<TestServer> {
  const path = await mkdtemp(join(tmpdir(), 'wardwatch-clickhouse-'));
  const options: FrontOptions = { path, username: 'wardwatch', password: 'correct horse: battery', ...wish };
  const child = fork(fileURLToPath(new URL('./front.ts', import.meta.url)), [JSON.stringify(options)], {
    execArgv: [],
  });
  const port = await portOf(child);
  const url = `${wish.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  return {
    url,
    username: options.username,
    password: options.password,
    real: false,
    command: (query) => post(url, options.username, options.password, query),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
      await rm(path, { recursive: true, force: true });
    },
  };
}

async function portOf(child: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('message', (message) => resolve((message as { port: number }).port));
  child.once('exit', (code) => reject(new Error(`the ClickHouse front ended with ${code} before it listened`)));
  return promise;
}

async function post(url: string, username: string, password: string, query: string): Promise<void> {
  const headers = { 'X-ClickHouse-User': username, 'X-ClickHouse-Key': password };
  const response = await fetch(url, { method: 'POST', headers, body: query });
  if (!response.ok) throw new Error(await response.text());
}
