import { u16le, u32le, u64le } from '../../../lib/little-endian.ts';
import type { ObservationSink } from '../../observation.ts';
import { isRpcHeader, observePdu, openRpc } from '../dcerpc/parser.ts';
import { observeNtlm } from '../ntlm/parser.ts';
import { BAD_MESSAGE, command, negotiate, session } from './events.ts';
import { writeFile, writeShare } from './names.ts';
import type { SmbState } from './parser.ts';

/**
 * SMB 2 and 3, MS-SMB2 2.2 (offsets from the header's start unless said otherwise):
 *
 *     header(64) = 0xFE "SMB" size(2)=64 charge(2) status(4) command(2) credits(2) flags(4) next(4) message(8)
 *                  reserved(4) tree(4) session(8) signature(16)
 *     chain      = header body *( header body )           the next header lies `next` bytes on, 0 ends the chain
 *
 * Bodies, offsets from the body's start:
 *     NEGOTIATE response      mode(2)@2 dialect(2)@4         mode bit 0 signing enabled, bit 1 required
 *     SESSION_SETUP request   blob offset(2)@12 length(2)@14    response  flags(2)@2 offset(2)@4 length(2)@6
 *     TREE_CONNECT request    path offset(2)@4 length(2)@6
 *     CREATE request          access(4)@24 disposition(4)@36 options(4)@40 name offset(2)@44 length(2)@46
 *     CREATE response         handle(16)@64                     CLOSE request handle@8
 *     READ request            length(4)@4 handle@16             response length(4)@4
 *     WRITE request           offset(2)@2 length(4)@4 handle@16 response length(4)@4
 *     SET_INFO request        type(1)@2 class(1)@3 length(4)@4 offset(2)@8 handle@16
 *     IOCTL request, response code(4)@4 handle@8 input offset(4)@24 length(4)@28, output offset(4)@32 or 36 …
 */
const COMMANDS = [
  'negotiate', 'session_setup', 'logoff', 'tree_connect', 'tree_disconnect', 'create', 'close', 'flush', 'read', 'write',
  'lock', 'ioctl', 'cancel', 'echo', 'query_directory', 'change_notify', 'query_info', 'set_info', 'oplock_break',
]; // prettier-ignore
const NEGOTIATE = 0;
const SESSION_SETUP = 1;
const TREE_CONNECT = 3;
const CREATE = 5;
const CLOSE = 6;
const READ = 8;
const WRITE = 9;
const IOCTL = 11;
const SET_INFO = 17;

const FLAG_RESPONSE = 1;
const FLAG_ASYNC = 2;
const MORE_PROCESSING = 0xc000_0016;
const PENDING = 0x103;
const DELETE_ON_CLOSE = 0x1000;
/** CreateDisposition: supersede, open, create, open_if, overwrite, overwrite_if. */
const DISPOSITIONS = ['overwrite', 'open', 'create', 'open', 'overwrite', 'overwrite'];
const PIPE_TRANSCEIVE = 0x0011_c017;
const MAX_CHAIN = 64;

export function isSmb2(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xfe && bytes[at + 1] === 0x53 && bytes[at + 2] === 0x4d && bytes[at + 3] === 0x42;
}

/** Observes the chain in `[start, end)`, of which a long tail may be missing. */
export function observeSmb2(
  state: SmbState,
  bytes: Uint8Array,
  start: number,
  end: number,
  out: ObservationSink,
): void {
  let at = start;
  for (let n = 0; n < MAX_CHAIN; n++) {
    if (end - at < 64 || !isSmb2(bytes, at) || u16le(bytes, at + 4) !== 64) {
      out.event(BAD_MESSAGE);
      return;
    }
    const next = u32le(bytes, at + 20);
    const messageEnd = next === 0 || at + next > end ? end : at + next;
    observeMessage(state, bytes, at, messageEnd, out);
    if (next === 0 || at + next >= end) return;
    if (next < 64) {
      out.event(BAD_MESSAGE);
      return;
    }
    at += next;
  }
}

