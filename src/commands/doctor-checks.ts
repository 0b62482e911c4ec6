import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { availableMemory, constrainedMemory } from 'node:process';
import { delimiter, dirname, join, resolve } from 'node:path';
import { isLoopback } from '../app/people.ts';
import { WardwatchError, describeError } from '../kernel/errors.ts';

export interface Finding {
  name: string;
  status: 'ok' | 'warning' | 'failed';
  /** What was found, one line. */
  detail: string;
  /** What to do about it, where something is to be done. */
  remedy?: string;
}

const GIB = 1024 ** 3;
const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const name = 'node';
  if (major < 22 || (major === 22 && minor < 18)) {
    return { name, status: 'failed', detail: `Node ${version} is too old`, remedy: 'install Node 24' };
  }
  if (major === 24) return { name, status: 'ok', detail: `Node ${version}` };
  const remedy = 'use Node 24 where results have to be equal to the last bit between machines';
  return { name, status: 'warning', detail: `Node ${version}; Wardwatch is tested on Node 24`, remedy };
}

const CAP_NET_ADMIN = 12n;
const CAP_NET_RAW = 13n;

/**
 * `status` is the text of /proc/self/status, undefined where there is none (no Linux). Without a configured
 * interface nothing is `needed`, and a lack is a warning.
 */
export function checkCaptureRights(status: string | undefined, needed = false): Finding {
  const name = 'capture rights';
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? '')?.[1];
  if (mask === undefined) {
    const detail = 'this system does not tell whether interfaces may be read';
    return {
      name,
      status: 'warning',
      detail,
      remedy: 'live capture is tested on Linux; capture files and Kafka work anywhere',
    };
  }
  const has = (capability: bigint): boolean => (BigInt(`0x${mask}`) & (1n << capability)) !== 0n;
  if (has(CAP_NET_RAW) && has(CAP_NET_ADMIN)) return { name, status: 'ok', detail: 'interfaces may be read' };
  const missing = [has(CAP_NET_RAW) ? '' : 'CAP_NET_RAW', has(CAP_NET_ADMIN) ? '' : 'CAP_NET_ADMIN'].filter(Boolean);
  return {
    name,
    status: needed ? 'failed' : 'warning',
    detail: `without ${missing.join(' and ')} this process cannot read an interface itself`,
    remedy:
      'only for live capture: give the capture tool the right (setcap cap_net_raw,cap_net_admin+eip), or start as root',
  };
}

/** `path` is that of the environment: the folders in which programs are looked for. */
export function checkCaptureTool(tools: readonly string[], path: string, needed = false): Finding {
  const name = 'capture tool';
  for (const tool of tools) {
    for (const folder of path.split(delimiter)) {
      try {
        accessSync(join(folder, tool), constants.X_OK);
        return { name, status: 'ok', detail: join(folder, tool) };
      } catch {
        // Not in this folder.
      }
    }
  }
  const remedy = 'only for live capture: install tcpdump';
  return { name, status: needed ? 'failed' : 'warning', detail: `not installed: ${tools.join(', ')}`, remedy };
}

