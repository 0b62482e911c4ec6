import type { Dissector } from '../../dissector.ts';
import { EXCLUDE, RESP } from '../../dissector.ts';
import { opcuaChannel, opcuaError, opcuaEvents, opcuaHello, opcuaService } from './events.ts';
import { HEADER_BYTES, looksLikeOpcua, readMessage, sizeOf, typeOf } from './parser.ts';

interface OpcuaState {
  encrypted: boolean;
  messages: number;
  origLost: boolean;
  respLost: boolean;
}

/** Of a longer message only this much is read. */
const MOST_BYTES = 2048;

/** OPC UA over TCP: security of the channel, and services where it has none. */
export const dissector: Dissector<OpcuaState> = {
  name: 'opcua',
  transport: ['tcp'],
  ports: [4840],
  observations: [opcuaHello, opcuaChannel, opcuaService, opcuaError],
  events: opcuaEvents,
  retain: MOST_BYTES + HEADER_BYTES,
  probe({ bytes, start, end, first }) {
    const sign = looksLikeOpcua(bytes, start, end);
    if (sign > 0) return 'yes';
    return sign === 0 || !first ? 'more' : 'no';
  },
  open: () => ({ encrypted: false, messages: 0, origLost: false, respLost: false }),
  read(state, { bytes, start, end, direction }, out) {
    let at = start;
    if (direction === RESP ? state.respLost : state.origLost) {
      while (at < end && looksLikeOpcua(bytes, at, end) < 0) at++;
      if (end - at < HEADER_BYTES) return at - start;
      if (direction === RESP) state.respLost = false;
      else state.origLost = false;
      out.event('opcua_lost');
    }
    while (end - at >= HEADER_BYTES) {
      if (looksLikeOpcua(bytes, at, end) < 0) {
        out.event(typeOf(bytes, at) < 0 ? 'opcua_bad_header' : 'opcua_bad_size');
        if (state.messages === 0) return EXCLUDE;
        if (direction === RESP) state.respLost = true;
        else state.origLost = true;
        return at + 1 - start;
      }
      const size = sizeOf(bytes, at);
      const shown = Math.min(size, MOST_BYTES);
      if (end - at < shown) break;
      state.messages++;
      const policy = readMessage(bytes, at, at + shown, direction === RESP, state.encrypted, out);
      if (policy >= 0) state.encrypted = policy === 1;
      at += size;
    }
    return at - start;
  },
  gap(state, direction) {
    if (direction === RESP) state.respLost = true;
    else state.origLost = true;
  },
};
