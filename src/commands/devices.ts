import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { WardwatchError, describeError } from '../kernel/errors.ts';
import { tame } from '../lib/tame.ts';
import { registerDeviceImport } from './device-import.ts';
import { registerDeviceTypes } from './device-types.ts';
import { examples } from './frame.ts';
import type { GlobalOptions } from './frame.ts';

interface DevicesOptions extends GlobalOptions {
  url?: string;
  type?: string;
  vendor?: string;
  text?: string;
  limit: number;
  json?: boolean;
}

/** What of a device the table shows (see the API's device page). */
interface DeviceLine {
  device: string;
  ip: string;
  hostname: string;
  type: string;
  vendor_name: string;
  model: string;
  phase: string;
  last_seen: number;
}

interface DevicePage {
  rows: DeviceLine[];
  next: string | null;
  total: number;
}

/** The most that the API gives at once. */
const PAGE_ROWS = 500;
const TIMEOUT_MS = 15_000;

export function registerDevices(program: Command): void {
  const devices = program.command('devices');
  registerDeviceTypes(devices);
  registerDeviceImport(devices);
  devices
    .description('list the devices that a running Wardwatch knows')
    .option('--type <type>', 'only devices of this type, e.g. infusion_pump')
    .option('--vendor <name>', 'only devices of this vendor')
    .option('--text <words>', 'only devices with these words in name, address, vendor or model')
    .option('--limit <n>', 'most devices to list', positiveInteger, 1000)
    .option('--json', 'one JSON object a line instead of a table')
    .option('--url <url>', 'address of the API; without it host and port of the configuration')
    .addHelpText(
      'after',
      examples(
        ['wardwatch devices', 'all of them'],
        ['wardwatch devices --type infusion_pump --json', 'pumps, for another program'],
        ['wardwatch devices --url http://sensor-3:8642 --text draeger', 'ask another machine'],
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DevicesOptions>();
      const { rows, total } = await listDevices(await apiUrl(options), options);
      if (options.json === true) {
        for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
        return;
      }
      process.stdout.write(table(rows));
      if (rows.length < total) process.stderr.write(`${rows.length} of ${total} devices; see --limit\n`);
    });
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a number above 0.');
  return value;
}

/** Address of the API: as asked, or that of the configuration as seen from this machine. */
async function apiUrl(options: DevicesOptions): Promise<string> {
  if (options.url !== undefined) {
    if (URL.canParse(options.url)) return options.url;
    throw new WardwatchError('WW_USAGE', `${tame(options.url)} is no address`, 'write it as http://host:port');
  }
  const { loadConfig } = await import('../config/index.ts');
  const { host, port } = loadConfig({ file: options.config }).config.api;
  const reachable = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

async function listDevices(url: string, options: DevicesOptions): Promise<{ rows: DeviceLine[]; total: number }> {
  const rows: DeviceLine[] = [];
  let cursor: string | null = null;
  let total: number;
  do {
    const query = new URL('/api/v1/devices', url);
    for (const name of ['type', 'vendor', 'text'] as const) {
      const wanted = options[name];
      if (wanted !== undefined) query.searchParams.set(name, wanted);
    }
    query.searchParams.set('limit', String(Math.min(PAGE_ROWS, options.limit - rows.length)));
    if (cursor !== null) query.searchParams.set('cursor', cursor);
    const page: DevicePage = await getPage(query);
    rows.push(...page.rows);
    total = page.total;
    cursor = page.next;
  } while (cursor !== null && rows.length < options.limit);
  return { rows, total };
}

async function getPage(url: URL): Promise<DevicePage> {
  const remedy = 'start it with `wardwatch run`, or say with --url where it runs';
  let answer: Response;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    const reason = describeError(cause instanceof Error && cause.cause !== undefined ? cause.cause : cause);
    throw new WardwatchError('WW_API', `no Wardwatch answers at ${url.origin}: ${tame(reason)}`, remedy, { cause });
  }
  const body: unknown = await answer.json().catch(() => undefined);
  if (!answer.ok) {
    const { detail } = (body ?? {}) as { detail?: unknown };
    const reason = typeof detail === 'string' ? `: ${tame(detail)}` : '';
    throw new WardwatchError('WW_API', `the API at ${url.origin} answers ${answer.status}${reason}`, 'see its log');
  }
  if (!Array.isArray((body as Partial<DevicePage> | undefined)?.rows)) {
    throw new WardwatchError('WW_API', `what answers at ${url.origin} is no Wardwatch`, remedy);
  }
  return body as DevicePage;
}

function table(rows: DeviceLine[]): string {
  const lines = [
    ['DEVICE', 'IP', 'NAME', 'TYPE', 'VENDOR', 'MODEL', 'PHASE', 'LAST SEEN (UTC)'],
    ...rows.map((row) => [
      row.device,
      row.ip,
      row.hostname,
      row.type,
      row.vendor_name,
      row.model,
      row.phase,
      new Date(row.last_seen).toISOString().slice(0, 19).replace('T', ' '),
    ]),
  ].map((cells) => cells.map((cell) => (cell === '' ? '-' : tame(cell, 40))));
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  return lines
    .map(
      (cells) =>
        `${cells
          .map((cell, i) => cell.padEnd(widths[i]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}
