/**
 * A new protocol from the living template in scripts/scaffold/dissector: files in their places, names put in, the
 * registry's lines added.
 *
 *   npm run scaffold dissector NAME [-- --root FOLDER]
 *
 * The template is code like all other: the gates check it and its test runs, so it cannot fall behind the contract.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const TEMPLATE = fileURLToPath(new URL('scaffold/dissector/', import.meta.url));
const USAGE = 'usage: npm run scaffold dissector NAME     (NAME: lower-case letters and digits, such as mllp2)';

const [kind, name, flag, folder] = process.argv.slice(2);
if (kind !== 'dissector' || name === undefined || (flag !== undefined && flag !== '--root')) fail(USAGE);
if (!/^[a-z][a-z0-9]{1,31}$/.test(name)) fail(`"${name}" is no name for a protocol\n${USAGE}`);
const root = folder ?? fileURLToPath(new URL('..', import.meta.url));
const code = join(root, 'src/decode/app', name);
const test = join(root, 'tests/decode/app', name);
const registry = join(root, 'src/decode/app/registry.ts');
if (existsSync(code)) fail(`src/decode/app/${name} is there already: choose another name or work on that one`);

for (const file of readdirSync(TEMPLATE)) {
  const text = readFileSync(join(TEMPLATE, file), 'utf8');
  if (file.endsWith('.test.ts')) {
    const moved = text
      .replace("'./index.ts'", `'../../../../src/decode/app/${name}/index.ts'`)
      .replace("'../../../tests/support/", "'../../../support/");
    write(join(test, `${name}.test.ts`), named(moved));
  } else write(join(code, file), named(text.replaceAll("'../../../src/decode/", "'../../")));
}
const lines = readFileSync(registry, 'utf8').split('\n');
insertSorted(`import { dissector as ${name} } from './${name}/index.ts';`, /^import \{ dissector as \w+ \}/);
insertSorted(`  ${name},`, /^ {2}\w+,$/);
writeFileSync(registry, lines.join('\n'));

console.log(`made src/decode/app/${name}/{events,parser,index}.ts and tests/decode/app/${name}/${name}.test.ts

Next, and docs/how-to/add-a-dissector.md says more:
  1. write the grammar above src/decode/app/${name}/parser.ts, then the code that follows it
  2. declare what leaves the decoder in events.ts: nothing that could name a patient is a text
  3. name the customary ports in index.ts (they only decide who is asked first)
  4. put a real capture's values into the test:  npx vitest run tests/decode/app/${name}
  5. npm run docs && npm run check`);

function named(text: string): string {
  const capital = name!.charAt(0).toUpperCase() + name!.slice(1);
  return text.replaceAll('example', name!).replaceAll('Example', capital);
}

/** Among the lines that look like it, in their order. */
function insertSorted(line: string, like: RegExp): void {
  const after = lines.findLastIndex((other) => like.test(other) && other < line);
  const first = lines.findIndex((other) => like.test(other));
  lines.splice(after < 0 ? first : after + 1, 0, line);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