function observeMessage(state: SmbState, bytes: Uint8Array, at: number, end: number, out: ObservationSink): void {
  const code = u16le(bytes, at + 12);
  const name = COMMANDS[code];
  if (name === undefined) {
    out.event(BAD_MESSAGE);
    return;
  }
  const flags = u32le(bytes, at + 16);
  const isRequest = (flags & FLAG_RESPONSE) === 0;
  const status = u32le(bytes, at + 8);
  // An interim answer says nothing: the real one follows.
  if (!isRequest && status === PENDING) return;
  const body = at + 64;
  out.begin(command);
  out.string(command.at.command, name);
  out.number(command.at.is_request, isRequest ? 1 : 0);
  if (!isRequest) out.number(command.at.status, status);
  out.number(command.at.message_id, u64le(bytes, at + 24));
  if ((flags & FLAG_ASYNC) === 0) out.number(command.at.tree_id, u32le(bytes, at + 36));
  let whole = true;
  if (isRequest) whole = requestFields(bytes, at, body, end, code, out);
  else if (status === 0) whole = responseFields(bytes, body, end, code, out);
  out.end();
  if (!whole) out.event(BAD_MESSAGE);
  if (code === SESSION_SETUP) observeSession(bytes, at, body, end, isRequest, status, out);
  else if (code === NEGOTIATE && !isRequest && end - body >= 6) observeNegotiate(bytes, body, out);
  else if (code === WRITE || code === IOCTL || code === READ)
    observePipe(state, bytes, at, body, end, code, isRequest, out);
}

/** False where the body is too short for its command. */
function requestFields(
  bytes: Uint8Array,
  at: number,
  body: number,
  end: number,
  code: number,
  out: ObservationSink,
): boolean {
  const length = end - body;
  switch (code) {
    case TREE_CONNECT: {
      if (length < 8) return false;
      const path = at + u16le(bytes, body + 4);
      const pathEnd = path + u16le(bytes, body + 6);
      if (pathEnd > end) return false;
      writeShare(bytes, path, pathEnd, true, out);
      return true;
    }
    case CREATE: {
      if (length < 56) return false;
      const deletes = (u32le(bytes, body + 40) & DELETE_ON_CLOSE) !== 0;
      out.string(command.at.action, deletes ? 'delete' : (DISPOSITIONS[u32le(bytes, body + 36)] ?? 'open'));
      const file = at + u16le(bytes, body + 44);
      const fileEnd = file + u16le(bytes, body + 46);
      if (fileEnd > end) return false;
      writeFile(bytes, file, fileEnd, true, out);
      return true;
    }
    case CLOSE:
      return writeHandle(bytes, body + 8, end, out);
    case READ:
    case WRITE:
      if (length < 32) return false;
      out.number(command.at.bytes, u32le(bytes, body + 4));
      return writeHandle(bytes, body + 16, end, out);
    case IOCTL:
      if (length < 24) return false;
      out.number(command.at.subcommand, u32le(bytes, body + 4));
      return writeHandle(bytes, body + 8, end, out);
    case SET_INFO:
      return length >= 32 && setInfoFields(bytes, at, body, end, out);
    default:
      return true;
  }
}

/** MS-FSCC: class 10 rename, 13 and 64 disposition, 19 allocation, 20 end of file. */
function setInfoFields(bytes: Uint8Array, at: number, body: number, end: number, out: ObservationSink): boolean {
  const info = at + u16le(bytes, body + 8);
  const infoEnd = info + u32le(bytes, body + 4);
  const isFile = bytes[body + 2] === 1;
  const what = bytes[body + 3];
  writeHandle(bytes, body + 16, end, out);
  if (!isFile) return true;
  if (infoEnd > end) return false;
  if (what === 10) {
    out.string(command.at.action, 'rename');
    if (infoEnd - info < 20) return false;
    const nameEnd = info + 20 + u32le(bytes, info + 16);
    if (nameEnd > infoEnd) return false;
    writeFile(bytes, info + 20, nameEnd, true, out);
  } else if (what === 13 || what === 64) {
    if (infoEnd <= info) return false;
    if ((bytes[info]! & 1) !== 0) out.string(command.at.action, 'delete');
  } else if (what === 20) {
    if (infoEnd - info < 8) return false;
    if (u64le(bytes, info) === 0) out.string(command.at.action, 'truncate');
  }
  return true;
}

