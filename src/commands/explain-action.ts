import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { lookBack } from '../app/look-back.ts';
import { createMemoryBus } from '../bus/memory/index.ts';
import { loadConfig } from '../config/index.ts';
import { silentReporter } from '../kernel/component.ts';
import { EXIT, WardwatchError, describeError } from '../kernel/errors.ts';
import { tame } from '../lib/tame.ts';
import type { ExplainOptions } from './explain.ts';
import { version } from './index.ts';

/** What of a Detection Finding is shown; see docs/reference/replay.md. */
interface Finding {
  readonly message: string;
  readonly severity: string;
  readonly time: number;
  readonly start_time: number;
  readonly end_time: number;
  readonly device: { readonly uid: string; readonly type: string };
  readonly finding_info: { readonly uid: string; readonly title: string; readonly analytic: { readonly uid: string } };
  readonly anomaly_analyses?: readonly {
    readonly anomalies: readonly Observed[];
    readonly baselines: readonly Observed[];
    readonly analysis_targets: readonly { readonly name: string }[];
  }[];
  readonly unmapped: {
    readonly patient_impact?: string;
    readonly do?: readonly string[];
    readonly do_not?: readonly string[];
    readonly p_values?: Readonly<Record<string, number>>;
    readonly frames?: readonly { readonly origin: string; readonly first: number; readonly last: number }[];
    readonly related?: readonly { readonly detector: string; readonly sentence: string }[];
  };
}
interface Observed {
  readonly observation_parameter: string;
  readonly observed_pattern: string;
  readonly observations: readonly { readonly value: string; readonly count?: number }[];
}

/** Where a frame lies depends on how the captures were given. */
const PLACE = /,?"frames":\[[^\]]*\]/;

export async function explainCommand(uid: string, options: ExplainOptions): Promise<void> {
  const stored = options.results === undefined ? undefined : await storedAlert(options.results, uid);
  const files = options.file.length > 0 ? options.file : (stored?.files ?? []);
  const learn = options.learn.length > 0 ? options.learn : (stored?.learn ?? []);
  if (files.length === 0)
    throw new WardwatchError(
      'WW_USAGE',
      'it is not said where the frames are',
      'give --results DIR of a replay, or --file CAPTURE',
    );
  const { config } = loadConfig({ file: options.config });
  const bus = createMemoryBus({ ...config.bus.memory, partitions: 1 }, { reporter: silentReporter });
  const out: string[] = [];
  try {
    const { alerts, frames } = await lookBack({
      learn,
      files,
      config,
      seed: options.seed ?? stored?.seed ?? 1,
      productVersion: version(),
      bus,
      onWarning: (message) => process.stderr.write(`wardwatch: warning: ${message}\n`),
    });
    const again = [...alerts.values()].filter((row) => row.uid.startsWith(stored?.uid ?? uid));
    const [row] = again;
    if (again.length > 1)
      throw new WardwatchError(
        'WW_USAGE',
        `${again.length} alerts begin with ${tame(uid, 40)}`,
        'give more of the uid',
      );
    const shown = row?.ocsf ?? stored?.text;
    if (shown === undefined)
      throw new WardwatchError(
        'WW_USAGE',
        `these captures lead to no alert ${tame(uid, 40)}`,
        learn.length === 0
          ? 'an alert that stands on what was learned comes back only with --learn and the captures of that time'
          : 'check that captures, seed and configuration are those of the run that raised it',
      );
    out.push(...explanation(JSON.parse(shown) as Finding));
    const source = `${frames} frames of ${[...learn, ...files].map((f) => basename(f)).join(', ')}`;
    out.push('', `Replayed from files: ${source}.`);
    if (row === undefined) {
      out.push(
        'The alert was NOT raised again. Shown is what was stored. Captures, seed or configuration are not those of',
      );
      out.push('the run that raised it, or this version of Wardwatch judges otherwise.');
      process.exitCode = EXIT.failed;
    } else if (stored === undefined)
      out.push('The alert was raised as shown; there is no stored one to compare it with.');
    else if (row.ocsf.replace(PLACE, '') === stored.text.replace(PLACE, '')) out.push('The same alert, to the byte.');
    else {
      out.push(
        `The alert was raised again, but not the same: ${differences(stored.text, row.ocsf).join(', ')} differ.`,
      );
      process.exitCode = EXIT.failed;
    }
  } finally {
    await bus.stop();
  }
  process.stdout.write(`${out.join('\n')}\n`);
}

