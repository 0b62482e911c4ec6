/**
 * Whether two checkouts draw the same from the same captures: alerts, scores, devices, observations and flows of
 * `replay`, line by line. For changes that should only make things faster.
 *
 *   node benchmarks/same-results.ts OTHER_CHECKOUT [--learn FILE] FILE...
 *
 * Ends with 1 where they differ and shows the first lines that do.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

const { values, positionals } = parseArgs({
  options: { learn: { type: 'string' }, lines: { type: 'string', default: '3' } },
  allowPositionals: true,
});
const [other, ...files] = positionals;
if (other === undefined || files.length === 0) throw new Error('name the other checkout and at least one capture');
const here = fileURLToPath(new URL('..', import.meta.url));
const OUTPUTS = ['alerts', 'scores', 'devices', 'observations', 'flows'];
const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), 'same-results-'));
let different = 0;

async function replay(checkout: string, name: string, file: string): Promise<string> {
  const out = join(folder, name);
  const learn = values.learn === undefined ? [] : ['--learn', values.learn];
  await run(process.execPath, [join(checkout, 'bin/wardwatch.js'), 'replay', ...learn, '--out', out, file]);
  return out;
}

try {
  for (const file of files) {
    const [old, now] = await Promise.all([replay(other, 'old', file), replay(here, 'new', file)]);
    for (const output of OUTPUTS) {
      const [a, b] = await Promise.all([old, now].map((dir) => readFile(join(dir, `${output}.ndjson`), 'utf8')));
      if (a === b) continue;
      different++;
      const before = new Set(a!.split('\n'));
      const after = new Set(b!.split('\n'));
      const gone = [...before].filter((line) => !after.has(line));
      const added = [...after].filter((line) => !before.has(line));
      process.stdout.write(`${basename(file)} ${output}: ${gone.length} lines gone, ${added.length} added\n`);
      for (const line of gone.slice(0, Number(values.lines))) process.stdout.write(`  - ${line.slice(0, 1500)}\n`);
      for (const line of added.slice(0, Number(values.lines))) process.stdout.write(`  + ${line.slice(0, 1500)}\n`);
    }
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
process.stdout.write(different === 0 ? `${files.length} captures: the same\n` : `${different} outputs differ\n`);
process.exitCode = different === 0 ? 0 : 1;
