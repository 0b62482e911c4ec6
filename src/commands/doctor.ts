import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../config/index.ts';
import { EXIT, describeError } from '../kernel/errors.ts';
import { tame } from '../lib/tame.ts';
import type { Finding } from './doctor-checks.ts';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

const CAPTURE_TOOLS = ['tcpdump', 'dumpcap'];
const CLOCK_MARKS = [
  '/run/systemd/timesync/synchronized',
  '/run/chrony/chronyd.pid',
  '/run/chronyd.pid',
  '/run/ntpd.pid',
];

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('say whether this machine is ready for Wardwatch, and what to do where it is not')
    .option('--json', 'one JSON object a line instead of lines for people')
    .addHelpText(
      'after',
      examples(
        ['wardwatch doctor', 'before the first start'],
        ['wardwatch doctor --config site.yaml --json', 'for another program; exit code 1 when a check failed'],
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const { config: file, json } = command.optsWithGlobals<GlobalOptions & { json?: boolean }>();
      let failed = 0;
      for await (const finding of examine(file)) {
        if (finding.status === 'failed') failed++;
        process.stdout.write(json === true ? `${JSON.stringify(finding)}\n` : lineOf(finding));
      }
      if (failed > 0) process.exitCode = EXIT.failed;
    });
}

function lineOf(finding: Finding): string {
  const head = `${finding.status.padEnd(7)} ${finding.name}: ${tame(finding.detail)}\n`;
  return finding.remedy === undefined ? head : `${head}        -> ${finding.remedy}\n`;
}

async function* examine(file: string | undefined): AsyncGenerator<Finding> {
  const checks = await import('./doctor-checks.ts');
  yield checks.checkNode(process.versions.node);
  yield checks.checkMemory(checks.memoryAvailable());
  yield checks.checkOpenFiles(checks.readIfThere('/proc/self/limits'));
  yield checks.checkClock(new Date().getUTCFullYear(), CLOCK_MARKS);

  let config: Config | undefined;
  yield await checks.checkByTrying('configuration', async () => {
    const { loadConfig } = await import('../config/index.ts');
    const loaded = loadConfig({ file });
    config = loaded.config;
    return loaded.file ?? 'no file: the defaults';
  });
  if (!config) return;

  const { store, bus, sources } = config;
  const needed = sources.live !== undefined;
  yield checks.checkCaptureRights(checks.readIfThere('/proc/self/status'), needed);
  const tool = sources.live?.tool ?? 'auto';
  yield checks.checkCaptureTool(tool === 'auto' ? CAPTURE_TOOLS : [tool], process.env['PATH'] ?? '', needed);
  for (const broker of bus.kind === 'kafka' ? bus.kafka.brokers : []) {
    const [, host, port] = /^(.*):(\d+)$/.exec(broker) ?? [];
    const remedy = 'start the broker, or correct bus.kafka.brokers';
    const address = (host ?? '').replace(/^\[|\]$/g, '');
    yield await checks.checkReachable('Kafka broker', address, Number(port), remedy);
  }
  yield checks.checkReach(config.api, config.access.sign_in);
  if (config.access.sign_in === 'required') yield* await adminFinding(config);
  if (store.mode === 'embedded') yield* checks.checkDataFolder(store.path);
  if (config.state.enabled) yield await stateFinding(config);
  yield await checks.checkByTrying('ClickHouse', async () => answerOfClickHouse(store));
}

async function stateFinding(config: Config): Promise<Finding> {
  const { checkState } = await import('./doctor-checks.ts');
  const { readdirSync, statSync } = await import('node:fs');
  const { isStateInStore, stateFolder } = await import('../app/state.ts');
  const { readStateKeys } = await import('../state/seal.ts');
  const inStore = isStateInStore(config);
  const where = inStore ? 'in the store' : stateFolder(config);
  let newest: number | undefined | 'not asked' = inStore ? 'not asked' : undefined;
  try {
    if (newest !== 'not asked')
      for (const name of readdirSync(where, { recursive: true, encoding: 'utf8' }))
        if (name.endsWith('.manifest')) newest = Math.max(newest ?? 0, statSync(join(where, name)).mtimeMs);
  } catch {
    // Not there yet.
  }
  try {
    return checkState(where, newest, (await readStateKeys(config.state.key_file, process.env)).size > 0, Date.now());
  } catch (error) {
    return { name: 'state', status: 'failed', detail: describeError(error), remedy: 'correct state.key_file' };
  }
}

/** Whether somebody can make others users; the desk is only looked at, never made. */
async function adminFinding(config: Config): Promise<Finding[]> {
  const { existsSync } = await import('node:fs');
  const remedy = 'the first start prints a code for the console; or `wardwatch users add NAME --role admin`';
  const none: Finding = { name: 'admin', status: 'warning', detail: 'there is no admin yet', remedy };
  if (!existsSync(config.desk.path)) return [none];
  const { openDatabase } = await import('../desk/database.ts');
  const { Users } = await import('../access/users.ts');
  const desk = openDatabase(config.desk.path, 'read');
  try {
    return [
      new Users(desk, { now: Date.now }).hasAdmin() ? { name: 'admin', status: 'ok', detail: 'there is one' } : none,
    ];
  } catch {
    return [{ ...none, detail: 'the desk is of an older program; its next start brings it up to date' }];
  } finally {
    desk.close();
  }
}

/**
 * Asks the engine a question without touching tables. The embedded one is tried in a folder of its own: the
 * real one may belong to a running Wardwatch.
 */
async function answerOfClickHouse(store: Config['store']): Promise<string> {
  const { openEngine } = await import('../store/engine.ts');
  const { storeError } = await import('../store/failures.ts');
  const folder = store.mode === 'embedded' ? await mkdtemp(join(tmpdir(), 'wardwatch-doctor-')) : undefined;
  try {
    const engine = await openEngine(folder === undefined ? store : { ...store, path: folder });
    try {
      await (await engine.client.query({ query: 'SELECT 1' })).text();
    } catch (error) {
      throw storeError(error, 'a first question', engine.place);
    } finally {
      await engine.close();
    }
    return folder === undefined
      ? `the server at ${new URL(store.server.url).host} answers`
      : 'the embedded engine works';
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}