function responseFields(bytes: Uint8Array, body: number, end: number, code: number, out: ObservationSink): boolean {
  const length = end - body;
  if (code === CREATE) return length >= 80 && writeHandle(bytes, body + 64, end, out);
  if (code === READ || code === WRITE) {
    if (length < 8) return false;
    out.number(command.at.bytes, u32le(bytes, body + 4));
  }
  return true;
}

function writeHandle(bytes: Uint8Array, at: number, end: number, out: ObservationSink): boolean {
  if (at + 16 > end) return false;
  out.token(command.at.handle, bytes, at, at + 16);
  return true;
}

function observeNegotiate(bytes: Uint8Array, body: number, out: ObservationSink): void {
  const mode = u16le(bytes, body + 2);
  out.begin(negotiate);
  out.string(negotiate.at.dialect, dialectName(u16le(bytes, body + 4)));
  out.string(negotiate.at.signing, (mode & 2) !== 0 ? 'required' : (mode & 1) !== 0 ? 'enabled' : 'off');
  out.end();
}

function dialectName(dialect: number): string {
  switch (dialect) {
    case 0x0202:
      return '2.0.2';
    case 0x0210:
      return '2.1';
    case 0x0300:
      return '3.0';
    case 0x0302:
      return '3.0.2';
    case 0x0311:
      return '3.1.1';
    default:
      return '2.x';
  }
}

function observeSession(
  bytes: Uint8Array,
  at: number,
  body: number,
  end: number,
  isRequest: boolean,
  status: number,
  out: ObservationSink,
): void {
  const fields = isRequest ? body + 12 : body + 4;
  if (fields + 4 <= end) {
    const blob = at + u16le(bytes, fields);
    observeNtlm(bytes, blob, Math.min(end, blob + u16le(bytes, fields + 2)), out);
  }
  if (isRequest || status === MORE_PROCESSING) return;
  out.begin(session);
  out.number(session.at.status, status);
  out.number(session.at.ok, status === 0 ? 1 : 0);
  if (status === 0 && end - body >= 4) out.number(session.at.guest, (u16le(bytes, body + 2) & 3) !== 0 ? 1 : 0);
  out.end();
}

/** DCE/RPC inside writes to, reads from and transactions on a named pipe, known by its header. */
function observePipe(
  state: SmbState,
  bytes: Uint8Array,
  at: number,
  body: number,
  end: number,
  code: number,
  isRequest: boolean,
  out: ObservationSink,
): void {
  let data = 0;
  let dataEnd = 0;
  let handle = 0;
  if (code === WRITE && isRequest && end - body >= 32) {
    data = at + u16le(bytes, body + 2);
    dataEnd = data + u32le(bytes, body + 4);
    handle = body + 16;
  } else if (code === READ && !isRequest && end - body >= 16) {
    data = at + bytes[body + 2]!;
    dataEnd = data + u32le(bytes, body + 4);
  } else if (code === IOCTL && end - body >= 48 && u32le(bytes, body + 4) === PIPE_TRANSCEIVE) {
    data = at + u32le(bytes, body + (isRequest ? 24 : 32));
    dataEnd = data + u32le(bytes, body + (isRequest ? 28 : 36));
    handle = body + 8;
  }
  dataEnd = Math.min(dataEnd, end);
  if (data < body || dataEnd - data < 16 || !isRpcHeader(bytes, data)) return;
  state.rpc ??= openRpc();
  // The volatile half of the handle tells the pipes of a flow apart; answers need no context.
  observePdu(state.rpc, handle === 0 ? 0 : u32le(bytes, handle + 8), bytes, data, dataEnd, out);
}
