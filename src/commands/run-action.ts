import { access, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runAll } from '../app/run.ts';
import { isLoopback } from '../app/people.ts';
import { PASSED_INPUT } from '../app/standard-input.ts';
import { loadConfig } from '../config/index.ts';
import type { Config } from '../config/index.ts';
import { WardwatchError } from '../kernel/errors.ts';
import { createProgress } from '../telemetry/progress.ts';
import { version } from './index.ts';
import { runWithInputPassed } from './pass-input.ts';
import { remarksOf } from './remarks.ts';
import type { RunOptions } from './run.ts';
import { untilSignal } from './until-signal.ts';

const DEMO = fileURLToPath(new URL('../../demo/', import.meta.url));
/** Twelve minutes of recordings pass in less than a minute, slow enough to watch the console live. */
const DEMO_SPEED = 15;
const DEMO_STORE = './data/demo';

export async function runCommand(files: string[], options: RunOptions): Promise<void> {
  const { config } = loadConfig({ file: options.config });
  if (files.includes('-') && config.store.mode === 'embedded' && process.env[PASSED_INPUT] === undefined) {
    process.exitCode = await runWithInputPassed();
    return;
  }
  const watched = options.demo === true ? await demo(options, config, files) : own(options, config, files);

  const signal = untilSignal('what has been seen is being stored');
  const quiet = options.quiet === true;
  const progress = quiet ? undefined : createProgress('watching');
  try {
    await runAll({
      ...watched,
      productVersion: version(),
      seed: options.seed,
      fresh: options.fresh === true,
      exitAtEnd: options.exit === true,
      stop: signal.stop,
      onReady: (url, note) => {
        process.stdout.write(process.stdout.isTTY ? `\n  Console: \u001b[1m${url}\u001b[0m\n\n` : `Console: ${url}\n`);
        if (note !== undefined) process.stdout.write(note);
      },
      onProgress: (state, frames) => progress?.update({ frames, bytes: state.bytesRead, bytesTotal: state.bytesTotal }),
      onEnd: (state) => {
        progress?.done();
        if (state === undefined || quiet) return;
        const { counters } = state;
        process.stdout.write(
          `${signal.stop.aborted ? 'Stopped' : 'The input has ended'}: ${counters.framesRead} frames, ` +
            `${counters.flows} flows, ${counters.devices} devices, ${counters.alerts} alerts.\n` +
            (options.exit === true || signal.stop.aborted ? '' : 'The console stays open; Ctrl-C ends.\n'),
        );
        const input = { notes: state.notes, frames: counters.framesRead, undecodable: counters.framesUndecodable };
        for (const remark of remarksOf(input)) process.stderr.write(`wardwatch: ${remark}\n`);
      },
    });
  } finally {
    progress?.done();
    signal.end();
  }
}

type Watched = Pick<Parameters<typeof runAll>[0], 'config' | 'learn' | 'files' | 'interface' | 'kafka' | 'speed'>;

/** What the command line and the configuration name. */
function own(options: RunOptions, config: Config, files: readonly string[]): Watched {
  const named = [files.length > 0, options.interface !== undefined, options.kafka === true];
  if (named.filter(Boolean).length > 1)
    throw new WardwatchError(
      'WW_USAGE',
      'captures, an interface and Kafka cannot be watched by one process',
      'start one for each, with a port and a store of its own',
    );
  const nothing = !named.includes(true);
  const interfaceName = options.interface ?? (nothing ? config.sources.live?.interface : undefined);
  const kafka = options.kafka === true || (nothing && interfaceName === undefined && config.bus.kind === 'kafka');
  if (nothing && interfaceName === undefined && !kafka)
    throw new WardwatchError(
      'WW_USAGE',
      'there is nothing to watch',
      'name a capture file, -i INTERFACE, --kafka or --demo; see `wardwatch run --help`',
    );
  if (options.speed !== undefined && files.length === 0)
    throw new WardwatchError('WW_USAGE', '--speed is for captures', 'leave --speed away: what is live has its own');
  return { config, learn: options.learn, files, interface: interfaceName, kafka, speed: options.speed };
}

/** The recorded ward. It never mixes with the data of a site, and begins anew each time. */
async function demo(options: RunOptions, config: Config, files: readonly string[]): Promise<Watched> {
  if (files.length > 0 || options.interface !== undefined || options.kafka === true || options.learn.length > 0)
    throw new WardwatchError('WW_USAGE', '--demo brings its own captures', 'leave --demo away to watch your own');
  const learn = join(DEMO, 'learn.pcap.gz');
  await access(learn).catch(() => {
    throw new WardwatchError(
      'WW_INPUT_MISSING',
      'the demo captures are missing',
      'run from a whole checkout (folder demo/)',
    );
  });
  const folder = await demoFolder();
  return {
    config: {
      ...config,
      store: { ...config.store, mode: 'embedded', path: join(folder, 'store') },
      desk: { path: join(folder, 'desk.sqlite') },
      // Nothing of a site is in it, and a newcomer should see an alert, not a form.
      access: { ...config.access, sign_in: isLoopback(config.api.host) ? 'off' : config.access.sign_in },
      // What was recorded elsewhere long ago is no news for a SIEM.
      delivery: { ...config.delivery, endpoints: [] },
    },
    learn: [learn],
    files: [1, 2, 3, 4].map((n) => join(DEMO, `attack-${n}.pcap.gz`)),
    interface: undefined,
    kafka: false,
    speed: options.speed ?? DEMO_SPEED,
  };
}

/** A folder for this process, so that two demos do not meet; what ended ones have left is removed. */
async function demoFolder(): Promise<string> {
  const left = await readdir(DEMO_STORE).catch(() => []);
  for (const name of left) if (!isRunning(name)) await rm(join(DEMO_STORE, name), { recursive: true, force: true });
  return join(DEMO_STORE, String(process.pid));
}

function isRunning(pid: string): boolean {
  if (!/^\d+$/.test(pid)) return false;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
