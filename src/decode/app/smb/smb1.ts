import { u16le, u32le, utf16le } from '../../../lib/little-endian.ts';
import type { ObservationSink } from '../../observation.ts';
import { isRpcHeader, observePdu, openRpc } from '../dcerpc/parser.ts';
import { observeNtlm } from '../ntlm/parser.ts';
import { BAD_MESSAGE, command, negotiate, session, software } from './events.ts';
import { writeFile, writeShare } from './names.ts';
import type { SmbState } from './parser.ts';

/**
 * SMB 1, MS-CIFS and MS-SMB:
 *
 *     header(32) = 0xFF "SMB" command(1) status(4) flags(1) flags2(2) … tree(2)@24 process(2) user(2) multiplex(2)
 *     message    = header words_count(1) words(2 each) bytes_count(2) bytes
 *     AndX words = next_command(1) reserved(1) next_offset(2) …    next offset from the header's start, 0xFF ends
 *
 * Words, offsets from the first word; `name` in UTF-16 (aligned to the header) where flags2 has bit 15:
 *     NEGOTIATE response       dialect(2)@0 mode(1)@2        mode bit 2 signing enabled, bit 3 required
 *     SESSION_SETUP request    12 words: blob length(2)@14   13 words: passwords @14 @16, then account, domain
 *     SESSION_SETUP response   action(2)@4 [4 words: blob length(2)@6]
 *     TREE_CONNECT request     password length(2)@6, bytes: password path
 *     NT_CREATE request        name length(2)@5 disposition(4)@35 options(4)@39     response handle(2)@5
 *     READ request handle(2)@4 count(2)@10, response count(2)@10
 *     WRITE request handle(2)@4 high(2)@18 count(2)@20 offset(2)@22, response count(2)@4
 *     TRANSACTION request      data count(2)@22 offset(2)@24 setup(2 each)@28
 *     TRANSACTION2 request     setup(2)@28: subcommand
 */
const NEGOTIATE = 0x72;
const SESSION_SETUP = 0x73;
const TREE_CONNECT = 0x75;
const NT_CREATE = 0xa2;
const CLOSE = 0x04;
const DELETE = 0x06;
const RENAME = 0x07;
const READ = 0x2e;
const WRITE = 0x2f;
const TRANSACTION = 0x25;
const TRANSACTION_2 = 0x32;

const MORE_PROCESSING = 0xc000_0016;
const DELETE_ON_CLOSE = 0x1000;
const DISPOSITIONS = ['overwrite', 'open', 'create', 'open', 'overwrite', 'overwrite'];
const MAX_CHAIN = 8;

function commandName(code: number): string {
  switch (code) {
    case 0x00:
      return 'create_directory';
    case 0x01:
      return 'delete_directory';
    case 0x02:
      return 'open';
    case 0x03:
      return 'create';
    case CLOSE:
      return 'close';
    case 0x05:
      return 'flush';
    case DELETE:
      return 'delete';
    case RENAME:
      return 'rename';
    case 0x08:
      return 'query_info';
    case 0x09:
      return 'set_info';
    case 0x0a:
    case READ:
      return 'read';
    case 0x0b:
    case WRITE:
      return 'write';
    case 0x10:
      return 'check_directory';
    case 0x24:
      return 'lock';
    case TRANSACTION:
      return 'transaction';
    case 0x2b:
      return 'echo';
    case 0x2d:
      return 'open';
    case TRANSACTION_2:
    case 0x33:
      return 'transaction2';
    case 0x34:
      return 'find_close';
    case 0x71:
      return 'tree_disconnect';
    case NEGOTIATE:
      return 'negotiate';
    case SESSION_SETUP:
      return 'session_setup';
    case 0x74:
      return 'logoff';
    case 0x70:
    case TREE_CONNECT:
      return 'tree_connect';
    case 0xa0:
    case 0xa1:
      return 'nt_transaction';
    case NT_CREATE:
      return 'create';
    case 0xa4:
      return 'cancel';
    case 0xa5:
      return 'rename';
    default:
      return 'other';
  }
}

export function isSmb1(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xff && bytes[at + 1] === 0x53 && bytes[at + 2] === 0x4d && bytes[at + 3] === 0x42;
}

/** Observes the message in `[start, end)` and those chained to it; a long tail may be missing. */
export function observeSmb1(
  state: SmbState,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: ObservationSink,
): void {
  if (end - start < 35) {
    out.event(BAD_MESSAGE);
    return;
  }
  const isRequest = (bytes[start + 9]! & 0x80) === 0;
  const wide = (u16le(bytes, start + 10) & 0x8000) !== 0;
  let code = bytes[start + 4]!;
  let block = start + 32;
  for (let n = 0; n < MAX_CHAIN; n++) {
    const words = block + 1;
    const wordsEnd = words + 2 * bytes[block]!;
    if (wordsEnd + 2 > end) {
      out.event(BAD_MESSAGE);
      return;
    }
    observeBlock(state, bytes, start, code, words, wordsEnd, end, isRequest, wide, out);
    const chains = isAndX(code) && wordsEnd - words >= 4 && bytes[words] !== 0xff;
    if (!chains) return;
    const next = start + u16le(bytes, words + 2);
    if (next <= block || next + 3 > end) return;
    code = bytes[words]!;
    block = next;
  }
}

