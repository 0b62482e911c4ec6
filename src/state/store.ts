/**
 * Where state lies: blobs by name, in scopes (`partition-3`, `local`). A blob is written once and never
 * changed. Names are `[\w.-]+`.
 */
export interface StateStore {
  /** Names in the scope, in any order. What was written before the call is among them. */
  list(scope: string): Promise<string[]>;
  /** Undefined where it is not (any more) there. */
  read(scope: string, name: string): Promise<Uint8Array | undefined>;
  /** Resolves when it would survive a crash. */
  write(scope: string, name: string, blob: Uint8Array): Promise<void>;
  /** Removing what is not there is no error. */
  remove(scope: string, names: readonly string[]): Promise<void>;
  /** Ends what it holds open, where it holds anything. */
  close?(): Promise<void>;
  /** In words, for people. */
  readonly where: string;
}

/** Keeps nothing: for who wants no state. */
export const noStore: StateStore = {
  where: 'nowhere',
  list: () => Promise.resolve([]),
  read: () => Promise.resolve(undefined),
  write: () => Promise.resolve(),
  remove: () => Promise.resolve(),
};
