/**
 * Every figure of quality, part by part, each a program of its own beside this one.
 *
 * usage: npm run scorecard [-- part ...]
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const PARTS = ['clinical', 'identity', 'types', 'forest'];

const asked = process.argv.slice(2);
const unknown = asked.filter((part) => !PARTS.includes(part));
if (unknown.length > 0) {
  console.error(`no part ${unknown.join(', ')}; there are ${PARTS.join(', ')}`);
  process.exit(2);
}
let failed = 0;
for (const part of asked.length > 0 ? asked : PARTS) {
  console.log(`\n==== ${part}\n`);
  const script = fileURLToPath(new URL(`${part}.ts`, import.meta.url));
  if (spawnSync(process.execPath, [script], { stdio: 'inherit' }).status !== 0) failed++;
}
if (failed > 0) console.error(`${failed} parts did not come to their end`);
process.exitCode = failed > 0 ? 1 : 0;
