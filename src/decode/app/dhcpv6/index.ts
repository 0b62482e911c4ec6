import type { Dissector } from '../../dissector.ts';
import { dhcpv6Events, dhcpv6Message } from './events.ts';
import { looksLikeDhcpv6, readDhcpv6 } from './parser.ts';

/** DHCP for IPv6. */
export const dissector: Dissector<undefined> = {
  name: 'dhcpv6',
  transport: ['udp'],
  ports: [546, 547],
  observations: [dhcpv6Message],
  events: dhcpv6Events,
  probe: ({ bytes, start, end, cut }) => (looksLikeDhcpv6(bytes, start, end, cut) ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    readDhcpv6(payload, out);
    return payload.end - payload.start;
  },
};
