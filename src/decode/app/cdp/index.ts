import type { Dissector } from '../../dissector.ts';
import { cdpEvents, cdpNeighbour } from './events.ts';
import { looksLikeCdp, readCdp } from './parser.ts';

/** CDP: what a device says of itself on the cable. */
export const dissector: Dissector<undefined> = {
  name: 'cdp',
  transport: ['l2'],
  ports: [],
  observations: [cdpNeighbour],
  events: cdpEvents,
  probe: ({ bytes, start, end }) => (looksLikeCdp(bytes, start, end) ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    readCdp(payload, out);
    return payload.end - payload.start;
  },
};
