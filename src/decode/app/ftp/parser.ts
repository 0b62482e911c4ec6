import {
  decimal,
  equalsAnyCase,
  findAnyCase,
  findByte,
  isDigit,
  isLetter,
  isPrintable,
  LF,
  SPACE,
  startsWithAnyCase,
  trimEnd,
} from '../../../lib/ascii.ts';
import { EXCLUDE, ORIG, REST_OF_STREAM } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { openTls, readTls, tlsGap } from '../tls/parser.ts';
import type { TlsState } from '../tls/parser.ts';
import { BAD_LINE, command, login, reply, server } from './events.ts';

/**
 * Control connection of FTP, RFC 959, 2228, 2389, 3659:
 *
 *     command = verb [ SP argument ] CRLF                      verb: 3 or 4 letters
 *     reply   = code SP text CRLF | code "-" text CRLF *( line CRLF ) code SP text CRLF
 *     code    = 3 digits, the first 1 to 5
 *
 * After AUTH and 234 the connection goes on as TLS. Data connections are not followed.
 */
const VERBS = [
  'USER', 'PASS', 'ACCT', 'CWD', 'CDUP', 'SMNT', 'QUIT', 'REIN', 'PORT', 'PASV', 'TYPE', 'STRU', 'MODE', 'RETR', 'STOR',
  'STOU', 'APPE', 'ALLO', 'REST', 'RNFR', 'RNTO', 'ABOR', 'DELE', 'RMD', 'MKD', 'PWD', 'LIST', 'NLST', 'SITE', 'SYST',
  'STAT', 'HELP', 'NOOP', 'AUTH', 'ADAT', 'PROT', 'PBSZ', 'CCC', 'FEAT', 'OPTS', 'LANG', 'EPRT', 'EPSV', 'LPRT', 'LPSV',
  'MDTM', 'SIZE', 'MLST', 'MLSD', 'XPWD', 'XCWD', 'XMKD', 'XRMD', 'XCUP', 'CLNT', 'MFMT', 'HOST', 'XCRC',
]; // prettier-ignore
/** Their argument is a path. */
const ABOUT_FILES = ['CWD', 'RETR', 'STOR', 'STOU', 'APPE', 'RNFR', 'RNTO', 'DELE', 'RMD', 'MKD', 'MDTM', 'SIZE', 'MLST', 'MLSD', 'XCWD', 'XMKD', 'XRMD', 'LIST', 'NLST']; // prettier-ignore
/** Other text protocols (mail, chat) have them too. */
const AMBIGUOUS = ['USER', 'PASS', 'QUIT', 'HELP', 'NOOP', 'STAT', 'LIST', 'RETR', 'DELE', 'AUTH', 'HOST', 'MODE'];
const MAX_LINE = 1024;

export interface FtpState {
  /** Index of the last verb, -1 none. */
  verb: number;
  greeted: boolean;
  /** Code of a reply over several lines that is open, 0 none. */
  openCode: number;
  lost0: boolean;
  lost1: boolean;
  tls: TlsState | undefined;
}

export function openFtp(): FtpState {
  return { verb: -1, greeted: false, openCode: 0, lost0: false, lost1: false, tls: undefined };
}

export function probeFtp(p: Payload): Verdict {
  const { bytes, start, end } = p;
  const lineFeed = findByte(bytes, LF, start, Math.min(end, start + MAX_LINE));
  const to = lineFeed < 0 ? end : trimEnd(bytes, start, lineFeed);
  if (p.direction === ORIG) return probeCommands(bytes, start, end);
  const known = Math.min(3, to - start);
  for (let i = 0; i < known; i++) if (!isDigit(bytes[start + i]!)) return 'no';
  if (to - start > 3 && bytes[start + 3] !== SPACE && bytes[start + 3] !== 0x2d) return 'no';
  if (lineFeed < 0) return to - start < MAX_LINE && (to - start < 4 || isText(bytes, start, to)) ? 'more' : 'no';
  if (to - start < 4 || !isText(bytes, start, to)) return 'no';
  const code = decimal(bytes, start, start + 3);
  // The greeting may go over lines: the first words at hand decide.
  const textEnd = Math.min(end, start + MAX_LINE);
  if (code === 220) {
    if (findAnyCase(bytes, start, textEnd, 'ftp') >= 0) return 'yes';
    if (findAnyCase(bytes, start, textEnd, 'smtp') >= 0) return 'no';
    // The answer to USER, where it is at hand with the greeting.
    return findAnyCase(bytes, start, textEnd, '\n331 ') >= 0 ? 'yes' : 'more';
  }
  if (code === 331 && findAnyCase(bytes, start, textEnd, 'password') >= 0) return 'yes';
  if (code === 227 && findAnyCase(bytes, start, textEnd, 'passive') >= 0) return 'yes';
  return code === 530 || code === 230 ? 'more' : 'no';
}

function probeCommands(bytes: Uint8Array, start: number, end: number): Verdict {
  let line = start;
  for (let n = 0; n < 6 && line < end; n++) {
    const lineFeed = findByte(bytes, LF, line, Math.min(end, line + MAX_LINE));
    const verb = verbAt(bytes, line, lineFeed < 0 ? end : trimEnd(bytes, line, lineFeed));
    if (lineFeed < 0) {
      for (let i = line; i < Math.min(end, line + 3); i++) if (!isLetter(bytes[i]!)) return 'no';
      return end - line < MAX_LINE && (end - line < 5 || verb >= 0) ? 'more' : 'no';
    }
    if (verb < 0) return 'no';
    if (!AMBIGUOUS.includes(VERBS[verb]!)) return 'yes';
    if (startsWithAnyCase(bytes, line, lineFeed, 'auth tls') || startsWithAnyCase(bytes, line, lineFeed, 'auth ssl')) {
      return 'yes';
    }
    line = lineFeed + 1;
  }
  return 'more';
}