/** The folder itself, or the nearest one above it that exists already. */
function existing(folder: string): string {
  let at = resolve(folder);
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

export function checkDataFolder(folder: string): Finding[] {
  const place = existing(folder);
  const findings: Finding[] = [];
  try {
    if (!statSync(place).isDirectory()) throw new Error('it is no folder');
    // A file tells more than the mode bits: read-only mounts and quotas refuse it too.
    const probe = mkdtempSync(join(place, '.wardwatch-doctor-'));
    try {
      const before = Date.now();
      writeFileSync(join(probe, 'probe'), 'x');
      const skewMs = statSync(join(probe, 'probe')).mtimeMs - before;
      findings.push({ name: 'data folder', status: 'ok', detail: `${folder} can be written` }, checkSkew(skewMs));
    } finally {
      rmSync(probe, { recursive: true });
    }
  } catch (error) {
    const detail = `${folder} cannot be written: ${describeError(error)}`;
    const remedy = 'give this user the right to write there, or set store.path to another folder';
    findings.push({ name: 'data folder', status: 'failed', detail, remedy });
  }
  const { bavail, bsize } = statfsSync(place);
  findings.push(checkFreeSpace(bavail * bsize));
  return findings;
}

/** Where state lies, how old the newest is, and whether it is encrypted. */
export function checkState(
  where: string,
  newestMs: number | undefined | 'not asked',
  hasKey: boolean,
  nowMs: number,
): Finding {
  const age =
    newestMs === 'not asked'
      ? ''
      : newestMs === undefined
        ? ', nothing is stored yet'
        : `, stored ${Math.max(0, Math.round((nowMs - newestMs) / 1000))} s ago`;
  const detail = `${where}${age}, ${hasKey ? 'encrypted' : 'not encrypted: no key is set'}`;
  if (hasKey) return { name: 'state', status: 'ok', detail };
  const remedy = 'set state.key_file: see docs/how-to/backup.md';
  return { name: 'state', status: 'warning', detail, remedy };
}

export function checkFreeSpace(bytes: number): Finding {
  const name = 'disk space';
  const detail = `${gib(bytes)} free`;
  const remedy = 'free space, or shorten store.retention_days';
  if (bytes < GIB) return { name, status: 'failed', detail, remedy };
  return bytes < 10 * GIB ? { name, status: 'warning', detail, remedy } : { name, status: 'ok', detail };
}

function checkSkew(skewMs: number): Finding {
  const name = 'clock of the file system';
  if (Math.abs(skewMs) < 2000) return { name, status: 'ok', detail: 'agrees with that of this machine' };
  const detail = `differs from that of this machine by ${Math.round(skewMs / 1000)} s`;
  return { name, status: 'warning', detail, remedy: 'set the clocks of both machines by the same time server' };
}

/** `marks` are files that time services leave when the clock is set by a server. */
export function checkClock(year: number, marks: readonly string[]): Finding {
  const name = 'clock';
  if (year < 2025) {
    return {
      name,
      status: 'failed',
      detail: `says it is the year ${year}`,
      remedy: 'set the clock; use a time server',
    };
  }
  if (marks.some((mark) => existsSync(mark))) return { name, status: 'ok', detail: 'set by a time server' };
  const detail = 'nothing here tells whether a time server sets it';
  return {
    name,
    status: 'warning',
    detail,
    remedy: 'use chrony or systemd-timesyncd: times in alerts come from the capture',
  };
}

export function checkMemory(bytes: number): Finding {
  const name = 'memory';
  const detail = `${gib(bytes)} available`;
  const remedy = 'give the machine or the container more memory: 4 GiB is a comfortable start';
  if (bytes < GIB) return { name, status: 'failed', detail, remedy };
  return bytes < 2 * GIB ? { name, status: 'warning', detail, remedy } : { name, status: 'ok', detail };
}

export function memoryAvailable(): number {
  const limit = constrainedMemory();
  return limit > 0 ? Math.min(availableMemory(), limit) : availableMemory();
}

/** `limits` is the text of /proc/self/limits, undefined where there is none. */
export function checkOpenFiles(limits: string | undefined): Finding {
  const name = 'open files';
  const soft = /^Max open files\s+(\S+)/m.exec(limits ?? '')?.[1];
  if (soft === undefined) return { name, status: 'ok', detail: 'this system sets no limit that can be read' };
  const most = soft === 'unlimited' ? Infinity : Number(soft);
  const detail = `at most ${soft} at the same time`;
  const remedy = 'raise it: LimitNOFILE=65536 in the systemd unit, or `ulimit -n 65536`';
  if (most < 1024) return { name, status: 'failed', detail, remedy };
  return most < 4096 ? { name, status: 'warning', detail, remedy } : { name, status: 'ok', detail };
}

const CONNECT_MS = 3000;

/** Opens a TCP connection and closes it again: says that something listens there, no more. */
export async function checkReachable(name: string, host: string, port: number, remedy: string): Promise<Finding> {
  const reason = await new Promise<string | undefined>((settle) => {
    const socket = connect({ host, port });
    const end = (why: string | undefined): void => {
      socket.destroy();
      settle(why);
    };
    socket.setTimeout(CONNECT_MS, () => end('no answer'));
    socket.once('connect', () => end(undefined));
    socket.once('error', (error) => end(describeError(error)));
  });
  if (reason === undefined) return { name, status: 'ok', detail: `${host}:${port} listens` };
  return { name, status: 'failed', detail: `${host}:${port}: ${reason}`, remedy };
}

/** Runs what needs a component; an error becomes a finding with its own remedy. */
export async function checkByTrying(name: string, attempt: () => Promise<string>): Promise<Finding> {
  try {
    return { name, status: 'ok', detail: await attempt() };
  } catch (error) {
    const remedy = error instanceof WardwatchError ? error.remedy : 'run `wardwatch doctor --debug` and report it';
    return { name, status: 'failed', detail: describeError(error), remedy };
  }
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Whether what passwords and sessions travel over is encrypted where others can listen. */
export function checkReach(
  api: { host: string; tls?: object | undefined; trusted_proxies: readonly string[] },
  signIn: 'required' | 'off',
): Finding {
  const name = 'API';
  if (isLoopback(api.host)) return { name, status: 'ok', detail: `only this machine reaches it (${api.host})` };
  if (signIn === 'off')
    return {
      name,
      status: 'failed',
      detail: `sign-in is off on ${api.host}`,
      remedy: 'set access.sign_in to required, or api.host to 127.0.0.1',
    };
  if (api.tls !== undefined) return { name, status: 'ok', detail: `TLS on ${api.host}` };
  const detail = `others reach it on ${api.host}, and it has no TLS`;
  if (api.trusted_proxies.length > 0)
    return { name, status: 'ok', detail: `${detail} of its own; a proxy in front is configured` };
  const remedy = 'set api.tls, or put a proxy with TLS in front and name it in api.trusted_proxies';
  return { name, status: 'warning', detail, remedy };
}
