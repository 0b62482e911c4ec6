import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .description('bring the tables of the store up to date (Wardwatch does it at its start as well)')
    .addHelpText(
      'after',
      examples(
        ['wardwatch migrate', 'before the first start, or after an update'],
        ['wardwatch migrate --config site.yaml', 'with the store of another configuration'],
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const [{ loadConfig }, { createStore }, { silentReporter }] = await Promise.all([
        import('../config/index.ts'),
        import('../store/index.ts'),
        import('../kernel/component.ts'),
      ]);
      const { config } = loadConfig({ file: command.optsWithGlobals<GlobalOptions>().config });
      let steps = 0;
      const store = createStore(config.store, {
        reporter: {
          ...silentReporter,
          log(_level, _message, fields) {
            if (typeof fields?.['steps'] === 'number') steps = fields['steps'];
          },
        },
      });
      await store.start();
      await store.stop();
      process.stdout.write(
        steps === 0 ? 'the store is up to date\n' : `the store took ${steps} steps and is up to date\n`,
      );
    });
}
