/**
 * A process that owns an embedded store, for the tests that end it or meet it: writes what it is asked to and
 * answers when the store has acknowledged it. Arguments: the configuration as JSON.
 */
import { silentReporter } from '../../src/kernel/component.ts';
import { describeError } from '../../src/kernel/errors.ts';
import { createStore } from '../../src/store/index.ts';
import type { StoreConfig } from '../../src/store/index.ts';
import { alertRow } from './rows.ts';

const store = createStore(JSON.parse(process.argv[2] ?? '{}') as StoreConfig, { reporter: silentReporter });
try {
  await store.start();
  process.send?.({ started: true });
} catch (error) {
  const known = error as { code?: string; remedy?: string };
  process.send?.({ failed: describeError(error), code: known.code, remedy: known.remedy }, () => process.exit(1));
}

process.on('message', (message) => {
  const { uids } = message as { uids: string[] };
  store.write({ alerts: uids.map((uid) => alertRow(uid)) }).then(
    () => process.send?.({ stored: uids }),
    (error: unknown) => process.send?.({ failed: describeError(error) }),
  );
});
