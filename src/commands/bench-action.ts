import { buildHotPath } from '../app/build.ts';
import { loadConfig } from '../config/index.ts';
import { createFileSource } from '../sources/index.ts';
import { version } from './index.ts';

/** Copies of the capture lie this far apart: longer than the pause after which nothing is carried over. */
const APART_US = 3_600_000_000;

/**
 * Runs the capture `times` times through one hot path, each copy later than the one before. What the first copy
 * costs beyond the others (compiling what has become hot, growing tables) is start-up of the process and no cost
 * of a packet: the rate is the slope between one copy and all of them.
 */
export async function benchCommand(
  file: string,
  options: { config?: string; stage: 'read' | 'decode' | 'flows' | 'app' | 'all'; times: number; json?: boolean },
): Promise<void> {
  const { config } = loadConfig({ file: options.config });
  const hotPath =
    options.stage === 'read'
      ? undefined
      : (
          await buildHotPath({
            config,
            seed: 1,
            stage: options.stage,
            productVersion: version(),
            output: {},
          })
        ).hotPath;
  const startUp = cpuSeconds(process.cpuUsage());
  const started = performance.now();
  let frames = 0;
  let bytes = 0;
  let shiftUs = 0;
  let firstUs = Infinity;
  let lastUs = 0;
  let firstCopy = 0;
  for (let copy = 0; copy < options.times; copy++) {
    for await (const batch of createFileSource(file).batches()) {
      frames += batch.count;
      for (let i = 0; i < batch.count; i++) {
        bytes += batch.wireLen[i]!;
        batch.tsUs[i]! += shiftUs;
      }
      if (copy === 0) {
        firstUs = Math.min(firstUs, batch.tsUs[0]!);
        lastUs = Math.max(lastUs, batch.tsUs[batch.count - 1]!);
      }
      hotPath?.process(batch);
    }
    if (copy === 0) firstCopy = cpuSeconds(process.cpuUsage()) - startUp;
    shiftUs += lastUs - firstUs + APART_US;
  }
  const seconds = (performance.now() - started) / 1000;
  const total = cpuSeconds(process.cpuUsage()) - startUp;
  const { times } = options;
  const perCopy = times === 1 ? total : (total - firstCopy) / (times - 1);
  const counters = hotPath?.counters();
  const result = {
    stage: options.stage,
    times,
    frames,
    bytes,
    flows: counters === undefined ? null : counters.flows + counters.openFlows,
    observations: counters?.observations ?? null,
    seconds: round(seconds),
    start_up_cpu_seconds: round(startUp),
    first_copy_cpu_seconds: round(firstCopy),
    cpu_seconds: round(perCopy),
    packets_per_cpu_second: Math.round(frames / times / Math.max(perCopy, 1e-6)),
    gbit_per_cpu_second: round((bytes * 8) / times / 1e9 / Math.max(perCopy, 1e-6)),
    rss_mib: Math.round(process.memoryUsage.rss() / 1_048_576),
  };
  process.stdout.write(
    options.json === true
      ? `${JSON.stringify(result)}\n`
      : Object.entries(result)
          .map(([name, value]) => `${name.padEnd(24)} ${String(value)}\n`)
          .join(''),
  );
}

function cpuSeconds(usage: NodeJS.CpuUsage): number {
  return (usage.user + usage.system) / 1e6;
}

function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}
