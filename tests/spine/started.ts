/** `wardwatch run` in a process of its own, as a user starts it. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly pid: number;
  /** Address of the console; fails where the process ends before it says it. */
  readonly url: Promise<string>;
  readonly stdin: NodeJS.WritableStream;
  readonly ended: Promise<Ended>;
  /** Resolves when standard output holds this; fails where the process ends before. */
  says(text: string): Promise<void>;
  /** SIGTERM, and what came of it. */
  stop(): Promise<Ended>;
}

export interface StartOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Program and arguments to put in front, such as `unshare`. */
  readonly through?: readonly string[];
}

/** Starts the command line; the console listens on a free port. */
export function start(args: readonly string[], options: StartOptions): Started {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(WARDWATCH_|NODE_|VITEST)/.test(name));
  const env = {
    ...Object.fromEntries(inherited),
    WARDWATCH_API__PORT: '0',
    WARDWATCH_ACCESS__SIGN_IN: 'off',
    ...options.env,
  };
  const line = [...(options.through ?? []), process.execPath, resolve('bin/wardwatch.js'), ...args];
  const child = spawn(line[0]!, line.slice(1), { cwd: options.cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  // What is written to a process that has ended is nobody's error here.
  child.stdin.on('error', () => {});
  const text = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  let isOver = false;
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (part: string) => {
      text[name] += part;
      for (const look of waiting) look();
    });
  const ended = new Promise<Ended>((settle) => {
    child.on('error', (error) => (text.stderr += String(error)));
    child.on('close', (code, signal) => {
      isOver = true;
      for (const look of waiting) look();
      settle({ code, signal, ...text });
    });
  });
  const found = (pattern: RegExp): Promise<string> =>
    new Promise((settle, fail) => {
      const look = (): void => {
        const match = pattern.exec(text.stdout);
        if (match === null && !isOver) return;
        waiting.delete(look);
        if (match === null) fail(new Error(`it ended without saying ${String(pattern)}: ${text.stderr}`));
        else settle(match[1] ?? match[0]);
      };
      waiting.add(look);
      look();
    });
  const url = found(/Console: (\S+)/);
  url.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    url,
    stdin: child.stdin,
    ended,
    async says(words) {
      await found(new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
    },
    async stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}
