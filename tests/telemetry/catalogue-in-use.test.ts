import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { catalogue } from '../../src/telemetry/catalogue.ts';

const KIND: Record<string, string> = { count: 'counter', gauge: 'gauge', observe: 'histogram' };

/** Calls such as `reporter.count('frames_read', …)` in the product's own code. */
const uses = ['src', 'detectors'].flatMap((root) =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.startsWith('telemetry/'))
    .flatMap((name) =>
      [...readFileSync(join(root, name), 'utf8').matchAll(/\breporter\??\.(count|gauge|observe)\(\s*'([^']+)'/g)].map(
        ([, call, metric]) => ({ where: join(root, name), metric: `${KIND[call!]!} ${metric!}` }),
      ),
    ),
);

it('knows every metric that the code uses (src/telemetry/catalogue.ts)', () => {
  const known = new Set(catalogue.map((metric) => `${metric.kind} ${metric.name}`));
  expect(uses.filter((use) => !known.has(use.metric))).toEqual([]);
  expect(uses.length).toBeGreaterThan(0);
});
