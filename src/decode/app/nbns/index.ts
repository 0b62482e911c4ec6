import type { Dissector } from '../../dissector.ts';
import { nbnsEvents, nbnsMessage } from './events.ts';
import { looksLikeNbns, readNbns } from './parser.ts';

/** NetBIOS name service. */
export const dissector: Dissector<undefined> = {
  name: 'nbns',
  transport: ['udp'],
  ports: [137],
  observations: [nbnsMessage],
  events: nbnsEvents,
  probe: ({ bytes, start, end }) => (looksLikeNbns(bytes, start, end) ? 'yes' : 'no'),
  open: () => undefined,
  read(_state, payload, out) {
    readNbns(payload, out);
    return payload.end - payload.start;
  },
};
