import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EXIT, WardwatchError, describeError } from '../kernel/errors.ts';
import { registerBaseline } from './baseline.ts';
import { registerAudit } from './audit.ts';
import { registerBench } from './bench.ts';
import { registerBundle } from './bundle.ts';
import { registerConfig } from './config.ts';
import { registerDetector } from './detector.ts';
import { registerDelivery } from './delivery.ts';
import { registerDetectors } from './detectors.ts';
import { registerDevices } from './devices.ts';
import { registerDoctor } from './doctor.ts';
import { registerExplain } from './explain.ts';
import { examples } from './frame.ts';
import { registerInspect } from './inspect.ts';
import { registerMigrate } from './migrate.ts';
import { registerProfiles } from './profiles.ts';
import { registerQuery } from './query.ts';
import { registerReplay } from './replay.ts';
import { registerRun } from './run.ts';
import { registerSensor } from './sensor.ts';
import { registerServer } from './server.ts';
import { registerSimulate } from './simulate.ts';
import { registerTokens } from './tokens.ts';
import { registerTopics } from './topics.ts';
import { registerUsers } from './users.ts';
import type { GlobalOptions, Register } from './frame.ts';

/** Every command there is, in the order of the help. A new command is a file beside this one and a line here. */
const commands: Register[] = [
  registerRun,
  registerSensor,
  registerDetector,
  registerServer,
  registerTopics,
  registerReplay,
  registerExplain,
  registerBaseline,
  registerInspect,
  registerSimulate,
  registerDetectors,
  registerProfiles,
  registerBundle,
  registerBench,
  registerDevices,
  registerQuery,
  registerDelivery,
  registerUsers,
  registerTokens,
  registerAudit,
  registerDoctor,
  registerConfig,
  registerMigrate,
];

/** Version of this Wardwatch, from package.json. */
export function version(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

function createProgram(): Command {
  const program = new Command('wardwatch')
    .description('Passive security monitor for connected medical devices.')
    .version(version(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .option('-c, --config <file>', 'configuration (YAML); without it WARDWATCH_CONFIG, then ./wardwatch.yaml')
    .option('--debug', 'show where an error comes from')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    // Commander's own message about a wrong call is replaced by ours; see runCommandLine.
    .configureOutput({ outputError: () => undefined })
    .addHelpText(
      'after',
      examples(
        ['wardwatch doctor', 'is this machine ready?'],
        ['wardwatch config check', 'is the configuration right?'],
        ['wardwatch <command> --help', 'options and examples of one command'],
      ),
    );
  for (const register of commands) register(program);
  return program;
}

/** Runs one command and gives back the exit code. Errors are shown as what is wrong and what to do about it. */
export async function runCommandLine(args: string[]): Promise<number> {
  endQuietlyWithReader();
  const program = createProgram();
  try {
    if (args.length === 0) {
      program.outputHelp();
      return EXIT.usage;
    }
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const readable = readableError(error);
    process.stderr.write(
      `wardwatch: ${readable.message.replace(/\.$/, '')} (${readable.code})\n  -> ${readable.remedy}\n`,
    );
    if (program.opts<GlobalOptions>().debug === true || args.includes('--debug')) {
      process.stderr.write(`${stackOf(error)}\n`);
    }
    return readable.exitCode;
  }
}

function readableError(error: unknown): WardwatchError {
  if (error instanceof WardwatchError) return error;
  if (error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)$/, '; did you mean $1?');
    return new WardwatchError('WW_USAGE', message, 'see `wardwatch --help`, or `wardwatch <command> --help`');
  }
  const remedy = 'this is a fault of Wardwatch: run it again with --debug and report what it shows';
  return new WardwatchError('WW_INTERNAL', describeError(error), remedy, { cause: error });
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

/** `wardwatch devices | head` ends when head has seen enough; that is no error. */
function endQuietlyWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
}
