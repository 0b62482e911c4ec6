import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { MAX_HEAD, openSip, probeSip, readSip, sipGap } from './parser.ts';
import type { SipState } from './parser.ts';

/** SIP over UDP and TCP: methods and outcomes, nobody's name. */
export const dissector: Dissector<SipState> = {
  name: 'sip',
  transport: ['udp', 'tcp'],
  ports: [5060],
  observations,
  events,
  retain: MAX_HEAD,
  probe: probeSip,
  open: openSip,
  read: readSip,
  gap: sipGap,
};
