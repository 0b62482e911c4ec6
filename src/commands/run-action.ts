import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runAll } from '../app/run.ts';
import { loadConfig } from '../config/index.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { createProgress } from '../telemetry/progress.ts';
import { version } from './index.ts';
import type { RunOptions } from './run.ts';

const DEMO = fileURLToPath(new URL('../../demo/', import.meta.url));
/** Twelve minutes of recordings pass in less than a minute, slow enough to watch the console live. */
const DEMO_SPEED = 15;
const DEMO_STORE = './data/demo';

export async function runCommand(files: string[], options: RunOptions): Promise<void> {
  const { config } = loadConfig({ file: options.config });
  let learn: readonly string[] = options.learn;
  let watch: readonly string[] = files;
  let speed = options.speed;
  let effective = config;
  if (options.demo === true) {
    if (files.length > 0 || options.interface !== undefined || learn.length > 0)
      throw new WardwatchError('WW_USAGE', '--demo brings its own captures', 'leave --demo away to watch your own');
    learn = [join(DEMO, 'learn.pcap.gz')];
    watch = [1, 2, 3, 4].map((n) => join(DEMO, `attack-${n}.pcap.gz`));
    await access(learn[0]!).catch(() => {
      throw new WardwatchError(
        'WW_INPUT_MISSING',
        'the demo captures are missing',
        'run from a whole checkout (folder demo/)',
      );
    });
    speed ??= DEMO_SPEED;
    // The demo never mixes with the data of a site, and begins anew each time.
    await rm(DEMO_STORE, { recursive: true, force: true });
    effective = { ...config, store: { ...config.store, mode: 'embedded', path: join(DEMO_STORE, 'store') } };
  } else if (files.length === 0 && options.interface === undefined && config.sources.live === undefined) {
    throw new WardwatchError(
      'WW_USAGE',
      'there is nothing to watch',
      'name a capture file, -i INTERFACE, or --demo; see `wardwatch run --help`',
    );
  }
  const interfaceName =
    options.demo === true || files.length > 0
      ? options.interface
      : (options.interface ?? config.sources.live?.interface);

  const stop = new AbortController();
  let asked = 0;
  const onSignal = (): void => {
    asked++;
    if (asked === 1) {
      process.stderr.write('wardwatch: stopping; what has been seen is being stored (again to end at once)\n');
      stop.abort();
    } else process.exit(130);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const quiet = options.quiet === true;
  const progress = quiet ? undefined : createProgress('watching');
  try {
    await runAll({
      config: effective,
      productVersion: version(),
      learn,
      files: watch,
      interface: interfaceName,
      speed,
      seed: options.seed,
      exitAtEnd: options.exit === true,
      stop: stop.signal,
      onReady: (url) => process.stdout.write(`Console: ${url}\n`),
      onWarning: (message) => process.stderr.write(`wardwatch: warning: ${message}\n`),
      onProgress: (state, frames) => progress?.update({ frames, bytes: state.bytesRead, bytesTotal: state.bytesTotal }),
      onEnd: (state) => {
        progress?.done();
        if (state === undefined || quiet) return;
        const { counters } = state;
        process.stdout.write(
          `The input has ended: ${counters.framesRead} frames, ${counters.flows} flows, ${counters.devices} devices, ` +
            `${counters.alerts} alerts.\n` +
            (options.exit === true ? '' : 'The console stays open; Ctrl-C ends.\n'),
        );
        for (const note of state.notes) process.stderr.write(`wardwatch: note: ${note}\n`);
      },
    });
  } finally {
    progress?.done();
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
