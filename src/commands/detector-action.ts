import { runDetector } from '../app/detector.ts';
import { loadConfig } from '../config/index.ts';
import { createProgress } from '../telemetry/progress.ts';
import type { DetectorOptions } from './detector.ts';
import { version } from './index.ts';
import { untilSignal } from './until-signal.ts';

export async function detectorCommand(options: DetectorOptions): Promise<void> {
  const { config } = loadConfig({ file: options.config });
  const quiet = options.quiet === true;
  const progress = quiet ? undefined : createProgress('watching');
  const signal = untilSignal('what has been seen is being stored');
  try {
    const last = await runDetector({
      config,
      productVersion: version(),
      learn: options.learn,
      seed: options.seed,
      toTheEnd: options.exit === true,
      statusPort: options.metrics,
      stop: signal.stop,
      onReady: (url) => {
        if (url !== undefined && !quiet) process.stderr.write(`Metrics: ${url}/metrics\n`);
      },
      onProgress: ({ counters }) => progress?.update({ frames: counters.framesRead }),
    });
    progress?.done();
    if (quiet) return;
    const { framesRead, flows, alerts } = last?.counters ?? { framesRead: 0, flows: 0, alerts: 0 };
    process.stdout.write(`${framesRead} frames watched, ${flows} flows, ${alerts} alerts; all is stored\n`);
  } finally {
    progress?.done();
    signal.end();
  }
}