function isAndX(code: number): boolean {
  return (
    code === SESSION_SETUP ||
    code === TREE_CONNECT ||
    code === NT_CREATE ||
    code === READ ||
    code === WRITE ||
    code === 0x24 ||
    code === 0x2d ||
    code === 0x74
  );
}

function observeBlock(
  state: SmbState,
  bytes: Uint8Array,
  start: number,
  code: number,
  words: number,
  wordsEnd: number,
  end: number,
  isRequest: boolean,
  wide: boolean,
  out: ObservationSink,
): void {
  const status = u32le(bytes, start + 5);
  const data = wordsEnd + 2;
  const dataEnd = Math.min(end, data + u16le(bytes, wordsEnd));
  out.begin(command);
  out.string(command.at.command, commandName(code));
  out.number(command.at.is_request, isRequest ? 1 : 0);
  if (!isRequest) out.number(command.at.status, status);
  out.number(command.at.message_id, u16le(bytes, start + 30));
  out.number(command.at.tree_id, u16le(bytes, start + 24));
  if (isRequest) requestFields(bytes, start, code, words, wordsEnd, data, dataEnd, wide, out);
  else if (status === 0) responseFields(bytes, code, words, wordsEnd, out);
  out.end();
  if (code === NEGOTIATE && !isRequest && wordsEnd - words >= 2) observeNegotiate(bytes, words, wordsEnd, out);
  else if (code === SESSION_SETUP) {
    observeSetup(bytes, start, words, wordsEnd, data, dataEnd, isRequest, wide, out);
    if (!isRequest && status !== MORE_PROCESSING) {
      out.begin(session);
      out.number(session.at.status, status);
      out.number(session.at.ok, status === 0 ? 1 : 0);
      if (status === 0 && wordsEnd - words >= 6) out.number(session.at.guest, bytes[words + 4]! & 1);
      out.end();
    }
  } else if (code === TRANSACTION || code === WRITE)
    observePipe(state, bytes, start, code, words, wordsEnd, end, isRequest, out);
}

function requestFields(
  bytes: Uint8Array,
  start: number,
  code: number,
  words: number,
  wordsEnd: number,
  data: number,
  dataEnd: number,
  wide: boolean,
  out: ObservationSink,
): void {
  const length = wordsEnd - words;
  if (code === TREE_CONNECT && length >= 8) {
    const path = aligned(start, data + u16le(bytes, words + 6), wide);
    if (path < dataEnd) writeShare(bytes, path, nameEnd(bytes, path, dataEnd, wide), wide, out);
  } else if (code === NT_CREATE && length >= 48) {
    const deletes = (u32le(bytes, words + 39) & DELETE_ON_CLOSE) !== 0;
    out.string(command.at.action, deletes ? 'delete' : (DISPOSITIONS[u32le(bytes, words + 35)] ?? 'open'));
    const file = aligned(start, data, wide);
    const fileEnd = Math.min(dataEnd, file + u16le(bytes, words + 5));
    if (file < fileEnd) writeFile(bytes, file, nameEnd(bytes, file, fileEnd, wide), wide, out);
  } else if ((code === DELETE || code === RENAME) && dataEnd > data) {
    out.string(command.at.action, code === DELETE ? 'delete' : 'rename');
    // Names are behind a byte 4 each; the last one is the new name.
    let file = aligned(start, data + 1, wide);
    let fileEnd = nameEnd(bytes, file, dataEnd, wide);
    const second = fileEnd + (wide ? 2 : 1);
    if (code === RENAME && second < dataEnd && bytes[second] === 4) {
      file = aligned(start, second + 1, wide);
      fileEnd = nameEnd(bytes, file, dataEnd, wide);
    }
    if (file < fileEnd) writeFile(bytes, file, fileEnd, wide, out);
  } else if (code === READ && length >= 12) {
    out.token(command.at.handle, bytes, words + 4, words + 6);
    out.number(command.at.bytes, u16le(bytes, words + 10));
  } else if (code === WRITE && length >= 24) {
    out.token(command.at.handle, bytes, words + 4, words + 6);
    out.number(command.at.bytes, u16le(bytes, words + 18) * 65536 + u16le(bytes, words + 20));
  } else if (code === CLOSE && length >= 2) {
    out.token(command.at.handle, bytes, words, words + 2);
  } else if ((code === TRANSACTION_2 || code === TRANSACTION) && length >= 30) {
    out.number(command.at.subcommand, u16le(bytes, words + 28));
  }
}

