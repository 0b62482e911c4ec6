import { EXCLUDE, ORIG } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { observeNtlm } from '../ntlm/parser.ts';
import { BAD_PDU, bind, call, fault } from './events.ts';
import { interfaceName } from './interfaces.ts';

/**
 * DCE/RPC over connections, C706 chapter 12 and MS-RPCE 2.2.2:
 *
 *     pdu     = 5 minor(1) type(1) flags(1) representation(4) length(2) auth_length(2) call(4) body [ verifier ]
 *     request = hint(4) context(2) opnum(2) …        type 0
 *     fault   = hint(4) context(2) cancels(2) status(4) …   type 3
 *     bind    = max(2) max(2) group(4) n(1) pad(3) n*( context(2) m(1) pad(1) interface(20) m*transfer(20) )
 *               type 11; alter_context (14) has the same body
 *     interface = uuid(16) version(4)
 *     verifier  = type(1) level(1) pad(1) reserved(1) id(4) auth_length bytes     at the pdu's end
 *
 * Numbers are in the sender's order: first byte of the representation 0x10 little, 0x00 big endian.
 */
const REQUEST = 0;
const FAULT = 3;
const BIND = 11;
const BIND_ACK = 12;
const ALTER_CONTEXT = 14;
const AUTH_3 = 16;
const LAST_TYPE = 19;
const FIRST_FRAGMENT = 1;
const HEADER = 16;
/** Contexts remembered on a flow; the oldest makes room. */
const MAX_CONTEXTS = 16;
const MAX_BIND_ITEMS = 32;

export interface RpcState {
  /** `pipe * 65536 + context` of each context seen, and the interface it stands for. */
  keys: number[];
  names: string[];
  next: number;
  lost0: boolean;
  lost1: boolean;
}

/** @cold Once a flow. */
export function openRpc(): RpcState {
  return { keys: [], names: [], next: 0, lost0: false, lost1: false };
}

/** True where a header of a connection-oriented PDU may begin; needs 16 bytes. */
export function isRpcHeader(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 5 || bytes[at + 1]! > 1 || bytes[at + 2]! > LAST_TYPE) return false;
  const order = bytes[at + 4]!;
  if ((order !== 0x10 && order !== 0) || bytes[at + 5]! > 3 || bytes[at + 6] !== 0 || bytes[at + 7] !== 0) return false;
  const length = u16(bytes, at + 8, order === 0x10);
  return length >= HEADER && u16(bytes, at + 10, order === 0x10) <= length - HEADER;
}

function u16(bytes: Uint8Array, at: number, little: boolean): number {
  return little ? bytes[at]! | (bytes[at + 1]! << 8) : (bytes[at]! << 8) | bytes[at + 1]!;
}

function u32(bytes: Uint8Array, at: number, little: boolean): number {
  return little
    ? u16(bytes, at, true) + u16(bytes, at + 2, true) * 65536
    : u16(bytes, at, false) * 65536 + u16(bytes, at + 2, false);
}

export function probeRpc(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (end - start < HEADER) {
    const possible = (end === start || bytes[start] === 5) && (end - start < 2 || bytes[start + 1]! <= 1);
    return possible ? 'more' : 'no';
  }
  if (!isRpcHeader(bytes, start)) return p.first ? 'no' : 'more';
  const type = bytes[start + 2]!;
  if (p.first && p.direction === ORIG) return type === BIND ? 'yes' : 'no';
  return u16(bytes, start + 8, bytes[start + 4] === 0x10) >= 24 ? 'yes' : 'no';
}

export function rpcGap(state: RpcState, direction: number): void {
  if (direction === ORIG) state.lost0 = true;
  else state.lost1 = true;
}

export function readRpc(state: RpcState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let at = start;
  while (end - at >= HEADER) {
    if (!isRpcHeader(bytes, at)) {
      const lost = direction === ORIG ? state.lost0 : state.lost1;
      if (!lost) out.event(BAD_PDU);
      if (!lost && at === start && state.keys.length === 0) return EXCLUDE;
      rpcGap(state, direction);
      return end - start;
    }
    if (direction === ORIG) state.lost0 = false;
    else state.lost1 = false;
    const next = at + u16(bytes, at + 8, bytes[at + 4] === 0x10);
    const need = at + neededOf(bytes, at, next - at);
    if (need > end) break;
    observePdu(state, 0, bytes, at, Math.min(next, end), out);
    at = next;
  }
  return at - start;
}

/** How much of a PDU must be at hand: all where it may hold contexts or names, else its first words. */
function neededOf(bytes: Uint8Array, at: number, length: number): number {
  const type = bytes[at + 2]!;
  if (type === REQUEST || type === FAULT || type === 2) return Math.min(length, 28);
  return length;
}

/**
 * Observes the PDU in `[at, end)`, of which the tail of a long request may be missing. `pipe` tells
 * connections apart that share a flow (named pipes over SMB): any number below 2^32, 0 where there is one.
 */
export function observePdu(
  state: RpcState,
  pipe: number,
  bytes: Uint8Array,
  at: number,
  end: number,
  out: ObservationSink,
): void {
  const little = bytes[at + 4] === 0x10;
  const type = bytes[at + 2]!;
  const length = u16(bytes, at + 8, little);
  const authLength = u16(bytes, at + 10, little);
  if (type === REQUEST) {
    if ((bytes[at + 3]! & FIRST_FRAGMENT) === 0) return;
    if (end - at < 24) {
      out.event(BAD_PDU);
      return;
    }
    const known = state.keys.indexOf(pipe * 65536 + u16(bytes, at + 20, little));
    out.begin(call);
    if (known >= 0) out.string(call.at.interface, state.names[known]!);
    out.number(call.at.opnum, u16(bytes, at + 22, little));
    out.end();
  } else if (type === FAULT) {
    if (end - at < 28) {
      out.event(BAD_PDU);
      return;
    }
    out.begin(fault);
    out.number(fault.at.status, u32(bytes, at + 24, little));
    out.end();
  } else if (type === BIND || type === ALTER_CONTEXT) {
    takeBind(state, pipe, bytes, at, end, little, out);
  }
  const carriesLogin = type === BIND || type === BIND_ACK || type === ALTER_CONTEXT || type === 15 || type === AUTH_3;
  if (carriesLogin && authLength > 0 && length <= end - at) {
    observeNtlm(bytes, at + length - authLength, at + length, out);
  }
}

function takeBind(
  state: RpcState,
  pipe: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  little: boolean,
  out: ObservationSink,
): void {
  if (end - start < 28) {
    out.event(BAD_PDU);
    return;
  }
  const items = Math.min(bytes[start + 24]!, MAX_BIND_ITEMS);
  let at = start + 28;
  let last = '';
  for (let i = 0; i < items; i++) {
    if (end - at < 24) {
      out.event(BAD_PDU);
      return;
    }
    const name = interfaceName(bytes, at + 4, little);
    remember(state, pipe * 65536 + u16(bytes, at, little), name);
    // Clients offer the same interface once more per transfer syntax.
    if (name !== last) {
      out.begin(bind);
      out.string(bind.at.interface, name);
      out.end();
      last = name;
    }
    at += 24 + 20 * bytes[at + 2]!;
  }
}

function remember(state: RpcState, key: number, name: string): void {
  const known = state.keys.indexOf(key);
  if (known >= 0) {
    state.names[known] = name;
    return;
  }
  state.keys[state.next] = key;
  state.names[state.next] = name;
  state.next = (state.next + 1) % MAX_CONTEXTS;
}
