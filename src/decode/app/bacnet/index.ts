import type { Dissector } from '../../dissector.ts';
import { bacnetControl, bacnetEvents, bacnetMessage } from './events.ts';
import { looksLikeBacnet, readBacnet } from './parser.ts';

/** BACnet/IP of building management: who reads and writes which objects. */
export const dissector: Dissector<undefined> = {
  name: 'bacnet',
  transport: ['udp'],
  ports: [47808],
  observations: [bacnetMessage, bacnetControl],
  events: bacnetEvents,
  probe: ({ bytes, start, end, cut }) => (looksLikeBacnet(bytes, start, end, cut) ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    readBacnet(payload, out);
    return payload.end - payload.start;
  },
};
