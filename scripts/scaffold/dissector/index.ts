import type { Dissector } from '../../../src/decode/dissector.ts';
import { EXCLUDE, RESP } from '../../../src/decode/dissector.ts';
import { exampleEvents, exampleMessage } from './events.ts';
import { HEADER_BYTES, looksLikeMessage, messageEnd, readMessage } from './parser.ts';

interface ExampleState {
  /** Bytes were lost: the next message has to be looked for. */
  origLost: boolean;
  respLost: boolean;
  messages: number;
}

/** example: say in one line what of it is read. */
export const dissector: Dissector<ExampleState> = {
  name: 'example',
  transport: ['tcp'],
  ports: [],
  observations: [exampleMessage],
  events: exampleEvents,
  retain: 4096,
  probe({ bytes, start, end }) {
    const sign = looksLikeMessage(bytes, start, end);
    return sign > 0 ? 'yes' : sign < 0 ? 'no' : 'more';
  },
  open: () => ({ origLost: false, respLost: false, messages: 0 }),
  read(state, { bytes, start, end, direction }, out) {
    let at = start;
    while (at < end) {
      if (direction === RESP ? state.respLost : state.origLost) {
        while (at < end && looksLikeMessage(bytes, at, end) < 0) at++;
        if (end - at < HEADER_BYTES) break;
        if (direction === RESP) state.respLost = false;
        else state.origLost = false;
        out.event('example_lost');
      }
      const sign = looksLikeMessage(bytes, at, end);
      if (sign === 0) break;
      if (sign < 0) {
        out.event('example_bad_header');
        if (state.messages === 0) return EXCLUDE;
        if (direction === RESP) state.respLost = true;
        else state.origLost = true;
        continue;
      }
      const stop = messageEnd(bytes, at);
      if (stop > end) break;
      readMessage(bytes, at, stop, out);
      state.messages++;
      at = stop;
    }
    return at - start;
  },
  gap(state, direction) {
    if (direction === RESP) state.respLost = true;
    else state.origLost = true;
  },
};
