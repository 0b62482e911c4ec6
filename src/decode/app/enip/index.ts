import type { Dissector } from '../../dissector.ts';
import { EXCLUDE, RESP } from '../../dissector.ts';
import { enipCip, enipCommand, enipEvents, enipIdentity } from './events.ts';
import { HEADER_BYTES, looksLikeEnip, readMessage } from './parser.ts';

interface EnipState {
  messages: number;
  origLost: boolean;
  respLost: boolean;
}

/** Of a longer message only this much is read. */
const MOST_BYTES = 2048;

/** EtherNet/IP and the CIP services in it. */
export const dissector: Dissector<EnipState> = {
  name: 'enip',
  transport: ['tcp', 'udp'],
  ports: [44818],
  observations: [enipIdentity, enipCommand, enipCip],
  events: enipEvents,
  retain: MOST_BYTES + HEADER_BYTES,
  probe({ bytes, start, end, first, ipProto }) {
    const sign = looksLikeEnip(bytes, start, end);
    if (ipProto !== 6)
      return sign > 0 && bytes[start + 2]! + bytes[start + 3]! * 256 === end - start - HEADER_BYTES ? 'yes' : 'no';
    if (sign > 0) return 'yes';
    return sign === 0 || !first ? 'more' : 'no';
  },
  open: () => ({ messages: 0, origLost: false, respLost: false }),
  read(state, { bytes, start, end, direction, ipProto }, out) {
    let at = start;
    if (direction === RESP ? state.respLost : state.origLost) {
      while (at < end && looksLikeEnip(bytes, at, end) < 0) at++;
      if (end - at < HEADER_BYTES) return at - start;
      if (direction === RESP) state.respLost = false;
      else state.origLost = false;
      out.event('enip_lost');
    }
    while (end - at >= HEADER_BYTES) {
      if (looksLikeEnip(bytes, at, end) < 0 && bytes[at] !== 0) {
        out.event('enip_bad_header');
        if (ipProto !== 6) return end - start;
        if (state.messages === 0) return EXCLUDE;
        if (direction === RESP) state.respLost = true;
        else state.origLost = true;
        return at + 1 - start;
      }
      const length = HEADER_BYTES + (bytes[at + 2]! | (bytes[at + 3]! << 8));
      if (end - at < Math.min(length, MOST_BYTES) && ipProto === 6) break;
      if (length > MOST_BYTES) out.event('enip_long');
      state.messages++;
      readMessage(bytes, at, Math.min(at + length, end), direction === RESP, out);
      at += length;
    }
    return at - start;
  },
  gap(state, direction) {
    if (direction === RESP) state.respLost = true;
    else state.origLost = true;
  },
};
