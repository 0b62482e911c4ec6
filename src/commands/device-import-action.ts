import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { loadConfig } from '../config/index.ts';
import { Assets } from '../desk/assets.ts';
import { openDatabase } from '../desk/database.ts';
import { EXIT, WardwatchError, describeError } from '../kernel/errors.ts';
import type { AssetImportOptions } from './device-import.ts';

export function importAssets(file: string, options: AssetImportOptions): void {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new WardwatchError('WW_INPUT_MISSING', `${file} cannot be read: ${describeError(error)}`, 'check the path', {
      cause: error,
    });
  }
  const db = openDatabase(loadConfig({ file: options.config }).config.desk.path);
  try {
    const dryRun = options.dryRun === true;
    const result = new Assets(db).importCsv(
      bytes,
      `${userInfo().username} (command)`,
      Date.now(),
      dryRun,
      options.column,
    );
    for (const { line, text } of result.problems) process.stdout.write(`${file}:${line}: ${text}\n`);
    if (result.ignored.length > 0) process.stderr.write(`columns not used: ${result.ignored.join(', ')}\n`);
    process.stdout.write(
      `${dryRun ? 'would be ' : ''}${result.added} added, ${result.changed} changed, ${result.same} as before, ${result.problems.length} lines left out\n`,
    );
    if (result.problems.length > 0) process.exitCode = EXIT.badInput;
  } finally {
    db.close();
  }
}
