import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

export interface AssetImportOptions extends GlobalOptions {
  dryRun?: boolean;
  column: Record<string, string>;
}

/** `wardwatch devices import`: what the maintenance system knows of devices. */
export function registerDeviceImport(devices: Command): void {
  devices
    .command('import')
    .argument('<file>', 'CSV with asset tag and MAC address, serial number or name; owner, room, criticality, contact')
    .description('take in assets of a maintenance system (CMMS)')
    .option('--dry-run', 'only say what would change')
    .option('--column <field=name>', 'the column that holds a field, may be repeated', column, {})
    .addHelpText(
      'after',
      examples(
        ['wardwatch devices import cmms.csv --dry-run', 'what would change, and which lines are wrong'],
        ['wardwatch devices import cmms.csv --column room="Ort" --column tag="Inventarnummer"', 'columns by name'],
      ),
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const { importAssets } = await import('./device-import-action.ts');
      importAssets(file, command.optsWithGlobals<AssetImportOptions>());
    });
}

function column(text: string, before: Record<string, string>): Record<string, string> {
  const [field = '', ...name] = text.split('=');
  const fields = ['tag', 'mac', 'serial', 'name', 'owner', 'room', 'criticality', 'contact'];
  if (!fields.includes(field) || name.join('=') === '')
    throw new InvalidArgumentError(`expected a field (${fields.join(', ')}), = and the name of a column.`);
  return { ...before, [field]: name.join('=') };
}
