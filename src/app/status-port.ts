import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { Component } from '../kernel/component.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';

export interface StatusPortDeps {
  /** The Prometheus text exposition. */
  metrics(): Promise<string>;
  /** What stands in the way of working, in a few words; empty where nothing does. */
  obstacles(): Promise<readonly string[]>;
}

export interface StatusPort extends Component {
  /** `http://127.0.0.1:9464`, known after `start`. */
  url(): string;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * What machines ask a process that has no API: `/healthz` (it answers), `/readyz` (it can work, else 503 and
 * why) and `/metrics`, as the API gives them. It shows no row and no frame.
 */
export function createStatusPort(address: Address, deps: StatusPortDeps): StatusPort {
  let server: Server | undefined;
  let url = '';

  async function answer(path: string, response: ServerResponse): Promise<void> {
    if (path === '/metrics') {
      const text = await deps.metrics();
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
      return;
    }
    const obstacles = path === '/readyz' ? await deps.obstacles() : [];
    const known = path === '/healthz' || path === '/readyz';
    const status = !known ? 404 : obstacles.length > 0 ? 503 : 200;
    response
      .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
      .end(JSON.stringify({ ok: status === 200, ...(obstacles.length === 0 ? {} : { obstacles }) }));
  }

  return {
    url: () => url,
    async start() {
      const made = createServer({ maxHeaderSize: 8192, requestTimeout: 5000 }, (request, response) => {
        if (request.method !== 'GET' && request.method !== 'HEAD') {
          response.writeHead(405).end();
          return;
        }
        answer(request.url?.split('?')[0] ?? '', response).catch(() => {
          if (!response.headersSent) response.writeHead(500);
          response.end();
        });
      });
      await new Promise<void>((resolve, reject) => {
        made.once('error', reject);
        made.listen(address.port, address.host, resolve);
      }).catch((error: unknown) => {
        throw new WardwatchError(
          (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'WW_PORT_IN_USE' : 'WW_API',
          `the port for --metrics cannot be had: ${describeError(error)}`,
          'give an address of this machine and a free port, such as --metrics 127.0.0.1:9464',
          { cause: error },
        );
      });
      server = made;
      const at = made.address();
      const port = typeof at === 'object' && at !== null ? at.port : address.port;
      url = `http://${address.host.includes(':') ? `[${address.host}]` : address.host}:${port}`;
    },
    async stop() {
      if (server === undefined) return;
      const closed = new Promise((resolve) => server?.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
