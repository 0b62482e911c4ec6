import { buildHotPath } from '../app/build.ts';
import { loadConfig } from '../config/index.ts';
import { createFileSource } from '../sources/index.ts';
import { version } from './index.ts';

export async function benchCommand(
  file: string,
  options: { config?: string; stage: 'read' | 'decode' | 'flows' | 'app' | 'all'; json?: boolean },
): Promise<void> {
  const startUp = process.cpuUsage();
  const { config } = loadConfig({ file: options.config });
  const source = createFileSource(file);
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
  const before = process.cpuUsage();
  const started = performance.now();
  let frames = 0;
  let bytes = 0;
  for await (const batch of source.batches()) {
    frames += batch.count;
    for (let i = 0; i < batch.count; i++) bytes += batch.wireLen[i]!;
    hotPath?.process(batch);
  }
  const seconds = (performance.now() - started) / 1000;
  const cpu = process.cpuUsage(before);
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  const counters = hotPath?.counters();
  const result = {
    stage: options.stage,
    frames,
    bytes,
    flows: counters === undefined ? null : counters.flows + counters.openFlows,
    observations: counters?.observations ?? null,
    seconds: round(seconds),
    cpu_seconds: round(cpuSeconds),
    start_up_cpu_seconds: round(
      (startUp.user + startUp.system + before.user - startUp.user + before.system - startUp.system) / 1e6,
    ),
    packets_per_cpu_second: Math.round(frames / Math.max(cpuSeconds, 1e-6)),
    gbit_per_cpu_second: round((bytes * 8) / 1e9 / Math.max(cpuSeconds, 1e-6)),
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

function round(x: number): number {
  return Math.round(x * 1000) / 1000;
}
