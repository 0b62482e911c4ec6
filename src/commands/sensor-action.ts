import { runSensor } from '../app/sensor.ts';
import type { SensorSummary } from '../app/sensor.ts';
import { loadConfig } from '../config/index.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { createProgress } from '../telemetry/progress.ts';
import { version } from './index.ts';
import type { SensorOptions } from './sensor.ts';
import { untilSignal } from './until-signal.ts';

export async function sensorCommand(files: string[], options: SensorOptions): Promise<void> {
  const { config } = loadConfig({ file: options.config });
  if (files.length > 0 && options.interface !== undefined)
    throw new WardwatchError(
      'WW_USAGE',
      'captures and an interface cannot be sent by one sensor',
      'start one for each, with a partition of its own',
    );
  const interfaceName = options.interface ?? (files.length === 0 ? config.sources.live?.interface : undefined);
  if (files.length === 0 && interfaceName === undefined)
    throw new WardwatchError(
      'WW_USAGE',
      'there is nothing to send',
      'name a capture file, `-` or -i INTERFACE; see `wardwatch sensor --help`',
    );
  const { partitions } = config.bus.kafka;
  if (options.partition >= partitions)
    throw new WardwatchError(
      'WW_USAGE',
      `--partition ${options.partition} is not there: bus.kafka.partitions is ${partitions}`,
      `give one from 0 to ${partitions - 1}, or raise bus.kafka.partitions with the topic`,
    );

  const quiet = options.quiet === true;
  const progress = quiet ? undefined : createProgress('sending');
  const signal = untilSignal('what was captured is being sent');
  try {
    const summary = await runSensor({
      config,
      productVersion: version(),
      files,
      interface: interfaceName,
      partition: options.partition,
      statusPort: options.metrics,
      stop: signal.stop,
      onReady: (url) => {
        if (url !== undefined && !quiet) process.stderr.write(`Metrics: ${url}/metrics\n`);
      },
      onProgress: (state) => progress?.update(state),
    });
    progress?.done();
    if (!quiet) process.stdout.write(`${lineOf(summary)}\n`);
    for (const note of summary.notes) process.stderr.write(`wardwatch: note: ${note}\n`);
  } finally {
    progress?.done();
    signal.end();
  }
}

function lineOf(summary: SensorSummary): string {
  const dropped = Object.entries(summary.framesDropped).map(([reason, n]) => `, ${n} dropped (${reason})`);
  return (
    `${summary.framesRead} frames read, ${summary.framesPublished} sent${dropped.join('')}` +
    `, ${summary.framesLostAtCapture} lost at the capture${summary.truncated ? '; the input ended inside a frame' : ''}`
  );
}
