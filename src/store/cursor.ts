import { WardwatchError } from '../kernel/errors.ts';

/** Where a page ended: the order it was read in, then the sort values of its last row and its id. */
interface Position {
  sort: string;
  values: (string | number)[];
}

/** Holds a name of a few hundred characters in any script. */
const MAX_CURSOR = 8192;

export function encodeCursor(position: Position): string {
  return Buffer.from(JSON.stringify([position.sort, ...position.values])).toString('base64url');
}

/**
 * @param kinds the expected type of each value; a cursor is a stranger's input like any other.
 * @throws {WardwatchError} `WW_USAGE` where it is none of ours or belongs to another order.
 */
export function decodeCursor(cursor: string, sort: string, kinds: readonly ('string' | 'number')[]): Position {
  const parts = parse(cursor);
  const [first, ...values] = parts;
  const fits =
    first === sort &&
    values.length === kinds.length &&
    values.every((value, i) => typeof value === kinds[i] && (typeof value === 'string' || Number.isSafeInteger(value)));
  if (!fits) {
    throw new WardwatchError(
      'WW_USAGE',
      'The page cursor is not valid for this list.',
      'Start again from the first page.',
    );
  }
  return { sort, values: values as (string | number)[] };
}

function parse(cursor: string): unknown[] {
  if (cursor.length > MAX_CURSOR) return [];
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    return Array.isArray(parsed) ? parsed : [];
  } catch {
    return [];
  }
}
