import type { Dissector } from '../../dissector.ts';
import { events, observations } from './events.ts';
import { MAX_PACKET, openSsh, probeSsh, readSsh, sshGap } from './parser.ts';
import type { SshState } from './parser.ts';

/** SSH up to the point where it is encrypted. */
export const dissector: Dissector<SshState> = {
  name: 'ssh',
  transport: ['tcp'],
  ports: [22, 2222],
  observations,
  events,
  retain: MAX_PACKET + 64,
  probe: probeSsh,
  open: openSsh,
  read: readSsh,
  gap: sshGap,
};
