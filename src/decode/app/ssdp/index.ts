import type { Dissector } from '../../dissector.ts';
import { ssdpEvents, ssdpMessage } from './events.ts';
import { formOf, readSsdp } from './parser.ts';

/** SSDP: what UPnP devices say of themselves. */
export const dissector: Dissector<undefined> = {
  name: 'ssdp',
  transport: ['udp'],
  ports: [1900],
  observations: [ssdpMessage],
  events: ssdpEvents,
  probe: ({ bytes, start, end }) => (formOf(bytes, start, end) > 0 ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    readSsdp(payload, out);
    return payload.end - payload.start;
  },
};
