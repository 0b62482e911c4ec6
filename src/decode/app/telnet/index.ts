import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { openTelnet, probeTelnet, readTelnet, telnetGap } from './parser.ts';
import type { TelnetState } from './parser.ts';

/** Telnet: that it is there, and how logging in goes. */
export const dissector: Dissector<TelnetState> = {
  name: 'telnet',
  transport: ['tcp'],
  ports: [23, 2323],
  observations,
  events,
  probe: probeTelnet,
  open: openTelnet,
  read: readTelnet,
  gap: telnetGap,
};
