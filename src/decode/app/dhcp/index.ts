import type { Dissector } from '../../dissector.ts';
import { dhcpEvents, dhcpMessage } from './events.ts';
import { looksLikeDhcp, readDhcp } from './parser.ts';

/** DHCP for IPv4: names, fingerprints, leases and servers. */
export const dissector: Dissector<undefined> = {
  name: 'dhcp',
  transport: ['udp'],
  ports: [67, 68],
  observations: [dhcpMessage],
  events: dhcpEvents,
  probe: ({ bytes, start, end }) => (looksLikeDhcp(bytes, start, end) ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    if (looksLikeDhcp(payload.bytes, payload.start, payload.end)) readDhcp(payload, out);
    else out.event('dhcp_bad_header');
    return payload.end - payload.start;
  },
};
