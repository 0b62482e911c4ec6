import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../config/index.ts';
import { loadDetectors } from '../detect/load.ts';
import type { LoadedDetector } from '../detect/load.ts';
import { WardwatchError } from '../kernel/errors.ts';

const BUILT_IN = fileURLToPath(new URL('../../detectors/', import.meta.url));

export async function listDetectors(options: { config?: string; json?: boolean }): Promise<void> {
  const { config } = loadConfig({ file: options.config });
  const { loaded, rejected } = await loadDetectors(config.detection);
  const rows = [
    ...loaded.map((d) => ({
      id: d.definition.id,
      state: 'on',
      origin: d.origin,
      status: d.definition.status,
      summary: d.definition.summary,
    })),
    ...config.detection.disabled.map((id) => ({
      id,
      state: 'off',
      origin: 'configuration',
      status: '',
      summary: 'switched off',
    })),
    ...rejected.map((d) => ({ id: d.id, state: 'failed', origin: d.origin, status: '', summary: d.reason })),
  ].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(rows)}\n`);
    return;
  }
  const width = Math.max(...rows.map((r) => r.id.length));
  for (const r of rows) process.stdout.write(`${r.id.padEnd(width)}  ${r.state.padEnd(6)}  ${r.summary}\n`);
}

export async function describeDetector(id: string, options: { config?: string }): Promise<void> {
  const { config } = loadConfig({ file: options.config });
  const { loaded } = await loadDetectors({ ...config.detection, disabled: [] });
  const found: LoadedDetector | undefined = loaded.find((d) => d.definition.id === id);
  if (found === undefined)
    throw new WardwatchError('WW_USAGE', `there is no detector '${id}'`, '`wardwatch detectors` lists them');
  const { definition, params, origin } = found;
  const lines = [
    `${definition.title} (${definition.id}, version ${definition.version}, ${definition.status}, ${definition.analytic}, ${origin})`,
    definition.summary,
    '',
    `ATT&CK: ${definition.techniques.map((t) => `${t.id} ${t.name} (${t.matrix})`).join('; ') || 'none'}`,
    '',
    'Parameters:',
    ...Object.entries(definition.params).map(([name, spec]) => {
      const set = params[name] === spec.default ? '' : ` (here: ${String(params[name])})`;
      const unit = spec.unit === undefined ? '' : ` ${spec.unit}`;
      return `  ${name} = ${String(spec.default)}${unit}${set}: ${spec.doc}`;
    }),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  const readme = await readFile(join(origin === 'built-in' ? join(BUILT_IN, id) : origin, 'README.md'), 'utf8').catch(
    () => '',
  );
  if (readme !== '') process.stdout.write(`\n${readme}`);
}
