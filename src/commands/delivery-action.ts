import { testDelivery } from '../alerts/delivery.ts';
import { createSink } from '../app/delivery.ts';
import { loadConfig } from '../config/index.ts';
import type { Config } from '../config/index.ts';
import { openDeskFile } from '../desk/desk-file.ts';
import type { Request } from '../desk/desk-file.ts';
import { silentReporter } from '../kernel/component.ts';
import { EXIT, WardwatchError } from '../kernel/errors.ts';
import { tame } from '../lib/tame.ts';
import type { DeliveryOptions } from './delivery.ts';
import { version } from './index.ts';
import { printTable } from './table.ts';

export function listEndpoints(options: DeliveryOptions): void {
  const config = configOf(options);
  const { endpoints, deferred, requests } = openDeskFile(config.desk.path).summary();
  const names = new Set([...config.delivery.endpoints.map(({ name }) => name), ...endpoints.map((e) => e.endpoint)]);
  const lines = [...names].map((name) => {
    const line = endpoints.find(({ endpoint }) => endpoint === name);
    return {
      endpoint: name,
      kind: config.delivery.endpoints.find((endpoint) => endpoint.name === name)?.kind ?? 'not configured',
      queued: line?.queued ?? 0,
      dead_letters: line?.dead ?? 0,
      waiting_since: line?.oldestMs === undefined ? '' : iso(line.oldestMs),
      off: line?.disabled ?? '',
    };
  });
  printTable(lines, options.json === true);
  if (deferred > 0) process.stderr.write(`${deferred} alerts wait for room in the outbox\n`);
  if (requests > 0) process.stderr.write(`${requests} requests wait for a running Wardwatch\n`);
}

export function listLog(options: DeliveryOptions): void {
  const config = configOf(options);
  if (options.endpoint !== undefined) endpointOf(config, options.endpoint);
  const lines = openDeskFile(config.desk.path).log(options.limit, options.endpoint);
  printTable(
    lines.map((line) => ({
      time: iso(line.atMs),
      endpoint: line.endpoint,
      alert: line.uid,
      version: line.version,
      attempt: line.attempt,
      outcome: line.outcome,
      detail: line.detail,
      took_ms: line.tookMs,
    })),
    options.json === true,
  );
}

export function listDeadLetters(options: DeliveryOptions): void {
  const config = configOf(options);
  if (options.again === true) {
    if (options.endpoint !== undefined) endpointOf(config, options.endpoint);
    ask(config, { kind: 'revive', endpoint: options.endpoint ?? '' });
    return;
  }
  const lines = openDeskFile(config.desk.path).deadLetters(options.limit, options.endpoint);
  printTable(
    lines.map((line) => ({
      endpoint: line.endpoint,
      alert: line.uid,
      version: line.version,
      attempts: line.attempts,
      queued: iso(line.queuedMs),
      detail: line.detail,
    })),
    options.json === true,
  );
}

export function askForReplay(options: DeliveryOptions): void {
  const config = configOf(options);
  const { from = 0, to = 0, endpoint = '' } = options;
  if (from > to) throw new WardwatchError('WW_USAGE', '--from is after --to', 'give the earlier time first');
  if (endpoint !== '') endpointOf(config, endpoint);
  ask(config, { kind: 'replay', endpoint, fromMs: from, toMs: to });
}

export function enableEndpoint(endpoint: string, options: DeliveryOptions): void {
  const config = configOf(options);
  endpointOf(config, endpoint);
  ask(config, { kind: 'enable', endpoint });
}

/** Needs no outbox and no running Wardwatch; the message is not written down anywhere. */
export async function testEndpoint(name: string, options: DeliveryOptions): Promise<void> {
  const config = configOf(options);
  const endpoint = endpointOf(config, name);
  const productVersion = version();
  const sink = createSink(endpoint, config.delivery.allow, { productVersion, reporter: silentReporter });
  const delivery = testDelivery(Date.now(), productVersion);
  await sink.start();
  try {
    const [outcome] = await sink.send([delivery], delivery.id);
    const detail = outcome?.detail ?? 'no answer';
    if (outcome?.kind === 'delivered') {
      process.stdout.write(`${name}: delivered (${detail})\n`);
      return;
    }
    process.stderr.write(`wardwatch: ${name} did not take the test message: ${detail}\n`);
    process.exitCode = EXIT.unavailable;
  } finally {
    await sink.stop();
  }
}

function configOf(options: DeliveryOptions): Config {
  return loadConfig({ file: options.config }).config;
}

function endpointOf(config: Config, name: string): Config['delivery']['endpoints'][number] {
  const { endpoints } = config.delivery;
  const found = endpoints.find((endpoint) => endpoint.name === name);
  if (found !== undefined) return found;
  const names = endpoints.map((endpoint) => endpoint.name).join(', ');
  throw new WardwatchError(
    'WW_USAGE',
    `there is no endpoint ${tame(name, 60)}`,
    names === '' ? 'put endpoints into delivery.endpoints of the configuration' : `there are ${names}`,
  );
}

/** A running Wardwatch acts on it within a second, otherwise the next one does: its process alone delivers. */
function ask(config: Config, request: Request): void {
  openDeskFile(config.desk.path).ask(request);
  process.stdout.write('asked; a running Wardwatch does it within seconds, otherwise the next start\n');
}

const iso = (ms: number): string => new Date(ms).toISOString();
