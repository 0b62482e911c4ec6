import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { Value } from 'typebox/value';
import { describeError, WardwatchError } from '../../kernel/errors.ts';
import type { FrameBatch, FrameSource } from '../../kernel/frames.ts';
import { streamInput } from '../pcap/byte-input.ts';
import { emptyReport, readCapture } from '../pcap/capture-reader.ts';
import { type LiveConfig, liveConfigSchema } from './config.ts';
import { type CaptureTool, findTool, lossIn, toolArguments, toolError } from './tool.ts';

export type { LiveConfig } from './config.ts';

const CHUNK_BYTES = 1024 * 1024;
/** Most that is remembered of what the tool says. */
const MESSAGE_CHARACTERS = 8192;

/** Frames of a network interface, taken by tcpdump or dumpcap in a process of its own. */
export interface LiveSource extends FrameSource {
  /** Ends the capture; what was captured before is still delivered. Resolves when the tool has ended. */
  stop(): Promise<void>;
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

interface RunningTool {
  readonly child: Child;
  /** What it said on standard error, the last part. */
  messages(): string;
  /** The process is gone; what it wrote may not be read yet. Never fails. */
  readonly exited: Promise<void>;
  /** The process is gone and all it wrote was read or given up. In words how it ended; never fails. */
  readonly ended: Promise<string>;
}

function startTool(tool: CaptureTool, config: LiveConfig, onLine: (line: string) => void): RunningTool {
  const child: Child = spawn(tool.path, toolArguments(tool.kind, config), {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its messages are read, so they must be in English; nothing else of our environment is its business.
    env: { PATH: process.env['PATH'], LC_ALL: 'C' },
  });
  let messages = '';
  let line = '';
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    messages = (messages + text).slice(-MESSAGE_CHARACTERS);
    const lines = (line + text).split('\n');
    line = (lines.pop() ?? '').slice(-MESSAGE_CHARACTERS);
    for (const whole of lines) onLine(whole);
  });
  const exited = new Promise<void>((resolve) => {
    child.on('error', () => resolve());
    child.on('exit', () => resolve());
  });
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(describeError(error)));
    child.on('close', (code, signal) => {
      onLine(line);
      resolve(signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`);
    });
  });
  return { child, messages: () => messages, exited, ended };
}

/** Ends the tool as a person at its terminal would, and by force after a while. */
async function stopTool(running: RunningTool, stopSeconds: number): Promise<void> {
  if (running.child.exitCode === null && running.child.signalCode === null) running.child.kill('SIGINT');
  const force = setTimeout(() => running.child.kill('SIGKILL'), stopSeconds * 1000);
  try {
    await running.exited;
  } finally {
    clearTimeout(force);
  }
}

function checked(settings: Partial<LiveConfig>): LiveConfig {
  const config: unknown = Value.Default(liveConfigSchema, { ...settings });
  if (Value.Check(liveConfigSchema, config)) return config;
  const first = Value.Errors(liveConfigSchema, config)[0];
  throw new WardwatchError(
    'WW_CONFIG',
    `The capture from an interface is set up wrongly: ${first?.instancePath.slice(1) ?? 'a value'} is not allowed.`,
    'An interface is a name such as eth1; a filter is in the syntax of libpcap and does not begin with a dash.',
  );
}

/**
 * @throws WardwatchError WW_CONFIG where the interface's name or the filter could be taken for anything else
 *   by the tool
 */
export function createLiveSource(settings: Partial<LiveConfig> & Pick<LiveConfig, 'interface'>): LiveSource {
  const config = checked(settings);
  const name = config.interface;
  const report = emptyReport();
  const lost = { kernel: 0, interface: 0, all: 0 };
  let running: RunningTool | undefined;
  let begun = false;
  let stopped = false;

  const onLine = (line: string): void => {
    const loss = lossIn(line);
    if (loss !== undefined) lost[loss.kind] = Math.max(lost[loss.kind], loss.frames);
  };

  async function* read(own: RunningTool, signal: AbortSignal | undefined): AsyncGenerator<FrameBatch, void, void> {
    const options = { name, chunkBytes: CHUNK_BYTES, readAhead: false };
    try {
      yield* readCapture(streamInput(own.child.stdout), report, options, signal);
    } catch (error) {
      // A tool that could not begin wrote nothing: what it says on standard error is the better explanation.
      const wroteNothing = error instanceof WardwatchError && report.bytesRead === 0;
      if (!wroteNothing && !stopped) throw error;
    }
  }

  async function* batches(signal?: AbortSignal): AsyncGenerator<FrameBatch, void, void> {
    if (begun)
      throw new WardwatchError('WW_INTERNAL', `${name} was captured from twice.`, 'Make a source for each capture.');
    begun = true;
    const unwanted = (): boolean => stopped || (signal?.aborted ?? false);
    if (unwanted()) return;
    const tool = findTool(config);
    const own = startTool(tool, config, onLine);
    running = own;
    const asksForLoss = tool.kind === 'tcpdump' && process.platform === 'linux';
    const poll = asksForLoss
      ? setInterval(() => own.child.kill('SIGUSR1'), config.loss_poll_seconds * 1000)
      : undefined;
    try {
      yield* read(own, signal);
      if (unwanted()) return;
      const ending = await own.ended;
      if (ending !== 'exit code 0' || report.bytesRead === 0) throw toolError(tool, config, own.messages(), ending);
    } finally {
      clearInterval(poll);
      await stopTool(own, config.stop_seconds);
    }
  }

  return {
    name,
    batches,
    report: () => ({
      ...report,
      framesLostAtCapture: lost.kernel + lost.interface + lost.all,
      notes: [...report.notes],
    }),
    async stop() {
      stopped = true;
      if (running !== undefined) await stopTool(running, config.stop_seconds);
    },
  };
}
