import type { Dissector } from '../../dissector.ts';
import { lldpEvents, lldpNeighbour } from './events.ts';
import { looksLikeLldp, readLldp } from './parser.ts';

/** LLDP: what a device says of itself on the cable. */
export const dissector: Dissector<undefined> = {
  name: 'lldp',
  transport: ['l2'],
  ports: [],
  observations: [lldpNeighbour],
  events: lldpEvents,
  probe: ({ bytes, start, end }) => (looksLikeLldp(bytes, start, end) ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    readLldp(payload, out);
    return payload.end - payload.start;
  },
};