function isText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! < SPACE && bytes[i] !== 0x09 && bytes[i] !== 0x0d) return false;
  return true;
}

/** Index of the verb that the line begins with (any case), or -1. */
function verbAt(bytes: Uint8Array, start: number, end: number): number {
  let to = start;
  while (to < end && to - start < 5 && isLetter(bytes[to]!)) to++;
  if (to - start < 3 || to - start > 4 || (to < end && bytes[to] !== SPACE)) return -1;
  for (let i = 0; i < VERBS.length; i++) {
    const verb = VERBS[i]!;
    if (verb.length !== to - start) continue;
    let equal = true;
    for (let k = 0; k < verb.length && equal; k++) equal = (bytes[start + k]! & 0xdf) === verb.charCodeAt(k);
    if (equal) return i;
  }
  return -1;
}

export function ftpGap(state: FtpState, direction: number): void {
  if (state.tls !== undefined) tlsGap(state.tls, direction);
  if (direction === ORIG) state.lost0 = true;
  else {
    state.lost1 = true;
    state.openCode = 0;
  }
}

export function readFtp(state: FtpState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (at < end) {
    if (state.tls !== undefined) return at - start + readInner(state.tls, p, at, out);
    const lineFeed = findByte(bytes, LF, at, Math.min(end, at + MAX_LINE));
    if (lineFeed < 0) {
      if (end - at < MAX_LINE) return at - start;
      out.event(BAD_LINE);
      markLost(state, direction);
      return end - start;
    }
    if (direction === ORIG ? state.lost0 : state.lost1) {
      // The line in which bytes were lost is not read.
      if (direction === ORIG) state.lost0 = false;
      else state.lost1 = false;
    } else if (direction === ORIG) takeCommand(state, bytes, at, trimEnd(bytes, at, lineFeed), out);
    else if (!takeReply(state, bytes, at, trimEnd(bytes, at, lineFeed), out)) return EXCLUDE;
    at = lineFeed + 1;
  }
  return at - start;
}

function markLost(state: FtpState, direction: number): void {
  if (direction === ORIG) state.lost0 = true;
  else state.lost1 = true;
}

function readInner(tls: TlsState, p: Payload, at: number, out: ObservationSink): number {
  const start = p.start;
  p.start = at;
  const done = readTls(tls, p, out);
  p.start = start;
  return done === EXCLUDE || done === REST_OF_STREAM ? REST_OF_STREAM - (at - start) : done;
}

function takeCommand(state: FtpState, bytes: Uint8Array, start: number, end: number, out: ObservationSink): void {
  if (end === start) return;
  const verb = verbAt(bytes, start, end);
  state.verb = verb;
  if (verb < 0 && !isPrintable(bytes, start, end)) out.event(BAD_LINE);
  const name = verb < 0 ? 'OTHER' : VERBS[verb]!;
  const argument = Math.min(end, start + name.length + 1);
  out.begin(command);
  out.string(command.at.verb, name);
  if (name === 'USER') out.token(command.at.user, bytes, argument, end);
  else if (ABOUT_FILES.includes(name)) out.token(command.at.file, bytes, argument, end);
  out.end();
}

/** False where no server of FTP speaks. */
function takeReply(state: FtpState, bytes: Uint8Array, start: number, end: number, out: ObservationSink): boolean {
  const code = end - start >= 3 ? decimal(bytes, start, start + 3) : -1;
  const continues = end - start > 3 && bytes[start + 3] === 0x2d;
  const plain = code >= 100 && code < 700 && (end - start === 3 || bytes[start + 3] === SPACE || continues);
  if (!plain) {
    // Lines inside a longer reply may be anything.
    if (state.openCode !== 0) return true;
    out.event(BAD_LINE);
    return state.greeted || state.verb >= 0;
  }
  if (state.openCode !== 0 && code !== state.openCode) return true;
  if (code === 220 && !state.greeted) {
    out.begin(server);
    if (end - start > 4) out.text(server.at.banner, bytes, start + 4, end);
    out.end();
  }
  state.greeted = true;
  if (continues) {
    state.openCode = code;
    return true;
  }
  state.openCode = 0;
  const verb = state.verb < 0 ? '' : VERBS[state.verb]!;
  out.begin(reply);
  out.number(reply.at.code, code);
  if (verb !== '') out.string(reply.at.verb, verb);
  const size = code === 150 || code === 125 ? transferSize(bytes, start, end) : -1;
  if (size >= 0) out.number(reply.at.transfer_bytes, size);
  out.end();
  const afterCredentials = verb === 'USER' || verb === 'PASS' || verb === 'ACCT';
  if (code === 230 || code === 232 || (code === 530 && afterCredentials)) {
    out.begin(login);
    out.number(login.at.ok, code === 530 ? 0 : 1);
    out.number(login.at.code, code);
    out.end();
  }
  if (code === 234 && verb === 'AUTH') state.tls = openTls();
  return true;
}

/** The number before ` byte` at the end of `150 Opening … (1234 bytes).`, or -1. */
function transferSize(bytes: Uint8Array, start: number, end: number): number {
  for (let i = end - 5; i > start; i--) {
    if (!equalsAnyCase(bytes, i, i + 5, ' byte')) continue;
    let from = i;
    while (from > start && isDigit(bytes[from - 1]!)) from--;
    return decimal(bytes, from, i);
  }
  return -1;
}
