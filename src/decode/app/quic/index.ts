import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { openQuic, probeQuic, readQuic } from './parser.ts';
import type { QuicState } from './parser.ts';

/** QUIC: version and ClientHello. */
export const dissector: Dissector<QuicState> = {
  name: 'quic',
  transport: ['udp'],
  ports: [443, 8443, 853],
  observations,
  events,
  probe: probeQuic,
  open: openQuic,
  read: readQuic,
};
