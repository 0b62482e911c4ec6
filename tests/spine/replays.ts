/** Replays as the tests of the spine run them: in this process, through the public face. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { runReplay } from '../../src/app/replay.ts';
import type { ReplaySummary } from '../../src/app/replay.ts';
import type { FrameBus } from '../../src/bus/bus.ts';
import { createMemoryBus } from '../../src/bus/memory/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { Config } from '../../src/config/index.ts';
import type { Knowledge } from '../../src/identity/knowledge.ts';
import { silentReporter } from '../../src/kernel/component.ts';

/** Files whose bytes are promised to be the same; summary.json holds times and places and is not. */
export const OUTPUTS = [
  'alerts.ndjson',
  'devices.ndjson',
  'flows.ndjson',
  'notices.ndjson',
  'observations.ndjson',
  'scores.ndjson',
] as const;
export type Output = (typeof OUTPUTS)[number];

export interface Replayed {
  readonly summary: ReplaySummary;
  readonly dir: string;
  readonly warnings: readonly string[];
  text(output: Output): Promise<string>;
}

export interface ReplaySettings {
  readonly learn?: readonly string[];
  readonly files: readonly string[];
  readonly config?: Config;
  readonly bus?: FrameBus;
  readonly batchFrames?: number;
  readonly knowledge?: Knowledge;
}

/** Settings as a user gives them by the environment, over the defaults. */
export function configWith(env: Readonly<Record<string, string>> = {}): Config {
  return loadConfig({ env }).config;
}

/** A folder for the tests of a file or a group: made before them, gone after them. */
export function useFolder(): (name?: string) => string {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'wardwatch-spine-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return (name = '') => join(folder, name);
}

/** Runs a replay into `dir`. The bus is this function's to stop. */
export async function replayInto(dir: string, settings: ReplaySettings): Promise<Replayed> {
  const config = settings.config ?? configWith();
  const bus = settings.bus ?? createMemoryBus({ ...config.bus.memory, partitions: 1 }, { reporter: silentReporter });
  const warnings: string[] = [];
  try {
    const summary = await runReplay({
      learn: settings.learn ?? [],
      files: settings.files,
      out: dir,
      config,
      seed: 1,
      productVersion: '0.0.0',
      bus,
      batchFrames: settings.batchFrames ?? 4096,
      ...(settings.knowledge === undefined ? {} : { knowledge: settings.knowledge }),
      onWarning: (message) => warnings.push(message),
    });
    return { summary, dir, warnings, text: (output) => readFile(join(dir, output), 'utf8') };
  } finally {
    await bus.stop();
  }
}

/** Frames that the summary accounts for; equal to `frames_read` in every replay. */
export function accounted(summary: ReplaySummary): number {
  const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  return summary.frames_decoded + sum(summary.frames_undecodable) + sum(summary.frames_dropped);
}
