import type { Dissector } from '../../dissector.ts';
import { wsdEvents, wsdMessage } from './events.ts';
import { looksLikeDiscovery, readDiscovery } from './parser.ts';

/** WS-Discovery of medical devices (SDC), printers and cameras. */
export const dissector: Dissector<undefined> = {
  name: 'wsdiscovery',
  transport: ['udp'],
  ports: [3702],
  observations: [wsdMessage],
  events: wsdEvents,
  probe: ({ bytes, start, end }) => (looksLikeDiscovery(bytes, start, end) ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    if (looksLikeDiscovery(payload.bytes, payload.start, payload.end)) readDiscovery(payload, out);
    else out.event('wsdiscovery_bad_header');
    return payload.end - payload.start;
  },
};
