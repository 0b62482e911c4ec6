#!/usr/bin/env node
// The door to the command line. Plain JavaScript that any Node since 18 can read: it finds a Node that is
// new enough, switches the compile cache on and hands over to src/main.ts (in a checkout) or to its
// compiled form (in the package).
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import nodeModule from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(realpathSync(fileURLToPath(import.meta.url))));
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const newEnough = major > 22 || (major === 22 && minor >= 18);

if (newEnough) {
  nodeModule.enableCompileCache?.();
  const source = join(root, 'src', 'main.ts');
  const main = existsSync(source) ? source : join(root, 'dist', 'src', 'main.js');
  await import(pathToFileURL(main).href);
} else {
  runWithOwnNode(join(root, 'node_modules', 'node', 'bin', 'node'));
}

/** Starts this file again under the Node that `npm ci` has put into the checkout, and ends as that one ends. */
function runWithOwnNode(node) {
  if (!existsSync(node)) {
    process.stderr.write(
      `wardwatch: Node ${process.versions.node} is too old, 22.18 or newer is needed (WW_USAGE)\n` +
        '  -> install Node 24, or run `npm ci` in the checkout: it brings its own\n',
    );
    process.exitCode = 2;
    return;
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(
      `wardwatch: cannot start ${node}: ${error.message} (WW_INTERNAL)\n  -> run \`npm ci\` again\n`,
    );
    process.exitCode = 70;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
  });
}
