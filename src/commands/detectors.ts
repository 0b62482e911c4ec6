import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export function registerDetectors(program: Command): void {
  const detectors = program.command('detectors').description('which detectors there are and what they do');
  detectors
    .command('list', { isDefault: true })
    .description('all detectors, those of the site included')
    .option('--json', 'one JSON array')
    .addHelpText('after', examples(['wardwatch detectors', 'id, state, what it sees']))
    .action(async (_options: unknown, command: Command) => {
      const { listDetectors } = await import('./detectors-action.ts');
      await listDetectors(command.optsWithGlobals<GlobalOptions & { json?: boolean }>());
    });
  detectors
    .command('describe')
    .argument('<id>', 'id of the detector')
    .description('parameters, techniques and the whole description of one detector')
    .addHelpText('after', examples(['wardwatch detectors describe scan', 'how it decides, known gaps, triage']))
    .action(async (id: string, _options: unknown, command: Command) => {
      const { describeDetector } = await import('./detectors-action.ts');
      await describeDetector(id, command.optsWithGlobals<GlobalOptions>());
    });
}
