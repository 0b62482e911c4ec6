import type { Dissector } from '../../dissector.ts';
import { RESP } from '../../dissector.ts';
import { iecAsdu, iecControl, iecEvents } from './events.ts';
import { looksLikeApdu, readApdu } from './parser.ts';

interface IecState {
  origLost: boolean;
  respLost: boolean;
}

/** IEC 60870-5-104 telecontrol. */
export const dissector: Dissector<IecState> = {
  name: 'iec104',
  transport: ['tcp'],
  ports: [2404],
  observations: [iecAsdu, iecControl],
  events: iecEvents,
  retain: 512,
  probe({ bytes, start, end, first }) {
    const sign = looksLikeApdu(bytes, start, end);
    if (sign <= 0) return sign === 0 || !first ? 'more' : 'no';
    const next = start + 2 + bytes[start + 1]!;
    if (next > end) return 'more';
    return next === end || looksLikeApdu(bytes, next, end) >= 0 ? 'yes' : 'no';
  },
  open: () => ({ origLost: false, respLost: false }),
  read(state, { bytes, start, end, direction }, out) {
    let at = start;
    let lost = direction === RESP ? state.respLost : state.origLost;
    while (at < end) {
      const sign = looksLikeApdu(bytes, at, end);
      if (sign < 0) {
        if (!lost) out.event('iec104_bad_apci');
        lost = true;
        at++;
        continue;
      }
      if (sign === 0) break;
      const stop = at + 2 + bytes[at + 1]!;
      if (stop > end) break;
      if (lost) out.event('iec104_lost');
      lost = false;
      readApdu(bytes, at, stop, out);
      at = stop;
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
