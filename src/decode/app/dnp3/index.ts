import type { Dissector } from '../../dissector.ts';
import { RESP } from '../../dissector.ts';
import { dnp3Events, dnp3Link, dnp3Message } from './events.ts';
import { frameLength, looksLikeFrame, readFrame } from './parser.ts';

interface Dnp3State {
  origLost: boolean;
  respLost: boolean;
}

/** DNP3 telecontrol. */
export const dissector: Dissector<Dnp3State> = {
  name: 'dnp3',
  transport: ['tcp', 'udp'],
  ports: [20000],
  observations: [dnp3Message, dnp3Link],
  events: dnp3Events,
  retain: 512,
  probe({ bytes, start, end, first, ipProto }) {
    const sign = looksLikeFrame(bytes, start, end);
    if (sign > 0) return 'yes';
    return ipProto === 6 && (sign === 0 || !first) ? 'more' : 'no';
  },
  open: () => ({ origLost: false, respLost: false }),
  read(state, { bytes, start, end, direction, ipProto, cut }, out) {
    let at = start;
    let lost = direction === RESP ? state.respLost : state.origLost;
    while (at < end) {
      const sign = looksLikeFrame(bytes, at, end);
      if (sign < 0) {
        if (!lost) out.event('dnp3_bad_header');
        lost = true;
        at++;
        continue;
      }
      if (sign === 0) break;
      const stop = at + frameLength(bytes, at);
      if (stop > end) break;
      if (lost && ipProto === 6) out.event('dnp3_lost');
      lost = false;
      readFrame(bytes, at, stop, out);
      at = stop;
    }
    if (ipProto !== 6) {
      if (at < end && !cut) out.event('dnp3_bad_header');
      return end - start;
    }
    if (direction === RESP) state.respLost = lost;
    else state.origLost = lost;
    return at - start;
  },
  gap(state, direction) {
    if (direction === RESP) state.respLost = true;
    else state.origLost = true;
  },
};
