import { lowerCase } from '../../../lib/ascii.ts';
import type { ObservationSink } from '../../observation.ts';
import { command } from './events.ts';

/** Shares that Windows makes itself, and pipes of its services: the only names that leave as text. */
const SHARES = ['ipc$', 'admin$', 'c$', 'd$', 'print$', 'fax$', 'sysvol', 'netlogon'];
const PIPES = [
  'svcctl', 'samr', 'lsarpc', 'srvsvc', 'wkssvc', 'winreg', 'atsvc', 'spoolss', 'netlogon', 'lsass', 'epmapper',
  'browser', 'eventlog', 'efsrpc', 'netdfs', 'ntsvcs', 'initshutdown', 'protected_storage', 'drsuapi', 'mssearch',
  'termsrv', 'winsock2', 'trkwks', 'dnsserver', 'fssagentrpc', 'psexesvc', 'remcom_communicaton',
]; // prettier-ignore

/** Compares a name in UTF-16LE (`wide`) or OEM bytes with a word in lower case. */
function isWord(bytes: Uint8Array, start: number, end: number, wide: boolean, word: string): boolean {
  const step = wide ? 2 : 1;
  if (end - start !== word.length * step) return false;
  for (let i = 0; i < word.length; i++) {
    const at = start + i * step;
    if (lowerCase(bytes[at]!) !== word.charCodeAt(i) || (wide && bytes[at + 1] !== 0)) return false;
  }
  return true;
}

/** First byte behind the last `separator` in the range, or `start`. */
function behindLast(bytes: Uint8Array, start: number, end: number, wide: boolean, separator: number): number {
  const step = wide ? 2 : 1;
  for (let at = start + Math.floor((end - start) / step) * step - step; at >= start; at -= step) {
    if (bytes[at] === separator && (!wide || bytes[at + 1] === 0)) return at + step;
  }
  return start;
}

/** Writes the path of a share: its token, and its name where Windows made it. */
export function writeShare(bytes: Uint8Array, start: number, end: number, wide: boolean, out: ObservationSink): void {
  out.token(command.at.tree, bytes, start, end);
  const name = behindLast(bytes, start, end, wide, 0x5c);
  for (let i = 0; i < SHARES.length; i++) {
    if (isWord(bytes, name, end, wide, SHARES[i]!)) out.string(command.at.share, SHARES[i]!.toUpperCase());
  }
}

/** Writes a file's name: its token, its extension's token, and the name of a well-known pipe. */
export function writeFile(bytes: Uint8Array, start: number, end: number, wide: boolean, out: ObservationSink): void {
  // The root of a share is written with and without its backslash.
  const step = wide ? 2 : 1;
  const from = end - start >= step && bytes[start] === 0x5c ? start + step : start;
  if (end <= from) return;
  out.token(command.at.file, bytes, from, end);
  const name = behindLast(bytes, from, end, wide, 0x5c);
  const extension = behindLast(bytes, name, end, wide, 0x2e);
  if (extension > name) out.token(command.at.extension, bytes, extension, end);
  for (let i = 0; i < PIPES.length; i++) {
    if (isWord(bytes, name, end, wide, PIPES[i]!)) out.string(command.at.pipe, PIPES[i]!);
  }
}
