import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { ProblemError } from './problems.ts';

/** Paths that the console itself routes; each answers with the same shell. */
const SHELL_PATHS = [
  '/',
  '/alerts',
  '/alerts/:uid',
  '/incidents',
  '/incidents/:id',
  '/rules',
  '/devices',
  '/devices/:key',
  '/changes',
  '/data-flows',
  '/account',
  '/users',
  '/audit',
  '/sign-in',
];

/** Serves the console's build. Without one the shell's paths say how to make it. */
export async function registerConsole(app: FastifyInstance, consoleDir: string): Promise<void> {
  const built = existsSync(join(consoleDir, 'index.html'));
  if (built) {
    // Vite puts a hash of the content into every file name below assets/.
    await app.register(async (scope) => {
      // The plugin takes no configuration of routes.
      scope.addHook('onRoute', (route) => {
        route.config = { ...route.config, access: { role: 'public' } };
      });
      await scope.register(fastifyStatic, {
        root: join(consoleDir, 'assets'),
        prefix: '/assets/',
        immutable: true,
        maxAge: '365d',
        index: false,
        schemaHide: true,
      });
    });
  }
  for (const path of SHELL_PATHS) {
    // The shell shows nothing of the site; it has to come for the sign-in page too.
    app.get(path, { config: { access: { role: 'public' } }, schema: { hide: true } }, async (_request, reply) => {
      if (!built) {
        throw new ProblemError(503, 'no-console', 'The console has not been built.', {
          remedy: 'Run `npm run build:console` and start again. The API below /api/v1 works without it.',
        });
      }
      // Read anew each time: it is small, and a build beside a running program shows at once.
      const shell = await readFile(join(consoleDir, 'index.html'));
      return reply.header('cache-control', 'no-cache').type('text/html; charset=utf-8').send(shell);
    });
  }
}