interface Stored {
  readonly uid: string;
  readonly text: string;
  readonly files: readonly string[];
  readonly learn: readonly string[];
  readonly seed: number;
}

async function storedAlert(folder: string, uid: string): Promise<Stored> {
  let texts: string[];
  let summary: { files: string[]; learn: string[]; seed: number };
  try {
    const files = await Promise.all(['alerts.ndjson', 'notices.ndjson'].map((f) => readFile(join(folder, f), 'utf8')));
    texts = files.flatMap((text) => text.split('\n')).filter((line) => line !== '');
    summary = JSON.parse(await readFile(join(folder, 'summary.json'), 'utf8')) as typeof summary;
  } catch (cause) {
    throw new WardwatchError(
      'WW_INPUT_MISSING',
      `${folder} is not what a replay wrote: ${describeError(cause)}`,
      'give the folder of its --out',
      { cause },
    );
  }
  for (const text of texts) {
    const found = (JSON.parse(text) as Finding).finding_info.uid;
    if (found.startsWith(uid)) return { uid: found, text, ...summary };
  }
  throw new WardwatchError(
    'WW_USAGE',
    `${folder} holds no alert ${tame(uid, 40)}`,
    'see finding_info.uid in its alerts.ndjson',
  );
}

function explanation(a: Finding): string[] {
  const at = (ms: number): string => new Date(ms).toISOString();
  const lines = [
    `${a.finding_info.title} (${a.severity}, ${a.finding_info.analytic.uid})  ${a.finding_info.uid}`,
    tame(a.message, 500),
    `Device ${tame(a.device.uid)} (${a.device.type}); from ${at(a.start_time)} to ${at(a.end_time)}, decided at ${at(a.time)}`,
  ];
  for (const analysis of a.anomaly_analyses ?? []) {
    lines.push('', `Expected and seen, by ${analysis.analysis_targets.map((t) => t.name).join(', ')}`);
    analysis.anomalies.forEach((seen, i) => {
      const usual = analysis.baselines[i]?.observations[0];
      const p = a.unmapped.p_values?.[seen.observation_parameter];
      lines.push(
        `  ${seen.observation_parameter}: ${tame(seen.observations[0]?.value ?? '', 200)} (${seen.observed_pattern}); usual ${tame(usual?.value ?? 'unknown', 200)}` +
          `${usual?.count === undefined ? '' : `, of ${usual.count} learned`}${p === undefined ? '' : `, p = ${p}`}`,
      );
    });
  }
  for (const r of a.unmapped.related ?? []) lines.push(`  with it, ${r.detector}: ${tame(r.sentence, 500)}`);
  if (a.unmapped.patient_impact !== undefined) lines.push('', `For patients: ${a.unmapped.patient_impact}`);
  for (const text of a.unmapped.do ?? []) lines.push(`Do: ${text}`);
  for (const text of a.unmapped.do_not ?? []) lines.push(`Do not: ${text}`);
  for (const f of a.unmapped.frames ?? []) lines.push(`Frames ${f.first} to ${f.last} of ${tame(f.origin, 200)}`);
  return lines;
}

/** Fields of the first level that differ. */
function differences(a: string, b: string): string[] {
  const x = JSON.parse(a) as Record<string, unknown>;
  const y = JSON.parse(b) as Record<string, unknown>;
  return [...new Set([...Object.keys(x), ...Object.keys(y)])].filter(
    (k) => JSON.stringify(x[k]) !== JSON.stringify(y[k]),
  );
}
