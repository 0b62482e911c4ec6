import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export function registerServer(program: Command): void {
  program
    .command('server')
    .description('serve API and console over what detectors have stored in ClickHouse; watches nothing itself')
    .addHelpText(
      'after',
      examples(
        ['wardwatch server', 'with the settings of ./wardwatch.yaml'],
        ['WARDWATCH_STORE__MODE=server wardwatch server', 'over the ClickHouse server of store.server.url'],
      ) +
        `

It shows alerts, devices, flows and windows, new ones within some seconds. What detectors know and do not store
it cannot show: frames read, frames lost at the capture, which detectors are on or have failed. The strip on top
says 0 frames and 0 detectors for that; the metrics of the detectors tell it. "Event time" is the newest device
row: where it falls behind, no detector is writing.`,
    )
    .action(async (_options: unknown, command: Command) => {
      const { serverCommand } = await import('./server-action.ts');
      await serverCommand(command.optsWithGlobals<GlobalOptions>());
    });
}
