import { execFile } from 'node:child_process';
import { resolve } from 'node:path';

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the command line as a user does, in a process of its own. */
export function run(args: string[], options: { cwd?: string; env?: Record<string, string> } = {}): Promise<Ended> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(WARDWATCH_|NODE_|VITEST)/.test(name));
  const env = { ...Object.fromEntries(inherited), ...options.env };
  return new Promise((settle) => {
    const child = execFile(
      process.execPath,
      [resolve('bin/wardwatch.js'), ...args],
      { ...options, env, maxBuffer: 64 << 20 },
      (_error, stdout, stderr) => settle({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

/** The help of a command and of all commands below it, by what is typed for them. */
export async function gatherHelp(command: string[]): Promise<Map<string, string>> {
  const { stdout } = await run([...command, '--help']);
  const pages = new Map([[command.join(' '), stdout]]);
  const list = /\nCommands:\n((?: {2}.*\n)+)/.exec(stdout)?.[1] ?? '';
  for (const [, name] of list.matchAll(/^ {2}([a-z]\S*)/gm)) {
    if (name === 'help') continue;
    for (const [below, text] of await gatherHelp([...command, name!])) pages.set(below, text);
  }
  return pages;
}
