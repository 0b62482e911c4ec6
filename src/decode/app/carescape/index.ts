import type { Dissector } from '../../dissector.ts';
import { carescapeEvents, carescapePresence, carescapeTime } from './events.ts';
import { formOf, readCarescape } from './parser.ts';

/** GE CARESCAPE (Unity) network: presence of monitors and stations, and who sets their clocks. */
export const dissector: Dissector<undefined> = {
  name: 'carescape',
  transport: ['udp'],
  ports: [7000, 2000],
  observations: [carescapePresence, carescapeTime],
  events: carescapeEvents,
  carriesPhi: true,
  probe: ({ bytes, view, start, end }) => (formOf(bytes, view, start, end) > 0 ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    readCarescape(payload, out);
    return payload.end - payload.start;
  },
};
