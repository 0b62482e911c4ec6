import type { Dissector } from '../../dissector.ts';
import { RESP } from '../../dissector.ts';
import { restOfHalves, resumeHalves } from '../at-rest.ts';
import { findWord } from '../ascii.ts';
import { poctDevice, poctEvents, poctMessage } from './events.ts';
import { createHalf, looksLikePoct, readPoct } from './parser.ts';
import type { Half } from './parser.ts';

interface PoctState {
  orig: Half | undefined;
  resp: Half | undefined;
}

function halfOf(state: PoctState, direction: number): Half {
  if (direction === RESP) return (state.resp ??= createHalf());
  return (state.orig ??= createHalf());
}

/** Point-of-care devices and their managers, on any port. */
export const dissector: Dissector<PoctState> = {
  name: 'poct1a',
  transport: ['tcp'],
  ports: [3001],
  observations: [poctDevice, poctMessage],
  events: poctEvents,
  carriesPhi: true,
  retain: 2048,
  probe({ bytes, start, end, first }) {
    const sign = looksLikePoct(bytes, start, end);
    if (sign > 0) return 'yes';
    if (sign === 0) return 'more';
    if (first) return 'no';
    const header = findWord(bytes, start, Math.min(end, start + 1024), '<HDR.control_id V=');
    return header >= 0 ? 'yes' : 'more';
  },
  open: () => ({ orig: undefined, resp: undefined }),
  read: (state, { bytes, start, end, direction }, out) => readPoct(halfOf(state, direction), bytes, start, end, out),
  rest: (state) => restOfHalves(state),
  resume: (rest) => resumeHalves(rest, createHalf),
  gap(state, direction) {
    halfOf(state, direction).lost = true;
  },
};