function responseFields(bytes: Uint8Array, code: number, words: number, wordsEnd: number, out: ObservationSink): void {
  const length = wordsEnd - words;
  if (code === NT_CREATE && length >= 7) out.token(command.at.handle, bytes, words + 5, words + 7);
  else if (code === READ && length >= 12) out.number(command.at.bytes, u16le(bytes, words + 10));
  else if (code === WRITE && length >= 6) out.number(command.at.bytes, u16le(bytes, words + 4));
}

function aligned(start: number, at: number, wide: boolean): number {
  return wide && ((at - start) & 1) !== 0 ? at + 1 : at;
}

/** End of the name that begins at `at`: before its NUL, or `end`. */
function nameEnd(bytes: Uint8Array, at: number, end: number, wide: boolean): number {
  const step = wide ? 2 : 1;
  let i = at;
  while (i + step <= end && (bytes[i] !== 0 || (wide && bytes[i + 1] !== 0))) i += step;
  return Math.min(i, Math.max(end, at));
}

function observeNegotiate(bytes: Uint8Array, words: number, wordsEnd: number, out: ObservationSink): void {
  if (u16le(bytes, words) === 0xffff) return;
  const mode = wordsEnd - words >= 3 ? bytes[words + 2]! : 0;
  out.begin(negotiate);
  out.string(negotiate.at.dialect, '1');
  out.string(negotiate.at.signing, (mode & 8) !== 0 ? 'required' : (mode & 4) !== 0 ? 'enabled' : 'off');
  out.end();
}

/** Login inside a session setup, and the names of software at its end. */
function observeSetup(
  bytes: Uint8Array,
  start: number,
  words: number,
  wordsEnd: number,
  data: number,
  dataEnd: number,
  isRequest: boolean,
  wide: boolean,
  out: ObservationSink,
): void {
  const count = (wordsEnd - words) / 2;
  let at = data;
  let skip = 0;
  if (isRequest && count === 12) at += u16le(bytes, words + 14);
  else if (isRequest && count === 13) {
    at += u16le(bytes, words + 14) + u16le(bytes, words + 16);
    // Account and domain come first.
    skip = 2;
  } else if (!isRequest && count === 4) at += u16le(bytes, words + 6);
  else if (isRequest || count !== 3) return;
  if (at > dataEnd) return;
  if (count === 12 || count === 4) observeNtlm(bytes, data, at, out);
  at = aligned(start, at, wide);
  const step = wide ? 2 : 1;
  while (skip > 0) {
    at = nameEnd(bytes, at, dataEnd, wide) + step;
    skip--;
  }
  if (at >= dataEnd) return;
  const osEnd = nameEnd(bytes, at, dataEnd, wide);
  const managerAt = osEnd + step;
  const managerEnd = managerAt < dataEnd ? nameEnd(bytes, managerAt, dataEnd, wide) : managerAt;
  if (osEnd === at && managerEnd === managerAt) return;
  out.begin(software);
  writeName(bytes, at, osEnd, wide, software.at.os, out);
  if (managerEnd <= dataEnd) writeName(bytes, managerAt, managerEnd, wide, software.at.lan_manager, out);
  out.end();
}

function writeName(
  bytes: Uint8Array,
  from: number,
  to: number,
  wide: boolean,
  field: number,
  out: ObservationSink,
): void {
  if (to <= from) return;
  if (wide) out.string(field, utf16le(bytes, from, to));
  else out.text(field, bytes, from, to);
}

/** DCE/RPC inside transactions and writes on a named pipe, known by its header. */
function observePipe(
  state: SmbState,
  bytes: Uint8Array,
  start: number,
  code: number,
  words: number,
  wordsEnd: number,
  end: number,
  isRequest: boolean,
  out: ObservationSink,
): void {
  const length = wordsEnd - words;
  let data = 0;
  let dataEnd = 0;
  let pipe = 0;
  if (code === WRITE && isRequest && length >= 24) {
    data = start + u16le(bytes, words + 22);
    dataEnd = data + u16le(bytes, words + 20);
    pipe = u16le(bytes, words + 4);
  } else if (code === TRANSACTION && isRequest && length >= 32) {
    data = start + u16le(bytes, words + 24);
    dataEnd = data + u16le(bytes, words + 22);
    pipe = u16le(bytes, words + 30);
  } else if (code === TRANSACTION && !isRequest && length >= 20) {
    data = start + u16le(bytes, words + 14);
    dataEnd = data + u16le(bytes, words + 12);
  }
  dataEnd = Math.min(dataEnd, end);
  if (data < wordsEnd || dataEnd - data < 16 || !isRpcHeader(bytes, data)) return;
  state.rpc ??= openRpc();
  observePdu(state.rpc, pipe, bytes, data, dataEnd, out);
}
