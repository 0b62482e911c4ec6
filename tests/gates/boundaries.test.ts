import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { checkBoundaries } from '../../scripts/boundaries.ts';

const roots: string[] = [];

/** A small tree on disk: path to source text. */
function tree(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'wardwatch-boundaries-'));
  roots.push(root);
  for (const [path, text] of Object.entries({ 'package.json': '{"type":"module"}', 'tsconfig.json': '{}', ...files })) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

async function rulesBroken(files: Record<string, string>): Promise<string[]> {
  const report = await checkBoundaries(tree(files));
  expect(report.modules).toBe(report.expected);
  return report.violations.map((line) => line.slice(0, line.indexOf(':')));
}

const leaf = 'export const x = 1;\n';

it('lets imports run along the way of the packet', async () => {
  const broken = await rulesBroken({
    'src/kernel/frames.ts': leaf,
    'src/decode/packets.ts': "export { x } from '../kernel/frames.ts';\n",
    'src/track/index.ts': "export { x } from '../decode/packets.ts';\n",
    'src/detect/sdk.ts': "export { x } from '../track/index.ts';\n",
    'detectors/a/index.ts': "export { x } from '../../src/detect/sdk.ts';\n",
    'src/detect/registry.ts': "export { x } from '../../detectors/a/index.ts';\n",
    'src/app/wire.ts': "export { x } from '../detect/registry.ts';\n",
    'src/commands/run.ts': "export const run = async () => import('../app/wire.ts');\n",
    'src/main.ts': "export { run } from './commands/run.ts';\n",
  });
  expect(broken).toEqual([]);
});

it.each([
  ['against the way', 'way-of-decode', 'src/decode/a.ts', '../track/b.ts', 'src/track/b.ts'],
  ['from the kernel', 'kernel-imports-nothing', 'src/kernel/a.ts', '../lib/b.ts', 'src/lib/b.ts'],
  [
    'from one detector to another',
    'detectors-see-the-sdk',
    'detectors/a/index.ts',
    '../b/index.ts',
    'detectors/b/index.ts',
  ],
  ['past the SDK', 'detectors-see-the-sdk', 'detectors/a/index.ts', '../../src/track/b.ts', 'src/track/b.ts'],
  [
    'of a detector by a stage',
    'detectors-are-registered-once',
    'src/alerts/a.ts',
    '../../detectors/b/index.ts',
    'detectors/b/index.ts',
  ],
  ['from the store to the API', 'way-of-store', 'src/store/a.ts', '../api/b.ts', 'src/api/b.ts'],
  ['from the API to the wiring', 'way-of-api', 'src/api/a.ts', '../app/b.ts', 'src/app/b.ts'],
  ['from the console to the store', 'console-talks-http', 'src/console/a.ts', '../store/b.ts', 'src/store/b.ts'],
  ['of tests by the product', 'product-without-tests', 'src/app/a.ts', '../../tests/b.ts', 'tests/b.ts'],
  ['of code by a schema', 'schemas-are-leaves', 'src/bus/config.ts', './b.ts', 'src/bus/b.ts'],
])('catches an import %s', async (_what, rule, from, specifier, to) => {
  expect(await rulesBroken({ [from]: `export { x } from '${specifier}';\n`, [to]: leaf })).toContain(rule);
});

it('sees an import that is only a type', async () => {
  const broken = await rulesBroken({
    'src/decode/a.ts': "import type { X } from '../alerts/b.ts';\nexport type Y = X;\n",
    'src/alerts/b.ts': 'export type X = number;\n',
  });
  expect(broken).toContain('way-of-decode');
});

it('keeps a library in its home', async () => {
  const broken = await rulesBroken({
    'node_modules/kafkajs/package.json': '{"name":"kafkajs","main":"index.js"}',
    'node_modules/kafkajs/index.js': 'exports.Kafka = 1;\n',
    'src/bus/kafka/index.ts': "export { Kafka } from 'kafkajs';\n",
    'src/alerts/a.ts': "export { Kafka } from 'kafkajs';\n",
    'package.json': '{"type":"module","dependencies":{"kafkajs":"1"}}',
  });
  expect(broken).toEqual(['home-of-kafkajs']);
});

it('catches a circle', async () => {
  const broken = await rulesBroken({
    'src/lib/a.ts': "import { b } from './b.ts';\nexport const a = () => b;\n",
    'src/lib/b.ts': "import { a } from './a.ts';\nexport const b = () => a;\n",
  });
  expect(broken).toContain('no-circular');
});
