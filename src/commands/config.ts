import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export function registerConfig(program: Command): void {
  const config = program.command('config').description('check and show the configuration');
  config
    .command('check')
    .argument('[file]', 'configuration to check; without it the one that every command would use')
    .option('--print', 'show every setting as it is in force, secrets masked')
    .description('find everything that is wrong with the configuration at once')
    .addHelpText(
      'after',
      examples(
        ['wardwatch config check', 'check ./wardwatch.yaml and the environment'],
        ['wardwatch config check site.yaml --print', 'show what is in force'],
        ['WARDWATCH_API__PORT=9000 wardwatch config check --print', 'the same with one setting overridden'],
      ),
    )
    .action(async (file: string | undefined, options: { print?: boolean }, command: Command) => {
      const { loadConfig, printConfig } = await import('../config/index.ts');
      const loaded = loadConfig({ file: file ?? command.optsWithGlobals<GlobalOptions>().config });
      if (options.print === true) process.stdout.write(printConfig(loaded.config));
      else process.stdout.write(`${loaded.file ?? 'no file: the defaults'}: all settings are right\n`);
    });
}
