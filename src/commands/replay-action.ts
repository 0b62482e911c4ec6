import { readFileSync } from 'node:fs';
import { readDecisions } from '../alerts/decisions.ts';
import type { Decision } from '../alerts/decisions.ts';
import { runReplay } from '../app/replay.ts';
import { createMemoryBus } from '../bus/memory/index.ts';
import type { FrameBus } from '../bus/bus.ts';
import { loadConfig } from '../config/index.ts';
import { silentReporter } from '../kernel/component.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { createProgress } from '../telemetry/progress.ts';
import { version } from './index.ts';
import { remarksOf } from './remarks.ts';

export async function replayCommand(
  files: string[],
  options: {
    config?: string;
    learn: string[];
    out: string;
    seed: number;
    bus: string;
    batchFrames: number;
    quiet?: boolean;
    decisions?: string;
  },
): Promise<void> {
  if (options.bus !== 'memory' && options.bus !== 'kafka')
    throw new WardwatchError('WW_USAGE', `--bus ${options.bus} is not known`, 'use --bus memory or --bus kafka');
  if (options.batchFrames < 1)
    throw new WardwatchError('WW_USAGE', '--batch-frames must be at least 1', 'leave it away for the default');
  const { config } = loadConfig({ file: options.config });
  const decisions = options.decisions === undefined ? undefined : decisionsOf(options.decisions);
  const bus = await busOf(options.bus, config);
  const progress = options.quiet === true ? undefined : createProgress('replay');
  try {
    const summary = await runReplay({
      learn: options.learn,
      files,
      out: options.out,
      config,
      seed: options.seed,
      productVersion: version(),
      bus,
      ...(decisions === undefined ? {} : { decisions }),
      batchFrames: options.batchFrames,
      onProgress: (state) => progress?.update(state),
      onWarning: (message) => process.stderr.write(`wardwatch: warning: ${message}\n`),
    });
    progress?.done();
    if (options.quiet !== true) {
      const undecodable = Object.values(summary.frames_undecodable).reduce((a, b) => a + b, 0);
      process.stdout.write(
        `${summary.frames_read} frames, ${undecodable} undecodable, ${summary.flows} flows, ${summary.devices} devices, ` +
          `${summary.alerts} alerts${severities(summary.alerts_by_severity)}, ${summary.notices} notices in ${summary.seconds} s\n` +
          `results in ${options.out}/\n`,
      );
      const input = { notes: summary.notes, frames: summary.frames_read, undecodable: summary.frames_undecodable };
      for (const remark of remarksOf(input)) process.stderr.write(`wardwatch: ${remark}\n`);
    }
  } finally {
    progress?.done();
    await bus.stop();
  }
}

function decisionsOf(path: string): Decision[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new WardwatchError(
      'WW_INPUT_MISSING',
      `the decisions ${path} cannot be read: ${describeError(error)}`,
      'give the file that the console offers on its page of rules',
      { cause: error },
    );
  }
  return readDecisions(text);
}

function severities(counts: Record<string, number>): string {
  const names = ['', '', '', 'medium', 'high', 'critical'];
  const parts = [5, 4, 3].filter((s) => counts[s] !== undefined).map((s) => `${counts[s]!} ${names[s]!}`);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}

async function busOf(kind: 'memory' | 'kafka', config: ReturnType<typeof loadConfig>['config']): Promise<FrameBus> {
  if (kind === 'memory') return createMemoryBus({ ...config.bus.memory, partitions: 1 }, { reporter: silentReporter });
  const { createReplayBus } = await import('../app/replay-bus.ts');
  return createReplayBus(config.bus.kafka);
}
