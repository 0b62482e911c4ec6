import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { openRdp, probeRdp, rdpGap, readRdp } from './parser.ts';
import type { RdpState } from './parser.ts';

/** RDP up to its encryption, with the certificate of the server where TLS is chosen. */
export const dissector: Dissector<RdpState> = {
  name: 'rdp',
  transport: ['tcp'],
  ports: [3389],
  observations,
  events,
  retain: 40_000,
  probe: probeRdp,
  open: openRdp,
  read: readRdp,
  gap: rdpGap,
};
