import { WardwatchError, describeError } from '../kernel/errors.ts';

/** What a failure of the engine means for whoever waits on it. */
type FailureKind = 'away' | 'full' | 'denied' | 'refused';

// Error codes of ClickHouse (src/Common/ErrorCodes.cpp) after which the same request may succeed later:
// timeouts and limits, network, too many parts, read-only replicas, keeper trouble, unknown insert status.
const PASSING = new Set([
  '3',
  '159',
  '164',
  '173',
  '198',
  '201',
  '202',
  '203',
  '204',
  '209',
  '210',
  '225',
  '236',
  '241',
  '242',
  '252',
  '279',
  '285',
  '319',
  '394',
  '425',
  '473',
  '733',
  '999',
]);
const DISK_FULL = new Set(['243']);
const DENIED = new Set(['192', '193', '194', '497', '516']);

/** Sorts an error of the client, the network or the embedded engine. */
export function kindOfFailure(error: unknown): FailureKind {
  const text = describeError(error);
  if (/No space left on device|errno: 28\b|ENOSPC/.test(text)) return 'full';
  const code = engineCode(error);
  // An error of our own making does not pass by waiting.
  if (error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError) return 'refused';
  if (code === undefined) return 'away';
  if (DISK_FULL.has(code)) return 'full';
  if (DENIED.has(code)) return 'denied';
  return PASSING.has(code) ? 'away' : 'refused';
}

/** The error a person reads. The engine's own text is left out of the message: it may quote rows. */
export function storeError(error: unknown, doing: string, place: string): WardwatchError {
  if (error instanceof WardwatchError) return error;
  const options = { cause: error };
  switch (kindOfFailure(error)) {
    case 'full':
      return new WardwatchError(
        'WW_DISK_FULL',
        `The disk of the store (${place}) is full while ${doing}.`,
        'Free space or enlarge the disk; shorten retention_days in the store configuration if this happens again.',
        options,
      );
    case 'denied':
      return new WardwatchError(
        'WW_STORE',
        `The store (${place}) refused our user or password while ${doing}.`,
        'Check username and password_file or password_env, and that the user may read and write the database.',
        options,
      );
    case 'away':
      return new WardwatchError(
        'WW_STORE',
        `The store (${place}) cannot be reached while ${doing}${reason(error)}.`,
        'Check that ClickHouse runs and that url, certificates and firewall let this machine through.',
        options,
      );
    case 'refused':
      return new WardwatchError(
        'WW_STORE',
        `The store (${place}) rejected a statement while ${doing}${reason(error)}.`,
        'Run `wardwatch doctor`. If the schema was changed by hand, restore it; otherwise report this as a bug.',
        options,
      );
  }
}

/**
 * ClickHouse's own number of an error. Told by its form, not by its class: the client and the embedded
 * engine each bring a class of that name.
 */
function engineCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^\d+$/.test(code) ? code : undefined;
}

/** The code of an error for a message: neither can hold anything of a row. */
function reason(error: unknown): string {
  const code = engineCode(error);
  if (code !== undefined) return ` (ClickHouse error ${code})`;
  const system = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof system === 'string' && /^[A-Z_]+$/.test(system) ? ` (${system})` : '';
}
