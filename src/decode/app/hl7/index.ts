import type { Dissector, Payload, Verdict } from '../../dissector.ts';
import { RESP } from '../../dissector.ts';
import { find, startsWith } from '../ascii.ts';
import { restOfHalves, resumeHalves } from '../at-rest.ts';
import { hl7Ack, hl7Events, hl7Message } from './events.ts';
import { createHalf, looksLikeHeader, readHl7 } from './parser.ts';
import type { Half, Hl7State } from './parser.ts';

/** How far into a stream that was joined in its middle a message is looked for. */
const LOOK_AHEAD = 2048;

function probe(payload: Payload): Verdict {
  const { bytes, start, end } = payload;
  if (end <= start) return 'more';
  let at = bytes[start] === 0x0b ? start + 1 : start;
  if (startsWith(bytes, at, end, '\u00ef\u00bb\u00bf')) at += 3;
  const sign = looksLikeHeader(bytes, at, end);
  if (sign > 0) return 'yes';
  if (sign === 0) return 'more';
  if (payload.first) return 'no';
  const stop = Math.min(end, start + LOOK_AHEAD);
  for (let vt = find(bytes, start, stop, 0x0b); vt < stop; vt = find(bytes, vt + 1, stop, 0x0b)) {
    if (looksLikeHeader(bytes, vt + 1, end) > 0) return 'yes';
  }
  return 'more';
}

function halfOf(state: Hl7State, direction: number): Half {
  if (direction === RESP) return (state.resp ??= createHalf());
  return (state.orig ??= createHalf());
}

/** HL7 v2 messages in MLLP frames, on any port. */
export const dissector: Dissector<Hl7State> = {
  name: 'hl7',
  transport: ['tcp'],
  ports: [2575, 6661, 5000],
  observations: [hl7Message, hl7Ack],
  events: hl7Events,
  carriesPhi: true,
  probe,
  open: () => ({ orig: undefined, resp: undefined }),
  read(state, payload, out) {
    readHl7(halfOf(state, payload.direction), payload.bytes, payload.start, payload.end, out);
    return payload.end - payload.start;
  },
  rest: (state) => restOfHalves(state),
  resume: (rest) => resumeHalves(rest, createHalf),
  gap(state, direction) {
    halfOf(state, direction).lost = true;
  },
};
