import type { Dissector } from '../../dissector.ts';
import { snmpEvents, snmpMessage } from './events.ts';
import { looksLikeSnmp, readSnmp } from './parser.ts';

/** SNMP versions 1, 2c and 3. */
export const dissector: Dissector<undefined> = {
  name: 'snmp',
  transport: ['udp'],
  ports: [161, 162],
  observations: [snmpMessage],
  events: snmpEvents,
  probe: ({ bytes, start, end, cut }) => (looksLikeSnmp(bytes, start, end, cut) ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    readSnmp(payload, out);
    return payload.end - payload.start;
  },
};
