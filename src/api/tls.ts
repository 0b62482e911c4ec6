import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { createSecureContext } from 'node:tls';
import type { Reporter } from '../kernel/component.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import type { ApiConfig } from './config.ts';

/** How often the files are looked at: certificates are renewed days before they end. */
const LOOK_MS = 60_000;

type TlsConfig = NonNullable<ApiConfig['tls']>;

function read(config: TlsConfig): { cert: string; key: string } {
  try {
    const files = { cert: readFileSync(config.cert_file, 'utf8'), key: readFileSync(config.key_file, 'utf8') };
    // A key of another certificate, or what is no PEM at all, is told here and not to the first browser.
    createSecureContext(files);
    return files;
  } catch (cause) {
    throw new WardwatchError(
      'WW_CONFIG',
      `the certificate or key of api.tls cannot be used: ${describeError(cause)}`,
      'name PEM files that belong together and that the account that runs Wardwatch can read',
      { cause },
    );
  }
}

/** TLS for the server. Fails with `WW_CONFIG` where the files are no good at the start; later ones are told and left. */
export function createTls(
  config: TlsConfig,
  reporter: Reporter,
): { serverFactory: (handler: (request: IncomingMessage, response: ServerResponse) => void) => Server; stop(): void } {
  let files = read(config);
  let looking: NodeJS.Timeout | undefined;
  return {
    serverFactory(handler) {
      const server = createServer({ ...files, minVersion: config.min_version }, handler);
      looking = setInterval(() => {
        try {
          const now = read(config);
          if (now.cert === files.cert && now.key === files.key) return;
          files = now;
          server.setSecureContext({ ...files, minVersion: config.min_version });
          reporter.log('info', 'the certificate of api.tls was taken over');
        } catch (error) {
          reporter.log('error', 'the new certificate of api.tls is not taken over', { error: describeError(error) });
        }
      }, LOOK_MS);
      looking.unref();
      return server;
    },
    stop: () => clearInterval(looking),
  };
}
