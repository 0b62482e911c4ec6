import type { Dissector } from '../../dissector.ts';
import { EXCLUDE, ORIG, RESP } from '../../dissector.ts';
import { modbusEvents, modbusRequest, modbusResponse } from './events.ts';
import { aduEnd, fitsRequest, fitsResponse, HEADER_BYTES, looksLikeAdu, readRequest, readResponse } from './parser.ts';

interface ModbusState {
  /** Direction of the client: ORIG, unless the first message fits only the other way round; -1 not known yet. */
  client: number;
  origLost: boolean;
  respLost: boolean;
  messages: number;
}

/** Modbus over TCP: what is read and written, where, and what is refused. */
export const dissector: Dissector<ModbusState> = {
  name: 'modbus',
  transport: ['tcp'],
  ports: [502],
  observations: [modbusRequest, modbusResponse],
  events: modbusEvents,
  retain: 512,
  probe({ bytes, start, end, first }) {
    const sign = looksLikeAdu(bytes, start, end);
    if (sign <= 0) return sign === 0 || !first ? 'more' : 'no';
    if (!fitsRequest(bytes, start, end) && !fitsResponse(bytes, start, end)) return 'no';
    // Only a message that ends with the payload, or is followed by another, is believed.
    const stop = aduEnd(bytes, start);
    if (stop > end) return 'more';
    return stop === end || looksLikeAdu(bytes, stop, end) >= 0 ? 'yes' : 'no';
  },
  open: () => ({ client: -1, origLost: false, respLost: false, messages: 0 }),
  read(state, { bytes, start, end, direction }, out) {
    let at = start;
    if (direction === RESP ? state.respLost : state.origLost) {
      // A new segment nearly always begins with a message.
      while (at < end && looksLikeAdu(bytes, at, end) < 0) at++;
      if (end - at < HEADER_BYTES) return at - start;
      if (direction === RESP) state.respLost = false;
      else state.origLost = false;
      out.event('modbus_lost');
    }
    while (end - at >= HEADER_BYTES) {
      const stop = aduEnd(bytes, at);
      if (stop < 0 || bytes[at + 2] !== 0 || bytes[at + 3] !== 0) {
        out.event(stop < 0 ? 'modbus_bad_length' : 'modbus_bad_protocol');
        if (state.messages === 0) return EXCLUDE;
        if (direction === RESP) state.respLost = true;
        else state.origLost = true;
        return at + 1 - start;
      }
      if (stop > end) break;
      if (state.client < 0) {
        const swapped = direction === ORIG ? !fitsRequest(bytes, at, stop) : !fitsResponse(bytes, at, stop);
        state.client = swapped ? RESP : ORIG;
      }
      state.messages++;
      if (direction === state.client) readRequest(bytes, at, stop, out);
      else readResponse(bytes, at, stop, out);
      at = stop;
    }
    return at - start;
  },
  gap(state, direction) {
    if (direction === RESP) state.respLost = true;
    else state.origLost = true;
  },
};
