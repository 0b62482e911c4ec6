import type { Dissector } from '../../dissector.ts';
import { HEADER_BYTES } from '../dns/parser.ts';
import { llmnrEvents, llmnrQuery, llmnrResponse } from './events.ts';
import { looksLikeLlmnr, readLlmnr } from './parser.ts';

const PORT = 5355;

/**
 * LLMNR over UDP. Nothing but the port tells it from DNS: here alone the port decides between two protocols
 * of the same form.
 */
export const dissector: Dissector<undefined> = {
  name: 'llmnr',
  transport: ['udp'],
  ports: [PORT],
  observations: [llmnrQuery, llmnrResponse],
  events: llmnrEvents,
  probe({ bytes, start, end, origPort, respPort }) {
    if (origPort !== PORT && respPort !== PORT) return 'no';
    return looksLikeLlmnr(bytes, start, end) ? 'yes' : 'no';
  },
  open: () => undefined,
  read(_state, { bytes, start, end, cut }, out) {
    if (end - start < HEADER_BYTES) out.event('llmnr_bad_header');
    else readLlmnr(bytes, start, end, cut, out);
    return end - start;
  },
};
