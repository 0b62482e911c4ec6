/**
 * Holds the import directions of .dependency-cruiser.cjs. A cruiser that saw no modules reports no
 * violation either (it happened with a compiler it did not know), so their number is checked as well.
 *
 *   node scripts/boundaries.ts [ROOT]
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';
import type { ICruiseOptions, ICruiseResult, IFlattenedRuleSet } from 'dependency-cruiser';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const repository = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDERS = ['bin', 'src', 'detectors', 'tests', 'benchmarks', 'scripts'];

export interface BoundaryReport {
  /** Modules of ours that the cruiser read. */
  modules: number;
  /** Modules of ours that are on disk. */
  expected: number;
  /** One line each. */
  violations: string[];
}

function sourcesUnder(root: string, folders: string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|tsx|js|mjs)$/.test(name) && !/\.d\.ts$/.test(name) && !name.includes('node_modules'))
      .map((name) => join(folder, name)),
  );
}

export async function checkBoundaries(root: string): Promise<BoundaryReport> {
  const rules = createRequire(import.meta.url)(join(repository, '.dependency-cruiser.cjs')) as IFlattenedRuleSet & {
    options: ICruiseOptions;
  };
  const present = new Set(readdirSync(root));
  const folders = FOLDERS.filter((folder) => present.has(folder));
  const { options, ...ruleSet } = rules;
  const result = await cruise(folders, { ...options, baseDir: root, ruleSet, validate: true }, undefined, {
    tsConfig: extractTSConfig(join(repository, 'tsconfig.json')),
  });
  const output = result.output as ICruiseResult;
  const own = output.modules.filter((module) => FOLDERS.some((folder) => module.source.startsWith(`${folder}/`)));
  return {
    modules: own.length,
    expected: sourcesUnder(root, folders).length,
    violations: output.summary.violations.map(
      (violation) =>
        `${violation.rule.name}: ${violation.from} -> ${violation.to}` +
        (violation.cycle ? ` (${violation.cycle.map((step) => step.name).join(' -> ')})` : ''),
    ),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const report = await checkBoundaries(resolve(process.argv[2] ?? repository));
  for (const violation of report.violations) console.error(violation);
  const blind = report.modules < report.expected;
  if (blind) console.error(`saw ${report.modules} of ${report.expected} modules: the check is blind`);
  console.log(`boundaries: ${report.modules} modules, ${report.violations.length} violations`);
  if (blind || report.violations.length > 0) process.exitCode = 1;
}
