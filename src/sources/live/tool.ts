import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { WardwatchError } from '../../kernel/errors.ts';
import type { LiveConfig } from './config.ts';

export type ToolKind = 'tcpdump' | 'dumpcap';

export interface CaptureTool {
  readonly kind: ToolKind;
  readonly path: string;
}

/** Where system programs lie that an ordinary user's PATH leaves out. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/usr/local/bin'];

function mayRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function rightsError(message: string, path: string): WardwatchError {
  return new WardwatchError(
    'WW_CAPTURE_RIGHTS',
    message,
    `Let the program capture: \`sudo setcap cap_net_raw,cap_net_admin=eip ${path}\` (and, for dumpcap on Debian, ` +
      'add this user to the group `wireshark`), or run Wardwatch as a service with these capabilities.',
  );
}

/** @throws WardwatchError WW_CAPTURE_TOOL where there is none, WW_CAPTURE_RIGHTS where it may not be run */
export function findTool(config: Pick<LiveConfig, 'tool' | 'tool_path'>): CaptureTool {
  const kinds: ToolKind[] = config.tool === 'auto' ? ['tcpdump', 'dumpcap'] : [config.tool];
  const candidates: CaptureTool[] = [];
  if (config.tool_path !== '') {
    const kind =
      config.tool === 'auto' ? (basename(config.tool_path).startsWith('dumpcap') ? 'dumpcap' : 'tcpdump') : config.tool;
    candidates.push({ kind, path: config.tool_path });
  } else {
    const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS].filter(
      (folder) => folder !== '',
    );
    for (const kind of kinds) for (const folder of folders) candidates.push({ kind, path: join(folder, kind) });
  }
  const found = candidates.filter((tool) => existsSync(tool.path));
  const usable = found.find((tool) => mayRun(tool.path));
  if (usable !== undefined) return usable;
  if (found[0] !== undefined) throw rightsError(`This user may not run ${found[0].path}.`, found[0].path);
  throw new WardwatchError(
    'WW_CAPTURE_TOOL',
    config.tool_path === ''
      ? `No ${kinds.join(' or ')} was found on this machine.`
      : `${config.tool_path} does not exist.`,
    'Install one (`apt install tcpdump`, `dnf install tcpdump`), or name its path in `tool_path`.',
  );
}

/** Arguments that make the tool write classic pcap to its standard output. */
export function toolArguments(kind: ToolKind, config: LiveConfig): string[] {
  const snapLength = String(config.snap_length === 0 ? 262_144 : config.snap_length);
  const promiscuous = config.promiscuous ? [] : ['-p'];
  if (kind === 'dumpcap') {
    const filter = config.filter === '' ? [] : ['-f', config.filter];
    const buffer = String(config.buffer_mib);
    return ['-P', '-q', '-i', config.interface, '-s', snapLength, '-B', buffer, ...promiscuous, ...filter, '-w', '-'];
  }
  const filter = config.filter === '' ? [] : ['--', config.filter];
  const buffer = String(config.buffer_mib * 1024);
  return ['-n', '-U', '-i', config.interface, '-s', snapLength, '-B', buffer, ...promiscuous, '-w', '-', ...filter];
}

/**
 * How many frames a line of the tool's messages says were lost, undefined where it speaks of something else.
 * The kinds of loss are told in separate lines by tcpdump and in one by dumpcap.
 */
export function lossIn(line: string): { kind: 'kernel' | 'interface' | 'all'; frames: number } | undefined {
  const tcpdump = /(\d{1,15}) packets? dropped by (kernel|interface)/.exec(line);
  if (tcpdump !== null) return { kind: tcpdump[2] === 'kernel' ? 'kernel' : 'interface', frames: Number(tcpdump[1]) };
  const dumpcap = /received\/dropped on interface .*: \d+\/(\d{1,15}) \(.*?(?:ps_ifdrop:(\d{1,15}))?\)/.exec(line);
  if (dumpcap !== null) return { kind: 'all', frames: Number(dumpcap[1]) + Number(dumpcap[2] ?? 0) };
  return undefined;
}

function interfaceNames(): string[] {
  const names = new Set(Object.keys(networkInterfaces()));
  try {
    // A mirror port has no address, and Node lists only interfaces that have one.
    for (const name of readdirSync('/sys/class/net')) names.add(name);
  } catch {
    // Not Linux.
  }
  return [...names].sort();
}

/** The error that a tool's messages amount to, after it ended without being asked to. */
export function toolError(tool: CaptureTool, config: LiveConfig, messages: string, ending: string): WardwatchError {
  if (/permission|not permitted|Couldn't change to/i.test(messages)) {
    return rightsError(`${basename(tool.path)} may not capture on ${config.interface}.`, tool.path);
  }
  if (/no such device|no device named|doesn't exist|SIOCGIFHWADDR/i.test(messages)) {
    return new WardwatchError(
      'WW_INPUT_MISSING',
      `There is no interface ${config.interface}.`,
      `Interfaces of this machine: ${interfaceNames().join(', ')}.`,
    );
  }
  if (/filter expression|capture filter/i.test(messages)) {
    return new WardwatchError(
      'WW_CONFIG',
      `The capture filter is not understood by ${basename(tool.path)}.`,
      'Check `filter` against the pcap-filter manual; `tcpdump -d FILTER` tells whether it is right.',
    );
  }
  const line = messages.split('\n').findLast((text) => text.trim() !== '' && lossIn(text) === undefined) ?? '';
  const said = line
    .replace(/[^\x20-\x7e]/g, ' ')
    .trim()
    .slice(0, 200);
  return new WardwatchError(
    'WW_CAPTURE_TOOL',
    `${basename(tool.path)} ended by itself (${ending})${said === '' ? '' : `: ${said}`}`,
    `Check that ${config.interface} is up, and what \`${basename(tool.path)} -i ${config.interface}\` says in a terminal.`,
  );
}
