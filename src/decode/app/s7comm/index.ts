import type { Dissector } from '../../dissector.ts';
import { EXCLUDE, RESP } from '../../dissector.ts';
import { s7Connect, s7Events, s7Message } from './events.ts';
import { looksLikeS7, readPacket, tpktLength } from './parser.ts';

interface S7State {
  packets: number;
  origLost: boolean;
  respLost: boolean;
}

/** S7 communication of Siemens controllers. */
export const dissector: Dissector<S7State> = {
  name: 's7comm',
  transport: ['tcp'],
  ports: [102],
  observations: [s7Connect, s7Message],
  events: s7Events,
  retain: 8192,
  probe({ bytes, start, end, first }) {
    const sign = looksLikeS7(bytes, start, end);
    if (sign > 0) return 'yes';
    return sign === 0 || !first ? 'more' : 'no';
  },
  open: () => ({ packets: 0, origLost: false, respLost: false }),
  read(state, { bytes, start, end, direction }, out) {
    let at = start;
    if (direction === RESP ? state.respLost : state.origLost) {
      // A segment nearly always begins with a packet: what does not is passed over.
      if (looksLikeS7(bytes, start, end) <= 0) return end - start;
      if (direction === RESP) state.respLost = false;
      else state.origLost = false;
    }
    while (at < end) {
      const length = tpktLength(bytes, at, end);
      if (length < 0) {
        out.event('s7comm_bad_tpkt');
        if (state.packets === 0) return EXCLUDE;
        if (direction === RESP) state.respLost = true;
        else state.origLost = true;
        return end - start;
      }
      // Longer packets carry blocks: their head says what they do.
      if (length === 0 || end - at < Math.min(length, 4096)) break;
      state.packets++;
      readPacket(bytes, at, Math.min(at + length, end), out);
      at += length;
    }
    return at - start;
  },
  gap(state, direction) {
    if (direction === RESP) state.respLost = true;
    else state.origLost = true;
  },
};
