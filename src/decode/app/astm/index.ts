import type { Dissector } from '../../dissector.ts';
import { RESP } from '../../dissector.ts';
import { restOfHalves, resumeHalves } from '../at-rest.ts';
import { astmEvents, astmMessage } from './events.ts';
import { BETWEEN, createHalf, looksLikeAstm, readAstm } from './parser.ts';
import type { Half } from './parser.ts';

interface AstmState {
  orig: Half | undefined;
  resp: Half | undefined;
}

function halfOf(state: AstmState, direction: number): Half {
  if (direction === RESP) return (state.resp ??= createHalf());
  return (state.orig ??= createHalf());
}

/** Laboratory and point-of-care analysers that speak ASTM E1394 / LIS2-A2, on any port. */
export const dissector: Dissector<AstmState> = {
  name: 'astm',
  transport: ['tcp'],
  ports: [4000, 5000, 10001],
  observations: [astmMessage],
  events: astmEvents,
  carriesPhi: true,
  probe({ bytes, start, end, first }) {
    const sign = looksLikeAstm(bytes, start, end, !first);
    if (sign > 0) return 'yes';
    return sign === 0 || !first ? 'more' : 'no';
  },
  open: () => ({ orig: undefined, resp: undefined }),
  read(state, { bytes, start, end, direction }, out) {
    readAstm(halfOf(state, direction), bytes, start, end, out);
    return end - start;
  },
  rest: (state) => restOfHalves(state, (half) => !half.inMessage && half.phase === BETWEEN),
  resume: (rest) => resumeHalves(rest, createHalf),
  gap(state, direction) {
    halfOf(state, direction).lost = true;
  },
};
