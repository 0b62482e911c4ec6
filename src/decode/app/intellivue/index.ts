import type { Dissector } from '../../dissector.ts';
import { ivAssociation, ivConnect, ivEvents, ivMdsCreate, ivOperation } from './events.ts';
import { formOf, readIntellivue } from './parser.ts';

/** Philips IntelliVue data export: who listens to which monitor, and what the monitor says it is. */
export const dissector: Dissector<undefined> = {
  name: 'intellivue',
  transport: ['udp'],
  ports: [24105, 24005],
  observations: [ivConnect, ivAssociation, ivMdsCreate, ivOperation],
  events: ivEvents,
  carriesPhi: true,
  probe: ({ bytes, start, end }) => (formOf(bytes, start, end) > 0 ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    readIntellivue(payload, out);
    return payload.end - payload.start;
  },
};
