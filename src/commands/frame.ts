import type { Command } from 'commander';

/** Adds one subcommand to the program. Everything heavy is imported inside the action, so that help is quick. */
export type Register = (program: Command) => void;

/** Options that every command takes; read them with `command.optsWithGlobals<GlobalOptions>()`. */
export interface GlobalOptions {
  /** Configuration file. */
  config?: string;
  /** Show where an error comes from. */
  debug?: boolean;
}

/** The examples below a command's help: pairs of a line to type and what it does. */
export function examples(...lines: [command: string, meaning: string][]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  return ['', 'Examples:', ...lines.map(([command, meaning]) => `  ${command.padEnd(width)}  ${meaning}`)].join('\n');
}
