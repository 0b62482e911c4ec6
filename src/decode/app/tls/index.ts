import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { openTls, probeTls, readTls, tlsGap } from './parser.ts';
import type { TlsState } from './parser.ts';

/** TLS 1.0 to 1.3, SSL 2 and 3 hellos, DTLS: what travels in clear. Zeek calls the service `ssl`. */
export const dissector: Dissector<TlsState> = {
  name: 'ssl',
  transport: ['tcp', 'udp'],
  ports: [443, 8443, 636, 989, 990, 993, 995, 2762, 5061, 6514, 8883],
  observations,
  events,
  retain: 40_000,
  probe: probeTls,
  open: openTls,
  read: readTls,
  gap: tlsGap,
};
