import type { Dissector } from '../../dissector.ts';
import { ntpEvents, ntpMessage } from './events.ts';
import { looksLikeNtp, PORT, readNtp } from './parser.ts';

/** NTP and SNTP: who sets whose clock. */
export const dissector: Dissector<undefined> = {
  name: 'ntp',
  transport: ['udp'],
  ports: [PORT],
  observations: [ntpMessage],
  events: ntpEvents,
  probe: (payload) => (looksLikeNtp(payload) ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    readNtp(payload, out);
    return payload.end - payload.start;
  },
};
