import type { Dissector } from '../../dissector.ts';
import { HEADER_BYTES } from '../dns/parser.ts';
import { mdnsEvents, mdnsQuery, mdnsResponse } from './events.ts';
import { looksLikeMdns, readMdns } from './parser.ts';

const PORT = 5353;

/** Multicast DNS. Its port tells it from DNS, which has the same form. */
export const dissector: Dissector<undefined> = {
  name: 'mdns',
  transport: ['udp'],
  ports: [PORT],
  observations: [mdnsQuery, mdnsResponse],
  events: mdnsEvents,
  probe({ bytes, start, end, origPort, respPort }) {
    if (origPort !== PORT && respPort !== PORT) return 'no';
    return looksLikeMdns(bytes, start, end) ? 'yes' : 'more';
  },
  open: () => undefined,
  read(_state, { bytes, start, end, cut }, out) {
    if (end - start < HEADER_BYTES) out.event('mdns_bad_header');
    else readMdns(bytes, start, end, cut, out);
    return end - start;
  },
};
