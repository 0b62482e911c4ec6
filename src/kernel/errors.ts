/** Exit codes of the command line, after sysexits where one fits. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  badInput: 65,
  noInput: 66,
  unavailable: 69,
  internal: 70,
  cannotWrite: 73,
  ioError: 74,
  noPermission: 77,
  badConfig: 78,
} as const;

export type ErrorCode =
  | 'WW_USAGE'
  | 'WW_CONFIG'
  | 'WW_INPUT_MISSING'
  | 'WW_INPUT_UNREADABLE'
  | 'WW_INPUT_NOT_A_CAPTURE'
  | 'WW_CAPTURE_TOOL'
  | 'WW_CAPTURE_RIGHTS'
  | 'WW_PORT_IN_USE'
  | 'WW_BROKER'
  | 'WW_STORE'
  | 'WW_STORE_SCHEMA'
  | 'WW_DISK_FULL'
  | 'WW_OUTPUT'
  | 'WW_DETECTOR'
  | 'WW_PROFILE'
  | 'WW_MODEL'
  | 'WW_BUNDLE'
  | 'WW_API'
  | 'WW_INTERNAL';

const EXIT_OF: Record<ErrorCode, number> = {
  WW_USAGE: EXIT.usage,
  WW_CONFIG: EXIT.badConfig,
  WW_INPUT_MISSING: EXIT.noInput,
  WW_INPUT_UNREADABLE: EXIT.noInput,
  WW_INPUT_NOT_A_CAPTURE: EXIT.badInput,
  WW_CAPTURE_TOOL: EXIT.unavailable,
  WW_CAPTURE_RIGHTS: EXIT.noPermission,
  WW_PORT_IN_USE: EXIT.unavailable,
  WW_BROKER: EXIT.unavailable,
  WW_STORE: EXIT.unavailable,
  WW_STORE_SCHEMA: EXIT.unavailable,
  WW_DISK_FULL: EXIT.cannotWrite,
  WW_OUTPUT: EXIT.cannotWrite,
  WW_DETECTOR: EXIT.badConfig,
  WW_PROFILE: EXIT.badConfig,
  WW_MODEL: EXIT.badInput,
  WW_BUNDLE: EXIT.badInput,
  WW_API: EXIT.unavailable,
  WW_INTERNAL: EXIT.internal,
};

/**
 * An error that a person reads: `message` says what is wrong in one line, `remedy` what to do about it.
 * Neither may hold payload bytes or anything that a patient could be recognised by.
 */
export class WardwatchError extends Error {
  override readonly name = 'WardwatchError';
  readonly code: ErrorCode;
  readonly remedy: string;
  readonly exitCode: number;
  constructor(code: ErrorCode, message: string, remedy: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.remedy = remedy;
    this.exitCode = EXIT_OF[code];
  }
}

/** The text of anything thrown, one line. */
export function describeError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, ' ').trim();
}
