import type { FastifyInstance } from 'fastify';
import type { Component } from '../kernel/component.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { buildApp } from './app.ts';
import type { ApiConfig } from './config.ts';
import type { ApiDeps } from './contract.ts';

/** How long requests in flight have to end when the server stops. */
const STOP_GRACE_MS = 2000;

export interface ApiServer extends Component {
  /** Address of the console, known after `start`: `http://127.0.0.1:8642/`. */
  url(): string;
}

function listenError(error: unknown, config: ApiConfig): unknown {
  const cause = error as NodeJS.ErrnoException;
  const place = `port ${config.port} on ${config.host}`;
  switch (cause.code) {
    case 'EADDRINUSE':
      return new WardwatchError(
        'WW_PORT_IN_USE',
        `Another program already listens on ${place}.`,
        'Stop that program (another Wardwatch, perhaps), or set api.port to a free one.',
        { cause },
      );
    case 'EACCES':
      return new WardwatchError(
        'WW_API',
        `This user may not listen on ${place}.`,
        'Set api.port to a number from 1024 on, and let a reverse proxy serve the lower one.',
        { cause },
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new WardwatchError(
        'WW_API',
        `This machine has no address ${config.host}.`,
        'Set api.host to an address of this machine, or to 127.0.0.1.',
        { cause },
      );
    default:
      return error;
  }
}

/**
 * The API and the console on one TCP port. `start` fails with `WW_PORT_IN_USE` where the port is taken and
 * with `WW_API` where it cannot be had; `stop` ends the event streams and waits a moment for requests in flight.
 */
export function createApiServer(config: ApiConfig, deps: ApiDeps): ApiServer {
  let app: FastifyInstance | undefined;
  let url = '';
  return {
    url: () => url,
    async start() {
      app = await buildApp(config, deps);
      try {
        const address = await app.listen({ host: config.host, port: config.port });
        url = `${config.tls === undefined ? address : address.replace(/^http:/, 'https:')}/`;
      } catch (error) {
        throw listenError(error, config);
      }
      deps.reporter.log('info', 'serving', { url });
    },
    async stop() {
      if (!app) return;
      const { server } = app;
      // Browsers keep connections open on which they never ask anything; closing would wait for those.
      const force = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
      await app.close();
      clearTimeout(force);
    },
  };
}
