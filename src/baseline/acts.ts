import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { WardwatchError, describeError } from '../kernel/errors.ts';

/** What a person did to a device's baseline. It takes effect at an event time, so that a replay does the same. */
export interface BaselineAct {
  /** Key of the device: `<vlan>/<mac>`. */
  readonly device: string;
  readonly act: 'freeze' | 'unfreeze' | 'revert';
  /** Of a revert: the version to go by. */
  readonly version?: number;
  /** Epoch microseconds of event time. */
  readonly atUs: number;
  readonly by: string;
  readonly reason: string;
}

interface ActsFile {
  readonly format: 'wardwatch-baseline-acts';
  readonly version: 1;
  readonly sha256: string;
  readonly acts: readonly BaselineAct[];
}

const FORMAT = 'wardwatch-baseline-acts';
const MAX_ACTS = 10_000;
const ACTS = new Set(['freeze', 'unfreeze', 'revert']);

/**
 * Reads the acts; none where there is no file. A damaged file, or one of another version, is refused and the last good
 * one beside it (`FILE.previous`) is used; `refused` says why.
 * @throws WardwatchError WW_MODEL where neither can be used
 */
export function readActs(file: string): { acts: readonly BaselineAct[]; refused: string } {
  if (!existsSync(file)) return { acts: [], refused: '' };
  try {
    return { acts: parse(readFileSync(file, 'utf8')), refused: '' };
  } catch (error) {
    const refused = describeError(error);
    try {
      return { acts: parse(readFileSync(`${file}.previous`, 'utf8')), refused };
    } catch (cause) {
      throw new WardwatchError(
        'WW_MODEL',
        `${file} cannot be used: ${refused}`,
        'there is no good earlier one beside it: move it away, and repeat what was done to baselines',
        { cause },
      );
    }
  }
}

/** Adds an act; the file as it was stays beside it as `FILE.previous`. */
export function addAct(file: string, act: BaselineAct): void {
  const { acts, refused } = readActs(file);
  if (acts.length >= MAX_ACTS)
    throw new WardwatchError('WW_MODEL', `${file} holds ${MAX_ACTS} acts`, 'move it away and begin a new one');
  const all = [...acts, act].sort((a, b) => a.atUs - b.atUs);
  const next = `${file}.next`;
  try {
    writeFileSync(
      next,
      JSON.stringify({ format: FORMAT, version: 1, sha256: hashOf(all), acts: all } satisfies ActsFile, undefined, 2) +
        '\n',
    );
    // A damaged one is not kept as the last good one.
    if (refused === '' && existsSync(file)) copyFileSync(file, `${file}.previous`);
    renameSync(next, file);
  } catch (cause) {
    throw new WardwatchError(
      'WW_OUTPUT',
      `${file} cannot be written: ${describeError(cause)}`,
      'give a file with --acts in a folder where you may write',
      { cause },
    );
  }
}

function parse(text: string): readonly BaselineAct[] {
  const file = JSON.parse(text) as Partial<Omit<ActsFile, 'version'> & { version: number }> | null;
  if (file === null || file.format !== FORMAT) throw new Error('it holds no acts on baselines');
  if (file.version !== 1) throw new Error(`it is of version ${String(file.version)}, this program reads version 1`);
  const { acts } = file;
  if (!Array.isArray(acts) || acts.length > MAX_ACTS) throw new Error('its list of acts is none, or too long');
  if (file.sha256 !== hashOf(acts)) throw new Error('its hash does not match: it was changed by hand or damaged');
  for (const act of acts as readonly Partial<BaselineAct>[])
    if (typeof act.device !== 'string' || !ACTS.has(act.act ?? '') || !Number.isFinite(act.atUs))
      throw new Error('an act in it is none');
  return acts as readonly BaselineAct[];
}

function hashOf(acts: readonly BaselineAct[]): string {
  return createHash('sha256').update(JSON.stringify(acts)).digest('hex');
}
