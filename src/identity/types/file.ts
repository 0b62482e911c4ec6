import { readFileSync, statSync } from 'node:fs';
import { WardwatchError, describeError } from '../../kernel/errors.ts';
import { readTypeModel } from './model.ts';
import type { TypeModel } from './model.ts';

const MAX_BYTES = 64 * 1024 * 1024;

/**
 * The learned types of a file; undefined without one.
 * @param wanted whether a file that is not there is an error
 * @throws {WardwatchError} `WW_MODEL`
 */
export function readTypes(file: string, wanted = true): TypeModel | undefined {
  if (file === '') return undefined;
  let text: string;
  try {
    if (statSync(file).size > MAX_BYTES) throw new Error(`is longer than ${MAX_BYTES} bytes`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (!wanted && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new WardwatchError('WW_MODEL', `${file} cannot be read: ${describeError(error)}`, 'check the path', {
      cause: error,
    });
  }
  return readTypeModel(text, file);
}
