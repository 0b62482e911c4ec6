import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export interface CreateOptions extends GlobalOptions {
  key: string;
  version: number;
  created: string;
  profiles?: string;
  oui?: string;
  types?: string;
}

export interface FolderOptions extends GlobalOptions {
  dir?: string;
  key?: string[];
  allowOlder?: boolean;
}

const DIR = 'folder of bundles; without it hotPath.identity.knowledge.bundle_dir of the configuration';

export function registerBundle(program: Command): void {
  const bundle = program
    .command('bundle')
    .description('knowledge of devices in one signed file, for sites without Internet');
  bundle
    .command('create')
    .argument('<file>', 'file to write')
    .description('put makers, profiles and learned types into a signed bundle')
    .requiredOption('--key <file>', 'private Ed25519 key (PEM) that signs it')
    .requiredOption('--version <n>', 'number that grows with each bundle, e.g. 2026013101', versionNumber)
    .requiredOption('--created <time>', 'when it was made, UTC, e.g. 2026-01-31T00:00:00Z')
    .option(
      '--profiles <dir>',
      'folder of profiles with vendors.json and platforms.yaml; without it those of Wardwatch',
    )
    .option('--oui <file>', 'oui.csv or oui.txt of the IEEE; without it the table of Wardwatch')
    .option('--types <file>', 'types that `wardwatch devices types train` has learned')
    .addHelpText(
      'after',
      examples(
        ['openssl genpkey -algorithm ed25519 -out site.key', 'a key, once; openssl pkey -pubout gives the public one'],
        ['wardwatch bundle create k.bundle --key site.key --version 7 --created 2026-01-31T00:00:00Z', ''],
      ),
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { createBundle } = await import('./bundle-action.ts');
      createBundle(file, command.optsWithGlobals<CreateOptions>());
    });
  bundle
    .command('verify')
    .argument('<file>', 'bundle')
    .description('check signature and hashes, and show what is in it')
    .option('--dir <dir>', DIR)
    .option('--key <file...>', 'trust these public keys (PEM) instead of those of the folder')
    .addHelpText('after', examples(['wardwatch bundle verify k.bundle --key maker.pem', 'before it goes to a site']))
    .action(async (file: string, _options: unknown, command: Command) => {
      const { showBundle } = await import('./bundle-action.ts');
      showBundle(file, command.optsWithGlobals<FolderOptions>());
    });
  bundle
    .command('import')
    .argument('<file>', 'bundle')
    .description('verify a bundle and use it from the next start on')
    .option('--dir <dir>', DIR)
    .option('--allow-older', 'also a bundle that is older than the one in use')
    .addHelpText('after', examples(['wardwatch bundle import k.bundle', 'the one before stays for `rollback`']))
    .action(async (file: string, _options: unknown, command: Command) => {
      const { useBundle } = await import('./bundle-action.ts');
      useBundle(file, command.optsWithGlobals<FolderOptions>());
    });
  bundle
    .command('rollback')
    .description('use the bundle before again')
    .option('--dir <dir>', DIR)
    .addHelpText('after', examples(['wardwatch bundle rollback', 'from the first one to what comes with Wardwatch']))
    .action(async (_options: unknown, command: Command) => {
      const { goBack } = await import('./bundle-action.ts');
      goBack(command.optsWithGlobals<FolderOptions>());
    });
  bundle
    .command('list')
    .description('bundles that were imported')
    .option('--dir <dir>', DIR)
    .addHelpText('after', examples(['wardwatch bundle list', 'the one in use has a star']))
    .action(async (_options: unknown, command: Command) => {
      const { showBundles } = await import('./bundle-action.ts');
      showBundles(command.optsWithGlobals<FolderOptions>());
    });
}

function versionNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0.');
  return value;
}
