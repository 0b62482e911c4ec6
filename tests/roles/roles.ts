/** The roles as an operator starts them: processes of their own, through the command line. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { resolve } from 'node:path';

export interface Role {
  readonly child: ChildProcessWithoutNullStreams;
  /** Everything it has said on both outputs so far. */
  output(): string;
  /** The first match in what it says; fails when it ends without. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  /** How it ended: exit code, or minus one where a signal ended it. */
  readonly ended: Promise<number>;
}

const running = new Set<ChildProcessWithoutNullStreams>();

export function start(args: readonly string[], env: Readonly<Record<string, string>>, cwd: string): Role {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(WARDWATCH_|NODE_|VITEST)/.test(name));
  const child = spawn(process.execPath, [resolve('bin/wardwatch.js'), ...args], {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: 'pipe',
  });
  running.add(child);
  let text = '';
  let look = (): void => {};
  const take = (chunk: Buffer): void => {
    text += chunk.toString();
    look();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  // A role that ends before it has read everything is judged by what it says.
  child.stdin.on('error', () => {});
  const ended = new Promise<number>((settle) => {
    child.on('close', (code) => {
      running.delete(child);
      settle(code ?? -1);
    });
  });
  return {
    child,
    output: () => text,
    ended,
    says: (pattern) =>
      new Promise((settle, fail) => {
        look = () => {
          const match = pattern.exec(text);
          if (match !== null) settle(match);
        };
        look();
        void ended.then(() => fail(new Error(`ended without saying ${pattern.source}:\n${text}`)));
      }),
  };
}

/** Nothing that a failed test has left behind goes on. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** The value of a series without labels at a metrics port; 0 where it has not begun. */
export async function metric(base: string, name: string): Promise<number> {
  const text = await (await fetch(`${base}/metrics`)).text();
  return Number(new RegExp(`^wardwatch_${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
}

/** Asks again until the series has this value. */
export async function reaches(base: string, name: string, value: number): Promise<void> {
  while ((await metric(base, name)) < value) await new Promise((settle) => setTimeout(settle, 50));
}
