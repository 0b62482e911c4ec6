import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { openSocks, probeSocks, readSocks, socksGap } from './parser.ts';
import type { SocksState } from './parser.ts';

/** SOCKS 4 and 5, with the TLS handshake that a tunnel may begin with. */
export const dissector: Dissector<SocksState> = {
  name: 'socks',
  transport: ['tcp'],
  ports: [1080],
  observations,
  events,
  retain: 40_000,
  probe: probeSocks,
  open: openSocks,
  read: readSocks,
  gap: socksGap,
};
