import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { openVnc, probeVnc, readVnc, vncGap } from './parser.ts';
import type { VncState } from './parser.ts';

/** The handshake of VNC. Zeek calls the service `rfb`. */
export const dissector: Dissector<VncState> = {
  name: 'rfb',
  transport: ['tcp'],
  ports: [5900, 5901, 5902, 5903],
  observations,
  events,
  probe: probeVnc,
  open: openVnc,
  read: readVnc,
  gap: vncGap,
};
