import { Option } from 'commander';
import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export interface ListOptions extends GlobalOptions {
  class?: string;
  json?: boolean;
}

export interface ImportOptions extends GlobalOptions {
  class: string;
}

export interface ExportOptions extends GlobalOptions {
  mud?: boolean;
  acl?: string;
  devices?: string;
  mudUrl?: string;
  lastUpdate?: string;
  deny?: boolean;
}

export function registerProfiles(program: Command): void {
  const profiles = program.command('profiles').description('declared knowledge of device types');
  profiles
    .command('list', { isDefault: true })
    .description('all profiles that come with Wardwatch')
    .option('--class <class>', 'only profiles of this class, e.g. infusion-pump')
    .option('--json', 'one JSON object a line instead of a table')
    .addHelpText('after', examples(['wardwatch profiles list --class infusion-pump', 'the pumps that are known']))
    .action(async (_options: unknown, command: Command) => {
      const { listProfiles } = await import('./profiles-action.ts');
      listProfiles(command.optsWithGlobals<ListOptions>());
    });
  profiles
    .command('check')
    .argument('[dir]', 'folder with profiles as <class>/<name>.yaml; without it those of Wardwatch')
    .description('find everything that is wrong in profiles')
    .addHelpText('after', examples(['wardwatch profiles check our-profiles', 'file, line, what is wrong']))
    .action(async (dir: string | undefined) => {
      const { checkProfiles } = await import('./profiles-action.ts');
      checkProfiles(dir);
    });
  profiles
    .command('test')
    .argument('[dir]', 'folder with profiles; without it those of Wardwatch')
    .description('run the tests that each profile declares: what it must match and what it must not')
    .addHelpText('after', examples(['wardwatch profiles test our-profiles', 'together with those of Wardwatch']))
    .action(async (dir: string | undefined) => {
      const { testProfiles } = await import('./profiles-action.ts');
      testProfiles(dir);
    });
  profiles
    .command('import')
    .argument('<file>', 'MUD file (RFC 8520), also with the names of its drafts')
    .option('--class <class>', 'class of the device', 'unknown')
    .description('turn a manufacturer usage description into a profile')
    .addHelpText(
      'after',
      examples(['wardwatch profiles import pump.mud.json --class infusion-pump', 'YAML to standard output']),
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { importProfile } = await import('./profiles-action.ts');
      importProfile(file, command.optsWithGlobals<ImportOptions>());
    });
  profiles
    .command('export')
    .argument('<target>', 'id of a profile; with --devices also MAC address, IP address or name of a device')
    .option('--mud', 'as manufacturer usage description (RFC 8520)')
    .addOption(new Option('--acl <format>', 'as access list').choices(['nftables', 'cisco', 'json']))
    .option('--devices <file>', 'devices.ndjson of a replay: addresses of the device and of its partners')
    .option('--mud-url <url>', 'where the MUD file will lie')
    .option('--last-update <time>', 'when the MUD file was last changed; without it now')
    .option('--deny', 'access lists drop what is not declared instead of logging it')
    .description('write down what a device may do, for the network')
    .addHelpText(
      'after',
      examples(
        ['wardwatch profiles export infusion-pump/bd-alaris-pcu --mud', 'MUD file'],
        ['wardwatch profiles export 10.20.1.22 --acl nftables --devices out/devices.ndjson', 'with known addresses'],
      ),
    )
    .action(async (target: string, _options: unknown, command: Command) => {
      const { exportProfile } = await import('./profiles-action.ts');
      exportProfile(target, command.optsWithGlobals<ExportOptions>());
    });
}
