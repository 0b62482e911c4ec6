import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { probeTftp, readTftp } from './parser.ts';

/** TFTP requests; nothing is remembered between datagrams. */
export const dissector: Dissector<null> = {
  name: 'tftp',
  transport: ['udp'],
  ports: [69],
  observations,
  events,
  probe: probeTftp,
  open: () => null,
  read: (_state, payload, out) => readTftp(payload, out),
};
