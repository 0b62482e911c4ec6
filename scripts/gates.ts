/**
 * Runs every gate, also after one has failed, and leaves their results in artifacts/gates.json.
 *
 *   node scripts/gates.ts [GATE…]
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';

const GATES = ['format', 'types', 'lint', 'boundaries', 'unused'];

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !GATES.includes(name));
if (unknown !== undefined) {
  console.error(`no gate "${unknown}": there are ${GATES.join(', ')}`);
  process.exit(2);
}

const results = (asked.length > 0 ? asked : GATES).map((name) => {
  const started = performance.now();
  const run = spawnSync('npm', ['run', '--silent', `check:${name}`], { stdio: 'inherit' });
  const ok = run.status === 0;
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  console.log(`${ok ? 'ok    ' : 'failed'} ${name} (${seconds} s)`);
  return { name, ok, seconds };
});

mkdirSync('artifacts', { recursive: true });
writeFileSync('artifacts/gates.json', `${JSON.stringify(results, null, 2)}\n`);
if (results.some((result) => !result.ok)) process.exitCode = 1;
