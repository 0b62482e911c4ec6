import type { Dissector } from '../../dissector.ts';
import { EXCLUDE, RESP } from '../../dissector.ts';
import { contecBlock, contecEvents } from './events.ts';
import { looksLikeBlock, readBlock } from './parser.ts';

interface ContecState {
  /** Where a block begins is not known, by direction. */
  origLost: boolean;
  respLost: boolean;
}

/** Contec CMS8000 monitors and their central station. */
export const dissector: Dissector<ContecState> = {
  name: 'contec',
  transport: ['tcp'],
  ports: [515],
  observations: [contecBlock],
  events: contecEvents,
  carriesPhi: true,
  retain: 4100,
  probe({ bytes, start, end, first }) {
    const sign = looksLikeBlock(bytes, start, end);
    if (sign <= 0) return sign === 0 || !first ? 'more' : 'no';
    const next = start + 2 + (bytes[start]! | (bytes[start + 1]! << 8));
    // Four bytes are little to go by: the next block must fit as well, or this one end exactly here.
    if (next > end) return bytes[start + 3] === 0x3e || bytes[start + 3] === 0x46 ? 'yes' : 'more';
    return next === end || looksLikeBlock(bytes, next, end) >= 0 ? 'yes' : 'no';
  },
  open: () => ({ origLost: false, respLost: false }),
  read(state, { bytes, start, end, direction }, out) {
    let at = start;
    let lost = direction === RESP ? state.respLost : state.origLost;
    while (end - at >= 4) {
      if (lost) {
        while (at < end && looksLikeBlock(bytes, at, end) < 0) at++;
        if (end - at < 8) break;
        lost = false;
        out.event('contec_lost');
      }
      const length = bytes[at]! | (bytes[at + 1]! << 8);
      if (looksLikeBlock(bytes, at, end) < 0) {
        out.event('contec_bad_block');
        if (bytes[at + 2] !== 5 || length < 2 || length > 4096) return EXCLUDE;
      }
      if (end - at < 2 + length) break;
      readBlock(bytes, at, length, out);
      at += 2 + length;
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
